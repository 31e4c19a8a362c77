//! tapes-core.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod metric;
pub mod rates;
#[cfg(feature = "wire")]
pub mod report;
mod snapshot;
pub mod statistics;
mod sync;
pub mod text;
#[cfg(feature = "wire")]
pub mod wire;

pub use snapshot::Source;
