//! Words on a tape: where the values of metrics live.

use crate::sync::{Cell, LANES, SUM_WORDS, Section, Word, lanes, read_sum};

/// `N` words of storage for each lane, all zero at first: a `static` one lies in .bss.
///
/// [`metrics!`](crate::metrics) and [`Registry`](crate::Registry) make these; a handle borrows a
/// [`Run`] of them.
///
/// Where threads have lanes, words begin on a cache line of 64 bytes, and the macros make the lanes
/// of a group whole lines, so that no two threads write to the same one.
#[derive(Debug)]
#[cfg_attr(all(feature = "std", feature = "lanes-1"), repr(align(64)))]
pub struct Words<const N: usize> {
    /// Lane-major: the words of one core or thread lie together.
    lanes: [[Cell; N]; LANES],
}

impl<const N: usize> Default for Words<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Words<N> {
    /// Returns words that are all zero.
    #[must_use]
    pub const fn new() -> Self {
        Self { lanes: [const { [Cell::ZERO; N] }; LANES] }
    }

    /// Returns all words.
    #[must_use]
    pub const fn all(&self) -> Run<'_> {
        Run { words: self.lanes.as_flattened(), stride: [N; STRIDES] }
    }

    /// Returns `len` words from `offset` on; empty if they are out of range.
    #[must_use]
    pub const fn run(&self, offset: usize, len: usize) -> Run<'_> {
        self.all().run(offset, len)
    }
}

/// Returns how many words a lane of `words` takes: whole cache lines where threads have lanes.
#[must_use]
pub const fn lane_words(words: usize) -> usize {
    /// Words of a cache line.
    const LINE: usize = 64 / size_of::<Cell>();
    if cfg!(all(feature = "std", feature = "lanes-1")) {
        words.next_multiple_of(LINE)
    } else {
        words
    }
}

/// Strides that a run carries: none where there is one lane.
const STRIDES: usize = if LANES == 1 { 0 } else { 1 };

/// Words from the first of one lane to the first of the next, where there are several.
pub(super) type Stride = [usize; STRIDES];

/// A borrowed run of words, of the same length in each lane.
///
/// Takes two machine words with one lane, three with more.
///
/// ```
/// use tapes_core::metric::{Run, Words};
/// use tapes_core::{Counter, Meter};
///
/// static WORDS: Words<2> = Words::new();
/// let (loops, marks) = (Counter::new(WORDS.run(0, 1)), Meter::new(WORDS.run(1, 1)));
/// loops.increment();
/// marks.mark_by(7);
/// assert_eq!((loops.value(), marks.count(), WORDS.all().len()), (1, 7, 2));
/// assert!(WORDS.run(1, 2).is_empty()); // out of range
/// Counter::new(Run::EMPTY).increment(); // dropped
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Run<'r> {
    /// From the first word in the first lane to the last word in the last lane. Between the lanes
    /// there are words of other runs: `stride` words before the same word of the next lane.
    words: &'r [Cell],
    stride: Stride,
}

#[cfg(feature = "std")]
#[inline(always)]
fn add(sum: &mut u64, word: &Cell) {
    *sum = sum.wrapping_add(word.load());
}

impl<'r> Run<'r> {
    /// A run of no words: what records into it is dropped.
    pub const EMPTY: Self = Self { words: &[], stride: [0; STRIDES] };

    /// Takes the run apart, to be passed in registers.
    #[inline(always)]
    pub(super) const fn parts(self) -> (&'r [Cell], Stride) {
        (self.words, self.stride)
    }

    /// Undoes [`parts`](Self::parts).
    #[inline(always)]
    pub(super) const fn from_parts(words: &'r [Cell], stride: Stride) -> Self {
        Self { words, stride }
    }

    /// Words from the first of one lane to the first of the next; 0 if there is one lane only.
    #[inline(always)]
    const fn stride(&self) -> usize {
        match self.stride.as_slice() {
            [stride, ..] => *stride,
            [] => 0,
        }
    }

    /// Returns the number of words of one lane.
    #[inline(always)]
    #[must_use]
    pub const fn len(&self) -> usize {
        // Never below 0: see `run` and `Words::all`.
        self.words.len().wrapping_sub(self.stride().wrapping_mul(LANES - 1))
    }

    /// Returns whether there are no words.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns `len` words from `offset` on; empty if they are out of range.
    #[must_use]
    pub const fn run(&self, offset: usize, len: usize) -> Self {
        self.part(offset, len)
    }

    /// Returns the first `len` words and the rest; nothing is left if there are not as many.
    #[inline(always)]
    pub(super) fn split(&self, len: usize) -> (Self, Self) {
        let behind = self.len().wrapping_sub(len);
        let first = self.words.len().wrapping_sub(behind);
        match (self.words.get(..first), self.words.get(len..)) {
            (Some(words), Some(rest)) => {
                (Self { words, stride: self.stride }, Self { words: rest, stride: self.stride })
            }
            _ => (Self::EMPTY, Self::EMPTY),
        }
    }

