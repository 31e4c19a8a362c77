//! What only the chip can tell.

use tapes_core::clock::Clock;

/// The timer of the RP2040 as a clock: microseconds that wrap after 71 minutes; reading takes 6 cycles.
///
/// It counts once the HAL has set up the clocks. Compiled for anything else than a microcontroller it
/// stands still at 0.
///
/// ```
/// use tapes_core::clock::Clock;
/// use tapes_rp2040::Micros;
///
/// assert_eq!(Micros::HZ, 1_000_000);
/// # #[cfg(not(target_os = "none"))]
/// assert_eq!(Micros.ticks(), 0);
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "a clock without a state")]
pub struct Micros;

impl Clock for Micros {
    const HZ: u32 = 1_000_000;

    #[inline(always)]
    fn ticks(&self) -> u32 {
        chip::micros()
    }
}

#[cfg(all(target_arch = "arm", target_os = "none"))]
pub(crate) mod chip {
    pub(crate) use tapes_hooks::rp2040::{micros, reset_registers};
    pub(crate) use tapes_hooks::stack::{high_water, paint};
}

/// There is no chip: for documentation and tests on a host.
#[cfg(not(all(target_arch = "arm", target_os = "none")))]
pub(crate) mod chip {
    pub(crate) const fn micros() -> u32 {
        0
    }

    pub(crate) const fn reset_registers() -> (u32, u32) {
        (0, 0)
    }

    pub(crate) const fn paint(_limit_bytes: u32) {}

    pub(crate) const fn high_water() -> Option<(u32, bool)> {
        None
    }
}
