//! Frames with right checksums and wrong content: nothing in them may stop a fleet, grow it without
//! bounds, or make its exposition unreadable.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use gateway_support::{Device, Noise};
use tapes_core::metric::{
    Buckets, Counts, Descriptor, Dimension, Dimensions, Distribution, Kind, Labels, Unit, Value,
};
use tapes_core::wire::{Deframer, Feed};
use tapes_std::exposition::Format;
use tapes_std::fleet::{Fleet, Limits, LinkKind, NodeId};

const FRAMES: u64 = 60_000;

const CASTAGNOLI: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);

/// Returns bare frames of every type.
fn examples() -> Vec<Vec<u8>> {
    const FAULTS: [Dimension<'static>; 1] = [Dimension { name: "fault", values: &["a", "b"] }];
    let buckets = Buckets { scale: 2, first: -80, len: 104 };
    let labels = [("axis", "x")];
    let dictionary = [
        Descriptor { bits: 32, ..Descriptor::new("a.b", Kind::Counter, Unit::NONE) },
        Descriptor::new("a.c", Kind::Timer(buckets), Unit::MICROS),
        Descriptor {
            labels: Labels::new(&labels),
            ..Descriptor::new("d", Kind::GaugeFloat, Unit::VOLTS)
        },
        Descriptor {
            dimensions: Dimensions::new(&FAULTS),
            ..Descriptor::new("e", Kind::Meter, Unit::BYTES)
        },
    ];
    let counts =
        Counts { sum: 9, min: Some(1), max: Some(5), zero: 1, overflow: 2, buckets: &[3, 4] };
    let values = [
        (0, Value::Unsigned(7)),
        (1, Value::Distribution(Distribution::new(buckets, counts))),
        (2, Value::F32(1.5)),
    ];
    let mut device = Device::new(&[1, 2, 3], 5);
    let streamed = [
        device.dict(&dictionary),
        device.hello(),
        device.data(&values),
        device.data(&[(0, Value::Unsigned(8)), (2, Value::Null)]),
    ];
    let mut deframer = Box::new(Deframer::<16_384>::new());
    let bare = streamed.iter().map(|frame| match deframer.feed(frame) {
        Feed::Frame { frame, .. } => frame.to_vec(),
        other => panic!("{other:?}"),
    });
    bare.collect()
}

/// Changes some bytes, and makes the checksum right again.
fn mutated(frame: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut frame = frame[..frame.len() - 4].to_vec();
    for _ in 0..noise.below(6) {
        let at = usize::try_from(noise.below(frame.len() as u64)).unwrap();
        match noise.below(4) {
            0 => frame[at] = noise.next().to_le_bytes()[0],
            1 => frame[at] ^= 1 << noise.below(8),
            2 => frame.insert(at, noise.next().to_le_bytes()[0]),
            _ => drop((frame.len() > 2).then(|| frame.remove(at))),
        }
    }
    let crc = CASTAGNOLI.checksum(&frame);
    frame.extend(crc.to_le_bytes());
    frame
}

/// If this fails, one device with a bug, or a bug in its radio, takes the gateway down.
#[test]
fn no_content_stops_a_fleet() {
    let limits = Limits::default();
    let mut fleet = Fleet::new(NodeId([1; 16]), limits);
    let links: Vec<_> = [LinkKind::Serial, LinkKind::Socket, LinkKind::Capture]
        .into_iter()
        .map(|kind| fleet.open_link("mutated", kind).unwrap())
        .collect();
    let examples = examples();
    let mut noise = Noise(1);
    let mut used = 0;
    for i in 0..FRAMES {
        let example = usize::try_from(noise.below(examples.len() as u64)).unwrap();
        let link = usize::try_from(noise.below(links.len() as u64)).unwrap();
        let frame = mutated(&examples[example], &mut noise);
        let now = Duration::from_millis(i * 50);
        used += u64::from(fleet.ingest(links[link], &frame, now).is_ok());
        if i % 5_000 == 0 {
            let mut text = String::new();
            fleet.snapshot(now).write_metrics(Format::OpenMetrics, UNIX_EPOCH, &mut text).unwrap();
            let mut seen = BTreeSet::new();
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(seen.insert(series), "{series} is there twice");
            }
            assert!(fleet.snapshot(now).write_stats(&[], &mut text).unwrap());
        }
    }
    let bytes = fleet.state().bytes();
    assert!(used > FRAMES / 100, "{used} frames were used: the mutations are too wild");
    assert!(bytes < limits.bytes, "{bytes} bytes");
}
