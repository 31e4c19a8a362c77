//! A tree of objects, from metrics in the order of their names.

use core::fmt::{Debug, Formatter, Result, Write};

use super::super::number::{write_scaled, write_u64};
use super::token::{write_string, write_value};
use crate::metric::{Descriptor, Dimensions, Kind, Value};
use crate::rates::RateReading;
use crate::statistics::{Statistics, Summary};

/// Writes an object of objects, each key once, from metrics that come in order.
///
/// Metrics must come in [`name_order`](super::name_order), or in the order of bytes if no name is a branch of
/// another; each then goes into the objects that are open already as far as its name allows.
///
/// ```
/// use tapes_core::metric::{Descriptor, Kind, Unit, Value};
/// use tapes_core::text::json::TreeWriter;
///
/// let descriptor = Descriptor::new("motor.loops", Kind::Counter, Unit::NONE);
/// let mut text = String::new();
/// let mut tree = TreeWriter::new(&mut text)?;
/// for device in ["left", "right"] {
///     tree.open(device)?;
///     tree.metric(&descriptor, 0, &Value::Unsigned(7), None)?;
///     tree.close()?;
/// }
/// tree.finish()?;
/// assert_eq!(
///     text,
///     r#"{"left":{"motor":{"loops":{"value":7}}},"right":{"motor":{"loops":{"value":7}}}}"#,
/// );
/// # Ok::<(), std::fmt::Error>(())
/// ```
pub struct TreeWriter<'w, 'n> {
    out: &'w mut dyn Write,
    /// Name of the last metric; its object and those of its branches are open. Empty if none is.
    last: &'n str,
    /// Family and cell of the last metric; an object is open for each of its labels.
    family: (Dimensions<'n>, u32),
    /// Objects that the caller opened and did not close.
    opened: u32,
    /// Whether something is in the innermost object already.
    filled: bool,
    /// Which keys of meters, histograms and timers are written.
    statistics: Statistics,
}

impl Debug for TreeWriter<'_, '_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("TreeWriter").field("last", &self.last).finish_non_exhaustive()
    }
}

impl<'w, 'n> TreeWriter<'w, 'n> {
    /// Returns a writer that has begun the outermost object.
    ///
    /// # Errors
    ///
    /// Only those of `out`.
    pub fn new(out: &'w mut dyn Write) -> core::result::Result<Self, core::fmt::Error> {
        out.write_str("{")?;
        let family = (Dimensions::NONE, 0);
        let statistics = Statistics::ALL;
        Ok(Self { out, last: "", family, opened: 0, filled: false, statistics })
    }

    /// Sets which keys of meters, histograms and timers are written.
    ///
    /// Defaults to all.
    #[must_use]
    pub const fn with_statistics(mut self, statistics: Statistics) -> Self {
        self.statistics = statistics;
        self
    }

    /// Sets which keys of meters, histograms and timers are written from now on.
    ///
    /// ```
    /// use tapes_core::metric::{Descriptor, Kind, Unit, Value};
    /// use tapes_core::statistics::Statistics;
    /// use tapes_core::text::json::TreeWriter;
    ///
    /// let mut text = String::new();
    /// let mut tree = TreeWriter::new(&mut text)?;
    /// tree.set_statistics(Statistics::COUNT);
    /// tree.metric(&Descriptor::new("a", Kind::Meter, Unit::NONE), 0, &Value::Unsigned(7), None)?;
    /// tree.finish()?;
    /// assert_eq!(text, r#"{"a":{"count":7}}"#);
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    pub const fn set_statistics(&mut self, statistics: Statistics) {
        self.statistics = statistics;
    }

    /// Begins an object under `key`, whose dots do not count; metrics go into it until it is
    /// [closed](Self::close).
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    pub fn open(&mut self, key: &str) -> Result {
        self.leave_metrics(0)?;
        self.opened = self.opened.saturating_add(1);
        self.enter(key)
    }

    /// Ends the object of the last [`open`](Self::open); without one, does nothing.
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    pub fn close(&mut self) -> Result {
        self.leave_metrics(0)?;
        if self.opened == 0 {
            return Ok(());
        }
        self.opened -= 1;
        self.leave()
    }

