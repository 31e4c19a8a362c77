//! `cargo xtask faults`: the fault-injection tests, more often than in the test-suite.

use std::process::Command;

use crate::arguments::Arguments;
use crate::places;
use crate::problem::Outcome;
use crate::process;
use crate::toolchain::cargo;

pub(crate) const HELP: &str = "\
Runs real encoders and fleets with everything in between that can go wrong, optimised: loss, damage,
repeats, restarts, twins and lies. Totals must never be above the truth, never go back, and be exact
at the end. A run that fails says its seed.

usage: cargo xtask faults [--runs N] [--seed N]

  --runs N   how many (default 10000)
  --seed N   the first seed (default 0)

examples:
  cargo xtask faults
  cargo xtask faults --runs 1 --seed 4711";

/// `cargo xtask faults`.
pub(crate) fn faults(mut arguments: Arguments) -> Outcome {
    let runs = arguments.value("--runs")?.unwrap_or_else(|| "10000".to_owned());
    let seed = arguments.value("--seed")?.unwrap_or_else(|| "0".to_owned());
    arguments.finish("faults")?;
    let mut test: Command = cargo();
    test.current_dir(places::root()).args(["test", "--release"]).args(places::locked());
    test.env("TAPES_RUNS", runs).env("TAPES_SEED", seed);
    // Linking with fat LTO would take longer than it saves.
    test.env("CARGO_PROFILE_RELEASE_LTO", "off");
    process::run(test.args([
        "--package",
        "tapes-tests",
        "--test",
        "fleet_faults",
        "--",
        "--nocapture",
    ]))
}
