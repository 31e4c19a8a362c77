//! Reports of `tapes` as tasks of embassy, and metrics of embassy's executors.
//!
//! One line is a task that reports for as long as the device runs:
//!
//! ```
//! use embassy_time::Duration;
//! use tapes_core::report::SerialReporter;
//! use tapes_core::wire::Identity;
//! use tapes_embassy::{Control, report_every};
//! # use tapes_embassy_example::Uart;
//! # mod tapes_embassy_example {
//! #     pub struct Uart;
//! #     impl embedded_io_async::ErrorType for Uart { type Error = core::convert::Infallible; }
//! #     impl embedded_io_async::Write for Uart {
//! #         async fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> { Ok(buf.len()) }
//! #         async fn flush(&mut self) -> Result<(), Self::Error> { Ok(()) }
//! #     }
//! # }
//!
//! tapes_core::metrics! {
//!     static MOTOR: MotorMetrics = "motor" { loops: Counter }
//! }
//! static REPORTS: Control = Control::new();
//!
//! #[embassy_executor::task]
//! async fn reports(identity: Identity, mut uart: Uart) {
//!     let mut reporter = SerialReporter::<1, 1, 256>::new(identity);
//!     let second = Duration::from_secs(1);
//!     // Fails only if somebody else reports with this control.
//!     let _ = report_every(&mut reporter, &MOTOR, &mut uart, second, &REPORTS).await;
//! }
//!
//! // Before the power goes, from anywhere: `REPORTS.stop();`
//! ```
//!
//! [`Reports`] does the same for anything that is reported, with more to choose from.
//!
//! [`trace_executors!`] tells what the executors themselves do: load, idle time, and for each task how
//! long its polls take and how late they come.
//!
//! On a network the board serves its metrics itself: module `net`, with the feature `net`.
//!
//! # Interrupts and cores
//!
//! Reports run in their task, on its executor. A [`Control`] stops them from any context, in a
//! critical section of some dozen instructions.
//!
//! # Features
//!
//! | feature | adds | needs | costs |
//! |---|---|---|---|
//! | `defmt` | `defmt::Format` of controls and failures | a defmt logger in the binary | defmt |
//! | `net` | `net`: pages over HTTP, StatsD datagrams | a network driver of `embassy-net` in the binary | `embassy-net`, `picoserve` |
//!
//! # Limits
//!
//! The library picks neither the time driver nor its tick rate. Uptime is reported in ticks of
//! [`embassy_time::TICK_HZ`], so that is the `tick_hz` of an identity.
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core, clippy::alloc_instead_of_core, clippy::exhaustive_enums)]

mod control;
mod load;
#[cfg(feature = "net")]
pub mod net;
mod reports;
mod stream;
mod trace;
mod trace_macro;

pub use control::Control;
pub use reports::{Failure, Reports};
pub use stream::{StreamReporter, report_every};
pub use trace::{At, Trace, Tracer};

/// What macros expand to; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::load::Loads;
    pub use tapes_core::clock::Clock;
    pub use tapes_core::{Label, metrics};
}
