//! Counter, one more.

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use cadence::{Counted as _, NopMetricSink, StatsdClient};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use tapes_core::{Exclusive, Registry, metrics};

use super::{Entry, LANES, THREADS, bytes_of, compare, entry, exporter, work};
use crate::Options;
use crate::table::{LOOP, Table};

metrics! {
    /// What is measured.
    static OURS: OursMetrics = "bench" {
        /// A counter.
        counter: Counter,
        /// A counter with one handle.
        own: Exclusive<Counter>,
    }
}
/// As large as that of a small program. A multiple of 8 words: then lanes are whole cache lines.
static REGISTRY: Registry<32, 1_024> = Registry::new();
static RAW: AtomicU64 = AtomicU64::new(0);

fn ours(list: &mut Vec<Entry>) {
    let bytes = format!("{} B", 8 * LANES);
    list.push(
        entry("tapes", format!("{bytes}, declared"), work!(_i => OURS.counter.increment()))
            .reading(work!(_i => black_box(OURS.counter.value()))),
    );
    let counter = REGISTRY.counter("bench.counter").expect("there is room");
    list.push(
        entry("tapes, by name once", bytes, work!(_i => black_box(&counter).increment()))
            .reading(work!(_i => black_box(black_box(&counter).value()))),
    );
    let own = Mutex::new(OURS.own.take().expect("nobody has taken it"));
    let work = move |times: u64| {
        let mut own = own.lock().expect("nobody panics");
        let own: &mut Exclusive<_> = &mut own;
        for _ in 0..times {
            black_box(());
            own.increment();
        }
    };
    list.push(entry("tapes, exclusive handle", "its lane 0 only", Box::new(work)).alone());
}

fn others(list: &mut Vec<Entry>) {
    list.push(entry(LOOP, "", work!(i => i)));
    list.push(
        entry(
            "AtomicU64::fetch_add",
            "8 B, a static",
            work!(_i => RAW.fetch_add(1, Ordering::Relaxed)),
        )
        .reading(work!(_i => black_box(RAW.load(Ordering::Relaxed)))),
    );
    let new = prometheus_client::metrics::counter::Counter::<u64>::default;
    let c = new();
    let read = c.clone();
    list.push(
        entry("prometheus-client", bytes_of(new), work!(_i => black_box(&c).inc()))
            .reading(work!(_i => black_box(black_box(&read).get()))),
    );
    let new = || prometheus::IntCounter::new("bench", "help").expect("a good name");
    let c = new();
    let read = c.clone();
    list.push(
        entry("prometheus", bytes_of(new), work!(_i => black_box(&c).inc()))
            .reading(work!(_i => black_box(black_box(&read).get()))),
    );
    exporter::installed();
    let c = metrics::counter!("bench_counter");
    list.push(entry("metrics, handle", "", work!(_i => black_box(&c).increment(1))));
    list.push(entry(
        "metrics, macro",
        "",
        work!(_i => metrics::counter!("bench_counter").increment(1)),
    ));
    static PLAIN: metriken::Counter = metriken::Counter::new();
    list.push(
        entry("metriken", "8 B, a static", work!(_i => PLAIN.increment()))
            .reading(work!(_i => black_box(PLAIN.value()))),
    );
    static SHARDED: metriken::ShardedCounterGroup = metriken::ShardedCounterGroup::new(64);
    let bytes = ShardedBytes::measure();
    list.push(
        entry("metriken, sharded", format!("{bytes}, a static"), work!(_i => SHARDED.increment(7)))
            .reading(work!(_i => black_box(SHARDED.value(7)))),
    );
    let new = fastmetrics::metrics::counter::Counter::<u64>::default;
    let c = new();
    list.push(entry("fastmetrics", bytes_of(new), work!(_i => black_box(&c).inc())));
    let new = measured::Counter::new;
    let c = new();
    list.push(entry("measured", bytes_of(new), work!(_i => black_box(&c).inc())));
    let new = metrics_lib::Counter::new;
    let c = new();
    list.push(entry("metrics-lib", bytes_of(new), work!(_i => black_box(&c).inc())));
    let provider = SdkMeterProvider::builder().with_reader(ManualReader::default()).build();
    let c = provider.meter("bench").u64_counter("bench").build();
    list.push(entry(
        "opentelemetry_sdk",
        "",
        Box::new(move |times| {
            // Its numbers live as long as the provider.
            black_box(&provider);
            (0..times).for_each(|_| black_box(&c).add(1, &[]));
        }),
    ));
    let client = StatsdClient::from_sink("bench", NopMetricSink);
    list.push(entry(
        "cadence, to nowhere",
        "a packet each",
        work!(_i => black_box(&client).count("counter", 1)),
    ));
}

/// Bytes of a sharded counter of metriken: of a group, by its counters.
struct ShardedBytes;

impl ShardedBytes {
    fn measure() -> String {
        const COUNTERS: usize = 64;
        let before = crate::ALLOCATOR.allocated();
        let group = metriken::ShardedCounterGroup::new(COUNTERS);
        group.increment(0);
        format!("{} B", (crate::ALLOCATOR.allocated() - before) / COUNTERS)
    }
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let mut list = Vec::new();
    ours(&mut list);
    others(&mut list);
    let comparison = compare("Counter, increment", options, &THREADS, list);
    let limits = [
        ("prometheus-client", 0, 0.15),
        ("prometheus-client", 1, 0.06),
        ("metriken, sharded", 0, 0.2),
        ("metriken, sharded", 1, 0.2),
    ];
    table.compare(comparison, &limits);
}
