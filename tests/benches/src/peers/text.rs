//! Prometheus text of 1,000 counters and 100 histograms, all with values.

use std::hint::black_box;
use std::sync::{Mutex, Once};

use fastmetrics::format::text::TextProfile;
use tapes_core::Registry;
use tapes_core::text::prometheus::{Format, write_prometheus};
use tapes_std::exposition::Exposition as _;
use tapes_std::local::Local;

use super::{Entry, TIMES, bounds, compare, entry, exporter, shown_bytes, value, work};
use crate::table::{Limit, Table};
use crate::{ALLOCATOR, Options};

pub(crate) const COUNTERS: usize = 1_000;
pub(crate) const HISTOGRAMS: usize = 100;
/// Values of each histogram.
const VALUES: u64 = 1_000;
const METRICS: usize = COUNTERS + HISTOGRAMS;
const WORDS: usize = COUNTERS + HISTOGRAMS * 109;

pub(crate) static REGISTRY: Registry<METRICS, WORDS> = Registry::new();

fn counters() -> impl Iterator<Item = String> {
    (0..COUNTERS).map(|i| format!("engine_part{i}_count"))
}

fn histograms() -> impl Iterator<Item = String> {
    (0..HISTOGRAMS).map(|i| format!("engine_task{i}_time"))
}

/// Returns work that writes into one text again and again, and the length of that text.
macro_rules! writing {
    ($text:ident => $write:expr) => {{
        let kept = Mutex::new(String::new());
        let work = move |times: u64| {
            let mut kept = kept.lock().expect("nobody panics");
            for _ in 0..times {
                let $text = &mut *kept;
                $text.clear();
                $write;
                black_box(&*$text);
            }
            kept.len()
        };
        let len = work(1);
        let bytes = ALLOCATOR.asked_by(|| _ = work(1));
        let note = format!("{} KB, allocates {}", len / 1_000, shown_bytes(bytes));
        let work = Box::new(move |times| {
            black_box(work(times));
        });
        (note, work)
    }};
}

/// Gives all metrics their values, once.
pub(crate) fn fill() {
    static DONE: Once = Once::new();
    DONE.call_once(fill_now);
}

fn fill_now() {
    for (i, name) in (0..).zip(counters()) {
        REGISTRY.counter(name.as_str()).expect("there is room").add(i * 31);
    }
    for name in histograms() {
        let histogram = REGISTRY.timer::<1_000_000>(name.as_str(), TIMES).expect("there is room");
        (0..VALUES).for_each(|i| histogram.record(value(i)));
    }
}

fn ours(list: &mut Vec<Entry>, table: &mut Table) {
    fill();
    let local = Local::new(&REGISTRY);
    let text = &mut String::new();
    let mut page = || {
        text.clear();
        local.metrics(Format::OpenMetrics, text).expect("a text takes everything");
    };
    page();
    page();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let bytes = ALLOCATOR.asked_by(page) as f64;
    let what = "Prometheus text, allocated by a page after the first";
    table.push(what, bytes, "B", Limit::Aim(0.0));
    let mut device = || {
        text.clear();
        write_prometheus(&REGISTRY, Format::OpenMetrics, text).expect("a text takes everything");
    };
    device();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let bytes = ALLOCATOR.asked_by(device) as f64;
    table.push("the same, as a device writes it", bytes, "B", Limit::Most(0.0));
    let (note, work) = writing!(text => {
        local.metrics(Format::OpenMetrics, text).expect("a text takes everything");
    });
    list.push(entry("tapes, as a page", note, work));
    let (note, work) = writing!(text => {
        write_prometheus(&REGISTRY, Format::OpenMetrics, text).expect("a text takes everything");
    });
    list.push(entry("tapes, as a device", note, work));
}

fn prometheus_client(list: &mut Vec<Entry>) {
    use prometheus_client::metrics::{counter::Counter, histogram::Histogram};
    let mut registry = prometheus_client::registry::Registry::default();
    for (i, name) in (0..).zip(counters()) {
        let counter = Counter::<u64>::default();
        counter.inc_by(i * 31);
        registry.register(name, "", counter);
    }
    for name in histograms() {
        let histogram = Histogram::new(bounds());
        (0..VALUES).for_each(|i| histogram.observe(f64::from(value(i)) * 1e-6));
        registry.register(name, "", histogram);
    }
    let (note, work) = writing!(text => {
        prometheus_client::encoding::text::encode(text, &registry).expect("a text takes everything");
    });
    list.push(entry("prometheus-client", note, work));
}

fn prometheus(list: &mut Vec<Entry>) {
    let registry = prometheus::Registry::new();
    for (i, name) in (0..).zip(counters()) {
        let counter = prometheus::IntCounter::new(name, "help").expect("a good name");
        counter.inc_by(i * 31);
        registry.register(Box::new(counter)).expect("it is new");
    }
    for name in histograms() {
        let options = prometheus::HistogramOpts::new(name, "help").buckets(bounds().collect());
        let histogram = prometheus::Histogram::with_opts(options).expect("good options");
        (0..VALUES).for_each(|i| histogram.observe(f64::from(value(i)) * 1e-6));
        registry.register(Box::new(histogram)).expect("it is new");
    }
    let encoder = prometheus::TextEncoder::new();
    let (note, work) = writing!(text => {
        encoder.encode_utf8(&registry.gather(), text).expect("a text takes everything");
    });
    list.push(entry("prometheus", note, work));
}

fn exporter(list: &mut Vec<Entry>) {
    let handle = exporter::installed();
    for (i, name) in (0..).zip(counters()) {
        metrics::counter!(name).increment(i * 31);
    }
    for name in histograms() {
        let histogram = metrics::histogram!(name);
        (0..VALUES).for_each(|i| histogram.record(f64::from(value(i)) * 1e-6));
    }
    let len = handle.render().len();
    let bytes = ALLOCATOR.asked_by(|| _ = handle.render());
    let note = format!("{} KB, allocates {}", len / 1_000, shown_bytes(bytes));
    list.push(entry("metrics-exporter-prometheus", note, work!(_i => black_box(handle.render()))));
}

fn fastmetrics(list: &mut Vec<Entry>) {
    use fastmetrics::metrics::{counter::Counter, histogram::Histogram};
    let mut registry = fastmetrics::registry::Registry::builder().build().expect("no options");
    for (i, name) in (0..).zip(counters()) {
        let counter = Counter::<u64>::default();
        counter.inc_by(i * 31);
        registry.register(name, "", counter).expect("it is new");
    }
    for name in histograms() {
        let histogram = Histogram::new(bounds());
        (0..VALUES).for_each(|i| histogram.observe(f64::from(value(i)) * 1e-6));
        registry.register(name, "", histogram).expect("it is new");
    }
    let (note, work) = writing!(text => {
        fastmetrics::format::text::encode(text, &registry, TextProfile::default())
            .expect("a text takes everything");
    });
    list.push(entry("fastmetrics", note, work));
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let mut list = Vec::new();
    ours(&mut list, table);
    prometheus_client(&mut list);
    prometheus(&mut list);
    exporter(&mut list);
    fastmetrics(&mut list);
    let title = "Prometheus text, 1,000 counters and 100 histograms";
    let comparison = compare(title, options, &[1], list);
    table.compare(comparison, &[("prometheus-client", 0, 0.25)]);
}
