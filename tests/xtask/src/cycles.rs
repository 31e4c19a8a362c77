//! `cargo xtask cycles`: what a call costs on the RP2040, in the emulator's cycles, held against
//! limits.
//!
//! This is the one place with the limits: the documentation's numbers, and what a test runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::arguments::Arguments;
use crate::beside;
use crate::emulator;
use crate::firmware::Image;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::toolchain::RP2040;

pub(crate) const HELP: &str = "\
Prints what recording costs on an RP2040, in processor cycles of the emulator, beside what others
do; fails if a limit is exceeded.

usage: cargo xtask cycles

Cycles are net of an empty call. The firmware is compiled as firmware usually is: opt-level \"s\",
link-time optimisation. \"next\" is what the same costs once more in the same function, where its
constants may be in registers already. Then follow reports in milliseconds, the longest time for which
a call masks interrupts, and all that beside what others do. The emulator knows no misses of the flash
cache, so code in RAM takes as long as code in flash, and 11 cycles more where it calls some there; on
a board it takes the same whatever else ran before.

examples:
  cargo xtask cycles";

/// Ways to count: the features that choose them, and what they are called.
const BACKENDS: [(&str, &str); 3] =
    [("", "critical section"), ("lanes-1", "1 lane"), ("lanes-2", "2 lanes")];

/// What is measured: a function of the probe `record`, what it does, and most cycles with each
/// of [`BACKENDS`].
struct Limit {
    name: &'static str,
    about: &'static str,
    most: [u64; 3],
}

const fn limit(name: &'static str, about: &'static str, most: [u64; 3]) -> Limit {
    Limit { name, about, most }
}

/// A critical section of `cortex-m` ends with a barrier, which costs 3 cycles.
const LIMITS: [Limit; 29] = [
    limit("bench_counter", "counter", [17, 14, 20]),
    limit("bench_counter_add", "counter, add", [18, 15, 21]),
    limit("bench_exclusive_counter", "counter, exclusive", [7, 7, 7]),
    limit("bench_meter", "meter", [19, 16, 22]),
    limit("bench_family", "counter of a family, by label", [25, 22, 28]),
    limit("bench_gauge", "gauge, float", [6, 6, 6]),
    limit("bench_gauge_word", "gauge, integer", [5, 5, 5]),
    limit("bench_histogram_zero", "histogram, value 0", [90, 84, 90]),
    limit("bench_histogram_byte", "histogram, value 200", [90, 84, 90]),
    limit("bench_histogram_word", "histogram, value 1,234,567", [90, 84, 90]),
    limit("bench_histogram_overflow", "histogram, value too large", [105, 99, 105]),
    limit("bench_histogram_compact", "histogram, one routine for all", [130, 130, 130]),
    limit("bench_exclusive_histogram", "histogram, exclusive", [76, 76, 76]),
    limit("bench_timer", "timer, ticks given", [95, 91, 95]),
    limit("bench_timer_guard", "timer, start and stop", [120, 118, 125]),
    limit("bench_dynamic_counter", "counter of a registry", [24, 21, 28]),
    limit("bench_dynamic_gauge", "gauge of a registry", [14, 14, 14]),
    limit("bench_dynamic_histogram_byte", "histogram of a registry, 200", [124, 124, 126]),
    limit("bench_dynamic_histogram_word", "histogram of a registry, large", [124, 124, 126]),
    limit("bench_ram_counter", "counter, code in RAM", [17, 14, 20]),
    limit("bench_ram_exclusive_counter", "counter, exclusive, code in RAM", [7, 7, 7]),
    limit("bench_ram_meter", "meter, code in RAM", [19, 16, 22]),
    limit("bench_ram_gauge", "gauge, float, code in RAM", [6, 6, 6]),
    limit("bench_ram_gauge_word", "gauge, integer, code in RAM", [5, 5, 5]),
    limit("bench_ram_histogram_word", "histogram, code in RAM", [90, 84, 90]),
    limit("bench_ram_timer_guard", "timer, start and stop, in RAM", [130, 128, 135]),
    limit("bench_report", "report, 2 of 19 values", [0, 37_500, 50_000]),
    limit("bench_report_keyframe", "report, all values", [0, 75_000, 100_000]),
    limit("bench_report_first", "report, with the dictionary", [0, 150_000, 180_000]),
];

