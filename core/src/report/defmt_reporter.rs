//! The defmt reporter: one log frame for each metric.

use core::ops::ControlFlow;

use defmt::{Format, Formatter, Str};

use super::defmt_quantiles::Digest;
use crate::metric::{
    BaseUnit, Buckets, Descriptor, Dimension, Dimensions, Distribution, Kind, Run, Unit, Value,
    live_value, words_of,
};
use crate::snapshot::Source;

/// Logs metrics through the defmt logger of the binary, one frame for each.
///
/// Frames are those of `defmt::println!`, so `DEFMT_LOG` does not filter them: who asks for a
/// report gets it. On the host they read like this:
///
/// ```text
/// motor.loops 1042
/// motor.temperature 36.5 celsius
/// motor.faults{fault=overheat} 2
/// motor.loop_time count=1042 sum=25008 min=21 max=80 q50=24 q99=41 us
/// radio.signal null
/// ```
///
/// Values are typed, and in raw steps of the unit that follows them: `us`, `celsius`, or, with 2 raw
/// steps to a volt, `volts/2`. Histograms and timers give count, sum and extremes exactly, and two
/// quantiles within half a bucket, all in integers; no float is computed. `null` is a gauge that was
/// never set.
///
/// ```no_run
/// use tapes_core::report::DefmtReporter;
///
/// tapes_core::metrics! {
///     static RADIO: RadioMetrics = "radio" { sent: Counter }
/// }
/// # static REGISTRY: tapes_core::Registry<1, 1> = tapes_core::Registry::new();
///
/// let mut reporter = DefmtReporter::new();
/// reporter.report_group(&RADIO); // a declared group: names are interned
/// reporter.report(&REGISTRY); // any source: names are sent as text
/// ```
///
/// # Interrupts and cores
///
/// Reports belong to a task or a loop, not to an interrupt. Loggers lock for a whole frame: some
/// mask all interrupts while it is being *sent*, `defmt-serial` for about a millisecond at 115,200
/// baud. That is why no frame has more than one metric. A logger that only copies a frame into
/// a buffer, for a DMA transfer, a task or a debug probe to fetch, masks for microseconds.
///
/// # Limits
///
/// All of a report is logged in one go, so a buffering logger needs room for it: at most 20 bytes
/// for each metric of a group and 60 for a histogram; names and labels that are text come on top.
/// Counts are as wide as a word: on 32-bit targets they wrap. Rates are left to the host.
#[derive(Debug, Clone, Copy, Default, Format)]
#[must_use = "a reporter does nothing unless it is asked to report"]
pub struct DefmtReporter {
    _private: (),
}

impl DefmtReporter {
    /// Returns a reporter.
    pub const fn new() -> Self {
        Self { _private: () }
    }

    /// Logs every metric of a source, with its name as text.
    pub fn report(&mut self, source: &dyn Source) {
        let _ = source.visit(0, &mut |sample| {
            let descriptor = &sample.descriptor();
            let (name, unit, value) = (descriptor.name, descriptor.unit, &sample.value);
            let labels = SampleLabels { descriptor, cell: sample.cell };
            defmt::println!("{=str}{} {}", name, labels, Measured { value, unit });
            ControlFlow::Continue(())
        });
    }

    /// Logs every metric of a declared group, with its name interned: two bytes in a frame.
    ///
    /// Takes a few instructions for each metric, and no byte of flash for its name. A group that
    /// nobody reads in another way needs no description in flash at all.
    #[inline(always)]
    pub fn report_group<G: Interned>(&mut self, group: &G) {
        group.log_interned();
    }
}

/// A declared group whose names are interned; [`metrics!`](crate::metrics) implements it.
///
/// ```
/// use tapes_core::report::{DefmtReporter, Interned};
///
/// /// Two groups in one go.
/// fn log<A: Interned, B: Interned>(reporter: &mut DefmtReporter, a: &A, b: &B) {
///     reporter.report_group(a);
///     reporter.report_group(b);
/// }
/// ```
pub trait Interned {
    /// Logs every metric.
    #[doc(hidden)]
    fn log_interned(&self);
}

/// Logs a metric of a declared group that is one number.
#[inline(never)]
pub(super) fn log_number(name: Str, kind: &Kind, unit: &Unit<'_>, run: Run<'_>) {
    let value = &live_value(*kind, run);
    defmt::println!("{=istr} {}", name, Number { value, unit: *unit });
}

/// Logs a histogram or timer of a declared group.
#[inline(never)]
pub(super) fn log_distribution(name: Str, buckets: Buckets, unit: &Unit<'_>, run: Run<'_>) {
    let distribution = &Distribution::live(buckets, run);
    defmt::println!("{=istr} {}", name, Spread { distribution, unit: *unit });
}

