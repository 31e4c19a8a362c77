//! Everything received: origins, their epochs, and what is left of folded ones.
//!
//! The state is plain data that changes in one way only, [`State::apply`]. What inputs and clocks
//! add to it for the time of a run (who speaks on which link, rates, held frames) is kept outside.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tapes_core::wire::Origin;

use super::epoch::{Applied, Change, EpochData, Room};
use super::fold::{Folded, Remains};
use super::identity::EpochKey;
use super::journal::Journal;
use super::limits::Limits;

/// One change to the state.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// A new life of the origin's values began, or was heard of for the first time.
    Open,
    /// Something was learned about an epoch.
    Change(Change),
    /// The dictionary that the epoch announced is taken over from another epoch of the origin, if
    /// one has it.
    Assume,
    /// The epoch goes into the sums of old ones; its late frames are refused from now on.
    Fold,
    /// The origin turned out to be two devices; its epochs are exported apart from now on.
    Twins,
    /// The origin had this many epochs before.
    Opened(u64),
    /// A part of what folding left behind before.
    Restore(Remains),
    /// The first life of the origin that was heard of began then, in milliseconds since 1970.
    Started(u64),
}

/// The epochs of one origin.
#[derive(Debug, Clone, Default)]
pub struct OriginData {
    /// Position among the origins by first contact.
    contact: usize,
    epochs: BTreeMap<EpochKey, Life>,
    folded: Folded,
    /// Number of epochs ever opened.
    opened: u64,
    twins: bool,
    /// When counting began, in milliseconds since 1970.
    started: Option<u64>,
}

/// An epoch and when it was first heard.
#[derive(Debug, Clone)]
struct Life {
    /// Position among the origin's epochs by first contact.
    contact: u64,
    /// Behind a pointer, since a tree has room for eleven lives where there is one.
    data: Box<EpochData>,
}

impl OriginData {
    /// Returns an epoch's data.
    #[must_use]
    pub fn epoch(&self, key: EpochKey) -> Option<&EpochData> {
        self.epochs.get(&key).map(|life| &*life.data)
    }

    /// Returns the epochs from the oldest to the newest: by first contact, but behind one that
    /// says itself that it is newer.
    #[must_use]
    pub fn epochs(&self) -> Vec<(EpochKey, &EpochData)> {
        let mut lives: Vec<_> = self.epochs.iter().collect();
        lives.sort_by_key(|(_, life)| life.contact);
        let newest = self.newest();
        lives.sort_by_key(|(key, _)| Some(**key) == newest);
        lives.into_iter().map(|(key, life)| (*key, &*life.data)).collect()
    }

    /// Returns the newest epoch: the one whose gauges are current.
    #[must_use]
    pub fn newest(&self) -> Option<EpochKey> {
        let mut lives: Vec<_> = self.epochs.iter().collect();
        lives.sort_by_key(|(_, life)| life.contact);
        lives
            .into_iter()
            .map(|(key, _)| *key)
            .reduce(|newest, key| if key.is_before(newest) { newest } else { key })
    }

    /// Returns the last part of an epoch: the life that its frames belong to now.
    #[must_use]
    pub fn last_part(&self, first: EpochKey) -> Option<EpochKey> {
        let last = EpochKey { part: u16::MAX, ..first };
        self.epochs.range(first..=last).next_back().map(|(key, _)| *key)
    }

    /// Returns whether an epoch that is heard of now began after one that was heard before.
    #[must_use]
    pub fn is_followed_by(&self, key: EpochKey) -> bool {
        let is_oldest = !self.is_empty() && self.epochs.keys().all(|known| key.is_before(*known));
        self.opened > 0 && !is_oldest
    }

    /// Returns the number of epochs that are kept apart.
    #[must_use]
    pub fn len(&self) -> usize {
        self.epochs.len()
    }

    /// Returns whether no epoch is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }

    /// Returns the number of epochs ever opened.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    /// Returns whether two devices share this origin.
    #[must_use]
    pub const fn is_twins(&self) -> bool {
        self.twins
    }

    /// Returns when the first life that was heard of began, `None` if nobody knows; never changes
    /// once it is known.
    #[must_use]
    pub fn started(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.started?))
    }

    /// Returns the sums of folded epochs.
    #[must_use]
    pub const fn folded(&self) -> &Folded {
        &self.folded
    }

    /// Returns an estimate of the memory taken, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let epochs = self.epochs.values().map(|life| life.data.bytes());
        epochs.fold(self.folded.bytes(), usize::saturating_add)
    }
}

