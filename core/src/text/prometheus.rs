//! Prometheus text 0.0.4 and OpenMetrics 1.0.
//!
//! [`write_prometheus`] exposes any source. An [`Encoder`] writes family by family, for those who
//! expose many devices under the same names:
//!
//! ```
//! use tapes_core::metric::{Descriptor, Kind, Unit, Value};
//! use tapes_core::text::prometheus::{Encoder, Format};
//!
//! let loops = Descriptor::new("motor.loops", Kind::Counter, Unit::NONE);
//! let mut text = String::new();
//! let mut encoder = Encoder::new(&mut text, Format::OpenMetrics);
//! encoder.family(&loops)?;
//! encoder.sample(&[("device", "left")], &loops, 0, &Value::Unsigned(7))?;
//! encoder.sample(&[("device", "right")], &loops, 0, &Value::Unsigned(5))?;
//! encoder.finish()?;
//! assert_eq!(
//!     text,
//!     "# TYPE motor_loops counter\n\
//!      motor_loops_total{device=\"left\"} 7\n\
//!      motor_loops_total{device=\"right\"} 5\n\
//!      ## EOF\n",
//! );
//! # Ok::<(), std::fmt::Error>(())
//! ```
//!
//! - Values are in base units. Integers are exact, whatever the unit: `_sum` of microseconds has
//!   six decimals. A gauge that is null has no line.
//! - Meters are counters; their rates are for the server to compute. Up/down counters are gauges.
//! - Histograms and timers have classic buckets, coarsened to a factor of two unless
//!   [asked for finer ones](Encoder::with_classic_scale), over the whole fixed range of the
//!   metric, so a series never appears late. The first `le` is the bound of the zero bucket.
//! - Names and labels that a parser would refuse are changed, not passed on: see [`Family`],
//!   [`Escaping`] and [`Encoder::sample`].
//!
//! **Limits.** No timestamps, exemplars or `_created`. Native histograms have no text form that
//! servers read.

mod classic;
mod labels;
#[cfg(feature = "std")]
mod line;
mod names;
mod output;
#[cfg(feature = "std")]
mod padded;
#[cfg(feature = "std")]
mod special;
#[cfg(feature = "std")]
mod template;

use core::fmt::{Debug, Formatter, Result, Write};
use core::ops::ControlFlow;

pub use self::classic::{CLASSIC_SCALE_DEFAULT, ClassicBuckets};
use self::classic::{Classic, IsClassic, is_classic_of_list, is_classic_of_scale};
pub use self::labels::LabelName;
use self::labels::{write_escaped, write_label};
use self::names::Names;
use self::output::{Output, Sink};
#[cfg(feature = "std")]
pub use self::template::{PageTemplate, PageTemplates};
use super::escaping::NameWriter;
pub use super::escaping::{EscapedName, Escaping};
use super::number::{
    Form, write_f32_scaled, write_f64, write_f64_scaled, write_scaled, write_scaled_i64,
};
#[cfg(not(feature = "std"))]
use crate::metric::BUCKETS_MAX;
pub use crate::metric::exposed::Family;
use crate::metric::{Buckets, Descriptor, Distribution, SCALE_MAX, Value};
use crate::snapshot::Source;

/// Which text to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Format {
    /// Prometheus text 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// Returns the value of the `Content-Type` header.
    ///
    /// ```
    /// use tapes_core::text::prometheus::Format;
    ///
    /// assert!(Format::OpenMetrics.content_type().contains("version=1.0.0"));
    /// ```
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes one exposition: for each family its header, then its samples; at the end
/// [`finish`](Self::finish).
///
/// Families may come in any order but each only once; the caller sees to it that no two
/// [clash](Family::clashes_with) and that the labels of samples of a family differ.
///
/// On hosts lines are gathered, up to 2 KiB, before the writer sees them; an encoder that is dropped
/// hands on the rest.
pub struct Encoder<'w> {
    out: Output<'w>,
    format: Format,
    names: Names,
    classic: Classic<'w>,
    is_classic: IsClassic,
    #[cfg(feature = "std")]
    chosen: ClassicBuckets<'w>,
    #[cfg(feature = "std")]
    lines: line::Lines,
}

impl Debug for Encoder<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Encoder").field("format", &self.format).finish_non_exhaustive()
    }
}

impl<'w> Encoder<'w> {
    /// Returns an encoder that writes to `out`.
    #[must_use]
    pub fn new(out: &'w mut dyn Write, format: Format) -> Self {
        let classic = Classic { scale: CLASSIC_SCALE_DEFAULT, bounds: &[] };
        Self {
            out: Output::new(out),
            format,
            names: Names::new(NameWriter::UNDERSCORES),
            classic,
            is_classic: is_classic_of_scale,
            #[cfg(feature = "std")]
            chosen: ClassicBuckets::Scale(CLASSIC_SCALE_DEFAULT),
            #[cfg(feature = "std")]
            lines: line::Lines::default(),
        }
    }

