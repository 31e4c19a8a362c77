//! Registry, a counter that exists among 10,000.

use std::hint::black_box;

use tapes_core::Registry;

use super::{Entry, THREADS, compare, entry, exporter, work};
use crate::Options;
use crate::table::Table;

const METRICS: usize = 10_000;
static REGISTRY: Registry<METRICS, METRICS> = Registry::new();

fn names() -> Vec<String> {
    (0..METRICS).map(|i| format!("engine.part{i}.count")).collect()
}

/// Returns the name that comes after the one before in no order.
#[inline(always)]
fn any(names: &[String], i: u64) -> &str {
    &names[(i.wrapping_mul(7_919) % METRICS as u64) as usize]
}

fn contestants() -> Vec<Entry> {
    let mut list = Vec::new();
    let all = names();
    for name in &all {
        let _ = REGISTRY.counter(name.as_str()).expect("there is room");
    }
    list.push(entry(
        "tapes",
        "",
        work!(i => black_box(REGISTRY.counter(any(&all, i)).expect("it is there"))),
    ));
    exporter::installed();
    let all = names();
    let touch = |name: &str| metrics::counter!(name.to_owned());
    all.iter().for_each(|name| drop(touch(name)));
    list.push(entry(
        "metrics, macro",
        "allocates the name",
        work!(i => black_box(touch(any(&all, i)))),
    ));
    let all = names();
    let core = metrics_lib::MetricsCore::new();
    all.iter().for_each(|name| drop(core.counter(name)));
    list.push(entry("metrics-lib", "", work!(i => black_box(core.counter(any(&all, i))))));
    let all = names();
    let options = prometheus::Opts::new("bench", "help");
    let counters = prometheus::IntCounterVec::new(options, &["name"]).expect("good options");
    list.push(entry(
        "prometheus, by label",
        "",
        work!(i => black_box(counters.with_label_values(&[any(&all, i)]))),
    ));
    let all = names();
    let counters = prometheus_client::metrics::family::Family::<
        Vec<(&'static str, String)>,
        prometheus_client::metrics::counter::Counter,
    >::default();
    list.push(entry(
        "prometheus-client, by label",
        "allocates the labels",
        work!(i => black_box(counters.get_or_create_owned(&vec![("name", any(&all, i).to_owned())]))),
    ));
    list
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    table
        .compare(compare("Registry, one of 10,000 by name", options, &THREADS, contestants()), &[]);
}
