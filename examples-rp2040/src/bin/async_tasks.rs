//! Tasks that wait for each other: how long async functions take, and how full the channel between them is.
//!
//! One task takes readings at a steady pace, another one works them up, which takes longer every now and then: then
//! the channel fills, and handing a reading on has to wait.
//!
//! ```text
//! cargo xtask emulate async_tasks --seconds 3 | tapes gateway --stdin --no-http
//! ```
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_rp::adc::{self, Adc};
use embassy_rp::bind_interrupts;
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{self, BufferedUartTx};
use embassy_rp::watchdog::Watchdog;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_time::{Duration, Instant, Ticker, Timer, with_timeout};
use examples_rp2040::identity;
use panic_halt as _;
use tapes_core::clock::EmbassyClock;
use tapes_core::report::SerialReporter;
use tapes_core::wire::{frame_len, stream_len};
use tapes_core::{metrics, timed};

metrics! {
    /// Readings on their way.
    static FLOW: FlowMetrics = "flow" {
        /// Readings taken.
        taken: Counter,
        /// Readings in the channel now.
        depth: Gauge<u32>,
        /// Readings in the channel each time one was taken out.
        depth_seen: Histogram [max = 8, scale = 2],
        /// Time to hand a reading on, which includes waiting while the channel is full.
        hand_on: Timer [unit = micros, max = 1 s, scale = 2],
        /// Time to work a reading up.
        work: Timer [unit = micros, max = 1 s, scale = 2],
        /// Readings given up because they took too long.
        given_up: Counter,
    }
}

const DEPTH: usize = 8;
const PACE: Duration = Duration::from_millis(5);
/// Longer than most readings take.
const PATIENCE: Duration = Duration::from_millis(30);
const METRICS: usize = FlowMetrics::METRICS;
const WORDS: usize = FlowMetrics::WORDS;
/// Room for a frame with all buckets of a timer.
const FRAME: usize = stream_len(frame_len(FlowMetrics::BUCKETS, u64::MAX));

static READINGS: Channel<CriticalSectionRawMutex, u32, DEPTH> = Channel::new();

bind_interrupts!(struct Irqs {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
});

#[timed(FLOW.hand_on, clock = EmbassyClock)]
async fn hand_on(reading: u32) {
    READINGS.send(reading).await;
}

/// Stands for a driver that talks to a slow device; every 64th reading takes very long.
#[timed(FLOW.work, clock = EmbassyClock, cancelled = FLOW.given_up)]
async fn work_up(reading: u32) {
    let millis = if reading.is_multiple_of(64) { 50 } else { 1 + reading % 8 };
    Timer::after_millis(u64::from(millis)).await;
}

#[embassy_executor::task]
async fn take() {
    let mut pace = Ticker::every(PACE);
    for reading in 1.. {
        FLOW.taken.increment();
        hand_on(reading).await;
        pace.next().await;
    }
}

#[embassy_executor::task]
async fn work() {
    loop {
        let reading = READINGS.receive().await;
        FLOW.depth_seen.record(READINGS.len() as u32);
        // One that is given up is counted, and its time is not recorded.
        let _ = with_timeout(PATIENCE, work_up(reading)).await;
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
    spawner.spawn(take().expect("there is one such task"));
    spawner.spawn(work().expect("there is one such task"));

    let mut seconds = Ticker::every(Duration::from_secs(1));
    loop {
        FLOW.depth.set(READINGS.len() as u32);
        let _ = reporter.report_async(&FLOW, Instant::now().as_ticks(), &mut uart).await;
        seconds.next().await;
    }
}
