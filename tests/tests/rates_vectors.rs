//! Rates against the reference vectors of tapes and Dropwizard.

use serde_json::Value;
use tapes_core::rates::{Ewma, RateReading, Ticks};

const VECTORS: &str = include_str!("../vectors/vectors.json");

/// Nanoseconds.
const HZ: u32 = 1_000_000_000;

/// Relative error of an `f32` rate after `ticks` ticks: the rounding of the constants, once a
/// tick.
fn tolerance(ticks: u64) -> f64 {
    2e-6 + 1e-7 * ticks as f64
}

fn assert_close(actual: f32, expected: f64, tolerance: f64, what: &str) {
    let actual = f64::from(actual);
    let tiny = f64::from(f32::MIN_POSITIVE);
    assert!(
        (actual - expected).abs() <= expected.abs() * tolerance || expected.abs() < tiny,
        "{what}: {actual:e} instead of {expected:e}"
    );
}

fn assert_rates(actual: &RateReading, expected: &Value, ticks: u64, what: &str) {
    for (name, rate) in [("m1", actual.m1), ("m5", actual.m5), ("m15", actual.m15)] {
        assert_close(rate, number(&expected[name]), tolerance(ticks), &format!("{what} {name}"));
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn vectors(name: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(VECTORS).expect("valid JSON");
    vectors[name].as_array().expect("an array").clone()
}

/// A meter that ticks as those of tapes do: at each mark and at each read.
struct Meter {
    ticks: Ticks,
    ewma: Ewma,
    count: u64,
    total_ticks: u64,
}

impl Meter {
    fn advance(&mut self, now: u64) {
        let due = self.ticks.advance(now);
        self.total_ticks += due;
        self.ewma.advance(due, self.count);
    }

    fn mark(&mut self, now: u64, n: u64) {
        self.advance(now);
        self.count += n;
        self.advance(now);
    }
}

/// Rates that differ from those of tapes at the same marks would not be the same metric.
#[test]
fn meter_scripts() {
    let mut checked = 0;
    for script in vectors("meter_scripts") {
        let name = script["name"].as_str().expect("a name");
        let marks = script["marks"].as_array().expect("marks");
        if marks.iter().any(|mark| mark["n"].as_i64() < Some(0)) {
            // Counters only grow here.
            continue;
        }
        let created = script["created_ns"].as_u64().expect("a time");
        let mut meter =
            Meter { ticks: Ticks::new(created, HZ), ewma: Ewma::new(0), count: 0, total_ticks: 0 };
        let mut marks = marks.iter().peekable();
        for read in script["reads"].as_array().expect("reads") {
            let now = read["t_ns"].as_u64().expect("a time");
            while let Some(mark) = marks.next_if(|mark| mark["t_ns"].as_u64() <= Some(now)) {
                meter.mark(
                    mark["t_ns"].as_u64().expect("a time"),
                    mark["n"].as_u64().expect("a count"),
                );
            }
            meter.advance(now);
            let reading = meter.ewma.reading(meter.ticks.seconds());
            let what = format!("{name} at {now} ns");
            assert_eq!(Some(meter.count), read["count"].as_u64(), "{what}");
            assert_rates(&reading, read, meter.total_ticks, &what);
            assert_close(reading.mean, number(&read["mean"]), 1e-6, &format!("{what} mean"));
            checked += 1;
        }
        assert!(marks.next().is_none(), "{name} was read before its last mark");
    }
    assert_eq!(checked, 19, "scripts were skipped");
}

/// One tick after the other must follow the recurrence.
#[test]
fn per_tick() {
    let (mut ewma, mut count) = (Ewma::new(0), 0);
    for (tick, step) in (1..).zip(vectors("per_tick")) {
        count += step["n"].as_u64().expect("a count");
        ewma.advance(1, count);
        assert_rates(&ewma.reading(0.0), &step, tick, &format!("tick {tick}"));
    }
}

/// Idling must decay the same, whether each tick is taken or many at once.
#[test]
fn burst_then_idle() {
    let mut stepped = Ewma::new(0);
    stepped.advance(1, 3);
    for minute in vectors("burst_of_3_then_idle") {
        let ticks = 12 * minute["minute"].as_u64().expect("a number");
        if ticks > 0 {
            (0..12).for_each(|_| stepped.advance(1, 3));
        }
        let mut at_once = Ewma::new(0);
        at_once.advance(1, 3);
        at_once.advance(ticks, 3);
        assert_rates(&stepped.reading(0.0), &minute, ticks, &format!("{ticks} ticks"));
        assert_rates(&at_once.reading(0.0), &minute, ticks, &format!("{ticks} ticks at once"));
    }
}
