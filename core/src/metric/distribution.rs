//! The value of a histogram or timer: buckets, sum, minimum and maximum, and what follows from
//! them.

use super::kind::Buckets;
use super::storage::Run;
#[cfg(feature = "wire")]
use crate::sync::read_sum;
use crate::sync::{SUM_WORDS, Word};

/// Position of the complement of the minimum in a histogram's words.
pub(crate) const MIN_WORD: usize = SUM_WORDS;
/// Position of the maximum in a histogram's words.
pub(crate) const MAX_WORD: usize = SUM_WORDS + 1;
/// Position of the zero bucket; buckets follow, then the overflow bucket.
pub(crate) const ZERO_WORD: usize = SUM_WORDS + 2;

/// Returns the words of a histogram with `len` buckets.
pub(crate) const fn histogram_words(len: u32) -> usize {
    ZERO_WORD + 1 + len as usize + 1
}

/// Numbers of a distribution that were received, merged or subtracted, rather than live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counts<'s> {
    /// Sum of all raw values.
    pub sum: u64,
    /// Smallest raw value; `None` while nothing was recorded, or when it is not known.
    pub min: Option<u64>,
    /// Largest raw value; as `min`.
    pub max: Option<u64>,
    /// Values at or below the first bound.
    pub zero: u64,
    /// Values above the last bound.
    pub overflow: u64,
    /// Values in each bucket, not cumulated; missing ones at the end count as 0.
    pub buckets: &'s [u64],
}

#[derive(Debug, Clone, Copy)]
#[repr(u32)]
enum Numbers<'s> {
    Live(Run<'s>),
    Given {
        counts: Counts<'s>,
        /// Reads them. Through a pointer, so that an image in which nobody gives any is linked
        /// without it.
        #[cfg(feature = "wire")]
        reader: &'static Reader,
    },
}

/// What frames hold of a distribution before its counts.
#[cfg(feature = "wire")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) sum: u64,
    /// Smallest and largest raw value; 1 and 0 unless there are both.
    pub(crate) min: u64,
    pub(crate) max: u64,
}

