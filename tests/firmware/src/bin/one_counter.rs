//! One declared counter, incremented.
#![no_std]
#![no_main]

use core::hint::black_box;

use tapes_core::{metric::Group, metrics};
use tapes_probes as _;

metrics! {
    /// A probe.
    static M: Probe = "p" {
        c00: Counter,
    }
}

static GROUP: Group<'static> = M.group();

#[cortex_m_rt::entry]
fn main() -> ! {
    // Somebody reads the group, so that its dictionary is linked.
    black_box(&GROUP);
    loop {
        M.c00.increment();
    }
}
