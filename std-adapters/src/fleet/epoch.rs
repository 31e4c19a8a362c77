//! The data of one epoch: dictionary, records, and what the sender said about itself.
//!
//! Plain data that changes in one way only, [`EpochData::apply`]; so a journal of [`Change`]s is
//! all that persistence needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tapes_core::wire::{Event, Hello, ResetReason};

use super::bases::Bases;
use super::dictionary::{Announced, Described, Dictionary};
use super::entry::Entry;
use super::identity::{Ingest, MetricKey, NodeId};
use super::record::{Merged, Record};
use super::records::{Dirty, Records};
use super::series::Class;
use super::value::Stored;
use super::widen::{Falls, fell, widen_value, wraps};

/// What a sender says about itself in HELLO, besides its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Identity of the firmware; 0 if unknown.
    pub build_id: u64,
    /// Why the device started.
    pub reset_reason: ResetReason,
    /// Number of starts so far; 0 if unknown.
    pub boot_count: u32,
    /// Ticks of the uptime in a second; at least 1.
    pub tick_hz: u32,
}

impl From<&Hello<'_>> for Facts {
    fn from(hello: &Hello<'_>) -> Self {
        Self {
            build_id: hello.build_id,
            reset_reason: hello.reset_reason,
            boot_count: hello.boot_count,
            tick_hz: hello.tick_hz.max(1),
        }
    }
}

/// One change to the data of an epoch.
#[derive(Debug, Clone)]
pub enum Change {
    /// The sender introduced itself.
    Facts(Facts),
    /// The sender counted what it lost.
    Losses(u64, Event),
    /// A frame announced a dictionary.
    Announce(Announced),
    /// An id got a meaning.
    Describe(u32, Arc<Entry>),
    /// A metric got a value; one that waited for its entry is done with.
    Record(MetricKey, Ingest, Record),
    /// A metric was heard again, in a frame of this sequence number, with the value it has.
    Again(MetricKey, Ingest, u64),
    /// A metric whose meaning is not known got a value.
    Undescribed(MetricKey, Record),
    /// It turned out whether the values began at zero while this receiver's state existed.
    Began(bool),
    /// A metric was first heard of with this value, which was counted before.
    Base(MetricKey, Stored),
    /// An id has the meaning that it has in another epoch, until its own is heard.
    Assumed(u32, Arc<Entry>),
    /// A value waits for its dictionary entry, and its words fell so often.
    Waiting(MetricKey, Record, Falls),
}

/// What a received value means.
#[derive(Debug, Clone)]
pub enum Observed {
    /// Make this change.
    Change(Change),
    /// A newer value is known.
    Stale,
    /// The value is of another shape than the metric's kind.
    Misfit,
    /// A count is smaller than a frame before said: it is of another life under the same epoch.
    Fallen,
}

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The change is made.
    Done,
    /// There is nothing to change.
    Unchanged,
    /// The change is made, and what ids mean is different now.
    Meaning,
    /// The sender contradicts itself; the larger bytes stay.
    Conflict,
    /// There are too many metrics, or too many bytes of them.
    Full,
}

/// Bounds of one epoch's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Metrics.
    pub metrics: usize,
    /// Bytes.
    pub bytes: usize,
}

/// A value that waits for its dictionary entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    record: Record,
    falls: Falls,
    dirty: bool,
}

/// Dictionary and values of one epoch.
#[derive(Debug, Clone, Default)]
pub struct EpochData {
    pub(super) dictionary: Dictionary,
    pub(super) records: Records,
    waiting: BTreeMap<MetricKey, Waiting>,
    /// Whether values began at zero while this receiver's state existed; `None` if unknown.
    began_here: Option<bool>,
    /// The first values of an epoch that began before, or perhaps did.
    bases: Bases,
    /// Whether a record or a waiting value changed since changes were taken last.
    pub(super) dirty: bool,
    facts: Option<Facts>,
    losses: Option<(u64, Event)>,
    /// Memory of entries and values, an estimate.
    pub(super) bytes: usize,
    /// Number of times that changes were [sealed](Self::seal).
    pub(super) generation: u32,
    /// Whether something changed since.
    pub(super) is_open: bool,
    /// Generation of the last change that was not one of a value, and one more; 0 for none.
    pub(super) described: u32,
}

