//! hooks.
#![no_std]
