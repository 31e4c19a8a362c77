//! Whole registries as they are served, judged by the strict parser of Python's
//! `prometheus_client`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};
use tapes_core::metric::{
    Buckets, Counts, Descriptor, Distribution, Kind, Labels, Sample, Unit, Value,
};
use tapes_core::text::prometheus::Family;
use tapes_core::{Registry, Source, metrics};
use tapes_std::exposition::{Exposition as _, Format};
use tapes_std::local::Local;
use tapes_tests::python;

fn served(source: &'static (impl Source + Sync)) -> String {
    let mut text = String::new();
    Local::new(source).metrics(Format::OpenMetrics, &mut text).unwrap();
    text
}

/// Lets the strict parser read all texts; panics if it refuses one.
fn parsed(texts: &[String]) -> Vec<Json> {
    let request = json!({"format": "openmetrics", "texts": texts}).to_string();
    let answer: Json = serde_json::from_str(&python::run("exposition.py", &request)).unwrap();
    let answers = answer.as_array().unwrap().clone();
    for (answer, text) in answers.iter().zip(texts) {
        assert!(answer["error"].is_null(), "{answer}\n{text}");
    }
    answers
}

/// Returns the values of all samples by name and labels, `le` last.
fn samples(answer: &Json) -> BTreeMap<String, f64> {
    let families = answer["families"].as_array().unwrap().iter();
    let samples = families.flat_map(|family| family["samples"].as_array().unwrap());
    let named = samples.map(|sample| {
        let labels: BTreeMap<String, String> = serde_json::from_value(sample[1].clone()).unwrap();
        let number = sample[2].as_str().unwrap().parse::<f64>().unwrap();
        (format!("{}{labels:?}", sample[0].as_str().unwrap()), number)
    });
    named.collect()
}

/// A registry with nothing in it yet is scraped like any other.
#[test]
fn nothing_is_an_exposition_too() {
    static REGISTRY: Registry<1, 1> = Registry::new();
    let text = served(&REGISTRY);
    assert_eq!(text, "# EOF\n");
    assert!(samples(&parsed(&[text])[0]).is_empty());
}

metrics! {
    /// One of each.
    static KINDS: KindsMetrics = "kinds" {
        /// Counts.
        counter: Counter,
        /// Goes up and down.
        updown: UpDown,
        /// Set.
        gauge_int: Gauge<i32>,
        /// Set.
        gauge_uint: Gauge<u32>,
        /// Set.
        gauge_float: Gauge<f32> [unit = celsius],
        /// Never set.
        unset: Gauge<f32>,
        /// Beyond all bounds.
        infinite: Gauge<f32>,
        /// Counts with rates.
        meter: Meter [unit = bytes],
        /// Values.
        histogram: Histogram [max = 1000, scale = 0],
        /// Durations.
        timer: Timer [max = 10 s],
    }
}

/// A kind that a parser does not take is a kind that nobody can use.
#[test]
fn every_kind_is_read_back() {
    KINDS.counter.add(3);
    KINDS.updown.add(-4);
    KINDS.gauge_int.set(-5);
    KINDS.gauge_uint.set(6);
    KINDS.gauge_float.set(20.1);
    KINDS.infinite.set(f32::INFINITY);
    KINDS.meter.mark_by(7);
    KINDS.histogram.record(8);
    KINDS.timer.record(9);
    let seen = samples(&parsed(&[served(&KINDS)])[0]);
    for (name, expected) in [
        ("kinds_counter_total{}", 3.0),
        ("kinds_updown{}", -4.0),
        ("kinds_gauge_int{}", -5.0),
        ("kinds_gauge_uint{}", 6.0),
        ("kinds_gauge_float_celsius{}", 20.1),
        ("kinds_infinite{}", f64::INFINITY),
        ("kinds_meter_bytes_total{}", 7.0),
        ("kinds_histogram_count{}", 1.0),
        ("kinds_histogram_sum{}", 8.0),
        ("kinds_timer_seconds_count{}", 1.0),
        ("kinds_timer_seconds_sum{}", 0.000_009),
    ] {
        assert_eq!(seen.get(name), Some(&expected), "{name} in {seen:?}");
    }
    assert!(!seen.keys().any(|name| name.starts_with("kinds_unset")));
}

/// A gateway of a thousand boards has as many; a parser that takes minutes is no use either.
#[test]
fn ten_thousand_series() {
    const SERIES: usize = 10_000;
    let numbers: Vec<String> = (0..SERIES).map(|i| i.to_string()).collect();
    let labels: Vec<_> = numbers.iter().map(|number| [("board", number.as_str())]).collect();
    let made: Vec<_> = labels
        .iter()
        .zip(0u64..)
        .map(|(labels, i)| {
            let labels = Labels::new(&*Box::leak(Box::new(
                labels.map(|(name, value)| (name, &*Box::leak(value.to_owned().into_boxed_str()))),
            )));
            let loops = Descriptor::new("loops", Kind::Counter, Unit::NONE);
            (Descriptor { labels, ..loops }, Value::Unsigned(i))
        })
        .collect();
    let seen = samples(&parsed(&[served(Box::leak(Box::new(Made(made))))])[0]);
    assert_eq!(seen.len(), SERIES);
    assert_eq!(seen.values().sum::<f64>(), (0..SERIES).sum::<usize>() as f64);
}

/// Metrics that a test makes up.
struct Made(Vec<(Descriptor<'static>, Value<'static>)>);

