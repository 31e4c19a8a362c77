//! Host adapters of tapes.
#![forbid(unsafe_code)]

pub mod clock;
pub mod fleet;
