//! Frames over USB: the board is a serial port of its host, `/dev/ttyACM0` on Linux, with no wires and no adapter.
//!
//! Nothing is lost while nobody listens: the next report that is taken has everything.
//!
//! ```text
//! cargo xtask emulate usb_serial --seconds 3 | tapes gateway --stdin --no-http
//! tapes gateway --serial /dev/ttyACM0                          with a board
//! ```
#![no_std]
#![no_main]

use cortex_m::singleton;
use embassy_executor::Spawner;
use embassy_rp::adc::{self, Adc};
use embassy_rp::bind_interrupts;
use embassy_rp::peripherals::USB;
use embassy_rp::usb::{Driver, InterruptHandler};
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, Instant, Ticker, with_timeout};
use embassy_usb::class::cdc_acm::{CdcAcmClass, State};
use embassy_usb::{Builder, Config, UsbDevice};
use examples_rp2040::{celsius, identity};
use panic_halt as _;
use tapes_core::clock::EmbassyClock;
use tapes_core::metrics;
use tapes_core::report::SerialReporter;
use tapes_core::wire::{frame_len, stream_len};

metrics! {
    /// The port.
    static USB_PORT: UsbMetrics = "usb" {
        /// Reports that the host did not take in time.
        failed: Counter,
        /// Time to hand a report over.
        sending: Timer [unit = micros, max = 1 s, scale = 2],
        /// Temperature of the chip.
        temperature: Gauge<f32> [unit = celsius],
    }
}

/// The bytes of a packet, at full speed.
const PACKET: u16 = 64;
/// How long the host may take for a report.
const PATIENCE: Duration = Duration::from_millis(500);
const METRICS: usize = UsbMetrics::METRICS;
const WORDS: usize = UsbMetrics::WORDS;
/// Room for a frame with all buckets of a timer.
const FRAME: usize = stream_len(frame_len(UsbMetrics::BUCKETS, u64::MAX));

type Usb = Driver<'static, USB>;

bind_interrupts!(struct Irqs {
    USBCTRL_IRQ => InterruptHandler<USB>;
});

/// Talks to the host about everything but the bytes of the port.
#[embassy_executor::task]
async fn run(mut device: UsbDevice<'static, Usb>) {
    device.run().await;
}

/// What the host is told. The numbers are those that pid.codes gives away for tests: get your own.
fn config() -> Config<'static> {
    let mut config = Config::new(0x1209, 0x0001);
    config.manufacturer = Some("tapes");
    config.product = Some("usb_serial");
    config
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(embassy_rp::config::Config::default());
    let mut adc = Adc::new_blocking(p.ADC, adc::Config::default());
    let mut sensor = adc::Channel::new_temp_sensor(p.ADC_TEMP_SENSOR);
    let identity = identity(p.FLASH, &mut Watchdog::new(p.WATCHDOG), &mut adc, &mut sensor);
    let mut reporter = SerialReporter::<METRICS, WORDS, FRAME>::new(identity);

    let buffers = singleton!(: [[u8; 256]; 3] = [[0; 256]; 3]).expect("main runs once");
    let [descriptors, bos, control] = buffers;
    let state = singleton!(: State<'static> = State::new()).expect("main runs once");
    let driver = Driver::new(p.USB, Irqs);
    let mut builder = Builder::new(driver, config(), descriptors, bos, &mut [], control);
    let (mut port, _commands) = CdcAcmClass::new(&mut builder, state, PACKET).split();
    spawner.spawn(run(builder.build()).expect("there is one such task"));

    let mut seconds = Ticker::every(Duration::from_secs(1));
    loop {
        // Until a program on the host opens the port.
        port.wait_connection().await;
        if let Ok(reading) = adc.blocking_read(&mut sensor) {
            USB_PORT.temperature.set(celsius(reading));
        }
        let sending = USB_PORT.sending.start(EmbassyClock);
        let report = reporter.report_async(&USB_PORT, Instant::now().as_ticks(), &mut port);
        if let Ok(Ok(_)) = with_timeout(PATIENCE, report).await {
            drop(sending);
        } else {
            sending.cancel();
            USB_PORT.failed.increment();
        }
        seconds.next().await;
    }
}