/// Memory of an element's place, in bytes; an estimate.
pub(super) const NODE_BYTES: usize = 48;

impl EpochData {
    /// Returns the dictionary.
    #[must_use]
    pub const fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// Returns what the sender said about itself, `None` before HELLO.
    #[must_use]
    pub const fn facts(&self) -> Option<&Facts> {
        self.facts.as_ref()
    }

    /// Returns what the sender counted as lost.
    #[must_use]
    pub fn losses(&self) -> Event {
        self.losses.map_or(Event::default(), |(_, event)| event)
    }

    /// Returns the records by metric and ingest.
    pub fn records(&self) -> impl Iterator<Item = (MetricKey, Ingest, &Record)> {
        self.records.iter()
    }

    /// Returns whether values began at zero while this receiver's state existed; `None` if that is
    /// not known.
    #[must_use]
    pub const fn began_here(&self) -> Option<bool> {
        self.began_here
    }

    /// Returns what of a value was counted while this receiver's state existed, `None` if all.
    #[must_use]
    pub fn observed(&self, key: MetricKey, value: &Stored) -> Option<Stored> {
        self.bases.since(key, value)
    }

    /// Returns whether a first value of this metric is to be kept as its base.
    pub(super) fn wants_base(&self, key: MetricKey) -> bool {
        let is_adding =
            |entry: &Arc<Entry>| entry.description().is_ok_and(|d| Class::of(d.kind).adds_up());
        self.began_here != Some(true)
            && !self.bases.contains(key)
            && !self.records.has(key)
            && self.dictionary.get(key.id).is_some_and(is_adding)
    }

    /// Returns the metrics that have a value and whose entry is known, with that entry; the value
    /// is the largest over the nodes that widened it.
    pub fn values(&self) -> impl Iterator<Item = (MetricKey, &Arc<Entry>, &Stored)> {
        let mut records = self.records.iter().peekable();
        let best = std::iter::from_fn(move || {
            let (key, _, first) = records.next()?;
            let mut best = &first.value;
            while let Some((.., other)) = records.next_if(|(next, ..)| *next == key) {
                if other.value.count().unwrap_or(0) > best.count().unwrap_or(0) {
                    best = &other.value;
                }
            }
            Some((key, best))
        });
        best.filter_map(|(key, value)| Some((key, self.dictionary.get(key.id)?, value)))
    }

    /// Returns the number of values that wait for their dictionary entry.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Returns an estimate of the memory taken, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns what a received value means here: widened if its words wrap, and waiting if its
    /// entry is not known.
    ///
    /// `uptime` is that of the frame, if the tick rate is known: how long there was to count.
    #[must_use]
    pub fn observe(
        &self,
        key: MetricKey,
        record: Record,
        uptime: Option<Duration>,
        node: NodeId,
    ) -> Observed {
        let Some(entry) = self.dictionary.get(key.id) else {
            return Observed::Change(Change::Undescribed(key, record));
        };
        let Ok(description) = entry.description() else {
            return Observed::Change(Change::Record(key, Ingest::Absolute, record));
        };
        if !record.value.fits(description.kind) || key.cell >= description.cells() {
            return Observed::Misfit;
        }
        let wraps = wraps(description.kind, description.bits);
        let ingest = if wraps { Ingest::Widened(node) } else { Ingest::Absolute };
        let known = self.records.get(key, ingest);
        if Class::of(description.kind).adds_up()
            && let Some(known) = known.filter(|known| known.seq <= record.seq)
            && fell(&known.value, &record.value, description.bits, uptime)
        {
            return Observed::Fallen;
        }
        if !wraps {
            return Observed::Change(Change::Record(key, ingest, record));
        }
        if known.is_some_and(|known| known.seq >= record.seq) {
            return Observed::Stale;
        }
        let value = widen_value(known.map(|known| &known.value), record.value, description.bits);
        Observed::Change(Change::Record(key, ingest, Record { value, ..record }))
    }

