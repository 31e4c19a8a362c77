//! Threads that come and go, and more of them than there are lanes.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use tapes_core::metrics;

use super::{Entry, LANES, compare, entry, work};
use crate::Options;
use crate::table::{LOOP, Limit, Table};

metrics! {
    /// What is measured.
    static OURS: OursMetrics = "bench" {
        /// A counter.
        counter: Counter,
        /// One whose total is known.
        exact: Counter,
    }
}
static RAW: AtomicU64 = AtomicU64::new(0);
static SHARDED: metriken::ShardedCounterGroup = metriken::ShardedCounterGroup::new(64);

fn contestants() -> Vec<Entry> {
    let c = prometheus_client::metrics::counter::Counter::<u64>::default();
    vec![
        entry("tapes", "declared", work!(_i => OURS.counter.increment())),
        entry(LOOP, "", work!(i => i)),
        entry("AtomicU64::fetch_add", "", work!(_i => RAW.fetch_add(1, Ordering::Relaxed))),
        entry("prometheus-client", "", work!(_i => black_box(&c).inc())),
        entry("metriken, sharded", "", work!(_i => SHARDED.increment(7))),
    ]
}

/// Runs `f` while other threads hold all lanes that there are to be had.
fn without_lanes<R>(f: impl FnOnce() -> R) -> R {
    let (taken, over) = (Barrier::new(LANES + 1), Barrier::new(LANES + 1));
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                OURS.counter.increment();
                taken.wait();
                over.wait();
            });
        }
        taken.wait();
        let result = f();
        over.wait();
        result
    })
}

/// Does work on a thread of its own, which takes a lane if there is one.
fn elsewhere(list: Vec<Entry>) -> Vec<Entry> {
    let moved = |entry: Entry| {
        let Entry { work, .. } = entry;
        let work = move |times: u64| thread::scope(|scope| _ = scope.spawn(|| work(times)));
        Entry { work: Box::new(work), ..entry }
    };
    list.into_iter().map(moved).collect()
}

/// Returns the median time in nanoseconds of the first time that a thread does something.
fn first_ns(threads: usize, f: impl Fn() + Sync) -> f64 {
    let one = || {
        let start = Instant::now();
        f();
        start.elapsed().as_nanos()
    };
    let times = (0..threads).map(|_| thread::scope(|scope| scope.spawn(one).join()));
    let mut times: Vec<u128> = times.map(|time| time.expect("nobody panics")).collect();
    times.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    return times[times.len() / 2] as f64;
}

fn churn(options: &Options, table: &mut Table) {
    let threads = if options.quick { 500 } else { 5_000 };
    let nothing = first_ns(threads, || ());
    let c = prometheus_client::metrics::counter::Counter::<u64>::default();
    let firsts: [(&str, f64); 4] = [
        ("tapes", first_ns(threads, || OURS.counter.increment())),
        (
            "tapes, no lane to be had",
            without_lanes(|| first_ns(threads, || OURS.counter.increment())),
        ),
        ("prometheus-client", first_ns(threads, || _ = c.inc())),
        ("metriken, sharded", first_ns(threads, || _ = SHARDED.increment(7))),
    ];
    for (name, ns) in firsts {
        let what = format!("first increment of a thread, net of the clock: {name}");
        table.push(&what, (ns - nothing).max(0.0), "ns", Limit::None);
    }
    let c = prometheus_client::metrics::counter::Counter::<u64>::default();
    let list = vec![
        entry("tapes", "", work!(_i => OURS.counter.increment())),
        entry("nothing but a thread", "", work!(i => i)),
        entry("prometheus-client", "", work!(_i => black_box(&c).inc())),
        entry("metriken, sharded", "", work!(_i => SHARDED.increment(7))),
    ];
    let one_each = |entry: Entry| {
        let Entry { work, .. } = entry;
        let work = move |times: u64| {
            for _ in 0..times {
                thread::scope(|scope| _ = scope.spawn(|| work(1)));
            }
        };
        Entry { work: Box::new(work), ..entry }
    };
    let list = list.into_iter().map(one_each).collect();
    table.compare(compare("A thread that counts once and ends", options, &[1], list), &[]);
}

/// Counts far with many threads, and compares with how often it was done.
fn exact(options: &Options, table: &mut Table) {
    const THREADS: u64 = 64;
    let total: u64 = if options.quick { 64_000_000 } else { 1_000_000_000 };
    let before = OURS.exact.value();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..total / THREADS).for_each(|_| OURS.exact.increment()));
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "at most 10^9")]
    let (lost, total) = ((total - (OURS.exact.value() - before)) as f64, total as f64);
    let what = format!("increments of {THREADS} threads over {LANES} lanes");
    table.push(&what, total, "", Limit::None);
    table.push("of them lost", lost, "", Limit::Most(0.0));
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    exact(options, table);
    churn(options, table);
    let many = compare("Counter, more threads than lanes", options, &[16, 64], contestants());
    table.compare(many, &[]);
    let shared = without_lanes(|| {
        let title = "Counter, threads without a lane of their own";
        compare(title, options, &[1, 2], elsewhere(contestants()))
    });
    table.compare(shared, &[]);
}
