//! Expositions, judged by the parsers of Python's `prometheus_client`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};
use tapes_core::Source;
use tapes_core::metric::{
    BaseUnit, Buckets, Counts, Descriptor, Dimension, Dimensions, Distribution, Kind, Labels,
    Sample, Unit, Value,
};
use tapes_core::text::prometheus::{Encoder, Family, Format, write_prometheus};
use tapes_tests::python;

/// Metrics that a test makes up; the words that no exporter reads are 0.
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

fn exposition(source: &dyn Source, format: Format) -> String {
    let mut text = String::new();
    write_prometheus(source, format, &mut text).expect("a string takes everything");
    text
}

/// Lets the foreign parser for `format` read all texts; panics if it refuses one.
fn parse(format: Format, texts: &[String]) -> Vec<Json> {
    let name = if format == Format::OpenMetrics { "openmetrics" } else { "prometheus" };
    let request = json!({"format": name, "texts": texts}).to_string();
    let answer: Json =
        serde_json::from_str(&python::run("exposition.py", &request)).expect("valid JSON");
    let answers = answer.as_array().expect("an array").clone();
    assert_eq!(answers.len(), texts.len());
    for (answer, text) in answers.iter().zip(texts) {
        assert!(answer["error"].is_null(), "{format:?}: {answer}\n{text}");
    }
    answers
}

const SECONDS: Buckets = Buckets { scale: 2, first: -8, len: 10 };

fn example() -> Made<'static> {
    const FAULTS: &[Dimension<'static>] =
        &[Dimension { name: "fault", values: &["overheat", "stall"] }];
    let mut loops = Descriptor::new("motor.loops", Kind::Counter, Unit::NONE);
    loops.help = "Passes of the \"loop\",\nback\\slash.";
    loops.labels = Labels::new(&[("axis", "x\"\\\n"), ("le", "1")]);
    let sent = Descriptor::new("uart.sent-bytes", Kind::Meter, Unit::BYTES);
    let level = Descriptor::new("tank.level", Kind::UpDown, Unit::new(BaseUnit::None, 10));
    let volts = Descriptor::new("supply", Kind::GaugeFloat, Unit::VOLTS);
    let unset = Descriptor::new("unset", Kind::GaugeFloat, Unit::NONE);
    let infinite = Descriptor::new("infinite", Kind::GaugeDouble, Unit::NONE);
    let time = Descriptor::new("motor.loop_time", Kind::Timer(SECONDS), Unit::MICROS);
    let mut faults = Descriptor::new("motor.faults", Kind::Counter, Unit::NONE);
    faults.dimensions = Dimensions::new(FAULTS);
    let times = Counts {
        sum: 4_750_001,
        min: Some(3),
        max: Some(2_000_000),
        zero: 1,
        overflow: 2,
        buckets: &[0, 0, 1, 0, 0, 0, 3, 0, 0, 1],
    };
    Made(vec![
        (loops, vec![Value::Unsigned(u64::MAX)]),
        (sent, vec![Value::Unsigned(5)]),
        (level, vec![Value::Signed(-15)]),
        (volts, vec![Value::F32(3.3)]),
        (unset, vec![Value::Null]),
        (infinite, vec![Value::F64(f64::NEG_INFINITY)]),
        (time, vec![Value::Distribution(Distribution::new(SECONDS, times))]),
        (faults, vec![Value::Unsigned(1), Value::Unsigned(0)]),
    ])
}

/// A line that changes changes what every dashboard shows.
#[test]
fn golden_openmetrics() {
    assert_eq!(
        exposition(&example(), Format::OpenMetrics),
        r#"# HELP motor_loops Passes of the \"loop\",\nback\\slash.
# TYPE motor_loops counter
motor_loops_total{axis="x\"\\\n",exported_le="1"} 18446744073709551615
# TYPE uart_sent_bytes counter
# UNIT uart_sent_bytes bytes
uart_sent_bytes_total 5
# TYPE tank_level gauge
tank_level -1.5
# TYPE supply_volts gauge
# UNIT supply_volts volts
supply_volts 3.3
# TYPE unset gauge
# TYPE infinite gauge
infinite -Inf
# TYPE motor_loop_time_seconds histogram
# UNIT motor_loop_time_seconds seconds
motor_loop_time_seconds_bucket{le="0.25"} 1
motor_loop_time_seconds_bucket{le="0.5"} 2
motor_loop_time_seconds_bucket{le="1.0"} 5
motor_loop_time_seconds_bucket{le="1.4142135623730951"} 6
motor_loop_time_seconds_bucket{le="+Inf"} 8
motor_loop_time_seconds_sum 4.750001
motor_loop_time_seconds_count 8
# TYPE motor_faults counter
motor_faults_total{fault="overheat"} 1
motor_faults_total{fault="stall"} 0
# EOF
"#
    );
}

