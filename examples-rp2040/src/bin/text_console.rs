//! Ask the board itself: a line on the UART is a command, the answer is text.
//!
//! | command | answer |
//! |---|---|
//! | `metrics` | Prometheus text |
//! | `json` | one line of JSON |
//! | `statsd` | StatsD lines |
//! | `help` | the commands |
//!
//! ```text
//! cargo xtask emulate text_console                           with commands that are typed for you
//! cargo xtask emulate text_console -- --stdin --realtime     type yourself
//! ```
//!
//! On a board: `picocom -b 115200 /dev/ttyUSB0`, with GPIO 0 sending and GPIO 1 receiving.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_rp::adc::{self, Adc};
use embassy_rp::bind_interrupts;
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{self, BufferedUart, BufferedUartRx};
use embassy_time::{Duration, Ticker};
use embedded_io_async::{Read as _, Write};
use examples_rp2040::celsius;
use panic_halt as _;
use tapes_core::clock::EmbassyClock;
use tapes_core::metrics;
use tapes_core::report::{Json, Prometheus, ReportError, Statsd, TextReporter};
use tapes_core::text::prometheus::Format;
use tapes_core::text::statsd::Dialect;

metrics! {
    /// The board.
    static BOARD: BoardMetrics = "board" {
        /// Temperature of the chip.
        temperature: Gauge<f32> [unit = celsius],
        /// Time to measure it.
        measuring: Timer [unit = micros, max = 10 ms, scale = 1],
    }
}

metrics! {
    /// The console.
    static CONSOLE: ConsoleMetrics = "console" {
        /// Commands understood.
        commands: Counter,
        /// Lines that are no command.
        unknown: Counter,
    }
}

/// Everything that is shown.
static ALL: [tapes_core::metric::Group<'static>; 2] = [BOARD.group(), CONSOLE.group()];

const HELP: &[u8] = b"commands: metrics, json, statsd, help\r\n";
/// Longest line that can be a command.
const LINE_LEN_MAX: usize = 16;
/// Buckets of the longest histogram.
const BUCKETS: usize = BoardMetrics::BUCKETS as usize;

bind_interrupts!(struct Irqs {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
});

/// Receives a line and returns its length; what is too long for `line` is cut.
async fn receive(uart: &mut BufferedUartRx, line: &mut [u8]) -> usize {
    let mut len = 0;
    loop {
        let mut byte = [0];
        match uart.read(&mut byte).await {
            Ok(_) if matches!(byte, [b'\r' | b'\n']) => return len,
            Ok(_) if len < line.len() => {
                line[len] = byte[0];
                len += 1;
            }
            Ok(_) => {}
            // Noise on the line: the command is lost.
            Err(_) => len = 0,
        }
    }
}

async fn answer<W: Write>(command: &[u8], uart: &mut W) -> Result<(), ReportError<W::Error>> {
    let known: [&[u8]; 4] = [b"metrics", b"json", b"statsd", b"help"];
    let counted = if known.contains(&command) { CONSOLE.commands } else { CONSOLE.unknown };
    counted.increment();
    match command {
        b"metrics" => {
            let text = Prometheus::new(Format::Prometheus);
            TextReporter::<_, BUCKETS, 64>::new(text).report_async(&ALL, uart).await?;
        }
        b"json" => {
            TextReporter::<_, BUCKETS, 64>::new(Json::new()).report_async(&ALL, uart).await?;
        }
        b"statsd" => {
            let lines = Statsd::new(Dialect::Etsy);
            TextReporter::<_, BUCKETS, 64>::new(lines).report_async(&ALL, uart).await?;
        }
        _ => uart.write_all(HELP).await.map_err(ReportError::Write)?,
    }
    Ok(())
}

#[embassy_executor::task]
async fn measure(mut adc: Adc<'static, adc::Blocking>, mut sensor: adc::Channel<'static>) {
    let mut pace = Ticker::every(Duration::from_millis(100));
    loop {
        let running = BOARD.measuring.start(EmbassyClock);
        if let Ok(reading) = adc.blocking_read(&mut sensor) {
            BOARD.temperature.set(celsius(reading));
        }
        drop(running);
        pace.next().await;
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(embassy_rp::config::Config::default());
    let adc = Adc::new_blocking(p.ADC, adc::Config::default());
    let sensor = adc::Channel::new_temp_sensor(p.ADC_TEMP_SENSOR);
    spawner.spawn(measure(adc, sensor).expect("there is one such task"));
    let (mut out, mut input) = ([0; 256], [0; 64]);
    let config = uart::Config::default();
    let uart = BufferedUart::new(p.UART0, p.PIN_0, p.PIN_1, Irqs, &mut out, &mut input, config);
    let (mut tx, mut rx) = uart.split();
    let mut line = [0; LINE_LEN_MAX];
    loop {
        // A carriage return with a line feed makes an empty line.
        let len = receive(&mut rx, &mut line).await;
        if len > 0 {
            let _ = answer(&line[..len], &mut tx).await;
        }
    }
}
