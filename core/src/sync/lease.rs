//! Lanes of host threads: each thread leases one for as long as it lives.
//!
//! The last lane is shared: by threads that came when all others were taken, and by whatever
//! records while a thread is being torn down. A lane is handed on with its totals when its thread
//! has ended.

use core::sync::atomic::Ordering;

use super::atom::Sharable;

/// Marks a lane that nobody leases.
const FREE: u32 = 0;
/// Marks a lane that a thread leases.
const TAKEN: u32 = 1;

/// Which of `N` lanes are leased.
#[derive(Debug)]
pub(super) struct Pool<A, const N: usize> {
    /// `FREE` or `TAKEN`; that of the last lane, which is shared, is never used.
    lanes: [A; N],
}

impl<A: Sharable<Value = u32>, const N: usize> Pool<A, N> {
    /// The lane that threads without one of their own share.
    pub(super) const SHARED: usize = N - 1;

    /// Returns a pool of lanes that must all be zero.
    pub(super) const fn new(lanes: [A; N]) -> Self {
        Self { lanes }
    }

    /// Takes a lane, if one is free.
    pub(super) fn take(&self) -> Option<usize> {
        self.lanes.iter().take(Self::SHARED).position(|lane| {
            // Acquire pairs with the Release store of the former owner in `give_back`: whoever
            // takes the lane goes on from its last words.
            lane.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok()
        })
    }

    /// Gives a lane back for which `take` has been called.
    pub(super) fn give_back(&self, lane: usize) {
        if let Some(lane) = self.lanes.get(lane) {
            // Pairs with the Acquire exchange in `take`.
            lane.store(FREE, Ordering::Release);
        }
    }
}

#[cfg(all(feature = "lanes-1", feature = "std"))]
pub(super) use thread::{other, own};

#[cfg(all(feature = "lanes-1", feature = "std"))]
mod thread {
    use core::cell::Cell;
    use core::ops::Range;
    use core::sync::atomic::AtomicU32;

    use super::Pool;
    use crate::sync::LANES;

    type Lanes = Pool<AtomicU32, LANES>;

    /// The lane that threads without one of their own share.
    const SHARED: usize = Lanes::SHARED;

    /// Lanes that one thread has for itself.
    const OWN: Range<usize> = 0..SHARED;

    /// A thread that has not asked for a lane yet; not one of `OWN` either.
    const NONE: usize = usize::MAX;

    static POOL: Lanes = Pool::new([const { AtomicU32::new(super::FREE) }; LANES]);

    std::thread_local! {
        /// This thread's lane, or [`NONE`]. Has no destructor, so it is readable to the very end.
        static LANE: Cell<usize> = const { Cell::new(NONE) };
        /// Gives the lane back when the thread ends.
        static LEASE: Lease = const { Lease };
    }

    struct Lease;

    impl Drop for Lease {
        fn drop(&mut self) {
            let lane = LANE.replace(SHARED);
            if OWN.contains(&lane) {
                POOL.give_back(lane);
            }
        }
    }

    /// Returns the lane that is this thread's alone, if it has asked for one and got it; one
    /// thread-local load.
    #[inline(always)]
    pub(in crate::sync) fn own() -> Option<usize> {
        let lane = LANE.get();
        if OWN.contains(&lane) { Some(lane) } else { None }
    }

    /// Returns the lane of a thread that has none yet: its own from now on, or the shared one.
    #[cold]
    #[inline(never)]
    pub(in crate::sync) fn other() -> usize {
        if LANE.get() == SHARED {
            return SHARED;
        }
        let lane = POOL.take().unwrap_or(SHARED);
        LANE.set(lane);
        if OWN.contains(&lane) && LEASE.try_with(|_| ()).is_err() {
            // The thread is ending and would never give the lane back.
            LANE.set(SHARED);
            POOL.give_back(lane);
            return SHARED;
        }
        lane
    }
}
