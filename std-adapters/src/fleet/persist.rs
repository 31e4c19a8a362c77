//! What of a fleet outlives its process.

use std::time::{Duration, SystemTime};

use tapes_core::wire::Origin;

use super::Fleet;
use super::device::Device;
use super::identity::{EpochKey, NodeId};
use super::limits::Limits;
use super::session::{Heard, Session};
use super::state::Mutation;
use super::store::{BatchWriter, Saved};

/// Age of the oldest unsaved frame at which changes are saved although nothing is shown.
///
/// Longer than the usual interval of scrapes, each of which saves.
const UNSAVED_MAX: Duration = Duration::from_secs(20);

/// What changed since the last batch.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) content: Vec<u8>,
    /// Whether nothing is missing: else only the whole state says everything.
    pub(super) is_complete: bool,
}

impl Saved {
    /// Returns everything as the content of one batch.
    pub(super) fn to_bytes(&self, node: NodeId) -> Vec<u8> {
        // The moments are absolute: as if all of it had been heard when the batch is made.
        let newest = self.heard.values().map(|(_, at)| *at).max();
        let wall = newest.unwrap_or(SystemTime::UNIX_EPOCH);
        let mut batch = BatchWriter::new(node, wall);
        self.state.mutations(|origin, key, mutation| batch.mutation(origin, key, &mutation));
        let known = |(origin, key): (Origin, EpochKey)| self.state.epoch(origin, key).is_some();
        for ((origin, key), (heard, at)) in self.heard.iter().filter(|(id, _)| known(**id)) {
            batch.heard(*origin, *key, *heard, wall.duration_since(*at).unwrap_or_default());
        }
        self.devices.iter().for_each(|(origin, counts)| batch.device(*origin, *counts));
        self.links.iter().for_each(|(name, counts)| batch.link(name, counts));
        batch.finish()
    }
}

impl Fleet {
    /// Returns a fleet that goes on where the saved one was, and keeps track of changes for
    /// [`Store::save`](super::store::Store::save).
    ///
    /// `node` is the store's, `now` the monotonic time of this process, `wall` the time of day: it
    /// says how long each device has been silent.
    #[must_use]
    pub fn restored(
        node: NodeId,
        limits: Limits,
        saved: Saved,
        now: Duration,
        wall: SystemTime,
    ) -> Self {
        let mut fleet = Self::new(node, limits);
        let Saved { state, entries, heard, devices, links } = saved;
        (fleet.state, fleet.entries) = (state, entries);
        fleet.state.keep_changes();
        for (origin, counts) in devices {
            fleet.devices.insert(origin, Device::restored(counts));
        }
        for (origin, data) in fleet.state.origins() {
            let device = fleet.devices.entry(origin).or_default();
            for (key, epoch) in data.epochs() {
                let newest =
                    Heard { seq: epoch.newest_seq().unwrap_or(0), uptime: 0, interval: None };
                let known = heard.get(&(origin, key));
                let (heard, at) = known.map_or((newest, None), |(heard, at)| (*heard, Some(*at)));
                // A clock that went back says nothing.
                let silence =
                    at.map_or(Duration::MAX, |at| wall.duration_since(at).unwrap_or_default());
                let mut session = Session::restored(heard, silence, now);
                session.tracker = session.tracker.with_strict(key.part > 0);
                device.sessions.insert(key, Box::new(session));
            }
        }
        links.into_iter().for_each(|(name, counts)| fleet.links.restore(&name, counts));
        fleet
    }

    /// Returns whether there is something to save although nobody asks for it.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.is_urgent
            || self.unsaved_since.is_some_and(|since| now.saturating_sub(since) >= UNSAVED_MAX)
    }

    /// Computes when what is exported began to count, where that is known and was not computed
    /// before.
    pub(super) fn freeze_starts(&mut self, now: Duration, wall: SystemTime) {
        let nobody = EpochKey { order: 0, nonce: 0, part: 0 };
        for (origin, device) in &mut self.devices {
            device.sessions.values_mut().for_each(|session| session.freeze_start(now, wall));
            if self.state.origin(*origin).is_none_or(|data| data.started().is_some()) {
                continue;
            }
            let first = device.sessions.values().filter_map(|session| session.start()).min();
            let since = first.and_then(|first| first.duration_since(SystemTime::UNIX_EPOCH).ok());
            if let Some(at) = since.and_then(|since| u64::try_from(since.as_millis()).ok()) {
                self.state.apply(*origin, nobody, Mutation::Started(at), &self.limits);
            }
        }
    }

    /// Returns what changed since this was called last.
    pub(super) fn take_batch(&mut self, now: Duration, wall: SystemTime) -> Batch {
        (self.unsaved_since, self.is_urgent) = (None, false);
        let mut batch = BatchWriter::new(self.node, wall);
        let is_complete =
            self.state.take_changes(|origin, key, mutation| batch.mutation(origin, key, &mutation));
        for (origin, device) in &mut self.devices {
            if self.state.origin(*origin).is_none() {
                continue;
            }
            for (key, session) in &mut device.sessions {
                if let Some((heard, silence)) = session.take_heard(now) {
                    batch.heard(*origin, *key, heard, silence);
                }
            }
            if let Some(counts) = device.take_counts() {
                batch.device(*origin, counts);
            }
        }
        self.links.take_counts(|name, counts| batch.link(name, counts));
        Batch { content: batch.finish(), is_complete }
    }

    /// Returns everything, as one batch that makes it of nothing.
    pub(super) fn whole(&self, now: Duration, wall: SystemTime) -> Vec<u8> {
        let mut batch = BatchWriter::new(self.node, wall);
        self.state.mutations(|origin, key, mutation| batch.mutation(origin, key, &mutation));
        for (origin, device) in &self.devices {
            if self.state.origin(*origin).is_none() {
                continue;
            }
            for (key, session) in &device.sessions {
                if let Some((heard, silence)) = session.saved(now) {
                    batch.heard(*origin, *key, heard, silence);
                }
            }
            batch.device(*origin, device.counts);
        }
        self.links.counts().for_each(|(name, counts)| batch.link(name, counts));
        batch.finish()
    }
}
