//! StatsD: reports to the original, to Datadog's agent, and to dashboards made for the Python
//! library tapes.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//! use tapes_std::local::Local;
//! use tapes_std::schedule::ThreadScheduler;
//! use tapes_std::statsd::StatsdReporter;
//!
//! static REGISTRY: tapes_core::Registry<64, 1024> = tapes_core::Registry::new();
//!
//! let reporter = StatsdReporter::builder("metrics.example:8125")
//!     .with_prefix("gateway")
//!     .build(Arc::new(Local::new(&REGISTRY)))?;
//! let sent = reporter.stats();
//! let mut reports = ThreadScheduler::every(Duration::from_secs(10), reporter)
//!     .with_error_hook(|error| eprintln!("{error}"));
//! reports.start()?;
//! REGISTRY.counter("jobs.done")?.increment();
//! reports.stop();
//! assert_eq!(sent.get().datagrams_sent, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In a task of tokio, [`build_async`](StatsdBuilder::build_async) and a
//! [`TaskScheduler`](crate::schedule::TaskScheduler) do the same (feature `tokio`).
//!
//! # What is sent
//!
//! [`tapes_core::text::statsd`] has the table of kinds and lines. Numbers are plain decimals, exact
//! wherever they were recorded exactly, all six quantiles included.
//!
//! - **Counts grow at most once.** Servers add counters up, so they are sent the growth since the
//!   last report. A count is taken as reported when the system takes the datagram that has it: what
//!   cannot be sent is part of the next report, and what was sent is never sent again, arrived or
//!   not. What this process counted before the first report is part of that; a device's count that
//!   is seen for the first time may be years old, and is where counting begins. For numbers that no
//!   loss can bend, send [totals](StatsdBuilder::with_totals), which are gauges.
//! - **Negative gauges** are set to 0 first where a sign means a change, in the same datagram;
//!   Datadog's agent sets them as they are.
//! - **Names** are sanitised. Devices and labels are tags in DogStatsD, and levels of the name
//!   elsewhere: `device.motor.heat.left`.
//! - **Distributions** of DogStatsD, instead of statistics of one process, on
//!   [request](StatsdBuilder::with_distributions): what each bucket has grown by, at the value that
//!   stands for it, within 8.7 % at the default scale.
//!
//! # Datagrams
//!
//! Lines are packed into datagrams of a [`PacketSize`] and never cut. Every line that has no tags
//! or label values fits, which is checked when this compiles; others that do not fit are left out
//! and counted.
//!
//! # What is lost
//!
//! Nothing here waits: a datagram that the system does not take at once is dropped, counted, and
//! made up for by the next report. UDP tells nobody about datagrams that are lost on the way; where
//! the server's machine answers that nobody listens, they are counted as refused.
//! [`StatsdReporter::stats`] has all counts. Baselines are kept in memory: a process that starts
//! again counts from 0, as its metrics do.

#[cfg(feature = "tokio")]
mod asynchronous;
mod baselines;
mod batch;
mod builder;
mod engine;
mod error;
mod link;
mod lookup;
mod packet;
mod reporter;
mod stats;
#[cfg(unix)]
mod stream;
mod target;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use tapes_core::text::statsd::Dialect;

#[cfg(feature = "tokio")]
pub use self::asynchronous::AsyncStatsdReporter;
pub use self::builder::StatsdBuilder;
pub use self::error::{BuildError, StatsdError};
pub use self::packet::PacketSize;
pub use self::reporter::StatsdReporter;
pub use self::stats::{StatsHandle, StatsdStats};
pub use self::target::Target;

/// How often the server's name is looked up, unless told otherwise.
const LOOKUP_INTERVAL_DEFAULT: Duration = Duration::from_secs(60);
