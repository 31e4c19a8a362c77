//! Writing snapshots: Prometheus text by family, JSON by device.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use tapes_core::metric::Value;
use tapes_core::text::json::{TreeWriter, name_order};
use tapes_core::text::prometheus::{Encoder, Format};

use super::merged::Merged;
use super::series::Total;
use super::snapshot::{DeviceSnapshot, Series, Snapshot};
use crate::exposition::{FamilyWriter, Leaf as _, write_lately, write_part};

impl Snapshot {
    /// Appends everything that is current in a text format that Prometheus reads: each family
    /// once, its series with a `device` label, then the receiver's own metrics.
    ///
    /// `wall` is the time of day at which this snapshot was taken.
    ///
    /// # Errors
    ///
    /// None; writing to a string does not fail.
    pub fn write_metrics(&self, format: Format, wall: SystemTime, out: &mut String) -> fmt::Result {
        let mut encoder = Encoder::new(out, format);
        self.write_families(&mut encoder)?;
        self.write_own(&mut encoder, wall)?;
        encoder.finish()
    }

    /// Writes everything that devices sent and that is current: each family once, its series with
    /// a `device` label.
    ///
    /// If the state is kept, counts are those of all lives of a device, since its first start. If
    /// not, they are those of its newest life, since that began: a sum that this receiver alone
    /// remembers would fall when it restarts, by what earlier lives counted, and whoever reads it
    /// would count all of the rest again.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_families(&self, out: &mut dyn FamilyWriter) -> fmt::Result {
        let labels: Vec<_> = self.devices.iter().map(DeviceSnapshot::extra_labels).collect();
        let mut families = Families::default();
        for (device, labels) in self.devices.iter().zip(&labels) {
            for series in device.series.iter().filter(|series| series.is_fresh) {
                if let Some(family) = &series.family {
                    families.push(family, Member { device, labels, series });
                }
            }
        }
        for members in families.in_order() {
            // Of several texts, the first in order, so that two gateways show the same.
            let first = members.iter().min_by_key(|member| member.series.total.help_order());
            if let Some(Member { series: first, .. }) = first {
                first.read(|descriptor, _| out.family(descriptor))?;
            }
            for Member { device, labels, series } in members {
                let (total, start) = self.exported(device, series);
                let Some(total) = total else { continue };
                out.start(start);
                total.read(&series.key, &series.key.name, |descriptor, value| {
                    out.sample(labels, descriptor, 0, value)
                })?;
            }
            out.start(None);
        }
        Ok(())
    }

    /// Returns what is exported of a series, and since when it counts.
    fn exported<'s>(
        &self,
        device: &DeviceSnapshot,
        series: &'s Series,
    ) -> (Option<&'s Total>, Option<SystemTime>) {
        match self.store {
            Some(_) => (Some(&series.total), device.start),
            None => (series.newest(), device.newest_start),
        }
    }

    /// Writes everything added up over all devices: of counters and histograms what was counted
    /// since each device was first heard, silent ones included, so that no sum ever falls; of the
    /// gauges of this snapshot how they [spread](super::spread).
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_merged(&self, merged: &[Merged], out: &mut dyn FamilyWriter) -> fmt::Result {
        let mut families: BTreeMap<&str, Vec<&Merged>> = BTreeMap::new();
        for series in merged {
            if let Some(family) = &series.family {
                families.entry(family).or_default().push(series);
            }
        }
        for series in families.values() {
            let first = series.iter().min_by_key(|series| series.total.help_order());
            if let Some(first) = first {
                first.read(|descriptor, _| out.family(descriptor))?;
            }
            for series in series {
                series.read(|descriptor, value| out.sample(&[], descriptor, 0, value))?;
            }
        }
        self.write_spreads(out)
    }

    /// Appends the part of the JSON tree below `path`: device, then the segments of names. Returns
    /// false, and appends nothing, if there is none.
    ///
    /// # Errors
    ///
    /// None; writing to a string does not fail.
    pub fn write_stats(&self, path: &[&str], out: &mut String) -> Result<bool, fmt::Error> {
        let Some((wanted, below)) = path.split_first() else {
            let trees: Vec<_> = self.devices.iter().map(|d| (d.name.as_str(), leaves(d))).collect();
            let mut tree = TreeWriter::new(out)?;
            for (name, leaves) in &trees {
                tree.open(name)?;
                leaves.iter().try_for_each(|leaf| leaf.write(&mut tree, leaf.path()))?;
                tree.close()?;
            }
            tree.finish()?;
            return Ok(true);
        };
        match self.devices.iter().find(|device| device.name == *wanted) {
            Some(device) => write_part(&leaves(device), below, out),
            None => Ok(false),
        }
    }
}

