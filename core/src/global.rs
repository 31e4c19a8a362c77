//! A process-wide registry with free functions.
//!
//! For programs that want metrics without handing a registry around:
//!
//! ```
//! use tapes_core::{global, layout};
//! global::counter("jobs.done")?.increment();
//! global::timer::<1_000_000>("jobs.time", layout!(unit = micros, max = 60 s))?.record(250);
//! assert_eq!(global::registry().counter("jobs.done")?.value(), 1);
//! # Ok::<(), tapes_core::RegisterError>(())
//! ```
//!
//! Libraries should take a registry, or declare a group, so that the program decides.

#![allow(
    single_use_lifetimes,
    reason = "stable Rust wants a name for a lifetime inside `impl Into<…>`"
)]

use crate::error::RegisterError;
use crate::metric::{Counter, Gauge, GaugeValue, Histogram, Layout, Meter, Timer, UpDown};
use crate::registry::{MetricName, Produced, Registry};

/// Metrics that fit the process-wide registry.
pub const METRICS: usize = 4096;

/// Words that fit the process-wide registry: 2 MiB, of which only what is used becomes resident.
pub const WORDS: usize = 1 << 18;

static GLOBAL: Registry<METRICS, WORDS> = Registry::new();

/// Returns the process-wide registry.
#[must_use]
pub fn registry() -> &'static Registry<METRICS, WORDS> {
    &GLOBAL
}

/// Returns the counter of that name, new or existing.
///
/// # Errors
///
/// See [`RegisterError`].
pub fn counter<'n>(name: impl Into<MetricName<'n>>) -> Result<Counter<'static>, RegisterError> {
    GLOBAL.counter(name)
}

/// Returns the up/down counter of that name, new or existing.
///
/// ```
/// let waiting = tapes_core::global::updown("queue.waiting")?;
/// waiting.increment();
/// waiting.decrement();
/// assert_eq!(waiting.value(), 0);
/// # Ok::<(), tapes_core::RegisterError>(())
/// ```
///
/// # Errors
///
/// See [`RegisterError`].
pub fn updown<'n>(name: impl Into<MetricName<'n>>) -> Result<UpDown<'static>, RegisterError> {
    GLOBAL.updown(name)
}

/// Returns the meter of that name, new or existing.
///
/// # Errors
///
/// See [`RegisterError`].
pub fn meter<'n>(name: impl Into<MetricName<'n>>) -> Result<Meter<'static>, RegisterError> {
    GLOBAL.meter(name)
}

/// Returns the gauge of that name, new or existing.
///
/// # Errors
///
/// See [`RegisterError`].
pub fn gauge<'n, T: GaugeValue>(
    name: impl Into<MetricName<'n>>,
) -> Result<Gauge<'static, T>, RegisterError> {
    GLOBAL.gauge(name)
}

/// Registers a gauge whose value a function gives at each reading.
///
/// ```
/// tapes_core::global::gauge_fn("process.threads", || 4u32)?;
/// tapes_core::global::gauge::<f32>("room.temperature")?.set(21.5);
/// # Ok::<(), tapes_core::RegisterError>(())
/// ```
///
/// # Errors
///
/// See [`RegisterError`].
pub fn gauge_fn<'n, T: Produced>(
    name: impl Into<MetricName<'n>>,
    producer: fn() -> T,
) -> Result<(), RegisterError> {
    GLOBAL.gauge_fn(name, producer)
}

/// Returns the histogram of that name, new or existing.
///
/// # Errors
///
/// See [`RegisterError`].
pub fn histogram<'n>(
    name: impl Into<MetricName<'n>>,
    layout: &'static Layout,
) -> Result<Histogram<'static>, RegisterError> {
    GLOBAL.histogram(name, layout)
}

/// Returns the timer of that name, new or existing.
///
/// # Errors
///
/// See [`RegisterError`].
pub fn timer<'n, const HZ: u32>(
    name: impl Into<MetricName<'n>>,
    layout: &'static Layout,
) -> Result<Timer<'static, HZ>, RegisterError> {
    GLOBAL.timer(name, layout)
}
