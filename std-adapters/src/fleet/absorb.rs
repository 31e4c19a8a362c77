//! From a frame to changes: the same for epochs of the state and for those kept aside.

use std::time::Duration;

use tapes_core::wire::{Body, DataBody, Frame, Origin, Reading};

use super::device::DeviceCounts;
use super::dictionary::Entries;
use super::epoch::{Applied, Change, EpochData, Facts, Room};
use super::identity::{EpochKey, MetricKey, NodeId};
use super::intake::{Intake, Taken};
use super::limits::Limits;
use super::record::Record;
use super::refusal::Refusal;
use super::state::{Mutation, State};
use super::value::Stored;

/// Data that frames change.
pub(super) trait Target {
    fn data(&self) -> Option<&EpochData>;

    fn apply(&mut self, change: Change) -> Applied;

    /// Calls `f` with the data, the room it has, and a list for the bases it makes; it may change
    /// values otherwise. `None` if there is no data.
    fn edit<R>(&mut self, f: impl FnOnce(&mut EpochData, Room, &mut Vec<Change>) -> R)
    -> Option<R>;

    /// Looks for the announced dictionary elsewhere. Returns whether it was found.
    fn assume(&mut self) -> bool;
}

/// An epoch of the state.
#[derive(Debug)]
pub(super) struct Bound<'s> {
    pub(super) state: &'s mut State,
    pub(super) limits: &'s Limits,
    pub(super) origin: Origin,
    pub(super) key: EpochKey,
}

impl Target for Bound<'_> {
    fn data(&self) -> Option<&EpochData> {
        self.state.epoch(self.origin, self.key)
    }

    fn apply(&mut self, change: Change) -> Applied {
        self.state.apply(self.origin, self.key, Mutation::Change(change), self.limits)
    }

    fn edit<R>(
        &mut self,
        f: impl FnOnce(&mut EpochData, Room, &mut Vec<Change>) -> R,
    ) -> Option<R> {
        self.state.edit(self.origin, self.key, self.limits, f)
    }

    fn assume(&mut self) -> bool {
        let applied = self.state.apply(self.origin, self.key, Mutation::Assume, self.limits);
        applied == Applied::Meaning
    }
}

/// An epoch that is no part of the state: unbound, held, or suspect.
#[derive(Debug)]
pub(super) struct Loose<'d> {
    pub(super) data: &'d mut EpochData,
    pub(super) room: Room,
}

impl<'d> Loose<'d> {
    pub(super) const fn new(data: &'d mut EpochData, limits: &Limits) -> Self {
        let room = Room { metrics: limits.metrics_per_epoch, bytes: limits.bytes_per_loose_epoch };
        Self { data, room }
    }
}

impl Target for Loose<'_> {
    fn data(&self) -> Option<&EpochData> {
        Some(self.data)
    }

    fn apply(&mut self, change: Change) -> Applied {
        self.data.apply(change, self.room)
    }

    fn edit<R>(
        &mut self,
        f: impl FnOnce(&mut EpochData, Room, &mut Vec<Change>) -> R,
    ) -> Option<R> {
        Some(f(self.data, self.room, &mut Vec::new()))
    }

    fn assume(&mut self) -> bool {
        false
    }
}

/// What absorbing needs besides the target.
#[derive(Debug)]
pub(super) struct Absorber<'a> {
    pub(super) entries: &'a mut Entries,
    pub(super) node: NodeId,
    pub(super) counts: &'a mut DeviceCounts,
    /// Uptime of the frame, if there is one and its tick rate is known.
    pub(super) uptime: Option<Duration>,
    /// Whether a value was news.
    pub(super) news: bool,
    /// The last histogram that was read, for its memory.
    histogram: Stored,
}

impl<'a> Absorber<'a> {
    pub(super) const fn new(
        entries: &'a mut Entries,
        node: NodeId,
        counts: &'a mut DeviceCounts,
    ) -> Self {
        Self { entries, node, counts, uptime: None, news: false, histogram: Stored::Null }
    }