/// The state of everything received.
#[derive(Debug, Clone, Default)]
pub struct State {
    origins: BTreeMap<Origin, OriginData>,
    /// Memory of all origins, in bytes; an estimate.
    bytes: usize,
    /// Counts changes of what ids mean, for those who derive something from it.
    meaning: u64,
    /// What changed since changes were taken last; `None` while nobody takes them.
    journal: Option<Box<Journal>>,
}

impl State {
    /// Returns the data of an origin.
    #[must_use]
    pub fn origin(&self, origin: Origin) -> Option<&OriginData> {
        self.origins.get(&origin)
    }

    /// Returns the origins in their order.
    pub fn origins(&self) -> impl Iterator<Item = (Origin, &OriginData)> {
        self.origins.iter().map(|(origin, data)| (*origin, data))
    }

    /// Returns the origins by first contact: an order in which new ones come last.
    #[must_use]
    pub fn origins_by_contact(&self) -> Vec<(Origin, &OriginData)> {
        let mut origins: Vec<_> = self.origins().collect();
        origins.sort_by_key(|(_, data)| data.contact);
        origins
    }

    /// Returns the number of origins.
    #[must_use]
    pub fn len(&self) -> usize {
        self.origins.len()
    }

    /// Returns whether nothing was received.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Returns an epoch's data.
    #[must_use]
    pub fn epoch(&self, origin: Origin, key: EpochKey) -> Option<&EpochData> {
        self.origin(origin)?.epoch(key)
    }

    /// Returns an estimate of the memory taken, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns a number that changes whenever an id gets another meaning or an epoch comes or goes.
    #[must_use]
    pub const fn meaning(&self) -> u64 {
        self.meaning
    }

    /// Makes a mutation. Nothing else changes the state.
    ///
    /// Limits hold whatever the mutation is: [`Applied::Full`] says that it was refused.
    pub fn apply(
        &mut self,
        origin: Origin,
        key: EpochKey,
        mutation: Mutation,
        limits: &Limits,
    ) -> Applied {
        let noted = self.note(origin, key, &mutation);
        let applied = self.apply_to_origin(origin, key, mutation, limits);
        if applied == Applied::Meaning {
            self.meaning = self.meaning.wrapping_add(1);
        }
        if !matches!(applied, Applied::Unchanged | Applied::Full)
            && let (Some(journal), Some(mutation)) = (&mut self.journal, noted)
        {
            journal.note(origin, key, mutation);
        }
        applied
    }

    /// Calls `f` with an epoch's data, the room it has, and a list for changes that it makes other
    /// than of values; only values may be changed otherwise. `None` if there is no such epoch.
    pub(super) fn edit<R>(
        &mut self,
        origin: Origin,
        key: EpochKey,
        limits: &Limits,
        f: impl FnOnce(&mut EpochData, Room, &mut Vec<Change>) -> R,
    ) -> Option<R> {
        let data = self.origins.get_mut(&origin)?;
        let of_origin = data.bytes();
        let life = data.epochs.get_mut(&key)?;
        let before = life.data.bytes();
        let other_origins = self.bytes.saturating_sub(of_origin);
        let other_epochs = of_origin.saturating_sub(before);
        let bytes = limits.bytes.saturating_sub(other_origins).min(limits.bytes_per_origin);
        let bytes = bytes.saturating_sub(other_epochs);
        let mut made = Vec::new();
        let result =
            f(&mut life.data, Room { metrics: limits.metrics_per_epoch, bytes }, &mut made);
        let after = life.data.bytes();
        self.bytes = other_origins.saturating_add(other_epochs).saturating_add(after);
        if let Some(journal) = &mut self.journal {
            made.into_iter().for_each(|change| journal.note(origin, key, Mutation::Change(change)));
        }
        Some(result)
    }

    /// Returns what the journal is to note if this is made. Values are not noted one by one: each
    /// remembers that it changed.
    fn note(&mut self, origin: Origin, key: EpochKey, mutation: &Mutation) -> Option<Mutation> {
        let journal = self.journal.as_mut()?;
        match mutation {
            Mutation::Change(Change::Record(..) | Change::Again(..) | Change::Undescribed(..)) => {
                return None;
            }
            // Its values are gone afterwards.
            Mutation::Fold => {
                let data = self.origins.get_mut(&origin).and_then(|data| data.epochs.get_mut(&key));
                let values = data.map(|life| life.data.take_values()).unwrap_or_default();
                for value in values {
                    journal.note(origin, key, Mutation::Change(value));
                }
            }
            _ => {}
        }
        Some(mutation.clone())
    }

