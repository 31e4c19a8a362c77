//! This process's own metrics: a registry or group, with the rates that reading it takes.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tapes_core::Source;
use tapes_core::metric::{Distribution, Kind, Sample, Value};
use tapes_core::rates::{Ewma, RateReading, Ticks};
use tapes_core::text::json::{TreeWriter, name_order};

use crate::clock::{SystemTimeSource, TimeSource};
use crate::exposition::{
    Exposition, FamilyWriter, Leaf, LiveValue, LiveWriter, Plan, Section, View, write_lately,
    write_part, write_source,
};
use crate::fleet::value::Histogram;
use crate::readings::{Reading, Readings};
use crate::recent::{Budget, RecentReading, Windows};

/// Ticks a second of the clock of rates: microseconds.
const HZ: u32 = 1_000_000;

/// Length of windows unless told otherwise.
const WINDOW: Duration = Duration::from_secs(60);

/// Memory of windows, in bytes.
const WINDOW_BYTES_MAX: usize = 64 << 20;

/// Rates of a meter or timer, and what a histogram or timer did lately.
type Lately = (Option<RateReading>, Option<RecentReading>);

/// A registry, a declared group, or any other [`Source`] of this process, as adapters take it.
///
/// Rates of meters and timers are kept here. They move on when somebody reads, so something should
/// read at least every 5 seconds, as a scheduled reporter does; what happens between two reads that
/// are further apart is spread evenly over the time between.
///
/// ```
/// use tapes_core::Registry;
/// use tapes_std::exposition::Exposition;
/// use tapes_std::local::Local;
///
/// static REGISTRY: Registry<8, 64> = Registry::new();
/// let local = Local::new(&REGISTRY);
/// REGISTRY.counter("jobs.done")?.add(3);
/// let mut json = String::new();
/// local.stats(&[], &mut json)?;
/// assert_eq!(json, r#"{"jobs":{"done":{"value":3}}}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Limits
///
/// 48 bytes and an entry of a map for each meter and timer; some kilobytes for each window, 64 MiB
/// for all of them. Histograms and timers beyond have no window. The text of its pages is kept,
/// without the numbers: with what finds the lines, at most 1 MiB for each of at most four ways to write it.
pub struct Local<S: 'static> {
    source: &'static S,
    time: Arc<dyn TimeSource>,
    /// When this began to watch; counts began at or before that.
    start: SystemTime,
    rates: Mutex<Rates>,
    /// The order in which Prometheus is shown the metrics.
    plan: Mutex<Plan>,
    /// Length of windows; zero for none.
    window: Duration,
}

impl<S> fmt::Debug for Local<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("time", &self.time).finish_non_exhaustive()
    }
}

/// The rates of all meters and timers of a source, and the windows of its histograms and timers.
#[derive(Debug)]
struct Rates {
    ticks: Ticks,
    /// By id and cell.
    known: BTreeMap<(u32, u32), Ewma>,
    /// By id and cell; `None` until the first look.
    windows: Option<Windows<(u32, u32)>>,
    started: bool,
}

impl<S: Source + Sync> Local<S> {
    /// Returns the metrics of a source, with the clock of the system.
    #[must_use]
    pub fn new(source: &'static S) -> Self {
        Self::with_time(source, Arc::new(SystemTimeSource::new()))
    }

    /// Returns the metrics of a source, with another clock.
    #[must_use]
    pub fn with_time(source: &'static S, time: Arc<dyn TimeSource>) -> Self {
        let ticks = Ticks::new(micros(time.monotonic()), HZ);
        let rates = Rates { ticks, known: BTreeMap::new(), windows: None, started: false };
        let start = time.wall();
        let rates = Mutex::new(rates);
        Self { source, time, start, rates, plan: Mutex::default(), window: WINDOW }
    }

