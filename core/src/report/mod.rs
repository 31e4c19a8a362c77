//! Reporters, and when they report.
//!
//! | reporter | sends | over |
//! |---|---|---|
//! | `SerialReporter` (features `embedded-io…`) | frames, for a gateway | a writer |
//! | [`TextReporter`] | JSON, Prometheus text, StatsD lines | a writer, or whatever takes bytes |
//! | `DefmtReporter` (feature `defmt`) | one log frame for each metric | the logger of the binary |
//!
//! ```
//! # #[cfg(feature = "embedded-io")] {
//! use tapes_core::clock::ManualClock;
//! use tapes_core::report::{Scheduler, SerialReporter};
//! use tapes_core::wire::{Epoch, Identity, Origin};
//!
//! tapes_core::metrics! {
//!     static RADIO: RadioMetrics = "radio" { sent: Counter }
//! }
//!
//! let identity = Identity::new(Origin::from_array(*b"board-1"), Epoch::new(0, 42), 1_000);
//! let mut reporter = SerialReporter::<1, 1, 256>::new(identity);
//! let mut line = [0; 512];
//! let mut uart = line.as_mut_slice(); // any `embedded_io::Write`
//!
//! // By hand, whenever it suits:
//! let report = reporter.report(&RADIO, 1_234, &mut uart).unwrap();
//! assert_eq!(report.frames, 3); // HELLO, DICT, DATA
//!
//! // Or once a second:
//! let clock = ManualClock::<1_000>::new();
//! let mut reports =
//!     Scheduler::every_ms(1_000, &clock, |uptime| reporter.report(&RADIO, uptime, &mut uart));
//! reports.start().unwrap();
//! reports.poll(); // in the main loop
//! assert_eq!(reports.stats().reports, 1);
//! # }
//! ```
//!
//! Tasks of embassy have `tapes_embassy::report_every`, hosts threads and tokio tasks: all of them
//! drive a [`Schedule`].
//!
//! # Interrupts and cores
//!
//! A reporter belongs to one context; the metrics it reports may be recorded anywhere meanwhile.
//! Nothing is masked.
//!
//! # Limits
//!
//! Reporters keep no time: a schedule, a timer or a loop calls them, every second or so.

#[cfg(feature = "embedded-io-async")]
mod asynchronous;
#[cfg(feature = "embedded-io")]
mod blocking;
#[cfg(feature = "defmt")]
mod defmt_format;
mod defmt_group;
#[cfg(feature = "defmt")]
mod defmt_quantiles;
#[cfg(feature = "defmt")]
mod defmt_reporter;
#[cfg(feature = "defmt")]
mod defmt_workers;
#[cfg(feature = "wire")]
mod kept;
mod schedule;
mod scheduler;
#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
mod serial;
mod text;
#[cfg(feature = "embedded-io-async")]
mod text_asynchronous;
#[cfg(feature = "embedded-io")]
mod text_blocking;
mod text_frozen;
mod text_packet;
mod text_piece;
mod text_syntax;
mod text_window;

#[cfg(feature = "defmt")]
pub use defmt_group::__private;
#[cfg(feature = "defmt")]
pub use defmt_reporter::{DefmtReporter, Interned};
#[cfg(feature = "wire")]
pub use kept::{Kept, Start};
pub use schedule::{Action, Schedule, ScheduleStats, StartError};
pub use scheduler::{Reporter, Scheduler};
#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
pub use serial::{Report, ReportError, ReporterStats, SerialReporter};
pub use text::{Syntax, TextReporter};
#[cfg(feature = "embedded-io")]
pub use text_blocking::TextWriter;
pub use text_syntax::{Json, Prometheus, Statsd};
