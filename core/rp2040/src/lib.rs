//! tapes on the RP2040: a lane for each core, and metrics of the board itself.
//!
//! [`SYSTEM`] is a group like any other: why the board was reset and how often, how long it is up,
//! how deep its stack was, how long its main loop had nothing to do, and how its reports go. It is in
//! the image only if it is used.
//!
//! A firmware that records on both cores depends on this crate and enables two lanes of
//! `tapes-core`; there is nothing to call:
//!
//! ```toml
//! [dependencies]
//! tapes-core = { version = "0.1", features = ["lanes-2"] }
//! tapes-rp2040 = "0.1"
//! ```
//!
//! With `lanes-1` in the place of `lanes-2`, only core 0 may record.
//!
//! # Interrupts and cores
//!
//! To record, a core masks its own interrupts (PRIMASK), reads its number (CPUID of the SIO) and
//! changes words that no other core writes. It takes no spinlock, so neither core ever waits for
//! the other, and a core that was halted or reset in the middle of a record holds nothing up.
//! Masking nests and restores what it found; it lasts no longer than a record.
//!
//! # Footprint
//!
//! No RAM of its own without [`SYSTEM`], which takes 60 bytes; two lanes double that of counters and histograms. An increment takes 20
//! cycles.
//!
//! # Limits
//!
//! NMI and `HardFault` handlers cannot be masked: a count that they record may be lost.
#![no_std]
#![forbid(unsafe_code)]

// The lane hook is chosen by the feature that this crate's manifest sets.
use tapes_hooks as _;

mod board;
mod system;

pub use board::Micros;
pub use system::{Reset, SYSTEM, SystemMetrics};
