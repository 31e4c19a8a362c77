//! Stopping threads that wait.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A request to stop, shared by clones: who waits for it wakes at once.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    state: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    /// Returns a request that was not made yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the request; there is no taking back.
    pub fn stop(&self) {
        let (stopped, wake) = &*self.state;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        wake.notify_all();
    }

    /// Returns whether the request was made.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the request, but no longer than `timeout`. Returns whether it was made.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> bool {
        let (stopped, wake) = &*self.state;
        let guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = wake.wait_timeout_while(guard, timeout, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Stop;

    /// A thread that waits out its pause before it looks makes every stop slow.
    #[test]
    fn a_waiting_thread_wakes_at_once() {
        let stop = Stop::new();
        assert!(!stop.wait(Duration::ZERO));
        let waiting = std::thread::spawn({
            let stop = stop.clone();
            move || stop.wait(Duration::from_secs(3_600))
        });
        stop.stop();
        assert!(waiting.join().unwrap());
        assert!(stop.is_stopped() && stop.wait(Duration::ZERO));
    }
}
