//! The header that every frame begins with.

use super::frame::FrameError;
use super::identity::{Epoch, read_origin, write_origin};
use crate::metric::bytes::{Reader, Writer};

/// The version in the high nibble of a frame's first byte.
pub const VERSION: u8 = 1;

/// Most metrics of one epoch; bounds what a receiver keeps for one sender.
pub const METRICS_MAX: u32 = 1 << 20;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FrameType {
    /// Who speaks.
    Hello,
    /// Descriptions of metrics.
    Dict,
    /// Values of metrics.
    Data,
    /// What the sender lost.
    Event,
    /// A type of a later version, 4 to 15; not an error.
    Unknown(u8),
}

impl FrameType {
    /// Returns the type of a low nibble.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code & 0x0f {
            0 => Self::Hello,
            1 => Self::Dict,
            2 => Self::Data,
            3 => Self::Event,
            other => Self::Unknown(other),
        }
    }

    /// Returns the low nibble.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Hello => 0,
            Self::Dict => 1,
            Self::Data => 2,
            Self::Event => 3,
            Self::Unknown(code) => code & 0x0f,
        }
    }
}

/// The flags byte: bits 0 to 3 are critical, bits 4 to 7 may be ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Flags(u8);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// The header carries origin and full epoch, for links that several senders share.
    pub const ADDRESSED: Self = Self(1 << 0);
    /// Eight bytes of a keyed MAC come before the CRC. Reserved.
    pub const AUTH: Self = Self(1 << 1);
    /// This DATA frame is of a snapshot that has every metric, changed or not.
    pub const KEYFRAME: Self = Self(1 << 4);
    /// This is the last DATA frame of a snapshot.
    pub const LAST: Self = Self(1 << 5);

    /// Bits a receiver must understand to read the frame, and does not.
    const UNKNOWN_CRITICAL: u8 = 0x0f & !(Self::ADDRESSED.0 | Self::AUTH.0);

    /// Returns the flags of a byte.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Returns the byte.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns whether all of `flags` are set.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Returns these flags and `flags`.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

/// Whose frame this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Address<'a> {
    /// The nonce of the epoch, on a link with one sender; HELLO tells the rest.
    Short(u32),
    /// Origin and epoch, on links that several senders share.
    Full {
        /// 1 to 16 bytes.
        origin: &'a [u8],
        /// The whole epoch.
        epoch: Epoch,
    },
}

/// The dictionary as the sender had it when it made the frame: its first `len` entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Dictionary {
    /// Number of entries; ids run from 0 to this.
    pub len: u32,
    /// CRC-32C of those entries with their length prefixes, end to end.
    pub hash: u32,
}

/// The header of a frame.
///
/// ```
/// use tapes_core::wire::{
///     Address, Body, Dictionary, Epoch, Event, Flags, Frame, FrameType, Header, Hello, ResetReason,
///     event_frame, hello_frame,
/// };
///
/// let epoch = Epoch::new(3, 0x5eed);
/// let header = Header { seq: 9, uptime: 250, ..Header::full(b"board-1", epoch) };
/// let hello = Hello {
///     origin: b"board-1",
///     epoch,
///     build_id: 1,
///     reset_reason: ResetReason::Watchdog,
///     boot_count: 3,
///     tick_hz: 1_000,
///     metrics: 12,
///     max_frame: 256,
/// };
/// let mut buffer = [0; 128];
/// let frame = Frame::parse(hello_frame(&mut buffer, &header, &hello).unwrap())?;
/// assert_eq!((frame.header.frame_type, frame.header.seq), (FrameType::Hello, 9));
/// assert_eq!(frame.header.address, Address::Full { origin: b"board-1", epoch });
/// assert_eq!(frame.header.dictionary, Dictionary { len: 0, hash: 0 });
/// assert_eq!(frame.header.flags.bits(), Flags::ADDRESSED.bits());
/// let Body::Hello(read) = frame.body()? else { unreachable!() };
/// assert_eq!(ResetReason::from_code(read.reset_reason.code()).name(), "watchdog");
///
/// let lost = Event { registry_full: 0, frames_dropped: 2, epoch_collisions: 0 };
/// let frame = Frame::parse(event_frame(&mut buffer, &Header::short(7), &lost).unwrap())?;
/// assert_eq!(FrameType::from_code(frame.header.frame_type.code()), FrameType::Event);
/// assert!(!Flags::from_bits(0).contains(Flags::LAST) && !frame.body_bytes().is_empty());
/// # Ok::<(), tapes_core::wire::FrameError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header<'a> {
    /// What the body is.
    pub frame_type: FrameType,
    /// The flags; [`Flags::ADDRESSED`] agrees with `address`.
    pub flags: Flags,
    /// Whose frame it is.
    pub address: Address<'a>,
    /// The dictionary that the ids belong to.
    pub dictionary: Dictionary,
    /// Position among the sender's frames of this epoch; grows, with gaps.
    pub seq: u64,
    /// Time since the epoch began, in ticks of [`Hello::tick_hz`](super::Hello::tick_hz).
    pub uptime: u64,
}

