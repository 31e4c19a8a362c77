//! A bridge in: programs that are instrumented with the crate `metrics` report through this one,
//! unchanged.
//!
//! ```
//! use std::sync::Arc;
//! use tapes_std::bridge::Bridge;
//! use tapes_std::exposition::Exposition;
//! use tapes_std::local::Local;
//!
//! static BRIDGE: Bridge = Bridge::new();
//!
//! metrics::set_global_recorder(&BRIDGE)?;
//! metrics::counter!("http.requests", "method" => "GET").increment(3);
//!
//! let local = Local::new(&BRIDGE); // for any reporter or server of this crate
//! let mut json = String::new();
//! local.stats(&[], &mut json)?;
//! assert_eq!(json, r#"{"http":{"requests":{"value":3}}}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | `metrics` | here |
//! |---|---|
//! | counter, its `increment` and `absolute` | counter |
//! | gauge | gauge of 64-bit floating point |
//! | histogram | histogram, in buckets instead of samples: bounded memory, whoever reads |
//! | `describe_…!` before the first use | help, and the unit of what follows |
//! | labels | constant labels |
//!
//! - **Names** keep letters, digits, `_`, `-` and dots; `::` and `/` become dots, everything else
//!   `_`. Labels that exporters need for themselves get the prefix `exported_`. What has the same
//!   name, labels and kind then is one metric.
//! - **Units**: times are in seconds and sizes in bytes when they are exposed, whichever unit they
//!   were recorded in; rates and other units count as plain numbers.
//! - **Histograms** count integer steps, and sums are of those: microseconds up to 4,200 s for
//!   seconds, described as such or named `…seconds`; bytes up to 4 GiB; thousandths up to 4
//!   million for everything else, or what [`Bridge::with_layouts`] says.
//!
//! # Limits
//!
//! At most [`SERIES_MAX`] series, whose memory is never given back, as the handles of `metrics`
//! live for ever. What comes beyond, and values that have no place (negative or not a number in a
//! histogram), are dropped and counted: see [`Bridge::stats`].

mod handles;
mod names;
mod units;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use metrics::{KeyName, Metadata, Recorder, SharedString};
use tapes_core::Source;
use tapes_core::metric::{
    Counter, Descriptor, Gauge, Histogram, Kind, Labels, Layout, Run, Sample, Value, Words,
};

use self::handles::{CounterHandle, GaugeHandle, HistogramHandle};
use self::names::{Labelled, label_set, metric_name};
use self::units::measure;

/// Most series, unless [told otherwise](Bridge::with_limit).
pub const SERIES_MAX: usize = 10_000;

/// Words that are taken from the system at a time: 32 KiB.
const CHUNK_WORDS: usize = 4_096;

/// What says the layout of a histogram from its name and unit; `None` for the usual one.
pub type Layouts = fn(&str, Option<metrics::Unit>) -> Option<&'static Layout>;

/// A recorder of the crate `metrics`, and a [`Source`] of what it recorded;
/// [the module](self) has an example.
pub struct Bridge {
    limit: usize,
    layouts: Layouts,
    state: RwLock<State>,
    refused: AtomicU64,
}

/// What a bridge could not take; see [`Bridge::stats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BridgeStats {
    /// Times that a series was asked for and not made: too many, or a name that cannot be used.
    pub refused: u64,
    /// Values that had no place.
    pub dropped: u64,
}

#[derive(Debug)]
struct State {
    /// By kind, name and labels.
    places: BTreeMap<(Class, Labelled), &'static Series>,
    /// In the order of their ids; shared with readers.
    series: Option<Arc<Vec<&'static Series>>>,
    /// By kind and name.
    descriptions: BTreeMap<(Class, String), (Option<metrics::Unit>, &'static str)>,
    /// Words not yet in use.
    free: Run<'static>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Counter,
    Gauge,
    Histogram,
}

/// One series, there for ever.
#[derive(Debug)]
struct Series {
    descriptor: Descriptor<'static>,
    cell: Cell,
}

#[derive(Debug)]
enum Cell {
    Counter(CounterHandle),
    Gauge(GaugeHandle),
    Histogram(HistogramHandle),
}

impl Series {
    fn dropped(&self) -> u64 {
        match &self.cell {
            Cell::Histogram(histogram) => histogram.dropped(),
            Cell::Counter(_) | Cell::Gauge(_) => 0,
        }
    }

