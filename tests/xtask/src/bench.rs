//! `cargo xtask bench`: what things cost on a host, in one table, some of it held against limits.

use std::fs;
use std::process::Command;

use crate::arguments::Arguments;
use crate::node;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::toolchain::cargo;

pub(crate) const HELP: &str = "\
Prints what things cost on a host, each beside what others do where there are others; fails if a
limit is exceeded.

usage: cargo xtask bench [--quick] [GROUP]...

  --quick   less exactly, in a minute or two
  GROUP     only these; an unknown one is answered with all there are

A run of all groups takes some minutes and writes the table to tests/benches/results.md and a plot
to tests/benches/results.svg; any other run writes them to target/bench. Times are medians, and
what is compared is measured in turns, so ratios hold better than times on a machine that does
something else as well.

examples:
  cargo xtask bench --quick
  cargo xtask bench ingest memory";

/// `cargo xtask bench`.
pub(crate) fn bench(mut arguments: Arguments) -> Outcome {
    let quick = arguments.switch("--quick");
    let mut groups = Vec::new();
    while let Some(group) = arguments.positional() {
        groups.push(group);
    }
    arguments.finish("bench")?;
    let is_whole = !quick && groups.is_empty();
    let results = if is_whole { places::benches() } else { places::target().join("bench") };
    fs::create_dir_all(&results)
        .map_err(Problem::io(format!("cannot make {}", results.display())))?;
    if groups.is_empty() || groups.iter().any(|group| group == "aggregate") {
        // Without it nothing is measured beside it.
        if let Err(problem) = node::set_up("tests/foreign/statsd") {
            eprintln!("{problem}");
        }
    }
    eprintln!("building the benchmarks, some minutes the first time …");
    // With the library that is loaded at run time.
    process::run(benches("build").args(["--quiet", "--release", "--workspace"]))?;
    let mut run = benches("run");
    run.args(["--quiet", "--release", "--"]).arg("--into").arg(&results);
    if quick {
        run.arg("--quick");
    }
    process::run(run.args(groups))
}

/// Cargo with a subcommand, in the workspace of the benchmarks.
pub(crate) fn benches(subcommand: &str) -> Command {
    let mut command = cargo();
    command.current_dir(places::benches()).arg(subcommand).args(places::locked());
    // Apart from the workspace's own, whose crates have other features.
    command.arg("--target-dir").arg(places::target().join("benches"));
    command
}