/// How to read numbers that were given.
#[cfg(feature = "wire")]
#[derive(Debug)]
struct Reader {
    head: fn(&Counts<'_>) -> Head,
    /// Takes the number of buckets.
    count: fn(&Counts<'_>, usize, usize) -> u64,
    /// Reads the low bits of all counts together; takes their number.
    low: fn(&Counts<'_>, usize) -> u32,
}

#[cfg(feature = "wire")]
static READER: Reader = Reader {
    head: |counts| {
        let (min, max) = counts.min.zip(counts.max).unwrap_or((1, 0));
        Head { sum: counts.sum, min, max }
    },
    count: count_of,
    low: |counts, words| {
        (0..words).fold(0, |sum: u32, i| {
            sum.wrapping_add(low(count_of(counts, words.wrapping_sub(2), i)))
        })
    },
};

/// Returns count `i` of those given: the zero bucket, the buckets, the overflow bucket.
fn count_of(counts: &Counts<'_>, buckets: usize, i: usize) -> u64 {
    if i == 0 {
        counts.zero
    } else if i > buckets {
        counts.overflow
    } else {
        counts.buckets.get(i.wrapping_sub(1)).copied().unwrap_or(0)
    }
}

/// A distribution of raw values in exact base-2 exponential buckets.
///
/// `sum`, `min` and `max` are in raw steps of the metric's unit; they are exact, and of the whole
/// life of the epoch. The count is the sum of the buckets, so it always agrees with them.
///
/// Live distributions are read word by word: read [`sum`](Self::sum), [`min`](Self::min) and
/// [`max`](Self::max) before the buckets, then what is in the sum is in a bucket too (on the
/// RP2040 and x86; on weaker memory only at rest).
///
/// ```
/// tapes_core::metrics! {
///     static RADIO: RadioMetrics = "radio" { sizes: Histogram [unit = bytes, min = 64, max = 1500] }
/// }
/// for len in [0, 70, 70, 9_000] {
///     RADIO.sizes.record(len);
/// }
/// let sizes = RADIO.sizes.distribution();
/// assert!(sizes.is_live()); // reads the words each time
/// assert_eq!((sizes.count(), sizes.sum(), sizes.zero(), sizes.overflow()), (4, 9_140, 1, 1));
/// assert_eq!((sizes.min(), sizes.max()), (Some(0), Some(9_000)));
/// let filled: Vec<u64> = (0..sizes.geometry().len).map(|i| sizes.bucket(i)).collect();
/// assert_eq!(filled.iter().sum::<u64>(), 2);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Distribution<'s> {
    geometry: Buckets,
    numbers: Numbers<'s>,
}

impl<'s> Distribution<'s> {
    /// Returns a distribution of live words.
    pub(crate) const fn live(geometry: Buckets, run: Run<'s>) -> Self {
        Self { geometry, numbers: Numbers::Live(run) }
    }

    /// Returns a distribution of given numbers.
    #[must_use]
    pub const fn new(geometry: Buckets, counts: Counts<'s>) -> Self {
        let numbers = Numbers::Given {
            counts,
            #[cfg(feature = "wire")]
            reader: &READER,
        };
        Self { geometry, numbers }
    }

    /// Returns the bucket geometry.
    #[must_use]
    pub const fn geometry(&self) -> Buckets {
        self.geometry
    }

    /// Returns whether the bucket counts are words of this machine, which wrap at 32 bits on a
    /// 32-bit target, rather than received numbers.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.numbers, Numbers::Live(_))
    }

    /// Returns the sum of all raw values.
    #[must_use]
    pub fn sum(&self) -> u64 {
        match &self.numbers {
            Numbers::Live(run) => run.sum(),
            Numbers::Given { counts, .. } => counts.sum,
        }
    }

    /// Returns the smallest raw value, `None` while there is none.
    ///
    /// A live minimum that was recorded by another context just now may come before its count.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        match &self.numbers {
            Numbers::Live(run) => live_extremes(run).map(|(min, _)| min),
            Numbers::Given { counts, .. } => counts.min,
        }
    }

    /// Returns the largest raw value, `None` while there is none.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        match &self.numbers {
            Numbers::Live(run) => live_extremes(run).map(|(_, max)| max),
            Numbers::Given { counts, .. } => counts.max,
        }
    }

    /// Returns what frames hold before the counts.
    #[cfg(feature = "wire")]
    pub(crate) fn head(&self) -> Head {
        match &self.numbers {
            Numbers::Live(run) => live_head(run),
            Numbers::Given { counts, reader } => (reader.head)(counts),
        }
    }

    /// Returns the number of values at or below the first bound.
    #[must_use]
    pub fn zero(&self) -> u64 {
        match &self.numbers {
            Numbers::Live(run) => widen(run.total(ZERO_WORD)),
            Numbers::Given { counts, .. } => counts.zero,
        }
    }

    /// Returns the number of values in bucket `i`; 0 if there is none such.
    #[must_use]
    pub fn bucket(&self, i: u32) -> u64 {
        if i >= self.geometry.len {
            return 0;
        }
        match &self.numbers {
            Numbers::Live(run) => widen(run.total(ZERO_WORD + 1 + i as usize)),
            Numbers::Given { counts, .. } => counts.buckets.get(i as usize).copied().unwrap_or(0),
        }
    }

    /// Returns the number of values above the last bound.
    #[must_use]
    pub fn overflow(&self) -> u64 {
        match &self.numbers {
            Numbers::Live(run) => widen(run.total(ZERO_WORD + 1 + self.geometry.len as usize)),
            Numbers::Given { counts, .. } => counts.overflow,
        }
    }

    /// Returns word `i` of those that count: the zero bucket, the buckets, the overflow bucket.
    fn count_of(&self, i: usize) -> u64 {
        match &self.numbers {
            Numbers::Live(run) => widen(run.total(ZERO_WORD.wrapping_add(i))),
            Numbers::Given { counts, .. } => count_of(counts, self.geometry.len as usize, i),
        }
    }

    /// Returns word `i` of those that count, for frames: the zero bucket, the buckets, the
    /// overflow bucket.
    #[cfg(feature = "wire")]
    pub(crate) fn sent_count(&self, i: usize) -> u64 {
        match &self.numbers {
            Numbers::Live(run) => widen(run.total(ZERO_WORD.wrapping_add(i))),
            Numbers::Given { counts, reader } => {
                (reader.count)(counts, self.geometry.len as usize, i)
            }
        }
    }

    /// Fills `counts` with the zero bucket and as many of the buckets as fit; returns those.
    #[cfg(feature = "std")]
    pub(crate) fn read_counts<'c>(&self, counts: &'c mut [u64]) -> &'c [u64] {
        let len = counts.len().min((self.geometry.len as usize).wrapping_add(1));
        let counts = counts.get_mut(..len).unwrap_or_default();
        match &self.numbers {
            Numbers::Live(run) => run.add_up(ZERO_WORD, counts),
            Numbers::Given { .. } => {
                (0..).zip(&mut *counts).for_each(|(i, count)| *count = self.count_of(i));
            }
        }
        counts
    }

    /// Returns the number of values: the sum of all buckets.
    #[must_use]
    pub fn count(&self) -> u64 {
        let words = (self.geometry.len as usize).wrapping_add(2);
        (0..words).fold(0, |sum: u64, i| sum.wrapping_add(self.count_of(i)))
    }

    /// Returns the low bits of the number of values, in a few cycles for each bucket.
    #[cfg(feature = "wire")]
    pub(crate) fn count_low(&self) -> u32 {
        let words = (self.geometry.len as usize).wrapping_add(2);
        match &self.numbers {
            Numbers::Live(run) => run.sum_low(ZERO_WORD, words),
            Numbers::Given { counts, reader } => (reader.low)(counts, words),
        }
    }
}

