//! Places of a histogram's counts: 0 for zero, 1 and up for the buckets, [`OVERFLOW`] for what is
//! above.

use tapes_core::metric::Buckets;

use crate::fleet::value::Histogram;

/// Place of the overflow bucket.
pub(super) const OVERFLOW: u16 = u16::MAX;

/// Adds values at a place.
pub(super) fn add_at(counts: &mut Histogram, place: u16, n: u64) {
    let count = match place {
        0 => &mut counts.zero,
        OVERFLOW => &mut counts.overflow,
        place => {
            let i = usize::from(place) - 1;
            if counts.buckets.len() <= i {
                counts.buckets.resize(i + 1, 0);
            }
            let Some(count) = counts.buckets.get_mut(i) else { return };
            count
        }
    };
    *count = count.saturating_add(n);
}

/// Returns the smallest and the largest raw value that there can be, of values that are among
/// `all`.
pub(super) fn limits(
    counts: &Histogram,
    all: &Histogram,
    geometry: Buckets,
    per: u32,
) -> (Option<u64>, Option<u64>) {
    let filled = || (0..).zip(&counts.buckets).filter(|(_, n)| **n > 0).map(|(i, _)| i);
    let per = f64::from(per);
    let last = geometry.len.saturating_sub(1);
    let low = match filled().next() {
        _ if counts.zero > 0 => 0,
        Some(first) => whole((geometry.lower(first) * per).ceil()),
        None => whole((geometry.upper(last) * per).ceil()),
    };
    let high = match filled().last() {
        _ if counts.overflow > 0 => u64::MAX,
        Some(last) => whole((geometry.upper(last) * per).floor()),
        None => whole((geometry.lower(0) * per).floor()),
    };
    let max = all.max.map(|max| max.min(high)).or((high < u64::MAX).then_some(high));
    (Some(all.min.map_or(low, |min| min.max(low))), max)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
pub(super) const fn whole(number: f64) -> u64 {
    number as u64
}
