//! What a metric is, and the bucket geometry of the kinds that have buckets.

use super::bytes::{Reader, Writer, unzigzag, zigzag};

/// Most buckets a histogram may have, the zero and the overflow bucket not counted.
///
/// 31 octaves of a `u32` at scale 4 are 496; the limit leaves room for foreign senders.
pub const BUCKETS_MAX: u32 = 1024;

/// Bounds of buckets lie within so many octaves of 1, where `f64` has them apart and finite.
const OCTAVES_MAX: i64 = 1022;

/// Finest scale of a histogram: 16 buckets an octave, 2.17 % worst relative error.
pub const SCALE_MAX: u8 = 4;

/// The geometry of an exact base-2 exponential histogram, in OpenTelemetry's terms.
///
/// Bucket `i` of `len` counts values in `(2^((first+i)/2^scale), 2^((first+i+1)/2^scale)]` of the
/// *base* unit. Values at or below the first bound count as zero, values above the last bound in
/// the overflow bucket.
///
/// ```
/// use tapes_core::metric::Buckets;
///
/// let buckets = Buckets { scale: 1, first: -1, len: 3 };
/// assert_eq!(Buckets::bound(1, 2), 2.0);
/// assert_eq!((buckets.upper(0), buckets.lower(1)), (1.0, 1.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Buckets {
    /// Buckets an octave are `2^scale`; 0 to [`SCALE_MAX`].
    pub scale: u8,
    /// OpenTelemetry index of the first bucket.
    pub first: i32,
    /// Number of buckets, 1 to [`BUCKETS_MAX`].
    pub len: u32,
}

/// `2^(k/16)` for `k` in 0..16, correctly rounded.
const ROOTS: [f64; 16] = [
    1.0,
    1.044_273_782_427_413_8,
    1.090_507_732_665_257_7,
    1.138_788_634_756_691_6,
    1.189_207_115_002_721,
    1.241_857_812_073_484,
    1.296_839_554_651_009_6,
    1.354_255_546_936_892_7,
    core::f64::consts::SQRT_2,
    1.476_826_145_939_499_3,
    1.542_210_825_407_940_7,
    1.610_490_331_949_254_3,
    1.681_792_830_507_429,
    1.756_252_160_373_299_5,
    1.834_008_086_409_342_4,
    1.915_206_561_397_147_3,
];

impl Buckets {
    /// Returns `2^(index/2^scale)`, the lower bound of the bucket with that OpenTelemetry index.
    ///
    /// Exact on octaves, else within half a unit in the last place. Indices out of the range of
    /// `f64` give 0 or infinity.
    #[must_use]
    pub fn bound(scale: u8, index: i32) -> f64 {
        let scale = if scale > SCALE_MAX { SCALE_MAX } else { scale };
        let octave = index >> scale;
        let step = (index & ((1 << scale) - 1)) << (SCALE_MAX - scale);
        let root = ROOTS.get(step.unsigned_abs() as usize).copied().unwrap_or(1.0);
        if octave < -1022 {
            return 0.0;
        }
        if octave > 1023 {
            return f64::INFINITY;
        }
        root * f64::from_bits(u64::from((octave + 1023).unsigned_abs()) << 52)
    }

    /// Returns the upper bound of bucket `i`, in the base unit.
    #[must_use]
    pub fn upper(self, i: u32) -> f64 {
        Self::bound(self.scale, self.first.saturating_add_unsigned(i).saturating_add(1))
    }

    /// Returns the lower bound of bucket `i`, in the base unit.
    #[must_use]
    pub fn lower(self, i: u32) -> f64 {
        Self::bound(self.scale, self.first.saturating_add_unsigned(i))
    }

    const fn write(self, out: &mut Writer<'_>) {
        out.u8(self.scale);
        out.uvarint(zigzag(self.first as i64));
        out.uvarint(self.len as u64);
    }

