//! A sender on a thread of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::courier::{Cargo, Courier, SenderStats};
use super::endpoint::Endpoint;
use super::omq::OmqUplink;
use super::settings::{ClientKeys, SocketError};

/// Longest time until the thread sees that it is asked for something.
const SLICE: Duration = Duration::from_millis(20);

/// What the thread and its owner both use.
#[derive(Debug, Default)]
struct Shared {
    stats: SenderStats,
    /// Until when the last report may be acknowledged.
    closing: Option<Instant>,
    /// Whether it was.
    kept: bool,
}

/// The thread that sends.
#[derive(Debug)]
pub(super) struct SenderThread {
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // Each change is one assignment.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SenderThread {
    /// Begins to send a cargo.
    pub(super) fn spawn(
        cargo: impl Cargo + 'static,
        endpoint: &Endpoint,
        keys: Option<ClientKeys>,
        interval: Duration,
    ) -> Result<Self, SocketError> {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let work = {
            let (shared, endpoint) = (Arc::clone(&shared), endpoint.clone());
            move || run(cargo, &endpoint, keys.as_ref(), interval, &shared)
        };
        let thread = std::thread::Builder::new().name("tapes-zmq-send".into()).spawn(work);
        let thread = thread.map_err(|error| SocketError::Thread(error.to_string()))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Returns what was done so far.
    pub(super) fn stats(&self) -> SenderStats {
        lock(&self.shared).stats
    }

    /// Makes a last report and waits until it is acknowledged, for at most `linger`. Returns
    /// whether it was, and what was done altogether.
    pub(super) fn close(mut self, linger: Duration) -> (bool, SenderStats) {
        self.end(linger);
        let shared = lock(&self.shared);
        (shared.kept, shared.stats)
    }

    fn end(&mut self, linger: Duration) {
        let now = Instant::now();
        lock(&self.shared).closing = Some(now.checked_add(linger).unwrap_or(now));
        if let Some(thread) = self.thread.take() {
            // A panic was reported by the thread; then nothing was acknowledged.
            let _ = thread.join();
        }
    }
}

impl Drop for SenderThread {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end(Duration::ZERO);
        }
    }
}

fn run(
    cargo: impl Cargo,
    endpoint: &Endpoint,
    keys: Option<&ClientKeys>,
    interval: Duration,
    shared: &Mutex<Shared>,
) {
    let start = Instant::now();
    let uplink = OmqUplink::connect(endpoint, keys);
    let mut courier = Courier::new(uplink, cargo, interval);
    let mut last = None;
    loop {
        courier.step(|| start.elapsed(), SLICE);
        let mut shared = lock(shared);
        shared.stats = courier.stats();
        let Some(deadline) = shared.closing else { continue };
        // The report under way may have begun before the last value was recorded: one that is
        // begun after the request is the last.
        if last.is_none() && courier.is_kept() {
            courier.hurry(start.elapsed());
            last = Some(shared.stats.reports);
        }
        shared.kept = last.is_some_and(|last| courier.is_kept() && shared.stats.reports > last);
        if shared.kept || Instant::now() >= deadline {
            return;
        }
    }
}
