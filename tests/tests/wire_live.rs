//! Reports of metrics that are being recorded meanwhile.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tapes_core::metrics;
use tapes_core::wire::{Body, Encoder, Epoch, Frame, Identity, Origin, Reading};

metrics! {
    static LIVE: LiveMetrics = "live" {
        events: Counter,
        values: Histogram [max = 1_000_000, scale = 2],
    }
}

/// Ends the recording, also when a check failed.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a receiver knows of the group above.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Heard {
    events: u64,
    sum: u64,
    count: u64,
    min: Option<u64>,
    max: Option<u64>,
}

/// Sends one report.
fn report(encoder: &mut Encoder<2, 0>, heard: &mut Heard) {
    let mut buffer = [0; 1_200];
    encoder.begin(0);
    while let Some(frame) = encoder.next_frame(&LIVE, &mut buffer) {
        if let Ok(Body::Data(values)) = Frame::parse(frame).unwrap().body() {
            for value in values {
                match value.unwrap() {
                    (0, Reading::Unsigned(events)) => heard.events = events,
                    (1, Reading::Histogram(h)) => {
                        let count = h.count();
                        *heard = Heard { sum: h.sum, count, min: h.min, max: h.max, ..*heard };
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        encoder.sent();
    }
}

/// If this fails, a report of a busy device has a sum without its values, goes backwards, or never
/// catches up.
#[test]
fn reports_while_two_threads_record() {
    let identity = Identity::new(Origin::from_array([1]), Epoch::new(0, 1), 1);
    // No keyframe helps out.
    let mut encoder = Encoder::new(identity, 1_200).with_keyframe_interval(u16::MAX);
    let done = AtomicBool::new(false);
    let mut heard = Heard::default();
    let recorded = thread::scope(|scope| {
        let record = |step: u64| {
            let done = &done;
            scope.spawn(move || {
                let (mut n, mut sum) = (0u64, 0u64);
                while !done.load(Ordering::Relaxed) {
                    // Spreads over many buckets, so that spans appear and grow together.
                    let value = (n * step * 7_919) % 100_003 + 1;
                    LIVE.values.record(u32::try_from(value).unwrap());
                    LIVE.events.increment();
                    (n, sum) = (n + 1, sum + value);
                }
                (n, sum)
            })
        };
        let threads = [record(1), record(3)];
        let finished = Done(&done);
        let mut reports = 0;
        while heard.count < 300_000 {
            let before = heard;
            report(&mut encoder, &mut heard);
            assert!(heard.events >= before.events && heard.count >= before.count);
            assert!(heard.sum >= before.sum, "{before:?}, then {heard:?}");
            // On this machine's memory model what is in the sum is in a bucket.
            assert!(heard.sum <= heard.count * 100_003);
            if let (Some(min), Some(max)) = (heard.min, heard.max) {
                assert!((1..=max).contains(&min));
            }
            reports += 1;
        }
        assert!(reports > 1);
        drop(finished);
        threads.map(|thread| thread.join().unwrap())
    });
    report(&mut encoder, &mut heard);
    let [(n, sum), (m, other)] = recorded;
    assert_eq!((heard.events, heard.count, heard.sum), (n + m, n + m, sum + other));
}
