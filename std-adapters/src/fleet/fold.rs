//! Old epochs in little room: their sums, and who they were.
//!
//! Folding is local and final. A tombstone remembers the epoch, so that a late frame of it is
//! refused instead of counted a second time.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::size_of;

use super::epoch::EpochData;
use super::identity::EpochKey;
use super::series::{SeriesKey, Total};

/// The sums of folded epochs of one origin.
#[derive(Debug, Clone, Default)]
pub struct Folded {
    totals: BTreeMap<SeriesKey, Total>,
    tombstones: BTreeSet<EpochKey>,
    /// Epochs of a known order up to this one are folded, with or without a tombstone.
    order_max: u32,
    /// Values that could not be added exactly and are gone.
    misfits: u64,
    bytes: usize,
}

impl Folded {
    /// Returns whether frames of an epoch come too late.
    #[must_use]
    pub fn has(&self, key: EpochKey) -> bool {
        let any_part = EpochKey { part: 0, ..key }..=EpochKey { part: u16::MAX, ..key };
        let is_old = key.order != 0 && key.order <= self.order_max;
        is_old || self.tombstones.range(any_part).next().is_some()
    }

    /// Returns the sums by series.
    pub fn totals(&self) -> impl Iterator<Item = (&SeriesKey, &Total)> {
        self.totals.iter()
    }

    /// Returns the number of values that could not be added exactly and are gone.
    #[must_use]
    pub const fn misfits(&self) -> u64 {
        self.misfits
    }

    /// Returns an estimate of the memory taken, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an epoch to the sums. Returns false, and changes nothing, if it could not be remembered
    /// as folded: all tombstones are in use and none can be dropped safely.
    pub(super) fn fold(&mut self, key: EpochKey, data: &EpochData, tombstones_max: usize) -> bool {
        if !self.bury(key, tombstones_max) {
            return false;
        }
        for (metric, entry, value) in data.values() {
            let Some(total) = Total::new(entry, value) else { continue };
            let Some(series) = SeriesKey::of(total.description(), metric.cell) else { continue };
            if !series.class.adds_up() {
                continue;
            }
            match self.totals.get_mut(&series) {
                Some(sum) => self.misfits += u64::from(sum.add(&total).is_err()),
                None => {
                    let size = size_of::<Total>() + total.value().size_bytes() + series.name.len();
                    self.bytes = self.bytes.saturating_add(size);
                    self.totals.insert(series, total);
                }
            }
        }
        true
    }

    fn bury(&mut self, key: EpochKey, tombstones_max: usize) -> bool {
        if self.tombstones.len() >= tombstones_max {
            // Of epochs with a known order, the largest folded one stands for all before it.
            let ordered: Vec<_> =
                self.tombstones.iter().filter(|t| t.order != 0).copied().collect();
            let Some(oldest) = ordered.into_iter().min_by_key(|t| t.order) else { return false };
            self.tombstones.remove(&oldest);
            self.order_max = self.order_max.max(oldest.order);
            self.bytes = self.bytes.saturating_sub(size_of::<EpochKey>());
        }
        if self.tombstones.insert(key) {
            self.bytes = self.bytes.saturating_add(size_of::<EpochKey>());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{EpochData, EpochKey, Folded};

    fn key(order: u32, nonce: u32) -> EpochKey {
        EpochKey { order, nonce, part: 0 }
    }

    /// A late frame of a folded boot gave 2022 instead of 1017 when it opened the epoch again.
    #[test]
    fn a_folded_epoch_stays_folded() {
        let mut folded = Folded::default();
        assert!(folded.fold(key(0, 7), &EpochData::default(), 2));
        assert!(folded.has(key(0, 7)));
        assert!(folded.has(EpochKey { part: 3, ..key(0, 7) }));
        assert!(!folded.has(key(0, 8)));
    }

    /// Dropping a tombstone of unknown order would let its late frames count twice.
    #[test]
    fn tombstones_are_bounded_and_dropped_only_where_an_order_replaces_them() {
        let mut folded = Folded::default();
        let empty = EpochData::default();
        assert!(folded.fold(key(5, 1), &empty, 2));
        assert!(folded.fold(key(0, 2), &empty, 2));
        assert!(folded.fold(key(6, 3), &empty, 2), "order 5 gives way");
        assert!(folded.has(key(5, 1)) && folded.has(key(4, 9)));
        assert!(folded.fold(key(0, 4), &empty, 2), "order 6 gives way");
        assert!(!folded.fold(key(0, 5), &empty, 2), "none of known order is left");
        assert!(folded.has(key(0, 2)) && folded.has(key(0, 4)) && !folded.has(key(0, 5)));
    }
}
