//! The fuzz targets without a fuzzer: their corpora, and random changes to them.

use std::panic::catch_unwind;

use tapes_tests::fuzzing::{TARGETS, Target, mutated};
use tapes_tests::noise::Noise;
use tapes_tests::runs;

/// Runs one input, and says which it was if it fails.
fn run(target: &Target, what: &str, input: &[u8]) {
    let body = target.body;
    if catch_unwind(|| body(input)).is_err() {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("{}: {what} fails: {hex}", target.name);
    }
}

/// If this fails, something that was found once and mended is back.
#[test]
fn corpora_pass() {
    for target in TARGETS {
        let corpus = target.corpus();
        assert!(corpus.len() >= 5, "{}: {} inputs", target.name, corpus.len());
        run(&target, "nothing", &[]);
        for (path, input) in corpus {
            run(&target, &path.display().to_string(), &input);
        }
    }
}

/// If this fails, a small change to a good input does what a fuzzer would have found.
#[test]
fn changed_corpora_pass() {
    for target in TARGETS {
        let corpus = target.corpus();
        let pick = |noise: &mut Noise| &corpus[noise.index(corpus.len())].1;
        for seed in 0..runs(4_000) {
            let mut noise = Noise(seed);
            let input = mutated(pick(&mut noise), pick(&mut noise), &mut noise);
            run(&target, &format!("seed {seed}"), &input);
        }
    }
}
