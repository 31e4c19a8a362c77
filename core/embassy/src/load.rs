//! The share of time that executors work.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

/// What is remembered between two updates of the load of executors; for the macro.
#[doc(hidden)]
#[derive(Debug)]
pub struct Loads<const EXECUTORS: usize> {
    /// Time of the last update.
    at: AtomicU32,
    /// Whether there was one.
    begun: AtomicU32,
    /// Time each executor had worked by then.
    work: [AtomicU32; EXECUTORS],
}

impl<const EXECUTORS: usize> Loads<EXECUTORS> {
    /// Returns the memory of no update.
    #[must_use]
    pub const fn new() -> Self {
        let zero = const { AtomicU32::new(0) };
        let work = [const { AtomicU32::new(0) }; EXECUTORS];
        Self { at: zero, begun: AtomicU32::new(0), work }
    }

    /// Tells each executor's load since the last update, from 0 to 1, and gets how long it has worked.
    ///
    /// The first time, and if no time has passed, there is no load. Belongs to one context.
    pub fn update(&self, ticks: u32, mut exchange: impl FnMut(usize, Option<f32>) -> u64) {
        let passed = ticks.wrapping_sub(self.at.swap_by(ticks));
        let begun = self.begun.swap_by(1) != 0 && passed != 0;
        for (index, before) in self.work.iter().enumerate() {
            let work = exchange(index, None);
            #[expect(clippy::cast_possible_truncation, reason = "differences of wrapping ticks")]
            let work = work as u32;
            let worked = work.wrapping_sub(before.swap_by(work));
            if begun {
                #[expect(clippy::cast_precision_loss, reason = "a share, to three digits")]
                let load = (worked as f32 / passed as f32).min(1.0);
                let _ = exchange(index, Some(load));
            }
        }
    }
}

impl<const EXECUTORS: usize> Default for Loads<EXECUTORS> {
    fn default() -> Self {
        Self::new()
    }
}

/// A swap that not every target has as one step; one context writes.
trait SwapBy {
    fn swap_by(&self, value: u32) -> u32;
}

impl SwapBy for AtomicU32 {
    fn swap_by(&self, value: u32) -> u32 {
        let before = self.load(Relaxed);
        self.store(value, Relaxed);
        before
    }
}