    /// Sets how fine the classic buckets are: `2^scale` of them an octave, where the metric itself
    /// is that fine.
    ///
    /// Defaults to [`CLASSIC_SCALE_DEFAULT`].
    #[must_use]
    pub fn with_classic_scale(mut self, scale: u8) -> Self {
        self.classic.scale = scale.min(SCALE_MAX);
        self.is_classic = is_classic_of_scale;
        #[cfg(feature = "std")]
        self.choose(ClassicBuckets::Scale(self.classic.scale));
        self
    }

    /// Sets the classic buckets by their upper bounds, in base units: of each the next larger bound
    /// that the metric has is taken. The infinite one is always there.
    ///
    /// Costs a look at every bound for every bucket.
    ///
    /// ```
    /// use tapes_core::Source;
    /// use tapes_core::text::prometheus::{Encoder, Format};
    ///
    /// tapes_core::metrics! {
    ///     static RADIO: RadioMetrics = "radio" { sizes: Histogram [max = 4, scale = 1] }
    /// }
    /// RADIO.sizes.record(2);
    /// let mut text = String::new();
    /// let mut encoder = Encoder::new(&mut text, Format::Prometheus).with_classic_bounds(&[2.0]);
    /// let _ = RADIO.visit(0, &mut |sample| {
    ///     encoder.sample(&[], &sample.descriptor(), sample.cell, &sample.value).unwrap();
    ///     core::ops::ControlFlow::Continue(())
    /// });
    /// encoder.finish()?;
    /// assert_eq!(text.matches("le=").count(), 2); // 2 and +Inf
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    #[must_use]
    pub fn with_classic_bounds(mut self, bounds: &'w [f64]) -> Self {
        self.classic.bounds = bounds;
        self.is_classic = is_classic_of_list;
        #[cfg(feature = "std")]
        self.choose(ClassicBuckets::Bounds(bounds));
        self
    }

    /// Sets how names are written.
    ///
    /// Defaults to [`Escaping::Underscores`].
    #[must_use]
    pub fn with_escaping(mut self, escaping: Escaping) -> Self {
        self.names = Names::new(escaping.writer());
        self
    }

    /// Writes the header of a family: `HELP` if there is one, `TYPE`, and in OpenMetrics `UNIT`.
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    pub fn family(&mut self, descriptor: &Descriptor<'_>) -> Result {
        let family = Family::of(descriptor);
        #[cfg(feature = "std")]
        self.names.prepare(&family);
        if !descriptor.help.is_empty() {
            self.header("# HELP ", &family)?;
            let quotes = self.format == Format::OpenMetrics;
            write_escaped(self.out.sink(), descriptor.help, quotes)?;
            self.out.sink().write_str("\n")?;
        }
        self.header("# TYPE ", &family)?;
        self.out.sink().write_str(family.type_name())?;
        self.out.sink().write_str("\n")?;
        let keeps_unit = self.names.writer.keeps_unit || !family.is_counter();
        if self.format == Format::OpenMetrics && family.has_unit() && keeps_unit {
            self.header("# UNIT ", &family)?;
            family.write_unit(self.out.sink())?;
            self.out.sink().write_str("\n")?;
        }
        Ok(())
    }

    /// Writes the samples of one metric, with `extra` labels before its own. `cell` is its position
    /// in a family of enumerated labels, 0 for a single metric.
    ///
    /// A label of the metric that is called `le` or `quantile`, begins with `__` or has the name
    /// of an extra label gets `exported_` before its name; characters that a label name may not
    /// have become `_`. A null gauge writes nothing.
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    pub fn sample(
        &mut self,
        extra: &[(&str, &str)],
        descriptor: &Descriptor<'_>,
        cell: u32,
        value: &Value<'_>,
    ) -> Result {
        let per = descriptor.unit.per();
        let series = Series { family: Family::of(descriptor), extra, descriptor, cell };
        if let Value::Null = value {
            return Ok(());
        }
        #[cfg(feature = "std")]
        self.names.prepare(&series.family);
        if let Value::Distribution(distribution) = value {
            return self.histogram(&series, distribution);
        }
        series.write(self.out.sink(), &self.names, "", None)?;
        self.value(value, per)
    }

