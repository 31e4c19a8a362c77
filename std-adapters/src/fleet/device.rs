//! What is known of a device only while it is being received: its sessions and what went wrong.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::epoch::EpochData;
use super::identity::EpochKey;
use super::link::Slot;
use super::session::Session;

/// Time over which new epochs are limited.
const MINUTE: Duration = Duration::from_secs(60);

/// What was noticed about the frames of one device; only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceCounts {
    /// Frames accepted.
    pub frames: u64,
    /// Frames that were missing when a newer one came; late ones included.
    pub lost: u64,
    /// Frames that came after a newer one.
    pub late: u64,
    /// Frames that had been heard before.
    pub duplicates: u64,
    /// Frames not believed, because sequence number and uptime had gone back.
    pub suspect: u64,
    /// Lives that began again under the same epoch.
    pub epoch_collisions: u64,
    /// Frames held back because of too many new epochs in a minute.
    pub epochs_held: u64,
    /// Times the sender contradicted itself: one sequence number or id, two contents; or a count
    /// that fell.
    pub conflicts: u64,
    /// Values of another shape than their metric's kind, or larger than is kept.
    pub misfits: u64,
    /// Changes refused because the device has too many metrics or bytes.
    pub full: u64,
}

impl DeviceCounts {
    /// Returns all counts in an order that never changes; new ones come last.
    pub(super) const fn to_array(self) -> [u64; 10] {
        [
            self.frames,
            self.lost,
            self.late,
            self.duplicates,
            self.suspect,
            self.epoch_collisions,
            self.epochs_held,
            self.conflicts,
            self.misfits,
            self.full,
        ]
    }

    /// Returns the counts of such an order.
    pub(super) const fn from_array(counts: [u64; 10]) -> Self {
        let [frames, lost, late, duplicates, suspect, collisions, held, conflicts, misfits, full] =
            counts;
        Self {
            frames,
            lost,
            late,
            duplicates,
            suspect,
            epoch_collisions: collisions,
            epochs_held: held,
            conflicts,
            misfits,
            full,
        }
    }
}

/// One device as it is being received.
#[derive(Debug, Default)]
pub(super) struct Device {
    /// Behind pointers, since a tree has room for eleven of them where there is one.
    pub(super) sessions: BTreeMap<EpochKey, Box<Session>>,
    /// Epochs that began too soon after others.
    pub(super) held: BTreeMap<EpochKey, Box<Slot>>,
    /// Data of the life that seems to have begun again under an epoch.
    suspect: Option<(EpochKey, Box<EpochData>)>,
    pub(super) counts: DeviceCounts,
    /// The counts as they were saved last.
    saved: DeviceCounts,
    /// When epochs were opened, for the last minute.
    opened: VecDeque<Duration>,
    /// The epoch of the last keyframe.
    last_keyframe: Option<EpochKey>,
}

impl Device {
    /// Returns whether another epoch may begin now.
    pub(super) fn may_open(&mut self, now: Duration, max: usize) -> bool {
        while self.opened.front().is_some_and(|at| now.saturating_sub(*at) >= MINUTE) {
            self.opened.pop_front();
        }
        self.opened.len() < max
    }

    /// Returns a device with counts as they were saved.
    pub(super) fn restored(counts: DeviceCounts) -> Self {
        Self { counts, saved: counts, ..Self::default() }
    }

    /// Returns the counts if they changed since this was called last.
    pub(super) fn take_counts(&mut self) -> Option<DeviceCounts> {
        let changed = self.saved != self.counts;
        self.saved = self.counts;
        changed.then_some(self.counts)
    }

    /// Notes that an epoch began.
    pub(super) fn opened(&mut self, now: Duration) {
        self.opened.push_back(now);
    }

    /// Notes the end of a keyframe. Returns whether two epochs take turns by now: two devices.
    pub(super) fn keyframe(&mut self, key: EpochKey) -> bool {
        let is_turn = self.last_keyframe.is_some_and(|last| last != key);
        self.last_keyframe = Some(key);
        if let Some(session) = self.sessions.get_mut(&key)
            && !session.keyframe(is_turn)
        {
            return false;
        }
        self.sessions.values().filter(|s| s.turns >= super::session::TWIN_TURNS).count() >= 2
    }

    /// Returns the quietest epoch but for `newest`, if it has been silent for `silence`.
    pub(super) fn quietest(
        &self,
        newest: Option<EpochKey>,
        now: Duration,
        silence: Duration,
    ) -> Option<EpochKey> {
        let others = self.sessions.iter().filter(|(key, _)| Some(**key) != newest);
        let (key, session) = others.min_by_key(|(_, session)| Reverse(session.silence(now)))?;
        (session.silence(now) >= silence).then_some(*key)
    }

    /// Returns the slot of a held epoch; the quietest gives way when there are too many.
    pub(super) fn held(&mut self, key: EpochKey, max: usize) -> &mut Slot {
        if !self.held.contains_key(&key)
            && self.held.len() >= max
            && let Some(quietest) =
                self.held.iter().min_by_key(|(_, slot)| slot.session.last()).map(|(key, _)| *key)
        {
            self.held.remove(&quietest);
        }
        self.held.entry(key).or_default()
    }

    /// Returns the data of the life that seems to have begun again under an epoch.
    ///
    /// There is one for each device: a run of another epoch begins anew.
    pub(super) fn suspect(&mut self, key: EpochKey) -> &mut EpochData {
        if self.suspect.as_ref().is_none_or(|(suspect, _)| *suspect != key) {
            self.suspect = None;
        }
        &mut self.suspect.get_or_insert_with(|| (key, Box::default())).1
    }

    /// Forgets what a life under an epoch seemed to say: the old one goes on.
    pub(super) fn acquit(&mut self, key: EpochKey) {
        self.suspect.take_if(|(suspect, _)| *suspect == key);
    }

    /// Takes out the data of the life that began again under an epoch.
    pub(super) fn take_suspect(&mut self, key: EpochKey) -> Option<EpochData> {
        self.suspect.take_if(|(suspect, _)| *suspect == key).map(|(_, data)| *data)
    }
}
