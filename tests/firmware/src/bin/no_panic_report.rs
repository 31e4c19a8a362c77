//! Schedules, frames, the decoder and kept words: none may bring a panic into an image.
#![no_std]
#![no_main]

use core::hint::black_box;

use tapes_core::metric::Words;
use tapes_core::report::{Kept, Scheduler, SerialReporter};
use tapes_core::wire::{
    Body, Deframer, Encoder, Epoch, Feed, Frame, Identity, Origin, frame_len, stream_len,
};
use tapes_core::{Registry, metrics};
use tapes_probes::board::Timer;
use tapes_probes::uart::Uart;

metrics! {
    static JOBS: Jobs = "jobs" in JOB_WORDS {
        begun: Counter,
        time: Timer [unit = micros, max = 1 s],
        level: Gauge<f32>,
    }
}

// SAFETY: plain words, any bits of which are a value.
#[unsafe(link_section = ".uninit.tapes")]
static JOB_WORDS: Words<{ Jobs::WORDS }> = Words::new();
// SAFETY: as above.
#[unsafe(link_section = ".uninit.tapes")]
static KEPT: Kept<{ Jobs::METRICS }> = Kept::new();

static REGISTRY: Registry<2, 2, 1> = Registry::new();

const FRAME: usize = stream_len(frame_len(Jobs::BUCKETS, u64::MAX));

/// Registers until there is no room, which is counted and sent.
fn full() -> u32 {
    let _ = REGISTRY.gauge_fn(("a.{}", black_box(1)), || black_box(None::<f32>));
    let _ = black_box(REGISTRY.attach(&JOBS));
    REGISTRY.refused()
}

/// Reads what came in, down to the last number.
fn read(bytes: &[u8]) -> u64 {
    let mut deframer = Deframer::<FRAME>::new();
    let (mut rest, mut sum) = (bytes, 0u64);
    while let Feed::Frame { frame, rest: tail } = deframer.feed(rest) {
        rest = tail;
        match Frame::parse(frame).and_then(|frame| frame.body()) {
            Ok(Body::Hello(hello)) => sum = sum.wrapping_add(hello.build_id),
            Ok(Body::Dict(dict)) => dict.for_each(|entry| _ = black_box(entry)),
            Ok(Body::Data(data)) => data.for_each(|entry| _ = black_box(entry)),
            other => _ = black_box(other),
        }
    }
    sum
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let start = KEPT.start(&JOBS, black_box(1), || Epoch::new(0, black_box(7)));
    let identity = Identity::new(Origin::from_array([7]), start.epoch, 1_000_000);
    let identity = start.identify(identity);
    let mut encoder = Encoder::<{ Jobs::METRICS }, { Jobs::WORDS }>::new(identity, FRAME);
    encoder.set_first_seq(start.first_seq);
    let encoder = encoder.with_full_address().with_report_interval_ms(black_box(500));
    let mut reporter =
        SerialReporter::<{ Jobs::METRICS }, { Jobs::WORDS }, FRAME>::with_encoder(encoder);
    let mut line = [0; 64];
    let mut reports = Scheduler::every_ms(black_box(1_000), Timer, |uptime| {
        let result = reporter.report(&JOBS, uptime, &mut Uart);
        KEPT.reported(reporter.encoder());
        reporter.encoder().set_registry_full(black_box(3));
        reporter.encoder().observe(&JOBS);
        reporter.encoder().observe(&REGISTRY);
        result
    })
    .with_error_hook(|error| _ = black_box(error));
    let _ = reports.start();
    loop {
        JOBS.begun.increment();
        JOBS.time.record(black_box(99));
        JOBS.time.record_duration(black_box(core::time::Duration::MAX));
        JOBS.begun.add_wide(black_box(99));
        black_box(full());
        JOBS.level.set(black_box(1.5));
        black_box(reports.poll());
        black_box(&mut line);
        black_box(read(&line));
        if black_box(false) {
            reports.stop();
        }
    }
}
