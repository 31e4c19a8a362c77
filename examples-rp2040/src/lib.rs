//! What the examples share.
#![no_std]

pub mod alarm;
pub mod cycles;
mod identity;

pub use identity::identity;

/// Converts a reading of the on-chip sensor, with the typical values of the RP2040 datasheet (4.9.5).
pub fn celsius(reading: u16) -> f32 {
    let volts = f32::from(reading) * (3.3 / 4096.0);
    27.0 - (volts - 0.706) / 0.001_721
}
