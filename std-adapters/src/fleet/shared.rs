//! A fleet that several threads use, and the readers that feed it from byte streams.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tapes_core::wire::{Deframer, FRAME_LEN_MAX, Feed};

use super::{Fleet, LinkId, LinkKind, Refusal, Snapshot};
use crate::clock::TimeSource;
use crate::exposition::{Exposition, Format};

/// A fleet behind a lock, with its clocks; clones share it.
///
/// The lock is held while a frame is taken in and while values are copied, never while text is
/// written or a socket waited for.
#[derive(Debug, Clone)]
pub struct SharedFleet {
    fleet: Arc<Mutex<Fleet>>,
    time: Arc<dyn TimeSource>,
}

impl SharedFleet {
    /// Shares a fleet.
    #[must_use]
    pub fn new(fleet: Fleet, time: Arc<dyn TimeSource>) -> Self {
        Self { fleet: Arc::new(Mutex::new(fleet)), time }
    }

    /// Returns the fleet, locked.
    pub fn lock(&self) -> MutexGuard<'_, Fleet> {
        // A panic elsewhere leaves counts as they were before or after one change.
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds everything up as of now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let now = self.time.monotonic();
        self.lock().snapshot(now)
    }

    /// Returns the time by the fleet's monotonic clock.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.time.monotonic()
    }

    /// Opens an input and returns a reader for its bytes, `None` if too many inputs are open.
    #[must_use]
    pub fn reader(&self, name: &str, kind: LinkKind) -> Option<FrameReader> {
        let link = self.lock().open_link(name, kind)?;
        Some(FrameReader { fleet: self.clone(), link, deframer: Box::new(Deframer::new()) })
    }
}

impl Exposition for SharedFleet {
    fn metrics(&self, format: Format, out: &mut String) -> fmt::Result {
        let snapshot = self.snapshot();
        snapshot.write_metrics(format, self.time.wall(), out)
    }

    fn stats(&self, path: &[&str], out: &mut String) -> Result<bool, fmt::Error> {
        self.snapshot().write_stats(path, out)
    }
}

/// Feeds the bytes of one input to a fleet; closes the input when dropped.
///
/// Takes 16 KiB for the frame under way, whatever arrives.
#[derive(Debug)]
pub struct FrameReader {
    fleet: SharedFleet,
    link: LinkId,
    deframer: Box<Deframer<FRAME_LEN_MAX>>,
}

impl FrameReader {
    /// Takes in bytes as they come: frames are COBS-encoded and end with a 0x00.
    ///
    /// Returns the number of frames that were used; everything else is counted by reason.
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        self.fleet.lock().count_bytes(self.link, bytes.len() as u64);
        let mut used = 0;
        let mut rest = bytes;
        loop {
            let refusal = match self.deframer.feed(rest) {
                Feed::Frame { frame, rest: more } => {
                    rest = more;
                    let now = self.fleet.time.monotonic();
                    used += usize::from(self.fleet.lock().ingest(self.link, frame, now).is_ok());
                    continue;
                }
                Feed::Oversize { rest: more } => {
                    rest = more;
                    Refusal::Oversize
                }
                Feed::Cobs { rest: more } => {
                    rest = more;
                    Refusal::Cobs
                }
                _ => return used,
            };
            self.fleet.lock().refuse(self.link, refusal);
        }
    }
}

impl Drop for FrameReader {
    fn drop(&mut self) {
        self.fleet.lock().close_link(self.link);
    }
}
