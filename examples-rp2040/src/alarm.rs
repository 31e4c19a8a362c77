//! A periodic interrupt from alarm 1 of the hardware timer, which the HAL leaves to us (it has alarm 0).

use embassy_rp::interrupt::{InterruptExt as _, Priority};
use embassy_rp::pac::{Interrupt, TIMER};

/// Alarm 1 rings in `TIMER_IRQ_1`.
const ALARM: usize = 1;
/// An alarm set for a moment this close, in microseconds, might be missed while it is being set.
const MARGIN_US: u32 = 2;

/// Starts the alarm, and allows the interrupt `pass`, if there is one that the alarm's handler pends.
///
/// The alarm interrupts everything, `pass` everything but the alarm, and both the interrupts of the HAL's drivers
/// in `drivers`.
pub fn start(period_us: u32, pass: Option<Interrupt>, drivers: &[Interrupt]) {
    for driver in [Interrupt::TIMER_IRQ_0].iter().chain(drivers) {
        driver.set_priority(Priority::P3);
    }
    Interrupt::TIMER_IRQ_1.set_priority(Priority::P0);
    if let Some(pass) = pass {
        pass.set_priority(Priority::P1);
    }
    TIMER.inte().modify(|w| w.set_alarm(ALARM, true));
    arm(TIMER.timerawl().read(), period_us);
    // SAFETY: unmasking an interrupt is unsafe because it may break a critical section that relies on the mask;
    // nothing here or in the HAL masks these two.
    unsafe {
        Interrupt::TIMER_IRQ_1.enable();
        if let Some(pass) = pass {
            pass.enable();
        }
    }
}

/// Acknowledges the alarm in its handler and sets the next one; returns when this one was due, in microseconds that
/// wrap, and how many were missed since.
pub fn acknowledge(period_us: u32) -> (u32, u32) {
    TIMER.intr().write(|w| w.set_alarm(ALARM, true));
    let due = TIMER.alarm(ALARM).read();
    (due, arm(due, period_us))
}

/// Sets the alarm to a period after `last`. One that lies in the past would ring in 71 minutes, so periods that are
/// over are skipped, and counted.
fn arm(last: u32, period_us: u32) -> u32 {
    let mut missed = 0;
    let mut at = last.wrapping_add(period_us);
    while at.wrapping_sub(TIMER.timerawl().read()).wrapping_sub(MARGIN_US) > u32::MAX / 2 {
        at = at.wrapping_add(period_us);
        missed += 1;
    }
    TIMER.alarm(ALARM).write_value(at);
    missed
}
