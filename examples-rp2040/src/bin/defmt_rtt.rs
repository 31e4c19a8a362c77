//! As `defmt_report`, over RTT: a debug probe reads the log out of RAM, and no pin and no task is needed.
//!
//! ```text
//! cargo xtask emulate defmt_rtt --seconds 3 | defmt-print -e $(cargo xtask firmware defmt_rtt)
//! probe-rs run --chip RP2040 $(cargo xtask firmware defmt_rtt)     with a board
//! ```
#![no_std]
#![no_main]

use core::convert::Infallible;

use cortex_m::asm::delay;
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_time::{Duration, Instant, Ticker};
use panic_halt as _;
use tapes_core::clock::EmbassyClock;
use tapes_core::metrics;
use tapes_core::report::DefmtReporter;
use tapes_embassy::{Control, Reports};
use tapes_rp2040 as _;

metrics! {
    /// Motor control.
    static MOTOR: MotorMetrics = "motor" {
        /// Passes of the control loop.
        loops: Counter,
        /// Time of one pass.
        loop_time: Timer [unit = micros, max = 10 ms],
    }
}

static REPORTS: Control = Control::new();

defmt::timestamp!("{=u64:ms}", Instant::now().as_millis());

/// A control loop at 100 Hz.
#[embassy_executor::task]
async fn control() {
    let mut ticks = Ticker::every(Duration::from_millis(10));
    for pass in 0u32.. {
        let running = MOTOR.loop_time.start(EmbassyClock);
        delay(3_000 + 100 * (pass % 64)); // stands for what a pass computes
        drop(running);
        MOTOR.loops.increment();
        ticks.next().await;
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let _ = embassy_rp::init(embassy_rp::config::Config::default());
    spawner.spawn(control().expect("there is one such task"));
    defmt::info!("{=u32} metrics", MOTOR.group().metrics());
    let mut reporter = DefmtReporter::new();
    let report = async |_uptime| {
        reporter.report_group(&MOTOR);
        Ok::<(), Infallible>(())
    };
    // Nobody else reports with this control, and nobody stops it.
    let _ = Reports::every(Duration::from_secs(1)).run(&REPORTS, report).await;
}
