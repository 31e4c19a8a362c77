//! The typical board, recording and reporting Prometheus text on a UART.
#![no_std]
#![no_main]

use cortex_m::singleton;
use tapes_core::metric::Group;
use tapes_core::report::{Prometheus, TextReporter};
use tapes_core::text::prometheus::Format;
use tapes_probes::board::{self, MOTOR, RADIO};
use tapes_probes::uart::Uart;

/// 80 buckets, in chunks of a few lines.
type Reporter = TextReporter<Prometheus, 80, 256>;

static SOURCES: [Group<'static>; 2] = [MOTOR.group(), RADIO.group()];

#[cortex_m_rt::entry]
fn main() -> ! {
    let text = Prometheus::new(Format::Prometheus);
    let Some(reporter) = singleton!(: Reporter = Reporter::new(text)) else {
        loop {
            cortex_m::asm::nop();
        }
    };
    loop {
        board::record();
        let _ = reporter.report(&SOURCES, &mut Uart);
    }
}
