//! Programs that are instrumented with `metrics`, and what comes out.

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    with_local_recorder,
};
use tapes_core::metric::Value;
use tapes_core::{Layout, layout};

use super::{Bridge, BridgeStats};
use crate::exposition::{Exposition, Format};
use crate::local::Local;
use crate::readings::Readings;

fn text(bridge: &'static Bridge) -> String {
    let mut text = String::new();
    Local::new(bridge).metrics(Format::OpenMetrics, &mut text).unwrap();
    text
}

/// Everything that a program can record must come out, as it is, with its labels, unit and help.
#[test]
fn what_is_recorded_is_exposed() {
    static BRIDGE: Bridge = Bridge::new();
    with_local_recorder(&BRIDGE, || {
        describe_counter!("http.requests", "Requests.");
        for _ in 0..3 {
            counter!("http.requests", "method" => "GET", "job" => "x").increment(2);
        }
        counter!("http.requests", "job" => "x", "method" => "GET").absolute(10);
        counter!("http.requests", "method" => "GET", "job" => "x").absolute(9);
        counter!("http.requests", "method" => "PUT \"\\\n", "job" => "x").increment(1);
        describe_counter!("sent", Unit::Kibibytes, "");
        counter!("sent").increment(3);
        describe_gauge!("age", Unit::Milliseconds, "Age.");
        gauge!("age").set(12.5);
        gauge!("age").increment(2.0);
        gauge!("age").decrement(20.0);
        gauge!("level").set(f64::NAN);
        counter!("big").increment(5_000_000_000);
    });
    let expected = "\
# HELP age_seconds Age.
# TYPE age_seconds gauge
# UNIT age_seconds seconds
age_seconds -0.0055
# TYPE big counter
big_total 5000000000
# HELP http_requests Requests.
# TYPE http_requests counter
http_requests_total{exported_job=\"x\",method=\"GET\"} 10
http_requests_total{exported_job=\"x\",method=\"PUT \\\"\\\\\\n\"} 1
# TYPE level gauge
# TYPE sent_bytes counter
# UNIT sent_bytes bytes
sent_bytes_total 3072
# EOF
";
    assert_eq!(text(&BRIDGE), expected);
    assert_eq!(BRIDGE.stats(), BridgeStats::default());
}

/// A value in another step of its unit is off by thousands.
#[test]
fn histograms_count_in_steps_of_their_unit() {
    static BRIDGE: Bridge = Bridge::new().with_layouts(|name, _| {
        static COARSE: &Layout = layout!(unit = millis, max = 1 s, scale = 0);
        (name == "mine").then_some(COARSE)
    });
    with_local_recorder(&BRIDGE, || {
        histogram!("wait_seconds").record(0.25);
        describe_histogram!("wait", Unit::Milliseconds, "");
        histogram!("wait").record(std::time::Duration::from_millis(250).as_secs_f64() * 1e3);
        describe_histogram!("mine", Unit::Microseconds, "");
        histogram!("mine").record(250_000.0);
        describe_histogram!("size", Unit::Mebibytes, "");
        histogram!("size").record(1.5);
        histogram!("ratio").record_many(0.25, 3);
        for wrong in [-1.0, f64::NAN, f64::NEG_INFINITY] {
            histogram!("ratio").record(wrong);
        }
        histogram!("ratio").record(f64::INFINITY);
    });
    let mut got = Vec::new();
    Local::new(&BRIDGE).read(&mut |reading| {
        let Value::Distribution(distribution) = reading.value else { panic!("{reading:?}") };
        let (name, per) = (reading.descriptor.name.to_owned(), reading.descriptor.unit.per());
        got.push((name, per, distribution.min(), distribution.count(), distribution.overflow()));
    });
    let expected = [
        ("wait_seconds", 1_000_000, Some(250_000), 1, 0),
        ("wait", 1_000_000, Some(250_000), 1, 0),
        ("mine", 1_000, Some(250), 1, 0),
        ("size", 1, Some(3 << 19), 1, 0),
        ("ratio", 1_000, Some(250), 4, 0),
    ];
    let expected = expected.map(|(name, a, b, c, d)| (name.to_owned(), a, b, c, d));
    assert_eq!(got, expected);
    assert_eq!(BRIDGE.stats().dropped, 3);
}

/// Labels that never end must not take all memory.
#[test]
fn series_are_bounded() {
    static BRIDGE: Bridge = Bridge::new().with_limit(3);
    with_local_recorder(&BRIDGE, || {
        for i in 0..10 {
            counter!("requests", "user" => i.to_string()).increment(1);
        }
        counter!("requests", "user" => "1").increment(1);
        counter!("::").increment(1);
    });
    assert_eq!(BRIDGE.stats().refused, 8);
    let mut sum = 0;
    Local::new(&BRIDGE).read(&mut |reading| {
        if let Value::Unsigned(count) = reading.value {
            sum += count;
        }
    });
    assert_eq!(sum, 4);
}

/// Counts of threads must all be there, and histograms beyond one chunk of words.
#[test]
fn threads_and_many_series() {
    static BRIDGE: Bridge = Bridge::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                with_local_recorder(&BRIDGE, || {
                    for i in 0..1_000u32 {
                        let name = format!("h{}", i % 100);
                        histogram!(name).record(f64::from(i));
                        counter!("all").increment(1);
                    }
                });
            });
        }
    });
    let (mut histograms, mut values) = (0, 0);
    Local::new(&BRIDGE).read(&mut |reading| match reading.value {
        Value::Distribution(distribution) => {
            histograms += 1;
            values += distribution.count();
        }
        value => assert!(matches!(value, Value::Unsigned(4_000)), "{value:?}"),
    });
    assert_eq!((histograms, values), (100, 4_000));
}
