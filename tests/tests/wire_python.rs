//! Our decoder against one in Python that was written from `core/docs/wire-format.md` alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod wire_support;

use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value as Json, json};
use tapes_core::metric::{Buckets, Descriptor, Dimension, Kind};
use tapes_core::wire::{
    Address, Body, DataBody, Deframer, Encoder, Epoch, Feed, Frame, Identity, Origin, Reading,
    stream_frame,
};
use wire_support::{Fake, FakeHistogram, FakeMetric, FakeSource};

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Says what our decoder makes of a stream, in the words of the Python one.
fn ours(stream: &[u8]) -> Vec<Json> {
    let mut deframer = Deframer::<{ 2 * tapes_core::wire::FRAME_LEN_MAX }>::new();
    let (mut rest, mut lines) = (stream, Vec::new());
    loop {
        rest = match deframer.feed(rest) {
            Feed::Frame { frame, rest } => {
                lines
                    .push(line(frame).unwrap_or_else(|error| json!({ "refused": error.reason() })));
                rest
            }
            Feed::Cobs { rest } => {
                lines.push(json!({ "refused": "cobs" }));
                rest
            }
            Feed::Consumed => return lines,
            other => panic!("{other:?}"),
        };
    }
}

fn line(frame: &[u8]) -> Result<Json, tapes_core::wire::FrameError> {
    let frame = Frame::parse(frame)?;
    let header = frame.header;
    let body = match frame.body()? {
        Body::Hello(hello) => json!({
            "origin": to_hex(hello.origin), "epoch": hello.epoch.to_u64(),
            "build_id": hello.build_id, "reset_reason": hello.reset_reason.code(),
            "boot_count": hello.boot_count, "tick_hz": hello.tick_hz,
            "metrics": hello.metrics, "max_frame": hello.max_frame,
        }),
        Body::Dict(entries) => {
            let entry = |(id, body, read): (u32, &[u8], Option<Descriptor<'_>>)| json!({ "id": id, "body": to_hex(body), "entry": read.map(|read| entry(&read)) });
            json!({ "entries": entries.map(entry).collect::<Vec<_>>() })
        }
        Body::Data(values) => data(values),
        Body::Event(event) => json!({
            "registry_full": event.registry_full, "frames_dropped": event.frames_dropped,
            "epoch_collisions": event.epoch_collisions,
        }),
        _ => Json::Null,
    };
    let mut line = json!({
        "type": header.frame_type.code(), "flags": header.flags.bits(),
        "dictionary": [header.dictionary.len, header.dictionary.hash],
        "seq": header.seq, "uptime": header.uptime, "body": body,
    });
    match header.address {
        Address::Short(nonce) => line["short"] = json!(nonce),
        Address::Full { origin, epoch } => {
            line["origin"] = json!(to_hex(origin));
            line["epoch"] = json!(epoch.to_u64());
        }
        _ => panic!("no other address"),
    }
    Ok(line)
}

fn entry(read: &Descriptor<'_>) -> Json {
    let dimensions: Vec<Json> = (0..read.dimensions.len())
        .map(|i| {
            let (name, values) = read.dimensions.dimension(i).unwrap();
            let values: Vec<_> =
                (0..values).map(|value| read.dimensions.value(i, value).unwrap()).collect();
            json!([name, values])
        })
        .collect();
    let code = match read.kind {
        Kind::Counter => 0,
        Kind::UpDown => 1,
        Kind::GaugeInt => 2,
        Kind::GaugeUint => 3,
        Kind::GaugeFloat => 4,
        Kind::Meter => 5,
        Kind::Histogram(_) => 6,
        Kind::Timer(_) => 7,
        Kind::GaugeDouble => 8,
        other => panic!("{other:?}"),
    };
    let mut json = json!({
        "bits": read.bits, "kind": code, "unit": [read.unit.name(), read.unit.per()],
        "name": read.name, "help": read.help, "labels": read.labels.iter().collect::<Vec<_>>(),
        "dimensions": dimensions,
    });
    if let Some(buckets) = read.kind.buckets() {
        json["geometry"] = json!([buckets.scale, buckets.first, buckets.len]);
    }
    json
}

fn data(body: DataBody<'_>) -> Json {
    let mut values = Vec::new();
    for value in body {
        match value {
            Ok((id, reading)) => values.push(json!([id, reading_json(reading)])),
            Err(_) => return json!({ "values": values, "malformed": true }),
        }
    }
    json!({ "values": values, "malformed": false })
}

fn reading_json(reading: Reading<'_>) -> Json {
    match reading {
        Reading::Unsigned(n) => json!({ "unsigned": n }),
        Reading::Signed(n) => json!({ "signed": n }),
        Reading::F32(n) => json!({ "f32": n.to_bits() }),
        Reading::F64(n) => json!({ "f64": n.to_bits() }),
        Reading::Null => Json::Null,
        Reading::Histogram(h) => {
            let buckets: Vec<_> = h.buckets().filter(|(_, count)| *count > 0).collect();
            json!({ "histogram": {
                "sum": h.sum, "range": h.min.zip(h.max), "zero": h.zero, "overflow": h.overflow,
                "buckets": buckets,
            }})
        }
        Reading::Family(cells) => {
            let cells: Vec<_> =
                cells.map(|(cell, value)| json!([cell, reading_json(value)])).collect();
            json!({ "family": cells })
        }
        Reading::Unknown(bytes) => json!({ "later": to_hex(bytes) }),
        other => panic!("{other:?}"),
    }
}

/// Runs the Python decoder; `None` where there is no Python.
fn theirs(stream: &[u8]) -> Option<Vec<Json>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/foreign/decode.py");
    let child =
        Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        println!("skipped: there is no python3");
        return None;
    };
    let mut input = child.stdin.take().unwrap();
    let stream = stream.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&stream));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the Python decoder failed; its message is above");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn compare(stream: &[u8]) {
    let Some(theirs) = theirs(stream) else { return };
    let ours = ours(stream);
    let frames = stream.split(|byte| *byte == 0).filter(|frame| !frame.is_empty());
    for ((frame, ours), theirs) in frames.zip(&ours).zip(&theirs) {
        assert_eq!(ours, theirs, "ours, then Python's, of {}", to_hex(frame));
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(!ours.is_empty());
}

