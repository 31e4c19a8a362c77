//! One metric of each kind, recorded.
#![no_std]
#![no_main]

use tapes_core::metrics;
use tapes_probes as _;

metrics! {
    /// A probe.
    static M: Probe = "a" {
        c: Counter,
        g: Gauge<f32>,
        h: Histogram [unit = micros, max = 60 s, scale = 2],
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
fn bench_empty() {}

#[unsafe(no_mangle)]
#[inline(never)]
fn bench_counter() {
    M.c.increment();
}

#[unsafe(no_mangle)]
#[inline(never)]
fn bench_histogram(v: u32) {
    M.h.record(v);
}

#[unsafe(no_mangle)]
#[inline(never)]
fn bench_gauge() {
    M.g.set(1.0);
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut v = 0;
    loop {
        bench_empty();
        bench_counter();
        bench_gauge();
        bench_histogram(v);
        v += 100;
    }
}