    /// Writes the value of anything but a histogram, and ends the line.
    fn value(&mut self, value: &Value<'_>, per: u32) -> Result {
        match value {
            Value::Unsigned(value) if per <= 1 => return self.out.write_u64_line(*value),
            Value::Unsigned(value) => write_scaled(self.out.sink(), *value, per)?,
            Value::Signed(value) => write_scaled_i64(self.out.sink(), *value, per)?,
            Value::F32(value) => write_f32_scaled(self.out.sink(), *value, per, Form::Short)?,
            Value::F64(value) => write_f64_scaled(self.out.sink(), *value, per, Form::Short)?,
            Value::Null | Value::Distribution(_) => {}
        }
        self.out.sink().write_str("\n")
    }

    /// Ends the exposition; OpenMetrics needs it.
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    pub fn finish(mut self) -> Result {
        if self.format == Format::OpenMetrics {
            self.out.sink().write_str("# EOF\n")?;
        }
        self.out.flush()
    }

    /// Hands the writer what was gathered, which only happens on hosts.
    ///
    /// # Errors
    ///
    /// Only those of the writer.
    #[inline]
    pub(crate) fn flush(&mut self) -> Result {
        self.out.flush()
    }

    #[cfg(feature = "std")]
    const fn choose(&mut self, classic: ClassicBuckets<'w>) {
        self.chosen = classic;
        self.lines.forget();
    }

    fn header(&mut self, word: &str, family: &Family<'_>) -> Result {
        self.out.sink().write_str(word)?;
        // OpenMetrics names the family without `_total`, the older format with it.
        let is_quoted = self.names.is_quoted(family);
        if is_quoted {
            self.out.sink().write_str("\"")?;
        }
        self.names.write(family, self.format == Format::OpenMetrics, self.out.sink())?;
        self.out.sink().write_str(if is_quoted { "\" " } else { " " })
    }

    fn histogram(&mut self, series: &Series<'_, '_>, distribution: &Distribution<'_>) -> Result {
        // The sum is read before the buckets, so that what is in it is in a bucket.
        let sum = distribution.sum();
        let seen = self.buckets(series, distribution)?;
        series.write(self.out.sink(), &self.names, "_sum", None)?;
        write_scaled(self.out.sink(), sum, series.descriptor.unit.per())?;
        self.out.sink().write_str("\n")?;
        series.write(self.out.sink(), &self.names, "_count", None)?;
        self.out.write_u64_line(seen)
    }

    /// Writes the lines of all buckets, and returns how many values there are.
    #[cfg(feature = "std")]
    fn buckets(
        &mut self,
        series: &Series<'_, '_>,
        distribution: &Distribution<'_>,
    ) -> core::result::Result<u64, core::fmt::Error> {
        let classic = (&self.classic, self.is_classic);
        self.lines.write(&mut self.out, series, &self.names, distribution, classic)
    }

    #[cfg(not(feature = "std"))]
    fn buckets(
        &mut self,
        series: &Series<'_, '_>,
        distribution: &Distribution<'_>,
    ) -> core::result::Result<u64, core::fmt::Error> {
        let geometry = distribution.geometry();
        let mut seen = distribution.zero();
        if (self.is_classic)(&self.classic, geometry, None) {
            self.bucket(series, Bound::At { geometry, place: 0 }, seen)?;
        }
        for i in 0..geometry.len.min(BUCKETS_MAX) {
            seen = seen.wrapping_add(distribution.bucket(i));
            if (self.is_classic)(&self.classic, geometry, Some(i)) {
                self.bucket(series, Bound::At { geometry, place: i.wrapping_add(1) }, seen)?;
            }
        }
        seen = seen.wrapping_add(distribution.overflow());
        self.bucket(series, Bound::Infinite, seen)?;
        Ok(seen)
    }

    #[cfg(not(feature = "std"))]
    fn bucket(&mut self, series: &Series<'_, '_>, bound: Bound, count: u64) -> Result {
        series.write(self.out.sink(), &self.names, "_bucket", Some(bound))?;
        self.out.write_u64_line(count)
    }
}

/// The upper bound of a classic bucket.
#[derive(Clone, Copy)]
enum Bound {
    /// That of the zero bucket at place 0, else of the bucket before.
    At {
        geometry: Buckets,
        place: u32,
    },
    Infinite,
}

impl Bound {
    fn value(self) -> f64 {
        match self {
            Self::At { geometry, place } => {
                place.checked_sub(1).map_or_else(|| geometry.lower(0), |i| geometry.upper(i))
            }
            Self::Infinite => f64::INFINITY,
        }
    }
}

/// What all lines of one metric have in common.
struct Series<'a, 'd> {
    family: Family<'d>,
    extra: &'a [(&'a str, &'a str)],
    descriptor: &'a Descriptor<'d>,
    cell: u32,
}

