//! One metric of each kind, recorded: what a call costs.
//!
//! `cargo xtask cycles` calls each `bench_…` function in the RP2040 emulator, and subtracts the
//! cycles of `bench_empty`. Those that end in `_2` do the same twice, those that begin with
//! `bench_ram_` lie in RAM.
#![no_std]
#![no_main]

use tapes_core::metric::{Dimension, Words};
use tapes_core::{Counter, Exclusive, Gauge, Histogram, Label, Layout, Registry, layout, metrics};
use tapes_probes::bench::{hidden, nothing};
use tapes_probes::benches;
use tapes_probes::board::Timer;

/// What can go wrong.
#[derive(Clone, Copy)]
enum Fault {
    Overheat,
    Stall,
}

impl Label for Fault {
    const DIMENSION: Dimension<'static> =
        Dimension { name: "fault", values: &["overheat", "stall"] };

    fn index(self) -> usize {
        self as usize
    }
}

/// A fault that the compiler does not know.
#[inline(always)]
fn fault() -> Fault {
    if hidden(1) == 0 { Fault::Overheat } else { Fault::Stall }
}

metrics! {
    /// A probe.
    static M: Probe = "a" {
        c: Counter,
        u: UpDown,
        g: Gauge<f32>,
        w: Gauge<u32>,
        x: Gauge<u32>,
        h: Histogram [unit = micros, max = 60 s, scale = 2],
        t: Timer [unit = micros, max = 60 s, scale = 2],
        m: Meter,
        f: Counter per Fault,
    }
}

static REGISTRY: Registry<4, 256> = Registry::new();

static LAYOUT: &Layout = layout!(unit = micros, max = 60 s, scale = 2);
/// Words of the exclusive handles, which nobody else has.
static OWN: Words<{ 2 + LAYOUT.words() }> = Words::new();

static OWN_COUNTER: Counter<'static> = Counter::new(OWN.run(0, 1));
static OWN_SECOND: Counter<'static> = Counter::new(OWN.run(1, 1));
static OWN_HISTOGRAM: Histogram<'static> = Histogram::new(OWN.run(2, LAYOUT.words()), LAYOUT);

/// Handles that the compiler cannot look through: made at run time.
struct Dynamic {
    c: Counter<'static>,
    g: Gauge<'static, f32>,
    h: Histogram<'static>,
}

impl Dynamic {
    fn new() -> Option<Self> {
        Some(Self {
            c: REGISTRY.counter("b.c").ok()?,
            g: REGISTRY.gauge("b.g").ok()?,
            h: REGISTRY.histogram("b.h", LAYOUT).ok()?,
        })
    }
}

static mut DYNAMIC: Option<Dynamic> = None;

/// Returns the handles; none, and nothing is measured, before they are made.
#[inline(always)]
fn dynamic() -> &'static Dynamic {
    let dynamic = &raw const DYNAMIC;
    // SAFETY: `main` writes before anything else runs.
    let dynamic = unsafe { &*dynamic };
    // SAFETY: as above.
    unsafe { dynamic.as_ref().unwrap_unchecked() }
}

benches! {
    bench_empty { nothing() }
    bench_counter, bench_ram_counter { M.c.increment() }
    bench_counter_2, bench_ram_counter_2 { M.c.increment(); M.u.increment() }
    bench_counter_add { M.c.add(hidden(7)) }
    bench_meter, bench_ram_meter { M.m.mark() }
    bench_meter_2, bench_ram_meter_2 { M.m.mark(); M.c.increment() }
    bench_family { M.f.of(fault()).increment() }
    bench_family_2 { M.f.of(fault()).increment(); M.f.of(fault()).increment() }
    bench_gauge, bench_ram_gauge { M.g.set(1.0) }
    bench_gauge_2, bench_ram_gauge_2 { M.g.set(1.0); M.w.set(hidden(7)) }
    bench_gauge_word, bench_ram_gauge_word { M.w.set(hidden(7)) }
    bench_gauge_word_2, bench_ram_gauge_word_2 { M.w.set(hidden(7)); M.x.set(hidden(7)) }
    bench_histogram_zero { M.h.record(hidden(0)) }
    bench_histogram_byte, bench_ram_histogram_byte { M.h.record(hidden(200)) }
    bench_histogram_byte_2, bench_ram_histogram_byte_2 {
        M.h.record(hidden(200));
        M.t.record(hidden(200));
    }
    bench_histogram_word, bench_ram_histogram_word { M.h.record(hidden(1_234_567)) }
    bench_histogram_word_2, bench_ram_histogram_word_2 { M.h.record(hidden(1_234_567)); M.t.record(hidden(1_234_567)) }
    bench_histogram_overflow { M.h.record(hidden(u32::MAX)) }
    bench_histogram_compact { M.h.record_compact(hidden(200)) }
    bench_exclusive_counter, bench_ram_exclusive_counter { Exclusive::new(OWN_COUNTER).increment() }
    bench_exclusive_counter_2 {
        Exclusive::new(OWN_COUNTER).increment();
        Exclusive::new(OWN_SECOND).increment();
    }
    bench_exclusive_histogram { Exclusive::new(OWN_HISTOGRAM).record(hidden(200)) }
    bench_timer { M.t.record(hidden(200)) }
    bench_timer_guard, bench_ram_timer_guard { drop(M.t.start(Timer)) }
    bench_timer_guard_2, bench_ram_timer_guard_2 { drop(M.t.start(Timer)); drop(M.t.start(Timer)) }
    bench_dynamic_counter { dynamic().c.increment() }
    bench_dynamic_gauge { dynamic().g.set(1.0) }
    bench_dynamic_histogram_byte { dynamic().h.record(hidden(200)) }
    bench_dynamic_histogram_word { dynamic().h.record(hidden(1_234_567)) }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    // SAFETY: nothing else runs yet.
    unsafe { DYNAMIC = Dynamic::new() };
    loop {
        for bench in BENCHES {
            bench();
        }
    }
}
