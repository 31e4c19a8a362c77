//! Lanes of host threads: each thread leases one for as long as it lives.
//!
//! The last lane is shared: by threads that came when all others were taken, and by whatever
//! records while a thread is being torn down. A lane is handed on with its totals when its thread
//! has ended.

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering};

use super::LANES;

/// The lane that threads without one of their own share.
pub(super) const SHARED: usize = LANES - 1;

/// A thread that has not asked for a lane yet.
const NONE: usize = usize::MAX;

/// Which lanes are leased; the shared one's flag is never used.
static TAKEN: [AtomicBool; LANES] = [const { AtomicBool::new(false) }; LANES];

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
        if let Some(taken) = TAKEN.get(lane) {
            // Pairs with the Acquire exchange in `acquire`: the next owner goes on from this
            // thread's last words.
            taken.store(false, Ordering::Release);
        }
    }
}

/// Returns the lane of this thread; one thread-local load once it has one.
#[inline(always)]
pub(super) fn lane() -> usize {
    let lane = LANE.get();
    if lane == NONE { acquire() } else { lane }
}

#[cold]
fn acquire() -> usize {
    let free = TAKEN.iter().take(SHARED).position(|taken| {
        // Acquire pairs with the Release store of the former owner.
        taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    });
    let lane = free.unwrap_or(SHARED);
    LANE.set(lane);
    if lane != SHARED && LEASE.try_with(|_| ()).is_err() {
        // The thread is ending and would never give the lane back.
        LANE.set(SHARED);
        if let Some(taken) = TAKEN.get(lane) {
            taken.store(false, Ordering::Release);
        }
        return SHARED;
    }
    lane
}
