//! The lane hook and the set-once cell of tapes.
//!
//! This crate holds the only `unsafe` code of the core family, so that `tapes-core` can forbid it.
//! Each use is small and proven by a comment.
//!
//! Users of `tapes-core` need this crate only to choose a lane hook for a microcontroller that has
//! no crate of its own; see [`lane`].
//!
//! # Features
//!
//! | feature | adds | needs | costs |
//! |---|---|---|---|
//! | `cortex-m` | the lane hook of one core | a Cortex-M | – |
//! | `rp2040` | the lane hook of both cores of an RP2040 | an RP2040 | – |
#![no_std]
#![deny(unsafe_code)]

#[cfg(all(feature = "cortex-m", target_arch = "arm", target_os = "none"))]
mod cortex_m;
pub mod lane;
mod once;
mod primitive;
/// For `tapes-rp2040`.
#[doc(hidden)]
#[cfg(all(feature = "rp2040", target_arch = "arm", target_os = "none"))]
pub mod rp2040;
/// For `tapes-rp2040`.
#[doc(hidden)]
#[cfg(all(feature = "rp2040", target_arch = "arm", target_os = "none"))]
pub mod stack;

pub use once::Once;
