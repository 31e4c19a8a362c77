//! The typical board, recording.
#![no_std]
#![no_main]

use tapes_probes::board;

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        board::record();
    }
}
