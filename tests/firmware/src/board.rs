//! The typical board: 12 counters, 4 gauges, 3 timers of 80 buckets, each recorded in one place.

use tapes_core::clock::{Clock, Uptime};
use tapes_core::metrics;

metrics! {
    /// Motor control.
    pub static MOTOR: Motor = "motor" {
        loops: Counter,
        overruns: Counter,
        commands: Counter,
        faults: Counter,
        starts: Counter,
        stops: Counter,
        temperature: Gauge<f32> [unit = celsius],
        supply: Gauge<f32> [unit = volts],
        loop_time: Timer [unit = micros, max = 1 s],
        idle_time: Timer [unit = micros, max = 1 s],
    }
}

metrics! {
    /// The radio.
    pub static RADIO: Radio = "radio" {
        sent: Counter,
        received: Counter,
        retries: Counter,
        crc_errors: Counter,
        timeouts: Counter,
        joins: Counter,
        queue: Gauge<u32>,
        power: Gauge<i32>,
        send_time: Timer [unit = micros, max = 1 s],
    }
}

/// Metrics of both groups.
pub const METRICS: usize = Motor::METRICS + Radio::METRICS;
/// Their words, of one lane.
pub const WORDS: usize = Motor::WORDS + Radio::WORDS;

/// The RP2040's timer, in microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Timer;

impl Clock for Timer {
    const HZ: u32 = 1_000_000;

    #[inline(always)]
    fn ticks(&self) -> u32 {
        /// `TIMERAWL`, RP2040 datasheet 4.6.5.
        const TIMERAWL: *const u32 = 0x4005_4028 as *const u32;
        // SAFETY: the register is there, is aligned, and reading it has no effect.
        unsafe { TIMERAWL.read_volatile() }
    }
}

impl Uptime for Timer {
    fn uptime(&self) -> u64 {
        self.ticks().into()
    }
}

/// Records once to each metric.
#[inline(always)]
pub fn record() {
    let pass = MOTOR.loop_time.start(Timer);
    MOTOR.loops.increment();
    MOTOR.overruns.increment();
    MOTOR.commands.increment();
    MOTOR.faults.increment();
    MOTOR.starts.increment();
    MOTOR.stops.increment();
    MOTOR.temperature.set(21.5);
    MOTOR.supply.set(3.3);
    drop(pass);
    let idle = MOTOR.idle_time.start(Timer);
    RADIO.sent.increment();
    RADIO.received.increment();
    RADIO.retries.increment();
    RADIO.crc_errors.increment();
    RADIO.timeouts.increment();
    RADIO.joins.increment();
    drop(idle);
    let send = RADIO.send_time.start(Timer);
    RADIO.queue.set(7);
    RADIO.power.set(-3);
    drop(send);
}
