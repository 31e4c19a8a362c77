//! The link-time lane hook and the set-once cell of tapes.
//!
//! This crate holds the only `unsafe` code of the core family, so that `tapes-core` can forbid it.
//! Each use is small and proven by a comment.
//!
//! Users of `tapes-core` do not need this crate unless they write a lane hook for a new chip; see
//! [`lane`].
#![no_std]
#![deny(unsafe_code)]

pub mod lane;
mod once;

pub use once::Once;
