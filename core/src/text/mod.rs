//! Text forms of metrics: Prometheus and OpenMetrics, JSON, StatsD.
//!
//! The encoders write to any [`core::fmt::Write`] and allocate nothing, so a board with a network
//! speaks what a gateway speaks, by the same code.
//!
//! | module | for | writes |
//! |---|---|---|
//! | [`prometheus`] | scrapes | a whole source, or family by family |
//! | [`json`] | people, scripts, pages | a whole source, or parts of a tree |
//! | [`statsd`] | StatsD servers | line by line |
//! | [`number`] | all of them | integers, exact decimals, shortest floating point |
//!
//! **Interrupts and cores.** Encoders read live values, one word at a time; recording goes on in
//! any interrupt and on any core. They are the work of a task, not of an interrupt: a histogram
//! is some thousand instructions.
//!
//! **Footprint.** None of them can panic, which a bare-metal probe checks; none uses the
//! floating-point writers of `core::fmt`, which can, and which take 11 KiB.
//!
//! **Limits.** Values are from the moment they are written, not all from one moment.

mod decimal;
mod escaping;
pub mod json;
pub mod number;
pub mod prometheus;
pub mod statsd;