    /// Writes a metric; `cell` is its position in a family, 0 for a single metric. The metrics of
    /// a family come one after the other.
    ///
    /// Of two that are the same, only the first is written.
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    pub fn metric(
        &mut self,
        descriptor: &Descriptor<'n>,
        cell: u32,
        value: &Value<'_>,
        rates: Option<RateReading>,
    ) -> Result {
        let is_new = self.enter_metric(descriptor.name)?;
        if descriptor.dimensions.is_empty() {
            if !is_new {
                return Ok(());
            }
        } else if !self.enter_cell(descriptor.dimensions, cell)? {
            return Ok(());
        }
        let per = descriptor.unit.per();
        match (descriptor.kind, value) {
            (Kind::Meter, Value::Unsigned(count)) => {
                if self.statistics.contains(Statistics::COUNT) {
                    self.key("count")?;
                    write_scaled(self.out, *count, per)?;
                }
                self.rates(rates, per)
            }
            (Kind::Timer(_), Value::Distribution(distribution)) => {
                let summary = Summary::of(distribution, descriptor.unit);
                self.count(&summary)?;
                // What is counted here are passes, whatever the unit of their duration.
                self.rates(rates, 1)?;
                self.summary_values(&summary, per)
            }
            (_, Value::Distribution(distribution)) => {
                let summary = Summary::of(distribution, descriptor.unit);
                self.count(&summary)?;
                self.summary_values(&summary, per)
            }
            (_, value) => {
                self.key("value")?;
                write_value(self.out, value, per)
            }
        }
    }

    /// Begins an object for the metric or other leaf of that name, to be filled with
    /// [`u64`](Self::u64), [`f64`](Self::f64) and [`str`](Self::str); `false` if the last one had
    /// that name.
    ///
    /// ```
    /// use tapes_core::text::json::TreeWriter;
    ///
    /// let mut text = String::new();
    /// let mut tree = TreeWriter::new(&mut text)?;
    /// assert!(tree.enter_metric("motor.state")?);
    /// tree.str("value", "running")?;
    /// tree.f64("since", 12.5)?;
    /// tree.u64("starts", 3)?;
    /// assert!(!tree.enter_metric("motor.state")?);
    /// tree.finish()?;
    /// assert_eq!(text, r#"{"motor":{"state":{"value":"running","since":12.5,"starts":3}}}"#);
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    pub fn enter_metric(&mut self, name: &'n str) -> core::result::Result<bool, core::fmt::Error> {
        if name.is_empty() || name == self.last {
            return Ok(false);
        }
        let common = if self.last.is_empty() {
            0
        } else {
            segments(self.last).zip(segments(name)).take_while(|(a, b)| a == b).count()
        };
        self.leave_metrics(common)?;
        for segment in segments(name).skip(common) {
            self.enter(segment)?;
        }
        self.last = name;
        Ok(true)
    }

    /// Begins the objects of a cell of the family that the last metric belongs to; `false` if the
    /// last one was this.
    fn enter_cell(
        &mut self,
        dimensions: Dimensions<'n>,
        cell: u32,
    ) -> core::result::Result<bool, core::fmt::Error> {
        let (last, last_cell) = self.family;
        if cell >= dimensions.cells() || (last == dimensions && last_cell == cell) {
            return Ok(false);
        }
        let common =
            last.labels(last_cell).zip(dimensions.labels(cell)).take_while(|(a, b)| a == b).count();
        self.leave_family(common)?;
        for (_, value) in dimensions.labels(cell).skip(common) {
            self.enter(value)?;
        }
        self.family = (dimensions, cell);
        Ok(true)
    }

    /// Ends the objects of the last cell but for the outermost `keep` of them.
    fn leave_family(&mut self, keep: usize) -> Result {
        for _ in keep..self.family.0.len() {
            self.leave()?;
        }
        self.family = (Dimensions::NONE, 0);
        Ok(())
    }

    /// Writes an unsigned number under `key`.
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    pub fn u64(&mut self, key: &str, value: u64) -> Result {
        self.key(key)?;
        write_u64(self.out, value)
    }

    /// Writes a number under `key`; `null` if it is infinite or NaN.
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    pub fn f64(&mut self, key: &str, value: f64) -> Result {
        self.key(key)?;
        write_value(self.out, &Value::F64(value), 1)
    }

    /// Writes a string under `key`.
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    pub fn str(&mut self, key: &str, value: &str) -> Result {
        self.key(key)?;
        write_string(self.out, value)
    }

