//! What receivers make of what is pushed: a real Prometheus, and a foreign reader of OTLP.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::fmt::Write as _;
use std::fs;

use gateway_support::{Device, Gateway};
use serde_json::{Value as Json, json};
use tapes_core::metric::{Buckets, Counts, Descriptor, Distribution, Kind, Labels, Unit, Value};
use tapes_tests::servers::{Scraper, Scratch, free_port};
use tapes_tests::{python, sink::Sink};

const TIMES: Buckets = Buckets { scale: 2, first: -80, len: 104 };

fn introduction(device: &mut Device) -> Vec<u8> {
    let dictionary = [
        Descriptor { help: "Passes.", ..Descriptor::new("motor.loops", Kind::Counter, Unit::NONE) },
        Descriptor::new("motor.loop_time", Kind::Timer(TIMES), Unit::MICROS),
        Descriptor {
            labels: Labels::new(&[("axis", "x\"y")]),
            ..Descriptor::new("motor.heat", Kind::GaugeFloat, Unit::CELSIUS)
        },
        Descriptor::new("motor.balance", Kind::UpDown, Unit::NONE),
    ];
    [device.dict(&dictionary), device.hello()].concat()
}

fn report(device: &mut Device, loops: u64) -> Vec<u8> {
    let buckets = [0, 0, 0, loops, 0, 2];
    let counts = Counts {
        sum: 3 * loops,
        min: Some(2),
        max: Some(9_000),
        zero: 1,
        overflow: 4,
        buckets: &buckets,
    };
    device.data(&[
        (0, Value::Unsigned(loops)),
        (1, Value::Distribution(Distribution::new(TIMES, counts))),
        (2, Value::F32(-3.25)),
        (3, Value::Signed(-7)),
    ])
}

/// What happens while a link is down is what one wants to see when it is up again.
#[test]
fn remote_write_goes_on_through_an_outage_and_a_kill() {
    let scratch = Scratch::new("push-queue");
    let at = free_port();
    let url = format!("http://{at}/api/v1/write");
    let queue = scratch.path().to_str().unwrap();
    let arguments = ["--stdin", "--stay", "--remote-write", &url, "--push-queue", queue];
    let more = ["--push-interval", "0.1", "--push-label", "site=lab"];
    let arguments = [&arguments[..], &more].concat();
    let mut gateway = Gateway::start(&arguments);
    let mut device = Device::new(&[0xe6, 1], 7);
    gateway.feed(&[introduction(&mut device), report(&mut device, 10)].concat());
    let waiting = |gateway: &Gateway, more: f64| {
        let metric = "tapes_output_waiting{output=\"remote-write\"}";
        let until = gateway.metric(metric).unwrap_or(0.0) + more;
        tapes_tests::servers::wait_for("batches", || {
            gateway.metric(metric).filter(|waiting| *waiting >= until)
        });
    };
    gateway.wait_until("motor_loops_total{device=\"e601\"}", 10.0);
    waiting(&gateway, 3.0);
    gateway.feed(&report(&mut device, 25));
    gateway.wait_until("motor_loops_total{device=\"e601\"}", 25.0);
    waiting(&gateway, 3.0);
    drop(gateway);
    let prometheus = Scraper::prometheus_at(Some(at), &[]);
    let gateway = Gateway::start(&arguments);
    gateway.wait_for("remote-write: pushing; batches from before:");
    let series = "motor_loops_total{device=\"e601\",job=\"tapes\",site=\"lab\"}";
    gateway.wait_until("tapes_output_waiting{output=\"remote-write\"}", 0.0);
    let received = prometheus.query(&format!("{series}[10m]"));
    let pairs = received[0]["values"].as_array().unwrap();
    let values: Vec<_> = pairs.iter().map(|pair| pair[1].as_str().unwrap()).collect();
    let (tens, rest): (Vec<&str>, Vec<&str>) = values.iter().partition(|value| **value == "10");
    assert!(tens.len() >= 2 && rest.len() >= 2, "{values:?}");
    assert!(rest.iter().all(|value| *value == "25"), "{values:?}");
    // As of then: the second gateway has not heard the device, and its silence is no value.
    let last = |query: &str| prometheus.value(&format!("last_over_time({query}[10m])"));
    assert_eq!(last("motor_heat_celsius{axis=\"x\\\"y\",site=\"lab\"}"), Some(-3.25));
    assert_eq!(last("motor_balance"), Some(-7.0));
    let times = format!("motor_loop_time_seconds @ {}", pairs.last().unwrap()[0]);
    assert_eq!(prometheus.value(&format!("histogram_count({times})")), Some(32.0));
    assert_eq!(prometheus.value(&format!("histogram_sum({times})")), Some(0.000_075));
    assert_eq!(gateway.metric("tapes_output_dropped_total{output=\"remote-write\"}"), Some(0.0));
}

