//! Logs its metrics over defmt on UART0, once a second, beside ordinary log lines.
//!
//! Each metric is a frame of its own, and its name is two bytes of it. The logger keeps interrupts
//! masked while it writes a frame, so it must never write to a line: it fills a pipe in RAM, and a
//! task empties that. Frames that find the pipe full are lost, and counted.
//!
//! ```text
//! cargo xtask emulate defmt_report --seconds 3 | defmt-print -e $(cargo xtask firmware defmt_report)
//! ```
#![no_std]
#![no_main]

use core::convert::Infallible;

use cortex_m::asm::delay;
use cortex_m::singleton;
use defmt_serial as _;
use embassy_executor::Spawner;
use embassy_rp::bind_interrupts;
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{self, BufferedUartTx};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_time::{Duration, Instant, Ticker};
use embedded_io_async::Write as _;
use panic_halt as _;
use tapes_core::clock::EmbassyClock;
use tapes_core::report::DefmtReporter;
use tapes_core::{Label, metrics};
use tapes_embassy::{Control, Reports};
use tapes_rp2040 as _;

/// What can go wrong with the motor.
#[derive(Clone, Copy, Label, defmt::Format)]
enum Fault {
    Stall,
    Overheat,
}

metrics! {
    /// Motor control.
    static MOTOR: MotorMetrics = "motor", labels(axis = "x") {
        /// Passes of the control loop.
        loops: Counter,
        /// Time of one pass.
        loop_time: Timer [unit = micros, max = 10 ms],
        /// What went wrong.
        faults: Counter per Fault,
        /// Temperature of the winding; nothing measures it yet.
        temperature: Gauge<f32> [unit = celsius],
    }
}

metrics! {
    /// The log itself.
    static LOG: LogMetrics = "log" {
        /// What was lost because the pipe was full.
        lost: Counter [unit = bytes],
    }
}

/// Room for two reports.
static PIPE: Pipe<CriticalSectionRawMutex, 512> = Pipe::new();
static REPORTS: Control = Control::new();

bind_interrupts!(struct Irqs {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
});
defmt::timestamp!("{=u64:ms}", Instant::now().as_millis());

/// Where the logger writes to, with interrupts masked: never waits.
struct Sink;

impl embedded_io::ErrorType for Sink {
    type Error = Infallible;
}

impl embedded_io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(PIPE.try_write(bytes).unwrap_or_else(|_full| {
            LOG.lost.add(bytes.len() as u32);
            bytes.len()
        }))
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Sends what was logged.
#[embassy_executor::task]
async fn send(mut uart: BufferedUartTx) {
    let mut chunk = [0; 64];
    loop {
        let len = PIPE.read(&mut chunk).await;
        let _ = uart.write_all(&chunk[..len]).await;
    }
}

/// A control loop at 100 Hz in which something goes wrong every 64th pass.
#[embassy_executor::task]
async fn control() {
    let mut ticks = Ticker::every(Duration::from_millis(10));
    for pass in 1u32.. {
        let running = MOTOR.loop_time.start(EmbassyClock);
        delay(3_000 + 100 * (pass % 64)); // stands for what a pass computes
        drop(running);
        MOTOR.loops.increment();
        if pass.is_multiple_of(64) {
            let fault = if pass.is_multiple_of(128) { Fault::Overheat } else { Fault::Stall };
            MOTOR.faults.of(fault).increment();
            defmt::warn!("{} in pass {=u32}", fault, pass);
        }
        ticks.next().await;
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(embassy_rp::config::Config::default());
    let line = singleton!(: [u8; 128] = [0; 128]).expect("main runs once");
    let uart = BufferedUartTx::new(p.UART0, Irqs, p.PIN_0, line, uart::Config::default());
    defmt_serial::defmt_serial(singleton!(: Sink = Sink).expect("main runs once"));
    spawner.spawn(send(uart).expect("there is one such task"));
    spawner.spawn(control().expect("there is one such task"));
    defmt::info!("{=u32} metrics", MOTOR.group().metrics());

    let mut reporter = DefmtReporter::new();
    let report = async |_uptime| {
        reporter.report_group(&MOTOR); // names interned
        reporter.report(&LOG); // names as text, as for any source
        Ok::<(), Infallible>(())
    };
    // Nobody else reports with this control, and nobody stops it.
    let _ = Reports::every(Duration::from_secs(1)).run(&REPORTS, report).await;
}