    /// Writes the keys of a histogram from statistics that were derived elsewhere.
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    pub fn summary(&mut self, summary: &Summary) -> Result {
        self.count(summary)?;
        for (statistic, key, value) in [
            (Statistics::SUM, "sum", summary.sum),
            (Statistics::MIN, "min", summary.min),
            (Statistics::MAX, "max", summary.max),
        ] {
            self.statistic(statistic, key, value)?;
        }
        self.estimates(summary)
    }

    fn count(&mut self, summary: &Summary) -> Result {
        if !self.statistics.contains(Statistics::COUNT) {
            return Ok(());
        }
        self.u64("count", summary.count)
    }

    /// Writes a number under `key` if it is wanted.
    fn statistic(&mut self, statistic: Statistics, key: &str, value: f64) -> Result {
        if self.statistics.contains(statistic) { self.f64(key, value) } else { Ok(()) }
    }

    /// Ends all objects.
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    pub fn finish(mut self) -> Result {
        self.leave_metrics(0)?;
        while self.opened > 0 {
            self.close()?;
        }
        self.out.write_str("}")
    }

    fn rates(&mut self, rates: Option<RateReading>, per: u32) -> Result {
        let unknown = RateReading { m1: f32::NAN, m5: f32::NAN, m15: f32::NAN, mean: f32::NAN };
        let rates = rates.unwrap_or(unknown);
        for (statistic, key, rate) in [
            (Statistics::M1, "m1", rates.m1),
            (Statistics::M5, "m5", rates.m5),
            (Statistics::M15, "m15", rates.m15),
            (Statistics::MEAN_RATE, "mean_rate", rates.mean),
        ] {
            if self.statistics.contains(statistic) {
                self.key(key)?;
                write_value(self.out, &Value::F32(rate), per)?;
            }
        }
        Ok(())
    }

    /// Writes what follows the count; what was recorded exactly, exactly.
    fn summary_values(&mut self, summary: &Summary, per: u32) -> Result {
        for (statistic, key, exact, estimate) in [
            (Statistics::SUM, "sum", Some(summary.raw.sum), summary.sum),
            (Statistics::MIN, "min", summary.raw.min, summary.min),
            (Statistics::MAX, "max", summary.raw.max, summary.max),
        ] {
            match exact.filter(|_| self.statistics.contains(statistic)) {
                Some(raw) => {
                    self.key(key)?;
                    write_scaled(self.out, raw, per)?;
                }
                None => self.statistic(statistic, key, estimate)?,
            }
        }
        self.estimates(summary)
    }

    fn estimates(&mut self, summary: &Summary) -> Result {
        for (statistic, key, value) in [
            (Statistics::MEAN, "mean", summary.mean),
            (Statistics::STDDEV, "stddev", summary.stddev),
            (Statistics::Q50, "q50", summary.q50),
            (Statistics::Q75, "q75", summary.q75),
            (Statistics::Q95, "q95", summary.q95),
            (Statistics::Q98, "q98", summary.q98),
            (Statistics::Q99, "q99", summary.q99),
            (Statistics::Q999, "q999", summary.q999),
        ] {
            self.statistic(statistic, key, value)?;
        }
        Ok(())
    }

    fn key(&mut self, key: &str) -> Result {
        if self.filled {
            self.out.write_str(",")?;
        }
        self.filled = true;
        write_string(self.out, key)?;
        self.out.write_str(":")
    }

    fn enter(&mut self, key: &str) -> Result {
        self.key(key)?;
        self.filled = false;
        self.out.write_str("{")
    }

    fn leave(&mut self) -> Result {
        self.filled = true;
        self.out.write_str("}")
    }

    /// Ends the objects of the last metric but for the outermost `keep` of them.
    fn leave_metrics(&mut self, keep: usize) -> Result {
        if self.last.is_empty() {
            return Ok(());
        }
        self.leave_family(0)?;
        for _ in segments(self.last).skip(keep) {
            self.leave()?;
        }
        self.last = "";
        Ok(())
    }
}

/// Returns what is between the dots of a name.
///
/// `str::split` would do, but its search for one character can panic as far as a linker knows.
fn segments(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(name);
    core::iter::from_fn(move || {
        let text = rest?;
        let end = text.bytes().position(|byte| byte == b'.');
        let (segment, tail) = text.split_at_checked(end.unwrap_or(text.len()))?;
        rest = tail.get(1..);
        Some(segment)
    })
}
