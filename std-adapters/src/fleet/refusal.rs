//! Why something received was not used.

use std::fmt;

use tapes_core::wire::FrameError;

/// Why a frame, or a part of a byte stream, was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The frame cannot be read.
    Frame(FrameError),
    /// An entry of a DATA frame cannot be read; the entries before it were used.
    Entry,
    /// A frame of a stream ended in the middle of a block: bytes were lost.
    Cobs,
    /// A frame of a stream is longer than any frame may be.
    Oversize,
    /// There are as many devices as the fleet may have.
    OriginsFull,
    /// Too many other devices speak on this link.
    LinkOrigins,
    /// The device has as many epochs as may be kept, and all of them are in use.
    EpochsFull,
    /// The epoch was folded; its frames come too late.
    EpochFolded,
    /// Another link speaks for the epoch.
    OtherLink,
    /// Too many epochs of the device began within a minute; the frame is kept aside.
    EpochHeld,
    /// The sequence number jumped; the frame is kept until another one agrees.
    Jump,
    /// HELLO of another short epoch is awaited, and what this one's frames held had to go.
    Unbound,
    /// The link is closed.
    Closed,
    /// There are as many connections as there may be.
    Connections,
    /// A connection was not encrypted as agreed, or its client showed no certificate that counts.
    Handshake,
    /// A message has not the parts that it should have.
    Parts,
    /// A frame on a shared carrier does not say whose it is.
    Unaddressed,
    /// The sender may not speak for this device.
    Forbidden,
    /// Records of another receiver cannot be read, or are not of their metric's kind.
    Records,
    /// There is no room for some records of another receiver.
    RecordsFull,
}

impl Refusal {
    /// Returns a short name that never changes, fit for a label value.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Frame(error) => error.reason(),
            Self::Entry => "entry",
            Self::Cobs => "cobs",
            Self::Oversize => "oversize",
            Self::OriginsFull => "origins_full",
            Self::LinkOrigins => "link_origins",
            Self::EpochsFull => "epochs_full",
            Self::EpochFolded => "epoch_folded",
            Self::OtherLink => "other_link",
            Self::EpochHeld => "epoch_held",
            Self::Jump => "seq_jump",
            Self::Unbound => "unbound",
            Self::Closed => "closed",
            Self::Connections => "connections",
            Self::Handshake => "handshake",
            Self::Parts => "parts",
            Self::Unaddressed => "unaddressed",
            Self::Forbidden => "forbidden",
            Self::Records => "records",
            Self::RecordsFull => "records_full",
        }
    }
}

/// Everything that can be refused.
const ALL: [Refusal; 26] = [
    Refusal::Frame(FrameError::Truncated),
    Refusal::Frame(FrameError::TooLong),
    Refusal::Frame(FrameError::Crc),
    Refusal::Frame(FrameError::Version),
    Refusal::Frame(FrameError::Critical),
    Refusal::Frame(FrameError::Auth),
    Refusal::Frame(FrameError::Malformed),
    Refusal::Entry,
    Refusal::Cobs,
    Refusal::Oversize,
    Refusal::OriginsFull,
    Refusal::LinkOrigins,
    Refusal::EpochsFull,
    Refusal::EpochFolded,
    Refusal::OtherLink,
    Refusal::EpochHeld,
    Refusal::Jump,
    Refusal::Unbound,
    Refusal::Closed,
    Refusal::Connections,
    Refusal::Handshake,
    Refusal::Parts,
    Refusal::Unaddressed,
    Refusal::Forbidden,
    Refusal::Records,
    Refusal::RecordsFull,
];

/// Returns a reason that was saved, if it is still one.
pub(super) fn known_reason(reason: &str) -> Option<&'static str> {
    ALL.iter().map(|refusal| refusal.reason()).find(|known| *known == reason)
}

impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => error.fmt(f),
            Self::Entry => f.write_str("unreadable value"),
            Self::Cobs => f.write_str("bytes lost within a frame"),
            Self::Oversize => f.write_str("longer than a frame may be"),
            Self::OriginsFull => f.write_str("too many devices"),
            Self::LinkOrigins => f.write_str("too many devices on this link"),
            Self::EpochsFull => f.write_str("too many epochs of this device"),
            Self::EpochFolded => f.write_str("too late: the epoch is closed for good"),
            Self::OtherLink => f.write_str("another link speaks for this epoch"),
            Self::EpochHeld => f.write_str("too many restarts within a minute"),
            Self::Jump => f.write_str("sequence number jumped"),
            Self::Unbound => f.write_str("too many senders without HELLO"),
            Self::Closed => f.write_str("link is closed"),
            Self::Connections => f.write_str("too many connections"),
            Self::Handshake => f.write_str("no handshake, or no certificate that counts"),
            Self::Parts => f.write_str("wrong number of message parts"),
            Self::Unaddressed => f.write_str("frame without a full address"),
            Self::Forbidden => f.write_str("sender may not speak for this device"),
            Self::Records => f.write_str("unreadable records"),
            Self::RecordsFull => f.write_str("no room for some records"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::ALL;

    /// Who sees a reason on a dashboard looks for it there.
    #[test]
    fn every_reason_is_documented() {
        let text = include_str!("../../docs/fleet.md");
        let (_, reasons) = text.split_once("Reasons of `tapes_frames_rejected_total`").unwrap();
        let (reasons, _) = reasons.split_once("\n\n").unwrap();
        let is_there = |reason| {
            reasons.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == reason)
        };
        let missing: Vec<_> = ALL.iter().map(|r| r.reason()).filter(|r| !is_there(*r)).collect();
        assert_eq!(missing, [""; 0]);
    }
}
