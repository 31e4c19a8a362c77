//! What a histogram counted in a part of its window.

use super::places::add_at;
use crate::fleet::value::Histogram;

/// What was counted in one slot.
#[derive(Debug)]
pub(super) struct Slot {
    /// Its begin in slots since the clock's zero.
    pub(super) number: u64,
    sum: u64,
    /// Ascending by place, none of them 0.
    counts: Vec<Count>,
}

/// A place and what was counted there, in a word: the order is that of the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Count(u64);

impl Count {
    /// 2^48 - 1 values in one slot take years of one each nanosecond.
    const MAX: u64 = (1 << 48) - 1;

    const fn new(place: u16, n: u64) -> Self {
        Self((place as u64) << 48 | if n < Self::MAX { n } else { Self::MAX })
    }

    const fn place(self) -> u16 {
        (self.0 >> 48) as u16
    }

    const fn n(self) -> u64 {
        self.0 & Self::MAX
    }
}

impl Slot {
    pub(super) const fn new(number: u64) -> Self {
        Self { number, sum: 0, counts: Vec::new() }
    }

    /// Returns the bytes of its counts.
    pub(super) fn size_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<Count>()
    }

    /// Adds shares of what was counted, by ascending place.
    pub(super) fn add(&mut self, sum: u64, growth: &[(u16, u64)], share: impl Fn(u64) -> u64) {
        self.sum = self.sum.wrapping_add(sum);
        self.counts.reserve_exact(growth.len().saturating_sub(self.counts.len()));
        let mut at = 0;
        for (place, n) in growth {
            let n = share(*n);
            if n == 0 {
                continue;
            }
            while self.counts.get(at).is_some_and(|count| count.place() < *place) {
                at += 1;
            }
            match self.counts.get_mut(at) {
                Some(count) if count.place() == *place => {
                    *count = Count::new(*place, count.n().saturating_add(n));
                }
                _ => self.counts.insert(at, Count::new(*place, n)),
            }
        }
    }

    pub(super) fn add_to(&self, total: &mut Histogram) {
        total.sum = total.sum.wrapping_add(self.sum);
        self.counts.iter().for_each(|count| add_at(total, count.place(), count.n()));
    }
}

#[cfg(test)]
mod tests {
    use super::Slot;
    use crate::fleet::value::Histogram;
    use crate::recent::places::OVERFLOW;

    /// Counts in the wrong place are quantiles of something else.
    #[test]
    fn counts_stay_in_their_places_however_they_come() {
        let mut slot = Slot::new(0);
        slot.add(10, &[(2, 3), (5, 1)], |n| n);
        slot.add(7, &[(0, 4), (2, 1), (4, 2), (OVERFLOW, 1)], |n| n);
        slot.add(0, &[(5, 8)], |n| n / 9);
        slot.add(1, &[(3, u64::MAX)], |n| n);
        let mut total = Histogram::default();
        slot.add_to(&mut total);
        assert_eq!((total.sum, total.zero, total.overflow), (18, 4, 1));
        assert_eq!(total.buckets, [0, 4, (1 << 48) - 1, 2, 1]);
    }
}
