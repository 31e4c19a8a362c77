//! A control loop at 1 kHz that reports on UART0, once a second, what it does and how long it takes.
//!
//! The loop never waits for the report: an alarm of the hardware timer starts each pass, in interrupts
//! that come before everything else, while the executor encodes frames and the UART's own interrupt
//! sends them. If reporting disturbed the loop, `motor.loop_time` would show it.
//!
//! ```text
//! cargo xtask demo                              in an emulator, with a gateway and a page
//! cargo xtask emulate timing_loop --seconds 5   in an emulator, frames on standard output
//! ```
//!
//! On a board, GPIO 0 sends at 115,200 baud: connect it to the gateway's serial port.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use cortex_m::asm::delay;
use embassy_executor::Spawner;
use embassy_rp::adc::{self, Adc};
use embassy_rp::bind_interrupts;
use embassy_rp::clocks::RoscRng;
use embassy_rp::interrupt::InterruptExt as _;
use embassy_rp::pac::{Interrupt, interrupt};
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{self, BufferedUartTx};
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, Instant, Ticker, Timer};
use examples_rp2040::{alarm, celsius, identity};
use panic_halt as _;
use tapes_core::clock::{Clock as _, EmbassyClock};
use tapes_core::metrics;
use tapes_core::report::SerialReporter;
use tapes_core::wire::{frame_len, stream_len};

metrics! {
    /// Motor control.
    static MOTOR: MotorMetrics = "motor" {
        /// Passes of the control loop.
        loops: Counter,
        /// Time from the alarm that starts a pass to the end of the pass.
        loop_time: Timer [unit = micros, max = 10 ms, scale = 2],
        /// Alarms that found the pass before still running.
        overruns: Counter,
        /// Temperature of the chip.
        temperature: Gauge<f32> [unit = celsius],
        /// Commands handled.
        commands: Meter,
    }
}

const PERIOD_US: u32 = 1_000;
/// Stands for what one pass computes: 24 µs of `delay`, which takes 3 cycles for each that it is asked for.
const PASS_DELAY: u32 = 1_000;
/// Stands for planning a path after a command: up to 1.1 ms more, now and then longer than a period.
const PLAN_DELAY: u32 = 45_000;
/// What the reporter remembers: the last value of each metric, and how often each word has wrapped.
const METRICS: usize = MotorMetrics::METRICS;
const WORDS: usize = MotorMetrics::WORDS;
/// Room for a frame with all buckets of `loop_time`, full for as long as the board lives.
const FRAME: usize = stream_len(frame_len(MotorMetrics::BUCKETS, u64::MAX));

/// When the pass that runs was due, in microseconds.
static DUE: AtomicU32 = AtomicU32::new(0);
/// Whether a pass runs or is about to.
static RUNNING: AtomicBool = AtomicBool::new(false);
/// The planning that the next pass has to do.
static PLAN: AtomicU32 = AtomicU32::new(0);

bind_interrupts!(struct Irqs {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
});

/// Every millisecond, above all other interrupts: starts a pass, unless the last one has not ended.
#[interrupt]
fn TIMER_IRQ_1() {
    let (due, missed) = alarm::acknowledge(PERIOD_US);
    MOTOR.overruns.add(missed);
    if RUNNING.load(Relaxed) {
        MOTOR.overruns.increment();
    } else {
        RUNNING.store(true, Relaxed);
        DUE.store(due, Relaxed);
        Interrupt::SWI_IRQ_0.pend();
    }
}

/// One pass, below the alarm and above everything else.
#[interrupt]
fn SWI_IRQ_0() {
    delay(PASS_DELAY + PLAN.load(Relaxed));
    PLAN.store(0, Relaxed);
    MOTOR.loops.increment();
    MOTOR.loop_time.record(EmbassyClock.ticks().wrapping_sub(DUE.load(Relaxed)));
    RUNNING.store(false, Relaxed);
}

/// Handles a command every now and then; in a real machine they would come from somewhere.
#[embassy_executor::task]
async fn commands() {
    loop {
        let random = RoscRng.next_u32();
        Timer::after_millis(u64::from(100 + (random & 0xff))).await;
        PLAN.store(random % PLAN_DELAY, Relaxed);
        MOTOR.commands.mark();
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(embassy_rp::config::Config::default());
    let mut adc = Adc::new_blocking(p.ADC, adc::Config::default());
    let mut sensor = adc::Channel::new_temp_sensor(p.ADC_TEMP_SENSOR);
    let identity = identity(p.FLASH, &mut Watchdog::new(p.WATCHDOG), &mut adc, &mut sensor);
    let mut reporter = SerialReporter::<METRICS, WORDS, FRAME>::new(identity);
    let mut line = [0; 256];
    let mut uart = BufferedUartTx::new(p.UART0, Irqs, p.PIN_0, &mut line, uart::Config::default());
    spawner.spawn(commands().expect("there is one such task"));
    alarm::start(PERIOD_US, Some(Interrupt::SWI_IRQ_0), &[Interrupt::UART0_IRQ]);

    let mut seconds = Ticker::every(Duration::from_secs(1));
    loop {
        if let Ok(reading) = adc.blocking_read(&mut sensor) {
            MOTOR.temperature.set(celsius(reading));
        }
        // A report that fails is not lost: the next one has everything.
        let _ = reporter.report_async(&MOTOR, Instant::now().as_ticks(), &mut uart).await;
        seconds.next().await;
    }
}
