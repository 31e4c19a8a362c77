//! Devices that lie: what they say is quarantined, and everybody else is served.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::collections::BTreeSet;

use gateway_support::{Device, Gateway, Noise, body_of};
use serde_json::json;
use tapes_core::metric::{BaseUnit, Buckets, Descriptor, Kind, Labels, Unit, Value};

fn counter(name: &str) -> Descriptor<'_> {
    Descriptor::new(name, Kind::Counter, Unit::NONE)
}

/// Returns what a strict foreign parser says about `/metrics`, and checks that no series is there
/// twice.
fn assert_scrapable(gateway: &Gateway) -> String {
    let reply = gateway.get("/metrics?format=openmetrics");
    assert_eq!(reply.status, 200);
    let request = json!({"format": "openmetrics", "texts": [reply.body]}).to_string();
    let answer = tapes_tests::python::run("exposition.py", &request);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert!(answer[0]["error"].is_null(), "{answer}\n{}", reply.body);
    let mut seen = BTreeSet::new();
    for line in reply.body.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        assert!(seen.insert(series), "{series} is there twice");
    }
    let types = reply.body.lines().filter(|line| line.starts_with("# TYPE"));
    let mut families = BTreeSet::new();
    types.for_each(|line| assert!(families.insert(line), "{line} is there twice"));
    reply.body
}

/// Prometheus drops the scrape of all devices for one bad entry of one.
#[test]
fn hostile_dictionary_entries_are_quarantined_and_the_rest_is_served() {
    let mut gateway = Gateway::start(&["--stdin"]);
    let mut good = Device::new(&[1], 1);
    let dict = good.dict(&[counter("a.b"), counter("loops")]);
    let values = [(0, Value::Unsigned(1)), (1, Value::Unsigned(2))];
    gateway.feed(&[dict, good.hello(), good.data(&values)].concat());

    let histogram = Kind::Histogram(Buckets { scale: 0, first: 0, len: 4 });
    let labels = [("device", "01"), ("le", "0.5"), ("__name__", "loops"), ("job", "x\"\n\\")];
    let twice = [("x", "1"), ("x", "2")];
    let bidi = [("x", "\u{202e}\u{1b}[2J\0")];
    let entries = [
        counter("loops"),
        counter("loops"),
        counter("loops.more"),
        counter("a_b"),
        counter("bad name"),
        counter("__name__"),
        Descriptor { labels: Labels::new(&twice), ..counter("twice") },
        Descriptor { labels: Labels::new(&labels), ..counter("renamed") },
        Descriptor { labels: Labels::new(&bidi), ..counter("shown") },
        Descriptor { unit: Unit::new(BaseUnit::Other("m/s\n"), 1), ..counter("unit") },
        Descriptor::new("loops_total", Kind::GaugeUint, Unit::NONE),
        Descriptor::new("tapes_device_up", Kind::GaugeUint, Unit::NONE),
        Descriptor::new("h", histogram, Unit::NONE),
        Descriptor::new("h_count", Kind::GaugeUint, Unit::NONE),
        Descriptor { help: "line\nbreak \\ \"", ..counter("help") },
    ];
    let mut bodies: Vec<_> = entries.iter().map(body_of).collect();
    // Not UTF-8, of an unknown kind, and empty.
    bodies.push(b"\x40\x00\x00\x02\xff\xfe\x00\x00\x00".to_vec());
    bodies.push(b"\x40\x63\x00\x01z\x00\x00\x00".to_vec());
    bodies.push(Vec::new());
    let mut bad = Device::new(&[2], 2);
    let dict = bad.dict_of_bodies(&bodies);
    let hello = bad.hello();
    let value = |id: usize| (u32::try_from(id).unwrap(), Value::Unsigned(9));
    let all: Vec<_> = (0..bodies.len()).filter(|id| *id != 12).map(value).collect();
    // Two more devices cannot speak on this line by the same short epoch: a second connection would.
    gateway.feed(&[dict, hello, bad.data(&all)].concat());
    gateway.wait_until("loops_total{device=\"02\"}", 9.0);

    let text = assert_scrapable(&gateway);
    for line in [
        "loops_total{device=\"01\"} 2",
        "a_b_total{device=\"01\"} 1",
        "tapes_device_up{device=\"02\"} 1",
        "shown_total{device=\"02\",x=\"\u{202e}\u{1b}[2J\0\"} 9",
        "help_total{device=\"02\"} 9",
        "renamed_total{device=\"02\",exported_device=\"01\",exported_job=\"x\\\"\\n\\\\\",\
         exported_le=\"0.5\",exported_name__=\"loops\"} 9",
        "tapes_entries_quarantined{device=\"02\",reason=\"malformed\"} 3",
        "tapes_entries_quarantined{device=\"02\",reason=\"metric_name\"} 2",
        "tapes_entries_quarantined{device=\"02\",reason=\"duplicate\"} 1",
        "tapes_entries_quarantined{device=\"02\",reason=\"leaf_is_branch\"} 1",
        "tapes_entries_quarantined{device=\"02\",reason=\"duplicate_label\"} 1",
        "tapes_entries_quarantined{device=\"02\",reason=\"unit\"} 1",
        "tapes_series_withheld{device=\"02\",reason=\"conflict\"} 3",
    ] {
        assert!(text.lines().any(|present| present == line), "{line}\n{text}");
    }
    assert!(!text.contains("loops_more"), "{text}");
    let (code, table) = gateway.finish();
    assert_eq!(code, Some(0));
    assert!(!table.contains('\u{1b}') && table.contains("\\u{1b}[2J"), "{table}");
}

/// Whatever a sender with the right checksum makes up, the gateway lives and stays scrapable.
#[test]
fn made_up_dictionaries_and_values_do_no_harm() {
    let mut gateway = Gateway::start(&["--stdin"]);
    let mut noise = Noise(7);
    let names =
        ["a", "a.b", "a_b", "a_total", "a.count", "tapes.links", "b", "b.sum", "c-d", "c_d"];
    for round in 0..60u8 {
        let mut device = Device::new(&[3, round % 7], u32::from(round));
        let mut bodies = Vec::new();
        for _ in 0..noise.below(12) {
            let name = names[usize::try_from(noise.below(10)).unwrap()];
            let kind = match noise.below(5) {
                0 => Kind::Counter,
                1 => Kind::GaugeUint,
                2 => Kind::Meter,
                3 => Kind::Timer(Buckets { scale: 1, first: -3, len: 7 }),
                _ => Kind::UpDown,
            };
            let unit =
                [Unit::NONE, Unit::MICROS, Unit::BYTES, Unit::new(BaseUnit::Other("count"), 3)]
                    [usize::try_from(noise.below(4)).unwrap()];
            let mut body = body_of(&Descriptor::new(name, kind, unit));
            if noise.below(4) == 0 {
                let at = usize::try_from(noise.below(body.len() as u64)).unwrap();
                body[at] = noise.next().to_le_bytes()[0];
            }
            bodies.push(body);
        }
        let values: Vec<_> =
            (0..12).map(|id| (id, Value::Unsigned(noise.next() >> noise.below(64)))).collect();
        gateway
            .feed(&[device.dict_of_bodies(&bodies), device.hello(), device.data(&values)].concat());
    }
    let mut last = Device::new(&[9], 9);
    let dict = last.dict(&[counter("last")]);
    gateway.feed(&[dict, last.hello(), last.data(&[(0, Value::Unsigned(1))])].concat());
    gateway.wait_until("last_total{device=\"09\"}", 1.0);
    assert_scrapable(&gateway);
    assert_eq!(gateway.get("/stats").status, 200);
}