/// The older format differs in names and escapes only.
#[test]
fn golden_prometheus() {
    let text = exposition(&example(), Format::Prometheus);
    let head = r#"# HELP motor_loops_total Passes of the "loop",\nback\\slash.
# TYPE motor_loops_total counter
motor_loops_total{axis="x\"\\\n",exported_le="1"} 18446744073709551615
# TYPE uart_sent_bytes_total counter
uart_sent_bytes_total 5
"#;
    assert!(text.starts_with(head), "{text}");
    assert!(text.ends_with("motor_faults_total{fault=\"stall\"} 0\n"), "{text}");
    assert!(!text.contains("UNIT") && !text.contains("EOF"), "{text}");
}

/// What this project thinks valid is of no interest to a scraper.
#[test]
fn foreign_parsers_read_the_example() {
    let source = example();
    let text = exposition(&source, Format::OpenMetrics);
    let families = &parse(Format::OpenMetrics, &[text])[0]["families"];
    assert_eq!(families[0]["help"], "Passes of the \"loop\",\nback\\slash.");
    let labels = json!({"axis": "x\"\\\n", "exported_le": "1"});
    assert_eq!(families[0]["samples"][0][1], labels);
    assert_eq!(families[1]["unit"], "bytes");
    assert_eq!(families[6]["type"], "histogram");
    assert_eq!(families[6]["samples"][5], json!(["motor_loop_time_seconds_sum", {}, "4.750001"]));
    parse(Format::Prometheus, &[exposition(&source, Format::Prometheus)]);
}

/// A finer ladder keeps every count; a coarser metric is not made finer.
#[test]
fn classic_scale() {
    let source = example();
    let (time, values) = &source.0[6];
    let mut lines = Vec::new();
    for scale in [0, 1, 2, 4] {
        let mut text = String::new();
        let mut encoder = Encoder::new(&mut text, Format::OpenMetrics).with_classic_scale(scale);
        encoder.family(time).expect("a string takes everything");
        encoder.sample(&[], time, 0, &values[0]).expect("a string takes everything");
        encoder.finish().expect("a string takes everything");
        lines.push(text.lines().filter(|line| line.contains("_bucket")).count());
        parse(Format::OpenMetrics, &[text]);
    }
    // Zero bucket, infinity, the last bound, and 2, 4 or 9 between.
    assert_eq!(lines, [5, 7, 12, 12]);
}

/// Two metrics of one family in different places must be written together, and what cannot be in
/// one exposition must be left out, or a scraper refuses all of it.
#[test]
fn families_are_gathered_and_clashes_left_out() {
    let mut left = Descriptor::new("motor.loops", Kind::Counter, Unit::NONE);
    left.labels = Labels::new(&[("side", "left")]);
    let mut right = Descriptor::new("motor-loops.total", Kind::Counter, Unit::NONE);
    right.labels = Labels::new(&[("side", "right")]);
    let time = Descriptor::new("time", Kind::Histogram(SECONDS), Unit::NONE);
    let empty = Value::Distribution(Distribution::new(SECONDS, Counts::default()));
    let source = Made(vec![
        (left, vec![Value::Unsigned(1)]),
        (time, vec![empty]),
        (right, vec![Value::Unsigned(2)]),
        (Descriptor::new("time.count", Kind::GaugeInt, Unit::NONE), vec![Value::Signed(3)]),
        (Descriptor::new("motor_loops", Kind::GaugeInt, Unit::NONE), vec![Value::Signed(4)]),
    ]);
    let text = exposition(&source, Format::OpenMetrics);
    let families = &parse(Format::OpenMetrics, std::slice::from_ref(&text))[0]["families"];
    assert_eq!(families.as_array().map(Vec::len), Some(2), "{text}");
    assert_eq!(families[0]["samples"].as_array().map(Vec::len), Some(2), "{text}");
}

/// One metric that proptest made up.
#[derive(Debug, Clone)]
struct Hostile {
    name: String,
    help: String,
    labels: Vec<(String, String)>,
    unit: String,
    per: u32,
    kind: usize,
    number: u64,
    buckets: Vec<u32>,
    first: i32,
    scale: u8,
}

fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\\".to_owned()),
        Just("\"".to_owned()),
        Just("\n".to_owned()),
        Just("\\n".to_owned()),
        Just("{le=\"1\"} 7".to_owned()),
        Just("# EOF".to_owned()),
        Just("\r\u{0}\u{85}\u{2028}\u{7f}".to_owned()),
        "\\PC{0,6}",
    ];
    vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn hostile() -> impl Strategy<Value = Hostile> {
    (
        ("[a-zA-Z_.0-9é -]{1,12}", hostile_text()),
        vec(("[a-zA-Z_.0-9é-]{0,6}", hostile_text()), 0..4),
        ("[a-z/]{0,4}", any::<u32>(), 0usize..7, any::<u64>()),
        (vec(any::<u32>(), 1..40), -60i32..60, 0u8..=4),
    )
        .prop_map(
            |((name, help), labels, (unit, per, kind, number), (buckets, first, scale))| Hostile {
                name,
                help,
                labels,
                unit,
                per,
                kind,
                number,
                buckets,
                first,
                scale,
            },
        )
}

impl Hostile {
    /// Writes this metric as the only family and returns its name and text.
    fn exposition(&self, format: Format) -> (String, String) {
        let geometry = Buckets {
            scale: self.scale,
            first: self.first,
            len: u32::try_from(self.buckets.len()).expect("few"),
        };
        let buckets: Vec<u64> = self.buckets.iter().copied().map(u64::from).collect();
        let distribution = Distribution::new(
            geometry,
            Counts {
                sum: self.number,
                min: None,
                max: None,
                zero: self.number >> 40,
                overflow: self.number >> 50,
                buckets: &buckets,
            },
        );
        let (kind, value) = match self.kind {
            0 => (Kind::Counter, Value::Unsigned(self.number)),
            1 => (Kind::Meter, Value::Unsigned(self.number)),
            2 => (Kind::UpDown, Value::Signed(self.number.cast_signed())),
            3 => (Kind::GaugeFloat, Value::F32(f32::from_bits(self.per))),
            4 => (Kind::GaugeDouble, Value::F64(f64::from_bits(self.number))),
            5 => (Kind::Histogram(geometry), Value::Distribution(distribution)),
            _ => (Kind::Timer(geometry), Value::Distribution(distribution)),
        };
        // Names of labels may be wrong, but a registry has none twice.
        let mut mangled = BTreeMap::new();
        for (name, value) in &self.labels {
            let mut key = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            if key.is_empty() || key.starts_with(|c: char| c.is_ascii_digit()) {
                key.insert(0, '_');
            }
            mangled.entry(key).or_insert((name.as_str(), value.as_str()));
        }
        let labels: Vec<(&str, &str)> = mangled.into_values().collect();
        let unit = Unit::new(BaseUnit::Other(&self.unit), self.per);
        let mut descriptor = Descriptor::new(&self.name, kind, unit);
        descriptor.help = &self.help;
        descriptor.labels = Labels::new(&labels);
        let family = Family::of(&descriptor).to_string();
        (family, exposition(&Made(vec![(descriptor, vec![value])]), format))
    }
}

/// One hostile metric must not make a scraper refuse the others.
#[test]
fn hostile_metrics_are_read_back() {
    let mut runner = TestRunner::deterministic();
    let cases: Vec<Hostile> =
        (0..1_000).map(|_| hostile().new_tree(&mut runner).expect("a metric").current()).collect();
    for format in [Format::OpenMetrics, Format::Prometheus] {
        let (names, texts): (Vec<_>, Vec<_>) =
            cases.iter().map(|case| case.exposition(format)).unzip();
        for (((answer, case), name), text) in
            parse(format, &texts).iter().zip(&cases).zip(names).zip(&texts)
        {
            let families = answer["families"].as_array().expect("an array");
            assert_eq!(families.len(), 1, "{text}");
            let family = &families[0];
            let base = name.strip_suffix("_total").filter(|_| case.kind < 2).unwrap_or(&name);
            assert_eq!(family["name"], base, "{text}");
            // The older parser takes leading and trailing blanks from help.
            let help = family["help"].as_str().expect("a string");
            assert_eq!(help.trim(), case.help.trim(), "{text}");
            for sample in family["samples"].as_array().expect("an array") {
                let labels = sample[1].as_object().expect("an object");
                let values: Vec<&str> = labels
                    .iter()
                    .filter(|(name, _)| *name != "le")
                    .filter_map(|(_, value)| value.as_str())
                    .collect();
                for value in values {
                    assert!(case.labels.iter().any(|(_, known)| known == value), "{text}");
                }
            }
        }
    }
}
