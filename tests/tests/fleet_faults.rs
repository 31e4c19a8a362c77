//! Real encoders and fleets with everything in between that can go wrong.
//!
//! `cargo xtask faults --runs 10000` runs more of them, optimised.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fault_support;

use std::panic::catch_unwind;

use fault_support::world::{Outcome, World};
use tapes_tests::runs;

/// If this fails, some mixture of loss, damage, repeats, restarts and lies makes a total wrong.
#[test]
fn totals_are_never_above_the_truth_never_go_back_and_are_exact_at_the_end() {
    let first: u64 = std::env::var("TAPES_SEED").map_or(0, |seed| seed.parse().unwrap());
    let mut sum = Outcome::default();
    let mut failed = Vec::new();
    for seed in first..first + runs(200) {
        match catch_unwind(|| World::new(seed).run()) {
            Ok(outcome) => {
                sum.frames += outcome.frames;
                sum.corrupt += outcome.corrupt;
                sum.lives += outcome.lives;
                sum.twins += outcome.twins;
            }
            Err(_) => failed.push(seed),
        }
    }
    println!("{sum:?}");
    assert!(failed.is_empty(), "{} seeds fail: {failed:?}", failed.len());
    assert_eq!(sum.corrupt, 0, "damaged frames were taken for whole ones");
}
