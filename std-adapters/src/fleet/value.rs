//! Values as the fleet keeps them: owned, comparable, and of a known size.

use std::mem::size_of;

use tapes_core::metric::{Buckets, Counts, Distribution, Kind, Value};
use tapes_core::wire::{HistogramReading, Reading};

/// Longest value of a shape that this version does not know, in bytes.
///
/// Such values are kept so that they can be passed on; they are never exported.
pub const OPAQUE_LEN_MAX: usize = 1_024;

/// The numbers of a histogram or timer.
///
/// The order of the fields is the order in which two of equal sequence number are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Histogram {
    /// Sum of all raw values.
    pub sum: u64,
    /// Values at or below the first bound.
    pub zero: u64,
    /// Values above the last bound.
    pub overflow: u64,
    /// Values in each bucket; missing ones at the end count as 0.
    pub buckets: Vec<u64>,
    /// Smallest raw value, `None` while there is none.
    pub min: Option<u64>,
    /// Largest raw value, `None` while there is none.
    pub max: Option<u64>,
}

impl Histogram {
    /// Returns the number of values, wrapping.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets
            .iter()
            .fold(self.zero.wrapping_add(self.overflow), |sum, n| sum.wrapping_add(*n))
    }

    /// Copies received numbers over these.
    fn read(&mut self, reading: &HistogramReading<'_>) {
        let HistogramReading { sum, min, max, zero, overflow, .. } = *reading;
        (self.sum, self.zero, self.overflow) = (sum, zero, overflow);
        (self.min, self.max) = (min, max);
        let mut buckets = std::mem::take(&mut self.buckets);
        buckets.clear();
        // Indices ascend, and are below the largest number of buckets that there can be.
        for (index, count) in reading.buckets() {
            buckets.resize(index as usize, 0);
            buckets.push(count);
        }
        self.buckets = buckets;
    }

    /// Copies numbers over these.
    fn set(&mut self, other: &Self) {
        let Self { sum, zero, overflow, buckets, min, max } = other;
        (self.sum, self.zero, self.overflow) = (*sum, *zero, *overflow);
        (self.min, self.max) = (*min, *max);
        if self.buckets.capacity() >= buckets.len() {
            self.buckets.clone_from(buckets);
        } else {
            // Without room to grow, which most never do again.
            self.buckets = buckets.clone();
        }
    }

    /// Returns the numbers as core reads them.
    #[must_use]
    pub fn counts(&self) -> Counts<'_> {
        Counts {
            sum: self.sum,
            min: self.min,
            max: self.max,
            zero: self.zero,
            overflow: self.overflow,
            buckets: &self.buckets,
        }
    }
}

/// A value as it was received, owned.
///
/// The order is total and the same on every node: by shape, then by number. It decides only
/// between two values with the same sequence number, which a correct sender never makes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stored {
    /// A counter, meter or unsigned gauge.
    Unsigned(u64),
    /// An up/down counter or signed gauge.
    Signed(i64),
    /// The bits of a 32-bit floating-point gauge.
    F32(u32),
    /// The bits of a 64-bit floating-point gauge.
    F64(u64),
    /// A gauge that was never set.
    Null,
    /// A histogram or timer.
    Histogram(Box<Histogram>),
    /// A shape of a later version.
    Opaque(Box<OpaqueBytes>),
}

/// The bytes of a value of a later version.
///
/// Behind a pointer of their own, so that a [`Stored`] takes 16 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpaqueBytes(pub Box<[u8]>);

const _: () = assert!(size_of::<Stored>() <= 16, "a scalar series would take more memory");

impl Stored {
    /// Copies a received value over this one, as [`from_reading`](Self::from_reading) does, and
    /// keeps the memory of a histogram. Returns false if it is larger than this receiver keeps.
    pub(super) fn read(&mut self, reading: &Reading<'_>) -> bool {
        if let (Self::Histogram(copy), Reading::Histogram(histogram)) = (&mut *self, reading) {
            copy.read(histogram);
            return true;
        }
        let copy = Self::from_reading(reading);
        let is_some = copy.is_some();
        *self = copy.unwrap_or(Self::Null);
        is_some
    }

    /// Copies a value over this one, and keeps the memory of a histogram.
    pub(super) fn set(&mut self, value: &Self) {
        match (self, value) {
            (Self::Histogram(own), Self::Histogram(other)) => own.set(other),
            (own, other) => *own = other.clone(),
        }
    }

