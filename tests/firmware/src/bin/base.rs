//! Nothing but the start-up code: what every other probe is compared with.
#![no_std]
#![no_main]

use tapes_probes as _;

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        cortex_m::asm::nop();
    }
}
