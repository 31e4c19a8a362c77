//! Reports of 1,000 counters and 100 histograms, and of a board: what each takes.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Mutex;

use cadence::{Counted as _, Gauged as _, NopMetricSink, StatsdClient};
use tapes_core::Source as _;
use tapes_core::metric::Value;
use tapes_core::text::json::write_json;
use tapes_core::text::statsd::{Dialect, Encoder, LINE_LEN_MAX};
use tapes_core::wire::{self, Epoch, Identity, Origin};
use tapes_std::exposition::Exposition as _;
use tapes_std::local::Local;

use super::text::{COUNTERS, HISTOGRAMS, REGISTRY, fill};
use super::{Entry, compare, entry, shown_bytes, work};
use crate::fleet::board::{Board, SAMPLES};
use crate::table::{Limit, Table};
use crate::timing::median_s;
use crate::{ALLOCATOR, Options};

/// Bytes of a datagram that every network takes.
const DATAGRAM: usize = 1_432;

/// Returns an entry whose work runs with something of its own, and says what it allocates.
fn with<S: Send + 'static>(
    name: &'static str,
    note: &str,
    state: S,
    work: impl Fn(&mut S) + Sync + 'static,
) -> Entry {
    let state = Mutex::new(state);
    let repeat = move |times: u64| {
        let mut state = state.lock().expect("nobody panics");
        (0..times).for_each(|_| work(&mut state));
    };
    repeat(2);
    let bytes = ALLOCATOR.asked_by(|| repeat(1));
    entry(name, format!("{note}allocates {}", shown_bytes(bytes)), Box::new(repeat))
}

/// Reads everything: each counter, and sum, extremes and every bucket of each histogram.
fn visit() {
    let _ = REGISTRY.visit(0, &mut |sample| {
        match &sample.value {
            Value::Distribution(all) => {
                black_box((all.sum(), all.min(), all.max(), all.zero(), all.overflow()));
                (0..all.geometry().len).for_each(|i| {
                    black_box(all.bucket(i));
                });
            }
            value => {
                black_box(value);
            }
        }
        ControlFlow::Continue(())
    });
}

/// Makes the lines of all metrics and packs them; returns the packets.
fn packets(packet: &mut Vec<u8>) -> usize {
    let mut buffer = [0; LINE_LEN_MAX];
    let mut encoder = Encoder::new(Dialect::Etsy, &mut buffer);
    let mut packets = 0;
    packet.clear();
    let _ = REGISTRY.visit(0, &mut |sample| {
        let growth = match &sample.value {
            Value::Unsigned(count) => *count,
            Value::Distribution(all) => all.count(),
            _ => 0,
        };
        let descriptor = sample.descriptor();
        encoder.metric(&descriptor, sample.cell, &sample.value, Some(growth), None, &mut |line| {
            if packet.len() + 1 + line.len() > DATAGRAM {
                black_box(&*packet);
                packet.clear();
                packets += 1;
            }
            if !packet.is_empty() {
                packet.push(b'\n');
            }
            packet.extend(line.as_bytes());
        });
        ControlFlow::Continue(())
    });
    packets + usize::from(!packet.is_empty())
}

/// What lines of ours are: a count each, and eleven gauges of each histogram.
fn cadence() -> Entry {
    const STATISTICS: [&str; 10] =
        ["min", "max", "mean", "stddev", "q50", "q75", "q95", "q98", "q99", "q999"];
    let client = StatsdClient::from_sink("bench", NopMetricSink);
    let counters: Vec<_> = (0..COUNTERS).map(|i| format!("engine_part{i}_count")).collect();
    let times: Vec<_> = (0..HISTOGRAMS).map(|i| format!("engine_task{i}_time")).collect();
    let gauges: Vec<_> =
        times.iter().flat_map(|name| STATISTICS.map(|last| format!("{name}.{last}"))).collect();
    with("cadence, to nowhere", "lines of the same numbers, known before; ", (), move |()| {
        for name in counters.iter().chain(&times) {
            let _ = client.count(name, 31);
        }
        for name in &gauges {
            let _ = client.gauge(name, 0.123_456_789);
        }
    })
}

/// Encodes all as frames of a stream.
fn frames() -> Entry {
    type All = wire::Encoder<{ COUNTERS + HISTOGRAMS }, { COUNTERS + HISTOGRAMS * 109 }>;
    let identity = Identity::new(Origin::from_array([1; 8]), Epoch::new(0, 1), 1_000_000);
    let state = (Box::new(All::new(identity, 4_000)), Box::new([0; 4_096]), 0u64);
    with("tapes, frames", "every value; ", state, |(encoder, buffer, now)| {
        *now += 1_000_000;
        encoder.force_keyframe();
        encoder.begin(*now);
        while let Some(frame) = encoder.next_stream_frame(&REGISTRY, &mut **buffer) {
            black_box(frame);
            encoder.sent();
        }
    })
}

/// What a board takes on this machine for a report in which everything changed.
fn board(options: &Options, table: &mut Table) {
    const REPORTS: u32 = 200;
    let set_up = || {
        let boards: Vec<_> = (1..=REPORTS).map(Board::new).collect();
        let told = boards.into_iter().map(|mut board| {
            let mut out = Vec::with_capacity(8_192);
            for _ in 0..3 {
                board.work(SAMPLES);
                out.clear();
                board.report(&mut out);
            }
            board.work(SAMPLES);
            out.clear();
            (board, out)
        });
        told.collect::<Vec<_>>()
    };
    let seconds = median_s("report of a board", options, set_up, |mut boards| {
        boards.iter_mut().for_each(|(board, out)| _ = board.report(out));
        boards
    });
    let each = seconds / f64::from(REPORTS);
    table.push("report of a typical board, 19 values", each * 1e6, "µs", Limit::None);
    let samples = f64::from(SAMPLES) / each;
    table.push("samples encoded", samples, "/s", Limit::None);
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    fill();
    let local = Local::new(&REGISTRY);
    let list = vec![
        with("tapes, StatsD packets", "2,200 lines; ", Vec::with_capacity(DATAGRAM), |packet| {
            black_box(packets(packet));
        }),
        cadence(),
        with("tapes, JSON as a page", "with rates and quantiles; ", String::new(), move |text| {
            text.clear();
            local.stats(&[], text).expect("a text takes everything");
        }),
        with("tapes, JSON as a device", "with quantiles; ", String::new(), |text| {
            text.clear();
            write_json(&REGISTRY, &|_, _| None, text).expect("a text takes everything");
        }),
        entry("tapes, snapshot", "every counter and bucket read", work!(_i => visit())),
        frames(),
    ];
    let title = "Reports of 1,000 counters and 100 histograms";
    table.compare(compare(title, options, &[1], list), &[]);
    board(options, table);
}
