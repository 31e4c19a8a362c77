//! Indexes out of bounds: what `cargo xtask size` must find in an image that can panic.
#![no_std]
#![no_main]

use core::hint::black_box;

use tapes_probes as _;

#[cortex_m_rt::entry]
fn main() -> ! {
    let table = [1, 2, 3];
    loop {
        black_box(table[black_box(2)]);
    }
}
