//! The gateway's pages beyond `/metrics`: single devices, discovery, options of the command.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use gateway_support::{Device, Gateway, run};
use serde_json::{Value as Json, json};
use tapes_core::metric::{Buckets, Counts, Descriptor, Distribution, Kind, Unit, Value};
use tapes_tests::servers::Scratch;
use tapes_tests::web;

const BUCKETS: Buckets = Buckets { scale: 2, first: -80, len: 104 };

/// Starts a gateway that has heard two devices.
fn gateway(arguments: &[&str]) -> Gateway {
    let mut gateway = Gateway::start(&[&["--stdin"], arguments].concat());
    let mut frames = Vec::new();
    for (id, loops) in [(1, 3), (2, 5)] {
        let mut device = Device::new(&[0xe6, id], id.into());
        let dictionary = [
            Descriptor::new("motor.loops", Kind::Counter, Unit::NONE),
            Descriptor::new("motor.loop_time", Kind::Timer(BUCKETS), Unit::MICROS),
        ];
        let counts = Counts { sum: loops, buckets: &[0, loops], ..Counts::default() };
        let values = [
            (0, Value::Unsigned(loops)),
            (1, Value::Distribution(Distribution::new(BUCKETS, counts))),
        ];
        frames.extend([device.dict(&dictionary), device.hello(), device.data(&values)].concat());
    }
    gateway.feed(&frames);
    gateway
}

fn wait(gateway: &Gateway) {
    gateway.wait_until("motor_loops_total{device=\"e602\"}", 5.0);
}

/// A page of one device that shows others, or a device that is not there, misleads its owner.
#[test]
fn devices_have_pages_of_their_own() {
    let gateway = gateway(&[]);
    wait(&gateway);
    let page = gateway.get("/metrics/devices/e601").body;
    assert!(page.contains("\nmotor_loops_total{device=\"e601\"} 3\n"), "{page}");
    assert!(page.contains("\ntapes_device_up{device=\"e601\"} 1\n"), "{page}");
    assert!(!page.contains("e602") && !page.contains("tapes_links"), "{page}");
    for path in ["/metrics/devices/ff", "/metrics/devices/", "/metrics/devices/%zz"] {
        assert_eq!(gateway.get(path).status, 404, "{path}");
    }
    let host = gateway.http.to_string();
    let target = |device: &str| {
        let path = format!("/metrics/devices/{device}");
        let labels = json!({"__metrics_path__": path, "instance": device});
        json!({"targets": [host], "labels": labels})
    };
    let reply = gateway.get("/sd");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let document: Json = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(document, json!([target("e601"), target("e602")]));
}

/// A scraper that says it takes gzip must get what it can undo; one that does not, plain text.
#[test]
fn pages_are_compressed_for_those_who_ask() {
    let gateway = gateway(&[]);
    wait(&gateway);
    let get = |headers: &str| web::get_with(gateway.http, "/metrics", headers);
    let plain = get("");
    let compressed = get("Accept-Encoding: gzip\r\n");
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert!(compressed.body.starts_with(&[0x1f, 0x8b]));
    assert!(compressed.body.len() * 3 < plain.body.len());
}

/// An option that is taken and not used is worse than none.
#[test]
fn classic_buckets_are_those_asked_for() {
    let bounds = |arguments: &[&str]| {
        let gateway = gateway(arguments);
        wait(&gateway);
        let body = gateway.get("/metrics/devices/e601").body;
        let lines = body.lines().filter(|line| line.starts_with("motor_loop_time_seconds_bucket"));
        let bounds =
            lines.map(|line| line.split("le=\"").nth(1).unwrap().split('"').next().unwrap());
        bounds.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(bounds(&[]).len(), 28, "26 octaves, the zero bucket and infinity");
    assert_eq!(bounds(&["--classic-scale", "2"]).len(), 106);
    let listed = bounds(&["--classic-buckets", "0.0078125,1,10"]);
    assert_eq!(listed, ["0.0078125", "1.0", "11.313708498984761", "+Inf"]);
    let refused = run(&["gateway", "--stdin", "--classic-buckets", "2,1"], b"");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("must grow"));
}

/// A token that is not asked for protects nothing; one in an argument is in every process list.
#[test]
fn a_token_is_asked_for() {
    let scratch = Scratch::new("token");
    let file = scratch.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let gateway = Gateway::start(&["--stdin", "--http-token-file", file.to_str().unwrap()]);
    for path in ["/metrics", "/stats", "/health", "/", "/sd"] {
        let without = gateway.get(path);
        assert_eq!(without.status, 401, "{path}");
        assert_eq!(without.header("www-authenticate"), Some("bearer"), "{path}");
        let wrong = gateway.get_with(path, "Authorization: Bearer s3cre\r\n");
        assert_eq!(wrong.status, 401, "{path}");
        let right = gateway.get_with(path, "Authorization: Bearer s3cret\r\n");
        assert_eq!(right.status, 200, "{path}");
    }
    std::fs::write(&file, " \n").unwrap();
    let refused = run(&["gateway", "--stdin", "--http-token-file", file.to_str().unwrap()], b"");
    assert_eq!(refused.status.code(), Some(2));
}
