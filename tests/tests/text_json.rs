//! JSON, read back by `serde_json`.

use std::ops::ControlFlow;

use proptest::collection::{btree_set, vec};
use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
use serde_json::{Map, Value as Json, json};
use tapes_core::Source;
use tapes_core::metric::{
    Buckets, Counts, Descriptor, Dimension, Dimensions, Distribution, Kind, Sample, Unit, Value,
};
use tapes_core::rates::RateReading;
use tapes_core::statistics::Summary;
use tapes_core::text::json::{TreeWriter, name_order, write_json};

struct Made<'a>(Vec<(Descriptor<'a>, Vec<Value<'a>>)>);

impl Source for Made<'_> {
    fn metrics(&self) -> u32 {
        u32::try_from(self.0.len()).expect("few")
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for (id, (descriptor, values)) in (0..).zip(&self.0) {
            for (cell, value) in (0..).zip(values) {
                if id >= from {
                    let sample = Sample::new(id, descriptor.name, descriptor, *value);
                    visitor(Sample { cell, ..sample })?;
                }
            }
        }
        ControlFlow::Continue(())
    }
}

const SECONDS: Buckets = Buckets { scale: 2, first: -80, len: 104 };

/// Reads JSON without losing keys that come twice, which `serde_json` would merge in silence.
fn read(text: &str) -> Json {
    let json: Json = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    fn keys(json: &Json) -> usize {
        json.as_object().map_or(0, |object| object.len() + object.values().map(keys).sum::<usize>())
    }
    assert_eq!(keys(&json), text.matches("\":").count(), "a key comes twice: {text}");
    json
}

fn document(source: &Made<'_>) -> Json {
    let rates = RateReading { m1: 0.5, m5: 0.25, m15: 0.125, mean: f32::INFINITY };
    let mut text = String::new();
    write_json(source, &|id, cell| (id + cell == 0).then_some(rates), &mut text)
        .expect("a string takes everything");
    read(&text)
}

/// Dashboards that read tapes' keys must find all of them, in base units.
#[test]
fn keys_of_every_kind() {
    let counts = Counts {
        sum: 6_000_001,
        min: Some(1_500_000),
        max: Some(4_500_001),
        zero: 0,
        overflow: 0,
        buckets: &{
            let mut buckets = [0; 104];
            (buckets[82], buckets[88]) = (1, 1);
            buckets
        },
    };
    let timer = Distribution::new(SECONDS, counts);
    let summary = Summary::of(&timer, Unit::MICROS);
    let nothing = Value::Distribution(Distribution::new(SECONDS, Counts::default()));
    let new = Descriptor::new;
    let document = document(&Made(vec![
        (new("motor.time", Kind::Timer(SECONDS), Unit::MICROS), vec![Value::Distribution(timer)]),
        (new("motor.loops", Kind::Counter, Unit::NONE), vec![Value::Unsigned(u64::MAX)]),
        (new("busy", Kind::Counter, Unit::MILLIS), vec![Value::Unsigned(1_234)]),
        (new("packets", Kind::Meter, Unit::NONE), vec![Value::Unsigned(7)]),
        (new("sizes", Kind::Histogram(SECONDS), Unit::BYTES), vec![nothing]),
        (new("level", Kind::UpDown, Unit::NONE), vec![Value::Signed(-3)]),
        (new("unset", Kind::GaugeFloat, Unit::NONE), vec![Value::Null]),
        (new("broken", Kind::GaugeDouble, Unit::NONE), vec![Value::F64(f64::INFINITY)]),
    ]));
    let expected = json!({
        "motor": {
            "time": {
                "count": 2, "m1": 0.5, "m5": 0.25, "m15": 0.125, "mean_rate": null,
                "sum": 6.000001, "min": 1.5, "max": 4.500001,
                "mean": 3.0000005, "stddev": summary.stddev,
                "q50": 4.500001, "q75": 4.500001, "q95": 4.500001,
                "q98": 4.500001, "q99": 4.500001, "q999": 4.500001,
            },
            "loops": {"value": u64::MAX},
        },
        "busy": {"value": 1.234},
        "packets": {"count": 7, "m1": null, "m5": null, "m15": null, "mean_rate": null},
        "sizes": {
            "count": 0, "sum": 0, "min": 0, "max": 0, "mean": 0, "stddev": 0,
            "q50": 0, "q75": 0, "q95": 0, "q98": 0, "q99": 0, "q999": 0,
        },
        "level": {"value": -3},
        "unset": {"value": null},
        "broken": {"value": null},
    });
    // Empty statistics may be 0 or 0.0; they are equal numbers.
    assert_eq!(floats(document), floats(expected));
}

fn floats(json: Json) -> Json {
    match json {
        Json::Number(number) if number.as_f64() == Some(0.0) => json!(0.0),
        Json::Object(object) => {
            Json::Object(object.into_iter().map(|(key, value)| (key, floats(value))).collect())
        }
        other => other,
    }
}