fn decoded(body: &[u8]) -> Vec<Json> {
    let mut hex = String::new();
    body.iter().for_each(|byte| write!(hex, "{byte:02x}").unwrap());
    serde_json::from_str(&python::run("otlp.py", &hex)).unwrap()
}

/// A receiver that reads something else than was counted shows it for years.
#[test]
fn otlp_says_what_the_devices_counted() {
    let scratch = Scratch::new("push-headers");
    let headers = scratch.path().join("headers");
    fs::write(&headers, "Authorization: Bearer something\n\nX-Scope: lab\n").unwrap();
    let sink = Sink::start(&["503 Later\r\nRetry-After: 0", "400 Never"]);
    let url = format!("http://{}/v1/metrics", sink.address);
    let headers = headers.to_str().unwrap();
    let arguments = ["--stdin", "--otlp", &url, "--push-interval", "0.05"];
    let mut gateway = Gateway::start(&[&arguments[..], &["--push-headers-file", headers]].concat());
    let first = sink.next();
    assert_eq!(sink.next().body, first.body, "what was not taken is sent again");
    assert_ne!(sink.next().body, first.body, "what is refused for good is not");
    for line in [
        "post /v1/metrics http/1.1",
        "content-type: application/x-protobuf",
        "authorization: bearer something",
        "x-scope: lab",
    ] {
        assert!(first.head.contains(line), "{line}: {}", first.head);
    }
    let mut devices = [Device::new(&[0xe6, 1], 7), Device::new(&[0xe6, 2], 8)];
    for (device, loops) in devices.iter_mut().zip([25, u64::MAX]) {
        gateway.feed(&[introduction(device), report(device, loops.min(1 << 40))].concat());
    }
    let (code, _) = gateway.finish();
    assert_eq!(code, Some(0));
    // The last batch, which the end makes, has everything.
    let points = decoded(&sink.last().unwrap().body);
    let find = |device: &str, name: &str| {
        let is_it = |point: &&Json| {
            point["resource"]["service.instance.id"] == device && point["name"] == name
        };
        points.iter().find(is_it).unwrap_or_else(|| panic!("{device} {name}: {points:?}"))
    };
    for (device, loops) in [("e601", 25u64), ("e602", 1 << 40)] {
        let point = find(device, "motor.loops");
        assert_eq!(point["temporality"], 2, "cumulative");
        let (kind, monotonic) = (&point["kind"], &point["monotonic"]);
        assert_eq!((kind, monotonic), (&json!("sum"), &json!(true)));
        assert_eq!(point["value"], json!(loops));
        assert_eq!(point["help"], "Passes.");
        assert_eq!(point["resource"]["service.name"], "tapes");
        let (start, time) = (point["start"].as_u64().unwrap(), point["time"].as_u64().unwrap());
        assert!(0 < start && start <= time, "{start} {time}");
        let balance = find(device, "motor.balance");
        assert_eq!((&balance["value"], &balance["monotonic"]), (&json!(-7), &json!(false)));
        let heat = find(device, "motor.heat");
        assert_eq!((&heat["value"], &heat["unit"]), (&json!(-3.25), &json!("Cel")));
        assert_eq!(
            (&heat["kind"], &heat["attributes"]),
            (&json!("gauge"), &json!({"axis": "x\"y"}))
        );
        let time = find(device, "motor.loop_time");
        assert_eq!((&time["kind"], &time["unit"]), (&json!("exponential_histogram"), &json!("s")));
        let value = &time["value"];
        let mut buckets = vec![0u64; 102];
        (buckets[0], buckets[2], buckets[101]) = (loops, 2, 4);
        assert_eq!(value["buckets"], json!(buckets), "with what is above the range at its end");
        assert_eq!((&value["scale"], &value["offset"]), (&json!(2), &json!(-77)));
        assert_eq!((&value["zero_count"], &value["count"]), (&json!(1), &json!(loops + 7)));
        assert_eq!(value["zero_threshold"], json!(2f64.powi(-20)));
        assert_eq!((&value["min"], &value["max"]), (&json!(0.000_002), &json!(0.009)));
        assert_eq!(value["sum"], json!(3.0 * loops as f64 / 1e6));
    }
    assert!(points.iter().any(|point| point["name"] == "tapes_device_up"));
}

