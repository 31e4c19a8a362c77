//! Requests: what a receiver asks for on the way back of a byte stream.

/// One byte with which a receiver asks a sender for what it lacks.
///
/// The way back is optional and off unless both sides want it; `core/docs/wire-format.md`,
/// section 3.1, has the rules.
///
/// ```
/// use tapes_core::wire::Request;
///
/// assert_eq!(Request::Dictionary.byte(), b'D');
/// assert_eq!(Request::from_byte(b'K'), Some(Request::Keyframe));
/// assert_eq!(Request::from_byte(b'\n'), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Request {
    /// HELLO and all entries, with the next report.
    Dictionary,
    /// All values, with the next report.
    Keyframe,
}

impl Request {
    /// Returns the request that a byte is, `None` for one that a sender ignores.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'D' => Some(Self::Dictionary),
            b'K' => Some(Self::Keyframe),
            _ => None,
        }
    }

    /// Returns the byte.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Dictionary => b'D',
            Self::Keyframe => b'K',
        }
    }
}
