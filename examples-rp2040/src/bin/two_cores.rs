//! Both cores record to the same metrics, at the same time, from main programs and from interrupts.
//!
//! Each core counts in a lane of its own, so neither ever waits for the other: there is no spinlock, and no count
//! is lost. The reporter on core 0 adds the lanes up. Core 1 needs no executor; it could have one.
//!
//! ```text
//! cargo xtask emulate two_cores --seconds 3 | tapes gateway --stdin --no-http
//! ```
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cortex_m::asm::{delay, sev, wfe};
use cortex_m::singleton;
use embassy_executor::Spawner;
use embassy_rp::adc::{self, Adc};
use embassy_rp::bind_interrupts;
use embassy_rp::multicore::{Stack, spawn_core1};
use embassy_rp::pac::{Interrupt, interrupt};
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{self, BufferedUartTx};
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, Instant, Ticker, Timer};
use examples_rp2040::{alarm, identity};
use panic_halt as _;
use tapes_core::clock::EmbassyClock;
use tapes_core::metrics;
use tapes_core::report::SerialReporter;
use tapes_core::wire::{frame_len, stream_len};
use tapes_rp2040 as _;

metrics! {
    /// What both cores do.
    static WORK: WorkMetrics = "work" {
        /// Pieces done by both, and alarms.
        pieces: Counter,
        /// Pieces done by core 0, by its alarm, and by core 1, as they know it themselves.
        core0: Gauge<u32>,
        alarm: Gauge<u32>,
        core1: Gauge<u32>,
        /// Time of one piece, on either core.
        piece_time: Timer [unit = micros, max = 10 ms, scale = 2],
    }
}

const ALARM_US: u32 = 300;
const METRICS: usize = WorkMetrics::METRICS;
const WORDS: usize = WorkMetrics::WORDS;
/// Room for a frame with all buckets of a timer.
const FRAME: usize = stream_len(frame_len(WorkMetrics::BUCKETS, u64::MAX));

/// What each counts for itself; written by one only.
static CORE0: AtomicU32 = AtomicU32::new(0);
static ALARM: AtomicU32 = AtomicU32::new(0);
static CORE1: AtomicU32 = AtomicU32::new(0);

bind_interrupts!(struct Irqs {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
});

fn piece(own: &AtomicU32, cycles: u32) {
    let time = WORK.piece_time.start(EmbassyClock);
    delay(cycles);
    drop(time);
    WORK.pieces.increment();
    own.store(own.load(Relaxed).wrapping_add(1), Relaxed);
}

/// Interrupts core 0 in whatever it records.
#[interrupt]
fn TIMER_IRQ_1() {
    alarm::acknowledge(ALARM_US);
    sev(); // wakes core 1, so that both record at the same time
    piece(&ALARM, 100);
}

#[embassy_executor::task]
async fn work() {
    loop {
        for number in 0..8 {
            piece(&CORE0, 200 + 50 * number);
        }
        Timer::after_micros(400).await;
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
    spawner.spawn(work().expect("there is one such task"));
    alarm::start(ALARM_US, None, &[Interrupt::UART0_IRQ]);
    let stack = singleton!(: Stack<4096> = Stack::new()).expect("main runs once");
    spawn_core1(p.CORE1, stack, || {
        loop {
            for number in 0..6 {
                piece(&CORE1, 150 + 70 * number);
            }
            wfe();
        }
    });

    let mut seconds = Ticker::every(Duration::from_secs(1));
    loop {
        WORK.core0.set(CORE0.load(Relaxed));
        WORK.alarm.set(ALARM.load(Relaxed));
        WORK.core1.set(CORE1.load(Relaxed));
        let _ = reporter.report_async(&WORK, Instant::now().as_ticks(), &mut uart).await;
        seconds.next().await;
    }
}