    /// Sets the length of the [windows](crate::recent) of histograms and timers; zero for none.
    ///
    /// Defaults to 60 seconds.
    #[must_use]
    pub const fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Calls `visitor` for every sample, with its rates as of now and what it did lately.
    fn visit(&self, visitor: &mut dyn FnMut(Sample<'static>, Lately)) {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let time = self.time.monotonic();
        let now = micros(time);
        let due = rates.ticks.advance(now);
        let seconds = rates.ticks.seconds();
        let started = std::mem::replace(&mut rates.started, true);
        if !self.window.is_zero() {
            let windows = rates.windows.get_or_insert_with(|| {
                let budget = Arc::new(Budget::new(WINDOW_BYTES_MAX));
                Windows::new(self.window, time, &budget, WINDOW_BYTES_MAX)
            });
            windows.look(time);
        }
        let _ = self.source.visit(0, &mut |sample| {
            let count = match (sample.kind, &sample.value) {
                (Kind::Meter, Value::Unsigned(count)) => Some(*count),
                (Kind::Timer(_), Value::Distribution(distribution)) => Some(distribution.count()),
                _ => None,
            };
            let reading = count.map(|count| {
                // What the first look finds was counted before; what comes later began at 0.
                let first = if started { 0 } else { count };
                let known = rates.known.entry((sample.id, sample.cell));
                let ewma = known.or_insert_with(|| Ewma::new(first));
                ewma.advance(due, count);
                ewma.reading(seconds)
            });
            let recent = match (&sample.value, &mut rates.windows) {
                (Value::Distribution(distribution), Some(windows)) => {
                    let key = (sample.id, sample.cell);
                    let unit = sample.descriptor().unit;
                    windows.look_at(
                        key,
                        &copy_of(distribution),
                        distribution.geometry(),
                        unit,
                        started,
                    )
                }
                _ => None,
            };
            visitor(sample, (reading, recent));
            ControlFlow::Continue(())
        });
    }
}

impl<S: Source + Sync> Readings for Local<S> {
    fn read(&self, visitor: &mut dyn FnMut(&Reading<'_>)) {
        self.visit(&mut |sample, (rates, _)| {
            let Sample { cell, value, .. } = &sample;
            let descriptor = &sample.descriptor();
            visitor(&Reading { device: "", descriptor, cell: *cell, value, rates });
        });
    }

    fn begins_at_zero(&self) -> bool {
        true
    }
}

impl<S: Source + Sync> Exposition for Local<S> {
    fn families(&self, view: View<'_>, out: &mut dyn FamilyWriter) -> Result<bool, fmt::Error> {
        let is_all = view == View::All;
        if is_all {
            write_source(self.source, self.start, &self.plan, out)?;
        }
        Ok(is_all)
    }

    fn stats(&self, path: &[&str], out: &mut String) -> Result<bool, fmt::Error> {
        let mut leaves = Vec::new();
        self.visit(&mut |sample, lately| leaves.push(Placed::new(sample, lately)));
        write_tree(leaves, path, out)
    }

    fn live(&self, out: &mut dyn LiveWriter) -> fmt::Result {
        out.section(&Section::Process);
        self.visit(&mut |sample, (rates, recent)| {
            let Sample { cell, value, .. } = &sample;
            let descriptor = &sample.descriptor();
            out.value(&LiveValue {
                extra: &[],
                descriptor,
                cell: *cell,
                value,
                rates,
                recent: recent.as_ref(),
                is_fresh: true,
            });
        });
        Ok(())
    }

    fn advance(&self) {
        self.visit(&mut |_, _| ());
    }
}

/// A sample and its place in the tree.
struct Placed {
    /// Segments joined by dots.
    path: String,
    sample: Sample<'static>,
    lately: Lately,
}

impl Placed {
    fn new(sample: Sample<'static>, lately: Lately) -> Self {
        let mut leaf = Self { path: String::new(), sample, lately };
        leaf.path = leaf.place(false);
        leaf
    }

    fn place(&self, with_constant_labels: bool) -> String {
        let (descriptor, cell) = (self.sample.descriptor(), self.sample.cell);
        let constant = descriptor.labels.iter().filter(|_| with_constant_labels);
        let mut path = descriptor.name.to_owned();
        for (_, value) in constant.chain(descriptor.dimensions.labels(cell)) {
            path.push('.');
            path.extend(value.chars().map(|c| if c == '.' { '_' } else { c }));
        }
        path
    }
}

impl Leaf for Placed {
    fn path(&self) -> &str {
        &self.path
    }

