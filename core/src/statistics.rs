//! Mean, standard deviation and quantiles of a distribution, derived when somebody reads.
//!
//! ```
//! use tapes_core::metric::{Buckets, Counts, Distribution, Unit};
//! use tapes_core::statistics::Summary;
//!
//! // Milliseconds: three values in (0.5 s, 1 s], one in (1 s, 2 s].
//! let geometry = Buckets { scale: 0, first: -1, len: 2 };
//! let counts = Counts { sum: 4_000, min: Some(600), max: Some(1_700), ..Counts::default() };
//! let counts = Counts { buckets: &[3, 1], ..counts };
//! let summary = Summary::of(&Distribution::new(geometry, counts), Unit::MILLIS);
//! assert_eq!((summary.count, summary.min, summary.max, summary.mean), (4, 0.6, 1.7, 1.0));
//! assert_eq!((summary.q50, summary.q99), (0.75, 1.7));
//! ```
//!
//! **Rank rule.** Of `n` values in order, the `p` quantile is the one at index `floor(p * n)`,
//! counted from 0, or the last one: there is no interpolation between values.
//!
//! **Limits.** `count`, `sum`, `min` and `max` are exact, and so is `mean` to the last place or
//! two. A quantile whose rank is the first or the last is the minimum or the maximum; any other is
//! known to its bucket and given as the point there with the smallest worst relative error: half a
//! bucket, 33.4 % at scale 0, 17.2 %, 8.7 %, 4.4 % and 2.2 % at scale 4. In the zero bucket the
//! error is half its bound. The standard deviation takes every value to be at that point.
//!
//! **Interrupts and cores.** A live distribution is read twice over; values recorded meanwhile
//! count or not, but quantiles stay in order. Software floating point makes this the work of a
//! reporter on a microcontroller, not of an interrupt.

mod selection;

use core::num::NonZeroU64;

pub use selection::Statistics;

use crate::metric::{Distribution, Unit};

/// The quantiles of a [`Summary`], in thousandths.
const PER_MILLE: [u16; 6] = [500, 750, 950, 980, 990, 999];

/// The statistics of a distribution, in the base unit of its metric; all 0 if it is empty.
///
/// [The module](self) states the rank rule and the errors.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Summary {
    /// Number of values.
    pub count: u64,
    /// Sum of all values.
    pub sum: f64,
    /// Smallest value; if that is not known, the lower bound of its bucket.
    pub min: f64,
    /// Largest value; if that is not known, the upper bound of its bucket.
    pub max: f64,
    /// Sum divided by count.
    pub mean: f64,
    /// Standard deviation of all values (of the population, not of a sample), from the buckets.
    pub stddev: f64,
    /// Median.
    pub q50: f64,
    /// 75 % quantile.
    pub q75: f64,
    /// 95 % quantile.
    pub q95: f64,
    /// 98 % quantile.
    pub q98: f64,
    /// 99 % quantile.
    pub q99: f64,
    /// 99.9 % quantile.
    pub q999: f64,
    /// The numbers as they were recorded, for writers that lose no digit.
    pub(crate) raw: Raw,
}

/// The exact numbers of a distribution, in raw steps of its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Raw {
    pub(crate) sum: u64,
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
}

/// The values of one bucket.
#[derive(Debug, Clone, Copy)]
struct Cell {
    count: u64,
    /// Values are above this, or in the zero bucket at it or above.
    low: f64,
    /// Values are at this or below it.
    high: f64,
    is_zero_bucket: bool,
}

impl Cell {
    /// Returns the value that stands for all in the bucket, of which none is outside `limits`.
    fn middle(&self, limits: (f64, f64)) -> f64 {
        let (low, high) = (self.low.max(limits.0), self.high.min(limits.1));
        let middle = if self.is_zero_bucket {
            // No relative error is bounded next to 0; halve the absolute one.
            low + (high - low) / 2.0
        } else {
            // Harmonic mean: as far below the bucket's end as above its begin, in relation.
            2.0 * low * (high / (low + high))
        };
        middle.max(limits.0).min(limits.1)
    }
}

