//! Which buckets are classic ones.

use crate::metric::{Buckets, SCALE_MAX};

/// Which upper bounds of a metric's buckets are classic ones; the infinite one always is.
///
/// ```
/// use tapes_core::metric::Buckets;
/// use tapes_core::text::prometheus::ClassicBuckets;
///
/// let geometry = Buckets { scale: 1, first: 0, len: 4 }; // up to 1.41, 2, 2.83, 4
/// let classic = ClassicBuckets::Bounds(&[2.5]);
/// let has: Vec<bool> = (0..4).map(|bucket| classic.has(geometry, Some(bucket))).collect();
/// assert_eq!(has, [false, false, true, false]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ClassicBuckets<'a> {
    /// `2^scale` an octave where the metric is that fine, and both ends of its range: see
    /// [`Encoder::with_classic_scale`](super::Encoder::with_classic_scale).
    Scale(u8),
    /// Those in whose buckets bounds of the list lie: see
    /// [`Encoder::with_classic_bounds`](super::Encoder::with_classic_bounds).
    Bounds(&'a [f64]),
}

impl ClassicBuckets<'_> {
    /// Returns whether the upper bound of a bucket, `None` for the zero bucket, is a classic one.
    #[must_use]
    pub fn has(&self, geometry: Buckets, bucket: Option<u32>) -> bool {
        match self {
            Self::Scale(scale) => {
                is_classic_of_scale(&Classic { scale: *scale, bounds: &[] }, geometry, bucket)
            }
            Self::Bounds(bounds) => {
                is_classic_of_list(&Classic { scale: 0, bounds }, geometry, bucket)
            }
        }
    }
}

/// Says which upper bounds of buckets are classic ones, `None` for that of the zero bucket.
pub(super) type IsClassic = fn(&Classic<'_>, Buckets, Option<u32>) -> bool;

/// The classic buckets that were asked for.
#[derive(Clone, Copy)]
pub(super) struct Classic<'w> {
    pub(super) scale: u8,
    pub(super) bounds: &'w [f64],
}

/// Scale of classic buckets unless asked otherwise: bounds are powers of two.
pub const CLASSIC_SCALE_DEFAULT: u8 = 0;

/// The zero bucket, the coarser buckets, and the last one.
pub(super) fn is_classic_of_scale(
    classic: &Classic<'_>,
    geometry: Buckets,
    bucket: Option<u32>,
) -> bool {
    let Some(i) = bucket else { return true };
    let coarser = geometry.scale.min(SCALE_MAX).saturating_sub(classic.scale);
    let upper = geometry.first.wrapping_add_unsigned(i).wrapping_add(1);
    upper & ((1 << coarser) - 1) == 0 || i.wrapping_add(1) == geometry.len
}

/// The buckets in which bounds of the list lie.
pub(super) fn is_classic_of_list(
    classic: &Classic<'_>,
    geometry: Buckets,
    bucket: Option<u32>,
) -> bool {
    let (lower, upper) = match bucket {
        None => (f64::NEG_INFINITY, geometry.lower(0)),
        Some(i) => (geometry.lower(i), geometry.upper(i)),
    };
    classic.bounds.iter().any(|bound| lower < *bound && *bound <= upper)
}
