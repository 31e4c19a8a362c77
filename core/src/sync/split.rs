//! 64-bit sums in three 32-bit words: low, ahead and behind.
//!
//! The writer moves `ahead` before the low word overflows and `behind` after it; a reader that
//! loads them in the opposite order sees two equal high halves, and then the low word belongs to
//! them, or different ones, and then the sum is passing the multiple of 2^32 that it returns. A
//! sum read twice never goes backwards.
//!
//! ```text
//! writer, carrying:  ahead = h + 1 | low = s | behind = h + 1        | is a release fence
//! reader:            b = behind, l = low, a = ahead;  a == b ? b:l : (b + 1):0
//! ```

use super::atom::{Atom, Sharable};
use super::{Cell, Ordering, Section};

/// Words of a sum.
pub(super) const WORDS: usize = 3;

/// Adds to a sum of the section's lane.
#[inline(always)]
pub(super) fn add<A>(section: Section, cells: &[Cell<A>; WORDS], n: u32)
where
    A: Sharable<Value = u32>,
{
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
        // Pairs with the Acquire load of `low` in `read`: who sees the new low word, or any later
        // one, sees the new `ahead`. A Release store would not do, since the next store of `low`
        // is none.
        A::fence(Ordering::Release);
        low.store(sum);
        // Pairs with the Acquire load of `behind` in `read`: who sees the new `behind` sees the
        // new low word.
        A::fence(Ordering::Release);
        behind.store(high);
    } else {
        low.store(sum);
    }
}

/// Makes a sum whole whose writer was stopped in the middle of a carry.
///
/// A low word that is still in the upper half had not been replaced, so the carry is taken back;
/// else it is completed. Values of 2^31 and more, which could make a new low word look like an old
/// one, then lose the carry: the sum errs low.
#[cfg(any(test, feature = "wire"))]
pub(super) fn repair<A>(cells: &[Cell<A>; WORDS])
where
    A: Atom<Value = u32>,
{
    let [low, ahead, behind] = cells;
    if ahead.load() != behind.load() {
        if low.load() >> 31 == 1 {
            ahead.store(behind.load());
        } else {
            behind.store(ahead.load());
        }
    }
}

/// With compare-and-swap: several writers at once, and only a carry takes a critical section.
#[cfg(target_has_atomic = "32")]
fn add_shared<A>(cells: &[Cell<A>; WORDS], n: u32)
where
    A: Sharable<Value = u32>,
{
    let [low, _, _] = cells;
    let mut old = low.load();
    while let Some(sum) = old.checked_add(n) {
        // Relaxed: without a carry the low word publishes nothing of its own, and a read-modify-
        // write passes on what an earlier carry has published.
        match low.0.compare_exchange_weak(old, sum, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(seen) => old = seen,
        }
    }
    A::exclusively(|| carry_shared(cells, n));
}

/// Adds under the critical section. Others still add without it as long as they do not carry, so
/// the low word may grow under us, or have been carried by another before we came.
#[cfg(target_has_atomic = "32")]
fn carry_shared<A>(cells: &[Cell<A>; WORDS], n: u32)
where
    A: Sharable<Value = u32>,
{
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
        // Release: as the first fence of `add`; who sees the new low word, or what others have
        // added to it since, sees the new `ahead`.
        if low.0.compare_exchange(old, sum, Ordering::Release, Ordering::Relaxed).is_ok() {
            break;
        }
    }
    if let Some(high) = announced {
        // As the second fence of `add`.
        A::fence(Ordering::Release);
        behind.store(high);
    }
}

/// Reads a sum; no lock, no retry.
#[inline]
pub(super) fn read<A>(cells: &[Cell<A>; WORDS]) -> u64
where
    A: Atom<Value = u32>,
{
    let [low, ahead, behind] = cells;
    // Acquire, both: pair with the fences of `add`.
    let behind = behind.0.load(Ordering::Acquire);
    let low = low.0.load(Ordering::Acquire);
    let ahead = ahead.load();
    if ahead == behind {
        (u64::from(behind) << 32) | u64::from(low)
    } else {
        u64::from(behind.wrapping_add(1)) << 32
    }
}