    /// Notes changes from now on, for [`take_changes`](Self::take_changes).
    pub fn keep_changes(&mut self) {
        self.journal.get_or_insert_default();
        self.all_epochs().for_each(|data| drop(data.take_values()));
    }

    /// Calls `f` with the mutations that make this state of what it was when this was called last,
    /// in an order in which they can be made. Returns false if there are too many to be kept:
    /// then only [`mutations`](Self::mutations) tells all of them.
    pub fn take_changes(&mut self, mut f: impl FnMut(Origin, EpochKey, Mutation)) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        let is_complete = journal.take(&mut f);
        for (origin, data) in &mut self.origins {
            for (key, life) in &mut data.epochs {
                for value in life.data.take_values() {
                    f(*origin, *key, Mutation::Change(value));
                }
            }
        }
        is_complete
    }

    /// Takes in everything that another receiver knows of epochs; the larger sequence number wins,
    /// record by record, so detours, repeats and the order of merges change nothing.
    ///
    /// Sums of folded epochs stay where they are: folding is local. An epoch that is folded here is
    /// refused.
    pub fn merge(&mut self, other: &Self, limits: &Limits) {
        other.mutations(|origin, key, mutation| match mutation {
            Mutation::Open if self.is_folded(origin, key) => {}
            // When values began is what each receiver knows for itself.
            Mutation::Open => {
                let known = self.origin(origin).is_some_and(|data| data.is_followed_by(key));
                let opened = self.apply(origin, key, Mutation::Open, limits);
                if known && opened == Applied::Meaning {
                    let began = Mutation::Change(Change::Began(true));
                    self.apply(origin, key, began, limits);
                }
            }
            Mutation::Change(Change::Began(_) | Change::Base(..)) => {}
            Mutation::Change(change) => {
                if let Change::Record(metric, _, record) = &change
                    && self.epoch(origin, key).is_some_and(|data| data.wants_base(*metric))
                {
                    let base = Change::Base(*metric, record.value.clone());
                    self.apply(origin, key, Mutation::Change(base), limits);
                }
                // What is refused for want of room is said again with the next merge.
                self.apply(origin, key, Mutation::Change(change), limits);
            }
            Mutation::Twins => {
                self.apply(origin, key, Mutation::Twins, limits);
            }
            Mutation::Assume
            | Mutation::Fold
            | Mutation::Opened(_)
            | Mutation::Restore(_)
            | Mutation::Started(_) => {}
        });
    }

    fn is_folded(&self, origin: Origin, key: EpochKey) -> bool {
        self.origin(origin).is_some_and(|data| data.folded.has(key) && data.epoch(key).is_none())
    }

    /// Ends a generation of changes, in each epoch that has any.
    #[cfg(feature = "zmq")]
    pub(super) fn seal(&mut self) {
        self.all_epochs().for_each(EpochData::seal);
    }

    fn all_epochs(&mut self) -> impl Iterator<Item = &mut EpochData> {
        let epochs = self.origins.values_mut().flat_map(|data| data.epochs.values_mut());
        epochs.map(|life| &mut *life.data)
    }

    /// Calls `f` with mutations that make this state of nothing, in an order in which they can be
    /// made.
    pub fn mutations(&self, mut f: impl FnMut(Origin, EpochKey, Mutation)) {
        for (origin, data) in self.origins_by_contact() {
            let nobody = EpochKey { order: 0, nonce: 0, part: 0 };
            for (key, remains) in data.folded.remains() {
                f(origin, key, Mutation::Restore(remains));
            }
            let mut lives: Vec<_> = data.epochs.iter().collect();
            lives.sort_by_key(|(_, life)| life.contact);
            for (key, life) in lives {
                f(origin, *key, Mutation::Open);
                life.data.changes().for_each(|change| f(origin, *key, Mutation::Change(change)));
            }
            f(origin, nobody, Mutation::Opened(data.opened));
            if let Some(started) = data.started {
                f(origin, nobody, Mutation::Started(started));
            }
            if data.twins {
                f(origin, nobody, Mutation::Twins);
            }
        }
    }

    fn apply_to_origin(
        &mut self,
        origin: Origin,
        key: EpochKey,
        mutation: Mutation,
        limits: &Limits,
    ) -> Applied {
        if !self.origins.contains_key(&origin) && self.origins.len() >= limits.origins {
            return Applied::Full;
        }
        let contact = self.origins.len();
        let new = || OriginData { contact, ..OriginData::default() };
        let data = self.origins.entry(origin).or_insert_with(new);
        let before = data.bytes();
        let others = self.bytes.saturating_sub(before);
        let applied = match mutation {
            Mutation::Open => data.open(key, limits),
            Mutation::Change(change) => {
                let bytes = limits.bytes.saturating_sub(others).min(limits.bytes_per_origin);
                data.change(key, change, Room { metrics: limits.metrics_per_epoch, bytes })
            }
            Mutation::Assume => data.assume(key),
            Mutation::Fold => data.fold(key, limits),
            Mutation::Twins if data.twins => Applied::Unchanged,
            Mutation::Twins => {
                data.twins = true;
                Applied::Meaning
            }
            Mutation::Opened(opened) => {
                data.opened = data.opened.max(opened);
                Applied::Done
            }
            Mutation::Started(_) if data.started.is_some() => Applied::Unchanged,
            Mutation::Started(at) => {
                data.started = Some(at);
                Applied::Done
            }
            Mutation::Restore(remains) => {
                data.folded.restore(key, remains);
                Applied::Meaning
            }
        };
        self.bytes = others.saturating_add(data.bytes());
        applied
    }
}

