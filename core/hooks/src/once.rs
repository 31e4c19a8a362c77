//! A cell that is set once and then read without any lock, on targets without compare-and-swap
//! too.

#![expect(unsafe_code, reason = "shared access to a value behind an atomic flag")]

use core::fmt;
use core::mem::MaybeUninit;
use core::sync::atomic::Ordering;

use crate::primitive::{AtomicU8, UnsafeCell};

/// Nothing is stored.
const EMPTY: u8 = 0;
/// One caller of `set` is storing.
const STORING: u8 = 1;
/// The value is stored and never changes again.
const READY: u8 = 2;

/// A cell that can be set once and read any number of times, from any context.
///
/// An empty cell is all zero bytes, so a `static` one lies in .bss. Reading is one load; it never
/// masks, locks or waits, and sees nothing while another context is in the middle of `set`.
///
/// ```
/// use tapes_hooks::Once;
///
/// static ORIGIN: Once<u64> = Once::new();
/// assert_eq!(ORIGIN.get(), None);
/// assert_eq!(ORIGIN.set(0x5eed), Ok(()));
/// assert_eq!((ORIGIN.set(7), ORIGIN.get()), (Err(7), Some(&0x5eed)));
/// ```
pub struct Once<T> {
    /// `EMPTY` → `STORING` → `READY`, never back.
    state: AtomicU8,
    /// Initialised if and only if `state` is `READY`.
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: `get` hands out `&T` to several threads, which needs `T: Sync`; `set` moves a `T` from
// the setting thread to whichever drops the cell, which needs `T: Send`. The value is written only
// by the one caller that moved `state` from EMPTY to STORING, before READY is published.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Once<T> {
    /// Returns an empty cell.
    #[cfg(not(all(test, loom)))]
    #[must_use]
    pub const fn new() -> Self {
        Self { state: AtomicU8::new(EMPTY), value: UnsafeCell::new(MaybeUninit::zeroed()) }
    }

    /// Returns an empty cell; those of loom have an identity, so this is no constant.
    #[cfg(all(test, loom))]
    #[must_use]
    pub fn new() -> Self {
        Self { state: AtomicU8::new(EMPTY), value: UnsafeCell::new(MaybeUninit::zeroed()) }
    }

    /// Stores the value.
    ///
    /// Without compare-and-swap this takes a critical section of two instructions; the value is
    /// moved outside of it.
    ///
    /// # Errors
    ///
    /// Hands the value back if the cell is set, or is being set by somebody else.
    pub fn set(&self, value: T) -> Result<(), T> {
        if !self.claim() {
            return Err(value);
        }
        self.value.with_mut(|slot| {
            // SAFETY: `claim` returned true, which it does once in the life of the cell, so nobody
            // else writes; nobody reads before `state` is READY.
            let slot = unsafe { &mut *slot };
            slot.write(value);
        });
        // Pairs with the Acquire load in `get`: who sees READY sees the value.
        self.state.store(READY, Ordering::Release);
        Ok(())
    }

    /// Returns the value, or `None` if it is not stored yet.
    #[inline]
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        // Pairs with the Release store in `set`.
        if self.state.load(Ordering::Acquire) != READY {
            return None;
        }
        // SAFETY: READY is published after the value was written, and from then on the value is
        // only read until the cell is dropped, which needs `&mut self`.
        let slot = self.value.with(|slot| unsafe { &*slot });
        // SAFETY: READY means initialised.
        Some(unsafe { slot.assume_init_ref() })
    }

    /// Moves the state from EMPTY to STORING; true for one caller only.
    #[cfg(target_has_atomic = "8")]
    fn claim(&self) -> bool {
        // Relaxed: the value is published by the Release store in `set`.
        self.state.compare_exchange(EMPTY, STORING, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Moves the state from EMPTY to STORING; true for one caller only.
    #[cfg(not(target_has_atomic = "8"))]
    fn claim(&self) -> bool {
        critical_section::with(|_| {
            // Relaxed: critical sections order these accesses among callers of `claim`.
            let empty = self.state.load(Ordering::Relaxed) == EMPTY;
            if empty {
                self.state.store(STORING, Ordering::Relaxed);
            }
            empty
        })
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Once<T> {
    fn drop(&mut self) {
        // Relaxed: who has `&mut self` has been told by everybody who set it.
        if self.state.load(Ordering::Relaxed) == READY {
            self.value.with_mut(|slot| {
                // SAFETY: `&mut self` means nobody else looks.
                let slot = unsafe { &mut *slot };
                // SAFETY: READY means initialised.
                unsafe { slot.assume_init_drop() };
            });
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Once").field(&self.get()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;
    use std::sync::Arc;

    use super::Once;

    /// A second value would change what others already hold a reference to.
    #[test]
    fn setting_twice_hands_the_second_value_back() {
        let cell = Once::new();
        assert_eq!(cell.get(), None);
        assert_eq!(cell.set(1), Ok(()));
        assert_eq!(cell.set(2), Err(2));
        assert_eq!(cell.get(), Some(&1));
    }

    /// A value that is not dropped leaks; one dropped twice corrupts memory.
    #[test]
    fn the_value_is_dropped_once() {
        let value = Arc::new(());
        let cell = Once::new();
        assert!(cell.set(Arc::clone(&value)).is_ok());
        assert_eq!(Arc::strong_count(&value), 2);
        drop(cell);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    /// Two winners would write the value at the same time.
    #[test]
    fn of_many_threads_one_wins() {
        for _ in 0..200 {
            let cell = Once::new();
            let wins: usize = std::thread::scope(|scope| {
                let threads: std::vec::Vec<_> = (0..4)
                    .map(|i| {
                        let cell = &cell;
                        scope.spawn(move || usize::from(cell.set(i).is_ok()))
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert_eq!(wins, 1);
            assert!(cell.get().is_some());
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::Once;

    /// Two threads set, the first one reads meanwhile.
    fn set_and_get() {
        let cell = Arc::new(Once::new());
        let setters = [1, 2].map(|n| {
            let cell = Arc::clone(&cell);
            thread::spawn(move || cell.set([n; 2]).is_ok())
        });
        let early = cell.get().copied();
        assert!([None, Some([1; 2]), Some([2; 2])].contains(&early));
        let wins = setters.map(|setter| setter.join().expect("setters do not panic"));
        assert_ne!(wins[0], wins[1], "not one winner");
        let value = if wins[0] { [1; 2] } else { [2; 2] };
        assert_eq!(cell.get(), Some(&value));
        assert!(early.is_none_or(|early| early == value));
    }

    /// A reader that saw half a value, or two winners, would be undefined behaviour.
    #[test]
    fn loom_readers_see_the_whole_value_of_the_one_winner() {
        loom::model(set_and_get);
    }

    /// A model that needs no ordering does not test it.
    #[test]
    #[should_panic(expected = "Causality violation")]
    fn loom_a_value_published_without_order_is_caught() {
        crate::primitive::unordered(|| loom::model(set_and_get));
    }
}
