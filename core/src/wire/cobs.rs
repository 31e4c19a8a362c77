//! Consistent overhead byte stuffing: frames without a 0x00 byte.
//!
//! Decoding is the `cobs` crate's. Encoding is a loop of our own over the one buffer of a reporter,
//! from its rear to its front, which the crate does in twice the flash; tests compare the two.

use core::cell::Cell;

/// Code of a piece of 254 bytes, behind which there is no zero.
const FULL: u8 = 255;

/// Returns the longest frame that a stream buffer of `buffer_len` bytes can hold, in bytes.
///
/// In front of the frame are a 0x00, a code byte and another for every 254 bytes, so that it can
/// be encoded towards the front in place; behind it is a 0x00.
pub(super) const fn capacity(buffer_len: usize) -> usize {
    buffer_len.saturating_sub(3 + buffer_len / 254)
}

/// Returns where in a stream buffer a frame of at most `capacity` bytes is to be written.
pub(super) const fn start(capacity: usize) -> usize {
    2 + capacity / 254
}

/// Encodes the `len` bytes at `start` in place: 0x00, COBS, 0x00 from the beginning of the buffer.
///
/// Returns the length of all that, or `None` if `start` was too small, with [`start`] as a bound, or
/// the buffer ends too early.
#[inline(never)]
pub(super) fn encode_in_place(buffer: &mut [u8], start: usize, len: usize) -> Option<usize> {
    let cells = Cell::from_mut(buffer).as_slice_of_cells();
    let mut out = cells.iter();
    out.next()?.set(0);
    // The place of the code of the piece under way, and that code so far.
    let mut place = out.next()?;
    let mut code = 1u8;
    let mut input = cells.get(start..)?.iter();
    for _ in 0..len {
        let byte = input.next()?.get();
        if byte != 0 {
            out.next()?.set(byte);
            code = code.wrapping_add(1);
        }
        if byte == 0 || code == FULL {
            place.set(code);
            place = out.next()?;
            code = 1;
        }
    }
    place.set(code);
    // A byte is written at most at 2 + i + i / 254 once i bytes were read: before the next one to
    // read, if that is so at the end.
    if out.len() < input.len() {
        return None;
    }
    out.next()?.set(0);
    Some(cells.len().wrapping_sub(out.len()))
}

#[cfg(test)]
mod tests {
    use cobs::{DecodeResult, DecoderState};

    use super::{capacity, encode_in_place, start};
    use std::vec::Vec;

    fn round_trip(frame: &[u8], room: usize) {
        let at = start(room);
        let mut buffer = std::vec![0xaa; at + room + 1];
        assert!(capacity(buffer.len()) >= room.saturating_sub(1), "room {room}");
        buffer[at..at + frame.len()].copy_from_slice(frame);
        let len = encode_in_place(&mut buffer, at, frame.len()).unwrap();
        let (first, rest) = buffer[..len].split_first().unwrap();
        assert_eq!(*first, 0);
        assert_eq!(rest.iter().position(|byte| *byte == 0), Some(rest.len() - 1));
        let mut decoder = DecoderState::Idle;
        let mut decoded = Vec::new();
        for byte in rest {
            if let DecodeResult::DataContinue(byte) = decoder.feed(*byte).unwrap() {
                decoded.push(byte);
            }
        }
        assert_eq!(decoded, frame);
        let mut foreign = std::vec![0; cobs::max_encoding_length(frame.len())];
        let len = cobs::encode(frame, &mut foreign);
        let (same, more) = rest[..rest.len() - 1].split_at(len);
        assert_eq!(same, &foreign[..len]);
        // The crate leaves out an empty piece behind a full one at the end.
        assert!(matches!(more, [] | [1]), "{more:?}");
    }

    /// If this fails, frames around a block's end arrive changed or overwrite themselves.
    #[test]
    fn every_length_around_full_blocks() {
        for len in (0..6).chain(250..260).chain(504..514).chain(760..766) {
            for zero_every in [1, 2, 253, 254, 255, 1000] {
                let frame: Vec<u8> =
                    (0..len).map(|i| u8::from((i + 1) % zero_every != 0) * 7).collect();
                round_trip(&frame, len);
                round_trip(&frame, len + 300);
            }
        }
    }

    /// If this fails, a frame is encoded over its own unread bytes.
    #[test]
    fn refuses_a_start_too_early() {
        let mut buffer = [1; 600];
        assert_eq!(encode_in_place(&mut buffer, 2, 254), None);
        assert!(encode_in_place(&mut buffer, 3, 254).is_some());
        assert_eq!(encode_in_place(&mut [1; 10], 2, 8), None);
    }

    /// If this fails, a reporter's buffer is too small for the frames it makes.
    #[test]
    fn capacity_fits_its_buffer() {
        for len in 0..2000 {
            let room = capacity(len);
            assert!(len < 3 || start(room) + room < len, "{len}");
        }
    }
}
