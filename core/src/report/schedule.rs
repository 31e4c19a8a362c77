//! When to report: a state machine without a clock, a thread or a reporter.

use core::fmt;

/// What to do next, as [`Schedule::poll`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Action {
    /// Report now, then call [`Schedule::finished`].
    Report,
    /// A report is under way; poll again when it has finished.
    Busy,
    /// Nothing is due before `until`, in ticks; poll again then, or when it was stopped.
    Wait {
        /// The time of the next report, on the clock that polls.
        until: u64,
    },
    /// Nothing happens until it is started.
    Stopped,
}

/// Why a schedule did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StartError {
    /// It runs already, or its final report has not ended; stop it first, and poll it until it says
    /// [`Action::Stopped`].
    Running,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "reports are running already",
        })
    }
}

impl core::error::Error for StartError {}

/// How reports ended so far; the counts wrap, and go on after a restart.
///
/// ```
/// use tapes_core::report::{Action, Schedule, ScheduleStats};
///
/// let mut schedule = Schedule::every_ms(100, 1_000).with_final_report(false);
/// schedule.start(0).unwrap();
/// assert_eq!(schedule.poll(0), Action::Report);
/// schedule.finished(30, true);
/// assert!(schedule.is_running());
/// let ScheduleStats { reports, errors, .. } = schedule.stats();
/// assert_eq!((reports, errors), (1, 0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct ScheduleStats {
    /// Reports that succeeded.
    pub reports: u32,
    /// Reports that failed.
    pub errors: u32,
}

impl ScheduleStats {
    /// No reports.
    pub const ZERO: Self = Self { reports: 0, errors: 0 };

