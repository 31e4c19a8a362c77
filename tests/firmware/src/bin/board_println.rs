//! The typical board by hand: variables, and `defmt` lines that print them. Timers have no buckets:
//! count, sum, least and most.
#![no_std]
#![no_main]

use portable_atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use tapes_core::clock::Clock as _;
use tapes_probes::board;

/// What is known of times without buckets.
struct Times {
    count: AtomicU32,
    sum: AtomicU64,
    min: AtomicU32,
    max: AtomicU32,
}

impl Times {
    const fn new() -> Self {
        Self {
            count: AtomicU32::new(0),
            sum: AtomicU64::new(0),
            // The complement, so that all is zero at first.
            min: AtomicU32::new(0),
            max: AtomicU32::new(0),
        }
    }

    fn record(&self, began: u32) {
        let ticks = board::Timer.ticks().wrapping_sub(began);
        self.count.add(1, Relaxed);
        self.sum.add(ticks.into(), Relaxed);
        self.min.fetch_max(!ticks, Relaxed);
        self.max.fetch_max(ticks, Relaxed);
    }
}

static COUNTERS: [AtomicU32; 12] = [const { AtomicU32::new(0) }; 12];
static TEMPERATURE: AtomicU32 = AtomicU32::new(0);
static SUPPLY: AtomicU32 = AtomicU32::new(0);
static QUEUE: AtomicU32 = AtomicU32::new(0);
static POWER: AtomicU32 = AtomicU32::new(0);
static LOOP_TIME: Times = Times::new();
static IDLE_TIME: Times = Times::new();
static SEND_TIME: Times = Times::new();

/// Records once to each, as `board::record` does.
#[inline(always)]
fn record() {
    let (motor, radio) = COUNTERS.split_at(6);
    let pass = board::Timer.ticks();
    motor.iter().for_each(|counter| counter.add(1, Relaxed));
    TEMPERATURE.store(21.5_f32.to_bits(), Relaxed);
    SUPPLY.store(3.3_f32.to_bits(), Relaxed);
    LOOP_TIME.record(pass);
    let idle = board::Timer.ticks();
    radio.iter().for_each(|counter| counter.add(1, Relaxed));
    IDLE_TIME.record(idle);
    let send = board::Timer.ticks();
    QUEUE.store(7, Relaxed);
    POWER.store((-3_i32).cast_unsigned(), Relaxed);
    SEND_TIME.record(send);
}

/// Prints a counter; the format is not in flash.
macro_rules! print_counters {
    ($($index:literal $format:literal)*) => {
        $(defmt::println!($format, COUNTERS[$index].load(Relaxed));)*
    };
}

/// Prints times.
macro_rules! print_times {
    ($($times:ident $format:literal)*) => {
        $(defmt::println!(
            $format,
            $times.count.load(Relaxed),
            $times.sum.load(Relaxed),
            !$times.min.load(Relaxed),
            $times.max.load(Relaxed)
        );)*
    };
}

fn report() {
    print_counters! {
        0 "motor.loops {=u32}" 1 "motor.overruns {=u32}" 2 "motor.commands {=u32}"
        3 "motor.faults {=u32}" 4 "motor.starts {=u32}" 5 "motor.stops {=u32}"
        6 "radio.sent {=u32}" 7 "radio.received {=u32}" 8 "radio.retries {=u32}"
        9 "radio.crc_errors {=u32}" 10 "radio.timeouts {=u32}" 11 "radio.joins {=u32}"
    }
    defmt::println!("motor.temperature {=f32}", f32::from_bits(TEMPERATURE.load(Relaxed)));
    defmt::println!("motor.supply {=f32}", f32::from_bits(SUPPLY.load(Relaxed)));
    defmt::println!("radio.queue {=u32}", QUEUE.load(Relaxed));
    defmt::println!("radio.power {=i32}", POWER.load(Relaxed).cast_signed());
    print_times! {
        LOOP_TIME "motor.loop_time count={=u32} sum={=u64} min={=u32} max={=u32} us"
        IDLE_TIME "motor.idle_time count={=u32} sum={=u64} min={=u32} max={=u32} us"
        SEND_TIME "radio.send_time count={=u32} sum={=u64} min={=u32} max={=u32} us"
    }
}

#[path = "../logger.rs"]
mod logger;

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        record();
        report();
    }
}
