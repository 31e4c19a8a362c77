//! What recording costs on the RP2040, in cycles of the emulator's processor: the numbers that the
//! documentation names, as upper limits.
//!
//! The probe is `tests/firmware/src/bin/record.rs`, compiled as firmware usually is: for size, with
//! link-time optimisation. Cycles are net of an empty call.

use std::path::PathBuf;
use std::process::Command;

use tapes_tests::programs::emulate;

/// Cycles of a call at most, by what it records.
type Limits = &'static [(&'static str, u64)];

/// What costs the same whatever the backend.
const ANY: Limits = &[
    ("bench_gauge_word", 5),
    ("bench_gauge", 6),
    ("bench_exclusive_counter", 7),
    ("bench_exclusive_histogram", 75),
    ("bench_histogram_zero", 90),
    ("bench_histogram_byte", 90),
    ("bench_histogram_word", 90),
    ("bench_histogram_overflow", 105),
    ("bench_timer", 95),
    ("bench_histogram_compact", 130),
];

/// A critical section of `cortex-m` ends with a barrier, which costs 3 cycles.
const CRITICAL_SECTION: Limits =
    &[("bench_counter", 17), ("bench_dynamic_counter", 24), ("bench_dynamic_histogram_word", 124)];
const ONE_LANE: Limits =
    &[("bench_counter", 14), ("bench_dynamic_counter", 21), ("bench_dynamic_histogram_word", 124)];
const TWO_LANES: Limits =
    &[("bench_counter", 20), ("bench_dynamic_counter", 28), ("bench_dynamic_histogram_word", 126)];

/// Builds the probe and returns its image.
fn probe(features: &str) -> PathBuf {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    build.args(["xtask", "firmware", "record", "--in", "tests/firmware", "--features", features]);
    let output = build.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the probe does not build with {features}:\n{said}");
    PathBuf::from(String::from_utf8(output.stdout).expect("a path in UTF-8").trim())
}

/// If this fails, recording has become slower than the documentation says.
#[test]
fn recording_takes_no_more_cycles_than_documented() {
    let mut over = Vec::new();
    let backends = [("default", CRITICAL_SECTION), ("lanes-1", ONE_LANE), ("lanes-2", TWO_LANES)];
    for (features, limits) in backends {
        let run = emulate(&probe(features), &["--seconds", "0.002", "--cycles", "bench_*"]);
        for (name, limit) in ANY.iter().chain(limits) {
            let cycles = &run.report["cycles"][name];
            let most = cycles["max"].as_u64().unwrap_or_else(|| panic!("{name} is not measured"));
            if most > *limit {
                over.push(format!("{features} {name}: {most} instead of {limit}"));
            }
        }
    }
    assert!(over.is_empty(), "{over:#?}");
}