/// Metrics of a family are told apart by the values of their labels.
#[test]
fn families_nest_by_their_labels() {
    const DIMENSIONS: &[Dimension<'static>] = &[
        Dimension { name: "method", values: &["get", "put"] },
        Dimension { name: "ok", values: &["no", "yes"] },
    ];
    let mut requests = Descriptor::new("http.requests", Kind::Counter, Unit::NONE);
    requests.dimensions = Dimensions::new(DIMENSIONS);
    let after = Descriptor::new("http.up", Kind::GaugeUint, Unit::NONE);
    let document = document(&Made(vec![
        (after, vec![Value::Unsigned(9)]),
        (requests, (1..=4).map(Value::Unsigned).collect()),
    ]));
    let expected = json!({
        "http": {
            "requests": {
                "get": {"no": {"value": 1}, "yes": {"value": 2}},
                "put": {"no": {"value": 3}, "yes": {"value": 4}},
            },
            "up": {"value": 9},
        },
    });
    assert_eq!(document, expected);
}

/// Two devices with one name, or a metric twice, must not make a key appear twice.
#[test]
fn a_tree_of_devices() {
    let mut text = String::new();
    let mut tree = TreeWriter::new(&mut text).expect("a string takes everything");
    let write = |tree: &mut TreeWriter<'_, 'static>| {
        tree.open("left.\"x\"\n\u{1}\u{9f}é")?;
        let loops = Descriptor::new("motor.loops", Kind::Counter, Unit::NONE);
        tree.metric(&loops, 0, &Value::Unsigned(1), None)?;
        tree.metric(&loops, 0, &Value::Unsigned(2), None)?;
        assert!(tree.enter_metric("motor.name")?);
        tree.str("text", "a\\b")?;
        tree.u64("number", 3)?;
        tree.f64("nothing", f64::NAN)?;
        tree.close()?;
        tree.close()?;
        tree.open("empty")?;
        tree.open("inner")
    };
    write(&mut tree).expect("a string takes everything");
    tree.finish().expect("a string takes everything");
    let motor = json!({
        "loops": {"value": 1},
        "name": {"text": "a\\b", "number": 3, "nothing": null},
    });
    let expected = json!({"left.\"x\"\n\u{1}\u{9f}é": {"motor": motor}, "empty": {"inner": {}}});
    assert_eq!(read(&text), expected);
}

/// Puts a value at the place that a dotted name says.
fn insert(tree: &mut Map<String, Json>, name: &str, value: Json) {
    match name.split_once('.') {
        Some((branch, rest)) => {
            let inner = tree.entry(branch).or_insert_with(|| json!({}));
            insert(inner.as_object_mut().expect("an object"), rest, value);
        }
        None => {
            let leaf = tree.entry(name).or_insert_with(|| json!({}));
            leaf.as_object_mut().expect("an object").insert("value".to_owned(), value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever the names and their order, each object appears once with all that is in it.
    #[test]
    fn any_names_in_any_order(
        names in btree_set("[ab-]{1,2}(\\.[ab-]{1,2}){0,3}", 0..12),
        numbers in vec(any::<u64>(), 12),
        keys in vec(any::<u64>(), 12),
    ) {
        let mut metrics: Vec<(String, u64, u64)> = names
            .into_iter()
            .zip(numbers)
            .zip(keys)
            .map(|((name, number), key)| (name, number, key))
            .collect();
        metrics.sort_by_key(|(_, _, key)| *key);
        let mut expected = Map::new();
        for (name, number, _) in &metrics {
            insert(&mut expected, name, json!(number));
        }
        let source = Made(
            metrics
                .iter()
                .map(|(name, number, _)| {
                    let descriptor = Descriptor::new(name, Kind::Counter, Unit::NONE);
                    (descriptor, vec![Value::Unsigned(*number)])
                })
                .collect(),
        );
        prop_assert_eq!(document(&source), Json::Object(expected.clone()));

        // The same from a caller who has sorted.
        metrics.sort_by(|(a, ..), (b, ..)| name_order(a, b));
        let mut text = String::new();
        let mut tree = TreeWriter::new(&mut text).expect("a string takes everything");
        for (name, number, _) in &metrics {
            let descriptor = Descriptor::new(name, Kind::Counter, Unit::NONE);
            tree.metric(&descriptor, 0, &Value::Unsigned(*number), None)
                .expect("a string takes everything");
        }
        tree.finish().expect("a string takes everything");
        prop_assert_eq!(read(&text), Json::Object(expected));
    }

    /// Any text must come back as it was.
    #[test]
    fn any_text(key: String, value: String) {
        let mut text = String::new();
        let mut tree = TreeWriter::new(&mut text).expect("a string takes everything");
        tree.open(&key).expect("a string takes everything");
        tree.str("text", &value).expect("a string takes everything");
        tree.finish().expect("a string takes everything");
        let json: Json = serde_json::from_str(&text).expect("valid JSON");
        prop_assert_eq!(json, json!({key: {"text": value}}));
    }
}
