//! `cargo xtask overhead`: what metrics cost the example `timing_loop`, held against limits and against the table in
//! the examples' README.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::arguments::Arguments;
use crate::elf;
use crate::emulator;
use crate::firmware;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;

pub(crate) const HELP: &str = "\
Builds the example timing_loop and the same without metrics, runs both in the RP2040 emulator and
prints what metrics cost: flash, RAM, cycles, and how regularly passes of the loop begin. Fails if a
limit is exceeded, or if the table in examples-rp2040/README.md says something else.

usage: cargo xtask overhead

examples:
  cargo xtask overhead";

const WITHOUT: &str = "timing_loop_bare";
const WITH: &str = "timing_loop";
/// The handlers that start a pass and that are one, and the microseconds between two.
const ALARM: &str = "TIMER_IRQ_1:1000";
const PASS: &str = "SWI_IRQ_0:1000";
/// Long enough that alarms also come in the rare moments in which embassy masks interrupts.
const SECONDS: u64 = 100;
/// What numbers of another compiler may differ by: a share, or so much.
const TOLERANCE: f64 = 0.1;
const SLACK: u64 = 8;
/// The same for jitter, which is a matter of chance.
const SLACK_OF_JITTER: u64 = 150;
const JITTER: &str = "loop period jitter: earliest to latest start of a pass";

/// A row of the table: what it is, its unit, and by how much metrics may make it more.
struct Row {
    about: &'static str,
    unit: &'static str,
    most: u64,
    /// What it is of a run.
    of: fn(&Run) -> Option<u64>,
}

const ROWS: [Row; 6] = [
    Row { about: "flash", unit: "bytes", most: 13_000, of: |run| Some(run.flash) },
    Row { about: "RAM, without the stack", unit: "bytes", most: 1_600, of: |run| Some(run.ram) },
    Row {
        about: "one pass, from interrupt to return, less the work",
        unit: "cycles",
        most: 130,
        of: |run| run.watched(PASS, "min")?.checked_sub(WORK),
    },
    Row {
        about: "the interrupt that starts a pass",
        unit: "cycles",
        most: 40,
        of: |run| run.watched(ALARM, "min"),
    },
    Row { about: JITTER, unit: "cycles", most: 60, of: |run| run.watched(PASS, "jitter") },
    Row {
        about: "everything but passes, in a second",
        unit: "cycles",
        most: 100_000,
        of: Run::elsewhere,
    },
];

/// Cycles that the example delays for in each pass: 3 for each that it asks for.
const WORK: u64 = 3_000;

/// What was seen of an image.
struct Run {
    flash: u64,
    ram: u64,
    /// The emulator's.
    report: Value,
}

impl Run {
    fn of(name: &str) -> Outcome<Self> {
        let image = firmware::build_binary(name)?;
        let report = image.with_extension("overhead.json");
        let mut run = emulator::command(&image);
        run.args(["--quiet", "--seconds", &SECONDS.to_string()]);
        run.args(["--watch", ALARM, "--watch", PASS]);
        run.stdout(std::process::Stdio::null()).arg("--report").arg(&report);
        process::run(&mut run)?;
        let footprint = elf::footprint(&image)?;
        Ok(Self { flash: footprint.flash, ram: footprint.ram, report: read(&report)? })
    }

    /// Cycles in a second in which something else than a pass runs.
    fn elsewhere(&self) -> Option<u64> {
        let busy = self.report["busy_cycles"].as_u64()?;
        Some(busy.checked_sub(self.watched(PASS, "sum")?)? / SECONDS)
    }

    fn watched(&self, handler: &str, what: &str) -> Option<u64> {
        self.report["watched"][handler][what].as_u64()
    }
}

fn read(report: &Path) -> Outcome<Value> {
    let problem = || format!("cannot read {}", report.display());
    let text = fs::read_to_string(report).map_err(Problem::io(problem()))?;
    serde_json::from_str(&text).map_err(|_| Problem::new(problem()))
}

