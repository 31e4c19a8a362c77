//! Sums over devices: counters and histograms of the whole fleet.
//!
//! What a device counted before it was first heard here is left out, or the sum would jump when an
//! old device joins: a rate over it would be events that nobody saw. Silent devices stay in, or it
//! would fall. So the sum only grows, over restarts of devices, and of the receiver if its state is
//! kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use tapes_core::metric::{Descriptor, Value};

use super::Fleet;
use super::identity::EpochKey;
use super::series::{SeriesKey, Total};
use super::state::OriginData;

/// One series, added up over all devices.
#[derive(Debug, Clone)]
pub struct Merged {
    /// What tells it apart.
    pub key: Arc<SeriesKey>,
    /// Its sum.
    pub total: Total,
    /// Name under which Prometheus sees it; `None` if another metric has that name.
    pub family: Option<Arc<str>>,
}

impl Merged {
    /// Calls `f` with what core's encoders take.
    pub fn read<R>(&self, f: impl FnOnce(&Descriptor<'_>, &Value<'_>) -> R) -> R {
        self.total.read(&self.key, &self.key.name, f)
    }
}

impl Fleet {
    /// Adds counters and histograms up over all devices: what was counted since each was first
    /// heard. Values without a common measure with those of devices known for longer are left out.
    ///
    /// Of two [roll-ups](super::rollup) that have a part in common, the one that is known for longer
    /// counts.
    ///
    /// Gauges are not in it: their [spread](super::spread) is a matter of a moment.
    #[must_use]
    pub fn merged(&self) -> Vec<Merged> {
        let catalog = self.catalog();
        let mut sums: BTreeMap<Arc<SeriesKey>, Total> = BTreeMap::new();
        // A device that comes later must not displace one that counts already.
        for (origin, data, _) in self.summable().0 {
            let is_exported = |key, id| catalog.screened(origin, key, id).is_none();
            for (key, observed) in observed(data, is_exported) {
                match sums.get_mut(&key) {
                    // What cannot be added is withheld; the device's own series has it.
                    Some(sum) => drop(sum.add(&observed)),
                    None => {
                        sums.insert(key, observed);
                    }
                }
            }
        }
        let merged = sums.into_iter().map(|(key, total)| {
            let family = catalog.family(total.description()).cloned();
            Merged { key, total, family }
        });
        merged.collect()
    }
}

/// Returns what of a device's series was counted while this receiver's state existed, one life
/// after the other.
pub(super) fn observed(
    data: &OriginData,
    is_exported: impl Fn(EpochKey, u32) -> bool,
) -> Vec<(Arc<SeriesKey>, Total)> {
    let folded = data.folded().observed().map(|(key, total)| (Arc::clone(key), total.clone()));
    let mut observed: Vec<_> = folded.collect();
    for (key, epoch) in data.epochs() {
        for (metric, entry, value) in epoch.values().filter(|(m, ..)| is_exported(key, m.id)) {
            let since = epoch.observed(metric, value).unwrap_or_else(|| value.clone());
            let Some(total) = Total::new(entry, metric.cell, since) else { continue };
            let Some(series) = total.key().filter(|series| series.class.adds_up()) else {
                continue;
            };
            observed.push((series, total));
        }
    }
    observed
}

#[cfg(test)]
mod tests {
    use crate::exposition::{Encoder, Format};
    use crate::fleet::testing::{Bench, Board};
    use crate::fleet::{Limits, Snapshot};

    fn merged(bench: &Bench, name: &str) -> Option<u64> {
        let merged = bench.fleet.merged();
        merged.iter().find(|m| &*m.key.name == name).and_then(|m| m.total.value().count())
    }

    fn introduced(bench: &mut Bench, board: &mut Board) {
        let frames = [board.hello(), board.dict()];
        bench.feed_all(&frames);
    }

    /// A board that joins late gave 1,007,800 events instead of 5,400.
    #[test]
    fn what_was_counted_before_is_left_out() {
        let mut bench = Bench::new(Limits::default());
        let mut young = Board::new(2, 1);
        introduced(&mut bench, &mut young);
        bench.feed_all(&[young.loops(400)]);
        assert_eq!(merged(&bench, "loops"), Some(400), "it began while this receiver ran");
        let mut old = Board::new(1, 1);
        (old.seq, old.uptime) = (1_000_000, 3_600_000_000);
        introduced(&mut bench, &mut old);
        bench.feed_all(&[old.loops(1_002_400)]);
        assert_eq!(merged(&bench, "loops"), Some(400), "first contact is no event");
        bench.feed_all(&[old.loops(1_007_400)]);
        assert_eq!(merged(&bench, "loops"), Some(5_400));
        // Its next life is one that this receiver sees from the start.
        old.reboot(2);
        introduced(&mut bench, &mut old);
        bench.feed_all(&[old.loops(100)]);
        assert_eq!(merged(&bench, "loops"), Some(5_500));
        assert_eq!(bench.exported("loops")[0].1.count(), Some(1_007_500), "alone it is whole");
        bench.wait(100_000);
        assert_eq!(merged(&bench, "loops"), Some(5_500), "the silent stay in");
        assert_eq!(merged(&bench, "heat"), None, "gauges have no sum");
    }

    /// A fold that forgot the base would make the sum jump by what was before.
    #[test]
    fn folding_changes_no_sum() {
        let limits = Limits { epochs_per_origin: 2, ..Limits::default() };
        let mut bench = Bench::new(limits);
        let mut board = Board::new(1, 1);
        (board.seq, board.uptime) = (1_000_000, 3_600_000_000);
        introduced(&mut bench, &mut board);
        bench.feed_all(&[board.loops(1_000), board.loops(1_007)]);
        let mut expected = 7;
        for nonce in 2..6 {
            bench.wait(61);
            board.reboot(nonce);
            introduced(&mut bench, &mut board);
            bench.feed_all(&[board.loops(10)]);
            expected += 10;
            assert_eq!(merged(&bench, "loops"), Some(expected), "life {nonce}");
        }
        assert_eq!(bench.loops(), 1_047);
    }

    /// A scraper must be able to tell the sums from the series of devices.
    #[test]
    fn sums_have_no_device() {
        let mut bench = Bench::new(Limits::default());
        for id in [1, 2] {
            let mut board = Board::new(id, 1);
            introduced(&mut bench, &mut board);
            bench.feed_all(&[board.loops(5)]);
        }
        let mut out = String::new();
        let mut encoder = Encoder::new(&mut out, Format::OpenMetrics);
        Snapshot::default().write_merged(&bench.fleet.merged(), &mut encoder).unwrap();
        encoder.finish().unwrap();
        assert_eq!(out, "# TYPE loops counter\nloops_total 10\n# EOF\n");
    }
}