    /// Makes all changes that a frame means.
    pub(super) fn frame(
        &mut self,
        target: &mut impl Target,
        frame: &Frame<'_>,
        body: &Body<'_>,
    ) -> Result<(), Refusal> {
        let seq = frame.header.seq;
        self.announce(target, frame);
        match body {
            Body::Hello(hello) => self.change(target, Change::Facts(Facts::from(hello))),
            Body::Event(event) => self.change(target, Change::Losses(seq, *event)),
            Body::Dict(entries) => {
                for (id, body, descriptor) in *entries {
                    match self.entries.intern(body, descriptor.as_ref()) {
                        Some(entry) => self.change(target, Change::Describe(id, entry)),
                        None => self.counts.misfits += 1,
                    }
                }
                self.settle(target);
            }
            Body::Data(values) => {
                let result =
                    target.edit(|data, room, bases| self.data((data, room, bases), *values, seq));
                return result.unwrap_or(Ok(()));
            }
            // A frame of a later version.
            _ => {}
        }
        Ok(())
    }

    /// Moves all data of one epoch to another one.
    pub(super) fn adopt(&mut self, target: &mut impl Target, data: EpochData) {
        let (changes, records) = data.into_changes();
        changes.into_iter().for_each(|change| self.change(target, change));
        target.assume();
        records.into_iter().for_each(|(key, record)| self.record(target, key, record));
        self.settle(target);
    }

    fn announce(&mut self, target: &mut impl Target, frame: &Frame<'_>) {
        let announced = frame.header.dictionary;
        let known = target.data().map_or(0, |data| data.dictionary().announced().len);
        if announced.len > known {
            self.change(target, Change::Announce(announced));
            self.assume(target);
        }
    }

    /// Takes over the announced dictionary from another epoch, if one has it.
    pub(super) fn assume(&mut self, target: &mut impl Target) {
        if target.assume() {
            self.settle(target);
        }
    }

    fn data(
        &mut self,
        (data, room, bases): (&mut EpochData, Room, &mut Vec<Change>),
        values: DataBody<'_>,
        seq: u64,
    ) -> Result<(), Refusal> {
        let intake = Intake { uptime: self.uptime, node: self.node, room };
        let mut reading = |key, reading: &Reading<'_>| {
            let mut plain = Stored::Null;
            let is_histogram = matches!(reading, Reading::Histogram(_));
            let value = if is_histogram { &mut self.histogram } else { &mut plain };
            if value.read(reading) {
                let taken = data.take_in(key, seq, value, &intake, bases);
                note(self.counts, &mut self.news, taken);
            } else {
                self.counts.misfits += 1;
            }
        };
        for value in values {
            let (id, value) = value.map_err(|_| Refusal::Entry)?;
            if let Reading::Family(cells) = value {
                for (cell, value) in cells {
                    reading(MetricKey { id, cell }, &value);
                }
            } else {
                reading(MetricKey::new(id), &value);
            }
        }
        Ok(())
    }

    fn record(&mut self, target: &mut impl Target, key: MetricKey, mut record: Record) {
        let (uptime, node) = (self.uptime, self.node);
        let taken = target.edit(|data, room, bases| {
            let intake = Intake { uptime, node, room };
            data.take_in(key, record.seq, &mut record.value, &intake, bases)
        });
        if let Some(taken) = taken {
            note(self.counts, &mut self.news, taken);
        }
    }

    /// Gives the values that waited for their entries their meaning.
    fn settle(&mut self, target: &mut impl Target) {
        let settled = target.data().map(EpochData::settled).unwrap_or_default();
        settled.into_iter().for_each(|(key, record)| self.record(target, key, record));
    }

    fn change(&mut self, target: &mut impl Target, change: Change) {
        let is_value = matches!(change, Change::Record(..) | Change::Undescribed(..));
        let mut news = false;
        note(self.counts, &mut news, Taken::Applied(target.apply(change)));
        self.news |= is_value && news;
    }
}

/// Counts what became of a value or another change.
fn note(counts: &mut DeviceCounts, news: &mut bool, taken: Taken) {
    match taken {
        Taken::Applied(Applied::Done) => *news = true,
        Taken::Applied(Applied::Conflict) => {
            *news = true;
            counts.conflicts += 1;
        }
        Taken::Applied(Applied::Full) => counts.full += 1,
        Taken::Applied(Applied::Unchanged | Applied::Meaning) | Taken::Stale => {}
        Taken::Misfit => counts.misfits += 1,
        Taken::Fallen => counts.conflicts += 1,
    }
}
