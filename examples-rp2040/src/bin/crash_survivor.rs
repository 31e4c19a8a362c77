//! Counts through its own crashes: nothing that was recorded before a panic or a hang is lost.
//!
//! The words of the metrics lie in RAM that the start-up code does not clear, beside a header that
//! says whether they can be believed. After a reset by the watchdog they are, and the epoch goes
//! on: the gateway goes on with the last values, and with one more start in `tapes_device_starts`.
//! After power-on, with garbage in RAM, they are cleared and a new epoch begins, which is what the
//! gateway calls a boot. It counts as lost the frames whose numbers a restart leaves out: 1,024.
//!
//! ```text
//! cargo xtask emulate crash_survivor --seconds 20 | tapes gateway --stdin
//! ```
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use cortex_m::asm::{delay, wfi};
use embassy_executor::Spawner;
use embassy_rp::adc::{self, Adc};
use embassy_rp::bind_interrupts;
use embassy_rp::pac;
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{self, BufferedUartTx};
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, Instant, Ticker};
use examples_rp2040::identity;
use tapes_core::clock::EmbassyClock;
use tapes_core::metric::Words;
use tapes_core::metrics;
use tapes_core::report::{Kept, SerialReporter};
use tapes_core::wire::{frame_len, stream_len};

metrics! {
    /// What the board does.
    static JOBS: JobMetrics = "jobs" in JOB_WORDS {
        /// Jobs begun.
        begun: Counter,
        /// Time that finished jobs took.
        time: Timer [unit = micros, max = 100 ms, scale = 2],
        /// Jobs that panicked.
        panics: Counter,
    }
}

/// What was counted.
// SAFETY: nothing but plain words, any bits of which are a value; no other section is written.
#[unsafe(link_section = ".uninit.tapes")]
static JOB_WORDS: Words<{ JobMetrics::WORDS }> = Words::new();

/// Whether that can be believed.
// SAFETY: as above.
#[unsafe(link_section = ".uninit.tapes")]
static KEPT: Kept<{ JobMetrics::METRICS }> = Kept::new();

/// Raised with every release, so that it does not believe words of another one.
const BUILD: u64 = 1;
/// Room for a frame with all buckets of `time`.
const FRAME: usize = stream_len(frame_len(JobMetrics::BUCKETS, u64::MAX));
/// Jobs in a second.
const JOBS_A_SECOND: u32 = 40;

bind_interrupts!(struct Irqs {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
});

/// Counts what happened and starts again: the count is reported after the restart.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    JOBS.panics.increment();
    pac::WATCHDOG.ctrl().modify(|w| w.set_trigger(true));
    loop {}
}

/// One job, about a millisecond long, with two bugs.
fn job(number: u64) {
    let time = JOBS.time.start(EmbassyClock);
    delay(30_000 + 500 * (number % 100) as u32);
    if number % 150 == 149 {
        panic!("a bug"); // nothing is dropped: no time is recorded
    }
    if number % 220 == 219 {
        loop {
            wfi(); // for something that never comes, until the watchdog bites
        }
    }
    drop(time);
}

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let p = embassy_rp::init(embassy_rp::config::Config::default());
    let mut watchdog = Watchdog::new(p.WATCHDOG);
    let mut adc = Adc::new_blocking(p.ADC, adc::Config::default());
    let mut sensor = adc::Channel::new_temp_sensor(p.ADC_TEMP_SENSOR);
    let identity = identity(p.FLASH, &mut watchdog, &mut adc, &mut sensor);
    let start = KEPT.start(&JOBS, BUILD, || identity.epoch);
    // No widening memory, the 0: it would not survive, so the receiver widens.
    let mut reporter =
        SerialReporter::<{ JobMetrics::METRICS }, 0, FRAME>::new(start.identify(identity));
    reporter.encoder().set_first_seq(start.first_seq);
    let mut line = [0; 256];
    let mut uart = BufferedUartTx::new(p.UART0, Irqs, p.PIN_0, &mut line, uart::Config::default());
    watchdog.start(Duration::from_millis(1_500));

    let mut seconds = Ticker::every(Duration::from_secs(1));
    loop {
        let uptime = start.uptime + Instant::now().as_ticks();
        let _ = reporter.report_async(&JOBS, uptime, &mut uart).await;
        KEPT.reported(reporter.encoder());
        seconds.next().await;
        watchdog.feed(Duration::from_millis(1_500));
        for _ in 0..JOBS_A_SECOND {
            JOBS.begun.increment();
            job(JOBS.begun.value());
        }
    }
}
