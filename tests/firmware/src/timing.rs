//! The logic of the example `timing_loop`, for any microcontroller: what its interrupt records, and what it reports.

use core::fmt::{self, Write};
use core::hint::black_box;

use tapes_core::metrics;
use tapes_core::text::json::write_json;

metrics! {
    /// Motor control.
    pub static MOTOR: MotorMetrics = "motor" {
        /// Passes of the control loop.
        loops: Counter,
        /// Time from the interrupt that starts a pass to its end, in ticks of the machine.
        loop_time: Histogram [max = 10000, scale = 2],
        /// Temperature of the chip.
        temperature: Gauge<f32> [unit = celsius],
        /// Commands handled.
        commands: Meter,
    }
}

/// Passes that a run makes.
pub const PASSES: u32 = 1_000;
/// Calls of which the time is measured.
const CALLS: u32 = 1_000;

/// One pass, in an interrupt: `ticks` says how long ago that was due.
pub fn pass(ticks: impl Fn() -> u32) {
    MOTOR.loops.increment();
    MOTOR.loop_time.record(ticks());
}

/// What the main program does meanwhile.
pub fn command(number: u32) {
    MOTOR.commands.mark();
    MOTOR.temperature.set(20.0 + (number % 8) as f32 / 4.0);
}

/// Writes the report, and what an increment takes: in ticks of `now` for 1,000 of them, less the loop around.
pub fn report(out: &mut impl Write, now: impl Fn() -> u32) -> fmt::Result {
    write_json(&MOTOR, &|_, _| None, out).map_err(|_| fmt::Error)?;
    let time = |call: fn()| {
        let began = now();
        for _ in 0..CALLS {
            black_box(call)();
        }
        now().wrapping_sub(began)
    };
    let (empty, full) = (time(|| {}), time(|| MOTOR.commands.mark()));
    let histogram = time(|| MOTOR.loop_time.record(black_box(250)));
    let net = |ticks: u32| ticks.saturating_sub(empty);
    writeln!(out, "\nincrement: {}\nrecord: {}", net(full), net(histogram))
}
