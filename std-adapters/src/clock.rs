//! Time for host code: a monotonic reading for ages and deadlines, the wall clock for exports only.
//!
//! Everything that compares two moments uses [`TimeSource::monotonic`]; a wall clock may jump. Tests
//! inject a [`ManualTime`] and never wait.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of host time.
pub trait TimeSource: Send + Sync + fmt::Debug {
    /// Returns the time since a fixed moment of this process; never goes back.
    fn monotonic(&self) -> Duration;

    /// Returns the time of day, for timestamps that leave this process.
    fn wall(&self) -> SystemTime;
}

/// The clocks of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemTimeSource {
    start: Instant,
}

impl SystemTimeSource {
    /// Returns a source whose monotonic time starts at zero now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemTimeSource {
    fn default() -> Self {
        Self::new()
    }
}

impl TimeSource for SystemTimeSource {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Time that stands still until it is told to move.
///
/// ```
/// use std::time::Duration;
/// use tapes_std::clock::{ManualTime, TimeSource};
/// let time = ManualTime::new();
/// time.advance(Duration::from_secs(5));
/// assert_eq!(time.monotonic(), Duration::from_secs(5));
/// ```
#[derive(Debug, Default)]
pub struct ManualTime {
    now: Mutex<Duration>,
}

impl ManualTime {
    /// Returns a source at zero, which on the wall clock is the Unix epoch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = now.saturating_add(by);
    }
}

impl TimeSource for ManualTime {
    fn monotonic(&self) -> Duration {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + self.monotonic()
    }
}
