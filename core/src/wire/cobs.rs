//! Consistent overhead byte stuffing, both ways: frames without a 0x00 byte.
//!
//! Written out here because both ways together are smaller than the dependencies of a crate for
//! it; the tests compare them with such a crate.

/// One step of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The byte told where the next zero is.
    Nothing,
    /// The byte stands for this one.
    Byte(u8),
    /// The byte was a 0x00 where a frame may end.
    End,
    /// The byte was a 0x00 where no frame can end.
    Broken,
}

/// A decoder that takes one byte at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decoder {
    /// Bytes up to the next code byte.
    left: u8,
    /// Whether the next code byte stands for a zero.
    zero: bool,
}

impl Decoder {
    pub(super) const NEW: Self = Self { left: 0, zero: false };

    /// Takes a byte; after a 0x00 the decoder is new again.
    pub(super) const fn feed(&mut self, byte: u8) -> Step {
        if byte == 0 {
            let step = if self.left == 0 { Step::End } else { Step::Broken };
            *self = Self::NEW;
            return step;
        }
        if self.left > 0 {
            self.left -= 1;
            return Step::Byte(byte);
        }
        let step = if self.zero { Step::Byte(0) } else { Step::Nothing };
        self.left = byte - 1;
        self.zero = byte < 0xff;
        step
    }
}

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
/// Returns the length of all that, or `None` if `start` is smaller than [`start`] says for `len`
/// or the buffer ends too early.
pub(super) fn encode_in_place(buffer: &mut [u8], start: usize, len: usize) -> Option<usize> {
    // A byte is written at most at 2 + i + i / 254 once i bytes were read, which is before the
    // next byte to read.
    if start < self::start(len) {
        return None;
    }
    *buffer.get_mut(0)? = 0;
    let (mut code_at, mut code) = (1, 1u8);
    let mut to = 2;
    for from in start..start.checked_add(len)? {
        let byte = *buffer.get(from)?;
        // A full block ends only when more follows.
        if code == 0xff {
            *buffer.get_mut(code_at)? = code;
            (code_at, code) = (to, 1);
            to += 1;
        }
        if byte == 0 {
            *buffer.get_mut(code_at)? = code;
            (code_at, code) = (to, 1);
        } else {
            *buffer.get_mut(to)? = byte;
            code += 1;
        }
        to += 1;
    }
    *buffer.get_mut(code_at)? = code;
    *buffer.get_mut(to)? = 0;
    Some(to + 1)
}

#[cfg(test)]
mod tests {
    use super::{Decoder, Step, capacity, encode_in_place, start};
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
        let mut decoder = Decoder::NEW;
        let mut decoded = Vec::new();
        for byte in rest {
            match decoder.feed(*byte) {
                Step::Byte(byte) => decoded.push(byte),
                Step::Nothing => {}
                step => assert_eq!(step, Step::End),
            }
        }
        assert_eq!(decoded, frame);
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