    /// Copies a received value; `None` if it is larger than this receiver keeps.
    #[must_use]
    pub fn from_reading(reading: &Reading<'_>) -> Option<Self> {
        Some(match reading {
            Reading::Unsigned(value) => Self::Unsigned(*value),
            Reading::Signed(value) => Self::Signed(*value),
            Reading::F32(value) => Self::F32(value.to_bits()),
            Reading::F64(value) => Self::F64(value.to_bits()),
            Reading::Null => Self::Null,
            Reading::Histogram(histogram) => {
                let mut copy = Box::<Histogram>::default();
                copy.read(histogram);
                Self::Histogram(copy)
            }
            Reading::Unknown(bytes) if bytes.len() <= OPAQUE_LEN_MAX => {
                Self::Opaque(Box::new(OpaqueBytes((*bytes).into())))
            }
            _ => return None,
        })
    }

    /// Returns whether a metric of this kind can have this value.
    #[must_use]
    pub fn fits(&self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Unsigned(_), Kind::Counter | Kind::Meter | Kind::GaugeUint)
            | (Self::Signed(_), Kind::UpDown | Kind::GaugeInt)
            | (Self::F32(_), Kind::GaugeFloat)
            | (Self::F64(_), Kind::GaugeDouble) => true,
            (Self::Null, kind) => kind.is_gauge() && kind != Kind::UpDown,
            (Self::Histogram(histogram), kind) => {
                kind.buckets().is_some_and(|b| histogram.buckets.len() <= b.len as usize)
            }
            _ => false,
        }
    }

    /// Returns the memory this value takes, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Histogram(histogram) => {
                    size_of::<Histogram>() + histogram.buckets.capacity() * size_of::<u64>()
                }
                Self::Opaque(bytes) => size_of::<OpaqueBytes>() + bytes.0.len(),
                _ => 0,
            }
    }

    /// Returns the number of events of a counter, meter, histogram or timer.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Unsigned(count) => Some(*count),
            Self::Histogram(histogram) => Some(histogram.count()),
            _ => None,
        }
    }

    /// Returns whether no count of this value is smaller than that of an earlier one.
    #[cfg(feature = "zmq")]
    pub(super) fn covers(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Unsigned(count), Self::Unsigned(earlier)) => count >= earlier,
            (Self::Histogram(counts), Self::Histogram(earlier)) => {
                let words = |h: &Histogram| [h.sum, h.zero, h.overflow];
                let own = counts.buckets.iter().copied().chain(std::iter::repeat(0));
                let is_covered = |(own, earlier): (u64, u64)| own >= earlier;
                words(counts).into_iter().zip(words(earlier)).all(is_covered)
                    && own.zip(earlier.buckets.iter().copied()).all(is_covered)
            }
            _ => false,
        }
    }

    /// Returns what was counted since `base`, which is an earlier value of the same metric.
    ///
    /// The smallest and largest value since then are not known. A gauge is its own value.
    #[must_use]
    pub fn since(&self, base: &Self) -> Self {
        match (self, base) {
            (Self::Unsigned(count), Self::Unsigned(base)) => {
                Self::Unsigned(count.saturating_sub(*base))
            }
            (Self::Histogram(counts), Self::Histogram(base)) => {
                let bases = base.buckets.iter().copied().chain(std::iter::repeat(0));
                let buckets = counts.buckets.iter().zip(bases);
                Self::Histogram(Box::new(Histogram {
                    sum: counts.sum.saturating_sub(base.sum),
                    zero: counts.zero.saturating_sub(base.zero),
                    overflow: counts.overflow.saturating_sub(base.overflow),
                    buckets: buckets.map(|(count, base)| count.saturating_sub(base)).collect(),
                    min: None,
                    max: None,
                }))
            }
            _ => self.clone(),
        }
    }

    /// Returns the value as core's encoders read it; NaN and opaque values read as null.
    #[must_use]
    pub fn as_value(&self, geometry: Option<Buckets>) -> Value<'_> {
        match (self, geometry) {
            (Self::Unsigned(value), _) => Value::Unsigned(*value),
            (Self::Signed(value), _) => Value::Signed(*value),
            (Self::F32(bits), _) if !f32::from_bits(*bits).is_nan() => {
                Value::F32(f32::from_bits(*bits))
            }
            (Self::F64(bits), _) if !f64::from_bits(*bits).is_nan() => {
                Value::F64(f64::from_bits(*bits))
            }
            (Self::Histogram(histogram), Some(geometry)) => {
                Value::Distribution(Distribution::new(geometry, histogram.counts()))
            }
            _ => Value::Null,
        }
    }
}