/// Generated values without shrinking: the two decoders see thousands of frames in one run.
fn samples<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Appends a frame with a right checksum.
fn push_sealed(stream: &mut Vec<u8>, bytes: &[u8]) {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(bytes);
    push(stream, &[bytes, &crc.to_le_bytes()].concat());
}

fn push(stream: &mut Vec<u8>, frame: &[u8]) {
    let mut buffer = vec![0; frame.len() + frame.len() / 200 + 8];
    stream.extend(stream_frame(frame, &mut buffer).unwrap());
}

const FAULTS: &[Dimension<'static>] = &[
    Dimension { name: "fault", values: &["überheat", "stall", "nothing"] },
    Dimension { name: "ok", values: &["no", "yes"] },
];

fn board(numbers: &[u64]) -> FakeSource {
    let n = |i: usize| numbers[i % numbers.len()] >> (i * 7 % 60);
    let buckets = Buckets { scale: 3, first: -100, len: 40 };
    let histogram = FakeHistogram {
        sum: n(1),
        min: Some(n(2).min(n(3))),
        max: Some(n(2).max(n(3))),
        zero: n(4),
        overflow: n(5),
        buckets: (0..40).map(|i| if n(i) % 3 == 0 { n(i + 6) } else { 0 }).collect(),
    };
    let mut family = FakeMetric::new("faults", Kind::Meter, Fake::Null);
    family.dimensions = FAULTS;
    family.values = (0..6).map(|i| Fake::Unsigned(n(i + 9))).collect();
    let f64 = f64::from_bits(n(8));
    FakeSource::new(vec![
        FakeMetric::counter("counter", n(0)),
        FakeMetric::new("updown", Kind::UpDown, Fake::Signed(n(7).cast_signed())),
        FakeMetric::new(
            "f64",
            Kind::GaugeDouble,
            if f64.is_nan() { Fake::Null } else { Fake::F64(f64) },
        ),
        family,
        FakeMetric::new("h", Kind::Histogram(buckets), Fake::Histogram(histogram)),
        FakeMetric::timer("t", 12, FakeHistogram { buckets: vec![0; 12], ..Default::default() }),
    ])
}