/// Iterates over the buckets that are not empty, zero bucket first, overflow bucket last.
fn cells<'d>(distribution: &'d Distribution<'_>) -> impl Iterator<Item = Cell> + use<'d> {
    let geometry = distribution.geometry();
    let (first, last) = (geometry.lower(0), geometry.upper(geometry.len.saturating_sub(1)));
    let zero = Cell { count: distribution.zero(), low: 0.0, high: first, is_zero_bucket: true };
    let overflow = Cell {
        count: distribution.overflow(),
        low: last,
        high: f64::INFINITY,
        is_zero_bucket: false,
    };
    let buckets = (0..geometry.len).map(move |i| Cell {
        count: distribution.bucket(i),
        low: geometry.lower(i),
        high: geometry.upper(i),
        is_zero_bucket: false,
    });
    core::iter::once(zero)
        .chain(buckets)
        .chain(core::iter::once(overflow))
        .filter(|cell| cell.count != 0)
}

impl Summary {
    /// Returns the statistics of `distribution`, whose raw values are in steps of `unit`.
    ///
    /// Visits every bucket twice.
    #[must_use]
    pub fn of(distribution: &Distribution<'_>, unit: Unit<'_>) -> Self {
        let per = unit.per();
        let raw = Raw { sum: distribution.sum(), min: distribution.min(), max: distribution.max() };
        let mut count = 0u64;
        let mut bounds = None;
        for cell in cells(distribution) {
            count = count.wrapping_add(cell.count);
            // What lies above the last bound may lie anywhere; say the bound.
            let high = if cell.high.is_finite() { cell.high } else { cell.low };
            bounds = Some((bounds.map_or(cell.low, |(low, _)| low), high));
        }
        let Some((low, high)) = bounds else { return Self::default() };
        if count == 0 {
            return Self::default();
        }
        let min = raw.min.map_or(low, |raw| ratio(raw, per));
        let max = raw.max.map_or(high, |raw| ratio(raw, per)).max(min);
        let sum = ratio(raw.sum, per);
        let mean = (sum / count as f64).max(min).min(max);
        let mut summary = Self { count, sum, min, max, mean, raw, ..Self::default() };
        summary.read_buckets(distribution);
        summary
    }

    /// Fills in what needs a second look at the buckets: quantiles and standard deviation.
    fn read_buckets(&mut self, distribution: &Distribution<'_>) {
        let limits = (self.min, self.max);
        let last = self.count.saturating_sub(1);
        let mut squares = 0.0;
        let mut seen = 0u64;
        let mut quantiles = [
            &mut self.q50,
            &mut self.q75,
            &mut self.q95,
            &mut self.q98,
            &mut self.q99,
            &mut self.q999,
        ]
        .map(|value| {
            // What is recorded only between the two looks is found at the end.
            *value = limits.1;
            Some(value)
        });
        for cell in cells(distribution) {
            seen = seen.saturating_add(cell.count);
            let middle = cell.middle(limits);
            let distance = middle - self.mean;
            squares += cell.count as f64 * (distance * distance);
            for (slot, per_mille) in quantiles.iter_mut().zip(PER_MILLE) {
                let rank = rank(self.count, per_mille).min(last);
                if let Some(value) = slot.take_if(|_| rank < seen) {
                    *value = match rank {
                        0 => limits.0,
                        rank if rank == last => limits.1,
                        _ => middle,
                    };
                }
            }
        }
        // One value over and over: no rounding of the mean may show up here.
        let all_same = limits.0.to_bits() == limits.1.to_bits();
        self.stddev = if all_same { 0.0 } else { sqrt(squares / self.count as f64) };
    }
}

/// Returns `raw / per`, correctly rounded; a `per` of 0 counts as 1.
///
/// ```
/// use tapes_core::statistics::ratio;
///
/// assert_eq!(ratio(1_500, 1_000), 1.5); // a raw sum in base units
/// ```
#[must_use]
pub fn ratio(raw: u64, per: u32) -> f64 {
    let Some(wide) = NonZeroU64::new(u64::from(per)) else { return raw as f64 };
    if per == 1 || raw == 0 {
        return raw as f64;
    }
    // Long division in base 2^32 of the number shifted to the left edge: `high` has 32 bits or
    // more, so high and low together have all the bits that count, and a rest only says "more".
    let free = raw.leading_zeros();
    let shifted = raw << free;
    let (high, rest) = (shifted / wide, shifted % wide);
    let (low, rest) = ((rest << 32) / wide, (rest << 32) % wide);
    // high < 2^63, for per is 2 or more.
    let up = high.leading_zeros().min(32);
    let kept = high << up | low >> (32 - up);
    let lost = (low << up) & 0xffff_ffff != 0 || rest != 0;
    let exponent = 1023u64.wrapping_sub(u64::from(free)).wrapping_sub(u64::from(up));
    (kept | u64::from(lost)) as f64 * f64::from_bits(exponent << 52)
}

