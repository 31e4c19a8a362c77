//! What keeping the state costs: bytes on the disk for boards as they are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod wire_support;

use std::time::{Duration, UNIX_EPOCH};

use tapes_core::metric::Kind;
use tapes_core::wire::{Encoder, Epoch, Identity, Origin, frame_len, stream_len};
use tapes_std::fleet::store::{MemoryDirectory, Store, StoreOptions};
use tapes_std::fleet::{Fleet, Limits, LinkId, LinkKind};
use wire_support::{Fake, FakeHistogram, FakeMetric, FakeSource};

const BOARDS: u8 = 20;
const SCRAPE_S: u64 = 15;
const MEASURED_S: u64 = 600;

/// Durations as a control loop has them, most of them in 12 buckets.
fn durations(events: u64) -> FakeHistogram {
    let mut buckets = vec![0; 80];
    for (i, bucket) in buckets.iter_mut().enumerate().skip(8).take(29) {
        *bucket = events >> i.abs_diff(16).min(20);
    }
    let sum = buckets.iter().sum::<u64>() * 180;
    FakeHistogram { sum, min: Some(12), max: Some(9_700), buckets, ..FakeHistogram::default() }
}

/// 12 counters, 4 gauges, 3 timers of 82 buckets, after an hour.
fn board() -> FakeSource {
    let mut metrics = Vec::new();
    for i in 0..12u32 {
        metrics.push(FakeMetric::counter(&format!("motor.counter_{i}"), 3_600 * 7u64.pow(i / 3)));
    }
    for i in 0..4u8 {
        let value = Fake::F32(20.0 + f32::from(i));
        metrics.push(FakeMetric::new(&format!("motor.gauge_{i}"), Kind::GaugeFloat, value));
    }
    for i in 0..3 {
        metrics.push(FakeMetric::timer(&format!("motor.timer_{i}"), 80, durations(360_000)));
    }
    let mut source = FakeSource::new(metrics);
    source.narrow = true;
    source
}

/// What happens in a second: everything moves, or only what a control loop moves.
fn second(source: &mut FakeSource, at: u64, all: bool) {
    for metric in source.metrics.iter_mut().take(if all { 12 } else { 6 }) {
        let [Fake::Unsigned(n)] = metric.values.as_mut_slice() else { panic!() };
        *n += 100;
    }
    let warm = f32::from(u8::try_from(at % 50).unwrap()) / 7.0;
    for metric in source.metrics.iter_mut().skip(12).take(if all { 4 } else { 2 }) {
        metric.values = vec![Fake::F32(warm)];
    }
    for metric in source.metrics.iter_mut().skip(16).take(if all { 3 } else { 1 }) {
        metric.values = vec![Fake::Histogram(durations(360_000 + at * 100))];
    }
}

struct Line {
    source: FakeSource,
    encoder: Encoder<64, 600>,
    link: LinkId,
}

/// Returns the bytes that a day of scrapes writes for 20 boards.
fn bytes_of_a_day(all: bool) -> u64 {
    let disk = MemoryDirectory::new();
    let (mut store, saved) = Store::open(disk.clone(), &StoreOptions::new()).unwrap();
    let start = Duration::from_secs(10_000);
    let mut fleet = Fleet::restored(store.node(), Limits::default(), saved, start, UNIX_EPOCH);
    let mut lines: Vec<_> = (1..=BOARDS)
        .map(|id| {
            let identity =
                Identity::new(Origin::from_array([id; 8]), Epoch::new(0, u32::from(id)), 1_000_000);
            let name = format!("serial:/dev/ttyACM{id}");
            let encoder = Encoder::new(identity, frame_len(80, u64::MAX)).with_wrapping_words();
            let link = fleet.open_link(&name, LinkKind::Serial).unwrap();
            Line { source: board(), encoder, link }
        })
        .collect();
    let mut buffer = vec![0; stream_len(frame_len(80, u64::MAX))];
    let mut written = 0;
    // The first minutes are introductions, which no day has more of.
    for at in 0..MEASURED_S + 60 {
        let now = start + Duration::from_secs(at);
        for line in &mut lines {
            second(&mut line.source, at, all);
            line.encoder.begin((3_600 + at) * 1_000_000);
            while let Some(frame) = line.encoder.next_frame(&line.source, &mut buffer) {
                assert_eq!(fleet.ingest(line.link, frame, now), Ok(()));
                line.encoder.sent();
            }
        }
        if at % SCRAPE_S == 0 {
            store.save(&mut fleet, now, UNIX_EPOCH + now).unwrap();
        }
        if at == 60 {
            written = disk.written();
        }
    }
    assert_eq!(store.stats().rewrites, 1, "the day has more of them, see below");
    let appended = (disk.written() - written) * 86_400 / MEASURED_S;
    // The file is written anew after 4 MiB of changes.
    let whole = store.stats().file_bytes - (disk.written() - written);
    appended + appended.div_ceil(4 << 20) * whole
}

/// If this fails, an SD card wears out sooner than the documentation says.
#[test]
fn bytes_written_in_a_day() {
    for (label, all, budget) in [("what a control loop moves", false, 30), ("all of it", true, 50)]
    {
        let megabytes = bytes_of_a_day(all) / 1_000_000;
        println!("{label}: {megabytes} MB of {budget}");
        assert!(megabytes <= budget, "{label}: {megabytes} MB, more than {budget}");
        assert!(megabytes > budget / 2, "{label}: {megabytes} MB; lower the budget of {budget}");
    }
}
