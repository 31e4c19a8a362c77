//! What the probes share: a panic handler that costs nothing, and in QEMU a way to tell the result.
#![no_std]

#[cfg(not(feature = "qemu"))]
use core::panic::PanicInfo;

use cortex_m as _;
// Each is the lane hook where its feature is on.
use tapes_hooks as _;
#[cfg(feature = "lanes-2")]
use tapes_rp2040 as _;

pub mod bench;
pub mod board;
#[cfg(feature = "qemu")]
pub mod semihosting;
#[cfg(feature = "qemu")]
pub mod timing;
pub mod uart;

#[cfg(not(feature = "qemu"))]
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
