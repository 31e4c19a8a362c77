//! The logic of `timing_loop` on any Cortex-M: SysTick starts each pass, semihosting carries the report.
#![no_std]
#![no_main]

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{Peripherals, SYST};
use cortex_m_rt::{entry, exception};
use tapes_probes::semihosting::{Output, exit};
use tapes_probes::timing::{MOTOR, PASSES, command, pass, report};

/// Ticks between passes.
const PERIOD: u32 = 4_000;
/// SysTick counts down in 24 bits.
const MASK: u32 = 0x00ff_ffff;

#[exception]
fn SysTick() {
    pass(|| PERIOD - SYST::get_current());
}

#[entry]
fn main() -> ! {
    let mut peripherals = Peripherals::take().expect("nobody has taken them");
    let systick = &mut peripherals.SYST;
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(PERIOD);
    systick.clear_current();
    systick.enable_interrupt();
    systick.enable_counter();
    let mut commands = 0;
    while MOTOR.loops.value() < PASSES.into() {
        command(commands);
        commands += 1;
        cortex_m::asm::wfi();
    }
    systick.disable_interrupt();
    systick.set_reload(MASK);
    systick.clear_current();
    let reported = report(&mut Output, || MASK - SYST::get_current());
    // One more may have come before it was stopped.
    exit(reported.is_ok() && MOTOR.loops.value() >= PASSES.into());
}