    fn write<'n>(&'n self, tree: &mut TreeWriter<'_, 'n>, path: &'n str) -> fmt::Result {
        let Sample { kind, value, .. } = &self.sample;
        let unit = self.sample.descriptor().unit;
        let plain = tapes_core::metric::Descriptor::new(path, *kind, unit);
        let (rates, recent) = &self.lately;
        write_lately(tree, &plain, value, *rates, recent.as_ref())
    }
}

/// Writes the part of the tree below `wanted`; metrics that differ in constant labels only are told
/// apart by those.
fn write_tree(
    mut leaves: Vec<Placed>,
    wanted: &[&str],
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for leaf in &leaves {
        *seen.entry(leaf.path.clone()).or_default() += 1;
    }
    for leaf in &mut leaves {
        if seen.get(&leaf.path).is_some_and(|times| *times > 1) {
            leaf.path = leaf.place(true);
        }
    }
    leaves.sort_by(|a, b| name_order(&a.path, &b.path));
    leaves.dedup_by(|later, first| later.path == first.path);
    write_part(&leaves, wanted, out)
}

/// Returns the numbers of a distribution, read in the order that keeps them consistent.
fn copy_of(distribution: &Distribution<'_>) -> Histogram {
    let (sum, min, max) = (distribution.sum(), distribution.min(), distribution.max());
    let zero = distribution.zero();
    let buckets = (0..distribution.geometry().len).map(|i| distribution.bucket(i)).collect();
    Histogram { sum, zero, overflow: distribution.overflow(), buckets, min, max }
}

/// Returns whole microseconds, for 584,000 years.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tapes_core::{Details, Registry, layout};

    use super::Local;
    use crate::clock::ManualTime;
    use crate::exposition::{Exposition, Format};
    use crate::readings::Readings;

    /// Rates that nobody moves on, or that move twice, read wrong for ever.
    #[test]
    fn rates_move_on_when_somebody_reads() {
        static REGISTRY: Registry<8, 256> = Registry::new();
        let time = Arc::new(ManualTime::new());
        let local = Local::with_time(&REGISTRY, time.clone());
        REGISTRY.meter("before").unwrap().mark_by(1_000);
        let timer = REGISTRY
            .timer::<1_000_000>("time", layout!(unit = micros, max = 1 s, scale = 1))
            .unwrap();
        local.read(&mut |_| {});
        timer.record(7);
        REGISTRY.meter("after").unwrap().mark_by(10);
        time.advance(Duration::from_micros(5_000_001));
        let mut rates = Vec::new();
        local.read(&mut |reading| {
            rates.push((reading.descriptor.name.to_owned(), reading.rates.map(|rates| rates.m1)));
        });
        let expected = [("before", 0.0), ("time", 0.2), ("after", 2.0)];
        let expected = expected.map(|(name, rate)| (name.to_owned(), Some(rate)));
        assert_eq!(rates, expected);
    }

    /// A program's own quantiles must be of now, too, whatever it did while it started.
    #[test]
    fn quantiles_are_those_of_the_window() {
        static REGISTRY: Registry<8, 256> = Registry::new();
        let time = Arc::new(ManualTime::new());
        let local = Local::with_time(&REGISTRY, time.clone()).with_window(Duration::from_secs(12));
        let wait =
            REGISTRY.histogram("wait", layout!(unit = none, max = 1_000_000, scale = 1)).unwrap();
        wait.record(900_000);
        local.advance();
        for _ in 0..10 {
            wait.record(100);
            time.advance(Duration::from_secs(1));
            local.advance();
        }
        let read = || {
            let mut json = String::new();
            assert!(local.stats(&["wait"], &mut json).unwrap());
            json
        };
        let json = read();
        for part in ["\"count\":11,", "\"window_count\":10,", "\"window_rate\":1,"] {
            assert!(json.contains(part), "{part} in {json}");
        }
        time.advance(Duration::from_secs(13));
        assert!(read().contains("\"q50\":null,") && read().contains("\"window_count\":0,"));
    }

    /// What is asked for by its path must be found, whatever the labels.
    #[test]
    fn the_tree_and_its_parts() {
        static REGISTRY: Registry<8, 8> = Registry::new();
        static X: Details = Details::new().labels(&[("axis", "x.\"1\"")]);
        let local = Local::new(&REGISTRY);
        REGISTRY.describe(&X).gauge::<u32>("motor.heat").unwrap().set(40);
        REGISTRY.counter("motor.loops").unwrap().add(3);
        let stats = |path: &[&str]| {
            let mut out = String::new();
            local.stats(path, &mut out).unwrap().then_some(out)
        };
        let motor = r#"{"heat":{"value":40},"loops":{"value":3}}"#;
        for (path, expected) in [
            (&[][..], Some(format!(r#"{{"motor":{motor}}}"#))),
            (&["motor"], Some(motor.to_owned())),
            (&["motor", "loops"], Some(r#"{"value":3}"#.to_owned())),
            (&["mot"], None),
        ] {
            assert_eq!(stats(path), expected, "{path:?}");
        }
        let mut text = String::new();
        local.metrics(Format::Prometheus, &mut text).unwrap();
        assert!(text.contains("motor_heat{axis=\"x.\\\"1\\\"\"} 40\n"), "{text}");
    }
}
