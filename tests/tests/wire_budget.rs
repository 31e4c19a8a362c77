//! What reports cost on the line and reporters in RAM: the numbers that the documentation states.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod wire_support;

use tapes_core::metric::{Kind, Unit};
use tapes_core::report::SerialReporter;
use tapes_core::wire::{Encoder, Epoch, Identity, Origin, ResetReason, frame_len, stream_len};
use wire_support::{Fake, FakeHistogram, FakeMetric, FakeSource, Receiver, identity};

/// Microseconds of 30 days.
const MONTH_US: u64 = 30 * 24 * 3600 * 1_000_000;

/// Returns the bytes of the DATA frames of the third report, when all is known and at rest.
///
/// The frames before are thrown away; `change` runs before the last report.
fn data_bytes(
    source: &mut FakeSource,
    first_seq: u64,
    uptime: u64,
    keyframe: bool,
    change: impl FnOnce(&mut FakeSource),
) -> usize {
    source.narrow = true;
    let mut encoder =
        Encoder::<64, 600>::new(identity(), 1_000).with_wrapping_words().with_first_seq(first_seq);
    let mut buffer = [0; 1_100];
    let mut bytes = 0;
    let mut receiver = Receiver::default();
    let mut change = Some(change);
    for report in 0..3 {
        if report == 2 {
            change.take().unwrap()(source);
            if keyframe {
                encoder.force_keyframe();
            }
        }
        encoder.begin(uptime + report * 1_000_000);
        while let Some(stream) = encoder.next_stream_frame(source, &mut buffer) {
            let before = receiver.frames.len();
            assert_eq!(receiver.take_stream(stream), 0);
            if report == 2 && receiver.frames[before..].iter().any(|(_, _, name)| *name == "data") {
                bytes += stream.len();
            }
            encoder.sent();
        }
    }
    bytes
}

fn counters(value: u64) -> FakeSource {
    let metric = |i| FakeMetric::counter(&format!("counter.{i}"), value + i);
    FakeSource::new((0..32).map(metric).collect())
}

/// Durations as a control loop has them: two humps, 29 of 80 buckets filled.
fn durations(events: u64) -> FakeHistogram {
    let hump = |at: usize, width: usize, share: u64| {
        (0..width).map(move |i| {
            let off = i.abs_diff(width / 2);
            (at + i, (events * share / 100) >> (off * 3 / 2))
        })
    };
    let mut buckets = vec![0; 80];
    for (i, count) in hump(8, 17, 80).chain(hump(40, 12, 10)) {
        buckets[i] = count;
    }
    let count: u64 = buckets.iter().sum();
    FakeHistogram {
        sum: count * 180,
        min: Some(12),
        max: Some(9_700),
        buckets,
        ..FakeHistogram::default()
    }
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
    FakeSource::new(metrics)
}

/// What happens in a second: the loop counters and one timer move, two gauges too.
fn second(source: &mut FakeSource) {
    for metric in source.metrics.iter_mut().take(6) {
        let [Fake::Unsigned(n)] = metric.values.as_mut_slice() else { panic!() };
        *n += 100;
    }
    for metric in source.metrics.iter_mut().skip(12).take(2) {
        metric.values = vec![Fake::F32(23.5)];
    }
    source.metrics[16].values = vec![Fake::Histogram(durations(360_100))];
}

/// If this fails, a report takes more of a slow line than the documentation says.
#[test]
fn bytes_of_reports() {
    let rows = [
        (
            "32 aged counters",
            data_bytes(&mut counters(2_592_000_000), 2_592_000, MONTH_US, true, |_| {}),
            230,
        ),
        ("32 young counters", data_bytes(&mut counters(60), 10, 60_000_000, true, |_| {}), 120),
        ("board, what changed", data_bytes(&mut board(), 4_000, 3_600_000_000, false, second), 160),
        ("board, keyframe", data_bytes(&mut board(), 4_000, 3_600_000_000, true, second), 420),
    ];
    for (label, bytes, budget) in rows {
        println!("{label}: {bytes} bytes of {budget}");
        assert!(bytes <= budget, "{label}: {bytes} bytes, more than {budget}");
        assert!(bytes > budget / 2, "{label}: {bytes} bytes; lower the budget of {budget}");
    }
}

