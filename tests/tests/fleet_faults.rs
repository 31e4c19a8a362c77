//! Real encoders and fleets with everything in between that can go wrong.
//!
//! `cargo xtask faults --runs 10000` runs more of them, optimised.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fault_support;

use std::panic::catch_unwind;

use fault_support::board::{Board, Width};
use fault_support::damage::damaged;
use fault_support::world::{Outcome, World};
use tapes_core::wire::{Frame, Origin};
use tapes_tests::noise::Noise;
use tapes_tests::{Progress, runs};

/// Damaged frames in a run.
const DAMAGED: u64 = 1_000;

/// If this fails, some mixture of loss, damage, repeats, restarts and lies makes a total wrong.
#[test]
fn totals_are_never_above_the_truth_never_go_back_and_are_exact_at_the_end() {
    let first: u64 = std::env::var("TAPES_SEED").map_or(0, |seed| seed.parse().unwrap());
    let mut sum = Outcome::default();
    let mut failed = Vec::new();
    let runs = runs(200);
    let mut progress = Progress::new("worlds", runs);
    for seed in first..first + runs {
        progress.at(seed - first);
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

/// If this fails, damage passes the checksum more often than it must: CRC-32C finds all damage to
/// up to 5 bits of a frame of up to 655 bytes and all bursts of up to 32 bits, and of anything else
/// all but 1 in 2^32. Of 10,000,000 frames one passes with a probability of 0.2 %.
#[test]
fn damaged_frames_are_refused() {
    let runs = runs(100);
    let mut progress = Progress::new("damage", runs);
    for seed in 0..runs {
        progress.at(seed);
        let mut noise = Noise(seed);
        let mut lives = Vec::new();
        let mut board = Board::new(Origin::from_array([1]), Width::Widened, &mut noise, &mut lives);
        let mut frames = Vec::new();
        for _ in 0..5 {
            board.work(&mut noise, &mut lives);
            frames.extend(board.report().into_iter().map(|sent| sent.bare));
        }
        for _ in 0..DAMAGED {
            let (frame, other) = (&frames[noise.index(frames.len())], noise.index(frames.len()));
            let bytes = damaged(frame, &frames[other], &mut noise);
            if !frames.contains(&bytes) {
                assert!(Frame::parse(&bytes).is_err(), "seed {seed}: {frame:02x?}, {bytes:02x?}");
            }
        }
    }
}