impl<'a> Header<'a> {
    /// Returns a header for a link with one sender: of no dictionary, seq 0 and uptime 0.
    #[must_use]
    pub const fn short(nonce: u32) -> Self {
        Self::new(Address::Short(nonce))
    }

    /// Returns a header for links that several senders share, else as [`short`](Self::short).
    #[must_use]
    pub const fn full(origin: &'a [u8], epoch: Epoch) -> Self {
        Self::new(Address::Full { origin, epoch })
    }

    const fn new(address: Address<'a>) -> Self {
        Self {
            frame_type: FrameType::Data,
            flags: Flags::NONE,
            address,
            dictionary: Dictionary { len: 0, hash: 0 },
            seq: 0,
            uptime: 0,
        }
    }

    pub(super) fn read(input: &mut Reader<'a>) -> Result<Self, FrameError> {
        let version_type = input.u8().ok_or(FrameError::Truncated)?;
        if version_type >> 4 != VERSION {
            return Err(FrameError::Version);
        }
        let flags = Flags(input.u8().ok_or(FrameError::Truncated)?);
        if flags.contains(Flags::AUTH) {
            return Err(FrameError::Auth);
        }
        if flags.0 & Flags::UNKNOWN_CRITICAL != 0 {
            return Err(FrameError::Critical);
        }
        Self::read_fields(version_type, flags, input).ok_or(FrameError::Malformed)
    }

    fn read_fields(version_type: u8, flags: Flags, input: &mut Reader<'a>) -> Option<Self> {
        let address = if flags.contains(Flags::ADDRESSED) {
            let origin = read_origin(input)?;
            let epoch = Epoch::from_u64(u64::from_le_bytes(input.array()?));
            Address::Full { origin, epoch }
        } else {
            Address::Short(u32::from_le_bytes(input.array()?))
        };
        let len = input.uvarint32().filter(|len| *len <= METRICS_MAX)?;
        let hash = u32::from_le_bytes(input.array()?);
        Some(Self {
            frame_type: FrameType::from_code(version_type),
            flags,
            address,
            dictionary: Dictionary { len, hash },
            seq: input.uvarint()?,
            uptime: input.uvarint()?,
        })
    }

    /// Appends the header; the ADDRESSED flag follows `address`.
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        match self.address {
            Address::Short(nonce) => write_short(self.frame_type, self.flags, nonce, out),
            Address::Full { origin, epoch } => {
                write_full(self.frame_type, self.flags, origin, epoch, out);
            }
        }
        write_position(self.dictionary, self.seq, self.uptime, out);
    }
}

/// Appends what comes before the dictionary, with the nonce of the epoch.
pub(super) fn write_short(frame_type: FrameType, flags: Flags, nonce: u32, out: &mut Writer<'_>) {
    out.u8((VERSION << 4) | frame_type.code());
    out.u8(flags.0 & !Flags::ADDRESSED.0);
    out.u32le(nonce);
}

/// Appends what comes before the dictionary, with origin and epoch.
pub(super) fn write_full(
    frame_type: FrameType,
    flags: Flags,
    origin: &[u8],
    epoch: Epoch,
    out: &mut Writer<'_>,
) {
    out.u8((VERSION << 4) | frame_type.code());
    out.u8(flags.0 | Flags::ADDRESSED.0);
    write_origin(origin, out);
    out.u64le(epoch.to_u64());
}

/// Appends the rest of the header.
pub(super) fn write_position(dictionary: Dictionary, seq: u64, uptime: u64, out: &mut Writer<'_>) {
    out.uvarint32(dictionary.len);
    out.u32le(dictionary.hash);
    out.uvarint(seq);
    out.uvarint(uptime);
}
