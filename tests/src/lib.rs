//! What several end-to-end and conformance tests share.
#![forbid(unsafe_code)]

pub mod programs;
pub mod python;
