//! What a frame says of a distribution, in raw integers: no float is computed on the device.

use crate::metric::{Distribution, SCALE_MAX, Unit};

/// Count, sum, extremes and two quantiles, in raw steps of the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) count: u64,
    pub(super) sum: u64,
    /// Smallest value; if that is not known, what stands for the first bucket.
    pub(super) min: u64,
    /// Largest value; if that is not known, what stands for the last bucket.
    pub(super) max: u64,
    pub(super) q50: u64,
    pub(super) q99: u64,
}

/// `2^(k/16)` in steps of `2^-31`, to the nearest.
const ROOTS: [u64; 16] = [
    2_147_483_648,
    2_242_560_872,
    2_341_847_524,
    2_445_529_972,
    2_553_802_834,
    2_666_869_345,
    2_784_941_738,
    2_908_241_642,
    3_037_000_500,
    3_171_459_999,
    3_311_872_529,
    3_458_501_653,
    3_611_622_603,
    3_771_522_796,
    3_938_502_376,
    4_112_874_773,
];

/// How far the point with the smallest worst relative error lies above the lower bound of its
/// bucket: `2r / (1 + r)` with `r = 2^(1/2^scale)`, in steps of `2^-31`, by scale.
const MIDDLES: [u64; SCALE_MAX as usize + 1] =
    [2_863_311_531, 2_515_933_592, 2_333_084_719, 2_240_458_131, 2_193_992_694];

impl Digest {
    /// Returns the digest of a distribution of raw steps of `unit`; `None` if it is empty.
    ///
    /// The rank rule and the errors are those of [`statistics`](crate::statistics), but that numbers
    /// are rounded to raw steps, and that what lies above the last bucket is taken to be half-way
    /// from there to the maximum. Visits every bucket twice, to multiply and shift.
    pub(super) fn of(distribution: &Distribution<'_>, unit: Unit<'_>) -> Option<Self> {
        // These first, so that what is in the sum is in a bucket.
        let (sum, min, max) = (distribution.sum(), distribution.min(), distribution.max());
        let mut count = 0u64;
        let mut bounds = None;
        visit(distribution, unit.per(), &mut |n, middle| {
            count = count.wrapping_add(n);
            bounds = Some((bounds.map_or(middle, |(low, _)| low), middle));
        });
        let (low, high) = bounds?;
        let min = min.unwrap_or(low);
        let max = max.unwrap_or(high).max(min);
        let [q50, q99] = quantiles(distribution, unit.per(), count, (min, max));
        Some(Self { count, sum, min, max, q50, q99 })
    }
}

/// Returns the quantiles of a frame.
fn quantiles(
    distribution: &Distribution<'_>,
    per: u32,
    count: u64,
    (min, max): (u64, u64),
) -> [u64; 2] {
    let last = count.saturating_sub(1);
    let ranks = [count / 2, rank_99(count)];
    // What is recorded only between the two looks is found at the end.
    let mut found = [max; 2];
    let mut seen = 0u64;
    visit(distribution, per, &mut |n, middle| {
        let before = seen;
        seen = seen.saturating_add(n);
        for (value, rank) in found.iter_mut().zip(ranks) {
            if rank == 0 {
                *value = min;
            } else if rank < last && before <= rank && rank < seen {
                *value = middle.max(min).min(max);
            }
        }
    });
    found
}

/// Returns `floor(count * 99 / 100)`, without the division of 64 bits that a microcontroller lacks.
fn rank_99(count: u64) -> u64 {
    let (mut hundredth, mut rest) = (0u64, 0u32);
    for shift in [48, 32, 16, 0] {
        #[expect(clippy::cast_possible_truncation, reason = "16 bits at a time")]
        let digit = u32::from((count >> shift) as u16);
        // Below 100 * 2^16.
        let part = rest << 16 | digit;
        hundredth = hundredth << 16 | u64::from(part / 100);
        rest = part % 100;
    }
    // Less what is rounded up to a whole.
    count.saturating_sub(hundredth).saturating_sub(u64::from(rest != 0))
}

