//! A firmware with metrics: counts, times and reports once a second on UART0 (GPIO 0, 115,200 baud).
//!
//! `tapes gateway --serial /dev/ttyUSB0` shows them at <http://127.0.0.1:9100>.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_rp::bind_interrupts;
use embassy_rp::clocks::RoscRng;
use embassy_rp::flash::{Blocking, Flash};
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{self, BufferedUartTx};
use embassy_time::{Duration, Instant, TICK_HZ, Ticker};
use panic_halt as _;
use tapes_core::clock::EmbassyClock;
use tapes_core::metrics;
use tapes_core::report::SerialReporter;
use tapes_core::wire::{Epoch, Identity, Origin, frame_len, stream_len};
// The lane hook.
use tapes_rp2040 as _;

metrics! {
    /// What this firmware does. Begin here.
    static APP: AppMetrics = "app" {
        /// Times that the LED has changed.
        blinks: Counter,
        /// Time to send a report.
        report_time: Timer [unit = micros, max = 1 s],
    }
}

/// The flash of a Pico.
const FLASH_BYTES: usize = 2 * 1024 * 1024;
/// Room for a frame with all buckets of a timer.
const FRAME: usize = stream_len(frame_len(AppMetrics::BUCKETS, u64::MAX));

bind_interrupts!(struct Irqs {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
});

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let p = embassy_rp::init(embassy_rp::config::Config::default());
    let mut led = Output::new(p.PIN_25, Level::Low);
    let mut id = [0; 8];
    // A board without an answer is told apart from others by its epoch only.
    let _ = Flash::<_, Blocking, FLASH_BYTES>::new_blocking(p.FLASH).blocking_unique_id(&mut id);
    // All values are zero now, so this is a new epoch.
    let epoch = Epoch::new(0, RoscRng.next_u32().max(1));
    let identity = Identity::new(Origin::from_array(id), epoch, TICK_HZ as u32);
    let mut reporter =
        SerialReporter::<{ AppMetrics::METRICS }, { AppMetrics::WORDS }, FRAME>::new(identity);
    let mut line = [0; 256];
    let mut uart = BufferedUartTx::new(p.UART0, Irqs, p.PIN_0, &mut line, uart::Config::default());
    let mut seconds = Ticker::every(Duration::from_secs(1));
    loop {
        led.toggle();
        APP.blinks.increment();
        let timed = APP.report_time.start(EmbassyClock);
        // A report that fails is not lost: the next one has everything.
        let _ = reporter.report_async(&APP, Instant::now().as_ticks(), &mut uart).await;
        drop(timed);
        seconds.next().await;
    }
}
