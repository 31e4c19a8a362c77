//! How late an interrupt is, to the cycle, and what makes it late.
//!
//! An alarm rings every 250 µs in the interrupt that comes before all others. Its handler first looks at the clock:
//! what it sees is the time that entering takes, plus the time for which somebody had interrupts masked. A task does
//! so on purpose, for up to 20 µs, as a driver with a long critical section would.
//!
//! ```text
//! cargo xtask emulate isr_latency --seconds 3 | tapes gateway --stdin --no-http
//! ```
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cortex_m::asm::delay;
use embassy_executor::Spawner;
use embassy_rp::adc::{self, Adc};
use embassy_rp::bind_interrupts;
use embassy_rp::clocks::RoscRng;
use embassy_rp::pac::{Interrupt, interrupt};
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{self, BufferedUartTx};
use embassy_rp::watchdog::Watchdog;
use embassy_sync::once_lock::OnceLock;
use embassy_time::{Duration, Instant, Ticker, Timer};
use examples_rp2040::cycles::{self, Cycles};
use examples_rp2040::{alarm, identity};
use panic_halt as _;
use tapes_core::metrics;
use tapes_core::report::SerialReporter;
use tapes_core::wire::{frame_len, stream_len};

metrics! {
    /// The interrupt.
    static ISR: IsrMetrics = "isr" {
        /// Alarms handled.
        handled: Counter,
        /// Alarms skipped, since they were over before they could be set.
        missed: Counter,
        /// Time from the moment that the alarm was set for to the first line of its handler.
        latency: Timer [unit = ticks(cycles::HZ), max = 1 ms, scale = 2],
        /// How far the time between two runs of the handler was from the period.
        jitter: Timer [unit = ticks(cycles::HZ), max = 1 ms, scale = 2],
        /// Time for which the task had interrupts masked.
        masked: Timer [unit = ticks(cycles::HZ), max = 1 ms, scale = 2],
    }
}

const PERIOD_US: u32 = 250;
/// How long interrupts are masked at most: 20 µs of `delay`, which takes 3 cycles for each that it is asked for.
const MASKED_MAX: u32 = 833;
const METRICS: usize = IsrMetrics::METRICS;
const WORDS: usize = IsrMetrics::WORDS;
/// Room for a frame with all buckets of a histogram.
const FRAME: usize = stream_len(frame_len(IsrMetrics::BUCKETS, u64::MAX));

static CYCLES: OnceLock<Cycles> = OnceLock::new();
/// When the handler ran last.
static BEFORE: AtomicU32 = AtomicU32::new(0);

bind_interrupts!(struct Irqs {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
});

#[interrupt]
fn TIMER_IRQ_1() {
    let now = cycles::now();
    let (due, missed) = alarm::acknowledge(PERIOD_US);
    let before = BEFORE.load(Relaxed);
    BEFORE.store(now, Relaxed);
    if let Some(cycles) = CYCLES.try_get() {
        ISR.latency.record(cycles.since(due, now));
    }
    if ISR.handled.value() > 0 && missed == 0 {
        ISR.jitter.record(cycles::between(before, now).abs_diff(cycles::of_us(PERIOD_US)));
    }
    ISR.missed.add(missed);
    ISR.handled.increment();
}

/// Masks interrupts about every millisecond, each time for another while.
#[embassy_executor::task]
async fn disturb() {
    loop {
        let random = RoscRng.next_u32();
        Timer::after_micros(u64::from(500 + (random & 0x3ff))).await;
        let started = cycles::now();
        critical_section::with(|_| delay(random % MASKED_MAX));
        ISR.masked.record(cycles::between(started, cycles::now()));
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(embassy_rp::config::Config::default());
    let core = cortex_m::Peripherals::take().expect("nobody has taken them");
    let mut adc = Adc::new_blocking(p.ADC, adc::Config::default());
    let mut sensor = adc::Channel::new_temp_sensor(p.ADC_TEMP_SENSOR);
    let identity = identity(p.FLASH, &mut Watchdog::new(p.WATCHDOG), &mut adc, &mut sensor);
    let mut reporter = SerialReporter::<METRICS, WORDS, FRAME>::new(identity);
    let mut line = [0; 256];
    let mut uart = BufferedUartTx::new(p.UART0, Irqs, p.PIN_0, &mut line, uart::Config::default());
    CYCLES.get_or_init(|| Cycles::start(core.SYST));
    spawner.spawn(disturb().expect("there is one such task"));
    alarm::start(PERIOD_US, None, &[Interrupt::UART0_IRQ]);

    let mut seconds = Ticker::every(Duration::from_secs(1));
    loop {
        let _ = reporter.report_async(&ISR, Instant::now().as_ticks(), &mut uart).await;
        seconds.next().await;
    }
}
