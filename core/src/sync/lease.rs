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
    /// How many lanes, the first ones, were ever leased: nobody wrote to those between them and the
    /// shared one.
    used: A,
}

impl<A: Sharable<Value = u32>, const N: usize> Pool<A, N> {
    /// The lane that threads without one of their own share.
    pub(super) const SHARED: usize = N - 1;

    /// Returns a pool of lanes that must all be zero, as must be the other number.
    pub(super) const fn new(lanes: [A; N], used: A) -> Self {
        Self { lanes, used }
    }

    /// Returns the lanes that anybody may have written to, as far as the caller can know: all who
    /// wrote before something that it has seen.
    #[inline]
    pub(super) fn used(&self) -> impl Iterator<Item = usize> + use<A, N> {
        // Exclusive handles and what is set are in lane 0. Relaxed: see `take`.
        let own =
            (self.used.load(Ordering::Relaxed) as usize).clamp(1.min(Self::SHARED), Self::SHARED);
        (0..=own).map(move |lane| if lane < own { lane } else { Self::SHARED })
    }

    /// Takes a lane, if one is free.
    pub(super) fn take(&self) -> Option<usize> {
        let taken = (0u32..).zip(self.lanes.iter().take(Self::SHARED)).find(|(_, lane)| {
            // Acquire pairs with the Release store of the former owner in `give_back`: whoever
            // takes the lane goes on from its last words.
            lane.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok()
        });
        taken.map(|(lane, _)| {
            // Before the words of the lane change. Relaxed: whoever has seen something that came
            // after such a change sees this too.
            self.used.fetch_max(lane.wrapping_add(1), Ordering::Relaxed);
            lane as usize
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
pub(super) use thread::{other, own, used};

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

    static POOL: Lanes =
        Pool::new([const { AtomicU32::new(super::FREE) }; LANES], AtomicU32::new(0));

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

    /// Returns the lanes that may have been written to.
    #[inline]
    pub(in crate::sync) fn used() -> impl Iterator<Item = usize> {
        POOL.used()
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
