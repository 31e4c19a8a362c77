//! What several end-to-end and conformance tests share.
#![forbid(unsafe_code)]

pub mod programs;
pub mod python;

/// The README, so that its examples are compiled.
#[cfg(doctest)]
#[derive(Debug)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