#[cfg(feature = "wire")]
#[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
const fn low(bits: u64) -> u32 {
    bits as u32
}

/// Reads sum, minimum and maximum, in this order in each lane.
#[cfg(feature = "wire")]
fn live_head(run: &Run<'_>) -> Head {
    let (mut sum, mut stored, mut max) = (0u64, 0, 0);
    for lane in run.lanes() {
        if let Some((cells, [min_cell, max_cell, ..])) = lane.split_first_chunk() {
            sum = sum.wrapping_add(read_sum(cells));
            stored = min_cell.load().max(stored);
            max = max_cell.load().max(max);
        }
    }
    let (min, max) = extremes_of(stored, max).unwrap_or((1, 0));
    Head { sum, min, max }
}

/// Returns the smallest and the largest value; the smallest is read first.
fn live_extremes(run: &Run<'_>) -> Option<(u64, u64)> {
    let stored = run.largest(MIN_WORD);
    extremes_of(stored, run.largest(MAX_WORD))
}

/// Returns the smallest and the largest value of what was read one after the other.
///
/// The smallest is stored as the complement of 32 bits, so that all-zero words mean "none" and lanes
/// combine by maximum. Recorders raise the largest last, so where only that is there, the first value
/// came between the two reads, unless all values were the largest one there is.
fn extremes_of(stored: Word, max: Word) -> Option<(u64, u64)> {
    const TOP: u64 = u32::MAX as u64;
    let (stored, max) = (widen(stored), widen(max));
    if stored == 0 && max < TOP {
        return None;
    }
    let min = TOP.wrapping_sub(stored);
    Some((min, max.max(min)))
}

#[allow(clippy::useless_conversion, reason = "a word is u32 on some targets, u64 on others")]
fn widen(word: Word) -> u64 {
    u64::from(word)
}

#[cfg(test)]
mod tests {
    use super::{Word, extremes_of, widen};

    /// Were a first value taken for one that is all there is, a report would say that every value
    /// was the largest possible one.
    #[test]
    fn a_first_value_under_way_is_none() {
        const TOP: Word = u32::MAX as Word;
        for (stored, max, expected) in [
            (0, 0, None),
            (0, 5, None),
            (0, TOP, Some((TOP, TOP))),
            (TOP, 0, Some((0, 0))),
            (TOP - 5, 5, Some((5, 5))),
            // Raised between the two reads.
            (TOP - 5, 3, Some((5, 5))),
            (TOP - 5, 9, Some((5, 9))),
        ] {
            let expected = expected.map(|(min, max)| (widen(min), widen(max)));
            assert_eq!(extremes_of(stored, max), expected, "{stored} {max}");
        }
    }
}
