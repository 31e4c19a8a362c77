//! The schedule of one reporter, shared between who drives it and who starts and stops it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tapes_core::report::{Action, Schedule, ScheduleStats};

/// A [`Schedule`] in microseconds, behind a lock.
#[derive(Debug)]
pub(super) struct SharedSchedule {
    schedule: Mutex<Schedule>,
}

impl SharedSchedule {
    pub(super) fn every(interval: Duration) -> Self {
        // Rounded up, as the schedule itself does.
        let interval = interval.saturating_add(Duration::from_nanos(999));
        Self { schedule: Mutex::new(Schedule::new(micros(interval))) }
    }

    fn lock(&self) -> MutexGuard<'_, Schedule> {
        // Each change is one call.
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_final_report(&self, final_report: bool) {
        let mut schedule = self.lock();
        *schedule = schedule.clone().with_final_report(final_report);
    }

    /// Starts it; false if it runs.
    pub(super) fn start(&self, now: Duration) -> bool {
        self.lock().start(micros(now)).is_ok()
    }

    pub(super) fn poll(&self, now: Duration) -> Action {
        self.lock().poll(micros(now))
    }

    pub(super) fn finished(&self, now: Duration, ok: bool) {
        self.lock().finished(micros(now), ok);
    }

    /// Asks for the final report, or the end.
    pub(super) fn stop(&self) {
        self.lock().stop();
    }

    /// Ends it at once, without a final report. `final_report` is what it is set to.
    pub(super) fn end(&self, final_report: bool) {
        let mut schedule = self.lock();
        let mut ending = schedule.clone().with_final_report(false);
        ending.stop();
        if ending.is_running() {
            // Nobody will say how the report under way ended.
            ending.finished(0, false);
        }
        *schedule = ending.with_final_report(final_report);
    }

    pub(super) fn is_running(&self) -> bool {
        self.lock().is_running()
    }

    pub(super) fn stats(&self) -> ScheduleStats {
        self.lock().stats()
    }
}

/// Returns whole microseconds, for 584,000 years.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

type Hook<E> = Box<dyn FnMut(E) + Send>;
type IsEnd<E> = Box<dyn FnMut(&E) -> bool + Send>;

/// What is done with the errors of reports.
pub(super) struct OnError<E> {
    hook: Option<Hook<E>>,
    is_end: Option<IsEnd<E>>,
}

impl<E> Default for OnError<E> {
    fn default() -> Self {
        Self { hook: None, is_end: None }
    }
}

impl<E> OnError<E> {
    pub(super) fn set_hook(&mut self, hook: impl FnMut(E) + Send + 'static) {
        self.hook = Some(Box::new(hook));
    }

    pub(super) fn set_end(&mut self, is_end: impl FnMut(&E) -> bool + Send + 'static) {
        self.is_end = Some(Box::new(is_end));
    }

    /// Hands an error over; returns whether reports end with it. A panic here is no reason to.
    pub(super) fn take(&mut self, error: E) -> bool {
        let Self { hook, is_end } = self;
        let ask = || is_end.as_mut().is_some_and(|is_end| is_end(&error));
        let is_end = catch_unwind(AssertUnwindSafe(ask)).unwrap_or(false);
        if let Some(hook) = hook {
            let _ = catch_unwind(AssertUnwindSafe(|| hook(error)));
        }
        is_end
    }
}
