//! What several end-to-end and conformance tests share.
#![forbid(unsafe_code)]

pub mod broker;
pub mod fuzzing;
pub mod noise;
pub mod programs;
pub mod python;
mod runs;
pub mod servers;
pub mod sink;
pub mod web;

pub use runs::{Progress, runs};

/// The README, so that its examples are compiled.
#[cfg(doctest)]
#[derive(Debug)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// The guide, so that its examples are compiled.
#[cfg(doctest)]
#[derive(Debug)]
#[doc = include_str!("../../std-adapters/docs/guide/firmware.md")]
#[doc = include_str!("../../std-adapters/docs/guide/service.md")]
#[doc = include_str!("../../std-adapters/docs/guide/adapter.md")]
pub struct Guide;