/// The longest time that a function may keep interrupts out, with each of [`BACKENDS`].
const MASKED: [Limit; 9] = [
    limit("bench_counter", "counter", [8, 8, 10]),
    limit("bench_family", "counter of a family", [8, 8, 20]),
    limit("bench_gauge", "gauge", [0; 3]),
    limit("bench_exclusive_counter", "counter, exclusive", [0; 3]),
    limit("bench_histogram_word", "histogram", [26, 26, 34]),
    limit("bench_timer_guard", "timer, start and stop", [26, 26, 34]),
    limit("bench_report_keyframe", "report, all values", [0; 3]),
    limit("bench_report_first", "report, with the dictionary", [0; 3]),
    limit("bench_read_registry", "reading a registry", [0; 3]),
];

/// What the HAL makes of the crystal: 125 MHz.
const CYCLES_PER_MS: f64 = 125_000.0;
/// Simulated time until the probes have set themselves up; `report` records an hour's values.
const SECONDS: &str = "0.1";

/// What a function costs, in cycles: the most of 16 calls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) call: u64,
    /// The longest time that it masks interrupts.
    pub(crate) masked: u64,
}

/// Costs by function.
pub(crate) type Measured = BTreeMap<String, Cost>;

/// `cargo xtask cycles`.
pub(crate) fn cycles(arguments: Arguments) -> Outcome {
    arguments.finish("cycles")?;
    emulator::set_up()?;
    let mut columns = Vec::new();
    for (features, _) in BACKENDS {
        let mut measured =
            measure("record", if features.is_empty() { "default" } else { features })?;
        if !features.is_empty() {
            measured.extend(measure("report", &format!("{features},wire"))?);
        }
        columns.push(measured);
    }
    print(&columns);
    // A peer that does not build is no fault of ours.
    match measure("peers", "peers") {
        Ok(peers) => beside::print_cycles(&columns[1], &peers),
        Err(problem) => println!("\nnothing to compare with: {problem}"),
    }
    let over = exceeded(&columns);
    if over.is_empty() {
        return Ok(());
    }
    Err(Problem::new(format!("limits are exceeded:\n  {}", over.join("\n  "))))
}

/// Builds a probe and counts the cycles of its functions.
fn measure(name: &str, features: &str) -> Outcome<Measured> {
    let image = Image { directory: places::probes(), name, features, target: RP2040 }.build()?;
    let report = image.with_extension("cycles.json");
    let mut run = emulator::command(&image);
    run.args(["--quiet", "--seconds", SECONDS, "--cycles", "bench_*", "--report"]).arg(&report);
    process::run(&mut run)?;
    read(&report)
}

/// Reads the emulator's report.
fn read(report: &Path) -> Outcome<Measured> {
    let wrong = || Problem::new(format!("{} is not as expected", report.display()));
    let text = fs::read_to_string(report)
        .map_err(Problem::io(format!("cannot read {}", report.display())))?;
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|_| wrong())?;
    let cycles = json["cycles"].as_object().ok_or_else(wrong)?;
    cycles
        .iter()
        .map(|(name, counts)| {
            let (call, masked) = (counts["max"].as_u64()?, counts["masked"].as_u64()?);
            Some((name.clone(), Cost { call, masked }))
        })
        .collect::<Option<Measured>>()
        .ok_or_else(wrong)
}

/// Cycles of a function, and of the same once more.
fn shown(measured: &Measured, name: &str) -> String {
    let Some(Cost { call: cycles, .. }) = measured.get(name) else {
        return format!("{:>14}", "-");
    };
    let twice = measured.get(&format!("{name}_2"));
    let next =
        twice.map_or(String::new(), |twice| format!("{}", twice.call.saturating_sub(*cycles)));
    format!("{cycles:>8} {next:>5}")
}

