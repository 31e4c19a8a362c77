//! The only place that touches atomics: words, lanes, masked sections and 64-bit sums.
//!
//! Handles have no backend parameter; this module picks, for the whole binary: a `lanes-N` feature
//! (the largest wins), else native compare-and-swap, else `critical-section`.
//!
//! | backend | an increment is | safe under |
//! |---|---|---|
//! | `lanes-N` | a masked load and store in this core's own words | interrupts, all cores |
//! | `lanes-N` with `std` | a load and store in this thread's own words | threads |
//! | native | `fetch_add` | interrupts, all cores, threads |
//! | critical-section | a load and store in a critical section | whatever the linked implementation covers |
//!
//! # Limits
//!
//! NMI and `HardFault` handlers cannot be masked and may lose a count if they record. A
//! single-core critical section loses counts while a second core records.

#[cfg(not(target_has_atomic = "64"))]
use core::sync::atomic::AtomicU32 as Atomic;
#[cfg(target_has_atomic = "64")]
use core::sync::atomic::AtomicU64 as Atomic;
use core::sync::atomic::Ordering;

mod atom;
#[cfg(any(all(test, loom), all(feature = "lanes-1", feature = "std")))]
mod lease;
#[cfg(test)]
mod model;
#[cfg(any(test, not(target_has_atomic = "64")))]
mod split;

use atom::{Atom, Number as _, Sharable};

/// A storage word: `u64` where 64-bit atomics are native, else `u32`. Words wrap.
#[cfg(target_has_atomic = "64")]
pub(crate) type Word = u64;
/// A storage word: `u64` where 64-bit atomics are native, else `u32`. Words wrap.
#[cfg(not(target_has_atomic = "64"))]
pub(crate) type Word = u32;

/// Words of a 64-bit sum: one where words have 64 bits, else low, ahead and behind.
#[cfg(target_has_atomic = "64")]
pub(crate) const SUM_WORDS: usize = 1;
/// Words of a 64-bit sum: one where words have 64 bits, else low, ahead and behind.
#[cfg(not(target_has_atomic = "64"))]
pub(crate) const SUM_WORDS: usize = split::WORDS;

/// Copies of the words, one for each core or thread.
pub(crate) const LANES: usize = if cfg!(feature = "lanes-16") {
    16
} else if cfg!(feature = "lanes-8") {
    8
} else if cfg!(feature = "lanes-4") {
    4
} else if cfg!(feature = "lanes-2") {
    2
} else {
    1
};

/// Returns the lanes that may have been written to: those that were ever leased, and the shared one.
#[cfg(all(feature = "lanes-1", feature = "std"))]
#[inline]
pub(crate) fn lanes() -> impl Iterator<Item = usize> {
    lease::used()
}

/// Returns the lanes that may have been written to: all.
#[cfg(not(all(feature = "lanes-1", feature = "std")))]
#[inline(always)]
pub(crate) fn lanes() -> core::ops::Range<usize> {
    0..LANES
}

/// One word of storage that wraps.
#[derive(Debug)]
#[cfg_attr(test, derive(Default))]
#[repr(transparent)]
pub(crate) struct Cell<A = Atomic>(A);

impl Cell {
    #[expect(clippy::declare_interior_mutable_const, reason = "the initial value of arrays")]
    pub(crate) const ZERO: Self = Self(Atomic::new(0));
}