impl OriginData {
    fn open(&mut self, key: EpochKey, limits: &Limits) -> Applied {
        if self.epochs.contains_key(&key) {
            return Applied::Unchanged;
        }
        if self.folded.is_folded(key) || self.epochs.len() >= limits.epochs_per_origin {
            return Applied::Full;
        }
        self.epochs.insert(key, Life { contact: self.opened, data: Box::default() });
        self.opened = self.opened.saturating_add(1);
        Applied::Meaning
    }

    /// Makes a change; `room` is that of the whole origin.
    fn change(&mut self, key: EpochKey, change: Change, room: Room) -> Applied {
        let total = self.bytes();
        let Some(life) = self.epochs.get_mut(&key) else { return Applied::Full };
        let others = total.saturating_sub(life.data.bytes());
        life.data.apply(change, Room { bytes: room.bytes.saturating_sub(others), ..room })
    }

    fn assume(&mut self, key: EpochKey) -> Applied {
        let Some(mut life) = self.epochs.remove(&key) else { return Applied::Unchanged };
        let lives = self.epochs.values().rev();
        let assumed = lives.map(|other| other.data.dictionary()).any(|d| life.data.assume(d));
        self.epochs.insert(key, life);
        if assumed { Applied::Meaning } else { Applied::Unchanged }
    }

    fn fold(&mut self, key: EpochKey, limits: &Limits) -> Applied {
        let Some(life) = self.epochs.get(&key) else { return Applied::Unchanged };
        if !self.folded.fold(key, &life.data, limits.tombstones_per_origin) {
            return Applied::Full;
        }
        self.epochs.remove(&key);
        Applied::Meaning
    }
}

#[cfg(test)]
mod tests {
    use super::{EpochKey, Limits, Mutation, State};
    use crate::fleet::epoch::Applied;
    use tapes_core::wire::{Epoch, Origin};

    const ORIGIN: Origin = Origin::from_array([1]);

    fn key(order: u32, nonce: u32) -> EpochKey {
        EpochKey::new(Epoch::new(order, nonce))
    }

    /// A late frame of an old boot must not bring back an old temperature.
    #[test]
    fn the_newest_epoch_is_the_last_heard_unless_it_says_it_is_older() {
        for (label, heard, newest) in [
            ("unknown orders", [key(0, 9), key(0, 1)], key(0, 1)),
            ("rising orders", [key(1, 9), key(2, 1)], key(2, 1)),
            ("late old boot", [key(2, 1), key(1, 9)], key(2, 1)),
            ("order lost", [key(7, 1), key(0, 2)], key(0, 2)),
        ] {
            let mut state = State::default();
            for key in heard {
                state.apply(ORIGIN, key, Mutation::Open, &Limits::default());
            }
            let data = state.origin(ORIGIN).unwrap();
            assert_eq!(data.newest(), Some(newest), "{label}");
            assert_eq!(data.epochs().last().unwrap().0, newest, "{label}");
        }
    }

    /// Without the bound one sender with random origins fills the memory.
    #[test]
    fn origins_and_epochs_are_bounded() {
        let limits = Limits { origins: 1, epochs_per_origin: 1, ..Limits::default() };
        let mut state = State::default();
        let mut open = |origin, nonce| state.apply(origin, key(0, nonce), Mutation::Open, &limits);
        assert_eq!(open(ORIGIN, 1), Applied::Meaning);
        assert_eq!(open(ORIGIN, 1), Applied::Unchanged);
        assert_eq!(open(ORIGIN, 2), Applied::Full);
        assert_eq!(open(Origin::from_array([2]), 1), Applied::Full);
    }
}
