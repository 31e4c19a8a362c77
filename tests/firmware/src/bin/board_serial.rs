//! The typical board, recording and reporting frames on a UART.
#![no_std]
#![no_main]

use tapes_core::clock::Clock as _;
use tapes_core::metric::Group;
use tapes_core::report::SerialReporter;
use tapes_core::wire::{Epoch, Identity, Origin, frame_len, stream_len};
use tapes_probes::board::{self, MOTOR, RADIO};
use tapes_probes::uart::Uart;

/// Room for all buckets of a timer, full of the first 2^32 values.
const FRAME: usize = stream_len(frame_len(80, 1 << 32));

type Reporter = SerialReporter<{ board::METRICS }, { board::WORDS }, FRAME>;

static SOURCES: [Group<'static>; 2] = [MOTOR.group(), RADIO.group()];

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut REPORTER: Reporter = Reporter::unstarted();
    let seed = board::Timer.ticks();
    let identity = Identity::new(Origin::from_array(*b"board-01"), Epoch::new(0, seed), 1_000_000);
    REPORTER.start(identity);
    loop {
        board::record();
        let _ = REPORTER.report(&SOURCES, board::Timer.ticks().into(), &mut Uart);
    }
}
