//! Old epochs in little room: their sums, and who they were.
//!
//! Folding is local and final. A tombstone remembers the epoch, so that a late frame of it is
//! refused instead of counted a second time.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::size_of;
use std::sync::Arc;

use super::epoch::EpochData;
use super::identity::EpochKey;
use super::series::{SeriesKey, Total};
use super::value::Stored;

/// Returns the memory of a sum, in bytes; an estimate.
fn size_bytes(key: &SeriesKey, total: &Total) -> usize {
    size_of::<Total>() + total.value().size_bytes() + key.name.len()
}

/// The sums of folded epochs of one origin.
#[derive(Debug, Clone, Default)]
pub struct Folded {
    totals: BTreeMap<Arc<SeriesKey>, Total>,
    /// What of the sums was counted while this receiver's state existed, where that is less.
    observed: BTreeMap<Arc<SeriesKey>, Total>,
    tombstones: BTreeSet<EpochKey>,
    /// Epochs of a known order up to this one are folded, with or without a tombstone.
    order_max: u32,
    /// Values that could not be added exactly and are gone.
    misfits: u64,
    bytes: usize,
}

/// A part of what folding left behind: what a saved state consists of.
#[derive(Debug, Clone)]
pub enum Remains {
    /// The epoch is folded.
    Tombstone,
    /// All epochs up to this order are folded.
    OrderMax(u32),
    /// So many values could not be added.
    Misfits(u64),
    /// The sum of a series.
    Total(Box<Total>),
    /// What of the sum was counted while this receiver's state existed.
    Observed(Box<Total>),
}

impl Folded {
    /// Returns whether frames of an epoch come too late.
    #[must_use]
    pub fn has(&self, key: EpochKey) -> bool {
        let any_part = EpochKey { part: 0, ..key }..=EpochKey { part: u16::MAX, ..key };
        let is_old = key.order != 0 && key.order <= self.order_max;
        is_old || self.tombstones.range(any_part).next().is_some()
    }

    /// Returns whether this very part of an epoch is folded and remembered.
    pub(super) fn is_folded(&self, key: EpochKey) -> bool {
        self.tombstones.contains(&key)
    }

    /// Returns the sums by series.
    pub fn totals(&self) -> impl Iterator<Item = (&Arc<SeriesKey>, &Total)> {
        self.totals.iter()
    }

    /// Returns by series what was counted while this receiver's state existed.
    pub fn observed(&self) -> impl Iterator<Item = (&Arc<SeriesKey>, &Total)> {
        self.totals.iter().map(|(key, total)| (key, self.observed.get(key).unwrap_or(total)))
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

    /// Returns everything, to be [restored](Self::restore) elsewhere; tombstones with their epoch.
    pub(super) fn remains(&self) -> impl Iterator<Item = (EpochKey, Remains)> {
        let nobody = EpochKey { order: 0, nonce: 0, part: 0 };
        let boxed = |total: &Total| Box::new(total.clone());
        let tombstones = self.tombstones.iter().map(|key| (*key, Remains::Tombstone));
        let order_max = (self.order_max > 0).then_some((nobody, Remains::OrderMax(self.order_max)));
        let misfits = (self.misfits > 0).then_some((nobody, Remains::Misfits(self.misfits)));
        let totals = self.totals.values();
        let totals = totals.map(move |total| (nobody, Remains::Total(boxed(total))));
        let observed = self.observed.values();
        let observed = observed.map(move |total| (nobody, Remains::Observed(boxed(total))));
        tombstones.chain(order_max).chain(misfits).chain(totals).chain(observed)
    }

    /// Takes in a part of what folding left behind.
    pub(super) fn restore(&mut self, key: EpochKey, remains: Remains) {
        match remains {
            Remains::Tombstone => {
                if self.tombstones.insert(key) {
                    self.bytes = self.bytes.saturating_add(size_of::<EpochKey>());
                }
            }
            Remains::OrderMax(order) => self.order_max = self.order_max.max(order),
            Remains::Misfits(misfits) => self.misfits = self.misfits.max(misfits),
            Remains::Total(total) => {
                let Some(key) = total.key() else { return };
                self.bytes = self.bytes.saturating_add(size_bytes(&key, &total));
                self.totals.insert(key, *total);
            }
            Remains::Observed(total) => {
                let Some(key) = total.key() else { return };
                self.bytes = self.bytes.saturating_add(size_bytes(&key, &total));
                self.observed.insert(key, *total);
            }
        }
    }

    /// Adds an epoch to the sums. Returns false, and changes nothing, if it could not be remembered
    /// as folded: all tombstones are in use and none can be dropped safely.
    pub(super) fn fold(&mut self, key: EpochKey, data: &EpochData, tombstones_max: usize) -> bool {
        if !self.bury(key, tombstones_max) {
            return false;
        }
        for (metric, entry, value) in data.values() {
            let Some(total) = Total::new(entry, metric.cell, value.clone()) else { continue };
            let Some(series) = total.key() else { continue };
            if series.class.adds_up() {
                self.add(series, total, data.observed(metric, value));
            }
        }
        true
    }

    /// Adds the value of an epoch, and what of it was counted while this receiver's state existed
    /// if that is less.
    fn add(&mut self, series: Arc<SeriesKey>, total: Total, observed: Option<Stored>) {
        let observed = observed.and_then(|o| Total::new(total.entry(), total.cell(), o));
        let size = size_bytes(&series, &total);
        if observed.is_some() || self.observed.contains_key(&series) {
            let observed = observed.unwrap_or_else(|| total.clone());
            match (self.observed.get_mut(&series), self.totals.get(&series)) {
                // The sums below tell of a misfit.
                (Some(sum), _) => drop(sum.add(&observed)),
                (None, before) => {
                    let sum = match before.cloned() {
                        Some(mut sum) => sum.add(&observed).map(|()| sum),
                        None => Ok(observed),
                    };
                    if let Ok(sum) = sum {
                        self.bytes = self.bytes.saturating_add(size);
                        self.observed.insert(Arc::clone(&series), sum);
                    }
                }
            }
        }
        match self.totals.get_mut(&series) {
            Some(sum) => self.misfits += u64::from(sum.add(&total).is_err()),
            None => {
                self.bytes = self.bytes.saturating_add(size);
                self.totals.insert(series, total);
            }
        }
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