fn print(columns: &[Measured]) {
    println!("\n{:<34}{}", "", BACKENDS.map(|(_, about)| format!("{about:>20}")).concat());
    println!("{:<34}{}", "cycles", format!("{:>8}{:>6}{:>6}", "call", "next", "max").repeat(3));
    for limit in &LIMITS {
        print!("{:<34}", limit.about);
        for (measured, most) in columns.iter().zip(limit.most) {
            print!("{} {most:>5}", shown(measured, limit.name));
        }
        println!();
    }
    print_reports(columns);
    println!("\n{:<34}{}", "interrupts masked, at most", "                 max".repeat(3));
    for limit in &MASKED {
        print!("{:<34}", limit.about);
        for (measured, most) in columns.iter().zip(limit.most) {
            match measured.get(limit.name) {
                Some(cost) => print!("{:>14} {most:>5}", cost.masked),
                None => print!("{:>14} {most:>5}", "-"),
            }
        }
        println!();
    }
}

/// Reports once more, in the unit of the aim: 0.3 ms.
fn print_reports(columns: &[Measured]) {
    println!("\n{:<34}{}", "milliseconds at 125 MHz", "                call".repeat(3));
    for limit in LIMITS.iter().filter(|limit| limit.name.starts_with("bench_report")) {
        print!("{:<34}", limit.about);
        for measured in columns {
            match measured.get(limit.name) {
                Some(cost) => print!("{:>20.3}", cost.call as f64 / CYCLES_PER_MS),
                None => print!("{:>20}", "-"),
            }
        }
        println!();
    }
}

/// What takes longer than it may, one sentence each.
fn exceeded(columns: &[Measured]) -> Vec<String> {
    let mut over = Vec::new();
    for limit in &LIMITS {
        for ((measured, most), (_, backend)) in columns.iter().zip(limit.most).zip(BACKENDS) {
            match measured.get(limit.name) {
                Some(Cost { call, .. }) if *call > most => over.push(format!(
                    "{}, {backend}: {call} cycles, the limit is {most}",
                    limit.about
                )),
                None if most > 0 => {
                    over.push(format!("{}, {backend}: {} is not there", limit.about, limit.name));
                }
                _ => {}
            }
        }
    }
    for limit in &MASKED {
        for ((measured, most), (_, backend)) in columns.iter().zip(limit.most).zip(BACKENDS) {
            match measured.get(limit.name) {
                Some(Cost { masked, .. }) if *masked > most => over.push(format!(
                    "{}, {backend}: masks for {masked} cycles, the limit is {most}",
                    limit.about
                )),
                // A record that does not mask is not measured, or may lose counts.
                Some(Cost { masked: 0, .. }) if most > 0 => {
                    over.push(format!("{}, {backend}: does not mask at all", limit.about));
                }
                None if !columns.iter().any(|measured| measured.contains_key(limit.name)) => {
                    over.push(format!("{}, {backend}: {} is not there", limit.about, limit.name));
                }
                _ => {}
            }
        }
    }
    over
}

#[cfg(test)]
mod tests {
    use super::{Cost, LIMITS, MASKED, Measured, exceeded};

    /// A record that became slower, or is not measured any more, would go unnoticed if this failed.
    #[test]
    fn each_limit_is_held_to_the_cycle() {
        let at = |backend: usize| -> Measured {
            let here = LIMITS.iter().filter(|limit| limit.most[backend] > 0);
            let mut measured: Measured = here
                .map(|limit| (limit.name.to_owned(), Cost { call: limit.most[backend], masked: 0 }))
                .collect();
            for limit in &MASKED {
                measured.entry(limit.name.to_owned()).or_default().masked = limit.most[backend];
            }
            measured
        };
        let columns = [at(0), at(1), at(2)];
        assert_eq!(exceeded(&columns), Vec::<String>::new());
        for backend in 0..3 {
            let mut slower = columns.clone();
            slower[backend].get_mut("bench_counter").unwrap().call += 1;
            let over = exceeded(&slower);
            assert!(over.len() == 1 && over[0].contains("counter"), "{over:?}");
            let mut masking = columns.clone();
            masking[backend].get_mut("bench_report_first").unwrap().masked = 1;
            let over = exceeded(&masking);
            assert!(over.len() == 1 && over[0].contains("masks for 1"), "{over:?}");
            masking[backend].get_mut("bench_report_first").unwrap().masked = 0;
            masking[backend].get_mut("bench_histogram_word").unwrap().masked = 0;
            let over = exceeded(&masking);
            assert!(over.len() == 1 && over[0].contains("does not mask"), "{over:?}");
            let mut missing = columns.clone();
            missing[backend].remove("bench_gauge");
            assert!(exceeded(&missing)[0].contains("is not there"));
        }
    }
}
