//! Moments to the cycle, from SysTick: the timer counts microseconds, in each of which 125 cycles pass.

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use embassy_rp::pac::TIMER;

/// Cycles in a second, which is what the HAL sets by default.
pub const HZ: u32 = 125_000_000;
/// Cycles in a microsecond of the timer; both come from the same crystal.
const PER_US: u32 = HZ / 1_000_000;
/// SysTick counts down in 24 bits: 134 ms.
const MASK: u32 = 0x00ff_ffff;

/// Says how many cycles ago something was due that the timer was set for.
///
/// Right to within the dozen cycles that it takes to see the timer count.
#[derive(Clone, Copy, Debug)]
pub struct Cycles {
    /// A moment, in microseconds of the timer and as SysTick had it.
    us: u32,
    count: u32,
}

impl Cycles {
    /// Starts SysTick, and looks at both clocks in the moment in which the timer counts.
    pub fn start(mut systick: SYST) -> Self {
        systick.set_clock_source(SystClkSource::Core);
        systick.set_reload(MASK);
        systick.clear_current();
        systick.enable_counter();
        let before = TIMER.timerawl().read();
        loop {
            let us = TIMER.timerawl().read();
            if us != before {
                return Self { us, count: now() };
            }
        }
    }

    /// Returns how many cycles have passed at `now` since the timer was at `due_us`: less than 134 ms.
    pub const fn since(self, due_us: u32, now: u32) -> u32 {
        let due = self.count.wrapping_sub(due_us.wrapping_sub(self.us).wrapping_mul(PER_US));
        due.wrapping_sub(now) & MASK
    }
}

/// Returns a moment; a later one is a smaller number, and they wrap at 24 bits.
pub fn now() -> u32 {
    // SAFETY: SysTick is in every Cortex-M0+ of an RP2040, and reading its count has no effect.
    unsafe { (*SYST::PTR).cvr.read() }
}

/// Returns the cycles between two moments.
pub const fn between(earlier: u32, later: u32) -> u32 {
    earlier.wrapping_sub(later) & MASK
}

/// Returns the cycles of a number of microseconds.
pub const fn of_us(us: u32) -> u32 {
    us.wrapping_mul(PER_US)
}