/// Logs the metrics of a family of a declared group; `name` ends where the labels begin.
#[inline(never)]
pub(super) fn log_family(
    name: Str,
    kind: &Kind,
    unit: &Unit<'_>,
    dimensions: &[Dimension<'_>],
    run: Run<'_>,
) {
    let words = words_of(*kind);
    let mut offset = 0usize;
    for cell in 0..Dimensions::new(dimensions).cells() {
        let value = &live_value(*kind, run.run(offset, words));
        let labels = CellLabels { dimensions, cell };
        defmt::println!("{=istr}{} {}", name, labels, Measured { value, unit: *unit });
        offset = offset.wrapping_add(words);
    }
}

/// The labels of a sample: `{axis=x,fault=overheat}`, or nothing.
struct SampleLabels<'a> {
    descriptor: &'a Descriptor<'a>,
    cell: u32,
}

impl Format for SampleLabels<'_> {
    fn format(&self, f: Formatter<'_>) {
        let own = self.descriptor.labels.iter();
        let mut before = '{';
        for (label, value) in own.chain(self.descriptor.dimensions.labels(self.cell)) {
            defmt::write!(f, "{=char}{=str}={=str}", before, label, value);
            before = ',';
        }
        if before != '{' {
            defmt::write!(f, "}}");
        }
    }
}

/// The enumerated labels of a cell behind those in the name: `fault=overheat,axis=x}`.
struct CellLabels<'a> {
    dimensions: &'a [Dimension<'a>],
    cell: u32,
}

impl Format for CellLabels<'_> {
    fn format(&self, f: Formatter<'_>) {
        let mut rest = self.dimensions;
        while let Some((dimension, tail)) = rest.split_first() {
            // The last one varies fastest.
            let block = Dimensions::new(tail).cells();
            let values = dimension.values;
            let index = self.cell.checked_div(block).unwrap_or(0) as usize;
            let index = index.checked_rem(values.len()).unwrap_or(0);
            let value = values.get(index).copied().unwrap_or_default();
            let after = if tail.is_empty() { '}' } else { ',' };
            defmt::write!(f, "{=str}={=str}{=char}", dimension.name, value, after);
            rest = tail;
        }
    }
}

/// A value and its unit.
pub(super) struct Measured<'a> {
    pub(super) value: &'a Value<'a>,
    pub(super) unit: Unit<'a>,
}

impl Format for Measured<'_> {
    fn format(&self, f: Formatter<'_>) {
        let unit = self.unit;
        match self.value {
            Value::Distribution(distribution) => Spread { distribution, unit }.format(f),
            value => Number { value, unit }.format(f),
        }
    }
}

/// A number and its unit: `24 us`, `36.5 celsius`, `3 volts/2`; `null` if there is none.
struct Number<'a> {
    value: &'a Value<'a>,
    unit: Unit<'a>,
}

impl Format for Number<'_> {
    fn format(&self, f: Formatter<'_>) {
        match self.value {
            Value::Unsigned(value) => defmt::write!(f, "{=u64}", value),
            Value::Signed(value) => defmt::write!(f, "{=i64}", value),
            Value::F32(value) => defmt::write!(f, "{=f32}", value),
            Value::F64(value) => defmt::write!(f, "{=f64}", value),
            Value::Null | Value::Distribution(_) => return defmt::write!(f, "null"),
        }
        write_unit(self.unit, f);
    }
}

/// A distribution and the unit of its numbers.
struct Spread<'a> {
    distribution: &'a Distribution<'a>,
    unit: Unit<'a>,
}

impl Format for Spread<'_> {
    fn format(&self, f: Formatter<'_>) {
        match Digest::of(self.distribution, self.unit) {
            None => defmt::write!(f, "count=0"),
            Some(Digest { count, sum, min, max, q50, q99 }) => {
                defmt::write!(
                    f,
                    "count={=u64} sum={=u64} min={=u64} max={=u64} q50={=u64} q99={=u64}",
                    count,
                    sum,
                    min,
                    max,
                    q50,
                    q99
                );
                write_unit(self.unit, f);
            }
        }
    }
}

#[inline(never)]
fn write_unit(unit: Unit<'_>, f: Formatter<'_>) {
    let per = unit.per();
    match (unit.base(), per) {
        (BaseUnit::None, 1) => {}
        (BaseUnit::Seconds, 1_000) => defmt::write!(f, " ms"),
        (BaseUnit::Seconds, 1_000_000) => defmt::write!(f, " us"),
        (BaseUnit::Seconds, 1_000_000_000) => defmt::write!(f, " ns"),
        (_, 1) => defmt::write!(f, " {=str}", unit.name()),
        _ => defmt::write!(f, " {=str}/{=u32}", unit.name(), per),
    }
}
