//! What the options of a declared metric add up to, at compile time.

#![expect(clippy::missing_panics_doc, reason = "evaluated at compile time by the macros only")]

use super::kind::{Buckets, Kind};
use super::layout::{Layout, Thresholds};
use super::unit::Unit;

/// Scale of histograms that do not say: 4 buckets an octave, 8.64 % worst relative error.
const SCALE_DEFAULT: u8 = 2;

/// Largest value of histograms that do not say: 60 base units.
const MAX_DEFAULT: Amount = Amount { number: 60, per: 1 };

/// A number with a suffix: `100 ms` is 100 / 1000 base units.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    pub number: u64,
    /// Parts of one base unit that `number` counts; 0 for raw steps.
    pub per: u32,
}

impl Amount {
    /// Returns the amount in raw steps of `unit`, rounded up.
    const fn raw(self, unit: Unit<'_>) -> u32 {
        if self.per == 0 {
            assert!(self.number <= u32::MAX as u64, "a limit must be below 2^32 raw steps");
            #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
            return self.number as u32;
        }
        let raw = (self.number as u128 * unit.per() as u128).div_ceil(self.per as u128);
        assert!(raw <= u32::MAX as u128, "a limit must be below 2^32 raw steps of the unit");
        #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
        let raw = raw as u32;
        raw
    }
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Plain(Kind),
    Histogram,
    Timer,
}

/// The options of a metric, gathered one by one.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    shape: Shape,
    unit: Unit<'static>,
    scale: u8,
    min: Amount,
    max: Amount,
}

impl Spec {
    #[must_use]
    pub const fn plain(kind: Kind) -> Self {
        Self::of(Shape::Plain(kind), Unit::NONE)
    }

    #[must_use]
    pub const fn histogram() -> Self {
        Self::of(Shape::Histogram, Unit::NONE)
    }

    #[must_use]
    pub const fn timer() -> Self {
        Self::of(Shape::Timer, Unit::MICROS)
    }

    const fn of(shape: Shape, unit: Unit<'static>) -> Self {
        let min = Amount { number: 1, per: 0 };
        Self { shape, unit, scale: SCALE_DEFAULT, min, max: MAX_DEFAULT }
    }

    #[must_use]
    pub const fn with_unit(mut self, unit: Unit<'static>) -> Self {
        self.unit = unit;
        self
    }

    #[must_use]
    pub const fn with_scale(mut self, scale: u8) -> Self {
        assert!(!matches!(self.shape, Shape::Plain(_)), "only histograms and timers have a scale");
        assert!(scale <= super::kind::SCALE_MAX, "scale must be 0 to 4");
        self.scale = scale;
        self
    }

    #[must_use]
    pub const fn with_min(mut self, min: Amount) -> Self {
        assert!(!matches!(self.shape, Shape::Plain(_)), "only histograms and timers have a min");
        self.min = min;
        self
    }

    #[must_use]
    pub const fn with_max(mut self, max: Amount) -> Self {
        assert!(!matches!(self.shape, Shape::Plain(_)), "only histograms and timers have a max");
        self.max = max;
        self
    }

    #[must_use]
    pub const fn unit(&self) -> Unit<'static> {
        self.unit
    }

    /// Returns the type parameter of [`Thresholds`].
    #[must_use]
    pub const fn slots(&self) -> usize {
        1 << (self.scale + 1)
    }

    /// Returns what [`Spec::layout`] takes; `SLOTS` is [`Spec::slots`].
    #[must_use]
    pub const fn thresholds<const SLOTS: usize>(&self) -> Thresholds<SLOTS> {
        Thresholds::new(self.unit, self.min.raw(self.unit))
    }

    #[must_use]
    pub const fn layout<const SLOTS: usize>(
        &self,
        thresholds: &'static Thresholds<SLOTS>,
    ) -> Layout {
        Layout::new(self.max.raw(self.unit), thresholds)
    }

    /// Returns the bucket geometry, computed with tables that are thrown away again.
    const fn buckets(&self) -> Buckets {
        const fn of<const SLOTS: usize>(spec: &Spec) -> Buckets {
            super::layout::geometry(spec.max.raw(spec.unit), &spec.thresholds::<SLOTS>())
        }
        match self.scale {
            0 => of::<2>(self),
            1 => of::<4>(self),
            2 => of::<8>(self),
            3 => of::<16>(self),
            _ => of::<32>(self),
        }
    }

    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.shape {
            Shape::Plain(kind) => kind,
            Shape::Histogram => Kind::Histogram(self.buckets()),
            Shape::Timer => Kind::Timer(self.buckets()),
        }
    }
}

/// The kind of a gauge by its type.
#[doc(hidden)]
#[must_use]
pub const fn gauge_kind<T: super::gauge::GaugeValue>() -> Kind {
    T::KIND
}
