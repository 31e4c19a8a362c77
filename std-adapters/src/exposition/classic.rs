//! The choice of classic buckets.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use tapes_core::metric::{Buckets, SCALE_MAX};
use tapes_core::text::prometheus::{CLASSIC_SCALE_DEFAULT, ClassicBuckets as Borrowed, Encoder};

/// Most bounds of a list.
const BOUNDS_MAX: usize = 256;

/// Which classic buckets a histogram is shown with; there is one up to infinity always.
///
/// ```
/// use tapes_std::exposition::ClassicBuckets;
/// let list: ClassicBuckets = "0.001,0.01,0.1,1".parse()?;
/// assert!(matches!(list, ClassicBuckets::Bounds(bounds) if bounds.len() == 4));
/// # Ok::<(), tapes_std::exposition::BoundsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum ClassicBuckets {
    /// `2^scale` buckets an octave where the metric is that fine, over its whole range.
    Scale(u8),
    /// For each of these upper bounds, in base units, the next larger one that the metric has.
    Bounds(Arc<[f64]>),
}

impl Default for ClassicBuckets {
    /// Bounds that are powers of two.
    fn default() -> Self {
        Self::Scale(CLASSIC_SCALE_DEFAULT)
    }
}

impl ClassicBuckets {
    /// Returns the finest ones.
    #[must_use]
    pub const fn all() -> Self {
        Self::Scale(SCALE_MAX)
    }

    /// Returns whether the upper bound of a bucket, `None` for the zero bucket, is a classic one.
    #[must_use]
    pub fn has(&self, geometry: Buckets, bucket: Option<u32>) -> bool {
        match self {
            Self::Scale(scale) => Borrowed::Scale(*scale).has(geometry, bucket),
            Self::Bounds(bounds) => Borrowed::Bounds(bounds).has(geometry, bucket),
        }
    }

    /// Returns an encoder that writes these.
    #[must_use]
    pub fn of<'w>(&'w self, encoder: Encoder<'w>) -> Encoder<'w> {
        match self {
            Self::Scale(scale) => encoder.with_classic_scale(*scale),
            Self::Bounds(bounds) => encoder.with_classic_bounds(bounds),
        }
    }
}

/// Why text is no list of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundsError {
    /// Something between two commas is no positive number.
    Number,
    /// The numbers do not grow.
    Order,
    /// There are more than 256.
    TooMany,
}

impl fmt::Display for BoundsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "bounds of buckets are positive numbers with commas between them",
            Self::Order => "bounds of buckets must grow",
            Self::TooMany => "there are more than 256 bounds of buckets",
        })
    }
}

impl std::error::Error for BoundsError {}

/// Reads upper bounds with commas between them.
impl FromStr for ClassicBuckets {
    type Err = BoundsError;

    fn from_str(text: &str) -> Result<Self, BoundsError> {
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| BoundsError::Number);
        let bounds = text.split(',').map(number).collect::<Result<Vec<_>, _>>()?;
        if bounds.len() > BOUNDS_MAX {
            return Err(BoundsError::TooMany);
        }
        if !bounds.iter().all(|bound| bound.is_finite() && *bound > 0.0) {
            return Err(BoundsError::Number);
        }
        if bounds.windows(2).any(|pair| matches!(pair, [a, b] if a >= b)) {
            return Err(BoundsError::Order);
        }
        Ok(Self::Bounds(bounds.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::{BoundsError, ClassicBuckets};

    /// A list that is taken for another one shows buckets that nobody asked for.
    #[test]
    fn lists_are_read_or_refused() {
        for (text, expected) in [
            ("1", Ok(())),
            (" 0.5, 1e3 ", Ok(())),
            ("", Err(BoundsError::Number)),
            ("1,,2", Err(BoundsError::Number)),
            ("0,1", Err(BoundsError::Number)),
            ("NaN", Err(BoundsError::Number)),
            ("1,inf", Err(BoundsError::Number)),
            ("2,1", Err(BoundsError::Order)),
            ("1,1", Err(BoundsError::Order)),
        ] {
            assert_eq!(text.parse::<ClassicBuckets>().map(drop), expected, "{text:?}");
        }
        let many: Vec<_> = (1..=257).map(|n| n.to_string()).collect();
        assert_eq!(many.join(",").parse::<ClassicBuckets>(), Err(BoundsError::TooMany));
    }
}