/// What a row says: without metrics, with them.
type Pair = [u64; 2];

/// `cargo xtask overhead`.
pub(crate) fn overhead(arguments: Arguments) -> Outcome {
    arguments.finish("overhead")?;
    emulator::set_up()?;
    let runs = [Run::of(WITHOUT)?, Run::of(WITH)?];
    let mut pairs = Vec::new();
    for row in &ROWS {
        let [Some(without), Some(with)] = [(row.of)(&runs[0]), (row.of)(&runs[1])] else {
            return Err(Problem::new(format!("\"{}\" was not measured", row.about)));
        };
        pairs.push([without, with]);
    }
    let table = table(&pairs);
    print!("{table}");
    let readme = places::firmware().join("README.md");
    let text = fs::read_to_string(&readme)
        .map_err(Problem::io(format!("cannot read {}", readme.display())))?;
    let mut wrong = exceeded(&pairs);
    wrong.extend(outdated(&pairs, &text));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Problem::new(wrong.join("\n  ")))
}

/// The table as it stands in the README.
fn table(pairs: &[Pair]) -> String {
    let mut table =
        String::from("| | without metrics | with metrics | more |\n|---|---|---|---|\n");
    for (row, [without, with]) in ROWS.iter().zip(pairs) {
        let more = with.saturating_sub(*without);
        let Row { about, unit, .. } = row;
        table += &format!("| {about} | {without} | {with} | {more} {unit} |\n");
    }
    table
}

/// What metrics cost more than they may, one sentence each.
fn exceeded(pairs: &[Pair]) -> Vec<String> {
    let over = ROWS
        .iter()
        .zip(pairs)
        .filter(|(row, [without, with])| with.saturating_sub(*without) > row.most);
    over.map(|(row, [without, with])| {
        let (more, Row { about, unit, most, .. }) = (with - without, row);
        format!("{about}: {more} {unit} more with metrics, the limit is {most}")
    })
    .collect()
}

/// What the table in `text` says otherwise, one sentence each.
fn outdated(pairs: &[Pair], text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (row, pair) in ROWS.iter().zip(pairs) {
        let start = format!("| {} | ", row.about);
        let stated = text.lines().find_map(|line| line.strip_prefix(&start)).map(|line| {
            line.split(" | ").filter_map(|cell| cell.replace(',', "").parse().ok()).collect()
        });
        let slack = if row.about == JITTER { SLACK_OF_JITTER } else { SLACK };
        let near = |(stated, measured): (&u64, &u64)| near(*stated, *measured, slack);
        let same = |stated: Vec<u64>| stated.len() == 2 && stated.iter().zip(pair).all(near);
        if !stated.is_some_and(same) {
            wrong.push(format!("the README is not up to date about \"{}\": {pair:?}", row.about));
        }
    }
    wrong
}

fn near(stated: u64, measured: u64, slack: u64) -> bool {
    let off = stated.abs_diff(measured);
    off <= slack || off as f64 <= measured as f64 * TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::{ROWS, exceeded, outdated, table};

    /// The README would say for ever what was once measured if this failed.
    #[test]
    fn tables_and_limits_are_held() {
        let at = ROWS.each_ref().map(|row| [1_000, 1_000 + row.most]);
        assert!(exceeded(&at).is_empty());
        assert!(outdated(&at, &table(&at)).is_empty());
        assert_eq!(outdated(&at, "nothing").len(), ROWS.len());
        let mut more = at;
        more[2][1] += 1;
        assert_eq!(exceeded(&more).len(), 1);
        assert!(outdated(&more, &table(&at)).is_empty(), "another compiler's");
        more[2][1] *= 2;
        assert_eq!(outdated(&more, &table(&at)).len(), 1);
        assert!(outdated(&at, &table(&at).replace("1000", "1,000")).is_empty());
    }
}