/// Calls `visitor` with the count of each bucket that is not empty, zero bucket first, overflow
/// bucket last, and the value that stands for it.
fn visit(distribution: &Distribution<'_>, per: u32, visitor: &mut dyn FnMut(u64, u64)) {
    let geometry = distribution.geometry();
    let scale = geometry.scale.min(SCALE_MAX);
    let middle = MIDDLES.get(usize::from(scale)).copied().unwrap_or(0);
    let len = geometry.len;
    // The zero bucket, the buckets, the overflow bucket.
    for place in 0..=len.saturating_add(1) {
        let i = place.saturating_sub(1);
        let (count, mantissa) = match place {
            // Half of its bound.
            0 => (distribution.zero(), 1 << 30),
            _ if place <= len => (distribution.bucket(i), middle),
            _ => (distribution.overflow(), 1 << 31),
        };
        if count == 0 {
            continue;
        }
        let index = geometry.first.saturating_add_unsigned(i);
        let step = (index & ((1 << scale) - 1)) << (SCALE_MAX - scale);
        let root = ROOTS.get(step.unsigned_abs() as usize).copied().unwrap_or(0);
        // Below 2^32 times below 2^32.
        let mut value = scaled(root.wrapping_mul(mantissa) >> 31, index >> scale, per);
        if place > len {
            // Half-way from the last bound to the maximum.
            let beyond = distribution.max().unwrap_or(value).saturating_sub(value);
            value = value.saturating_add(beyond / 2);
        }
        visitor(count, value);
    }
}

