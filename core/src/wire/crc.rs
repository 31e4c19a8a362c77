//! CRC-32C (Castagnoli, CRC-32/ISCSI): the checksum of frames and dictionaries.

use crc::{CRC_32_ISCSI, Crc, Table};

/// One table of 1 KiB in flash, evaluated at compile time.
static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

/// A CRC-32C that can be put down and taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crc32c(u32);

impl Crc32c {
    /// Of no bytes.
    pub(crate) const EMPTY: Self = Self(0);

    /// Takes in more bytes.
    #[must_use]
    pub(crate) const fn update(self, bytes: &[u8]) -> Self {
        // The crate takes an initial value as the polynomial literature writes it: before the
        // final inversion, most significant bit first.
        let mut digest = CRC.digest_with_initial((!self.0).reverse_bits());
        digest.update(bytes);
        Self(digest.finalize())
    }

    /// Returns the checksum of everything so far.
    pub(crate) const fn value(self) -> u32 {
        self.0
    }
}

/// Returns the CRC-32C of `bytes`.
pub(crate) const fn crc32c(bytes: &[u8]) -> u32 {
    Crc32c::EMPTY.update(bytes).value()
}

#[cfg(test)]
mod tests {
    use super::{Crc32c, crc32c};

    /// If this fails, no frame of ours is accepted by a foreign decoder.
    #[test]
    fn check_value_of_the_catalogue() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(b""), 0);
    }

    /// If this fails, a dictionary that grew has another hash than one that was registered at once.
    #[test]
    fn taken_up_again_at_every_place() {
        let text = b"123456789";
        for (i, _) in text.iter().enumerate() {
            let (head, tail) = text.split_at(i);
            assert_eq!(
                Crc32c::EMPTY.update(head).update(tail).value(),
                0xE306_9283,
                "split at {i}"
            );
        }
    }
}
