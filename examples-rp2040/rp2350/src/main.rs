//! The example `timing_loop` on an RP2350: a control loop at 1 kHz in interrupts, one report a second on UART0.
//!
//! What is different from the RP2040: there are no lanes, since the Cortex-M33 counts with its own compare-and-swap; the
//! chip has an id of its own; and the timer is the first of two.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use cortex_m::asm::delay;
use embassy_executor::Spawner;
use embassy_rp::adc::{self, Adc};
use embassy_rp::bind_interrupts;
use embassy_rp::clocks::RoscRng;
use embassy_rp::interrupt::{InterruptExt as _, Priority};
use embassy_rp::otp;
use embassy_rp::pac::{Interrupt, TIMER0, interrupt};
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{self, BufferedUartTx};
use embassy_time::{Duration, Instant, TICK_HZ, Ticker, Timer};
use panic_halt as _;
use tapes_core::clock::{Clock as _, EmbassyClock};
use tapes_core::metrics;
use tapes_core::report::SerialReporter;
use tapes_core::wire::{Epoch, Identity, Origin, frame_len, stream_len};

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
/// Stands for what one pass computes: some 20 µs.
const PASS_DELAY: u32 = 3_000;
/// Stands for planning a path after a command: now and then longer than a period.
const PLAN_DELAY: u32 = 165_000;
/// Alarm 1 rings in `TIMER0_IRQ_1`; the HAL has alarm 0.
const ALARM: usize = 1;
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
fn TIMER0_IRQ_1() {
    TIMER0.intr().write(|w| w.set_alarm(ALARM, true));
    let due = TIMER0.alarm(ALARM).read();
    TIMER0.alarm(ALARM).write_value(due.wrapping_add(PERIOD_US));
    if RUNNING.swap(true, Relaxed) {
        MOTOR.overruns.increment();
    } else {
        DUE.store(due, Relaxed);
        Interrupt::SWI_IRQ_0.pend();
    }
}

/// One pass, below the alarm and above everything else.
#[interrupt]
fn SWI_IRQ_0() {
    delay(PASS_DELAY + PLAN.swap(0, Relaxed));
    MOTOR.loops.increment();
    MOTOR.loop_time.record(EmbassyClock.ticks().wrapping_sub(DUE.load(Relaxed)));
    RUNNING.store(false, Relaxed);
}

/// Starts the alarm, above everything, and passes, above drivers.
fn start_alarm() {
    Interrupt::TIMER0_IRQ_0.set_priority(Priority::P3);
    Interrupt::UART0_IRQ.set_priority(Priority::P3);
    Interrupt::TIMER0_IRQ_1.set_priority(Priority::P0);
    Interrupt::SWI_IRQ_0.set_priority(Priority::P1);
    TIMER0.inte().modify(|w| w.set_alarm(ALARM, true));
    TIMER0.alarm(ALARM).write_value(TIMER0.timerawl().read().wrapping_add(PERIOD_US));
    // SAFETY: no critical section relies on these two being masked.
    unsafe {
        Interrupt::TIMER0_IRQ_1.enable();
        Interrupt::SWI_IRQ_0.enable();
    }
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
    // A chip without an id is told apart from others by its epoch only.
    let id = otp::get_chipid().unwrap_or_default();
    let epoch = Epoch::new(0, RoscRng.next_u32().max(1));
    let identity = Identity::new(Origin::from_array(id.to_be_bytes()), epoch, TICK_HZ as u32);
    let mut reporter = SerialReporter::<METRICS, WORDS, FRAME>::new(identity);
    let mut line = [0; 256];
    let mut uart = BufferedUartTx::new(p.UART0, Irqs, p.PIN_0, &mut line, uart::Config::default());
    spawner.spawn(commands().expect("there is one such task"));
    start_alarm();

    let mut seconds = Ticker::every(Duration::from_secs(1));
    loop {
        if let Ok(reading) = adc.blocking_read(&mut sensor) {
            let volts = f32::from(reading) * (3.3 / 4096.0);
            MOTOR.temperature.set(27.0 - (volts - 0.706) / 0.001_721);
        }
        // A report that fails is not lost: the next one has everything.
        let _ = reporter.report_async(&MOTOR, Instant::now().as_ticks(), &mut uart).await;
        seconds.next().await;
    }
}
