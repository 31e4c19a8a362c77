//! Schedulers: what makes a reporter report, on a thread or in a task of tokio.
//!
//! | driver | runs |
//! |---|---|
//! | [`ThreadScheduler`] | a [`Reporter`] on a thread of its own |
//! | `TaskScheduler` (feature `tokio`) | an `AsyncReporter` as a task |
//! | [`tapes_core::report::Scheduler`] | a [`Reporter`] from a loop that polls |
//! | `tapes_embassy::report_every` | frames as a task of embassy |
//!
//! All keep the contract of [`Schedule`](tapes_core::report::Schedule): the first report comes at
//! once, each further one an interval after the one before has ended, so that two never overlap;
//! a report that fails, or panics, is counted and the next one comes in its time; stopping is
//! prompt and makes a final report, unless that is switched off; what was stopped can be started
//! again, and starting twice is an error.
//!
//! ```
//! use std::time::Duration;
//! use tapes_std::schedule::ThreadScheduler;
//!
//! let (sender, reports) = std::sync::mpsc::channel();
//! let mut scheduler = ThreadScheduler::every(Duration::from_secs(10), move |uptime_us: u64| {
//!     sender.send(uptime_us) // a reporter would send the values of a source
//! })
//! .with_error_hook(|error| eprintln!("no report: {error}"));
//! scheduler.start()?;
//! reports.recv()?; // the first one, at once
//! scheduler.stop(); // the final one
//! reports.recv()?;
//! assert_eq!(scheduler.stats().reports, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! Stopping waits for a report under way, so reporters should bound how long they take.

mod run;
#[cfg(feature = "tokio")]
mod task;
mod thread;

use std::{fmt, io};

pub use tapes_core::report::{Reporter, ScheduleStats};

#[cfg(feature = "tokio")]
pub use self::task::{AsyncReporter, TaskScheduler};
pub use self::thread::ThreadScheduler;

/// Why reports did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// They run already, or the final report has not ended; stop them first.
    Running,
    /// The system gave no thread.
    Thread(io::Error),
    /// There is no tokio runtime here; start them from within one.
    NoRuntime,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("reports are running already"),
            Self::Thread(source) => write!(f, "no thread for reports: {source}"),
            Self::NoRuntime => f.write_str("no tokio runtime to report in"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(source) => Some(source),
            Self::Running | Self::NoRuntime => None,
        }
    }
}
