//! Histogram, one more value.

use std::hint::black_box;
use std::sync::Mutex;

use cadence::{Histogrammed as _, NopMetricSink, StatsdClient};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use prometheus::core::Collector as _;
use tapes_core::{Exclusive, Histogram, Registry, metrics};

use super::{
    Entry, LANES, THREADS, TIMES, bounds, bytes_of, compare, entry, exporter, value, work,
};
use crate::Options;
use crate::table::{LOOP, Table};

metrics! {
    /// What is measured.
    static OURS: OursMetrics = "bench" {
        /// A histogram.
        histogram: Histogram [unit = micros, max = 60 s, scale = 2],
        /// A histogram with one handle.
        own: Exclusive<Histogram> [unit = micros, max = 60 s, scale = 2],
    }
}
static REGISTRY: Registry<32, 1_024> = Registry::new();

/// Keeps a histogram that is recorded to and read.
fn kept<T>(histogram: T) -> &'static T {
    Box::leak(Box::new(histogram))
}

/// Reads all: sum, minimum, maximum and every bucket, of all lanes.
fn read(histogram: &Histogram<'_>) {
    let all = histogram.distribution();
    black_box((all.sum(), all.min(), all.max(), all.zero(), all.overflow()));
    (0..all.geometry().len).for_each(|i| {
        black_box(all.bucket(i));
    });
}

/// Values as those want them that count seconds.
#[inline(always)]
fn seconds(i: u64) -> f64 {
    f64::from(value(i)) * 1e-6
}

/// Buckets only: two of octave and three bits, an error of 12.5 %.
const GROUPING: u8 = 3;
const LARGEST: u8 = 26;

fn buckets_only(list: &mut Vec<Entry>) {
    let new = || histogram::AtomicHistogram::new(GROUPING, LARGEST).expect("good numbers");
    let h = kept(new());
    list.push(
        entry(
            "histogram::AtomicHistogram",
            format!("{}, buckets only", bytes_of(new)),
            work!(i => black_box(h).increment(u64::from(value(i)))),
        )
        .reading(work!(_i => black_box(h.load()))),
    );
    let new = || {
        let h = metriken::AtomicCounterHistogram::new(GROUPING, LARGEST);
        h.increment(1).map(|()| h).expect("in range")
    };
    let h = kept(new());
    list.push(
        entry(
            "metriken",
            format!("{}, buckets only", bytes_of(new)),
            work!(i => black_box(h).increment(u64::from(value(i)))),
        )
        .reading(work!(_i => black_box(h.load()))),
    );
    let new = || {
        let h = metriken::ShardedCounterHistogram::new(GROUPING, LARGEST);
        h.increment(1).map(|()| h).expect("in range")
    };
    let h = kept(new());
    list.push(
        entry(
            "metriken, sharded",
            format!("{}, buckets only", bytes_of(new)),
            work!(i => black_box(h).increment(u64::from(value(i)))),
        )
        .reading(work!(_i => black_box(h.load()))),
    );
    let new =
        || Mutex::new(hdrhistogram::Histogram::<u64>::new_with_max(60_000_000, 1).expect("ok"));
    let h = new();
    list.push(entry(
        "hdrhistogram, in a mutex",
        bytes_of(new),
        work!(i => black_box(&h).lock().expect("no panics").record(u64::from(value(i)))),
    ));
}

fn with_sum(list: &mut Vec<Entry>) {
    let new = || prometheus_client::metrics::histogram::Histogram::new(bounds());
    let h = new();
    list.push(entry(
        "prometheus-client",
        bytes_of(new),
        work!(i => black_box(&h).observe(seconds(i))),
    ));
    let new = || {
        let options = prometheus::HistogramOpts::new("bench", "help").buckets(bounds().collect());
        prometheus::Histogram::with_opts(options).expect("good options")
    };
    let h = kept(new());
    list.push(
        entry("prometheus", bytes_of(new), work!(i => black_box(h).observe(seconds(i))))
            .reading(work!(_i => black_box(h.collect()))),
    );
    let exporter = exporter::installed();
    let h = metrics::histogram!("bench_histogram");
    list.push(entry(
        "metrics, handle",
        "keeps every value until upkeep, which is included",
        Box::new(move |times| {
            (0..times).for_each(|i| black_box(&h).record(seconds(i)));
            exporter.run_upkeep();
        }),
    ));
    let new = || fastmetrics::metrics::histogram::Histogram::new(bounds());
    let h = new();
    list.push(entry("fastmetrics", bytes_of(new), work!(i => black_box(&h).observe(seconds(i)))));
    let new = || {
        let thresholds =
            measured::metric::histogram::Thresholds::<27>::exponential_buckets(1e-6, 2.0);
        measured::Histogram::with_metadata(thresholds)
    };
    let h = new();
    list.push(entry("measured", bytes_of(new), work!(i => black_box(&h).observe(seconds(i)))));
    let new = || metrics_lib::Histogram::with_buckets(bounds());
    let h = kept(new());
    list.push(
        entry("metrics-lib", bytes_of(new), work!(i => black_box(h).observe(seconds(i))))
            .reading(work!(_i => black_box(h.snapshot()))),
    );
    let provider = SdkMeterProvider::builder().with_reader(ManualReader::default()).build();
    let meter = provider.meter("bench");
    let h = meter.f64_histogram("bench").with_boundaries(bounds().collect()).build();
    list.push(entry(
        "opentelemetry_sdk",
        "with sum, min, max",
        Box::new(move |times| {
            // Its numbers live as long as the provider.
            black_box(&provider);
            (0..times).for_each(|i| black_box(&h).record(seconds(i), &[]));
        }),
    ));
    let client = StatsdClient::from_sink("bench", NopMetricSink);
    list.push(entry(
        "cadence, to nowhere",
        "a packet each",
        work!(i => black_box(&client).histogram("histogram", u64::from(value(i)))),
    ));
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let bytes = TIMES.words() * 8 * LANES;
    let with_all = format!("{bytes} B, with sum, min, max");
    let mut list = vec![
        entry(
            "tapes",
            format!("{with_all}, declared"),
            work!(i => OURS.histogram.record(value(i))),
        )
        .reading(work!(_i => read(&OURS.histogram))),
    ];
    let histogram = REGISTRY.histogram("bench.histogram", TIMES).expect("there is room");
    list.push(entry(
        "tapes, by name once",
        with_all,
        work!(i => black_box(&histogram).record(value(i))),
    ));
    let own = Mutex::new(OURS.own.take().expect("nobody has taken it"));
    let work = move |times: u64| {
        let mut own = own.lock().expect("nobody panics");
        let own: &mut Exclusive<_> = &mut own;
        (0..times).for_each(|i| own.record(value(i)));
    };
    list.push(entry("tapes, exclusive handle", "its lane 0 only", Box::new(work)).alone());
    list.push(entry(LOOP, "makes the values", work!(i => value(i))));
    buckets_only(&mut list);
    with_sum(&mut list);
    let comparison = compare("Histogram, record", options, &THREADS, list);
    let limits = [
        ("histogram::AtomicHistogram", 0, 0.5),
        ("histogram::AtomicHistogram", 1, 0.25),
        ("metriken, sharded", 1, 0.6),
        ("prometheus", 1, 0.05),
        ("measured", 1, 0.05),
    ];
    table.compare(comparison, &limits);
}
