//! Metrics from a Cortex-M0+ to a fleet of Linux gateways.
//!
//! A fixed-capacity, allocation-free registry of counters, gauges, meters, histograms and timers
//! that costs a few cycles per record, and the frames in which it reports.
//!
//! ```
//! use tapes_core::{clock::ManualClock, metrics};
//!
//! metrics! {
//!     /// Motor control.
//!     pub static MOTOR: MotorMetrics = "motor" {
//!         /// Control loop passes.
//!         loops: Counter,
//!         /// Winding temperature.
//!         temperature: Gauge<f32> [unit = celsius],
//!         /// Time of one pass.
//!         loop_time: Timer [unit = micros, max = 60 s, scale = 2],
//!     }
//! }
//!
//! let clock = ManualClock::<1_000_000>::new();
//! let pass = MOTOR.loop_time.start(&clock); // records when dropped
//! MOTOR.loops.increment();
//! MOTOR.temperature.set(36.5);
//! drop(pass);
//! assert_eq!(MOTOR.loops.value(), 1);
//! ```
//!
//! # Features
//!
//! | feature | adds | needs | costs |
//! |---|---|---|---|
//! | `std` | host clocks, owned names, a process-wide registry, registries within registries | std | – |
//! | `macros` | attributes and derives: metrics of functions and types, labels | – | syn, when compiling |
//! | `wire` | frames: encoder, decoder | – | cobs, postcard, serde |
//! | `embedded-io` | the serial reporter over a blocking writer | `wire` | embedded-io |
//! | `embedded-io-async` | the serial reporter over an async writer | `wire` | embedded-io-async |
//! | `defmt` | the defmt reporter, `defmt::Format` of everything public | a logger and `-Tdefmt.x` in the binary | defmt; syn, when compiling |
//! | `embassy-time` | a clock | a time driver in the binary | embassy-time |
//! | `lanes-1` | recording through the lane hook of one core | the hook in the binary | – |
//! | `lanes-2` | a lane for each of two cores, with `std` for threads | the hook, without `std` | RAM twice |
//! | `lanes-4`, `lanes-8`, `lanes-16` | more lanes | as `lanes-2` | RAM times the lanes |
//!
//! The library never picks a time driver, a critical section or a backend for the binary.
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core, clippy::alloc_instead_of_core, clippy::exhaustive_enums)]

#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod clock;
mod error;
#[cfg(feature = "std")]
pub mod global;
pub mod instrument;
pub mod metric;
pub mod name;
pub mod rates;
mod registry;
pub mod report;
mod snapshot;
pub mod statistics;
mod sync;
pub mod text;
#[cfg(feature = "wire")]
pub mod wire;

pub use error::RegisterError;
pub use instrument::Metered;
pub use metric::__private;
pub use metric::{
    Counter, Exclusive, Family, Gauge, Group, Histogram, Label, LabelSet, Layout, Meter, Metrics,
    Timer, TimerGuard, UpDown,
};
pub use registry::{
    Cached, Details, ExclusiveView, MetricName, Produced, Producer, Ratio, Registry, RegistryView,
};
pub use snapshot::{Filter, Source};
/// The documents that belong to this crate.
#[cfg(doc)]
pub mod _documentation {
    #[doc = include_str!("../docs/design.md")]
    pub mod design {}
    #[cfg(feature = "wire")]
    #[doc(inline)]
    pub use crate::wire::_format as wire_format;
}

#[cfg(feature = "macros")]
pub use tapes_macros::{Label, Metered, counted, errors, metered, timed};
