//! HELLO: who speaks.

use serde::Deserialize;

use super::header::METRICS_MAX;
use super::identity::{Epoch, ORIGIN_LEN_MAX};
use crate::metric::bytes::Writer;

/// Why a device started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ResetReason {
    /// Not known, or not a device.
    #[default]
    Unknown,
    /// Power came on.
    PowerOn,
    /// The reset pin.
    Pin,
    /// The supply dipped.
    BrownOut,
    /// A watchdog ran out.
    Watchdog,
    /// The firmware asked for it.
    Software,
    /// A fault or panic.
    Fault,
    /// A debugger.
    Debugger,
    /// Wake-up from a sleep that lost the RAM.
    WakeUp,
    /// A code of a later version.
    Other(u8),
}

impl ResetReason {
    /// Returns the code on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::PowerOn => 1,
            Self::Pin => 2,
            Self::BrownOut => 3,
            Self::Watchdog => 4,
            Self::Software => 5,
            Self::Fault => 6,
            Self::Debugger => 7,
            Self::WakeUp => 8,
            Self::Other(code) => code,
        }
    }

    /// Returns the reason with this code.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Unknown,
            1 => Self::PowerOn,
            2 => Self::Pin,
            3 => Self::BrownOut,
            4 => Self::Watchdog,
            5 => Self::Software,
            6 => Self::Fault,
            7 => Self::Debugger,
            8 => Self::WakeUp,
            other => Self::Other(other),
        }
    }

    /// Returns a lower-case name, fit for a label value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::PowerOn => "power_on",
            Self::Pin => "pin",
            Self::BrownOut => "brown_out",
            Self::Watchdog => "watchdog",
            Self::Software => "software",
            Self::Fault => "fault",
            Self::Debugger => "debugger",
            Self::WakeUp => "wake_up",
            Self::Other(_) => "other",
        }
    }
}

/// The body of a HELLO frame: binds the short epoch of a link to an origin and a full epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Hello<'a> {
    /// 1 to 16 bytes that nobody else has.
    pub origin: &'a [u8],
    /// The lifetime of the values.
    pub epoch: Epoch,
    /// Identity of the firmware or program; 0 if unknown.
    pub build_id: u64,
    /// Why the device started.
    pub reset_reason: ResetReason,
    /// Number of starts so far; 0 if unknown.
    pub boot_count: u32,
    /// Ticks of the header's uptime in a second; at least 1.
    pub tick_hz: u32,
    /// Number of metrics when the frame was made.
    pub metrics: u32,
    /// Longest frame that the sender makes, before COBS, in bytes.
    pub max_frame: u32,
}

impl<'a> Hello<'a> {
    /// Reads the body; bytes behind the known fields are of a later version and ignored.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let (fields, _) = postcard::take_from_bytes::<Fields<'a>>(body).ok()?;
        let origin = !fields.origin.is_empty() && fields.origin.len() <= ORIGIN_LEN_MAX;
        if !origin || fields.tick_hz == 0 || fields.metrics > METRICS_MAX {
            return None;
        }
        Some(Self {
            origin: fields.origin,
            epoch: Epoch::from_u64(fields.epoch),
            build_id: fields.build_id,
            reset_reason: ResetReason::from_code(fields.reset_reason),
            boot_count: fields.boot_count,
            tick_hz: fields.tick_hz,
            metrics: fields.metrics,
            max_frame: fields.max_frame,
        })
    }

    /// Appends the body.
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.bytes(self.origin);
        out.uvarint(self.epoch.to_u64());
        out.uvarint(self.build_id);
        out.u8(self.reset_reason.code());
        out.uvarint32(self.boot_count);
        out.uvarint32(self.tick_hz);
        out.uvarint32(self.metrics);
        out.uvarint32(self.max_frame);
    }
}

/// The body as postcard decodes it.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    origin: &'a [u8],
    epoch: u64,
    build_id: u64,
    reset_reason: u8,
    boot_count: u32,
    tick_hz: u32,
    metrics: u32,
    max_frame: u32,
}
