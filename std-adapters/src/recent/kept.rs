//! What is kept of a histogram between two looks: its counts, and weights that fade.

use super::fading::{Fading, Weight};
use super::places::{OVERFLOW, add_at};
use crate::fleet::value::Histogram;

/// Counts at the last look, and the weights of what was counted.
#[derive(Debug, Default)]
pub(super) struct Kept {
    sum: u64,
    zero: Place,
    overflow: Place,
    /// Buckets before this one have never counted.
    first: u16,
    buckets: Vec<Place>,
    fading: Fading,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    last: u64,
    weight: f64,
}

impl Place {
    /// Takes in a count. Returns what it grew by; nothing if it fell.
    #[inline]
    fn advance(&mut self, count: u64, weight: f64) -> u64 {
        let more = count.saturating_sub(self.last);
        self.last = count;
        self.weight += more as f64 * weight;
        more
    }
}

/// Counts of which nothing is an event.
impl From<&Histogram> for Kept {
    fn from(counts: &Histogram) -> Self {
        let mut kept = Self::default();
        kept.advance(counts, Weight::NOTHING, &mut Vec::new());
        kept
    }
}

impl Kept {
    /// Returns the bytes of its buckets.
    pub(super) fn size_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Place>()
    }

    /// Takes in the counts of a look. Puts what was counted since into `growth`, by place, and
    /// returns what the sum grew by.
    pub(super) fn advance(
        &mut self,
        counts: &Histogram,
        weight: Weight,
        growth: &mut Vec<(u16, u64)>,
    ) -> u64 {
        growth.clear();
        if let Some(factor) = self.fading.begin(weight) {
            let places = self.buckets.iter_mut().chain([&mut self.zero, &mut self.overflow]);
            places.for_each(|place| place.weight *= factor);
        }
        self.make_room(counts);
        let weight = weight.of_one();
        let mut add = |number: u16, place: &mut Place, count: u64| {
            if count == place.last {
                return;
            }
            match place.advance(count, weight) {
                0 => {}
                more => growth.push((number, more)),
            }
        };
        add(0, &mut self.zero, counts.zero);
        let buckets = counts.buckets.get(usize::from(self.first)..).unwrap_or_default();
        for ((number, count), place) in (self.first + 1..).zip(buckets).zip(&mut self.buckets) {
            add(number, place, *count);
        }
        add(OVERFLOW, &mut self.overflow, counts.overflow);
        let sum = counts.sum.wrapping_sub(self.sum);
        self.sum = counts.sum;
        sum
    }

    /// Makes places for all buckets that have counted something.
    fn make_room(&mut self, counts: &Histogram) {
        let buckets = (0..OVERFLOW - 1).zip(&counts.buckets);
        let mut filled = buckets.filter(|(_, count)| **count > 0).map(|(bucket, _)| bucket);
        let Some(first) = filled.next() else { return };
        if self.buckets.is_empty() {
            self.first = first;
        } else if first < self.first {
            let more = usize::from(self.first - first);
            self.buckets.reserve_exact(more);
            self.buckets.splice(0..0, std::iter::repeat_n(Place::default(), more));
            self.first = first;
        }
        let len = counts.buckets.len().min(usize::from(OVERFLOW) - 1);
        let len = len.saturating_sub(usize::from(self.first));
        if self.buckets.len() < len {
            self.buckets.reserve_exact(len - self.buckets.len());
            self.buckets.resize(len, Place::default());
        }
    }

    /// Returns the weights as counts; `None` if nothing is left of them.
    pub(super) fn decayed(&self, now: f64) -> Option<Histogram> {
        let places = || self.buckets.iter().chain([&self.zero, &self.overflow]);
        let scale = self.fading.scale(places().map(|place| place.weight).sum(), now)?;
        let mut counts = Histogram {
            zero: scale.count(self.zero.weight),
            overflow: scale.count(self.overflow.weight),
            ..Histogram::default()
        };
        for (number, place) in (self.first + 1..).zip(&self.buckets) {
            add_at(&mut counts, number, scale.count(place.weight));
        }
        Some(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::{Kept, OVERFLOW, Weight};
    use crate::fleet::value::Histogram;

    fn counts(zero: u64, buckets: &[u64], overflow: u64) -> Histogram {
        Histogram { zero, buckets: buckets.to_vec(), overflow, sum: 1, ..Histogram::default() }
    }

    /// Growth in the wrong place, or twice, is an event that never was.
    #[test]
    fn growth_is_what_was_counted_since_the_look_before() {
        let (mut kept, mut growth) = (Kept::default(), Vec::new());
        let mut look = |counts: &Histogram| {
            kept.advance(counts, Weight::of(0, 1_000_000), &mut growth);
            growth.clone()
        };
        assert_eq!(look(&counts(0, &[], 0)), []);
        assert_eq!(look(&counts(0, &[0, 0, 0, 5], 0)), [(4, 5)]);
        assert_eq!(look(&counts(1, &[0, 2, 0, 5, 1], 1)), [(0, 1), (2, 2), (5, 1), (OVERFLOW, 1)]);
        assert_eq!(look(&counts(1, &[0, 2, 0, 4, 1], 1)), [], "what falls is no event");
        assert_eq!(look(&counts(1, &[1, 2, 3, 6, 1], 1)), [(1, 1), (3, 3), (4, 2)]);
        assert_eq!(look(&counts(1, &[1, 2, 3, 6, 1], 1)), []);
        assert_eq!(kept.buckets.capacity(), 5, "no more than there are");
    }
}
