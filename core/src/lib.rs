//! tapes-core.
#![no_std]
