//! Reports on a thread.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tapes_core::report::{Action, Reporter, ScheduleStats};

use super::StartError;
use super::run::{OnError, SharedSchedule, micros};
use crate::clock::{Alarm, SystemTimeSource, TimeSource};

/// Drives a reporter from a thread of its own; [the module](super) states the contract.
///
/// The reporter is told the microseconds of the clock. Dropping the scheduler stops it, as
/// [`stop`](Self::stop) does.
pub struct ThreadScheduler<R: Reporter> {
    name: String,
    final_report: bool,
    time: Arc<dyn TimeSource>,
    shared: Arc<Shared<R>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread and its owner both use.
struct Shared<R: Reporter> {
    schedule: SharedSchedule,
    alarm: Arc<Alarm>,
    /// Locked while it reports.
    reporter: Mutex<R>,
    on_error: Mutex<OnError<R::Error>>,
}

impl<R: Reporter> fmt::Debug for ThreadScheduler<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadScheduler")
            .field("name", &self.name)
            .field("schedule", &self.shared.schedule)
            .finish_non_exhaustive()
    }
}

impl<R: Reporter> ThreadScheduler<R> {
    /// Returns a stopped scheduler with `interval` from the end of a report to the next; rounds up,
    /// to 1 µs at least.
    #[must_use]
    pub fn every(interval: Duration, reporter: R) -> Self {
        Self {
            name: "tapes-report".to_owned(),
            final_report: true,
            time: Arc::new(SystemTimeSource::new()),
            shared: Arc::new(Shared {
                schedule: SharedSchedule::every(interval),
                alarm: Arc::new(Alarm::new()),
                reporter: Mutex::new(reporter),
                on_error: Mutex::default(),
            }),
            thread: None,
        }
    }

    /// Sets what gets the errors of reports, as to log them. It runs on the thread.
    ///
    /// Defaults to nothing; they are counted all the same.
    #[must_use]
    pub fn with_error_hook(self, hook: impl FnMut(R::Error) + Send + 'static) -> Self {
        lock(&self.shared.on_error).set_hook(hook);
        self
    }

    /// Sets which errors leave nothing to report to, like a closed pipe: reports end with them,
    /// without a final one.
    ///
    /// Defaults to none.
    #[must_use]
    pub fn ending_when(self, is_end: impl FnMut(&R::Error) -> bool + Send + 'static) -> Self {
        lock(&self.shared.on_error).set_end(is_end);
        self
    }

    /// Sets whether stopping makes a final report, so that nothing counted before is missing.
    ///
    /// Defaults to yes.
    #[must_use]
    pub fn with_final_report(mut self, final_report: bool) -> Self {
        self.final_report = final_report;
        self.shared.schedule.set_final_report(final_report);
        self
    }

    /// Sets the clock; only before the first start.
    ///
    /// Defaults to the clock of the system.
    #[must_use]
    pub fn with_time(mut self, time: Arc<dyn TimeSource>) -> Self {
        self.time = time;
        self
    }

    /// Sets the name of the thread; systems show its first 15 bytes or so.
    ///
    /// Defaults to `tapes-report`.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        // A name with a zero byte cannot be given to a thread.
        self.name = name.into().replace('\0', "_");
        self
    }

    /// Returns whether it was started and has not stopped.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.shared.schedule.is_running()
    }

    /// Returns how reports ended so far; a panic counts as an error.
    #[must_use]
    pub fn stats(&self) -> ScheduleStats {
        self.shared.schedule.stats()
    }

    /// Returns the reporter, locked; waits for a report under way, and keeps the next from
    /// beginning.
    pub fn reporter(&self) -> MutexGuard<'_, R> {
        lock(&self.shared.reporter)
    }

    /// Stops it: wakes the thread, which makes the final report if there is to be one, and waits for
    /// its end. Does nothing if it does not run.
    pub fn stop(&mut self) {
        self.shared.schedule.stop();
        self.shared.alarm.ring();
        self.join();
    }

    fn join(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if thread.thread().id() == std::thread::current().id() {
            // Dropped by its own hook: the thread ends when that returns.
            return;
        }
        // A panic was counted where it was caught.
        let _ = thread.join();
    }
}

impl<R> ThreadScheduler<R>
where
    R: Reporter + Send + 'static,
    R::Error: 'static,
{
    /// Starts it: the first report is made at once, on the thread.
    ///
    /// # Errors
    ///
    /// [`StartError::Running`] if it was started and not stopped, [`StartError::Thread`] if the
    /// system gives no thread.
    pub fn start(&mut self) -> Result<(), StartError> {
        if !self.shared.schedule.start(self.time.monotonic()) {
            return Err(StartError::Running);
        }
        // The thread of a run that ended by itself.
        self.join();
        let (shared, time) = (Arc::clone(&self.shared), Arc::clone(&self.time));
        let final_report = self.final_report;
        let work = move || shared.run(&*time, final_report);
        match std::thread::Builder::new().name(self.name.clone()).spawn(work) {
            Ok(thread) => {
                self.thread = Some(thread);
                Ok(())
            }
            Err(error) => {
                self.shared.schedule.end(self.final_report);
                Err(StartError::Thread(error))
            }
        }
    }
}

impl<R: Reporter> Shared<R> {
    fn run(&self, time: &dyn TimeSource, final_report: bool) {
        loop {
            let now = time.monotonic();
            match self.schedule.poll(now) {
                Action::Report => {
                    let report = || lock(&self.reporter).report(micros(now));
                    let result = catch_unwind(AssertUnwindSafe(report));
                    self.schedule.finished(time.monotonic(), matches!(result, Ok(Ok(()))));
                    if let Ok(Err(error)) = result
                        && lock(&self.on_error).take(error)
                    {
                        return self.schedule.end(final_report);
                    }
                }
                Action::Wait { until } => time.wait(Duration::from_micros(until), &self.alarm),
                _ => return,
            }
        }
    }
}

impl<R: Reporter> Drop for ThreadScheduler<R> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A report that panicked leaves the reporter as it was; the next one goes on from there.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
