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

#[cfg(target_has_atomic = "64")]
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering;
#[cfg(all(feature = "lanes-1", feature = "std"))]
mod lease;

#[cfg(not(target_has_atomic = "64"))]
use core::sync::atomic::{AtomicU32, fence};

/// A storage word: `u64` where 64-bit atomics are native, else `u32`. Words wrap.
#[cfg(target_has_atomic = "64")]
pub(crate) type Word = u64;
/// A storage word: `u64` where 64-bit atomics are native, else `u32`. Words wrap.
#[cfg(not(target_has_atomic = "64"))]
pub(crate) type Word = u32;

#[cfg(target_has_atomic = "64")]
type Atomic = AtomicU64;
#[cfg(not(target_has_atomic = "64"))]
type Atomic = AtomicU32;

/// Words of a 64-bit sum: one where words have 64 bits, else low, ahead and behind.
pub(crate) const SUM_WORDS: usize = if size_of::<Word>() == 8 { 1 } else { 3 };

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

/// One word of storage that wraps.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Cell(Atomic);

impl Cell {
    #[expect(clippy::declare_interior_mutable_const, reason = "the initial value of arrays")]
    pub(crate) const ZERO: Self = Self(Atomic::new(0));

    /// Reads the word; one load. Relaxed: words are independent unless a method says otherwise.
    #[inline(always)]
    pub(crate) fn load(&self) -> Word {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the word; one store.
    #[inline(always)]
    pub(crate) fn store(&self, value: Word) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Proof that the words of one lane may be changed now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    /// Lane of this core or thread; below [`LANES`] if the hook keeps its contract.
    pub(crate) lane: usize,
    /// Whether others write to this lane too, so that only read-modify-write keeps their counts.
    shared: bool,
}

/// Runs `f` where it may change the words of a lane: the lane of this thread.
#[cfg(all(feature = "lanes-1", feature = "std"))]
#[inline(always)]
pub(crate) fn section<R>(f: impl FnOnce(Section) -> R) -> R {
    let lane = lease::lane();
    f(Section { lane, shared: lane == lease::SHARED })
}

/// Runs `f` where it may change the words of a lane: that of this core, with interrupts masked.
#[cfg(all(feature = "lanes-1", not(feature = "std")))]
#[inline(always)]
pub(crate) fn section<R>(f: impl FnOnce(Section) -> R) -> R {
    let (restore, lane) = tapes_hooks::lane::enter();
    let result = f(Section { lane: lane as usize, shared: false });
    tapes_hooks::lane::exit(restore);
    result
}

/// Runs `f` where it may change the words: anywhere, since changes are read-modify-write.
#[cfg(all(not(feature = "lanes-1"), target_has_atomic = "32"))]
#[inline(always)]
pub(crate) fn section<R>(f: impl FnOnce(Section) -> R) -> R {
    f(Section { lane: 0, shared: true })
}

/// Runs `f` where it may change the words: in a critical section.
#[cfg(all(not(feature = "lanes-1"), not(target_has_atomic = "32")))]
#[inline(always)]
pub(crate) fn section<R>(f: impl FnOnce(Section) -> R) -> R {
    critical_section::with(|_| f(Section { lane: 0, shared: false }))
}

impl Section {
    /// Adds to a word of this section's lane, wrapping.
    #[inline(always)]
    pub(crate) fn add(self, cell: &Cell, n: Word) {
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
    pub(crate) fn raise(self, cell: &Cell, value: Word) {
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

/// 64-bit sums in three 32-bit words: low, ahead and behind.
///
/// The writer moves `ahead` before the low word overflows and `behind` after it; a reader that
/// loads them in the opposite order sees two equal high halves, and then the low word belongs to
/// them, or different ones, and then the sum is passing the multiple of 2^32 that it returns. A
/// sum read twice never goes backwards.
#[cfg(not(target_has_atomic = "64"))]
mod split {
    use super::{Cell, Ordering, SUM_WORDS, Section, fence};

    #[inline(always)]
    pub(super) fn add(section: Section, cells: &[Cell; SUM_WORDS], n: u32) {
        #[cfg(target_has_atomic = "32")]
        if section.shared {
            add_shared(cells, n);
            return;
        }
        let _ = section;
        let [low, ahead, behind] = cells;
        let (sum, carry) = low.load().overflowing_add(n);
        if carry {
            let high = ahead.load().wrapping_add(1);
            ahead.store(high);
            // Pairs with the Acquire load of `low` in `read`: who sees the new low word sees the
            // new `ahead`.
            fence(Ordering::Release);
            low.store(sum);
            // Pairs with the Acquire load of `behind` in `read`: who sees the new `behind` sees
            // the new low word.
            fence(Ordering::Release);
            behind.store(high);
        } else {
            low.store(sum);
        }
    }

    /// With compare-and-swap: several writers at once, and only a carry takes a critical section.
    #[cfg(target_has_atomic = "32")]
    fn add_shared(cells: &[Cell; SUM_WORDS], n: u32) {
        let [low, _, _] = cells;
        let mut old = low.load();
        while let Some(sum) = old.checked_add(n) {
            // Relaxed: without a carry the low word publishes nothing but itself.
            match low.0.compare_exchange_weak(old, sum, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(seen) => old = seen,
            }
        }
        critical_section::with(|_| carry_shared(cells, n));
    }

    /// Adds under the critical section. Others still add without it as long as they do not carry,
    /// so the low word may grow under us, or have been carried by another before we came.
    #[cfg(target_has_atomic = "32")]
    fn carry_shared(cells: &[Cell; SUM_WORDS], n: u32) {
        let [low, ahead, behind] = cells;
        let mut announced = None;
        loop {
            let old = low.load();
            let (sum, carry) = old.overflowing_add(n);
            if carry && announced.is_none() {
                let high = ahead.load().wrapping_add(1);
                ahead.store(high);
                announced = Some(high);
            }
            // Release: as the fences of `add`; the new low word is seen after the new `ahead`.
            if low.0.compare_exchange(old, sum, Ordering::Release, Ordering::Relaxed).is_ok() {
                break;
            }
        }
        if let Some(high) = announced {
            // Pairs with the Acquire load of `behind` in `read`.
            fence(Ordering::Release);
            behind.store(high);
        }
    }

    #[inline]
    pub(super) fn read(cells: &[Cell; SUM_WORDS]) -> u64 {
        let [low, ahead, behind] = cells;
        // Acquire: see `add`.
        let behind = behind.0.load(Ordering::Acquire);
        let low = low.0.load(Ordering::Acquire);
        let ahead = ahead.load();
        if ahead == behind {
            (u64::from(behind) << 32) | u64::from(low)
        } else {
            u64::from(behind.wrapping_add(1)) << 32
        }
    }
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