    const fn read(input: &mut Reader<'_>) -> Option<Self> {
        let (Some(scale), Some(first), Some(len)) =
            (input.u8(), input.uvarint32(), input.uvarint32())
        else {
            return None;
        };
        let first = unzigzag(first as u64);
        if scale > SCALE_MAX || len == 0 || len > BUCKETS_MAX {
            return None;
        }
        let octaves = OCTAVES_MAX << scale;
        if first < -octaves || first + len as i64 > octaves {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        let first = first as i32;
        Some(Self { scale, first, len })
    }
}

/// Largest code of a kind on the wire.
const CODE_MAX: u8 = 8;

/// The kind of a metric, with its bucket geometry where it has one. Ordered by its code in frames.
///
/// ```
/// use tapes_core::metric::Kind;
///
/// assert!(Kind::UpDown.is_gauge() && !Kind::Meter.is_gauge());
/// assert_eq!(Kind::Meter.name(), "meter");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
#[repr(u32)]
pub enum Kind {
    /// Events so far; only grows.
    Counter = 0,
    /// A number that goes up and down by steps; lanes add up; exported as a gauge.
    UpDown = 1,
    /// A signed integer that is set.
    GaugeInt = 2,
    /// An unsigned integer that is set.
    GaugeUint = 3,
    /// A 32-bit floating-point number that is set.
    GaugeFloat = 4,
    /// A 64-bit floating-point number that is set.
    GaugeDouble = 8,
    /// Events so far, of which readers also want rates.
    Meter = 5,
    /// A distribution of values.
    Histogram(Buckets) = 6,
    /// A distribution of durations, with rates of its count.
    Timer(Buckets) = 7,
}

impl Kind {
    /// Returns the bucket geometry of a histogram or timer.
    #[must_use]
    pub const fn buckets(self) -> Option<Buckets> {
        match self {
            Self::Histogram(buckets) | Self::Timer(buckets) => Some(buckets),
            _ => None,
        }
    }

    /// Returns whether this is exported as a gauge: one of the gauge kinds or an up/down counter.
    #[must_use]
    pub const fn is_gauge(self) -> bool {
        matches!(
            self,
            Self::GaugeInt | Self::GaugeUint | Self::GaugeFloat | Self::GaugeDouble | Self::UpDown
        )
    }

    /// Returns the lower-case name of the kind, as documents and messages use it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::UpDown => "updown",
            Self::GaugeInt | Self::GaugeUint | Self::GaugeFloat | Self::GaugeDouble => "gauge",
            Self::Meter => "meter",
            Self::Histogram(_) => "histogram",
            Self::Timer(_) => "timer",
        }
    }

    /// Returns the code on the wire.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Counter => 0,
            Self::UpDown => 1,
            Self::GaugeInt => 2,
            Self::GaugeUint => 3,
            Self::GaugeFloat => 4,
            Self::Meter => 5,
            Self::Histogram(_) => 6,
            Self::Timer(_) => 7,
            Self::GaugeDouble => 8,
        }
    }

    pub(crate) const fn write(self, out: &mut Writer<'_>) {
        out.u8(self.code());
        if let Some(buckets) = self.buckets() {
            buckets.write(out);
        }
    }

    pub(crate) const fn read(input: &mut Reader<'_>) -> Option<Self> {
        let Some(code) = input.u8() else { return None };
        let mut buckets = Buckets { scale: 0, first: 0, len: 0 };
        if Self::has_buckets(code) {
            match Buckets::read(input) {
                Some(read) => buckets = read,
                None => return None,
            }
        }
        if code > CODE_MAX { None } else { Some(Self::of_code(code, buckets)) }
    }

    /// Returns whether the kind of this code has buckets.
    pub(super) const fn has_buckets(code: u8) -> bool {
        code == 6 || code == 7
    }

    /// Returns the kind of this code, a counter for an unknown one; `buckets` is of no account if it
    /// has none.
    pub(super) const fn of_code(code: u8, buckets: Buckets) -> Self {
        match code {
            1 => Self::UpDown,
            2 => Self::GaugeInt,
            3 => Self::GaugeUint,
            4 => Self::GaugeFloat,
            5 => Self::Meter,
            6 => Self::Histogram(buckets),
            7 => Self::Timer(buckets),
            CODE_MAX => Self::GaugeDouble,
            _ => Self::Counter,
        }
    }
}
