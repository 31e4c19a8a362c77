//! A fleet that several threads use, and the readers that feed it from byte streams.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tapes_core::wire::{Deframer, FRAME_LEN_MAX, Feed};

use super::store::{Store, StoreStats};
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
    /// Locked before the fleet, and while the disk is waited for.
    store: Option<Arc<Mutex<Store>>>,
}

impl SharedFleet {
    /// Shares a fleet.
    #[must_use]
    pub fn new(fleet: Fleet, time: Arc<dyn TimeSource>) -> Self {
        Self { fleet: Arc::new(Mutex::new(fleet)), time, store: None }
    }

    /// Shares a fleet whose state is kept: whatever is shown is saved before.
    ///
    /// A [`Saver`](super::Saver) saves what nobody looks at. The fleet is one that was
    /// [restored](Fleet::restored) from the store.
    #[must_use]
    pub fn with_store(fleet: Fleet, store: Store, time: Arc<dyn TimeSource>) -> Self {
        Self { store: Some(Arc::new(Mutex::new(store))), ..Self::new(fleet, time) }
    }

    /// Returns the fleet, locked.
    pub fn lock(&self) -> MutexGuard<'_, Fleet> {
        // A panic elsewhere leaves counts as they were before or after one change.
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds everything up as of now, and saves it if there is a store.
    ///
    /// What cannot be saved is shown nevertheless; [`trouble`](Self::trouble) says so.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let (mut snapshot, stats) = self.look(|fleet, now| fleet.snapshot(now));
        snapshot.store = stats;
        snapshot
    }

    /// Looks at the fleet, and saves what it is at that moment before what was seen is handed out.
    fn look<R>(&self, look: impl FnOnce(&Fleet, Duration) -> R) -> (R, Option<StoreStats>) {
        let (now, wall) = (self.time.monotonic(), self.time.wall());
        let Some(store) = &self.store else { return (look(&self.lock(), now), None) };
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, batch, whole) = {
            let mut fleet = self.lock();
            let batch = fleet.take_batch(now, wall);
            let whole = store.whole_if_needed(&batch, || fleet.whole(now, wall));
            (look(&fleet, now), batch, whole)
        };
        // The store keeps what it could not write, counts it and says why.
        let _ = store.write(batch, whole);
        (seen, Some(store.stats()))
    }

    /// Saves what is not saved yet, if there is a store.
    pub fn save(&self) {
        self.look(|_, _| ());
    }

    /// Saves everything for the last time in an orderly end, and waits for the disk.
    pub fn close(&self) {
        self.save();
        if let Some(store) = &self.store {
            store.lock().unwrap_or_else(PoisonError::into_inner).close();
        }
    }

    /// Returns why the state could not be saved last, `None` if it could.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let store = self.store.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        store.trouble().map(str::to_owned)
    }

    /// Saves what has not been saved for long, and writes the file anew if it has grown.
    ///
    /// The file is written without holding anybody up.
    pub(super) fn tend(&self) {
        let Some(store) = &self.store else { return };
        let due = self.lock().is_due(self.now());
        if due || self.trouble().is_some() {
            self.save();
        }
        let lock = || store.lock().unwrap_or_else(PoisonError::into_inner);
        if !lock().wants_rewrite() {
            return;
        }
        let begun = {
            let (now, wall) = (self.time.monotonic(), self.time.wall());
            let mut store = lock();
            // Under one lock: what is in the whole state must not come in a batch after it.
            let (batch, whole) = {
                let mut fleet = self.lock();
                (fleet.take_batch(now, wall), fleet.whole(now, wall))
            };
            let needed = store.whole_if_needed(&batch, || whole.clone());
            // What is not in the present file is in the next one.
            let _ = store.write(batch, needed);
            store.begin_rewrite(whole)
        };
        let result = begun.and_then(|mut rewrite| {
            let written = rewrite.write();
            lock().end_rewrite(rewrite, written)
        });
        lock().note(&result);
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

    fn merged(&self, format: Format, out: &mut String) -> Result<bool, fmt::Error> {
        let (merged, _) = self.look(|fleet, _| fleet.merged());
        Snapshot::write_merged(&merged, format, out).map(|()| true)
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
        let used = self.take_in(bytes);
        // Last, so that who sees the bytes counted sees what they said, too.
        self.fleet.lock().count_bytes(self.link, bytes.len() as u64);
        used
    }

    fn take_in(&mut self, bytes: &[u8]) -> usize {
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
