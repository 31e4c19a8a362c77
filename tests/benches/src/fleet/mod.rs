//! The fleet of a gateway.

pub(crate) mod aggregate;
pub(crate) mod board;
pub(crate) mod disk;
mod etsy;
pub(crate) mod ingest;
pub(crate) mod memory;
pub(crate) mod merge;
pub(crate) mod restart;

use std::time::Duration;

use tapes_std::fleet::{Fleet, Limits, LinkId, LinkKind, NodeId};

/// Returns a fleet with room for everything, and its input.
pub(crate) fn fleet() -> (Fleet, LinkId) {
    let mut limits = Limits::default();
    limits.origins = 100_000;
    limits.bytes = usize::MAX;
    let mut fleet = Fleet::new(NodeId([1; 16]), limits);
    let link = fleet.open_link("bench", LinkKind::Capture).expect("it is the only one");
    (fleet, link)
}

/// A moment long after boards started.
pub(crate) const NOW: Duration = Duration::from_secs(100_000);
