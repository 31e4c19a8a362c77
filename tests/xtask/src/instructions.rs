//! `cargo xtask instructions`: what recording, reporting and receiving take of a host in
//! instructions, which callgrind counts: the same number on every run.

use std::process::Command;

use crate::arguments::Arguments;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::toolchain::{self, cargo};

pub(crate) const HELP: &str = "\
Prints how many instructions things take on a host, counted by callgrind; fails if a limit is
exceeded. Unlike times these are the same whatever else the machine does.

usage: cargo xtask instructions

examples:
  cargo xtask instructions";

/// Something the program `tests/instructions` does.
struct Limit {
    /// Its argument.
    name: &'static str,
    about: &'static str,
    /// How often it is done, twice: the difference is what is counted.
    times: [u64; 2],
    /// What it does besides, done as often.
    without: Option<&'static str>,
    /// Most instructions of one: a quarter more than measured, for other compilers.
    most: u64,
}

const fn limit(name: &'static str, about: &'static str, times: [u64; 2], most: u64) -> Limit {
    Limit { name, about, times, without: None, most }
}

const OFTEN: [u64; 2] = [1_000, 3_000];
const SELDOM: [u64; 2] = [100, 300];
const RARELY: [u64; 2] = [20, 60];

const LIMITS: [Limit; 13] = [
    limit("counter", "counter, increment", OFTEN, 14),
    limit("exclusive", "counter, exclusive handle", OFTEN, 13),
    limit("gauge", "gauge, set", OFTEN, 17),
    Limit { without: Some("values"), ..limit("histogram", "histogram, record", OFTEN, 64) },
    limit("look-up", "registry, one of 100 by name", OFTEN, 1_000),
    Limit {
        without: Some("work"),
        ..limit("report", "report of a typical board, all 19 values", SELDOM, 53_000)
    },
    limit("receive", "receiving that report, from bytes to fleet", SELDOM, 80_000),
    limit("decode", "reading it only: frames, checksums, values", SELDOM, 39_000),
    limit("snapshot", "reading 100 counters and 10 timers", SELDOM, 72_000),
    limit("statsd", "StatsD lines of them", RARELY, 742_000),
    limit("json", "JSON of them", RARELY, 2_240_000),
    limit("page", "page of 100 counters and 10 timers", SELDOM, 200_000),
    limit("scrape", "page of 20 devices with 100 counters each", RARELY, 4_900_000),
];

/// `cargo xtask instructions`.
pub(crate) fn instructions(arguments: Arguments) -> Outcome {
    arguments.finish("instructions")?;
    valgrind_there()?;
    let mut build = cargo();
    let target = places::target().join("instructions");
    let directory = places::root().join("tests").join("instructions");
    build.current_dir(directory).args(["build", "--quiet", "--release"]).args(places::locked());
    process::run(build.arg("--target-dir").arg(&target))?;
    let program = target.join("release").join("tapes-instructions");
    let count = |name: &str, times: u64| {
        let mut run = Command::new("valgrind");
        run.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&program);
        let output = run.args([name, &times.to_string()]).output();
        let output = output.map_err(Problem::io("cannot start valgrind"))?;
        collected(&String::from_utf8_lossy(&output.stderr))
            .ok_or_else(|| Problem::new(format!("callgrind counted nothing for {name}")))
    };
    let each = |name: &str, [few, many]: [u64; 2]| -> Outcome<u64> {
        Ok(count(name, many)?.saturating_sub(count(name, few)?) / (many - few))
    };
    let mut over = Vec::new();
    println!("{:<46} {:>12} {:>10}", "", "instructions", "limit");
    for Limit { name, about, times, without, most } in LIMITS {
        let besides = without.map_or(Ok(0), |name| each(name, times))?;
        let counted = each(name, times)?.saturating_sub(besides);
        println!("{about:<46} {counted:>12} {most:>10}");
        if counted > most {
            over.push(format!("{about}: {counted} instructions, the limit is {most}"));
        }
    }
    if over.is_empty() {
        return Ok(());
    }
    Err(Problem::new(format!("limits are exceeded:\n  {}", over.join("\n  "))))
}

/// Reads callgrind's last line.
fn collected(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

/// Valgrind is a package of Debian's.
pub(crate) fn valgrind_there() -> Outcome {
    let there = || places::on_path("valgrind").is_some();
    if there() || (toolchain::install_if_root(&["valgrind"]) && there()) {
        return Ok(());
    }
    Err(Problem::new("valgrind is missing; on Debian: sudo apt-get install valgrind"))
}

#[cfg(test)]
mod tests {
    use super::collected;

    /// Nothing would be counted, or something else, if this failed.
    #[test]
    fn counts_are_read() {
        let text = "==7== Events    : Ir\n==7== Collected : 354102\n==7== \n";
        assert_eq!(collected(text), Some(354_102));
        assert_eq!(collected("valgrind: no such program"), None);
    }
}
