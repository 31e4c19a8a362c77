//! Gauge, set to a number.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use cadence::{Gauged as _, NopMetricSink, StatsdClient};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use tapes_core::{Registry, metrics};

use super::{Entry, THREADS, bytes_of, compare, entry, exporter, work};
use crate::Options;
use crate::table::{LOOP, Table};

metrics! {
    /// What is measured.
    static OURS: OursMetrics = "bench" {
        /// A gauge.
        gauge: Gauge<f64>,
    }
}
static REGISTRY: Registry<32, 1_024> = Registry::new();
static RAW: AtomicU64 = AtomicU64::new(0);

fn contestants() -> Vec<Entry> {
    let mut list = Vec::new();
    list.push(entry("tapes", "8 B, declared", work!(i => OURS.gauge.set(i as f64))));
    let gauge = REGISTRY.gauge::<f64>("bench.gauge").expect("there is room");
    list.push(entry("tapes, by name once", "8 B", work!(i => black_box(&gauge).set(i as f64))));
    list.push(entry(LOOP, "", work!(i => i)));
    list.push(entry(
        "AtomicU64::store",
        "8 B, a static",
        work!(i => RAW.store((i as f64).to_bits(), Ordering::Relaxed)),
    ));
    let new = prometheus_client::metrics::gauge::Gauge::<f64, AtomicU64>::default;
    let g = new();
    list.push(entry("prometheus-client", bytes_of(new), work!(i => black_box(&g).set(i as f64))));
    let new = || prometheus::Gauge::new("bench", "help").expect("a good name");
    let g = new();
    list.push(entry("prometheus", bytes_of(new), work!(i => black_box(&g).set(i as f64))));
    exporter::installed();
    let g = metrics::gauge!("bench_gauge");
    list.push(entry("metrics, handle", "", work!(i => black_box(&g).set(i as f64))));
    list.push(entry(
        "metrics, macro",
        "",
        work!(i => metrics::gauge!("bench_gauge").set(i as f64)),
    ));
    static PLAIN: metriken::Gauge = metriken::Gauge::new();
    list.push(entry("metriken, integer", "8 B, a static", work!(i => PLAIN.set(i as i64))));
    let new = || fastmetrics::metrics::gauge::Gauge::<f64>::new(0.0);
    let g = new();
    list.push(entry("fastmetrics", bytes_of(new), work!(i => black_box(&g).set(i as f64))));
    let new = measured::FloatGauge::new;
    let g = new();
    list.push(entry("measured", bytes_of(new), work!(i => black_box(&g).set(i as f64))));
    let new = metrics_lib::Gauge::new;
    let g = new();
    list.push(entry("metrics-lib", bytes_of(new), work!(i => black_box(&g).set(i as f64))));
    let provider = SdkMeterProvider::builder().with_reader(ManualReader::default()).build();
    let g = provider.meter("bench").f64_gauge("bench").build();
    list.push(entry(
        "opentelemetry_sdk",
        "",
        Box::new(move |times| {
            // Its numbers live as long as the provider.
            black_box(&provider);
            (0..times).for_each(|i| black_box(&g).record(i as f64, &[]));
        }),
    ));
    let client = StatsdClient::from_sink("bench", NopMetricSink);
    list.push(entry(
        "cadence, to nowhere",
        "a packet each",
        work!(i => black_box(&client).gauge("gauge", i as f64)),
    ));
    list
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    table.compare(compare("Gauge, set", options, &THREADS, contestants()), &[]);
}
