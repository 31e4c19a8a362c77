//! 32 declared counters, each incremented in one place.
#![no_std]
#![no_main]

use core::hint::black_box;

use tapes_core::{metric::Group, metrics};
use tapes_probes as _;

metrics! {
    /// A probe.
    static M: Probe = "p" {
        c00: Counter,
        c01: Counter,
        c02: Counter,
        c03: Counter,
        c04: Counter,
        c05: Counter,
        c06: Counter,
        c07: Counter,
        c08: Counter,
        c09: Counter,
        c10: Counter,
        c11: Counter,
        c12: Counter,
        c13: Counter,
        c14: Counter,
        c15: Counter,
        c16: Counter,
        c17: Counter,
        c18: Counter,
        c19: Counter,
        c20: Counter,
        c21: Counter,
        c22: Counter,
        c23: Counter,
        c24: Counter,
        c25: Counter,
        c26: Counter,
        c27: Counter,
        c28: Counter,
        c29: Counter,
        c30: Counter,
        c31: Counter,
    }
}

static GROUP: Group<'static> = M.group();

#[cortex_m_rt::entry]
fn main() -> ! {
    // Somebody reads the group, so that its dictionary is linked.
    black_box(&GROUP);
    loop {
        M.c00.increment();
        M.c01.increment();
        M.c02.increment();
        M.c03.increment();
        M.c04.increment();
        M.c05.increment();
        M.c06.increment();
        M.c07.increment();
        M.c08.increment();
        M.c09.increment();
        M.c10.increment();
        M.c11.increment();
        M.c12.increment();
        M.c13.increment();
        M.c14.increment();
        M.c15.increment();
        M.c16.increment();
        M.c17.increment();
        M.c18.increment();
        M.c19.increment();
        M.c20.increment();
        M.c21.increment();
        M.c22.increment();
        M.c23.increment();
        M.c24.increment();
        M.c25.increment();
        M.c26.increment();
        M.c27.increment();
        M.c28.increment();
        M.c29.increment();
        M.c30.increment();
        M.c31.increment();
    }
}