/// Returns `floor(count * per_mille / 1000)`, exactly.
const fn rank(count: u64, per_mille: u16) -> u64 {
    let per_mille = per_mille as u64;
    count / 1000 * per_mille + count % 1000 * per_mille / 1000
}

/// Returns the square root within one unit in the last place; 0 for what is negative, subnormal
/// or NaN.
fn sqrt(value: f64) -> f64 {
    if value.is_nan() || value < f64::MIN_POSITIVE {
        return 0.0;
    }
    if value.is_infinite() {
        return value;
    }
    // Halving the exponent is right within 6.1 %; each Newton step squares half of the error.
    let mut root = f64::from_bits((value.to_bits() >> 1) + (1023 << 51));
    for _ in 0..4 {
        root = 0.5 * (root + value / root);
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Buckets, Counts};
    use std::vec;
    use std::vec::Vec;

    const SECONDS: Buckets = Buckets { scale: 2, first: -80, len: 104 };

    /// Counts values as a device would, by comparing with the bounds.
    fn record(geometry: Buckets, per: u32, values: &[u64]) -> (Vec<u64>, Counts<'static>) {
        let mut buckets = vec![0; geometry.len as usize];
        let mut counts = Counts::default();
        for value in values {
            let scaled = ratio(*value, per);
            if scaled <= geometry.lower(0) {
                counts.zero += 1;
            } else {
                match (0..geometry.len).find(|i| scaled <= geometry.upper(*i)) {
                    Some(i) => buckets[i as usize] += 1,
                    None => counts.overflow += 1,
                }
            }
        }
        counts.sum = values.iter().sum();
        counts.min = values.iter().min().copied();
        counts.max = values.iter().max().copied();
        (buckets, counts)
    }

    fn summarize(geometry: Buckets, per: u32, values: &[u64]) -> Summary {
        let (buckets, counts) = record(geometry, per, values);
        let counts = Counts { buckets: &buckets, ..counts };
        Summary::of(&Distribution::new(geometry, counts), Unit::ticks(per))
    }

    /// An empty histogram reads 0 everywhere, not NaN: readers divide by what they get.
    #[test]
    fn empty_is_all_zero() {
        assert_eq!(summarize(SECONDS, 1_000_000, &[]), Summary::default());
    }

    /// One value, many times: nothing is estimated.
    #[test]
    fn one_value_is_exact() {
        let summary = summarize(SECONDS, 1_000_000, &[177; 40]);
        let value = ratio(177, 1_000_000);
        assert_eq!((summary.min, summary.max, summary.stddev), (value, value, 0.0));
        assert_eq!((summary.q50, summary.q75, summary.q999), (value, value, value));
        assert!((summary.mean - value).abs() <= f64::EPSILON * value);
    }

    /// The sum is exact far beyond what `f64` can hold exactly while it is added up.
    #[test]
    fn extremes_do_not_overflow() {
        let geometry = Buckets { scale: 0, first: 0, len: 64 };
        let counts = Counts {
            sum: u64::MAX,
            min: Some(0),
            max: Some(u64::MAX),
            zero: u64::MAX / 2,
            overflow: 0,
            buckets: &[0; 64],
        };
        let summary = Summary::of(&Distribution::new(geometry, counts), Unit::NONE);
        assert_eq!((summary.q50, summary.q999), (0.5, 0.5));
        assert!(summary.stddev.is_finite());
    }

    /// Values below the first bound and above the last are bounded by minimum and maximum.
    #[test]
    fn zero_and_overflow_buckets() {
        let geometry = Buckets { scale: 0, first: 0, len: 2 };
        let summary = summarize(geometry, 1, &[0, 0, 1, 3, 100, 100, 100, 100]);
        assert_eq!((summary.min, summary.max), (0.0, 100.0));
        // Between the last bound, 4, and the maximum: 2 * 4 * 100 / 104.
        assert!((summary.q50 - 7.692_307_692_307_693).abs() < 1e-12, "{}", summary.q50);
        assert_eq!(summary.q999, 100.0);
    }

    /// A window knows neither extreme: the bounds of its outer buckets stand in.
    #[test]
    fn unknown_extremes_are_bounds() {
        let geometry = Buckets { scale: 0, first: 0, len: 4 };
        let counts = Counts { sum: 12, buckets: &[0, 2, 2, 0], ..Counts::default() };
        let summary = Summary::of(&Distribution::new(geometry, counts), Unit::NONE);
        assert_eq!((summary.min, summary.max, summary.mean), (2.0, 8.0, 3.0));
        let counts = Counts { sum: 12, overflow: 1, buckets: &[0, 1, 0, 0], ..counts };
        let summary = Summary::of(&Distribution::new(geometry, counts), Unit::NONE);
        assert_eq!((summary.min, summary.max), (2.0, 16.0));
    }

    /// Ranks are exact where `p * n` in floating point is a step too low.
    #[test]
    fn ranks() {
        for (count, per_mille, expected) in [
            (1, 500, 0),
            (2, 500, 1),
            (100, 980, 98),
            (1000, 999, 999),
            (1001, 999, 999),
            (u64::MAX, 999, 18_428_297_329_635_842_063),
        ] {
            assert_eq!(rank(count, per_mille), expected, "{count} {per_mille}");
        }
    }

    /// A root that is off shows as a standard deviation that is off.
    #[test]
    fn roots() {
        for value in [1.0, 2.0, 4.0, 1e-300, 1e300, 0.1, f64::MIN_POSITIVE, f64::MAX] {
            let error = sqrt(value) / f64::sqrt(value) - 1.0;
            assert!(error.abs() <= f64::EPSILON, "{value}: {error}");
        }
        assert_eq!((sqrt(0.0), sqrt(-1.0), sqrt(5e-324)), (0.0, 0.0, 0.0));
        assert_eq!((sqrt(f64::NAN), sqrt(f64::INFINITY)), (0.0, f64::INFINITY));
    }

    /// Were a quotient rounded twice, it would miss the nearest number now and then.
    #[test]
    fn ratios_are_correctly_rounded() {
        // Every multiple of 2^-k below is exact in f64, so the nearest is known.
        for (raw, per, expected) in [
            (u64::MAX, 1, 18_446_744_073_709_551_615.0),
            (1, u32::MAX, 1.0 / 4_294_967_295.0),
            (1, 3, 1.0 / 3.0),
            (u64::MAX, 2, 9_223_372_036_854_775_808.0),
            // 2^53 + 1 halves is a tie; to even.
            ((1 << 54) + 2, 2, 9_007_199_254_740_992.0),
            ((1 << 54) + 3, 2, 9_007_199_254_740_994.0),
            (5, 0, 5.0),
        ] {
            assert_eq!(ratio(raw, per).to_bits(), f64::to_bits(expected), "{raw}/{per}");
        }
        // Where both parts are exact in f64 its own division is correctly rounded.
        let mut state = 1u64;
        for _ in 0..100_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let raw = state >> 11 >> (state % 53);
            let per = (state >> 32) as u32 >> (state % 31);
            let expected = raw as f64 / f64::from(per.max(1));
            assert_eq!(ratio(raw, per).to_bits(), expected.to_bits(), "{raw}/{per}");
        }
    }

    /// No quantile may be further off than the documented half bucket.
    #[test]
    fn quantiles_err_by_half_a_bucket_at_most() {
        for (scale, error_max) in [(0u8, 0.334), (1, 0.172), (2, 0.0865), (3, 0.0434), (4, 0.0217)]
        {
            let geometry = Buckets { scale, first: -20 << scale, len: 26 << scale };
            let mut state = 7u64 + u64::from(scale);
            for len in [3usize, 10, 100, 1000] {
                let mut values: Vec<u64> = (0..len)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
                        10 + ((state >> 40) >> ((state >> 33) % 14))
                    })
                    .collect();
                let summary = summarize(geometry, 1_000_000, &values);
                values.sort_unstable();
                let quantiles =
                    [summary.q50, summary.q75, summary.q95, summary.q98, summary.q99, summary.q999];
                for (estimate, per_mille) in quantiles.into_iter().zip(PER_MILLE) {
                    let rank = usize::try_from(rank(len as u64, per_mille)).unwrap();
                    let exact = ratio(values[rank.min(len - 1)], 1_000_000);
                    let error = (estimate / exact - 1.0).abs();
                    assert!(error <= error_max, "{scale} {len} {per_mille}: {estimate} {exact}");
                }
                let mean = values.iter().sum::<u64>() as f64 / len as f64 / 1e6;
                assert!((summary.mean / mean - 1.0).abs() < 1e-12);
            }
        }
    }
}
