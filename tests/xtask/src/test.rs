//! `cargo xtask test`: runs the steps, keeps their logs, and ends with one table.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::arguments::Arguments;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::steps::{STEPS, Step};
use crate::tally::Tally;

pub(crate) const HELP: &str = "\
Runs everything that the project's CI runs, and installs what it needs (as root) or says how to.

usage: cargo xtask test [--step NAME]... [--fail-fast] [--list]

  --step NAME   only this step; may be repeated
  --fail-fast   stop after the first step that fails
  --list        the steps, one per line

What a step prints goes to target/xtask-logs/NAME.log, and is shown if it fails. The last line tells
how many tests passed and failed; a step that is not a test program counts as one.

examples:
  cargo xtask test
  cargo xtask test --step fmt --step clippy
  cargo xtask test --fail-fast";

/// How much of the end of a failed step's log is shown.
const SHOWN_LINES: usize = 60;
/// How much of what failed tests said is shown, each and all of them.
const SHOWN_OF_TEST: usize = 40;
const SHOWN_OF_TESTS: usize = 240;

/// The file that receives what a step's programs print.
pub(crate) struct Log {
    path: PathBuf,
    name: &'static str,
}

impl Log {
    fn create(name: &'static str) -> Outcome<Self> {
        let directory = places::target().join("xtask-logs");
        let path = directory.join(format!("{name}.log"));
        fs::create_dir_all(&directory)
            .and_then(|()| File::create(&path))
            .map_err(Problem::io(format!("cannot write {}", path.display())))?;
        Ok(Self { path, name })
    }

    /// Runs a program, without colours, with its output in the log.
    pub(crate) fn run(&self, command: &mut Command) -> Outcome {
        self.note(&format!("$ {}", process::shown(command)))?;
        let plain = command.env("CARGO_TERM_COLOR", "never").env("TERM", "dumb");
        process::run_logged(plain, &self.path, self.name)
    }

    /// Adds a line.
    pub(crate) fn note(&self, line: &str) -> Outcome {
        let file = File::options().append(true).open(&self.path);
        file.and_then(|mut file| writeln!(file, "{line}"))
            .map_err(Problem::io(format!("cannot write {}", self.path.display())))
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        fs::read(&self.path)
            .map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into())
    }

    fn show_end(&self) {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        for line in said_by_failed_tests(&lines).iter().take(SHOWN_OF_TESTS) {
            eprintln!("    {line}");
        }
        for line in &lines[lines.len().saturating_sub(SHOWN_LINES)..] {
            eprintln!("    {line}");
        }
        eprintln!("    (all of it: {})", self.path.display());
    }
}

/// The sections `---- name stdout ----` that test programs print before their closing lines.
fn said_by_failed_tests<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let (mut said, mut left) = (Vec::new(), 0);
    for line in lines {
        if line.starts_with("---- ") && line.ends_with(" ----") {
            left = SHOWN_OF_TEST;
        } else if *line == "failures:" || line.starts_with("test result: ") {
            left = 0;
        }
        if left > 0 {
            said.push(*line);
            left -= 1;
        }
    }
    said
}

/// What became of a step.
struct Result {
    name: &'static str,
    tally: Tally,
    seconds: f64,
}

pub(crate) fn test(mut arguments: Arguments) -> Outcome {
    let list = arguments.switch("--list");
    let fail_fast = arguments.switch("--fail-fast");
    let mut names = Vec::new();
    while let Some(name) = arguments.value("--step")? {
        names.push(name);
    }
    arguments.finish("test")?;
    if list {
        for step in STEPS {
            println!("{:<10} {}", step.name, step.about);
        }
        return Ok(());
    }
    let steps = chosen(&names)?;
    let mut results = Vec::new();
    for step in steps {
        let result = run(step)?;
        let failed = result.tally.failed > 0;
        results.push(result);
        if failed && fail_fast {
            break;
        }
    }
    summarise(&results)
}

fn chosen(names: &[String]) -> Outcome<Vec<&'static Step>> {
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != *name)) {
        return Err(Problem::new(format!(
            "there is no step {unknown}; see: cargo xtask test --list"
        )));
    }
    let wanted = |step: &&Step| names.is_empty() || names.iter().any(|name| name == step.name);
    Ok(STEPS.iter().filter(wanted).collect())
}

fn run(step: &'static Step) -> Outcome<Result> {
    eprintln!("{}: {} …", step.name, step.about);
    let started = Instant::now();
    let log = Log::create(step.name)?;
    let outcome = (step.run)(&log);
    let mut tally =
        if step.counts_tests { Tally::read(&log.text()) } else { Tally::one(outcome.is_ok()) };
    let seconds = started.elapsed().as_secs_f64();
    match outcome {
        Ok(()) => eprintln!("{}: ok, {seconds:.1} s", step.name),
        Err(problem) => {
            tally.failed = tally.failed.max(1);
            log.show_end();
            eprintln!("{}: FAILED, {seconds:.1} s: {problem}", step.name);
        }
    }
    Ok(Result { name: step.name, tally, seconds })
}

fn summarise(results: &[Result]) -> Outcome {
    let mut sum = Tally::default();
    println!("\n{:<10} {:<7} {:>7} {:>7} {:>8}", "step", "result", "passed", "failed", "seconds");
    for Result { name, tally, seconds } in results {
        let result = if tally.failed == 0 { "ok" } else { "FAILED" };
        println!("{name:<10} {result:<7} {:>7} {:>7} {seconds:>8.1}", tally.passed, tally.failed);
        sum.add(*tally);
    }
    println!("\n{} passed, {} failed", sum.passed, sum.failed);
    if sum.failed == 0 { Ok(()) } else { Err(Problem::told()) }
}

#[cfg(test)]
mod tests {
    use super::{chosen, said_by_failed_tests};
    use crate::steps::STEPS;

    /// CI would show that something failed, but not why, if this failed.
    #[test]
    fn what_failed_tests_say_is_found() {
        let log = "test a ... FAILED\n\nfailures:\n\n---- a stdout ----\npanicked: why\n\nfailures:\n    \
                   a\n\ntest result: FAILED. 1 passed; 1 failed";
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(said_by_failed_tests(&lines), ["---- a stdout ----", "panicked: why", ""]);
    }

    /// A step could not be run alone, or two would share a log, if this failed.
    #[test]
    fn steps_have_names_of_their_own() {
        for step in STEPS {
            assert_eq!(chosen(&[step.name.to_owned()]).unwrap().len(), 1, "{}", step.name);
        }
        assert_eq!(chosen(&[]).unwrap().len(), STEPS.len());
        assert!(chosen(&["nonsense".to_owned()]).is_err());
    }
}
