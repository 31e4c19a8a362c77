//! The fleet: the state of everything received, and the rules that keep it true.
//!
//! Frames go in with [`Fleet::ingest`], numbers come out with [`Fleet::snapshot`]. In between
//! stands one rule: never above the truth. What is lost delays, what is repeated or reordered
//! changes nothing, restarts add up, and what cannot be trusted is counted instead of used.
//! `docs/fleet.md` describes the rules, the limits and the names under which all this is exported.
//!
//! ```
//! use std::time::Duration;
//! use tapes_std::fleet::{Fleet, Limits, LinkKind, NodeId};
//!
//! let mut fleet = Fleet::new(NodeId::default(), Limits::default());
//! let link = fleet.open_link("stdin", LinkKind::Capture).expect("the first link fits");
//! let refused = fleet.ingest(link, b"not a frame", Duration::ZERO);
//! assert_eq!(refused.unwrap_err().reason(), "crc");
//! ```
//!
//! # Limits
//!
//! Every collection is bounded by [`Limits`]. A fleet is one value behind one lock; several threads
//! use a [`SharedFleet`]. A [`store`] keeps the state on disk; without one it ends with the process.

mod absorb;
mod admit;
mod bases;
pub mod catalog;
pub mod device;
pub mod dictionary;
pub mod entry;
pub mod epoch;
mod expose;
pub mod fold;
pub mod identity;
mod ingest;
mod intake;
mod journal;
pub mod limits;
mod lineup;
pub mod link;
pub mod merged;
#[cfg(feature = "zmq")]
mod news;
mod outputs;
pub mod own;
mod persist;
pub mod record;
mod records;
mod refusal;
pub mod rollup;
pub mod rules;
mod saver;
#[cfg(test)]
mod scenarios;
pub mod series;
mod session;
mod shared;
pub mod snapshot;
mod sorted;
pub mod spread;
pub mod state;
pub mod store;
#[cfg(feature = "zmq")]
mod sum;
mod tap;
#[cfg(test)]
pub(crate) mod testing;
pub mod tracker;
#[cfg(feature = "zmq")]
pub(crate) mod transfer;
pub mod value;
pub mod widen;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tapes_core::wire::Origin;

pub use self::device::DeviceCounts;
pub use self::identity::{EpochKey, NodeId};
pub use self::limits::Limits;
pub use self::link::{LinkCounts, LinkId, LinkKind};
pub use self::outputs::OutputCounts;
pub use self::refusal::Refusal;
pub use self::saver::{SaveEvent, Saver};
pub use self::shared::{FrameReader, SharedFleet};
pub use self::snapshot::Snapshot;
pub use self::state::State;

use self::catalog::Catalog;
use self::device::Device;
use self::dictionary::Entries;
use self::link::Links;
use crate::recent::Budget;

/// The state of everything received.
#[derive(Debug)]
pub struct Fleet {
    limits: Limits,
    node: NodeId,
    state: State,
    /// What is known of each device only while this process runs.
    devices: BTreeMap<Origin, Device>,
    links: Links,
    entries: Entries,
    /// The catalog, and the meaning of ids that it was built for.
    catalog: Mutex<Option<(u64, Arc<Catalog>)>>,
    /// When the oldest frame that is not saved came.
    unsaved_since: Option<Duration>,
    /// Whether a life ended, whose last values nobody will say again.
    is_urgent: bool,
    /// What is left for windows.
    windows: Arc<Budget>,
    /// What the last roll-up left out, `None` before the first.
    rollup: Option<rollup::LeftOut>,
}

impl Fleet {
    /// Returns a fleet that has received nothing. `node` names this receiver among others.
    #[must_use]
    pub fn new(node: NodeId, limits: Limits) -> Self {
        Self {
            limits,
            node,
            state: State::default(),
            devices: BTreeMap::new(),
            links: Links::default(),
            entries: Entries::default(),
            catalog: Mutex::new(None),
            unsaved_since: None,
            is_urgent: false,
            windows: Arc::new(Budget::new(limits.window_bytes)),
            rollup: None,
        }
    }

    /// Returns the state.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Returns the name of this receiver.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Returns the limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns what was noticed about the frames of a device.
    #[must_use]
    pub fn device_counts(&self, origin: Origin) -> DeviceCounts {
        self.devices.get(&origin).map_or(DeviceCounts::default(), |device| device.counts)
    }

    /// Returns what came in, by name of the links.
    pub fn link_counts(&self) -> impl Iterator<Item = (&str, &LinkCounts)> {
        self.links.counts()
    }

    /// Returns which metrics may be exported, and under which names.
    ///
    /// Built anew only when a dictionary or an epoch has come or gone.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        let mut kept = self.catalog.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((meaning, catalog)) if *meaning == self.state.meaning() => Arc::clone(catalog),
            _ => {
                let catalog = Arc::new(Catalog::build(&self.state));
                *kept = Some((self.state.meaning(), Arc::clone(&catalog)));
                catalog
            }
        }
    }

    /// Opens an input, `None` if there are too many.
    ///
    /// What came in is counted by `name`; inputs of one kind may share one.
    pub fn open_link(&mut self, name: &str, kind: LinkKind) -> Option<LinkId> {
        self.links.open(name, kind, &self.limits)
    }

    /// Closes an input. What it sent stays; another one may speak for its devices at once.
    pub fn close_link(&mut self, link: LinkId) {
        self.links.close(link);
        for session in self.devices.values_mut().flat_map(|device| device.sessions.values_mut()) {
            if session.owner == Some(link) {
                session.owner = None;
            }
        }
    }

    /// Returns whether frames came on a link whose sender, or whose metrics, nothing has named yet.
    #[must_use]
    pub fn lacks_names(&self, link: LinkId) -> bool {
        let Some(link) = self.links.get(link) else { return false };
        let dictionary = |origin| {
            let origin = self.state.origin(origin)?;
            Some(origin.epoch(origin.newest()?)?.dictionary())
        };
        let lacks = |dictionary: &dictionary::Dictionary| {
            dictionary.announced().len > 0 && !dictionary.is_complete()
        };
        !link.unbound.is_empty() || link.latest().and_then(dictionary).is_some_and(lacks)
    }

    /// Counts bytes that arrived on a link, whatever they are.
    pub fn count_bytes(&mut self, link: LinkId, bytes: u64) {
        self.links.count(link, |counts| counts.bytes = counts.bytes.saturating_add(bytes));
    }

    /// Counts something refused before it was a frame.
    pub fn refuse(&mut self, link: LinkId, refusal: Refusal) {
        self.links.reject(link, refusal.reason());
    }

    /// Counts something refused before there was a link.
    pub fn refuse_by_name(&mut self, link_name: &str, refusal: Refusal) {
        self.links.reject_by_name(link_name, refusal.reason(), &self.limits);
    }

    /// Takes in one bare frame.
    ///
    /// `now` is monotonic time; it never goes back from call to call.
    ///
    /// # Errors
    ///
    /// Why the frame was not used, or not yet; it is counted for the link.
    pub fn ingest(&mut self, link: LinkId, frame: &[u8], now: Duration) -> Result<(), Refusal> {
        self.unsaved_since.get_or_insert(now);
        let result = self.ingest_frame(link, frame, now);
        if let Err(refusal) = result {
            self.links.reject(link, refusal.reason());
        }
        result
    }
}
