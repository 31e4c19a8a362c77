//! Words on a tape: where the values of metrics live.

use crate::sync::{Cell, LANES, SUM_WORDS, Section, Word, read_sum, repair_sum};

/// `N` words of storage for each lane, all zero at first: a `static` one lies in .bss.
///
/// [`metrics!`](crate::metrics) and [`Registry`](crate::Registry) make these; a handle borrows a
/// [`Run`] of them.
#[derive(Debug)]
pub struct Words<const N: usize> {
    /// Lane-major, so that the words of one core or thread share no cache line with another's.
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
        let mut lanes = [[].as_slice(); LANES];
        let mut i = 0;
        while i < LANES {
            lanes[i] = &self.lanes[i];
            i += 1;
        }
        Run { lanes }
    }

    /// Returns `len` words from `offset` on; empty if they are out of range.
    #[must_use]
    pub const fn run(&self, offset: usize, len: usize) -> Run<'_> {
        self.all().run(offset, len)
    }
}

/// A borrowed run of words, one slice for each lane.
#[derive(Debug, Clone, Copy)]
pub struct Run<'r> {
    /// All of the same length.
    lanes: [&'r [Cell]; LANES],
}

impl<'r> Run<'r> {
    /// A run of no words: what records into it is dropped.
    pub const EMPTY: Self = Self { lanes: [&[]; LANES] };

    /// Returns the number of words of one lane.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.lanes[0].len()
    }

    /// Returns whether there are no words.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns `len` words from `offset` on; empty if they are out of range.
    #[must_use]
    pub const fn run(&self, offset: usize, len: usize) -> Self {
        let mut lanes = [[].as_slice(); LANES];
        let mut i = 0;
        while i < LANES {
            if let Some((_, tail)) = self.lanes[i].split_at_checked(offset)
                && let Some((middle, _)) = tail.split_at_checked(len)
            {
                lanes[i] = middle;
            }
            i += 1;
        }
        Self { lanes }
    }

    /// Returns whether these are the same words, not only equal ones.
    pub(crate) fn is(&self, other: &Self) -> bool {
        core::ptr::eq(self.lanes[0], other.lanes[0])
    }

    /// Returns the words that `section` may change.
    #[inline(always)]
    pub(crate) fn writable(&self, section: Section) -> &'r [Cell] {
        // A lane out of range breaks the hook's contract; lane 0 then may lose counts.
        if LANES == 1 {
            self.lanes[0]
        } else {
            self.lanes.get(section.lane).unwrap_or(&self.lanes[0])
        }
    }

    /// Returns the words of lane 0, for values that are set, not added.
    #[inline(always)]
    pub(crate) fn first_lane(&self) -> &'r [Cell] {
        self.lanes[0]
    }

    /// Returns word `i` summed over the lanes, wrapping; 0 if there is none.
    #[inline]
    pub(crate) fn total(&self, i: usize) -> Word {
        self.lanes
            .iter()
            .filter_map(|lane| lane.get(i))
            .fold(0, |sum, cell| sum.wrapping_add(cell.load()))
    }

    /// Returns the largest value of word `i` over the lanes; 0 if there is none.
    pub(crate) fn largest(&self, i: usize) -> Word {
        self.lanes.iter().filter_map(|lane| lane.get(i)).map(Cell::load).max().unwrap_or(0)
    }

    /// Sets all words of all lanes to zero.
    pub(crate) fn clear(&self) {
        for cell in self.lanes.iter().flat_map(|lane| lane.iter()) {
            cell.store(0);
        }
    }

    /// Repairs the 64-bit sum in the first words of each lane after a reset.
    pub(crate) fn repair_sum(&self) {
        for cells in self.lanes.iter().filter_map(|lane| lane.first_chunk::<SUM_WORDS>()) {
            repair_sum(cells);
        }
    }

    /// Returns the 64-bit sum in the first words, over the lanes, wrapping.
    pub(crate) fn sum(&self) -> u64 {
        self.lanes
            .iter()
            .filter_map(|lane| lane.first_chunk::<SUM_WORDS>())
            .fold(0, |sum, cells| sum.wrapping_add(read_sum(cells)))
    }
}