/// The bare frames of many boards.
fn reports() -> Vec<Vec<u8>> {
    let boards = samples(&proptest::collection::vec(any::<u64>(), 24), 60);
    let mut frames = Vec::new();
    for (i, numbers) in (0u32..).zip(&boards) {
        let identity = Identity::new(Origin::from_array(*b"board"), Epoch::new(i, i + 1), 1_000);
        let mut encoder = Encoder::<16, 0>::new(identity, 600).with_first_seq(numbers[0]);
        if i % 2 == 0 {
            encoder = encoder.with_full_address();
        }
        let mut buffer = [0; 600];
        for report in 0..3u64 {
            let source = board(&numbers[usize::from(report == 2)..]);
            encoder.begin(numbers[1].wrapping_add(report));
            encoder.set_registry_full(i);
            while let Some(frame) = encoder.next_frame(&source, &mut buffer) {
                frames.push(frame.to_vec());
                encoder.sent();
            }
        }
    }
    frames
}

/// If this fails, the document does not say enough to read what devices send.
#[test]
fn reports_are_read_alike() {
    let mut stream = Vec::new();
    reports().iter().for_each(|frame| push(&mut stream, frame));
    compare(&stream);
}

/// If this fails, the document leaves open what is malformed at the border to what is not.
#[test]
fn frames_with_one_byte_changed_are_read_alike() {
    let frames = reports();
    let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..4);
    let mut stream = Vec::new();
    for (frame, at, byte, how) in samples(&change, 8_000) {
        let frame = frame.get(&frames);
        let mut bytes = frame[..frame.len() - 4].to_vec();
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes[at] ^= 1 << (byte % 8),
            2 => bytes[at] = bytes[at].wrapping_add(1),
            _ => bytes.truncate(at),
        }
        push_sealed(&mut stream, &bytes);
    }
    compare(&stream);
}

/// If this fails, the document leaves open what is malformed.
#[test]
fn noise_and_lies_are_refused_alike() {
    let small = prop_oneof![2 => 0..16u8, 1 => any::<u8>()];
    let bytes = proptest::collection::vec(small, 0..60);
    let mut stream = Vec::new();
    for (i, bytes) in (0..=u8::MAX).cycle().zip(samples(&bytes, 3_000)) {
        // With a header that is right, with one that is not, and without a checksum.
        let mut frame = vec![0x10 | (i % 5), 0];
        match i % 7 {
            0 => frame = bytes,
            1 => frame.extend(bytes),
            _ => {
                frame.extend([9, 0, 0, 0, 3, 0, 0, 0, 0, 1, 2]);
                if i % 5 == 0 {
                    frame.extend([1, 7, 9]);
                }
                frame.extend(bytes);
            }
        }
        if i % 13 == 0 {
            push(&mut stream, &[&frame[..], &[0]].concat());
        } else {
            push_sealed(&mut stream, &frame);
        }
    }
    // Entries that are nearly right.
    let entry = proptest::collection::vec(prop_oneof![0..4u8, 0..66u8], 0..24);
    for bytes in samples(&entry, 3_000) {
        let length = u8::try_from(bytes.len() + 2).unwrap();
        let mut frame = vec![0x11, 0, 9, 0, 0, 0, 3, 0, 0, 0, 0, 1, 2, 5, length, 64, length % 10];
        frame.extend(bytes);
        push_sealed(&mut stream, &frame);
    }
    // Histograms and families that are nearly right.
    let value = proptest::collection::vec(prop_oneof![3 => 0..4u8, 1 => any::<u8>()], 0..24);
    for (i, bytes) in (0..=u8::MAX).cycle().zip(samples(&value, 3_000)) {
        let mut frame = vec![0x12, 0, 9, 0, 0, 0, 3, 0, 0, 0, 0, 1, 2, 4 + 2 * (i % 2), 8 + i % 8];
        frame.extend(bytes);
        push_sealed(&mut stream, &frame);
    }
    // And no frames at all.
    for bytes in samples(&proptest::collection::vec(any::<u8>(), 1..40), 300) {
        stream.extend(bytes);
        stream.push(0);
    }
    compare(&stream);
}