/// Returns `mantissa / 2^31 * 2^octave * per`, rounded; `mantissa` is below `2^33`.
fn scaled(mantissa: u64, octave: i32, per: u32) -> u64 {
    // Below 2^31 times below 2^32.
    let product = (mantissa >> 2).wrapping_mul(u64::from(per));
    let right = 29i32.saturating_sub(octave);
    let shift = right.unsigned_abs();
    if right > 0 {
        let half = 1u64.checked_shl(shift.wrapping_sub(1)).unwrap_or(0);
        product.wrapping_add(half).checked_shr(shift).unwrap_or(0)
    } else if shift < product.leading_zeros() {
        product << shift
    } else {
        u64::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, MIDDLES, ROOTS, rank_99, scaled};
    use crate::metric::{Buckets, Counts, Distribution, Unit};
    use crate::statistics::Summary;
    use crate::{Registry, layout};
    use std::vec::Vec;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the nearest")]
    fn nearest(value: f64) -> u64 {
        value.round() as u64
    }

    /// A constant off by a digit would shift every quantile of one bucket in sixteen.
    #[test]
    fn constants() {
        for (k, root) in ROOTS.iter().enumerate() {
            assert_eq!(*root, nearest(2f64.powf(k as f64 / 16.0) * 2f64.powi(31)), "{k}");
        }
        for (scale, middle) in MIDDLES.iter().enumerate() {
            let r = 2f64.powf(1.0 / f64::from(1u32 << scale));
            assert_eq!(*middle, nearest(2.0 * r / (1.0 + r) * 2f64.powi(31)), "{scale}");
        }
    }

    /// A rank too high is another value, of few.
    #[test]
    fn ranks() {
        let many = [u64::MAX, u64::MAX - 1, 1 << 48, (1 << 48) - 1, 1 << 32, 99 << 16, 100 << 32];
        for count in (0..1_000).chain(many) {
            let exact = u64::try_from(u128::from(count) * 99 / 100).unwrap();
            assert_eq!(rank_99(count), exact, "{count}");
        }
    }

    /// A shift too far would panic in debug builds, or show noise.
    #[test]
    fn shifts() {
        let one = 1 << 31;
        for (octave, per, expected) in [
            (0, 1, 1),
            (10, 3, 3_072),
            (-1, 1, 1), // 0.5 is rounded up
            (-2, 1, 0),
            (-20, 1_000_000, 1),
            (-34, 1, 0),
            (-35, u32::MAX, 0),
            (-1_022, u32::MAX, 0),
            (31, 1, 1 << 31),
            (62, 1, 1 << 62),
            (63, 1, u64::MAX), // on the safe side
            (64, 1, u64::MAX),
            (1_023, u32::MAX, u64::MAX),
            (i32::MIN, 1, 0),
            (i32::MAX, 1, u64::MAX),
        ] {
            assert_eq!(scaled(one, octave, per), expected, "2^{octave} * {per}");
        }
        assert_eq!(scaled(0, 1_000, 1), u64::MAX, "zero times too much is not a value of a bucket");
    }

    /// The device must say what a gateway says of the same numbers, but for rounding.
    #[test]
    fn digests_agree_with_summaries() {
        static REGISTRY: Registry<4, 2_000> = Registry::new();
        let layouts = [
            layout!(unit = micros, max = 60 s, scale = 2),
            layout!(unit = none, max = 1_000_000, scale = 0),
            layout!(unit = ticks(32_768), max = 60 s, scale = 4),
        ];
        let mut state = 0x2545_f491u32;
        for (i, layout) in layouts.into_iter().enumerate() {
            let name = ["a", "b", "c"][i];
            let histogram = REGISTRY.histogram(name, layout).unwrap();
            let unit = layout.unit();
            assert_eq!(Digest::of(&histogram.distribution(), unit), None);
            let mut values = Vec::new();
            for n in 1..=300u64 {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                let value = state >> (state % 24).max(6);
                values.push(value);
                histogram.record(value);
                let digest = Digest::of(&histogram.distribution(), unit).unwrap();
                let summary = Summary::of(&histogram.distribution(), unit);
                values.sort_unstable();
                assert_eq!(digest.count, n);
                assert_eq!(digest.sum, values.iter().copied().map(u64::from).sum::<u64>());
                assert_eq!(Some(digest.min), values.first().copied().map(u64::from));
                assert_eq!(Some(digest.max), values.last().copied().map(u64::from));
                let per = f64::from(unit.per());
                let width = [0.19, 1.0, 0.045][i];
                let end = layout.buckets().upper(layout.buckets().len - 1) * per;
                for (ours, exact) in [(digest.q50, summary.q50), (digest.q99, summary.q99)] {
                    // Both lie in the same bucket; one that an extreme cuts has another middle.
                    let (exact, ours) = (exact * per, ours as f64);
                    let both_above = exact > end && ours >= end;
                    let is_near = (ours - exact).abs() <= 1.0 + exact * width;
                    assert!(is_near || both_above, "{name} {n}: {ours} {exact}");
                }
                let q50 = values[usize::try_from(n / 2).unwrap()];
                let off = (digest.q50 as f64 - f64::from(q50)).abs();
                let worst = [0.0865, 0.334, 0.0217][i];
                let above = q50 > [60_000_000, 1_000_000, 60 * 32_768][i];
                assert!(off <= 1.0 + f64::from(q50) * worst || above, "{name} {n}: {off} of {q50}");
            }
        }
    }

    /// Received numbers may lack extremes and lie anywhere; nothing may overflow.
    #[test]
    fn foreign_numbers() {
        for (first, len) in [(-16_352, 1_024), (15_328, 1_024), (-10, 20)] {
            let geometry = Buckets { scale: 4, first, len };
            let buckets = [u64::MAX / 4; 1_024];
            for (zero, overflow) in [(0, 0), (1, 1), (u64::MAX, u64::MAX)] {
                let counts = Counts { zero, overflow, buckets: &buckets, ..Counts::default() };
                for unit in [Unit::NONE, Unit::ticks(u32::MAX)] {
                    let digest = Digest::of(&Distribution::new(geometry, counts), unit).unwrap();
                    assert!(digest.min <= digest.q50 && digest.q50 <= digest.q99, "{digest:?}");
                    assert!(digest.q99 <= digest.max, "{digest:?}");
                }
            }
        }
    }
}
