//! The typical board, recording and reporting over defmt, with a logger that writes to a UART.
#![no_std]
#![no_main]

use tapes_core::report::DefmtReporter;
use tapes_probes::board::{self, MOTOR, RADIO};

#[path = "../logger.rs"]
mod logger;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut reporter = DefmtReporter::new();
    loop {
        board::record();
        reporter.report_group(&MOTOR);
        reporter.report_group(&RADIO);
    }
}
