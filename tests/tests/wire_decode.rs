//! Decoding what nobody should send: noise, damage, lies.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod wire_support;

use proptest::prelude::*;
use tapes_core::metric::{Buckets, Descriptor, Kind, Unit, Value};
use tapes_core::wire::{
    Body, DataWriter, Deframer, DictWriter, Epoch, Event, FRAME_LEN_MAX, Feed, Frame, FrameError,
    Header, Hello, METRICS_MAX, Malformed, Reading, ResetReason, event_frame, hello_frame,
    stream_frame,
};

fn crc32c(bytes: &[u8]) -> [u8; 4] {
    crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(bytes).to_le_bytes()
}

/// Appends a right checksum.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    [bytes, &crc32c(bytes)].concat()
}

/// A frame of that type with a short epoch and all numbers 0.
fn frame(frame_type: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x10 | frame_type, 0];
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(body);
    sealed(&bytes)
}

/// Reads everything there is to read.
fn exhaust(bytes: &[u8]) -> Result<usize, FrameError> {
    let mut things = 0;
    match Frame::parse(bytes)?.body()? {
        Body::Dict(entries) => {
            for (id, body, descriptor) in entries {
                assert!(id < METRICS_MAX);
                things += body.len();
                if let Some(descriptor) = descriptor {
                    things += descriptor.labels.iter().count();
                    let cells = descriptor.dimensions.cells();
                    things += descriptor.dimensions.labels(cells.saturating_sub(1)).count();
                }
            }
        }
        Body::Data(values) => {
            for value in values {
                let Ok((id, reading)) = value else { return Err(FrameError::Malformed) };
                assert!(id < METRICS_MAX);
                things += 1 + weight(reading);
            }
        }
        _ => {}
    }
    Ok(things)
}

fn weight(reading: Reading<'_>) -> usize {
    match reading {
        Reading::Histogram(h) => {
            assert!(h.buckets().all(|(i, _)| i < tapes_core::metric::BUCKETS_MAX));
            assert!(h.buckets().count() <= tapes_core::metric::BUCKETS_MAX as usize);
            usize::from(h.count() > 0)
        }
        Reading::Family(cells) => cells.map(|(_, reading)| 1 + weight(reading)).sum(),
        Reading::F32(f) => usize::from(!f.is_nan()),
        Reading::F64(f) => usize::from(!f.is_nan()),
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// If this fails, noise on a line stops a gateway.
    #[test]
    fn noise_is_refused_and_nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        // Noise with the right checksum would be a miracle.
        prop_assert!(exhaust(&bytes).is_err());
        let mut deframer = Deframer::<64>::new();
        let mut rest = bytes.as_slice();
        loop {
            let before = rest.len();
            rest = match deframer.feed(rest) {
                Feed::Frame { frame, rest } => {
                    prop_assert!(!frame.is_empty() && frame.len() <= 64);
                    rest
                }
                Feed::Oversize { rest } | Feed::Cobs { rest } => rest,
                _ => break,
            };
            prop_assert!(rest.len() < before);
        }
    }

    /// If this fails, a hostile sender with a right checksum stops a gateway.
    #[test]
    fn lies_with_a_right_checksum_do_not_panic(
        frame_type in 0..5u8,
        flags in proptest::sample::select(vec![0u8, 1, 0x30]),
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0..16u8], 0..120),
    ) {
        let _ = exhaust(&sealed(&[&[0x10 | frame_type, flags], bytes.as_slice()].concat()));
        let _ = exhaust(&frame(frame_type, &bytes));
    }

    /// If this fails, one flipped bit makes a wrong value.
    #[test]
    fn damage_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8u32, value in any::<u64>()) {
        let mut buffer = [0; 64];
        let mut data = DataWriter::new(&mut buffer, &Header::short(77));
        prop_assert!(data.push(3, &Value::Unsigned(value)));
        let mut bytes = data.finish().unwrap().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert_eq!(Frame::parse(&bytes).err(), Some(FrameError::Crc));
    }

    /// If this fails, a gateway loses more than the frame that was damaged.
    #[test]
    fn the_frame_after_garbage_is_found(
        garbage in proptest::collection::vec(any::<u8>(), 0..400),
        frame in proptest::collection::vec(any::<u8>(), 1..64),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut buffer = [0; 80];
        let stream = stream_frame(&frame, &mut buffer).unwrap();
        // A 0x00 first, as reporters write it.
        let bytes = [garbage.as_slice(), &[0], stream].concat();
        let (head, tail) = bytes.split_at(cut.index(bytes.len()));
        let mut deframer = Deframer::<64>::new();
        let mut last = Vec::new();
        for mut rest in [head, tail] {
            loop {
                rest = match deframer.feed(rest) {
                    Feed::Frame { frame, rest } => {
                        last = frame.to_vec();
                        rest
                    }
                    Feed::Oversize { rest } | Feed::Cobs { rest } => rest,
                    _ => break,
                };
            }
        }
        prop_assert_eq!(last, frame);
    }

    /// If this fails, a foreign COBS implementation and ours do not understand each other.
    #[test]
    fn cobs_agrees_with_the_crate(
        frame in proptest::collection::vec(prop_oneof![4 => 1..=255u8, 1 => Just(0)], 1..800),
    ) {
        let mut buffer = vec![0; frame.len() + 10];
        let stream = stream_frame(&frame, &mut buffer).unwrap();
        prop_assert_eq!(cobs::decode_vec(&stream[..stream.len() - 1]).unwrap(), frame.clone());
        prop_assert_eq!(&cobs::encode_vec(&frame), &stream[..stream.len() - 1]);
        let mut theirs = cobs::encode_vec(&frame);
        theirs.push(0);
        let mut deframer = Deframer::<800>::new();
        prop_assert_eq!(deframer.feed(&theirs), Feed::Frame { frame: &frame, rest: &[] });
    }
}