impl Source for Made {
    fn metrics(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap()
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for (id, (descriptor, value)) in (0..).zip(&self.0).filter(|(id, _)| *id >= from) {
            visitor(Sample::new(id, descriptor.name, descriptor, *value))?;
        }
        ControlFlow::Continue(())
    }
}

/// One metric that proptest made up: names and labels from so few that they collide.
#[derive(Debug, Clone)]
struct Drawn {
    name: &'static str,
    label: Option<(&'static str, &'static str)>,
    unit: Unit<'static>,
    kind: usize,
    number: u64,
    buckets: Vec<u32>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let names = ["a", "a.b", "a_b", "a-b.total", "a.sum", "a.count", "a_seconds", "b", "b_info"];
    let name = (0..names.len()).prop_map(move |i| names[i]);
    let values = ["", "x", "\"", "\\", "\n", "é\u{202e}\0", "le=\"1\"} 5 # {}"];
    let label = (0usize..4, 0..values.len()).prop_map(move |(name, value)| {
        let name = ["le", "device", "__name__", "plain"][name];
        (name, values[value])
    });
    let label = prop_oneof![Just(None), label.prop_map(Some)];
    let unit = prop_oneof![Just(Unit::NONE), Just(Unit::MICROS), Just(Unit::ticks(32_768))];
    (name, label, unit, 0usize..6, any::<u64>(), vec(any::<u32>(), 1..20)).prop_map(
        |(name, label, unit, kind, number, buckets)| Drawn {
            name,
            label,
            unit,
            kind,
            number,
            buckets,
        },
    )
}

impl Drawn {
    /// Returns the metric, and the values that a reader must see in it: suffix and number.
    fn made(&self) -> (Descriptor<'static>, Value<'static>, Vec<(&'static str, f64)>) {
        let len = u32::try_from(self.buckets.len()).unwrap();
        let geometry = Buckets { scale: 1, first: -7, len };
        // Below 2^53, beyond which a parser rounds.
        let number = self.number >> 12;
        let per = f64::from(self.unit.per());
        let (kind, value, seen) = match self.kind {
            0 => (Kind::Counter, Value::Unsigned(number), vec![("", number as f64 / per)]),
            1 => (Kind::Meter, Value::Unsigned(number), vec![("", number as f64 / per)]),
            2 => {
                let number = -number.cast_signed();
                (Kind::UpDown, Value::Signed(number), vec![("", number as f64 / per)])
            }
            3 => {
                let number = f64::from_bits(self.number);
                (Kind::GaugeDouble, Value::F64(number), vec![("", number / per)])
            }
            4 => (Kind::GaugeFloat, Value::Null, vec![]),
            _ => {
                let buckets: &[u64] = Vec::leak(self.buckets.iter().map(|n| (*n).into()).collect());
                let (zero, overflow) = (number >> 40, number >> 45);
                let counts = Counts { sum: number, zero, overflow, buckets, ..Counts::default() };
                let count = buckets.iter().sum::<u64>() + zero + overflow;
                let value = Value::Distribution(Distribution::new(geometry, counts));
                let seen = vec![("_count", count as f64), ("_sum", number as f64 / per)];
                (Kind::Histogram(geometry), value, seen)
            }
        };
        let labels: &[_] = Vec::leak(self.label.into_iter().collect());
        let labels = Labels::new(labels);
        (Descriptor { labels, ..Descriptor::new(self.name, kind, self.unit) }, value, seen)
    }
}

/// Whatever is registered, one scrape shows all of it or leaves out single metrics that are in the
/// way of others; and what it shows is what was recorded.
#[test]
fn any_registry_is_read_back() {
    let mut runner = TestRunner::deterministic();
    let strategy = vec(drawn(), 0..16);
    let registries: Vec<Vec<Drawn>> =
        (0..300).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let serve = |registry: &Vec<Drawn>| {
        let made = registry.iter().map(Drawn::made).map(|(d, v, _)| (d, v)).collect();
        served(Box::leak(Box::new(Made(made))))
    };
    let texts: Vec<String> = registries.iter().map(serve).collect();
    let mut compared = 0;
    for ((registry, answer), text) in registries.iter().zip(parsed(&texts)).zip(&texts) {
        let seen = samples(&answer);
        let mut expected: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for drawn in registry {
            let (descriptor, _, values) = drawn.made();
            let family = Family::of(&descriptor);
            let label = drawn.label.map(|(name, value)| {
                let is_ours = name == "le" || name.starts_with("__");
                (if is_ours { format!("exported_{name}") } else { name.to_owned() }, value)
            });
            let labels: BTreeMap<_, _> = label.into_iter().collect();
            for (suffix, value) in values {
                expected.entry(format!("{family}{suffix}{labels:?}")).or_default().push(value);
            }
        }
        for (name, values) in &expected {
            // Of several with one name, the first; none if another family has that name.
            let Some(found) = seen.get(name) else { continue };
            // Where raw steps are parts of a unit, the shift of the decimal point is exact and the
            // division that it is compared with is not.
            let near = |value: &f64| (value - found).abs() <= 2.0 * f64::EPSILON * value.abs();
            let is_scaled = name.contains("_seconds");
            let is_same = |value: &f64| {
                value == found || (value.is_nan() && found.is_nan()) || (is_scaled && near(value))
            };
            assert!(values.iter().any(is_same), "{name} {found} {values:?}\n{text}");
            compared += 1;
        }
        let shown = seen.keys().filter(|name| !name.contains("_bucket"));
        for name in shown {
            assert!(expected.contains_key(name), "{name} came from nowhere\n{text}");
        }
    }
    assert!(compared > 1_000, "only {compared}");
}
