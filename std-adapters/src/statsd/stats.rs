//! What a reporter did so far.

use std::sync::{Arc, Mutex, PoisonError};

/// What a reporter sent and did not send so far; saturates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StatsdStats {
    /// Datagrams that the system took.
    pub datagrams_sent: u64,
    /// Bytes of those.
    pub bytes_sent: u64,
    /// Datagrams that the system did not take; the growth in them is part of the next report.
    pub datagrams_dropped: u64,
    /// Bytes of those.
    pub bytes_dropped: u64,
    /// Datagrams that the system took and the server's machine said it has nobody for: what they
    /// counted is lost. They are part of those sent.
    pub datagrams_refused: u64,
    /// Lines that were longer than a datagram.
    pub lines_too_long: u64,
    /// Times the server's name could not be looked up.
    pub lookups_failed: u64,
}

/// The stats of a reporter, wherever that is; clones share it.
#[derive(Debug, Clone, Default)]
pub struct StatsHandle(Arc<Mutex<StatsdStats>>);

impl StatsHandle {
    /// Returns what was done so far.
    #[must_use]
    pub fn get(&self) -> StatsdStats {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut StatsdStats)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.change(|stats| {
            stats.datagrams_sent = stats.datagrams_sent.saturating_add(1);
            stats.bytes_sent = stats.bytes_sent.saturating_add(bytes as u64);
        });
    }

    pub(super) fn dropped(&self, datagrams: usize, bytes: usize) {
        self.change(|stats| {
            stats.datagrams_dropped = stats.datagrams_dropped.saturating_add(datagrams as u64);
            stats.bytes_dropped = stats.bytes_dropped.saturating_add(bytes as u64);
        });
    }

    pub(super) fn refused(&self) {
        self.change(|stats| stats.datagrams_refused = stats.datagrams_refused.saturating_add(1));
    }

    pub(super) fn lookup_failed(&self) {
        self.change(|stats| stats.lookups_failed = stats.lookups_failed.saturating_add(1));
    }
}