/// If this fails, a receiver reads a frame it does not understand, or its counts have other names.
#[test]
fn every_reason() {
    let good = frame(2, &[]);
    let mut version = vec![0x22; 20];
    version[1] = 0;
    let row = |bytes: &[u8]| Frame::parse(bytes).err().map(FrameError::reason);
    let rows: [(&str, Vec<u8>, Option<&str>); 12] = [
        ("good", good.clone(), None),
        ("nothing", vec![], Some("truncated")),
        ("a checksum and nothing else", sealed(&[]), Some("truncated")),
        ("only the first byte", sealed(&[0x12]), Some("truncated")),
        ("no epoch", sealed(&[0x12, 0]), Some("malformed")),
        (
            "wrong checksum",
            [&good[..good.len() - 1], &[good[good.len() - 1] ^ 1]].concat(),
            Some("crc"),
        ),
        ("version 2", sealed(&version), Some("version")),
        ("authenticated", sealed(&[0x12, 2, 0, 0]), Some("auth")),
        ("critical bit 2", sealed(&[0x12, 4, 0, 0]), Some("critical")),
        ("critical bit 3", sealed(&[0x12, 8, 0, 0]), Some("critical")),
        ("origin of 17 bytes", sealed(&[&[0x12, 1, 17][..], &[0; 60]].concat()), Some("malformed")),
        ("too long", sealed(&vec![0x12; FRAME_LEN_MAX]), Some("too_long")),
    ];
    for (label, bytes, reason) in rows {
        assert_eq!(row(&bytes), reason, "{label}");
    }
    // Bits that may be ignored are.
    let mut ignorable = good[..good.len() - 4].to_vec();
    ignorable[1] = 0xf0;
    assert_eq!(row(&sealed(&ignorable)), None);
}

