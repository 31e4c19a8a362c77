//! One declared counter, incremented.
#![no_std]
#![no_main]

use tapes_core::metrics;
use tapes_probes as _;

metrics! {
    /// A probe.
    static ONE: One = "a" {
        b: Counter,
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        ONE.b.increment();
    }
}