/// One series of a family, with its device and the labels that this has.
#[derive(Debug, Clone, Copy)]
struct Member<'s> {
    device: &'s DeviceSnapshot,
    labels: &'s [(&'s str, &'s str)],
    series: &'s Series,
}

/// The series of each family.
#[derive(Debug, Default)]
struct Families<'s> {
    names: Vec<&'s Arc<str>>,
    members: Vec<Vec<Member<'s>>>,
    by_name: BTreeMap<&'s str, usize>,
    /// The family that the next series is of if its device has the metrics of the one before.
    next: usize,
}

impl<'s> Families<'s> {
    fn push(&mut self, name: &'s Arc<str>, member: Member<'s>) {
        let next = self.names.get(self.next);
        let place = if next.is_some_and(|next| Arc::ptr_eq(next, name)) {
            self.next
        } else {
            *self.by_name.entry(name).or_insert_with(|| {
                self.names.push(name);
                self.members.push(Vec::new());
                self.names.len() - 1
            })
        };
        self.next = place + 1;
        if let Some(members) = self.members.get_mut(place) {
            members.push(member);
        }
    }

    fn in_order(&self) -> impl Iterator<Item = &[Member<'s>]> {
        self.by_name.values().filter_map(|place| self.members.get(*place)).map(Vec::as_slice)
    }
}

/// One series and its place in the tree of its device.
struct Leaf<'s> {
    /// Segments joined by dots.
    path: String,
    series: &'s Series,
}

impl crate::exposition::Leaf for Leaf<'_> {
    fn path(&self) -> &str {
        &self.path
    }

    fn write<'n>(&'n self, tree: &mut TreeWriter<'_, 'n>, path: &'n str) -> fmt::Result {
        let Series { total, rates, recent, is_fresh, .. } = self.series;
        let value = total.value().as_value(total.kind().buckets());
        // What a silent device measured last is no measurement of now.
        let is_stale = !is_fresh && total.kind().is_gauge();
        let descriptor = tapes_core::metric::Descriptor::new(path, total.kind(), total.unit());
        let value = if is_stale { Value::Null } else { value };
        write_lately(tree, &descriptor, &value, *rates, recent.as_deref())
    }
}

/// Returns the series of a device in the order of the tree, each at a place of its own.
///
/// The metrics of a family lie below its name, by the values of their labels. Metrics that differ
/// in constant labels only do so too.
fn leaves(device: &DeviceSnapshot) -> Vec<Leaf<'_>> {
    let leaf = |series| Leaf { path: place(series, false), series };
    let mut leaves: Vec<_> = device.series.iter().map(leaf).collect();
    leaves.sort_by(|a, b| name_order(&a.path, &b.path));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for leaf in &leaves {
        *seen.entry(leaf.path.clone()).or_default() += 1;
    }
    for leaf in &mut leaves {
        if seen.get(&leaf.path).is_some_and(|times| *times > 1) {
            leaf.path = place(leaf.series, true);
        }
    }
    leaves.sort_by(|a, b| name_order(&a.path, &b.path));
    leaves.dedup_by(|later, first| later.path == first.path);
    leaves
}

