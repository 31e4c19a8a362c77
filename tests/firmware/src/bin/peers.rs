//! What others do to count, recorded as in `record`: what a call costs, and with `_2` two of them.
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
        /// Another one.
        d: Counter,
        /// A gauge.
        g: Gauge,
        /// Another one.
        k: Gauge,
        /// Ten buckets, searched one by one.
        #[buckets(50, 100, 250, 500, 1000, 2500, 5000, 10000, 100000, 1000000)]
        h: IntHistogram,
        /// Another one.
        #[buckets(50, 100, 250, 500, 1000, 2500, 5000, 10000, 100000, 1000000)]
        i: IntHistogram,
    }
}

type Shared<T> = Mutex<Cell<T>>;

static CELLS: [Shared<u32>; 2] = [const { Mutex::new(Cell::new(0)) }; 2];
static CELLS_64: [Shared<u64>; 2] = [const { Mutex::new(Cell::new(0)) }; 2];
static WORDS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
static WORDS_64: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

#[inline(always)]
fn count(cell: &Shared<u32>) {
    critical_section::with(|cs| cell.borrow(cs).set(cell.borrow(cs).get().wrapping_add(1)));
}

#[inline(always)]
fn count_64(cell: &Shared<u64>) {
    critical_section::with(|cs| cell.borrow(cs).set(cell.borrow(cs).get().wrapping_add(1)));
}

#[inline(always)]
fn set(cell: &Shared<u32>) {
    critical_section::with(|cs| cell.borrow(cs).set(hidden(7)));
}

#[inline(always)]
fn level() -> i64 {
    hidden(7).cast_signed().into()
}

#[inline(always)]
fn byte() -> u64 {
    hidden(200).into()
}

#[inline(always)]
fn word() -> u64 {
    hidden(1_234_567).into()
}

benches! {
    bench_empty { nothing() }
    bench_cell_counter, bench_ram_cell_counter { count(&CELLS[0]) }
    bench_cell_counter_2, bench_ram_cell_counter_2 { count(&CELLS[0]); count(&CELLS[1]) }
    bench_cell_counter_64, bench_ram_cell_counter_64 { count_64(&CELLS_64[0]) }
    bench_cell_counter_64_2, bench_ram_cell_counter_64_2 {
        count_64(&CELLS_64[0]);
        count_64(&CELLS_64[1]);
    }
    bench_cell_gauge, bench_ram_cell_gauge { set(&CELLS[0]) }
    bench_cell_gauge_2, bench_ram_cell_gauge_2 { set(&CELLS[0]); set(&CELLS[1]) }
    bench_atomic_counter, bench_ram_atomic_counter { WORDS[0].add(1, Relaxed) }
    bench_atomic_counter_2, bench_ram_atomic_counter_2 {
        WORDS[0].add(1, Relaxed);
        WORDS[1].add(1, Relaxed);
    }
    bench_atomic_counter_64, bench_ram_atomic_counter_64 { WORDS_64[0].add(1, Relaxed) }
    bench_atomic_counter_64_2, bench_ram_atomic_counter_64_2 {
        WORDS_64[0].add(1, Relaxed);
        WORDS_64[1].add(1, Relaxed);
    }
    bench_atomic_gauge, bench_ram_atomic_gauge { WORDS[0].store(hidden(7), Relaxed) }
    bench_atomic_gauge_2, bench_ram_atomic_gauge_2 {
        WORDS[0].store(hidden(7), Relaxed);
        WORDS[1].store(hidden(7), Relaxed);
    }
    bench_embeprom_counter, bench_ram_embeprom_counter { declared::get().c.inc() }
    bench_embeprom_counter_2, bench_ram_embeprom_counter_2 {
        declared::get().c.inc();
        declared::get().d.inc();
    }
    bench_embeprom_gauge, bench_ram_embeprom_gauge { declared::get().g.set(level()) }
    bench_embeprom_gauge_2, bench_ram_embeprom_gauge_2 {
        declared::get().g.set(level());
        declared::get().k.set(level());
    }
    bench_embeprom_histogram_byte, bench_ram_embeprom_histogram_byte {
        declared::get().h.observe(byte());
    }
    bench_embeprom_histogram_byte_2, bench_ram_embeprom_histogram_byte_2 {
        declared::get().h.observe(byte());
        declared::get().i.observe(byte());
    }
    bench_embeprom_histogram_word, bench_ram_embeprom_histogram_word {
        declared::get().h.observe(word());
    }
    bench_embeprom_histogram_word_2, bench_ram_embeprom_histogram_word_2 {
        declared::get().h.observe(word());
        declared::get().i.observe(word());
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        for bench in BENCHES {
            bench();
        }
    }
}
