//! Does one thing as often as it is told: `cargo xtask instructions` has callgrind count what one
//! more of it takes.
#![forbid(unsafe_code)]

#[path = "../../benches/src/fleet/board.rs"]
mod board;

use std::hint::black_box;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use board::{Board, SAMPLES};
use tapes_core::metric::{Layout, Value};
use tapes_core::text::prometheus::Format;
use tapes_core::text::statsd::{Dialect, Encoder, LINE_LEN_MAX};
use tapes_core::wire::{self, Body, Deframer, Epoch, FRAME_LEN_MAX, Feed, Frame, Identity, Origin};
use tapes_core::{Registry, Source as _, layout, metrics};
use tapes_std::clock::ManualTime;
use tapes_std::exposition::Exposition as _;
use tapes_std::fleet::{Fleet, Limits, LinkId, LinkKind, NodeId};
use tapes_std::local::Local;

metrics! {
    /// What is counted.
    static OURS: OursMetrics = "bench" {
        /// A counter.
        counter: Counter,
        /// A gauge.
        gauge: Gauge<f64>,
        /// A histogram.
        histogram: Histogram [unit = micros, max = 60 s, scale = 2],
        /// A counter with one handle.
        own: Exclusive<Counter>,
    }
}

static TIMES: &Layout = layout!(unit = micros, max = 60 s, scale = 2);
static REGISTRY: Registry<110, 1_200> = Registry::new();

/// Values of all sizes, in turn.
fn value(i: u32) -> u32 {
    i.wrapping_mul(0x9e37_79b9) >> (i % 24)
}

fn report(times: u32) {
    let (mut board, mut bytes) = (Board::new(1), Vec::with_capacity(4_096));
    for _ in 0..times {
        board.work(SAMPLES);
        bytes.clear();
        black_box(board.report(&mut bytes));
    }
}

/// Works without reporting: what `report` does besides.
fn work(times: u32) {
    let mut board = Board::new(1);
    (0..times).for_each(|_| board.work(SAMPLES));
}

fn ingest(bytes: &[u8], fleet: &mut Fleet, link: LinkId) {
    let mut deframer = Box::new(Deframer::<FRAME_LEN_MAX>::new());
    let mut rest = bytes;
    while let Feed::Frame { frame, rest: more } = deframer.feed(rest) {
        fleet.ingest(link, frame, Duration::from_secs(100_000)).expect("it is good");
        rest = more;
    }
}

/// Makes so many reports, and takes in the first of them.
fn receive(made: u32, times: u32) {
    let (mut board, mut fleet) = (Board::new(1), Fleet::new(NodeId([1; 16]), Limits::default()));
    let link = fleet.open_link("bench", LinkKind::Capture).expect("it is the only one");
    let mut reports = vec![Vec::new(); made as usize];
    for report in &mut reports {
        board.work(SAMPLES);
        board.report(report);
    }
    reports.iter().take(times as usize).for_each(|report| ingest(report, &mut fleet, link));
    black_box(fleet.snapshot(Duration::from_secs(100_000)).devices.len());
}

/// Reads the frames of 400 reports, and every value in them, and applies none.
fn decode(times: u32) {
    let mut board = Board::new(1);
    let mut reports = vec![Vec::new(); 400];
    for report in &mut reports {
        board.work(SAMPLES);
        board.report(report);
    }
    for bytes in reports.iter().take(times as usize) {
        let mut deframer = Box::new(Deframer::<FRAME_LEN_MAX>::new());
        let mut rest = bytes.as_slice();
        while let Feed::Frame { frame, rest: more } = deframer.feed(rest) {
            let frame = Frame::parse(frame).expect("it is good");
            if let Ok(Body::Data(values)) = frame.body() {
                black_box(values.count());
            }
            rest = more;
        }
    }
}

