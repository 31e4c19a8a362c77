//! A value that stands still while it is being written.

use crate::metric::{Buckets, Counts, Distribution, Value};

/// A value as it was at one moment; bucket counts are kept beside it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Frozen {
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
    Null,
    Distribution {
        geometry: Buckets,
        /// Without the buckets, of which there are `geometry.len`.
        counts: Counts<'static>,
    },
}

impl Frozen {
    /// Takes a value, and the counts of its buckets; `false` if those have no room even at scale 0.
    ///
    /// A distribution with more buckets than there is room is downscaled, which is exact but for
    /// values between its last bound and the coarser last bound: they still count as above it.
    pub(super) fn freeze(&mut self, value: &Value<'_>, room: &mut [u64]) -> bool {
        *self = match value {
            Value::Unsigned(value) => Self::Unsigned(*value),
            Value::Signed(value) => Self::Signed(*value),
            Value::F32(value) => Self::F32(*value),
            Value::F64(value) => Self::F64(*value),
            Value::Null => Self::Null,
            Value::Distribution(distribution) => {
                let Some(geometry) = coarsened(distribution.geometry(), room.len()) else {
                    return false;
                };
                Self::Distribution { geometry, counts: copy(distribution, geometry, room) }
            }
        };
        true
    }

    /// Returns the value.
    pub(super) fn value<'s>(&self, room: &'s [u64]) -> Value<'s> {
        match *self {
            Self::Unsigned(value) => Value::Unsigned(value),
            Self::Signed(value) => Value::Signed(value),
            Self::F32(value) => Value::F32(value),
            Self::F64(value) => Value::F64(value),
            Self::Null => Value::Null,
            Self::Distribution { geometry, counts } => {
                let buckets = room.get(..geometry.len as usize).unwrap_or(room);
                Value::Distribution(Distribution::new(geometry, Counts { buckets, ..counts }))
            }
        }
    }
}

/// Returns the finest geometry for the same values with at most `len_max` buckets.
fn coarsened(fine: Buckets, len_max: usize) -> Option<Buckets> {
    (0..=fine.scale).find_map(|steps| {
        let first = fine.first >> steps;
        let last = fine.first.saturating_add_unsigned(fine.len.saturating_sub(1)) >> steps;
        let len = last.abs_diff(first).saturating_add(1);
        let fits = len as usize <= len_max;
        fits.then_some(Buckets { scale: fine.scale - steps, first, len })
    })
}

/// Copies the counts of a distribution into the buckets of a coarser geometry, and returns the
/// other numbers.
fn copy(distribution: &Distribution<'_>, coarse: Buckets, room: &mut [u64]) -> Counts<'static> {
    let fine = distribution.geometry();
    let steps = fine.scale.saturating_sub(coarse.scale);
    // These first, so that what is in the sum is in a bucket.
    let (sum, min, max) = (distribution.sum(), distribution.min(), distribution.max());
    for count in room.iter_mut().take(coarse.len as usize) {
        *count = 0;
    }
    for i in 0..fine.len {
        let index = fine.first.saturating_add_unsigned(i) >> steps;
        if let Some(count) = room.get_mut(index.abs_diff(coarse.first) as usize) {
            *count = count.wrapping_add(distribution.bucket(i));
        }
    }
    let (zero, overflow) = (distribution.zero(), distribution.overflow());
    Counts { sum, min, max, zero, overflow, buckets: &[] }
}

#[cfg(test)]
mod tests {
    use super::{Frozen, coarsened};
    use crate::metric::{Buckets, Counts, Distribution, Value};
    use std::vec::Vec;

    /// A count in a wrong bucket would move quantiles by a factor.
    #[test]
    fn coarse_buckets_hold_what_the_fine_ones_did() {
        let fine = Buckets { scale: 2, first: -5, len: 9 };
        for (len_max, expected) in [
            (9, Some((2, -5, 9))),
            (8, Some((1, -3, 5))),
            (5, Some((1, -3, 5))),
            (4, Some((0, -2, 3))),
            (3, Some((0, -2, 3))),
            (2, None),
            (0, None),
        ] {
            let expected = expected.map(|(scale, first, len)| Buckets { scale, first, len });
            assert_eq!(coarsened(fine, len_max), expected, "{len_max}");
        }
        let buckets = [1, 2, 4, 8, 16, 32, 64, 128, 256];
        let (min, max) = (Some(3), Some(99));
        let counts = Counts { sum: 1_000, min, max, zero: 7, overflow: 9, buckets: &buckets };
        let live = Value::Distribution(Distribution::new(fine, counts));
        for (len_max, expected) in [
            (10, buckets.as_slice()),
            // -5 | -4 -3 | -2 -1 | 0 1 | 2 3
            (5, &[1, 6, 24, 96, 384]),
            // -5 | -4 to -1 | 0 to 3
            (3, &[1, 30, 480]),
        ] {
            let mut room = [77; 10];
            let mut frozen = Frozen::Null;
            assert!(frozen.freeze(&live, &mut room[..len_max]));
            let Value::Distribution(copy) = frozen.value(&room) else { panic!("{len_max}") };
            let len = copy.geometry().len;
            assert_eq!((0..len).map(|i| copy.bucket(i)).collect::<Vec<_>>(), expected);
            assert_eq!((copy.sum(), copy.min(), copy.max()), (1_000, min, max), "{len_max}");
            assert_eq!((copy.zero(), copy.overflow(), copy.count()), (7, 9, 527), "{len_max}");
        }
        assert!(!Frozen::Null.freeze(&live, &mut [0; 2]));
    }
}