impl<A: Atom> Cell<A> {
    /// Reads the word; one load. Relaxed: words are independent unless a method says otherwise.
    #[inline(always)]
    pub(crate) fn load(&self) -> A::Value {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the word; one store.
    #[inline(always)]
    pub(crate) fn store(&self, value: A::Value) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Proof that the words of one lane may be changed now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    /// Lane of this core or thread; below [`LANES`] if the hook keeps its contract.
    pub(crate) lane: usize,
    /// Whether others write to this lane too, so that only read-modify-write keeps their counts.
    #[cfg(target_has_atomic = "32")]
    shared: bool,
}

/// Runs `f` where it may change the words of a lane: the lane of this thread.
#[cfg(all(feature = "lanes-1", feature = "std"))]
#[inline(always)]
pub(crate) fn section<R>(f: impl FnOnce(Section) -> R) -> R {
    // Apart, so that neither asks again with each word; with one comparison, which is half of the
    // time of an increment.
    if let Some(lane) = lease::own() {
        f(Section::alone(lane))
    } else {
        core::hint::cold_path();
        // The first time it may be this thread's own lane, where read-modify-write is right too.
        f(Section::shared(lease::other()))
    }
}

/// Runs `f` where it may change the words of a lane: that of this core, with interrupts masked.
#[cfg(all(feature = "lanes-1", not(feature = "std")))]
#[inline(always)]
pub(crate) fn section<R>(f: impl FnOnce(Section) -> R) -> R {
    tapes_hooks::lane::with(|lane| f(Section::alone(lane as usize)))
}

/// Runs `f` where it may change the words: anywhere, since changes are read-modify-write.
#[cfg(all(not(feature = "lanes-1"), target_has_atomic = "32"))]
#[inline(always)]
pub(crate) fn section<R>(f: impl FnOnce(Section) -> R) -> R {
    f(Section::shared(0))
}

/// Runs `f` where it may change the words: in a critical section.
#[cfg(all(not(feature = "lanes-1"), not(target_has_atomic = "32")))]
#[inline(always)]
pub(crate) fn section<R>(f: impl FnOnce(Section) -> R) -> R {
    critical_section::with(|_| f(Section::alone(0)))
}

impl Section {
    /// A section in which nobody else changes the words of `lane`.
    #[inline(always)]
    const fn alone(lane: usize) -> Self {
        Self {
            lane,
            #[cfg(target_has_atomic = "32")]
            shared: false,
        }
    }

    /// A section for who is the only one that changes these words.
    #[inline(always)]
    pub(crate) const fn exclusive() -> Self {
        Self::alone(0)
    }

    /// A section in which others change the words of `lane` too.
    #[cfg(target_has_atomic = "32")]
    #[allow(dead_code, reason = "not every backend has one")]
    #[inline(always)]
    const fn shared(lane: usize) -> Self {
        Self { lane, shared: true }
    }

    /// Adds to a word of this section's lane, wrapping.
    #[inline(always)]
    pub(crate) fn add<A: Sharable>(self, cell: &Cell<A>, n: A::Value) {
        #[cfg(target_has_atomic = "32")]
        if self.shared {
            // Relaxed: a count publishes nothing but itself.
            cell.0.fetch_add(n, Ordering::Relaxed);
            return;
        }
        cell.store(cell.load().wrapping_add(n));
    }

    /// Raises a word of this section's lane to `value` if it is smaller.
    #[inline(always)]
    pub(crate) fn raise<A: Sharable>(self, cell: &Cell<A>, value: A::Value) {
        if value <= cell.load() {
            return;
        }
        #[cfg(target_has_atomic = "32")]
        if self.shared {
            // Relaxed: as `add`.
            cell.0.fetch_max(value, Ordering::Relaxed);
            return;
        }
        cell.store(value);
    }

    /// Adds to a 64-bit sum of this section's lane; never more than 2^32 - 1 at once.
    #[inline(always)]
    pub(crate) fn add_sum(self, cells: &[Cell; SUM_WORDS], n: u32) {
        #[cfg(target_has_atomic = "64")]
        {
            let [sum] = cells;
            self.add(sum, Word::from(n));
        }
        #[cfg(not(target_has_atomic = "64"))]
        split::add(self, cells, n);
    }
}

/// Reads a 64-bit sum of one lane; no lock, no retry.
#[inline]
pub(crate) fn read_sum(cells: &[Cell; SUM_WORDS]) -> u64 {
    #[cfg(target_has_atomic = "64")]
    {
        let [sum] = cells;
        sum.load()
    }
    #[cfg(not(target_has_atomic = "64"))]
    split::read(cells)
}

#[cfg(feature = "wire")]
/// Makes a 64-bit sum whole that a reset caught in the middle of a carry; nobody may record.
pub(crate) fn repair_sum(cells: &[Cell; SUM_WORDS]) {
    #[cfg(target_has_atomic = "64")]
    let _ = cells;
    #[cfg(not(target_has_atomic = "64"))]
    split::repair(cells);
}

/// Runs `f` while nobody else registers: set-up only, never recording or reading.
///
/// Under `std` a mutex, else a critical section.
pub(crate) fn registering<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(feature = "std")]
    {
        static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
        // A panic of `f` in another thread leaves nothing half-done behind this lock.
        let _guard = LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        f()
    }
    #[cfg(not(feature = "std"))]
    critical_section::with(|_| f())
}
