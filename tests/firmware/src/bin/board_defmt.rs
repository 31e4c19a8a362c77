//! The typical board, recording and reporting over defmt, with a logger that writes to a UART.
#![no_std]
#![no_main]

use tapes_core::report::DefmtReporter;
use tapes_probes::board::{self, MOTOR, RADIO};
use tapes_probes::uart::Uart;

/// Frames without stuffing, which no host could decode: what it costs is the logger's.
#[defmt::global_logger]
struct Logger;

// SAFETY: one context logs, and it does not log while it logs.
unsafe impl defmt::Logger for Logger {
    fn acquire() {}

    unsafe fn flush() {}

    unsafe fn release() {}

    unsafe fn write(bytes: &[u8]) {
        Uart::write_bytes(bytes);
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut reporter = DefmtReporter::new();
    loop {
        board::record();
        reporter.report_group(&MOTOR);
        reporter.report_group(&RADIO);
    }
}