fn place(series: &Series, with_labels: bool) -> String {
    let description = series.total.description();
    let constant = series.key.labels.iter().map(|(name, _)| &**name);
    let constant = constant.filter(|name| with_labels && !description.is_dimension(name));
    let mut path = series.key.name.to_string();
    for name in constant.chain(description.dimensions()) {
        if let Some((_, value)) = series.key.labels.iter().find(|(label, _)| **label == *name) {
            path.push('.');
            path.extend(value.chars().map(|c| if c == '.' { '_' } else { c }));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use tapes_core::metric::{
        Buckets, Counts, Descriptor, Dimension, Dimensions, Distribution, Kind, Labels, Unit, Value,
    };
    use tapes_core::text::prometheus::Format;

    use super::super::testing::{Bench, Board};
    use super::super::{Fleet, Limits, LinkKind, NodeId, Snapshot};

    const FAULTS: [Dimension<'static>; 1] =
        [Dimension { name: "fault", values: &["overheat", "stall"] }];

    fn board() -> Board {
        let mut board = Board::new(0xe6, 1);
        let labelled = |labels: &'static [(&str, &str)]| Descriptor {
            labels: Labels::new(labels),
            ..Descriptor::new("motor.heat", Kind::GaugeUint, Unit::CELSIUS)
        };
        board.dictionary = vec![
            Descriptor {
                help: "Passes.",
                ..Descriptor::new("motor.loops", Kind::Meter, Unit::NONE)
            },
            labelled(&[("axis", "x.1")]),
            labelled(&[("axis", "y")]),
            Descriptor {
                dimensions: Dimensions::new(&FAULTS),
                ..Descriptor::new("faults", Kind::Counter, Unit::NONE)
            },
        ];
        board
    }

    fn snapshot() -> Snapshot {
        let mut bench = Bench::new(Limits::default());
        let mut board = board();
        bench.feed_all(&[board.hello(), board.dict()]);
        let values = [(0, Value::Unsigned(3)), (1, Value::Unsigned(40)), (2, Value::Unsigned(50))];
        bench.feed_all(&[board.data(&values), board.family(3, &[(1, Value::Unsigned(2))])]);
        bench.fleet.snapshot(bench.now + Duration::from_secs(1))
    }

    /// A quantile of a month hides the fault of this minute; one of a silent board repeats it.
    #[test]
    fn quantiles_are_those_of_the_window() {
        const GEOMETRY: Buckets = Buckets { scale: 0, first: 0, len: 20 };
        let mut bench = Bench::new(Limits::default());
        let mut board = Board::new(0xe6, 1);
        board.dictionary = vec![Descriptor::new("wait", Kind::Histogram(GEOMETRY), Unit::NONE)];
        bench.feed_all(&[board.hello(), board.dict()]);
        let mut report = |bench: &mut Bench, slow: u64, fast: u64, seconds: u64| {
            bench.wait(seconds);
            board.uptime += seconds * u64::from(Board::HZ);
            let buckets = [0, 0, fast, 0, 0, 0, 0, 0, 0, slow];
            let counts = Counts { sum: 600 * slow + 5 * fast, max: Some(700), ..Counts::default() };
            let counts = Counts { min: Some(5), buckets: &buckets, ..counts };
            let value = Value::Distribution(Distribution::new(GEOMETRY, counts));
            bench.feed_all(&[board.data(&[(0, value)])]);
        };
        let stats = |bench: &Bench| -> serde_json::Value {
            let mut json = String::new();
            let snapshot = bench.fleet.snapshot(bench.now);
            assert!(snapshot.write_stats(&["e6", "wait"], &mut json).unwrap());
            serde_json::from_str(&json).unwrap()
        };
        report(&mut bench, 1_000, 0, 10);
        (1..20).for_each(|n| report(&mut bench, 1_000, 30 * n, 10));
        let now = stats(&bench);
        let is_near =
            |key: &str, value: f64| (now[key].as_f64().unwrap() / value - 1.0).abs() < 0.34;
        assert!(is_near("q50", 5.0) && is_near("q99", 5.0) && is_near("decayed_q50", 5.0), "{now}");
        assert!(is_near("lifetime_q50", 600.0) && is_near("window_rate", 3.0), "{now}");
        assert_eq!((now["window_max"].as_f64(), now["max"].as_f64()), (Some(8.0), Some(700.0)));
        bench.wait(600);
        let silent = stats(&bench);
        assert!(silent["q50"].is_null() && silent["decayed_q99"].is_null(), "{silent}");
        assert!(silent["lifetime_q50"].is_number(), "{silent}");
        bench.fleet =
            Fleet::new(NodeId([9; 16]), Limits { window: Duration::ZERO, ..Limits::default() });
        bench.link = bench.fleet.open_link("radio", LinkKind::Socket).unwrap();
        bench.feed_all(&[board.hello(), board.dict()]);
        let value = Value::Distribution(Distribution::new(GEOMETRY, Counts::default()));
        bench.feed_all(&[board.data(&[(0, value)])]);
        let plain = stats(&bench);
        assert!(plain["q50"].is_number() && plain.get("window_count").is_none(), "{plain}");
    }

    /// Two devices under one `# TYPE` line, every series with its device.
    #[test]
    fn metrics_are_grouped_by_family_with_a_device_label() {
        let mut bench = Bench::new(Limits::default());
        for id in [1, 2] {
            let mut board = Board::new(id, 1);
            bench.feed_all(&[board.hello(), board.dict(), board.loops(u64::from(id) * 10)]);
        }
        let mut text = String::new();
        let snapshot = bench.fleet.snapshot(bench.now);
        let wall = UNIX_EPOCH + Duration::from_millis(1_500);
        snapshot.write_metrics(Format::OpenMetrics, wall, &mut text).unwrap();
        let expected = "# TYPE loops counter\n\
                        loops_total{device=\"01\"} 10\n\
                        loops_total{device=\"02\"} 20\n";
        assert!(text.starts_with(expected), "{text}");
        for line in [
            "tapes_device_up{device=\"01\"} 1\n",
            "tapes_device_last_seen_timestamp_seconds{device=\"02\"} 1.5\n",
            "tapes_device_info{device=\"01\",build=\"0000000000000007\",reset_reason=\"power_on\"} 1\n",
            "tapes_device_boots_total{device=\"01\"} 1\n",
            "tapes_frames_received_total{link=\"radio\"} 6\n",
            "# EOF\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    /// tapes' users walk the tree by the segments of names.
    #[test]
    fn stats_nest_by_device_and_name() {
        let snapshot = snapshot();
        let stats = |path: &[&str]| {
            let mut out = String::new();
            let found = snapshot.write_stats(path, &mut out).unwrap();
            found.then_some(out)
        };
        let faults = r#"{"stall":{"value":2}}"#;
        let heat = r#"{"x_1":{"value":40},"y":{"value":50}}"#;
        let loops = r#"{"count":3,"m1":0,"m5":0,"m15":0,"mean_rate":10}"#;
        let motor = format!(r#"{{"heat":{heat},"loops":{loops}}}"#);
        let device = format!(r#"{{"faults":{faults},"motor":{motor}}}"#);
        for (path, expected) in [
            (&[][..], Some(format!(r#"{{"e6":{device}}}"#))),
            (&["e6"], Some(device.clone())),
            (&["e6", "motor"], Some(motor.clone())),
            (&["e6", "motor", "heat"], Some(heat.to_owned())),
            (&["e6", "motor", "loops"], Some(loops.to_owned())),
            (&["e6", "motor", "heat", "y"], Some(r#"{"value":50}"#.to_owned())),
            (&["e6", "mot"], None),
            (&["e6", "motor", "loops", "count"], None),
            (&["ff"], None),
        ] {
            assert_eq!(stats(path), expected, "{path:?}");
        }
    }
}