    /// Counts a report, for drivers that keep stats of their own.
    pub const fn count(&mut self, ok: bool) {
        let count = if ok { &mut self.reports } else { &mut self.errors };
        *count = count.wrapping_add(1);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Phase {
    Stopped,
    /// The next report is due at this time.
    Waiting(u64),
    Reporting,
    ReportingLast,
}

/// Decides when to report; what a report is, and how time passes, is the caller's.
///
/// Threads, tasks of any executor and plain loops drive the same state machine:
/// [`poll`](Self::poll) says what to do, [`finished`](Self::finished) how it went. For a loop,
/// [`Scheduler`](super::Scheduler) does both.
///
/// # The contract
///
/// - The first report is due at once, each further one an interval after the one before has
///   *ended*: a slow report delays the next, and two never overlap.
/// - A report that fails is counted, and the next one comes in its time.
/// - After [`stop`](Self::stop), the very next poll asks for the final report, or says that it has
///   stopped if [there is none](Self::with_final_report). A report that is under way ends first.
/// - It can be started again; starting it twice is an error and changes nothing.
///
/// ```
/// use tapes_core::report::{Action, Schedule, StartError};
///
/// let mut schedule = Schedule::new(100);
/// assert_eq!(schedule.poll(7), Action::Stopped);
/// schedule.start(7)?;
/// assert_eq!(schedule.poll(7), Action::Report);
/// schedule.finished(30, true); // it took a while
/// assert_eq!(schedule.poll(30), Action::Wait { until: 130 });
/// schedule.stop();
/// assert_eq!(schedule.poll(31), Action::Report); // the final one
/// schedule.finished(33, false);
/// assert_eq!(schedule.poll(33), Action::Stopped);
/// assert_eq!((schedule.stats().reports, schedule.stats().errors), (1, 1));
/// # Ok::<(), StartError>(())
/// ```
///
/// # Limits
///
/// Reports drift by the time they take: for a fixed pace, report from a ticker. A clock that goes
/// back, which it should not, delays a report by an interval at most.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a schedule does nothing unless it is polled"]
pub struct Schedule {
    /// Ticks from the end of a report to the next, at least 1.
    interval: u64,
    phase: Phase,
    /// Whether it was stopped while a report was under way or a final one is due.
    stopping: bool,
    final_report: bool,
    stats: ScheduleStats,
}

impl Schedule {
    /// Returns a stopped schedule with `interval` ticks between reports; 0 counts as 1.
    pub const fn new(interval: u64) -> Self {
        Self {
            interval: if interval == 0 { 1 } else { interval },
            phase: Phase::Stopped,
            stopping: false,
            final_report: true,
            stats: ScheduleStats::ZERO,
        }
    }

    /// Returns a stopped schedule with `interval_ms` milliseconds between reports, on a clock of `hz`
    /// ticks a second; rounds up, to 1 tick at least.
    pub const fn every_ms(interval_ms: u32, hz: u32) -> Self {
        Self::new((interval_ms as u64 * hz as u64).div_ceil(1_000))
    }

    /// Sets whether stopping makes a final report, so that nothing counted before is missing.
    ///
    /// Defaults to yes.
    pub const fn with_final_report(mut self, final_report: bool) -> Self {
        self.final_report = final_report;
        self
    }

    /// Starts it: the first report is due at once.
    ///
    /// # Errors
    ///
    /// [`StartError::Running`] if it was started and has not stopped.
    pub const fn start(&mut self, now: u64) -> Result<(), StartError> {
        if self.is_running() {
            return Err(StartError::Running);
        }
        self.phase = Phase::Waiting(now);
        self.stopping = false;
        Ok(())
    }

    /// Stops it; does nothing if it does not run.
    pub const fn stop(&mut self) {
        match self.phase {
            Phase::Waiting(_) if !self.final_report => self.phase = Phase::Stopped,
            Phase::Waiting(_) | Phase::Reporting => self.stopping = true,
            Phase::ReportingLast | Phase::Stopped => {}
        }
    }

    /// Says what to do at the time `now`, in ticks of a clock that does not go back.
    ///
    /// [`Action::Report`] is said once for each report.
    pub const fn poll(&mut self, now: u64) -> Action {
        match self.phase {
            Phase::Stopped => Action::Stopped,
            Phase::Reporting | Phase::ReportingLast => Action::Busy,
            Phase::Waiting(_) if self.stopping => {
                self.phase = Phase::ReportingLast;
                Action::Report
            }
            Phase::Waiting(due) if due <= now => {
                self.phase = Phase::Reporting;
                Action::Report
            }
            Phase::Waiting(due) => {
                let latest = now.saturating_add(self.interval);
                let until = if due > latest { latest } else { due };
                self.phase = Phase::Waiting(until);
                Action::Wait { until }
            }
        }
    }

    /// Says that the report which [`poll`](Self::poll) asked for ended at the time `now`, and
    /// whether it went well; without such a report, does nothing.
    pub const fn finished(&mut self, now: u64, ok: bool) {
        let due = Phase::Waiting(now.saturating_add(self.interval));
        self.phase = match self.phase {
            Phase::Reporting if self.stopping && !self.final_report => Phase::Stopped,
            Phase::Reporting => due,
            Phase::ReportingLast => Phase::Stopped,
            Phase::Stopped | Phase::Waiting(_) => return,
        };
        self.stats.count(ok);
    }

    /// Returns whether it was started and has not stopped; it has stopped when the final report has
    /// ended.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        !matches!(self.phase, Phase::Stopped)
    }

    /// Returns how reports ended so far.
    #[must_use]
    pub const fn stats(&self) -> ScheduleStats {
        self.stats
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Schedule, StartError};

    /// What a driver does; `poll` is followed by what the schedule must say.
    enum Step {
        Start,
        StartAgain,
        Stop,
        Poll(Action),
        Finished(bool),
    }
    use Step::{Finished, Poll, Start, StartAgain, Stop};

    const REPORT: Step = Poll(Action::Report);
    const BUSY: Step = Poll(Action::Busy);
    const STOPPED: Step = Poll(Action::Stopped);

    const fn wait(until: u64) -> Step {
        Poll(Action::Wait { until })
    }

    fn run(label: &str, schedule: &mut Schedule, steps: &[(u64, Step)]) {
        for (i, (now, step)) in steps.iter().enumerate() {
            match step {
                Start => assert_eq!(schedule.start(*now), Ok(()), "{label}, step {i}"),
                StartAgain => {
                    assert_eq!(schedule.start(*now), Err(StartError::Running), "{label}, step {i}");
                }
                Stop => schedule.stop(),
                Poll(expected) => assert_eq!(schedule.poll(*now), *expected, "{label}, step {i}"),
                Finished(ok) => schedule.finished(*now, *ok),
            }
        }
    }

    /// Label, whether there is a final report, times and steps, reports and errors in the end.
    type Row<'a> = (&'a str, bool, &'a [(u64, Step)], (u32, u32));

    /// Every sentence of the contract, step by step.
    #[test]
    fn contract() {
        #[rustfmt::skip]
        let rows: [Row<'_>; 12] = [
            ("never started", true, &[(0, STOPPED), (9, Stop), (9, STOPPED)], (0, 0)),
            ("first at once", true, &[(5, Start), (5, REPORT)], (0, 0)),
            ("first at once, polled late", true, &[(5, Start), (999, REPORT)], (0, 0)),
            ("fixed delay", true, &[
                (5, Start), (5, REPORT), (25, Finished(true)), (25, wait(125)), (124, wait(125)),
                (125, REPORT), (126, Finished(true)), (126, wait(226)), (500, REPORT),
            ], (2, 0)),
            ("no overlap", true, &[
                (0, Start), (0, REPORT), (0, BUSY), (1_000, BUSY), (1_000, Finished(true)),
                (1_000, wait(1_100)),
            ], (1, 0)),
            ("errors are not fatal", true, &[
                (0, Start), (0, REPORT), (1, Finished(false)), (1, wait(101)), (101, REPORT),
                (102, Finished(true)),
            ], (1, 1)),
            ("final report", true, &[
                (0, Start), (0, REPORT), (1, Finished(true)), (2, Stop), (2, REPORT), (2, BUSY),
                (3, Stop), (4, Finished(true)), (4, STOPPED), (9_999, STOPPED),
            ], (2, 0)),
            ("final report after one under way", true, &[
                (0, Start), (0, REPORT), (1, Stop), (1, BUSY), (2, StartAgain),
                (3, Finished(true)), (3, REPORT), (4, StartAgain), (5, Finished(false)), (5, STOPPED),
            ], (1, 1)),
            ("stopped before the first", true, &[
                (0, Start), (0, Stop), (0, REPORT), (1, Finished(true)), (1, STOPPED),
            ], (1, 0)),
            ("no final report", false, &[
                (0, Start), (0, REPORT), (1, Finished(true)), (2, Stop), (2, STOPPED), (2, Start),
                (2, REPORT), (3, Stop), (3, BUSY), (4, Finished(true)), (4, STOPPED),
            ], (2, 0)),
            ("restart", true, &[
                (0, Start), (0, StartAgain), (0, REPORT), (1, StartAgain), (1, Finished(true)),
                (1, StartAgain), (2, Stop), (2, StartAgain), (2, REPORT), (3, Finished(true)),
                (3, Start), (3, REPORT), (4, Finished(true)), (4, wait(104)),
            ], (3, 0)),
            ("finished without a report", true, &[
                (0, Finished(true)), (0, STOPPED), (0, Start), (0, Finished(true)), (0, REPORT),
                (1, Finished(true)), (1, Finished(true)), (1, wait(101)),
            ], (1, 0)),
        ];
        for (label, final_report, steps, stats) in rows {
            let mut schedule = Schedule::new(100).with_final_report(final_report);
            run(label, &mut schedule, steps);
            assert_eq!((schedule.stats().reports, schedule.stats().errors), stats, "{label}");
        }
    }

    /// A clock at its end, or one that was set back, must not stall reports for ages.
    #[test]
    fn odd_clocks() {
        let mut schedule = Schedule::new(100);
        let back = [
            (1_000, Start),
            (1_000, REPORT),
            (1_000, Finished(true)),
            (1_000, wait(1_100)),
            (5, wait(105)),
            (5, wait(105)),
            (105, REPORT),
        ];
        run("set back", &mut schedule, &back);
        let mut schedule = Schedule::new(u64::MAX);
        let end = [
            (u64::MAX - 1, Start),
            (u64::MAX - 1, REPORT),
            (u64::MAX - 1, Finished(true)),
            (u64::MAX - 1, wait(u64::MAX)),
            (u64::MAX, REPORT),
        ];
        run("the end of time", &mut schedule, &end);
    }

    /// An interval that rounds to nothing would report without end.
    #[test]
    fn intervals_round_up() {
        for (interval_ms, hz, ticks) in [
            (1_000, 1_000_000, 1_000_000),
            (1, 32_768, 33),
            (1, 1, 1),
            (0, 1_000, 1),
            (u32::MAX, u32::MAX, 18_446_744_065_119_618),
        ] {
            let label = std::format!("{interval_ms} ms at {hz} Hz");
            assert_eq!(Schedule::every_ms(interval_ms, hz), Schedule::new(ticks), "{label}");
        }
        assert_eq!(Schedule::new(0), Schedule::new(1));
    }
}
