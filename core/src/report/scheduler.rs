//! Reports from a loop: a schedule with a clock, a reporter and a hook for errors.

use core::fmt;

use super::schedule::{Action, Schedule, ScheduleStats, StartError};
use crate::clock::Uptime;

/// Something that sends reports: what a [`Scheduler`], a thread or a task drives.
///
/// Any closure that takes the uptime and returns a `Result` is one, so a reporter is given its
/// source and its writer where they are at hand:
///
/// ```
/// use tapes_core::report::Reporter;
/// # use std::fmt::Error;
/// # fn send(_: &str, _: u64) -> Result<usize, Error> { Ok(3) }
///
/// fn twice(reporter: &mut impl Reporter<Error = Error>) -> Result<(), Error> {
///     reporter.report(0)?;
///     reporter.report(1_000)
/// }
/// twice(&mut |uptime| send("source", uptime))?;
/// # Ok::<(), Error>(())
/// ```
pub trait Reporter {
    /// Why a report failed.
    type Error;

    /// Sends one report; `uptime` is the time since the start, in ticks of the clock that drives
    /// it.
    ///
    /// # Errors
    ///
    /// Those of the reporter; the next report is due all the same.
    fn report(&mut self, uptime: u64) -> Result<(), Self::Error>;
}

impl<F, T, E> Reporter for F
where
    F: FnMut(u64) -> Result<T, E>,
{
    type Error = E;

    fn report(&mut self, uptime: u64) -> Result<(), E> {
        self(uptime).map(drop)
    }
}

/// Drives a reporter from a loop: reports when one is due, counts errors and hands them to a hook.
///
/// ```
/// use tapes_core::clock::ManualClock;
/// use tapes_core::report::{Action, Scheduler, StartError};
///
/// let clock = ManualClock::<1_000>::new();
/// let mut sent = Vec::new();
/// let mut reports = Scheduler::every_ms(500, &clock, |uptime| -> Result<(), ()> {
///     sent.push(uptime); // a reporter would send the values of a source
///     Ok(())
/// });
/// reports.start()?;
/// for _ in 0..4 {
///     let next = reports.poll(); // sleep until then
///     assert!(matches!(next, Action::Wait { .. }));
///     clock.advance(300);
/// }
/// reports.stop(); // sends the final report
/// drop(reports);
/// assert_eq!(sent, [0, 600, 1_200]);
/// # Ok::<(), StartError>(())
/// ```
///
/// The contract is that of [`Schedule`].
///
/// # Interrupts and cores
///
/// One context polls, starts and stops it. Reports run in that context.
pub struct Scheduler<C, R: Reporter, H = fn(<R as Reporter>::Error)> {
    pub(super) schedule: Schedule,
    clock: C,
    reporter: R,
    /// Gets every error.
    hook: H,
}

impl<C, R: Reporter, H> fmt::Debug for Scheduler<C, R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler").field("schedule", &self.schedule).finish_non_exhaustive()
    }
}

impl<C: Uptime, R: Reporter> Scheduler<C, R> {
    /// Returns a stopped scheduler with `interval_ms` milliseconds from the end of a report to the
    /// next; rounds up, to 1 tick at least.
    #[must_use]
    pub fn every_ms(interval_ms: u32, clock: C, reporter: R) -> Self {
        Self::new(Schedule::every_ms(interval_ms, C::HZ), clock, reporter)
    }

    /// Returns a scheduler of a schedule in ticks of `clock`.
    #[must_use]
    pub fn new(schedule: Schedule, clock: C, reporter: R) -> Self {
        Self { schedule, clock, reporter, hook: |_| {} }
    }
}

impl<C: Uptime, R: Reporter, H: FnMut(R::Error)> Scheduler<C, R, H> {
    /// Sets what gets the errors of reports, as to log them.
    ///
    /// Defaults to nothing; they are counted all the same.
    ///
    /// ```
    /// use tapes_core::clock::ManualClock;
    /// use tapes_core::report::Scheduler;
    ///
    /// let clock = ManualClock::<1_000>::new();
    /// let mut reasons = Vec::new();
    /// let mut reports = Scheduler::every_ms(100, &clock, |_| Err::<(), _>("no link"))
    ///     .with_error_hook(|reason| reasons.push(reason))
    ///     .with_final_report(false);
    /// reports.start().unwrap();
    /// reports.poll();
    /// assert!(reports.is_running()); // an error ends nothing
    /// drop(reports);
    /// assert_eq!(reasons, ["no link"]);
    /// ```
    #[must_use]
    pub fn with_error_hook<G: FnMut(R::Error)>(self, hook: G) -> Scheduler<C, R, G> {
        let Self { schedule, clock, reporter, hook: _ } = self;
        Scheduler { schedule, clock, reporter, hook }
    }

    /// As [`Schedule::with_final_report`].
    ///
    /// Defaults to yes.
    #[must_use]
    pub fn with_final_report(mut self, final_report: bool) -> Self {
        self.schedule = self.schedule.with_final_report(final_report);
        self
    }

    /// Starts it; the next [`poll`](Self::poll) makes the first report.
    ///
    /// # Errors
    ///
    /// [`StartError::Running`] if it was started and not stopped.
    pub fn start(&mut self) -> Result<(), StartError> {
        self.schedule.start(self.clock.uptime())
    }

    /// Reports if it is time to, and returns until when to wait, or that it has stopped.
    pub fn poll(&mut self) -> Action {
        let now = self.clock.uptime();
        let action = self.schedule.poll(now);
        if action != Action::Report {
            return action;
        }
        let result = self.reporter.report(now);
        let now = self.clock.uptime();
        self.schedule.finished(now, result.is_ok());
        if let Err(error) = result {
            (self.hook)(error);
        }
        self.schedule.poll(now)
    }

    /// Stops it: makes the final report, if there is to be one, and returns when that has ended.
    ///
    /// Does nothing if it does not run.
    pub fn stop(&mut self) {
        self.schedule.stop();
        self.poll();
    }

    /// Returns whether it was started and not stopped.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.schedule.is_running()
    }

    /// Returns how reports ended so far.
    #[must_use]
    pub const fn stats(&self) -> ScheduleStats {
        self.schedule.stats()
    }

    /// Returns the reporter.
    #[must_use]
    pub const fn reporter(&mut self) -> &mut R {
        &mut self.reporter
    }
}