/// If this fails, a later version cannot add a frame type, a field or a value.
#[test]
fn later_versions_are_skipped() {
    let bytes = frame(9, &[1, 2, 3]);
    assert!(matches!(Frame::parse(&bytes).unwrap().body(), Ok(Body::Unknown(9))));

    let bytes = frame(3, &[1, 2, 3, 4, 5]);
    let event = Event { registry_full: 1, frames_dropped: 2, epoch_collisions: 3 };
    assert!(matches!(Frame::parse(&bytes).unwrap().body(), Ok(Body::Event(e)) if e == event));

    let bytes = frame(0, &[1, 7, 1, 0, 0, 0, 1, 0, 0x80, 1, 99, 99]);
    let Ok(Body::Hello(hello)) = Frame::parse(&bytes).unwrap().body() else { panic!() };
    assert_eq!((hello.origin, hello.max_frame), (&[7][..], 128));

    // An unknown value between two known ones; an unknown kind between two known entries.
    let bytes = frame(2, &[0, 5, 5, 3, 9, 9, 9, 8, 6]);
    let Ok(Body::Data(values)) = Frame::parse(&bytes).unwrap().body() else { panic!() };
    let values: Vec<_> = values.collect();
    assert_eq!(
        values,
        [
            Ok((0, Reading::Unsigned(5))),
            Ok((1, Reading::Unknown(&[9, 9, 9]))),
            Ok((3, Reading::Unsigned(6)))
        ]
    );
    let entry = [64, 0, 0, 1, b'a', 0, 0, 0];
    let later = [64, 200, 1, 2];
    let mut buffer = [0; 64];
    let mut dict = DictWriter::new(&mut buffer, &Header::short(1), 4);
    assert!(dict.push_body(&entry) && dict.push_body(&later) && dict.push_body(&entry));
    let frame = Frame::parse(dict.finish().unwrap()).unwrap();
    let Ok(Body::Dict(entries)) = frame.body() else { panic!() };
    let read: Vec<_> = entries.map(|(id, _, d)| (id, d.is_some())).collect();
    assert_eq!(read, [(4, true), (5, false), (6, true)]);
}

/// If this fails, malformed content passes for good, or takes good content with it.
#[test]
fn malformed_bodies() {
    let body = |frame_type, bytes: &[u8]| {
        let frame = frame(frame_type, bytes);
        Frame::parse(&frame).unwrap().body().map(drop)
    };
    let malformed = [
        ("HELLO without tick rate", 0, vec![1, 7, 1, 0, 0, 0, 0, 0, 1]),
        ("HELLO of another epoch", 0, vec![1, 7, 2, 0, 0, 0, 1, 0, 1]),
        ("HELLO without origin", 0, vec![0, 1, 0, 0, 0, 1, 0, 1]),
        ("DICT without first id", 1, vec![]),
        ("DICT with a torn entry", 1, vec![0, 3, 1, 2]),
        ("DICT beyond the last id", 1, vec![0x80, 0x80, 0x40, 0]),
        ("EVENT of two fields", 3, vec![1, 2]),
        ("EVENT above 32 bits", 3, vec![1, 2, 0x80, 0x80, 0x80, 0x80, 0x10]),
    ];
    for (label, frame_type, bytes) in malformed {
        assert_eq!(body(frame_type, &bytes), Err(FrameError::Malformed), "{label}");
    }
    assert_eq!(body(1, &[0xff, 0xff, 0x3f, 0]), Ok(()), "the last id");
    let malformed = [
        ("shape 7", vec![7]),
        ("a varint that does not end", vec![0, 0x80]),
        ("a varint of 65 bits", vec![0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]),
        ("an id beyond the last", vec![0x80, 0x80, 0x80, 4, 0]),
        ("a torn f32", vec![2, 0, 0, 0]),
        ("a torn f64", vec![3, 0, 0, 0, 0, 0, 0, 0]),
        ("a torn sized value", vec![5, 2, 0]),
        ("a histogram that ends early", vec![4, 0, 0, 0, 0]),
        ("a span beyond the last bucket", vec![4, 0, 0, 0, 0, 0, 1, 0x80, 8, 1, 1]),
        ("a span of 1025 buckets", [&[4, 0, 0, 0, 0, 0, 1, 0, 0x81, 8][..], &[0; 1100]].concat()),
        ("1025 spans", [&[4, 0, 0, 0, 0, 0, 0x81, 8][..], &[0; 3000]].concat()),
        ("a family without end", vec![6, 8, 1]),
        ("a family in a family", vec![6, 8 | 6, 0, 0]),
        ("cell 1024", vec![6, 0x88, 0x40, 0, 0]),
    ];
    for (label, bytes) in malformed {
        let bytes = frame(2, &[&[0, 42], bytes.as_slice()].concat());
        let Ok(Body::Data(values)) = Frame::parse(&bytes).unwrap().body() else { panic!() };
        let values: Vec<_> = values.collect();
        assert_eq!(values.len(), 2, "{label}");
        assert_eq!(values[0], Ok((0, Reading::Unsigned(42))), "{label}");
        assert!(matches!(values[1], Err(Malformed { .. })), "{label}");
    }
}

