//! One received value, taken in: where most of the time of a frame goes.
//!
//! A value that follows a known one is compared and copied in its place; anything else goes the
//! way of [`EpochData::observe`] and [`EpochData::apply`], which this must agree with.

use std::time::Duration;

use super::epoch::{Applied, Change, EpochData, NODE_BYTES, Observed, Room};
use super::identity::{Ingest, MetricKey, NodeId};
use super::record::Record;
use super::records::{Dirty, Kept};
use super::series::Class;
use super::value::Stored;
use super::widen::{fell, widen_in_place, wraps};

/// What a value is taken in with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intake {
    /// Uptime of the frame, if there is one and its tick rate is known.
    pub(super) uptime: Option<Duration>,
    /// Who widens values here.
    pub(super) node: NodeId,
    pub(super) room: Room,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was made a record, or waits for its entry.
    Applied(Applied),
    /// As [`Observed::Stale`].
    Stale,
    /// As [`Observed::Misfit`].
    Misfit,
    /// As [`Observed::Fallen`].
    Fallen,
}

impl EpochData {
    /// Takes in a value, which is of no use afterwards. First values that are kept as bases are
    /// added to `bases`.
    pub(super) fn take_in(
        &mut self,
        key: MetricKey,
        seq: u64,
        value: &mut Stored,
        intake: &Intake,
        bases: &mut Vec<Change>,
    ) -> Taken {
        if let Some(taken) = self.take_next(key, seq, value, intake) {
            return taken;
        }
        let record = Record { seq, value: value.clone() };
        let change = match self.observe(key, record, intake.uptime, intake.node) {
            Observed::Change(change) => change,
            Observed::Stale => return Taken::Stale,
            Observed::Misfit => return Taken::Misfit,
            Observed::Fallen => return Taken::Fallen,
        };
        if let Change::Record(key, _, record) = &change
            && self.wants_base(*key)
        {
            let base = Change::Base(*key, record.value.clone());
            if self.apply(base.clone(), intake.room) == Applied::Done {
                bases.push(base);
            }
        }
        Taken::Applied(self.apply(change, intake.room))
    }

    /// Puts a value in the place of an older one. `None` if there is none, or more to it.
    fn take_next(
        &mut self,
        key: MetricKey,
        seq: u64,
        value: &mut Stored,
        intake: &Intake,
    ) -> Option<Taken> {
        let description = self.dictionary.get(key.id)?.description().ok()?;
        let (kind, bits) = (description.kind, description.bits);
        if !value.fits(kind) || (key.cell > 0 && key.cell >= description.cells()) {
            return Some(Taken::Misfit);
        }
        let wraps = wraps(kind, bits);
        let ingest = if wraps { Ingest::Widened(intake.node) } else { Ingest::Absolute };
        let at = self.records.find(key, ingest).ok()?;
        let Kept { dirty, generation, record, .. } = self.records.at_mut(at)?;
        if seq <= record.seq {
            // Late, or a conflict.
            return None;
        }
        if Class::of(kind).adds_up() && fell(&record.value, value, bits, intake.uptime) {
            return Some(Taken::Fallen);
        }
        if wraps {
            widen_in_place(&record.value, value, bits);
        }
        let is_known = record.value == *value;
        if !is_known {
            let (before, after) = (record.value.size_bytes(), value.size_bytes());
            let others = self.bytes.saturating_sub(before + NODE_BYTES);
            if after > before && others.saturating_add(after + NODE_BYTES) > intake.room.bytes {
                return Some(Taken::Applied(Applied::Full));
            }
            record.value.set(value);
            self.bytes = others.saturating_add(record.value.size_bytes() + NODE_BYTES);
        }
        record.seq = seq;
        let news = if is_known { Dirty::Seq } else { Dirty::Value };
        *dirty = news.max(*dirty);
        *generation = self.generation;
        (self.dirty, self.is_open) = (true, true);
        self.stop_waiting(key);
        Some(Taken::Applied(Applied::Done))
    }
}
