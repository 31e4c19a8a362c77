//! What the state file says, one line after the other.

use serde::{Deserialize, Serialize};
use tapes_core::metric::Buckets;

/// One statement. The order of the variants is the format: new ones come last.
///
/// `Origin` and `Epoch` say what the lines after them are about, until the end of the batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Line<'d> {
    /// When the batch was made, in milliseconds since 1970.
    Wall(u64),
    /// The next lines are about this origin.
    Origin(&'d [u8]),
    /// The next lines are about this epoch of it.
    Epoch { order: u32, nonce: u32, part: u16 },
    /// The epoch began.
    Open,
    /// What HELLO said.
    Facts { build_id: u64, reset_reason: u8, boot_count: u32, tick_hz: u32 },
    /// What EVENT said.
    Losses { seq: u64, registry_full: u32, frames_dropped: u32, epoch_collisions: u32 },
    /// Length and hash of the dictionary.
    Announce { len: u32, hash: u32 },
    /// The body of a dictionary entry, numbered from 0 in each batch.
    Body(&'d [u8]),
    /// An id has the meaning of a body of this batch.
    Describe { id: u32, body: u32 },
    /// The same, taken over from another epoch.
    Assumed { id: u32, body: u32 },
    /// The announced dictionary is that of another epoch.
    Assume,
    /// Whether the values began at zero while this state existed.
    Began(bool),
    /// First values, as rows.
    Bases(&'d [u8]),
    /// Values, as rows.
    Values(&'d [u8]),
    /// A value that waits for its entry, as a row, and how often each of its words fell.
    Waiting { row: &'d [u8], falls: Vec<(u32, u32)> },
    /// The epoch went into the sums.
    Fold,
    /// The origin is two devices.
    Twins,
    /// The origin had this many epochs.
    Opened(u64),
    /// The epoch went into the sums before.
    Tombstone,
    /// All epochs up to this order went into the sums.
    OrderMax(u32),
    /// Values that could not be added.
    Misfits(u64),
    /// A sum of old epochs.
    Total(Sum<'d>),
    /// What of a sum was counted while this state existed.
    Observed(Sum<'d>),
    /// When the epoch was heard, and where its frames stood.
    Heard { seq: u64, uptime: u64, silence_ms: u64, interval_ms: Option<u64> },
    /// Counts of the origin's frames, in the order of the code.
    Device(Vec<u64>),
    /// Counts of an input.
    Link { name: &'d str, frames: u64, bytes: u64, rejected: Vec<(&'d str, u64)> },
    /// When counting of the origin began, in milliseconds since 1970.
    Started(u64),
}

/// A sum of old epochs of one series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sum<'d> {
    /// The body of the entry that describes the series, of this batch.
    pub(super) body: u32,
    /// Position in the entry's family.
    pub(super) cell: u32,
    /// Raw steps in one base unit.
    pub(super) per: u32,
    /// Scale, first index and number of buckets.
    pub(super) geometry: Option<(u8, i32, u32)>,
    /// The value, its shape before it.
    pub(super) value: &'d [u8],
}

/// Returns a geometry as it is stored.
pub(super) fn stored_geometry(buckets: Buckets) -> (u8, i32, u32) {
    (buckets.scale, buckets.first, buckets.len)
}

/// Undoes [`stored_geometry`].
pub(super) const fn geometry((scale, first, len): (u8, i32, u32)) -> Buckets {
    Buckets { scale, first, len }
}