    /// Makes a change. Nothing else changes this data.
    pub fn apply(&mut self, change: Change, room: Room) -> Applied {
        let is_value = matches!(
            change,
            Change::Record(..) | Change::Again(..) | Change::Undescribed(..) | Change::Waiting(..)
        );
        let applied = self.make(change, room);
        if !matches!(applied, Applied::Unchanged | Applied::Full) {
            self.is_open = true;
            if !is_value {
                self.described = self.generation.saturating_add(1);
            }
        }
        applied
    }

    fn make(&mut self, change: Change, room: Room) -> Applied {
        match change {
            Change::Facts(facts) => {
                let is_news = self.facts.replace(facts) != Some(facts);
                if is_news { Applied::Done } else { Applied::Unchanged }
            }
            Change::Losses(seq, event) => self.lose(seq, event),
            Change::Announce(announced) => {
                if self.dictionary.announce(announced) {
                    Applied::Done
                } else {
                    Applied::Unchanged
                }
            }
            Change::Describe(id, entry) => self.describe(id, entry, room),
            Change::Record(key, ingest, record) => self.record(key, ingest, record, room),
            Change::Again(key, ingest, seq) => self.again(key, ingest, seq),
            Change::Undescribed(key, record) => self.wait(key, record, room),
            Change::Began(here) => self.begin(here),
            Change::Base(key, value) => self.base(key, value, room),
            Change::Assumed(id, entry) => self.assume_one(id, entry, room),
            Change::Waiting(key, record, falls) => {
                self.stop_waiting(key);
                let applied = self.wait(key, record, room);
                if let Some(waiting) = self.waiting.get_mut(&key) {
                    waiting.falls = falls;
                }
                applied
            }
        }
    }

    fn lose(&mut self, seq: u64, event: Event) -> Applied {
        match self.losses {
            Some((known, _)) if seq <= known => Applied::Unchanged,
            // Only what it says counts, not how often.
            Some((_, known)) if known == event => Applied::Unchanged,
            _ => {
                self.losses = Some((seq, event));
                Applied::Done
            }
        }
    }

    fn begin(&mut self, here: bool) -> Applied {
        if self.began_here == Some(here) {
            return Applied::Unchanged;
        }
        self.began_here = Some(here);
        if here {
            let freed = self.bases.sizes_bytes().map(|bytes| bytes + NODE_BYTES);
            self.bytes = self.bytes.saturating_sub(freed.sum());
            self.bases.clear();
        }
        Applied::Done
    }

