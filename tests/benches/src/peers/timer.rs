//! Timer, start and stop.

use std::hint::black_box;
use std::time::Instant;

use tapes_core::clock::{Clock as _, StdClock};
use tapes_core::metrics;
use tapes_std::clock::TscClock;

use super::{THREADS, bounds, bytes_of, compare, entry, work};
use crate::Options;
use crate::table::{Limit, Table};

metrics! {
    /// What is measured.
    static OURS: OursMetrics = "bench" {
        /// A timer.
        timer: Timer [unit = micros, max = 60 s, scale = 2],
        /// A timer of shorter times.
        short: Timer [unit = nanos, max = 1 s, scale = 2],
    }
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let clock = StdClock::new();
    let reads = StdClock::new();
    let (tsc, tsc_reads) = (TscClock::new(), TscClock::new());
    let nanos = TscClock::<1_000_000_000>::with_rate();
    let mut list = vec![
        entry("tapes", "", work!(_i => OURS.timer.start(&clock).stop())),
        entry("two reads of its clock", "", work!(_i => black_box((reads.ticks(), reads.ticks())))),
        entry("tapes, TSC", "", work!(_i => OURS.timer.start(&tsc).stop())),
        entry(
            "two reads of it",
            "",
            work!(_i => black_box((tsc_reads.ticks(), tsc_reads.ticks()))),
        ),
        entry("tapes, TSC, nanoseconds", "", work!(_i => OURS.short.start(&nanos).stop())),
        entry("two of Instant::now", "", work!(_i => black_box((Instant::now(), Instant::now())))),
    ];
    let new = || {
        let options = prometheus::HistogramOpts::new("bench", "help").buckets(bounds().collect());
        prometheus::Histogram::with_opts(options).expect("good options")
    };
    let h = new();
    list.push(entry(
        "prometheus",
        bytes_of(new),
        work!(_i => black_box(&h).start_timer().stop_and_record()),
    ));
    let thresholds = measured::metric::histogram::Thresholds::<27>::exponential_buckets(1e-6, 2.0);
    let h = measured::Histogram::with_metadata(thresholds);
    list.push(entry("measured", "", work!(_i => black_box(&h).start_timer().observe())));
    let new = metrics_lib::Timer::new;
    let h = new();
    list.push(entry(
        "metrics-lib, no buckets",
        bytes_of(new),
        work!(_i => black_box(&h).start().stop()),
    ));
    let comparison = compare("Timer, start and stop", options, &THREADS, list);
    let time = |i: usize| comparison.contestants[i].ns[0].unwrap_or(f64::MAX);
    for (what, own) in [("of the system", time(0) - time(1)), ("by the TSC", time(2) - time(3))] {
        let what = format!("Timer, beyond the reads of its clock, {what}");
        table.push(&what, own, "ns", Limit::Aim(3.0));
    }
    table.compare(comparison, &[]);
}
