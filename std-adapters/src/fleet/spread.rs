//! Gauges over all devices: their sum, mean, smallest, largest and last, told apart by the label
//! `over_devices`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tapes_core::metric::{Descriptor, Kind, Labels, Unit, Value};

use super::series::{Class, SeriesKey};
use super::snapshot::{Series, Snapshot};
use super::value::Stored;
use crate::exposition::FamilyWriter;

/// The label that tells the values apart.
const OVER: &str = "over_devices";

/// One gauge over all devices, in base units.
#[derive(Debug, Clone, Copy)]
struct Spread {
    devices: u32,
    sum: f64,
    min: f64,
    max: f64,
    /// Value of the device that was heard last, and how long ago that was.
    last: (Duration, f64),
}

impl Spread {
    const NONE: Self = Self {
        devices: 0,
        sum: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        last: (Duration::MAX, 0.0),
    };

    fn add(&mut self, value: f64, silence: Duration) {
        if silence < self.last.0 {
            self.last = (silence, value);
        }
        self.devices = self.devices.saturating_add(1);
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }
}

impl Snapshot {
    /// Writes the gauges of all devices that are current, as one.
    pub(super) fn write_spreads(&self, out: &mut dyn FamilyWriter) -> fmt::Result {
        let mut families: BTreeMap<&str, Vec<(Duration, &Series)>> = BTreeMap::new();
        let all = self
            .devices
            .iter()
            .flat_map(|device| device.series.iter().map(|series| (device.silence, series)));
        for (silence, series) in all {
            // One that has the label already would have it twice, and spoil the page for all.
            let has_label = series.key.labels.iter().any(|(name, _)| &**name == OVER);
            if let Some(family) = &series.family
                && series.key.class == Class::Gauge
                && !has_label
                && series.is_fresh
            {
                families.entry(family).or_default().push((silence, series));
            }
        }
        for series in families.values() {
            let first = series.iter().min_by_key(|(_, series)| series.total.help_order());
            if let Some((_, first)) = first {
                first.read(|descriptor, _| out.family(descriptor))?;
            }
            write_family(series, out)?;
        }
        Ok(())
    }
}

fn write_family(series: &[(Duration, &Series)], out: &mut dyn FamilyWriter) -> fmt::Result {
    let mut spreads: BTreeMap<&SeriesKey, (Unit<'_>, Spread)> = BTreeMap::new();
    for (silence, series) in series {
        if let Some(value) = base_value(series) {
            let unit = Unit::new(series.total.unit().base(), 1);
            spreads.entry(&series.key).or_insert((unit, Spread::NONE)).1.add(value, *silence);
        }
    }
    for (key, (unit, spread)) in spreads {
        let labels: Vec<_> = key.labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        let labels = Labels::new(&labels);
        let gauge = Descriptor { labels, ..Descriptor::new(&key.name, Kind::GaugeDouble, unit) };
        for (over, value) in [
            ("sum", spread.sum),
            ("mean", spread.sum / f64::from(spread.devices)),
            ("min", spread.min),
            ("max", spread.max),
            ("last", spread.last.1),
        ] {
            out.sample(&[(OVER, over)], &gauge, 0, &Value::F64(value))?;
        }
    }
    Ok(())
}

fn base_value(series: &Series) -> Option<f64> {
    let raw = match series.total.value() {
        Stored::Unsigned(value) => *value as f64,
        Stored::Signed(value) => *value as f64,
        Stored::F32(bits) => f64::from(f32::from_bits(*bits)),
        Stored::F64(bits) => f64::from_bits(*bits),
        _ => return None,
    };
    let value = raw / f64::from(series.total.unit().per());
    (!value.is_nan()).then_some(value)
}

#[cfg(test)]
mod tests {
    use tapes_core::metric::{Labels, Value};

    use crate::exposition::{Encoder, Format};
    use crate::fleet::Limits;
    use crate::fleet::testing::{Bench, Board};

    /// A label twice makes Prometheus drop the whole page.
    #[test]
    fn a_label_that_is_taken_is_not_there_twice() {
        let mut bench = Bench::new(Limits::default());
        let mut board = Board::new(1, 1);
        board.dictionary[1].labels = Labels::new(&[("over_devices", "sum")]);
        bench.feed_all(&[board.hello(), board.dict(), board.data(&[(1, Value::Unsigned(5))])]);
        let mut out = String::new();
        let snapshot = bench.fleet.snapshot(bench.now);
        assert!(snapshot.devices[0].series.iter().any(|series| series.family.is_some()));
        snapshot.write_merged(&[], &mut Encoder::new(&mut out, Format::Prometheus)).unwrap();
        assert_eq!(out, "");
    }

    /// One hot board among cold ones must be visible where all are one.
    #[test]
    fn gauges_spread_over_devices() {
        let mut bench = Bench::new(Limits::default());
        for (id, heat) in [(2, 70), (1, 20)] {
            let mut board = Board::new(id, 1);
            bench.wait(1);
            bench.feed_all(&[
                board.hello(),
                board.dict(),
                board.data(&[(1, Value::Unsigned(heat))]),
            ]);
        }
        let mut out = String::new();
        let snapshot = bench.fleet.snapshot(bench.now);
        snapshot.write_merged(&[], &mut Encoder::new(&mut out, Format::Prometheus)).unwrap();
        let line = |over: &str, value| format!("heat_celsius{{over_devices=\"{over}\"}} {value}\n");
        let lines = [("sum", 90), ("mean", 45), ("min", 20), ("max", 70), ("last", 20)];
        let lines = lines.map(|(over, value)| line(over, value));
        assert_eq!(out, format!("# TYPE heat_celsius gauge\n{}", lines.concat()));
    }
}