/// A page of twenty boards with a hundred counters each.
fn scrape(times: u32) {
    let mut fleet = Fleet::new(NodeId([1; 16]), Limits::default());
    let link = fleet.open_link("bench", LinkKind::Capture).expect("it is the only one");
    for i in 0..100 {
        let name = format!("engine.part{i}.count");
        REGISTRY.counter(name.as_str()).expect("there is room").add(123_456 + i);
    }
    let mut buffer = [0; 1_600];
    for board in 1..=20 {
        let origin = Origin::from_array(u64::from(board).to_be_bytes());
        let identity = Identity::new(origin, Epoch::new(0, board), 1_000_000);
        let mut encoder = wire::Encoder::<110, 1_200>::new(identity, 1_500).with_full_address();
        encoder.begin(1_000_000);
        while let Some(frame) = encoder.next_stream_frame(&REGISTRY, &mut buffer) {
            ingest(frame, &mut fleet, link);
            encoder.sent();
        }
    }
    let mut text = String::new();
    for _ in 0..times {
        text.clear();
        let snapshot = fleet.snapshot(Duration::from_secs(100_000));
        let wall = SystemTime::UNIX_EPOCH;
        snapshot.write_metrics(Format::Prometheus, wall, &mut text).expect("a text takes all");
        black_box(&text);
    }
}

/// Makes the registry of a program: 100 counters and 10 timers with values.
fn fill() {
    for i in 0..100 {
        let name = format!("engine.part{i}.count");
        REGISTRY.counter(name.as_str()).expect("there is room").add(i);
    }
    for i in 0..10 {
        let name = format!("engine.task{i}.time");
        let timer = REGISTRY.timer::<1_000_000>(name.as_str(), TIMES).expect("there is room");
        (0..100).for_each(|i| timer.record(value(i)));
    }
}

fn page(times: u32) {
    fill();
    let (local, mut text) = (Local::new(&REGISTRY), String::new());
    for _ in 0..times {
        text.clear();
        local.metrics(Format::OpenMetrics, &mut text).expect("a text takes everything");
        black_box(&text);
    }
}

fn json(times: u32) {
    fill();
    // Of which no time passes, so that every time is the same.
    let local = Local::with_time(&REGISTRY, Arc::new(ManualTime::new()));
    let mut text = String::new();
    for _ in 0..times {
        text.clear();
        local.stats(&[], &mut text).expect("a text takes everything");
        black_box(&text);
    }
}

fn statsd(times: u32) {
    fill();
    let mut buffer = [0; LINE_LEN_MAX];
    let mut encoder = Encoder::new(Dialect::Etsy, &mut buffer);
    for _ in 0..times {
        let _ = REGISTRY.visit(0, &mut |sample| {
            let descriptor = sample.descriptor();
            encoder.metric(&descriptor, sample.cell, &sample.value, Some(1), None, &mut |line| {
                black_box(line);
            });
            ControlFlow::Continue(())
        });
    }
}

/// Reads every counter, and sum, extremes and every bucket of every timer.
fn snapshot(times: u32) {
    fill();
    for _ in 0..times {
        let _ = REGISTRY.visit(0, &mut |sample| {
            if let Value::Distribution(all) = &sample.value {
                black_box((all.sum(), all.min(), all.max(), all.zero(), all.overflow()));
                (0..all.geometry().len).for_each(|i| {
                    black_box(all.bucket(i));
                });
            }
            black_box(&sample.value);
            ControlFlow::Continue(())
        });
    }
}

fn look_up(times: u32) {
    for i in 0..100 {
        let name = format!("engine.part{i}.count");
        let _ = REGISTRY.counter(name.as_str()).expect("there is room");
    }
    for _ in 0..times {
        let _ = black_box(REGISTRY.counter(black_box("engine.part50.count")).expect("it is there"));
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, times] = arguments.as_slice() else { return ExitCode::FAILURE };
    let Ok(times) = times.parse::<u32>() else { return ExitCode::FAILURE };
    match what.as_str() {
        "counter" => (0..times).for_each(|_| black_box(&OURS).counter.increment()),
        "exclusive" => {
            let mut own = OURS.own.take().expect("nobody has taken it");
            (0..times).for_each(|_| black_box(&mut own).increment());
        }
        "gauge" => (0..times).for_each(|i| black_box(&OURS).gauge.set(f64::from(i))),
        "values" => (0..times).for_each(|i| {
            black_box(value(i));
        }),
        "histogram" => (0..times).for_each(|i| black_box(&OURS).histogram.record(value(i))),
        "look-up" => look_up(times),
        "work" => work(times),
        "report" => report(times),
        "receive" => receive(400, times),
        "decode" => decode(times),
        "page" => page(times),
        "scrape" => scrape(times),
        "json" => json(times),
        "statsd" => statsd(times),
        "snapshot" => snapshot(times),
        _ => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}
