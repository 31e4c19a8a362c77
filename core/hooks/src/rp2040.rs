//! Registers of the RP2040 that tell the time, and why it was reset.

#![expect(unsafe_code, reason = "peripheral registers")]

use core::ptr;

/// TIMERAWL of the timer, RP2040 datasheet 4.6: microseconds, the low word.
const TIMER_RAW_LOW: usize = 0x4005_4028;
/// REASON of the watchdog, 4.7.6.
const WATCHDOG_REASON: usize = 0x4005_8008;
/// `CHIP_RESET`, 2.10.7.
const CHIP_RESET: usize = 0x4006_4008;

/// Microseconds of the timer, wrapping; 6 cycles. It counts once the HAL has started the watchdog's
/// tick, as all do.
#[inline(always)]
pub fn micros() -> u32 {
    read(TIMER_RAW_LOW)
}

/// The reasons of the last reset, as the watchdog and the chip tell them.
pub fn reset_registers() -> (u32, u32) {
    (read(WATCHDOG_REASON), read(CHIP_RESET))
}

#[inline(always)]
fn read(address: usize) -> u32 {
    // SAFETY: on the RP2040, for which the feature stands, each of these is a register of 32 bits
    // that is always there, and that reading does not change.
    unsafe { ptr::read_volatile(ptr::with_exposed_provenance(address)) }
}