/// Adds up the growth of one series in batches that arrived, and checks that their times follow one
/// another.
fn added_up(batches: &[Vec<Json>], name: &str, of: impl Fn(&Json) -> u64) -> u64 {
    let (mut sum, mut until) = (0, 0);
    for point in batches.iter().flatten().filter(|point| point["name"] == name) {
        assert_eq!(point["temporality"], 1, "growth: {point}");
        let (start, time) = (point["start"].as_u64().unwrap(), point["time"].as_u64().unwrap());
        assert!(until <= start && start < time, "{until} {start} {time}");
        until = time;
        sum += of(&point["value"]);
    }
    sum
}

/// A receiver that adds up has what was counted, once: what was refused for now is sent again as it
/// was, and a gateway that is killed goes on where it was.
#[test]
fn growth_adds_up_through_refusals_and_a_restart() {
    let scratch = Scratch::new("push-growth");
    let (queue, state) = (scratch.path().join("queue"), scratch.path().join("state"));
    let later = "503 Later\r\nRetry-After: 0";
    let sink = Sink::start(&[later, later, "429 Later\r\nRetry-After: 0"]);
    let url = format!("http://{}/v1/metrics", sink.address);
    let arguments = [
        ["--stdin", "--classic-scale=0", "--otlp", &url],
        ["--otlp-temporality", "delta", "--push-interval", "0.05"],
        ["--push-queue", queue.to_str().unwrap(), "--state", state.to_str().unwrap()],
    ];
    let arguments: Vec<&str> = arguments.concat();
    let mut gateway = Gateway::start(&arguments);
    // The first three were not taken, and come again.
    let mut bodies: Vec<Vec<u8>> = (0..4).map(|_| sink.next().body).collect();
    assert!(bodies.iter().all(|body| *body == bodies[3]), "the same bytes");
    bodies.drain(..3);
    // What was sent and not answered when the gateway was killed comes again.
    let mut take = |body: Vec<u8>, batches: &mut Vec<Vec<Json>>| {
        if !bodies.contains(&body) {
            batches.push(decoded(&body));
            bodies.push(body);
        }
    };
    let mut batches = Vec::new();
    let mut device = Device::new(&[0xe6, 1], 7);
    // What it counted before it was first heard is no growth.
    gateway.feed(&[introduction(&mut device), report(&mut device, 25)].concat());
    let is_heard = |point: &Json| point["name"] == "motor.heat";
    while !batches.iter().flatten().any(is_heard) {
        take(sink.next().body, &mut batches);
    }
    for loops in [40, 1 << 40] {
        gateway.feed(&report(&mut device, loops));
        let count = |value: &Json| value.as_u64().unwrap();
        while added_up(&batches, "motor.loops", count) < loops - 25 {
            take(sink.next().body, &mut batches);
        }
        if loops == 40 {
            // Dropping it kills it.
            drop(gateway);
            gateway = Gateway::start(&arguments);
            gateway.feed(&introduction(&mut device));
        }
        assert_eq!(added_up(&batches, "motor.loops", count), loops - 25);
    }
    assert_eq!(gateway.finish().0, Some(0));
    while let Some(request) = sink.try_next() {
        take(request.body, &mut batches);
    }
    let count = |value: &Json| value["count"].as_u64().unwrap();
    assert_eq!(added_up(&batches, "motor.loop_time", count), (1 << 40) - 25);
    let zeros = |value: &Json| value["zero_count"].as_u64().unwrap();
    assert_eq!(added_up(&batches, "motor.loop_time", zeros), 0);
    let points: Vec<&Json> = batches.iter().flatten().collect();
    let balance = points.iter().rfind(|point| point["name"] == "motor.balance").unwrap();
    assert_eq!((&balance["temporality"], &balance["value"]), (&json!(2), &json!(-7)));
}