    fn value(&self) -> Value<'static> {
        match &self.cell {
            Cell::Counter(counter) => Value::Unsigned(counter.value()),
            Cell::Gauge(gauge) => gauge.value().map_or(Value::Null, Value::F64),
            Cell::Histogram(histogram) => Value::Distribution(histogram.distribution()),
        }
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Default for Bridge {
    fn default() -> Self {
        Self::new()
    }
}

impl Bridge {
    /// Returns a bridge that nothing was recorded through; meant for a `static`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            limit: SERIES_MAX,
            layouts: |_, _| None,
            state: RwLock::new(State {
                places: BTreeMap::new(),
                series: None,
                descriptions: BTreeMap::new(),
                free: Run::EMPTY,
            }),
            refused: AtomicU64::new(0),
        }
    }

    /// Sets how many series there may be.
    ///
    /// Defaults to [`SERIES_MAX`].
    #[must_use]
    pub const fn with_limit(mut self, series: usize) -> Self {
        self.limit = series;
        self
    }

    /// Sets what says the layout of a histogram from its name and unit; `None` for the usual one.
    /// Values are taken in the unit that was described, and counted in steps of the layout's unit.
    ///
    /// Defaults to the usual ones.
    #[must_use]
    pub const fn with_layouts(mut self, layouts: Layouts) -> Self {
        self.layouts = layouts;
        self
    }

    /// Returns what could not be taken so far.
    #[must_use]
    pub fn stats(&self) -> BridgeStats {
        BridgeStats {
            refused: self.refused.load(Ordering::Relaxed),
            dropped: self.all().iter().fold(0, |sum, series| sum.saturating_add(series.dropped())),
        }
    }

    /// Returns the series of a key, new or existing.
    fn series(&self, class: Class, key: &metrics::Key) -> Option<&'static Series> {
        let found = self.find_or_make(class, key);
        if found.is_none() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    fn find_or_make(&self, class: Class, key: &metrics::Key) -> Option<&'static Series> {
        let place = (class, Labelled { name: metric_name(key.name())?, labels: label_set(key)? });
        let find = |state: &State| state.places.get(&place).copied();
        if let Some(series) = find(&self.state.read().unwrap_or_else(PoisonError::into_inner)) {
            return Some(series);
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = find(&state) {
            return Some(series);
        }
        if state.places.len() >= self.limit {
            return None;
        }
        let described = state.descriptions.get(&(class, key.name().to_owned())).copied();
        let series = state.make(class, &place.1, described, self.layouts)?;
        let series: &'static Series = Box::leak(Box::new(series));
        state.places.insert(place, series);
        Arc::make_mut(state.series.get_or_insert_default()).push(series);
        Some(series)
    }

    fn describe(&self, class: Class, key: &KeyName, unit: Option<metrics::Unit>, help: &str) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let name = (class, key.as_str().to_owned());
        if state.descriptions.len() < self.limit && !state.descriptions.contains_key(&name) {
            let help = names::cut(help, tapes_core::name::HELP_LEN_MAX);
            state.descriptions.insert(name, (unit, leaked(help)));
        }
    }

    fn all(&self) -> Arc<Vec<&'static Series>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.series.clone().unwrap_or_default()
    }
}

