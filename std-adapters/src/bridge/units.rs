//! Units of the crate `metrics`, and how values in them are counted.

use metrics::Unit as Described;
use tapes_core::metric::{BaseUnit, Layout, Thresholds, Unit};

/// Slots of the tables of scale 2.
const SLOTS: usize = 8;

static MICROS: Thresholds<SLOTS> = Thresholds::new(Unit::MICROS, 1);
/// Durations: microseconds, up to 4,200 seconds.
static DURATIONS: Layout = Layout::new(4_200_000_000, &MICROS);

static BYTES: Thresholds<SLOTS> = Thresholds::new(Unit::BYTES, 1);
/// Sizes: bytes, up to 4 GiB.
static SIZES: Layout = Layout::new(u32::MAX, &BYTES);

static THOUSANDTHS: Thresholds<SLOTS> = Thresholds::new(Unit::new(BaseUnit::None, 1_000), 1);
/// Everything else: thousandths, up to 4.29 million.
static NUMBERS: Layout = Layout::new(u32::MAX, &THOUSANDTHS);

static RATIO_STEPS: Thresholds<SLOTS> = Thresholds::new(Unit::new(BaseUnit::Ratio, 1_000_000), 1);
/// Ratios: millionths.
static RATIOS: Layout = Layout::new(u32::MAX, &RATIO_STEPS);

/// How the values of a metric are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure {
    /// Unit of counters and gauges.
    pub(super) unit: Unit<'static>,
    /// Raw steps of that unit in one of what the program counts.
    pub(super) factor: u64,
    /// The usual layout of histograms.
    pub(super) layout: &'static Layout,
}

impl Measure {
    /// Returns the raw steps of a layout in one of what the program measures.
    pub(super) fn steps_of(&self, layout: &Layout) -> f64 {
        f64::from(layout.unit().per()) / f64::from(self.unit.per()) * self.factor as f64
    }
}

/// Returns how values of a metric of that name and unit are counted.
pub(super) fn measure(name: &str, unit: Option<Described>) -> Measure {
    let of = |unit, factor, layout| Measure { unit, factor, layout };
    match unit {
        Some(Described::Seconds) => of(Unit::SECONDS, 1, &DURATIONS),
        Some(Described::Milliseconds) => of(Unit::MILLIS, 1, &DURATIONS),
        Some(Described::Microseconds) => of(Unit::MICROS, 1, &DURATIONS),
        Some(Described::Nanoseconds) => of(Unit::NANOS, 1, &DURATIONS),
        Some(Described::Bytes) => of(Unit::BYTES, 1, &SIZES),
        Some(Described::Kibibytes) => of(Unit::BYTES, 1 << 10, &SIZES),
        Some(Described::Mebibytes) => of(Unit::BYTES, 1 << 20, &SIZES),
        Some(Described::Gibibytes) => of(Unit::BYTES, 1 << 30, &SIZES),
        Some(Described::Tebibytes) => of(Unit::BYTES, 1 << 40, &SIZES),
        Some(Described::Percent) => of(Unit::new(BaseUnit::Ratio, 100), 1, &RATIOS),
        None if name.ends_with("seconds") => of(Unit::SECONDS, 1, &DURATIONS),
        None if name.ends_with("bytes") => of(Unit::BYTES, 1, &SIZES),
        _ => of(Unit::NONE, 1, &NUMBERS),
    }
}
