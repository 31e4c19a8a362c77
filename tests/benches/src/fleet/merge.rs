//! Adding up histograms of many boards, and showing many series.

use std::time::SystemTime;

use tapes_core::layout;
use tapes_core::metric::{Counts, Distribution, Kind, Layout, Value};
use tapes_core::text::prometheus::Format;

use super::memory::{METRICS, fill};
use super::{NOW, fleet};
use crate::table::{Limit, Table};
use crate::timing::median_s;
use crate::{ALLOCATOR, Options};

static TIMES: &Layout = layout!(unit = micros, max = 60 s, scale = 2);

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(crate) fn run(options: &Options, table: &mut Table) {
    let geometry = TIMES.buckets();
    let buckets: Vec<u64> = (0..u64::from(geometry.len)).map(|i| i * 37 + 1).collect();
    let counts =
        Counts { sum: 1, min: Some(1), max: Some(2), buckets: &buckets, ..Counts::default() };
    let full = Value::Distribution(Distribution::new(geometry, counts));
    let boards = 1_000;
    let (mut histograms, link) = fleet();
    fill(&mut histograms, link, boards / 10, Kind::Timer(geometry), &full);
    drop(histograms.catalog());
    let seconds = median_s("merge", options, || (), |()| histograms.merged());
    let series = (boards / 10 * u64::from(METRICS)) as f64;
    table.push(
        "histogram series of 104 buckets added up",
        series / seconds,
        "/s",
        Limit::Least(1e6),
    );
    drop(histograms);

    let (mut counters, link) = fleet();
    fill(&mut counters, link, boards, Kind::Counter, &Value::Unsigned(123_456));
    drop(counters.snapshot(NOW));
    let mut text = String::new();
    let mut scrape = || {
        text.clear();
        let snapshot = counters.snapshot(NOW);
        let wall = SystemTime::UNIX_EPOCH;
        snapshot.write_metrics(Format::Prometheus, wall, &mut text).expect("a text takes all");
        text.len()
    };
    let len = scrape();
    table.push("scrape of 100,000 series: text", len as f64 / 1e6, "MB", Limit::None);
    let seconds = median_s("scrape", options, || (), |()| scrape());
    table.push("scrape of 100,000 series", seconds * 1e3, "ms", Limit::Aim(30.0));
    let megabytes = ALLOCATOR.allocated() as f64 / 1e6;
    table.push("series and text", megabytes, "MB", Limit::Aim(40.0));
}
