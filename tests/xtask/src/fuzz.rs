//! `cargo xtask fuzz`: the fuzz targets under libFuzzer, with the compiler of everything else.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arguments::Arguments;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::toolchain::{cargo, host, install_if_root};

pub(crate) const HELP: &str = "\
Feeds the decoder, the fleet and the state file what a coverage-guided fuzzer finds (libFuzzer).
Ends when all runs are made, or with the input that fails. What it finds that is new is kept beside
the build, for the next time; the committed inputs in tests/fuzz/corpus are only read.

usage: cargo xtask fuzz [--target NAME] [--runs N] [--seconds N] [--seed N]

  --target NAME  frame, fleet or state (default: one after another)
  --runs N       inputs for each target (default 1000000)
  --seconds N    longest time for each target (default: no limit)
  --seed N       what chance begins with (default: another one each time)

examples:
  cargo xtask fuzz --seconds 60
  cargo xtask fuzz --target fleet --runs 50000000";

const TARGETS: [&str; 3] = ["frame", "fleet", "state"];

/// What `cargo fuzz` gives the compiler, without the address sanitizer, which needs another
/// compiler: everything here forbids unsafe code. Debug assertions and overflow checks are on.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
     -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
     -Cdebug-assertions -Coverflow-checks";

/// `cargo xtask fuzz`.
pub(crate) fn fuzz(mut arguments: Arguments) -> Outcome {
    let target = arguments.value("--target")?;
    let runs = arguments.value("--runs")?.unwrap_or_else(|| "1000000".to_owned());
    let seconds = arguments.value("--seconds")?.unwrap_or_else(|| "0".to_owned());
    let seed = arguments.value("--seed")?.unwrap_or_else(|| "0".to_owned());
    arguments.finish("fuzz")?;
    compiler_there()?;
    let wanted = |name: &&str| target.as_ref().is_none_or(|target| target == name);
    let targets: Vec<&str> = TARGETS.into_iter().filter(wanted).collect();
    if targets.is_empty() {
        return Err(Problem::new(format!("--target takes one of {}", TARGETS.join(", "))));
    }
    let programs = build()?;
    for name in targets {
        let found = places::target().join("fuzz").join("corpus").join(name);
        let cannot = format!("cannot make {}", found.display());
        fs::create_dir_all(&found).map_err(Problem::io(cannot))?;
        let mut run = Command::new(programs.join(name));
        run.current_dir(places::target().join("fuzz"));
        run.args([format!("-runs={runs}"), format!("-max_total_time={seconds}")]);
        run.args([format!("-seed={seed}"), "-print_final_stats=1".to_owned()]);
        run.arg(found).arg(workspace().join("corpus").join(name));
        process::run(&mut run).map_err(|problem| Problem::new(format!("{name}: {problem}")))?;
    }
    Ok(())
}

fn workspace() -> PathBuf {
    places::root().join("tests").join("fuzz")
}

/// Builds all targets and returns the folder they are in.
fn build() -> Outcome<PathBuf> {
    let (host, target) = (host()?, places::target().join("fuzz"));
    let mut build = cargo();
    build.current_dir(workspace()).args(["build", "--release"]).args(places::locked());
    // With a target named, the flags are not for build scripts and macros.
    build.args(["--target", &host, "--target-dir"]).arg(&target);
    build.env("RUSTFLAGS", flags(env::var("RUSTFLAGS").ok().as_deref()));
    process::run(&mut build)?;
    Ok(folder(&target, &host))
}

fn flags(given: Option<&str>) -> String {
    given.map_or_else(|| FLAGS.to_owned(), |given| format!("{given} {FLAGS}"))
}

fn folder(target: &Path, host: &str) -> PathBuf {
    target.join(host).join("release")
}

/// libFuzzer is compiled from C++.
pub(crate) fn compiler_there() -> Outcome {
    let there = || ["c++", "g++", "clang++"].iter().any(|name| places::on_path(name).is_some());
    if there() || (install_if_root(&["g++"]) && there()) {
        return Ok(());
    }
    Err(Problem::new("a C++ compiler is missing; on Debian: sudo apt-get install g++"))
}