    fn base(&mut self, key: MetricKey, value: Stored, room: Room) -> Applied {
        if self.began_here == Some(true) || self.bases.contains(key) {
            return Applied::Unchanged;
        }
        let bytes = Bases::size_bytes_of(&value) + NODE_BYTES;
        if !self.has_room(bytes, room) {
            return Applied::Full;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.bases.insert(key, &value);
        Applied::Done
    }

    fn assume_one(&mut self, id: u32, entry: Arc<Entry>, room: Room) -> Applied {
        if !self.has_room(NODE_BYTES, room) {
            return Applied::Full;
        }
        if self.dictionary.assume_one(id, entry) {
            self.bytes = self.bytes.saturating_add(NODE_BYTES);
            Applied::Meaning
        } else {
            Applied::Unchanged
        }
    }

    /// Takes over the announced dictionary from another epoch of the same origin; see
    /// [`Dictionary::assume`]. Returns whether that one is the announced one.
    pub(super) fn assume(&mut self, other: &Dictionary) -> bool {
        let before = self.dictionary.len();
        let assumed = self.dictionary.assume(other);
        let new = self.dictionary.len().saturating_sub(before);
        self.bytes = self.bytes.saturating_add(new * NODE_BYTES);
        assumed
    }

    fn has_room(&self, more: usize, room: Room) -> bool {
        let metrics = self.records.len().max(self.dictionary.len()).max(self.waiting.len());
        metrics < room.metrics && self.bytes.saturating_add(more) <= room.bytes
    }

    fn describe(&mut self, id: u32, entry: Arc<Entry>, room: Room) -> Applied {
        let bytes = entry.size_bytes() + NODE_BYTES;
        if self.dictionary.get(id).is_none() && !self.has_room(bytes, room) {
            return Applied::Full;
        }
        match self.dictionary.describe(id, entry) {
            Described::New => {
                self.bytes = self.bytes.saturating_add(bytes);
                Applied::Meaning
            }
            Described::Same => Applied::Unchanged,
            Described::Confirmed => Applied::Done,
            Described::Corrected => Applied::Meaning,
            Described::Conflict => Applied::Conflict,
        }
    }

    fn record(&mut self, key: MetricKey, at: Ingest, record: Record, room: Room) -> Applied {
        self.stop_waiting(key);
        let bytes = record.value.size_bytes() + NODE_BYTES;
        let Some(known) = self.records.get_mut(key, at) else {
            if !self.has_room(bytes, room) || !self.records.insert(key, at, record, self.generation)
            {
                return Applied::Full;
            }
            self.dirty = true;
            self.bytes = self.bytes.saturating_add(bytes);
            return Applied::Done;
        };
        let before = known.record.value.size_bytes() + NODE_BYTES;
        if self.bytes.saturating_sub(before).saturating_add(bytes) > room.bytes {
            return Applied::Full;
        }
        let is_same = known.dirty != Dirty::Value && known.record.value == record.value;
        let merged = known.record.merge(record);
        if merged == Merged::Ignored {
            return Applied::Unchanged;
        }
        known.dirty = if is_same { Dirty::Seq } else { Dirty::Value };
        known.generation = self.generation;
        self.dirty = true;
        let after = known.record.value.size_bytes() + NODE_BYTES;
        self.bytes = self.bytes.saturating_sub(before).saturating_add(after);
        if merged == Merged::Conflict { Applied::Conflict } else { Applied::Done }
    }

    fn again(&mut self, key: MetricKey, at: Ingest, seq: u64) -> Applied {
        match self.records.get_mut(key, at) {
            Some(known) if seq > known.record.seq => {
                known.record.seq = seq;
                known.dirty = known.dirty.max(Dirty::Seq);
                known.generation = self.generation;
                self.dirty = true;
                Applied::Done
            }
            _ => Applied::Unchanged,
        }
    }

    pub(super) fn stop_waiting(&mut self, key: MetricKey) {
        if !self.waiting.is_empty()
            && let Some(waiting) = self.waiting.remove(&key)
        {
            let freed = waiting.record.value.size_bytes() + NODE_BYTES;
            self.bytes = self.bytes.saturating_sub(freed);
        }
    }

    fn wait(&mut self, key: MetricKey, record: Record, room: Room) -> Applied {
        let bytes = record.value.size_bytes() + NODE_BYTES;
        let Some(waiting) = self.waiting.get_mut(&key) else {
            if !self.has_room(bytes, room) {
                return Applied::Full;
            }
            self.waiting.insert(key, Waiting { record, falls: Falls::default(), dirty: true });
            self.dirty = true;
            self.bytes = self.bytes.saturating_add(bytes);
            return Applied::Done;
        };
        if record.seq <= waiting.record.seq {
            return Applied::Unchanged;
        }
        let before = waiting.record.value.size_bytes() + NODE_BYTES;
        if self.bytes.saturating_sub(before).saturating_add(bytes) > room.bytes {
            return Applied::Full;
        }
        waiting.falls.note(&waiting.record.value, &record.value);
        waiting.record = record;
        (waiting.dirty, self.dirty) = (true, true);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(bytes);
        Applied::Done
    }

    /// Returns the values that have waited for entries that are known now, to be
    /// [observed](Self::observe) again.
    #[must_use]
    pub fn settled(&self) -> Vec<(MetricKey, Record)> {
        let ready = self.waiting.iter().filter_map(|(key, waiting)| {
            let entry = self.dictionary.get(key.id)?;
            let mut record = waiting.record.clone();
            if let Ok(description) = entry.description()
                && wraps(description.kind, description.bits)
            {
                waiting.falls.widen(&mut record.value, description.bits);
            }
            Some((*key, record))
        });
        ready.collect()
    }

    /// Returns everything as changes that make the same data of nothing.
    pub fn changes(&self) -> impl Iterator<Item = Change> {
        let bases = self.bases.iter().map(|(key, base)| Change::Base(key, base));
        let records = self.records.iter();
        let records = records.map(|(key, at, record)| Change::Record(key, at, record.clone()));
        let waiting = self.waiting.iter().map(waiting_change);
        self.words().chain(bases).chain(records).chain(waiting)
    }

    /// Returns everything but values as changes.
    pub(super) fn words(&self) -> impl Iterator<Item = Change> {
        let facts = self.facts.map(Change::Facts);
        let losses = self.losses.map(|(seq, event)| Change::Losses(seq, event));
        let announced = self.dictionary.announced();
        let announced = (announced.len > 0).then_some(Change::Announce(announced));
        let began = self.began_here.map(Change::Began);
        let entries = self.dictionary.known().map(|(id, entry, is_assumed)| {
            let entry = Arc::clone(entry);
            if is_assumed { Change::Assumed(id, entry) } else { Change::Describe(id, entry) }
        });
        let fixed = [facts, losses, announced, began].into_iter().flatten();
        fixed.chain(entries)
    }

    /// Returns the changes of records and waiting values since this was called last.
    pub(super) fn take_values(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        if !std::mem::take(&mut self.dirty) {
            return changes;
        }
        self.records.take_dirty(|key, at, dirty, record| {
            changes.push(match dirty {
                Dirty::Value => Change::Record(key, at, record.clone()),
                _ => Change::Again(key, at, record.seq),
            });
        });
        for (key, waiting) in &mut self.waiting {
            if std::mem::take(&mut waiting.dirty) {
                changes.push(waiting_change((key, waiting)));
            }
        }
        changes
    }

    /// Returns the largest sequence number of a record, `None` without one.
    #[must_use]
    pub fn newest_seq(&self) -> Option<u64> {
        self.records.iter().map(|(.., record)| record.seq).max()
    }

    /// Returns everything as changes, to be made to other data: how data of a provisional identity
    /// moves to the real one.
    #[must_use]
    pub fn into_changes(self) -> (Vec<Change>, Vec<(MetricKey, Record)>) {
        let mut changes = Vec::new();
        changes.extend(self.facts.map(Change::Facts));
        changes.extend(self.losses.map(|(seq, event)| Change::Losses(seq, event)));
        changes.push(Change::Announce(self.dictionary.announced()));
        let entries = self.dictionary.iter();
        changes.extend(entries.map(|(id, entry)| Change::Describe(id, Arc::clone(entry))));
        changes.extend(self.bases.iter().map(|(key, base)| Change::Base(key, base)));
        let records = self.records.into_records();
        let waiting = self.waiting.into_iter().map(|(key, waiting)| (key, waiting.record));
        (changes, records.chain(waiting).collect())
    }
}

fn waiting_change((key, waiting): (&MetricKey, &Waiting)) -> Change {
    Change::Waiting(*key, waiting.record.clone(), waiting.falls.clone())
}
