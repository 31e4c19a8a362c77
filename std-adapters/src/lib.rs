//! Host adapters of tapes.
#![forbid(unsafe_code)]

pub mod clock;
pub mod exposition;
pub mod fleet;
#[cfg(feature = "http")]
pub mod http;
pub mod input;
#[cfg(feature = "stream")]
pub mod stream;
