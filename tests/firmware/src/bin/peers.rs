//! What others do to count, recorded as in `record`: what a call costs.
//!
//! All are safe under interrupts of one core, through the critical section of `cortex-m`.
#![no_std]
#![no_main]

use core::cell::Cell;

use critical_section::Mutex;
use portable_atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use tapes_probes::bench::{hidden, nothing};
use tapes_probes::benches;

mod declared {
    embeprom::metrics! {
        namespace = "a";

        /// A counter.
        c: Counter,
        /// A gauge.
        g: Gauge,
        /// Ten buckets, searched one by one.
        #[buckets(50, 100, 250, 500, 1000, 2500, 5000, 10000, 100000, 1000000)]
        h: IntHistogram,
    }
}

static CELL: Mutex<Cell<u32>> = Mutex::new(Cell::new(0));
static CELL_64: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));
static WORD: AtomicU32 = AtomicU32::new(0);
static WORD_64: AtomicU64 = AtomicU64::new(0);

benches! {
    bench_empty { nothing() }
    bench_cell { critical_section::with(|cs| CELL.borrow(cs).set(CELL.borrow(cs).get() + 1)) }
    bench_cell_64 {
        critical_section::with(|cs| CELL_64.borrow(cs).set(CELL_64.borrow(cs).get() + 1));
    }
    bench_portable_atomic { WORD.fetch_add(1, Relaxed); }
    bench_portable_atomic_64 { WORD_64.fetch_add(1, Relaxed); }
    bench_embeprom_counter { declared::get().c.inc() }
    bench_embeprom_gauge { declared::get().g.set(hidden(7).cast_signed().into()) }
    bench_embeprom_histogram_byte { declared::get().h.observe(hidden(200).into()) }
    bench_embeprom_histogram_word { declared::get().h.observe(hidden(1_234_567).into()) }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        for bench in BENCHES {
            bench();
        }
    }
}