/// If this fails, a board that counted on 2 KiB of RAM runs out of it.
#[test]
fn bytes_of_ram() {
    // 12 counters, 4 gauges, 3 timers of 3 + 2 + 82 words.
    const METRICS: usize = 19;
    const WORDS: usize = 12 + 4 + 3 * 87;
    let words = 4 * WORDS;
    // Eight-byte alignment counts for the device too: its u64 are aligned alike.
    let safe = size_of::<SerialReporter<METRICS, WORDS, { stream_len(frame_len(80, u64::MAX)) }>>();
    let lean = size_of::<SerialReporter<METRICS, WORDS, { stream_len(frame_len(80, 1 << 32)) }>>();
    // Its pointer is longer here.
    let more = if size_of::<usize>() == 8 { 8 } else { 0 };
    assert_eq!(size_of::<Encoder<0, 0>>(), 144 + more);
    assert_eq!(size_of::<SerialReporter<0, 0, 136>>() - 136, 160 + more);
    let (lean, safe) = (lean - more, safe - more);
    assert_eq!((lean, safe), (928, 1_080));
    assert!(words + lean <= 2_048, "{}", words + lean);
}

/// If this fails, a histogram at its worst does not fit the frame that `frame_len` promises.
#[test]
fn frame_len_is_enough_at_worst() {
    for buckets in [1u32, 2, 80, 104, 127, 128, 500, 1_024] {
        let full = (1u64 << 39) - 1;
        let len = buckets as usize;
        let worst = |count: &dyn Fn(usize) -> u64| FakeHistogram {
            sum: u64::MAX,
            min: Some(u64::from(u32::MAX)),
            max: Some(u64::from(u32::MAX)),
            zero: full,
            overflow: full,
            buckets: (0..len).map(count).collect(),
        };
        // All filled, and as many spans as there can be.
        for value in [worst(&|_| full), worst(&|i| if i % 4 == 0 { full } else { 0 })] {
            let metric = FakeMetric::timer("timer", buckets, value);
            let source = FakeSource::new(vec![metric]);
            let identity = Identity {
                build_id: u64::MAX,
                reset_reason: ResetReason::Watchdog,
                boot_count: u32::MAX,
                ..Identity::new(Origin::from_array([255; 16]), Epoch::new(1, 2), u32::MAX)
            };
            let mut encoder = Encoder::<1, 0>::new(identity, frame_len(buckets, u64::MAX))
                .with_first_seq(u64::MAX - 100);
            let mut buffer = vec![0; stream_len(frame_len(buckets, u64::MAX))];
            let mut receiver = Receiver::default();
            encoder.begin(u64::MAX);
            while let Some(stream) = encoder.next_stream_frame(&source, &mut buffer) {
                assert_eq!(receiver.take_stream(stream), 0);
                encoder.sent();
            }
            assert_eq!(encoder.event().frames_dropped, 0, "{buckets} buckets");
            receiver.assert_has(&source);
        }
    }
}

/// If this fails, a metric that fits no frame stops the report or goes unnoticed.
#[test]
fn a_metric_too_large_is_left_out_and_counted() {
    let mut source = counters(5);
    source.metrics.insert(3, FakeMetric::timer("timer", 80, durations(1 << 38)));
    source.metrics[1].help = "x".repeat(250);
    source.metrics[2].name = "n".repeat(128);
    source.metrics[2].unit = Unit::BYTES;
    let mut encoder = Encoder::<40, 0>::new(identity(), 128);
    let mut receiver = Receiver::default();
    let mut buffer = [0; 128];
    encoder.begin(0);
    while let Some(frame) = encoder.next_frame(&source, &mut buffer) {
        receiver.take(frame).unwrap();
        encoder.sent();
    }
    assert!(receiver.knows_all());
    // The name alone is too long for this frame, so its entry is empty; the timer has no value.
    assert_eq!(encoder.event().frames_dropped, 2);
    assert_eq!(receiver.entries[&2], []);
    assert_eq!(receiver.value(3, 0), None);
    assert_eq!(receiver.values.len(), 32);
}
