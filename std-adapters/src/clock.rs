//! Time for host code: a monotonic reading for ages and deadlines, the wall clock for exports only.
//!
//! Everything that compares two moments uses [`TimeSource::monotonic`]; a wall clock may jump. Tests
//! inject a [`ManualTime`] and never wait.

#[cfg(feature = "tsc")]
mod tsc;

#[cfg(feature = "tsc")]
pub use tsc::TscClock;

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of host time.
pub trait TimeSource: Send + Sync + fmt::Debug {
    /// Returns the time since a fixed moment of this process; never goes back.
    fn monotonic(&self) -> Duration;

    /// Returns the time of day, for timestamps that leave this process.
    fn wall(&self) -> SystemTime;

    /// Blocks until the monotonic time is `until`, or `alarm` rings; may return early, so look at
    /// the time again.
    fn wait(&self, until: Duration, alarm: &Arc<Alarm>) {
        alarm.wait_timeout(until.saturating_sub(self.monotonic()));
    }
}

/// What wakes a thread that waits for a time: a bell whose ring is kept until somebody hears it.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tapes_std::clock::{Alarm, SystemTimeSource, TimeSource};
///
/// let alarm = Arc::new(Alarm::new());
/// alarm.ring(); // from any thread, before or while one waits
/// SystemTimeSource::new().wait(Duration::from_secs(3_600), &alarm); // returns at once
/// ```
#[derive(Debug, Default)]
pub struct Alarm {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Alarm {
    /// Returns an alarm that has not rung.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes who waits; if nobody does, who waits next.
    pub fn ring(&self) {
        *lock(&self.rung) = true;
        self.bell.notify_all();
    }

    /// Blocks until it rings.
    pub fn wait(&self) {
        let rung = lock(&self.rung);
        let heard = self.bell.wait_while(rung, |rung| !*rung);
        *heard.unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// Blocks until it rings, but no longer than `timeout`.
    pub fn wait_timeout(&self, timeout: Duration) {
        let rung = lock(&self.rung);
        let heard = self.bell.wait_timeout_while(rung, timeout, |rung| !*rung);
        *heard.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

/// A thread that panicked leaves what it held as it was before or after one change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Until when threads wait, and what wakes them; those that came back are removed when the next
    /// one comes.
    waiting: Mutex<Vec<(Duration, Weak<Alarm>)>>,
    came: Condvar,
}

impl ManualTime {
    /// Returns a source at zero, which on the wall clock is the Unix epoch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves both clocks forward, and wakes who waits for a time that has come.
    pub fn advance(&self, by: Duration) {
        let now = {
            let mut now = lock(&self.now);
            *now = now.saturating_add(by);
            *now
        };
        lock(&self.waiting).retain(|(until, alarm)| {
            let is_due = *until <= now;
            if let (true, Some(alarm)) = (is_due, alarm.upgrade()) {
                alarm.ring();
            }
            !is_due
        });
    }

    /// Blocks until some thread [waits](TimeSource::wait) for exactly `until`, which is how a test
    /// knows that the thread has done everything that was due before.
    pub fn until_waited_for(&self, until: Duration) {
        let waiting = lock(&self.waiting);
        let is_awaited = |waiting: &mut Vec<(Duration, Weak<Alarm>)>| {
            waiting.iter().any(|(wanted, _)| *wanted == until)
        };
        let waited = self.came.wait_while(waiting, |waiting| !is_awaited(waiting));
        drop(waited);
    }
}

impl TimeSource for ManualTime {
    fn monotonic(&self) -> Duration {
        *lock(&self.now)
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + self.monotonic()
    }

    fn wait(&self, until: Duration, alarm: &Arc<Alarm>) {
        {
            // Under the lock, so that time that moves meanwhile finds the entry.
            let mut waiting = lock(&self.waiting);
            waiting.retain(|(_, other)| other.strong_count() > 0 && !is_same(other, alarm));
            if until <= self.monotonic() {
                return;
            }
            waiting.push((until, Arc::downgrade(alarm)));
        }
        self.came.notify_all();
        alarm.wait();
        lock(&self.waiting).retain(|(_, other)| !is_same(other, alarm));
    }
}

fn is_same(weak: &Weak<Alarm>, alarm: &Arc<Alarm>) -> bool {
    std::ptr::eq(weak.as_ptr(), Arc::as_ptr(alarm))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Alarm, ManualTime, TimeSource};

    /// A ring or a step of time that is lost leaves a thread asleep for ever.
    #[test]
    fn a_waiting_thread_wakes_when_its_time_has_come_or_its_alarm_rings() {
        let (time, alarm) = (Arc::new(ManualTime::new()), Arc::new(Alarm::new()));
        let waiting = std::thread::spawn({
            let (time, alarm) = (Arc::clone(&time), Arc::clone(&alarm));
            move || {
                time.wait(Duration::from_secs(2), &alarm);
                let due = time.monotonic();
                time.wait(Duration::from_secs(9), &alarm);
                (due, time.monotonic())
            }
        });
        time.until_waited_for(Duration::from_secs(2));
        time.advance(Duration::from_secs(1));
        time.advance(Duration::from_secs(1));
        time.until_waited_for(Duration::from_secs(9));
        alarm.ring();
        let seconds = waiting.join().unwrap();
        assert_eq!(seconds, (Duration::from_secs(2), Duration::from_secs(2)));
    }
}
