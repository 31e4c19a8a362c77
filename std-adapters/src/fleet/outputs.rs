//! What leaves by itself, counted: reports and pushes beside the pages.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What an output did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputCounts {
    /// Batches or datagrams that were taken.
    pub sent: u64,
    /// Those that are gone and were not taken.
    pub dropped: u64,
    /// Times that sending failed.
    pub failures: u64,
    /// Those that wait.
    pub queued: u64,
    /// Bytes of those.
    pub queued_bytes: u64,
}

type Count = Box<dyn Fn() -> OutputCounts + Send + Sync>;

/// The outputs of a fleet; clones share them.
#[derive(Clone, Default)]
pub(super) struct Outputs(Arc<Mutex<Vec<(String, Count)>>>);

impl fmt::Debug for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.counts()).finish()
    }
}

impl Outputs {
    pub(super) fn add(&self, name: String, count: Count) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, count));
    }

    pub(super) fn counts(&self) -> Vec<(String, OutputCounts)> {
        let outputs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        outputs.iter().map(|(name, count)| (name.clone(), count())).collect()
    }
}