/// If this fails, values at the edge of a limit are refused.
#[test]
fn bodies_at_their_limits() {
    let read = |bytes: &[u8]| {
        let frame = frame(2, bytes);
        let Ok(Body::Data(mut values)) = Frame::parse(&frame).unwrap().body() else { panic!() };
        assert!(values.clone().all(|value| value.is_ok()), "{bytes:?}");
        values.next().map(|value| weight(value.unwrap().1))
    };
    let full = [&[4, 0, 0, 0, 0, 0, 1, 0, 0x80, 8][..], &[1; 1024]].concat();
    assert_eq!(read(&full), Some(1));
    // Spans of no buckets mean nothing.
    assert_eq!(read(&[4, 0, 1, 0, 0, 0, 2, 0, 0, 3, 0]), Some(0));
    // The last cell, the last id.
    assert_eq!(read(&[6, 0x80, 0x40, 0, 0]), Some(1));
    assert_eq!(read(&[0xf8, 0xff, 0xff, 3, 0]), Some(0));
    // NaN is no value.
    let nan = frame(2, &[2, 0, 0, 0xc0, 0x7f]);
    let Ok(Body::Data(mut values)) = Frame::parse(&nan).unwrap().body() else { panic!() };
    assert_eq!(values.next(), Some(Ok((0, Reading::Null))));
}

/// If this fails, several buckets of a hostile sender have the bound 0 or infinity, and a server
/// drops the whole page for a series that is there twice.
#[test]
fn geometries_at_their_limits() {
    for (label, scale, first, len, is_good) in [
        ("ours", 2, -80, 104, true),
        ("smallest", 0, -1_022, 1, true),
        ("smaller", 0, -1_023, 1, false),
        ("smallest at scale 4", 4, -16_352, 1_024, true),
        ("smaller at scale 4", 4, -16_353, 1_024, false),
        ("largest", 0, 1_021, 1, true),
        ("larger", 0, 1_021, 2, false),
        ("largest at scale 4", 4, 16_352 - 1_024, 1_024, true),
        ("larger at scale 4", 4, 16_353 - 1_024, 1_024, false),
        ("no buckets", 2, 0, 0, false),
        ("too many", 2, 0, 1_025, false),
        ("too fine", 5, 0, 1, false),
    ] {
        let buckets = Buckets { scale, first, len };
        let mut buffer = [0; 100];
        let mut dict = DictWriter::new(&mut buffer, &Header::short(1), 0);
        assert!(dict.push(&Descriptor::new("h", Kind::Histogram(buckets), Unit::NONE)));
        let frame = Frame::parse(dict.finish().unwrap()).unwrap();
        let Body::Dict(mut entries) = frame.body().unwrap() else { panic!("{label}") };
        let (_, _, read) = entries.next().unwrap();
        assert_eq!(read.is_some(), is_good, "{label}");
        if is_good {
            let bounds: Vec<_> = (0..len).map(|i| buckets.upper(i)).collect();
            assert!(buckets.lower(0) > 0.0 && bounds.is_sorted_by(|a, b| a < b), "{label}");
            assert!(bounds.iter().all(|bound| bound.is_finite()), "{label}");
        }
    }
}

