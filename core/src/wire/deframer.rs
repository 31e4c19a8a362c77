//! Cutting a byte stream into frames.

use super::cobs::{Decoder, Step};

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
#[derive(Debug, Clone)]
pub struct Deframer<const N: usize> {
    buffer: [u8; N],
    /// Decoded bytes of the frame; at most `N`.
    len: usize,
    decoder: Decoder,
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
        Self { buffer: [0; N], len: 0, decoder: Decoder::NEW, skipping: false }
    }

    /// Forgets an unfinished frame, as when a line was reopened.
    pub const fn reset(&mut self) {
        self.len = 0;
        self.decoder = Decoder::NEW;
        self.skipping = false;
    }

    /// Takes input up to the end of a frame, or all of it.
    pub fn feed<'i>(&mut self, input: &'i [u8]) -> Feed<'_, 'i> {
        let mut rest = input;
        while let Some((byte, tail)) = rest.split_first() {
            rest = tail;
            let step = self.decoder.feed(*byte);
            if self.skipping {
                self.skipping = *byte != 0;
                continue;
            }
            match step {
                Step::Nothing => {}
                Step::Byte(byte) => match self.buffer.get_mut(self.len) {
                    Some(place) => {
                        *place = byte;
                        self.len += 1;
                    }
                    None => {
                        self.len = 0;
                        self.skipping = true;
                        return Feed::Oversize { rest };
                    }
                },
                Step::End if self.len > 0 => {
                    let len = core::mem::take(&mut self.len);
                    let frame = self.buffer.get(..len).unwrap_or(&self.buffer);
                    return Feed::Frame { frame, rest };
                }
                Step::End => {}
                Step::Broken => {
                    self.len = 0;
                    return Feed::Cobs { rest };
                }
            }
        }
        Feed::Consumed
    }
}