    /// As [`run`](Self::run), where it is called from what records.
    #[inline(always)]
    pub(super) const fn part(&self, offset: usize, len: usize) -> Self {
        // Words behind the run in the last lane; as many are behind it in every lane.
        let Some(behind) = self.len().checked_sub(offset) else { return Self::EMPTY };
        let Some(behind) = behind.checked_sub(len) else { return Self::EMPTY };
        let Some((_, tail)) = self.words.split_at_checked(offset) else { return Self::EMPTY };
        let Some(rest) = tail.len().checked_sub(behind) else { return Self::EMPTY };
        let Some((words, _)) = tail.split_at_checked(rest) else { return Self::EMPTY };
        Self { words, stride: self.stride }
    }

    /// Returns whether these are the same words, not only equal ones.
    pub(crate) fn is(&self, other: &Self) -> bool {
        core::ptr::eq(self.words, other.words)
    }

    /// Returns the words of this run in a lane and what follows them; none if there is no such
    /// lane. Who has made sure of the length pays for one comparison only.
    #[inline(always)]
    fn tail_of_lane(&self, lane: usize) -> Option<&'r [Cell]> {
        if LANES == 1 {
            return Some(self.words);
        }
        self.words.get(lane.wrapping_mul(self.stride())..)
    }

    /// Returns the words in each lane that may have been written to.
    #[inline]
    pub(super) fn lanes(&self) -> impl Iterator<Item = &'r [Cell]> + use<'r> {
        let run = *self;
        lanes().filter_map(move |lane| run.lane(lane))
    }

    #[inline(always)]
    fn lane(&self, lane: usize) -> Option<&'r [Cell]> {
        self.tail_of_lane(lane)?.get(..self.len())
    }

    /// Returns the words that `section` may change, and what follows them.
    #[inline(always)]
    pub(crate) fn writable(&self, section: Section) -> Option<&'r [Cell]> {
        self.tail_of_lane(section.lane)
    }

    /// Returns the word in lane 0 of a metric that is set, not added to.
    #[inline(always)]
    pub(crate) fn only(&self) -> Option<&'r Cell> {
        self.words.first()
    }

    /// Returns the word of a metric that is set, 0 if there is none.
    #[inline]
    pub(super) fn set(&self) -> Word {
        self.only().map_or(0, Cell::load)
    }

    /// Returns word `i` summed over the lanes, wrapping; 0 if there is none.
    #[inline]
    pub(crate) fn total(&self, i: usize) -> Word {
        self.lanes()
            .filter_map(|lane| lane.get(i))
            .fold(0, |sum, cell| sum.wrapping_add(cell.load()))
    }

    /// Fills `sums` with the words from `from` on, each summed over the lanes, wrapping.
    ///
    /// Lane by lane: words of one lane lie beside each other.
    #[cfg(feature = "std")]
    pub(crate) fn add_up(&self, from: usize, sums: &mut [u64]) {
        sums.fill(0);
        for lane in self.lanes() {
            let words = lane.get(from..).unwrap_or_default();
            // Eight at a time: the compiler does not unroll loops over atomics.
            let ((sums, last), (words, rest)) = (sums.as_chunks_mut::<8>(), words.as_chunks::<8>());
            let rest = words.get(sums.len()).map_or(rest, |words| words.as_slice());
            for (sums, words) in sums.iter_mut().zip(words) {
                sums.iter_mut().zip(words).for_each(|(sum, word)| add(sum, word));
            }
            last.iter_mut().zip(rest).for_each(|(sum, word)| add(sum, word));
        }
    }

    /// Returns the low bits of `len` words from `from` on, of all lanes, together.
    #[cfg(feature = "wire")]
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
    #[allow(trivial_numeric_casts, reason = "a word is u32 on some targets")]
    pub(crate) fn sum_low(&self, from: usize, len: usize) -> u32 {
        let words = self.lanes().filter_map(|lane| lane.get(from..)?.get(..len)).flatten();
        words.fold(0, |sum: u32, cell| sum.wrapping_add(cell.load() as u32))
    }

    /// Returns the largest value of word `i` over the lanes; 0 if there is none.
    pub(crate) fn largest(&self, i: usize) -> Word {
        self.lanes().filter_map(|lane| lane.get(i)).map(Cell::load).max().unwrap_or(0)
    }

    #[cfg(feature = "wire")]
    /// Sets all words of all lanes to zero.
    pub(crate) fn clear(&self) {
        // What was kept may have been anything.
        for cell in (0..LANES).filter_map(|lane| self.lane(lane)).flatten() {
            cell.store(0);
        }
    }

    #[cfg(feature = "wire")]
    /// Repairs the 64-bit sum in the first words of each lane after a reset.
    pub(crate) fn repair_sum(&self) {
        for cells in self.lanes().filter_map(<[Cell]>::first_chunk) {
            crate::sync::repair_sum(cells);
        }
    }

    /// Returns the 64-bit sum in the first words, over the lanes, wrapping.
    pub(crate) fn sum(&self) -> u64 {
        self.lanes()
            .filter_map(|lane| lane.first_chunk::<SUM_WORDS>())
            .fold(0, |sum, cells| sum.wrapping_add(read_sum(cells)))
    }
}

#[cfg(all(test, feature = "std", feature = "lanes-1"))]
mod tests {
    use super::{LANES, Words, lane_words};

    /// If this fails, two threads write to one cache line, which takes each ten times as long.
    #[test]
    fn lanes_of_whole_lines_begin_on_one() {
        assert_eq!((align_of::<Words<8>>(), size_of::<Words<8>>()), (64, 64 * LANES));
        assert_eq!([0, 1, 8, 9].map(lane_words), [0, 8, 8, 16]);
    }
}
