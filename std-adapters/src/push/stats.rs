//! What pushing did so far.

use std::sync::{Arc, Mutex, PoisonError};

/// What was pushed and what was not, so far; saturates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PushStats {
    /// Batches that the receiver took.
    pub sent: u64,
    /// Bytes of those.
    pub sent_bytes: u64,
    /// Batches dropped because the queue was full, or could not be written.
    pub dropped: u64,
    /// Batches that the receiver will never take; they are gone.
    pub rejected: u64,
    /// Times that sending failed; the batch is sent again.
    pub failures: u64,
    /// Batches that wait.
    pub queued: u64,
    /// Bytes of those.
    pub queued_bytes: u64,
}

/// The stats of a push, wherever that is; clones share it.
#[derive(Debug, Clone, Default)]
pub struct PushHandle(Arc<Mutex<PushStats>>);

impl PushHandle {
    /// Returns what was done so far.
    #[must_use]
    pub fn get(&self) -> PushStats {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut PushStats)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
