//! Reports in a task of tokio.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tapes_core::report::{Action, ScheduleStats};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::StartError;
use super::run::{OnError, SharedSchedule, micros};

/// Something that sends reports and waits for what it sends to: what a [`TaskScheduler`] drives.
///
/// Any closure that takes the uptime and returns a future of a `Result` is one; a type of one's own
/// may write `async fn report`, if the future can be sent to another thread.
pub trait AsyncReporter {
    /// Why a report failed.
    type Error;

    /// Sends one report; `uptime_us` is the time by the clock that drives it, in microseconds.
    ///
    /// The future is dropped unfinished only if the runtime ends.
    ///
    /// # Errors
    ///
    /// Those of the reporter; the next report is due all the same.
    fn report(&mut self, uptime_us: u64) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

impl<F, Sent, T, E> AsyncReporter for F
where
    F: FnMut(u64) -> Sent + Send,
    Sent: Future<Output = Result<T, E>> + Send,
{
    type Error = E;

    async fn report(&mut self, uptime_us: u64) -> Result<(), E> {
        self(uptime_us).await.map(drop)
    }
}

/// Drives a reporter from a task of tokio; [the module](super) states the contract.
///
/// Time is tokio's, which tests can pause. Dropping the scheduler asks it to stop: the task makes
/// its final report, if the runtime lives on.
///
/// ```
/// use std::time::Duration;
/// use tapes_std::schedule::TaskScheduler;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let (sender, mut reports) = tokio::sync::mpsc::channel(8);
/// let mut scheduler = TaskScheduler::every(Duration::from_secs(10), move |uptime_us| {
///     let sender = sender.clone();
///     async move { sender.send(uptime_us).await } // a reporter would send the values of a source
/// });
/// scheduler.start()?;
/// reports.recv().await; // the first one, at once
/// scheduler.stop().await; // the final one
/// assert_eq!(scheduler.stats().reports, 2);
/// # Ok::<(), tapes_std::schedule::StartError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TaskScheduler<R: AsyncReporter> {
    final_report: bool,
    shared: Arc<Shared<R>>,
    task: Option<JoinHandle<()>>,
}

/// What the task and its owner both use.
struct Shared<R: AsyncReporter> {
    schedule: SharedSchedule,
    wake: Notify,
    /// Zero of the clock: the first start.
    origin: Mutex<Option<Instant>>,
    /// Locked while it reports.
    reporter: tokio::sync::Mutex<R>,
    on_error: Mutex<OnError<R::Error>>,
}

impl<R: AsyncReporter> fmt::Debug for TaskScheduler<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskScheduler")
            .field("schedule", &self.shared.schedule)
            .finish_non_exhaustive()
    }
}

impl<R: AsyncReporter> TaskScheduler<R> {
    /// Returns a stopped scheduler with `interval` from the end of a report to the next; rounds up,
    /// to 1 µs at least. Tokio's timers have a resolution of 1 ms.
    #[must_use]
    pub fn every(interval: Duration, reporter: R) -> Self {
        Self {
            final_report: true,
            shared: Arc::new(Shared {
                schedule: SharedSchedule::every(interval),
                wake: Notify::new(),
                origin: Mutex::default(),
                reporter: tokio::sync::Mutex::new(reporter),
                on_error: Mutex::default(),
            }),
            task: None,
        }
    }

    /// Sets what gets the errors of reports, as to log them. It runs in the task.
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
    pub async fn reporter(&self) -> tokio::sync::MutexGuard<'_, R> {
        self.shared.reporter.lock().await
    }

    /// Stops it: wakes the task, which makes the final report if there is to be one, and waits for
    /// its end. Does nothing if it does not run.
    pub async fn stop(&mut self) {
        self.ask_to_stop();
        if let Some(task) = &mut self.task {
            // A panic was counted where it was caught; a runtime that ended has ended the task too.
            let _ = task.await;
            self.task = None;
        }
    }

    fn ask_to_stop(&self) {
        self.shared.schedule.stop();
        self.shared.wake.notify_one();
    }
}

impl<R> TaskScheduler<R>
where
    R: AsyncReporter + Send + 'static,
    R::Error: Send + 'static,
{
    /// Starts it: the first report is made at once, in the task.
    ///
    /// # Errors
    ///
    /// [`StartError::Running`] if it was started and not stopped, [`StartError::NoRuntime`] outside
    /// of a tokio runtime.
    pub fn start(&mut self) -> Result<(), StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        if !self.shared.schedule.start(self.shared.now()) {
            return Err(StartError::Running);
        }
        let (shared, final_report) = (Arc::clone(&self.shared), self.final_report);
        let mut run = Run { shared, final_report, is_cut: true };
        self.task = Some(runtime.spawn(async move {
            run.run().await;
            run.is_over();
        }));
        Ok(())
    }
}

impl<R: AsyncReporter> Shared<R> {
    fn now(&self) -> Duration {
        let now = Instant::now();
        now.saturating_duration_since(*lock(&self.origin).get_or_insert(now))
    }
}

/// One run; however it ends, the schedule has stopped then.
struct Run<R: AsyncReporter> {
    shared: Arc<Shared<R>>,
    final_report: bool,
    /// Whether it is dropped before its end, with its runtime.
    is_cut: bool,
}

impl<R: AsyncReporter> Run<R> {
    fn is_over(&mut self) {
        self.is_cut = false;
    }

    async fn run(&self) {
        let Shared { schedule, wake, reporter, on_error, .. } = &*self.shared;
        loop {
            let now = self.shared.now();
            match schedule.poll(now) {
                Action::Report => {
                    let mut reporter = reporter.lock().await;
                    let result = caught(reporter.report(micros(now))).await;
                    drop(reporter);
                    schedule.finished(self.shared.now(), matches!(result, Some(Ok(()))));
                    if let Some(Err(error)) = result
                        && lock(on_error).take(error)
                    {
                        return schedule.end(self.final_report);
                    }
                }
                Action::Wait { until } => {
                    let left = Duration::from_micros(until).saturating_sub(now);
                    // Woken or not: the schedule says what is next.
                    let _ = tokio::time::timeout(left, wake.notified()).await;
                }
                _ => return,
            }
        }
    }
}

impl<R: AsyncReporter> Drop for Run<R> {
    fn drop(&mut self) {
        if self.is_cut {
            self.shared.schedule.end(self.final_report);
        }
    }
}

impl<R: AsyncReporter> Drop for TaskScheduler<R> {
    fn drop(&mut self) {
        self.ask_to_stop();
    }
}

/// Returns what a future gives, `None` if it panics.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let poll = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match poll {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