impl Series<'_, '_> {
    /// Writes name, suffix, labels and the space before the value.
    fn write<W: Sink + ?Sized>(
        &self,
        out: &mut W,
        names: &Names,
        suffix: &str,
        bound: Option<Bound>,
    ) -> Result {
        let Some(bound) = bound else {
            let has_labels = self.write_labels(out, names, suffix)?;
            return out.write_str(if has_labels { "} " } else { " " });
        };
        self.write_up_to_bound(out, names, suffix)?;
        write_f64(out.as_write(), bound.value(), Form::Canonical)?;
        out.write_str("\"} ")
    }

    /// Writes name, suffix, labels and what stands before a bound.
    fn write_up_to_bound<W: Sink + ?Sized>(
        &self,
        out: &mut W,
        names: &Names,
        suffix: &str,
    ) -> Result {
        let has_labels = self.write_labels(out, names, suffix)?;
        out.write_str(if has_labels { ",le=\"" } else { "{le=\"" })
    }

    /// Writes name, suffix and labels. Returns whether a bracket is open.
    fn write_labels<W: Sink + ?Sized>(
        &self,
        out: &mut W,
        names: &Names,
        suffix: &str,
    ) -> core::result::Result<bool, core::fmt::Error> {
        let is_quoted = names.is_quoted(&self.family);
        if is_quoted {
            out.write_str("{\"")?;
        }
        names.write(&self.family, false, out)?;
        out.write_str(suffix)?;
        if is_quoted {
            out.write_str("\"")?;
        }
        let mut before = if is_quoted { "," } else { "{" };
        for (name, value) in self.extra {
            write_label(out, &mut before, LabelName::extra(name), value)?;
        }
        let own = self.descriptor.dimensions.labels(self.cell);
        for (name, value) in own.chain(self.descriptor.labels.iter()) {
            write_label(out, &mut before, LabelName::new(self.extra, name), value)?;
        }
        Ok(before == ",")
    }
}

/// Writes all metrics of `source`.
///
/// Metrics of one family, which differ in labels, are written together wherever they are in the
/// source; one that would [clash](Family::clashes_with) with an earlier one of another type or
/// unit is left out. Compares every two names, so a source of many thousand metrics should keep
/// families sorted and use an [`Encoder`].
///
/// ```
/// use tapes_core::metrics;
/// use tapes_core::text::prometheus::{Format, write_prometheus};
///
/// metrics! {
///     /// Motor control.
///     static MOTOR: MotorMetrics = "motor" {
///         /// Control loop passes.
///         loops: Counter,
///     }
/// }
/// MOTOR.loops.add(3);
/// let mut text = String::new();
/// write_prometheus(&MOTOR, Format::Prometheus, &mut text)?;
/// assert_eq!(
///     text,
///     "# HELP motor_loops_total Control loop passes.\n\
///      ## TYPE motor_loops_total counter\n\
///      motor_loops_total 3\n",
/// );
/// # Ok::<(), std::fmt::Error>(())
/// ```
///
/// # Errors
///
/// Only those of `out`.
pub fn write_prometheus<S>(source: &S, format: Format, out: &mut dyn Write) -> Result
where
    S: Source + ?Sized,
{
    let mut encoder = Encoder::new(out, format);
    let mut result = Ok(());
    let _ = source.visit(0, &mut |sample| {
        let family = Family::of(&sample.descriptor());
        if sample.cell != 0 || has_earlier(source, sample.id, &family) {
            return ControlFlow::Continue(());
        }
        result = encoder.family(&sample.descriptor());
        if result.is_ok() {
            result = write_members(&mut encoder, source, sample.id, &family);
        }
        if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    result?;
    encoder.finish()
}

/// Returns whether a metric before `id` is of this family or clashes with it.
pub(crate) fn has_earlier<S: Source + ?Sized>(source: &S, id: u32, family: &Family<'_>) -> bool {
    let mut found = false;
    let _ = source.visit(0, &mut |earlier| {
        if earlier.id >= id {
            return ControlFlow::Break(());
        }
        found = earlier.cell == 0 && clash(&Family::of(&earlier.descriptor()), family);
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

fn clash(a: &Family<'_>, b: &Family<'_>) -> bool {
    // Devices have few metrics and would have to hold the code.
    #[cfg(feature = "std")]
    if !a.may_clash_with(b) {
        return false;
    }
    a.clashes_with(b)
}

/// Writes the samples of all metrics from `id` on that are of this family.
fn write_members<S: Source + ?Sized>(
    encoder: &mut Encoder<'_>,
    source: &S,
    id: u32,
    family: &Family<'_>,
) -> Result {
    let mut result = Ok(());
    let _ = source.visit(id, &mut |sample| {
        let other = Family::of(&sample.descriptor());
        if other == *family && other.type_name() == family.type_name() {
            result = encoder.sample(&[], &sample.descriptor(), sample.cell, &sample.value);
        }
        if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    result
}
