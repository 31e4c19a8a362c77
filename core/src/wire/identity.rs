//! Who speaks, and since when: origins and epochs.

use core::fmt;

use super::hello::ResetReason;
use crate::metric::bytes::{Reader, Writer};

/// Longest origin, in bytes: a UUID, or the whole unique id of any common microcontroller.
pub const ORIGIN_LEN_MAX: usize = 16;

/// The identity of a device or host: 1 to [`ORIGIN_LEN_MAX`] bytes that nobody else has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
// Copied as words where bytes would take a routine.
#[repr(align(4))]
pub struct Origin {
    /// The bytes; zero behind `len`, so that derived comparisons hold.
    bytes: [u8; ORIGIN_LEN_MAX],
    /// 1 to [`ORIGIN_LEN_MAX`].
    len: u8,
}

/// An origin that is empty or longer than [`ORIGIN_LEN_MAX`] bytes.
///
/// ```
/// use tapes_core::wire::{Origin, OriginLenError};
///
/// let error: OriginLenError = Origin::new(&[7; 17]).unwrap_err();
/// assert!(!error.to_string().is_empty());
/// assert_eq!(Origin::new(&[7]).map(|origin| origin.to_string()), Ok("07".to_owned()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct OriginLenError;

impl fmt::Display for OriginLenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an origin has 1 to 16 bytes")
    }
}

impl core::error::Error for OriginLenError {}

impl Origin {
    /// Returns an origin of exactly `N` bytes; a wrong length does not compile.
    ///
    /// ```
    /// use tapes_core::wire::Origin;
    ///
    /// const FLASH_ID: Origin = Origin::from_array([0xe6, 0x61, 0x41, 0x03, 0xe7, 0x45, 0x7a, 0x2c]);
    /// assert_eq!(FLASH_ID.as_bytes().len(), 8);
    /// ```
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "asserted to be at most 16")]
    pub const fn from_array<const N: usize>(id: [u8; N]) -> Self {
        const { assert!(N >= 1 && N <= ORIGIN_LEN_MAX, "an origin has 1 to 16 bytes") };
        let mut bytes = [0; ORIGIN_LEN_MAX];
        let mut i = 0;
        while i < N && i < ORIGIN_LEN_MAX {
            bytes[i] = id[i];
            i += 1;
        }
        Self { bytes, len: N as u8 }
    }

    /// Returns an origin of these bytes.
    ///
    /// # Errors
    ///
    /// [`OriginLenError`] if there are none or more than [`ORIGIN_LEN_MAX`]: hash a longer id.
    pub fn new(id: &[u8]) -> Result<Self, OriginLenError> {
        let mut bytes = [0; ORIGIN_LEN_MAX];
        let len = match u8::try_from(id.len()) {
            Ok(len) if len >= 1 && usize::from(len) <= ORIGIN_LEN_MAX => len,
            _ => return Err(OriginLenError),
        };
        for (to, from) in bytes.iter_mut().zip(id) {
            *to = *from;
        }
        Ok(Self { bytes, len })
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&self.bytes)
    }
}

/// In hexadecimal digits, as people read it off a label.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// The lifetime of an origin's values: from zero until they are zeroed again.
///
/// Ordered by `order`, then by `nonce`; of two epochs of unknown order (0) the larger is not the
/// newer one.
///
/// ```
/// use tapes_core::wire::Epoch;
///
/// let epoch = Epoch::new(3, 0x5eed);
/// assert_eq!(epoch.to_u64(), 0x3_0000_5eed);
/// assert_eq!(Epoch::from_u64(epoch.to_u64()), epoch);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Epoch {
    /// Position among the epochs of the origin, such as a boot count in non-volatile memory; 0 if
    /// unknown.
    pub order: u32,
    /// Random bits that no other epoch of the origin has, not 0; also the short epoch of
    /// point-to-point links.
    pub nonce: u32,
}

impl Epoch {
    /// Returns an epoch.
    #[must_use]
    pub const fn new(order: u32, nonce: u32) -> Self {
        Self { order, nonce }
    }

    /// Returns `order << 32 | nonce`.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        ((self.order as u64) << 32) | self.nonce as u64
    }

    /// Returns the epoch with this [`to_u64`](Self::to_u64).
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "takes the two halves apart")]
    pub const fn from_u64(bits: u64) -> Self {
        Self { order: (bits >> 32) as u32, nonce: bits as u32 }
    }
}

/// Everything that a sender says about itself.
///
/// ```
/// use tapes_core::wire::{Epoch, Identity, Origin, ResetReason};
///
/// let identity = Identity {
///     build_id: 0x5eed,
///     reset_reason: ResetReason::PowerOn,
///     ..Identity::new(Origin::from_array(*b"board-1"), Epoch::new(0, 0x1234_5678), 1_000_000)
/// };
/// assert_eq!(identity.tick_hz, 1_000_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Identity {
    /// Who speaks.
    pub origin: Origin,
    /// The lifetime of the values: a new one whenever they were zeroed, the old one if they were
    /// kept.
    pub epoch: Epoch,
    /// Identity of the firmware or program; 0 if unknown.
    pub build_id: u64,
    /// Why the device started.
    pub reset_reason: ResetReason,
    /// Number of starts so far; 0 if unknown.
    pub boot_count: u32,
    /// Ticks a second of the uptime that reports are given; 0 is sent as 1.
    pub tick_hz: u32,
}

impl Identity {
    /// Before there is one; all bytes are zero.
    pub(super) const UNKNOWN: Self = Self {
        origin: Origin { bytes: [0; ORIGIN_LEN_MAX], len: 0 },
        epoch: Epoch::new(0, 0),
        build_id: 0,
        reset_reason: ResetReason::Unknown,
        boot_count: 0,
        tick_hz: 0,
    };

    /// Returns an identity with nothing known but these.
    #[must_use]
    pub const fn new(origin: Origin, epoch: Epoch, tick_hz: u32) -> Self {
        let reset_reason = ResetReason::Unknown;
        Self { origin, epoch, build_id: 0, reset_reason, boot_count: 0, tick_hz }
    }
}

/// Reads an origin with its length.
pub(super) fn read_origin<'a>(input: &mut Reader<'a>) -> Option<&'a [u8]> {
    input.bytes().filter(|origin| !origin.is_empty() && origin.len() <= ORIGIN_LEN_MAX)
}

/// Appends an origin with its length.
pub(super) fn write_origin(origin: &[u8], out: &mut Writer<'_>) {
    out.bytes(origin);
}

#[cfg(test)]
mod tests {
    use super::{Epoch, Origin};
    use std::string::ToString;

    /// If this fails, an id at the edge of the limit is refused or cut.
    #[test]
    fn every_length() {
        assert!(Origin::new(&[]).is_err());
        for len in 1..=16 {
            let id = [7; 16];
            assert_eq!(Origin::new(&id[..len]).unwrap().as_bytes(), &id[..len], "{len} bytes");
        }
        assert!(Origin::new(&[0; 17]).is_err());
        assert!(Origin::new(&[0; 257]).is_err());
        assert_eq!(Origin::from_array([1, 0xab]).to_string(), "01ab");
    }

    /// If this fails, a stored epoch is another one after it was read back.
    #[test]
    fn epoch_halves() {
        let epoch = Epoch::new(0x0102_0304, 0xfffe_fdfc);
        assert_eq!(epoch.to_u64(), 0x0102_0304_fffe_fdfc);
        assert_eq!(Epoch::from_u64(epoch.to_u64()), epoch);
    }
}
