//! Counters in a shared library: its thread-local variables are found by a call, not by an offset.
//!
//! Each function does its operation as often as it is told.
#![deny(unsafe_code)]

use std::hint::black_box;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;
use tapes_core::metrics;

metrics! {
    /// What is measured.
    static OURS: OursMetrics = "bench" {
        /// A counter.
        counter: Counter,
        /// A histogram.
        histogram: Histogram [unit = micros, max = 60 s, scale = 2],
    }
}
static RAW: AtomicU64 = AtomicU64::new(0);
static PEER: LazyLock<Counter<u64>> = LazyLock::new(Counter::default);
static SHARDED: metriken::ShardedCounterGroup = metriken::ShardedCounterGroup::new(64);

/// Exports `$name`, which does `$operation` so many times; `$i` counts.
macro_rules! export {
    ($($name:ident($i:ident) $operation:expr;)*) => {$(
        #[expect(unsafe_code, reason = "exported by name; no other crate here has such names")]
        // SAFETY: the symbol is found in this library by who loads it, and nowhere else.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(times: u64) {
            for $i in 0..times {
                black_box(());
                let _ = $operation;
            }
        }
    )*};
}

/// Returns a raw value between 0 and 2^20, other ones in turn.
#[inline(always)]
fn value(i: u64) -> u32 {
    black_box((i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44) as u32)
}

export! {
    tapes_benches_loop(i) i;
    tapes_benches_counter(_i) OURS.counter.increment();
    tapes_benches_values(i) value(i);
    tapes_benches_histogram(i) OURS.histogram.record(value(i));
    tapes_benches_raw(_i) RAW.fetch_add(1, Ordering::Relaxed);
    tapes_benches_prometheus_client(_i) PEER.inc();
    tapes_benches_sharded(_i) SHARDED.increment(7);
}
