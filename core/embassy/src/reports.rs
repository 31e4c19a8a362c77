//! Whatever is reported, on a schedule.

use core::fmt;

use embassy_time::{Duration, Instant, TimeoutError, with_timeout};
use tapes_core::report::{Action, Schedule, StartError};

use crate::control::Control;

/// Why a report failed.
///
/// ```
/// use tapes_embassy::Failure;
///
/// /// A hook for `Reports::run_with_hook`.
/// fn noted<E>(failure: Failure<E>) -> bool {
///     matches!(failure, Failure::TimedOut) // a link that hangs, not one that refuses
/// }
/// assert!(noted(Failure::<()>::TimedOut));
/// assert!(!noted(Failure::Report(())));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Failure<E> {
    /// The reporter said so.
    Report(E),
    /// It took longer than [`Reports::with_timeout`] allows, and was given up; see to the link.
    TimedOut,
}

impl<E> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report(_) => "report failed",
            Self::TimedOut => "report took too long",
        })
    }
}

impl<E: core::error::Error + 'static> core::error::Error for Failure<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Report(error) => Some(error),
            Self::TimedOut => None,
        }
    }
}

/// Reports on a schedule, in the task that runs it: at first at once, then an interval after the
/// report before has ended.
///
/// The contract is that of [`Schedule`].
///
/// ```
/// use embassy_time::Duration;
/// use embedded_io_async::Write;
/// use tapes_core::report::{Json, TextReporter};
/// use tapes_embassy::{Control, Reports};
/// # fn kelvin() -> f32 { 300.0 }
/// # fn led_on() {}
///
/// tapes_core::metrics! {
///     static MOTOR: MotorMetrics = "motor" { temperature: Gauge<f32> }
/// }
/// static REPORTS: Control = Control::new();
///
/// async fn reports(mut uart: impl Write) {
///     let mut reporter = TextReporter::<Json, 0, 64>::new(Json::new());
///     let reports = Reports::every(Duration::from_secs(10)).with_timeout(Duration::from_secs(2));
///     let report = async |_uptime| {
///         MOTOR.temperature.set(kelvin());
///         reporter.report_async(&MOTOR, &mut uart).await
///     };
///     let _ = reports.run_with_hook(&REPORTS, report, |_failure| led_on()).await;
/// }
/// ```
#[derive(Debug, Clone)]
#[must_use = "reports are made while `run` is awaited"]
pub struct Reports {
    schedule: Schedule,
    /// As in [`with_timeout`](Self::with_timeout).
    timeout: Option<Duration>,
}

impl Reports {
    /// Returns reports with this interval, of one tick at least, from the end of one to the next.
    pub const fn every(interval: Duration) -> Self {
        Self { schedule: Schedule::new(interval.as_ticks()), timeout: None }
    }

    /// Sets whether stopping makes a final report.
    ///
    /// Defaults to yes.
    pub fn with_final_report(mut self, final_report: bool) -> Self {
        self.schedule = self.schedule.with_final_report(final_report);
        self
    }

    /// Sets how long a report may take before it is given up and counted as failed, so that a link
    /// that takes nothing any more blocks neither the next report nor a stop for longer.
    ///
    /// Defaults to no limit.
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Reports until `control` stops it; `report` gets the uptime in ticks of embassy's clock.
    ///
    /// Errors are counted in the stats of `control`, and end nothing. Dropping the future stops it
    /// without a final report.
    ///
    /// # Errors
    ///
    /// [`StartError::Running`] if somebody reports with `control` already.
    pub async fn run<T, E>(
        self,
        control: &Control,
        report: impl AsyncFnMut(u64) -> Result<T, E>,
    ) -> Result<(), StartError> {
        self.run_with_hook(control, report, |_| {}).await
    }

    /// As [`run`](Self::run), and hands every failure to `hook`, as to log it.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_with_hook<T, E>(
        mut self,
        control: &Control,
        mut report: impl AsyncFnMut(u64) -> Result<T, E>,
        mut hook: impl FnMut(Failure<E>),
    ) -> Result<(), StartError> {
        let running = control.start()?;
        self.schedule.start(now())?;
        loop {
            if running.is_stopping() {
                self.schedule.stop();
            }
            match self.schedule.poll(now()) {
                Action::Report => {
                    let result = limited(self.timeout, report(now())).await;
                    self.schedule.finished(now(), result.is_ok());
                    running.count(result.is_ok());
                    if let Err(failure) = result {
                        hook(failure);
                    }
                }
                Action::Wait { until } => running.wait(until).await,
                _ => return Ok(()),
            }
        }
    }
}

fn now() -> u64 {
    Instant::now().as_ticks()
}

/// Awaits a report, for as long as it may take.
async fn limited<T, E>(
    timeout: Option<Duration>,
    report: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure<E>> {
    let result = match timeout {
        Some(timeout) => with_timeout(timeout, report).await,
        None => Ok(report.await),
    };
    match result {
        Ok(result) => result.map_err(Failure::Report),
        Err(TimeoutError) => Err(Failure::TimedOut),
    }
}
