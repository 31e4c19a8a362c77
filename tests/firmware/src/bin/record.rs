//! One metric of each kind, recorded: what a call costs.
//!
//! `cargo xtask cycles` calls each `bench_…` function in the RP2040 emulator, and subtracts the
//! cycles of `bench_empty`.
#![no_std]
#![no_main]

use core::arch::asm;

use tapes_core::metric::Words;
use tapes_core::{Counter, Exclusive, Gauge, Histogram, Layout, Registry, layout, metrics};
use tapes_probes as _;

metrics! {
    /// A probe.
    static M: Probe = "a" {
        c: Counter,
        u: UpDown,
        g: Gauge<f32>,
        w: Gauge<u32>,
        h: Histogram [unit = micros, max = 60 s, scale = 2],
        t: Timer [unit = micros, max = 60 s, scale = 2],
    }
}

static REGISTRY: Registry<4, 256> = Registry::new();

static LAYOUT: &Layout = layout!(unit = micros, max = 60 s, scale = 2);
/// Words of the exclusive handles, which nobody else has.
static OWN: Words<{ 1 + LAYOUT.words() }> = Words::new();

static OWN_COUNTER: Counter<'static> = Counter::new(OWN.run(0, 1));
static OWN_HISTOGRAM: Histogram<'static> = Histogram::new(OWN.run(1, LAYOUT.words()), LAYOUT);

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
    // SAFETY: `main` writes before anything else runs.
    let dynamic = unsafe { &*(&raw const DYNAMIC) };
    // SAFETY: as above.
    unsafe { dynamic.as_ref().unwrap_unchecked() }
}

/// Makes a value that the compiler does not know, in one register.
#[inline(always)]
fn hidden(mut value: u32) -> u32 {
    // SAFETY: there is no instruction.
    unsafe { asm!("/* {} */", inout(reg) value, options(pure, nomem, nostack, preserves_flags)) };
    value
}

macro_rules! benches {
    ($($name:ident $body:block)*) => {
        $(
            #[unsafe(no_mangle)]
            #[inline(never)]
            extern "C" fn $name() $body
        )*
        #[used]
        static BENCHES: &[extern "C" fn()] = &[$($name),*];
    };
}

benches! {
    // SAFETY: there is no instruction.
    bench_empty { unsafe { asm!("", options(nomem, nostack, preserves_flags)) } }
    bench_counter { M.c.increment() }
    bench_counter_add { M.c.add(hidden(7)) }
    bench_two_counters { M.c.increment(); M.u.increment() }
    bench_gauge { M.g.set(1.0) }
    bench_histogram_zero { M.h.record(hidden(0)) }
    bench_histogram_byte { M.h.record(hidden(200)) }
    bench_histogram_word { M.h.record(hidden(1_234_567)) }
    bench_histogram_overflow { M.h.record(hidden(u32::MAX)) }
    bench_histogram_compact { M.h.record_compact(hidden(200)) }
    bench_exclusive_counter { Exclusive::new(OWN_COUNTER).increment() }
    bench_exclusive_histogram { Exclusive::new(OWN_HISTOGRAM).record(hidden(200)) }
    bench_gauge_word { M.w.set(hidden(7)) }
    bench_timer { M.t.record(hidden(200)) }
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
