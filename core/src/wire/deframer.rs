//! Cutting a byte stream into frames.

use cobs::{DecodeResult, DecoderState};
use heapless::Vec;

/// What came of some input; input that was not looked at yet is handed back as `rest`.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feed<'d, 'i> {
    /// All input was taken, and no frame is complete.
    Consumed,
    /// A frame, bare: give it to [`Frame::parse`](super::Frame::parse).
    Frame {
        /// The decoded bytes, at least one, with the checksum still to be checked.
        frame: &'d [u8],
        /// Input behind the frame.
        rest: &'i [u8],
    },
    /// A frame longer than the buffer; its other bytes are skipped.
    Oversize {
        /// Input behind the byte that did not fit.
        rest: &'i [u8],
    },
    /// A frame that ended in the middle of a COBS block: bytes were lost.
    Cobs {
        /// Input behind the frame.
        rest: &'i [u8],
    },
}

/// Cuts a byte stream into bare frames of at most `N` bytes.
///
/// After anything wrong it goes on behind the next 0x00. Empty frames are not errors: senders
/// write a 0x00 first to end what a previous life of theirs left unfinished. A receiver that comes
/// in late gets one wrong frame at most.
///
/// Feed it until it has [`Consumed`](Feed::Consumed) everything; the module documentation shows
/// the loop. Costs a few instructions for each byte and `N` bytes of RAM.
#[derive(Debug)]
pub struct Deframer<const N: usize> {
    /// Decoded bytes of the frame.
    buffer: Vec<u8, N>,
    /// Whether the buffer holds a frame that was returned, to be dropped before the next byte.
    returned: bool,
    decoder: DecoderState,
    /// Whether bytes are skipped up to the next 0x00.
    skipping: bool,
}

impl<const N: usize> Default for Deframer<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Deframer<N> {
    /// Returns a deframer at the start of a stream.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N > 0, "a deframer needs room for a frame") };
        Self { buffer: Vec::new(), returned: false, decoder: DecoderState::Idle, skipping: false }
    }

    /// Forgets an unfinished frame, as when a line was reopened.
    ///
    /// ```
    /// use tapes_core::wire::{Deframer, Feed};
    ///
    /// let mut deframer = Deframer::<16>::new();
    /// assert_eq!(deframer.feed(&[9, 1, 2]), Feed::Consumed); // half a frame, then the line is closed
    /// deframer.reset();
    /// assert_eq!(deframer.feed(&[2, 7, 0]), Feed::Frame { frame: &[7], rest: &[] });
    /// ```
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Takes input up to the end of a frame, or all of it.
    pub fn feed<'i>(&mut self, input: &'i [u8]) -> Feed<'_, 'i> {
        if core::mem::take(&mut self.returned) {
            self.buffer.clear();
        }
        let mut rest = self.copy_run(input);
        while let Some((byte, tail)) = rest.split_first() {
            rest = tail;
            if self.skipping {
                self.skipping = *byte != 0;
                continue;
            }
            match self.decoder.feed(*byte) {
                Ok(DecodeResult::NoData | DecodeResult::DataStart) => rest = self.copy_run(rest),
                Ok(DecodeResult::DataContinue(byte)) => {
                    if self.buffer.push(byte).is_err() {
                        *self = Self { skipping: true, ..Self::new() };
                        return Feed::Oversize { rest };
                    }
                    rest = self.copy_run(rest);
                }
                Ok(DecodeResult::DataComplete) if !self.buffer.is_empty() => {
                    self.returned = true;
                    return Feed::Frame { frame: &self.buffer, rest };
                }
                Ok(DecodeResult::DataComplete) => {}
                Err(_) => {
                    self.reset();
                    return Feed::Cobs { rest };
                }
            }
        }
        Feed::Consumed
    }

    /// Takes the bytes of a COBS block that stand as they are, as far as they are there, are not
    /// 0x00 and fit; anything else is for the decoder. Returns the rest.
    fn copy_run<'i>(&mut self, input: &'i [u8]) -> &'i [u8] {
        let (DecoderState::Grab(left) | DecoderState::GrabChain(left)) = &mut self.decoder else {
            return input;
        };
        let run = input.get(..usize::from(*left)).unwrap_or(input);
        let len = run.iter().position(|byte| *byte == 0).unwrap_or(run.len());
        let Some((run, rest)) = input.split_at_checked(len) else { return input };
        if self.buffer.extend_from_slice(run).is_err() {
            return input;
        }
        // No more than `left` bytes were taken.
        *left = left.saturating_sub(u8::try_from(len).unwrap_or(u8::MAX));
        rest
    }
}