/// If this fails, a small buffer makes a torn frame instead of none.
#[test]
fn frames_that_do_not_fit_are_not_made() {
    let header = Header::full(&[1; 16], Epoch::new(1, 2));
    let hello = Hello {
        origin: &[1; 16],
        epoch: Epoch::new(1, 2),
        build_id: 3,
        reset_reason: ResetReason::Pin,
        boot_count: 4,
        tick_hz: 5,
        metrics: 6,
        max_frame: 7,
    };
    let mut made = 0;
    for len in 0..100 {
        let mut buffer = vec![0; len];
        if let Some(frame) = hello_frame(&mut buffer, &header, &hello) {
            made += 1;
            let read = Frame::parse(frame).unwrap();
            assert_eq!(read.header.address, header.address);
            assert!(matches!(read.body(), Ok(Body::Hello(read)) if read == hello));
        }
        let event = Event::default();
        assert!(event_frame(&mut buffer, &header, &event).is_none_or(|f| exhaust(f).is_ok()));
        let mut data = DataWriter::new(&mut buffer, &header);
        let pushed = (0..9).filter(|i| data.push_cell(3, *i, &Value::Unsigned(1))).count();
        if let Some(frame) = data.finish() {
            assert_eq!(exhaust(frame), Ok(if pushed == 0 { 0 } else { pushed + 1 }));
        }
    }
    assert!(made > 10);
    // Ids and cells that go back are refused, not wrapped.
    let mut buffer = [0; 200];
    let mut data = DataWriter::new(&mut buffer, &header);
    let one = Value::Unsigned(1);
    assert!(data.push(5, &one) && !data.push(5, &one) && !data.push(4, &one));
    assert!(!data.push_cell(5, 0, &one) && data.push_cell(6, 3, &one));
    assert!(!data.push_cell(6, 3, &one) && data.push_cell(6, 4, &one) && data.push(7, &one));
    assert!(!data.push_cell(6, 9, &one));
    assert_eq!(exhaust(data.finish().unwrap()), Ok(1 + 3 + 1));
}

/// If this fails, the deframer gives a torn frame for a whole one or stops for good.
#[test]
fn deframer_outcomes() {
    let mut deframer = Deframer::<4>::new();
    // Empty frames, then one that ends too early, then a good one.
    assert_eq!(
        deframer.feed(&[0, 0, 5, 1, 0, 3, 7, 8, 0, 2]),
        Feed::Cobs { rest: &[3, 7, 8, 0, 2] }
    );
    assert_eq!(deframer.feed(&[3, 7, 8, 0, 2]), Feed::Frame { frame: &[7, 8], rest: &[2] });
    assert_eq!(deframer.feed(&[2]), Feed::Consumed);
    assert_eq!(deframer.feed(&[9, 0]), Feed::Frame { frame: &[9], rest: &[] });
    // As long as the buffer, and a byte longer: the rest is skipped up to the 0x00.
    assert_eq!(deframer.feed(&[5, 1, 2, 3, 4, 0]), Feed::Frame { frame: &[1, 2, 3, 4], rest: &[] });
    assert_eq!(deframer.feed(&[9, 1, 2, 3, 4, 5, 6]), Feed::Oversize { rest: &[6] });
    assert_eq!(deframer.feed(&[6, 7, 1, 1, 1, 1, 1, 1]), Feed::Consumed);
    assert_eq!(deframer.feed(&[0, 2, 9, 0]), Feed::Frame { frame: &[9], rest: &[] });
    // A reopened line.
    assert_eq!(deframer.feed(&[3, 1]), Feed::Consumed);
    deframer.reset();
    assert_eq!(deframer.feed(&[2, 9, 0]), Feed::Frame { frame: &[9], rest: &[] });
}
