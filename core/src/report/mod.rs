//! Reporters: what sends the values of a source away, at a pace that the caller sets.
//!
//! ```
//! # #[cfg(feature = "embedded-io")] {
//! use tapes_core::report::SerialReporter;
//! use tapes_core::wire::{Epoch, Identity, Origin};
//!
//! tapes_core::metrics! {
//!     static RADIO: RadioMetrics = "radio" { sent: Counter }
//! }
//!
//! let identity = Identity::new(Origin::from_array(*b"board-1"), Epoch::new(0, 42), 1_000);
//! let mut reporter = SerialReporter::<1, 1, 256>::new(identity);
//!
//! let mut line = [0; 512];
//! let mut uart = line.as_mut_slice(); // any `embedded_io::Write`
//! let report = reporter.report(&RADIO, 1_234, &mut uart).unwrap();
//! assert_eq!(report.frames, 3); // HELLO, DICT, DATA
//! # }
//! ```
//!
//! # Interrupts and cores
//!
//! A reporter belongs to one context; the metrics it reports may be recorded anywhere meanwhile.
//! Nothing is masked.
//!
//! # Limits
//!
//! Reporters keep no time. Call them from a timer, a task or a loop, every second or so.

#[cfg(feature = "embedded-io-async")]
mod asynchronous;
#[cfg(feature = "embedded-io")]
mod blocking;
mod kept;
mod serial;

pub use kept::{Kept, Start};
pub use serial::{Report, ReportError, ReporterStats, SerialReporter};
