//! Frames: checked, then read.

use core::fmt;

use super::crc::crc32c;
use super::data::DataBody;
use super::dict::DictBody;
use super::event::Event;
use super::header::{Address, FrameType, Header};
use super::hello::Hello;
use crate::metric::bytes::Reader;

/// Longest frame, in bytes, before COBS: one histogram of 1024 buckets with the largest counts
/// fits with room to spare.
pub const FRAME_LEN_MAX: usize = 16_384;

/// Bytes of the checksum behind the body.
pub(crate) const CRC_LEN: usize = 4;

/// Why a frame was refused.
///
/// ```
/// use tapes_core::wire::{Frame, FrameError};
///
/// assert_eq!(Frame::parse(&[1, 2, 3, 4, 5]).unwrap_err(), FrameError::Crc);
/// assert_eq!(FrameError::Crc.reason(), "crc");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FrameError {
    /// Shorter than a header and a checksum.
    Truncated,
    /// Longer than [`FRAME_LEN_MAX`].
    TooLong,
    /// The checksum does not match: damaged on its way, or not a frame.
    Crc,
    /// Of another version: update the receiver.
    Version,
    /// A flag is set that must be understood and is not: update the receiver.
    Critical,
    /// Carries a message authentication code, and this receiver has no key.
    Auth,
    /// The checksum is right and the content is not: the sender is faulty or hostile.
    Malformed,
}

impl FrameError {
    /// Returns a short name that never changes, fit for a label value.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::TooLong => "too_long",
            Self::Crc => "crc",
            Self::Version => "version",
            Self::Critical => "critical",
            Self::Auth => "auth",
            Self::Malformed => "malformed",
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "shorter than any frame",
            Self::TooLong => "longer than a frame may be",
            Self::Crc => "wrong checksum",
            Self::Version => "unknown version",
            Self::Critical => "unknown critical flag",
            Self::Auth => "authenticated, and there is no key",
            Self::Malformed => "malformed content",
        })
    }
}

impl core::error::Error for FrameError {}

/// A frame whose checksum, version and header are right.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The header.
    pub header: Header<'a>,
    body: &'a [u8],
}

/// What a frame carries.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Body<'a> {
    /// Who speaks.
    Hello(Hello<'a>),
    /// Descriptions of metrics.
    Dict(DictBody<'a>),
    /// Values of metrics.
    Data(DataBody<'a>),
    /// What the sender lost.
    Event(Event),
    /// A frame of a later version, with its type code; ignore it.
    Unknown(u8),
}

impl<'a> Frame<'a> {
    /// Reads a bare frame: no COBS, no delimiters.
    ///
    /// Costs one pass over the bytes for the checksum. The body is read by [`body`](Self::body).
    ///
    /// # Errors
    ///
    /// Checked in this order: [`FrameError::TooLong`], [`FrameError::Truncated`],
    /// [`FrameError::Crc`], [`FrameError::Version`], [`FrameError::Auth`],
    /// [`FrameError::Critical`], [`FrameError::Malformed`] for the header.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        if bytes.len() > FRAME_LEN_MAX {
            return Err(FrameError::TooLong);
        }
        let Some((covered, crc)) = bytes.split_last_chunk::<CRC_LEN>() else {
            return Err(FrameError::Truncated);
        };
        if covered.is_empty() {
            return Err(FrameError::Truncated);
        }
        if crc32c(covered) != u32::from_le_bytes(*crc) {
            return Err(FrameError::Crc);
        }
        let mut input = Reader::new(covered);
        let header = Header::read(&mut input)?;
        Ok(Self { header, body: input.rest() })
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`FrameError::Malformed`] if a HELLO or EVENT lacks a field, a HELLO contradicts the header,
    /// or the entries of a DICT do not fill it exactly. The entries of DATA are checked as they
    /// are iterated.
    pub fn body(&self) -> Result<Body<'a>, FrameError> {
        let body = match self.header.frame_type {
            FrameType::Hello => {
                Hello::read(self.body).filter(|hello| self.agrees(hello)).map(Body::Hello)
            }
            FrameType::Dict => DictBody::read(self.body).map(Body::Dict),
            FrameType::Data => Some(Body::Data(DataBody::new(self.body))),
            FrameType::Event => Event::read(self.body).map(Body::Event),
            FrameType::Unknown(code) => Some(Body::Unknown(code)),
        };
        body.ok_or(FrameError::Malformed)
    }

    /// Returns the bytes of the body, for storing or passing on.
    #[must_use]
    pub const fn body_bytes(&self) -> &'a [u8] {
        self.body
    }

    /// A HELLO that speaks for another epoch than its header would bind values to a stranger.
    fn agrees(&self, hello: &Hello<'_>) -> bool {
        match self.header.address {
            Address::Short(nonce) => hello.epoch.nonce == nonce,
            Address::Full { origin, epoch } => hello.origin == origin && hello.epoch == epoch,
        }
    }
}
