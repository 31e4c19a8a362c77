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