impl State {
    fn make(
        &mut self,
        class: Class,
        key: &Labelled,
        described: Option<(Option<metrics::Unit>, &'static str)>,
        layouts: Layouts,
    ) -> Option<Series> {
        let (unit, help) = described.unwrap_or_default();
        let measure = measure(&key.name, unit);
        let (cell, kind, unit) = match class {
            Class::Counter => {
                let counter = Counter::new(self.words(1)?);
                let counter = CounterHandle::new(counter, measure.factor);
                (Cell::Counter(counter), Kind::Counter, measure.unit)
            }
            Class::Gauge => {
                let gauge = GaugeHandle::new(Gauge::new(self.words(1)?), measure.factor);
                (Cell::Gauge(gauge), Kind::GaugeDouble, measure.unit)
            }
            Class::Histogram => {
                let layout = layouts(&key.name, unit).unwrap_or(measure.layout);
                let histogram = Histogram::new(self.words(layout.words())?, layout);
                let histogram = HistogramHandle::new(histogram, measure.steps_of(layout));
                let kind = Kind::Histogram(layout.buckets());
                (Cell::Histogram(histogram), kind, layout.unit())
            }
        };
        let labels: Vec<(&'static str, &'static str)> =
            key.labels.iter().map(|(name, value)| (leaked(name), leaked(value))).collect();
        let labels = Labels::new(Box::leak(labels.into_boxed_slice()));
        let name = leaked(&key.name);
        let descriptor = Descriptor { help, labels, ..Descriptor::new(name, kind, unit) };
        Some(Series { descriptor, cell })
    }

    /// Takes words that are all zero.
    fn words(&mut self, len: usize) -> Option<Run<'static>> {
        if len > CHUNK_WORDS {
            return None;
        }
        if self.free.len() < len {
            // What is left of the chunk before is too little for anything to come.
            let chunk: &'static Words<CHUNK_WORDS> = Box::leak(Box::default());
            self.free = chunk.all();
        }
        let taken = self.free.run(0, len);
        self.free = self.free.run(len, self.free.len() - len);
        Some(taken)
    }
}

fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

impl Recorder for Bridge {
    fn describe_counter(&self, key: KeyName, unit: Option<metrics::Unit>, help: SharedString) {
        self.describe(Class::Counter, &key, unit, &help);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<metrics::Unit>, help: SharedString) {
        self.describe(Class::Gauge, &key, unit, &help);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<metrics::Unit>, help: SharedString) {
        self.describe(Class::Histogram, &key, unit, &help);
    }

    fn register_counter(&self, key: &metrics::Key, _: &Metadata<'_>) -> metrics::Counter {
        match self.series(Class::Counter, key).map(|series| &series.cell) {
            Some(Cell::Counter(counter)) => metrics::Counter::from_arc(Arc::new(counter)),
            _ => metrics::Counter::noop(),
        }
    }

    fn register_gauge(&self, key: &metrics::Key, _: &Metadata<'_>) -> metrics::Gauge {
        match self.series(Class::Gauge, key).map(|series| &series.cell) {
            Some(Cell::Gauge(gauge)) => metrics::Gauge::from_arc(Arc::new(gauge)),
            _ => metrics::Gauge::noop(),
        }
    }

    fn register_histogram(&self, key: &metrics::Key, _: &Metadata<'_>) -> metrics::Histogram {
        match self.series(Class::Histogram, key).map(|series| &series.cell) {
            Some(Cell::Histogram(histogram)) => metrics::Histogram::from_arc(Arc::new(histogram)),
            _ => metrics::Histogram::noop(),
        }
    }
}

impl Source for Bridge {
    fn metrics(&self) -> u32 {
        u32::try_from(self.all().len()).unwrap_or(u32::MAX)
    }

    fn visit<'s>(
        &'s self,
        from: u32,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let series = self.all();
        for (id, series) in (0..).zip(series.iter()).skip(from as usize) {
            let Series { descriptor, .. } = series;
            visitor(Sample::new(id, descriptor.name, descriptor, series.value()))?;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests;
