//! `cargo xtask size`: what the probe firmwares take of flash and RAM, held against budgets.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::arguments::Arguments;
use crate::beside;
use crate::elf::{self, Footprint};
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::toolchain::{RP2040, Toolchain};

pub(crate) const HELP: &str = "\
Builds the probes of tests/firmware and prints what they take of flash and RAM, over a firmware that
does nothing, with one lane of words and with two. Fails if a budget is exceeded, if a variable is
not zero at first, or if an image has a function of core::panicking.

usage: cargo xtask size

Beside the typical board stands the same with embeprom, and with variables that defmt prints.

The probes are built for the RP2040 as their manifest says: opt-level \"s\", link-time optimisation,
one codegen unit, panic = \"abort\".

examples:
  cargo xtask size";

/// A firmware whose size is of interest.
struct Probe {
    /// Its file in `tests/firmware/src/bin`.
    name: &'static str,
    about: &'static str,
    /// Features besides those that choose the lanes.
    features: &'static str,
    /// Most bytes of flash over `base`, with one lane and with two.
    flash: [u64; 2],
    /// Most bytes of RAM, likewise.
    ram: [u64; 2],
}

/// What every other probe is compared with.
const BASE: &str = "base";
/// A probe that can panic, which must be noticed.
const PANICS: &str = "panics";
/// Probes whose difference is what one counter costs.
const ONE: &str = "one_counter";
const MANY: &str = "counters_32";

const PROBES: [Probe; 9] = [
    Probe { name: BASE, about: "start-up code only", features: "wire", flash: [0; 2], ram: [0; 2] },
    Probe { name: ONE, about: "one counter", features: "wire", flash: [92, 108], ram: [4, 8] },
    Probe {
        name: MANY,
        about: "32 counters",
        features: "wire",
        flash: [1_000, 1_024],
        ram: [128, 256],
    },
    Probe {
        name: "board",
        about: "typical board: 12 counters, 4 gauges, 3 timers",
        features: "wire",
        flash: [700, 760],
        ram: [1_108, 2_216],
    },
    Probe {
        name: "board_serial",
        about: "typical board with serial reporter",
        features: "wire",
        flash: [6_144, 6_680],
        ram: [2_048, 3_584],
    },
    Probe {
        name: "board_text",
        about: "typical board with Prometheus text",
        features: "wire",
        flash: [22_400, 23_700],
        ram: [2_304, 3_584],
    },
    Probe {
        name: "board_defmt",
        about: "typical board with defmt",
        features: "defmt",
        flash: [5_000, 6_600],
        ram: [1_108, 2_216],
    },
    Probe {
        name: "every",
        about: "everything that core can do, once",
        features: "macros,wire",
        flash: [65_000, 66_000],
        ram: [7_400, 12_000],
    },
    Probe {
        name: PANICS,
        about: "a firmware that can panic",
        features: "wire",
        flash: [u64::MAX; 2],
        ram: [0; 2],
    },
];

/// Features that choose the number of lanes.
const LANES: [&str; 2] = ["lanes-1", "lanes-2"];

/// Most bytes of RAM that a declared counter takes in each lane: its word.
const COUNTER_RAM: u64 = 4;
/// Most bytes of flash that it takes beyond its name: the rest of its dictionary entry.
const COUNTER_FLASH: u64 = 8;
/// Bytes of the names of the counters, all alike.
const COUNTER_NAME: u64 = "p.c00".len() as u64;
/// Counters by which the two probes differ.
const COUNTERS: u64 = 31;

/// What was measured, by probe, with one lane and with two.
type Measured = BTreeMap<&'static str, Footprint>;

/// `cargo xtask size`.
pub(crate) fn size(arguments: Arguments) -> Outcome {
    arguments.finish("size")?;
    let toolchain = Toolchain::find(RP2040)?;
    let mut over = Vec::new();
    for (lanes, feature) in LANES.iter().enumerate() {
        let measured = measure(&toolchain, feature)?;
        print(&measured, lanes);
        if lanes == 0 {
            let base = measured.get(BASE).map_or(0, |footprint| footprint.flash);
            // Others that do not build are no fault of ours.
            if let Err(problem) = beside::print_sizes(base, |name| measured.get(name)) {
                println!("nothing to compare with: {problem}");
            }
        }
        over.extend(exceeded(&measured, lanes));
    }
    if over.is_empty() {
        return Ok(());
    }
    Err(Problem::new(format!("budgets are exceeded:\n  {}", over.join("\n  "))))
}

/// Builds all probes with some lanes and reads their images.
fn measure(toolchain: &Toolchain, lanes: &str) -> Outcome<Measured> {
    let mut measured = Measured::new();
    let mut sets: Vec<&str> = PROBES.iter().map(|probe| probe.features).collect();
    sets.sort_unstable();
    sets.dedup();
    for features in sets {
        let names: Vec<_> = PROBES
            .iter()
            .filter(|probe| probe.features == features)
            .map(|probe| probe.name)
            .collect();
        let mut build = toolchain.cargo("build", &places::probes());
        build.args(["--quiet", "--release", "--features", &format!("{lanes},{features}")]);
        for name in &names {
            build.args(["--bin", name]);
        }
        eprintln!("building {} with {lanes} …", names.join(", "));
        process::run(&mut build)?;
        for name in names {
            let image: PathBuf = toolchain.artifact(name);
            measured.insert(name, elf::footprint(&image)?);
        }
    }
    Ok(measured)
}

/// Bytes by which a probe exceeds `base`.
fn over_base(measured: &Measured, name: &str) -> u64 {
    let flash = |name| measured.get(name).map_or(0, |footprint| footprint.flash);
    flash(name).saturating_sub(flash(BASE))
}

fn print(measured: &Measured, lanes: usize) {
    let plural = if lanes == 0 { "" } else { "s" };
    println!("\n{} lane{plural}, bytes over {BASE}", lanes + 1);
    println!("{:<48} {:>6} {:>7} {:>6} {:>7}", "", "flash", "budget", "RAM", "budget");
    for probe in PROBES.iter().filter(|probe| probe.name != PANICS && probe.name != BASE) {
        let flash = over_base(measured, probe.name);
        let ram = measured.get(probe.name).map_or(0, |footprint| footprint.ram);
        let (most_flash, most_ram) = (probe.flash[lanes], probe.ram[lanes]);
        println!("{:<48} {flash:>6} {most_flash:>7} {ram:>6} {most_ram:>7}", probe.about);
    }
    if let Some(counter) = counter(measured) {
        let most = COUNTER_RAM * (lanes as u64 + 1);
        println!(
            "{:<48} {:>6} {COUNTER_FLASH:>7} {:>6} {most:>7}",
            "each further counter, beyond its name",
            tenths(counter.constants),
            tenths(counter.ram),
        );
        println!("{:<48} {:>6}", "each place that increments one", tenths(counter.code));
    }
}

/// What a further counter takes, in bytes for all of [`COUNTERS`].
struct Counter {
    /// Beyond its name.
    constants: u64,
    /// Of the place that increments it.
    code: u64,
    ram: u64,
}

fn counter(measured: &Measured) -> Option<Counter> {
    let (one, many) = (measured.get(ONE)?, measured.get(MANY)?);
    let code = |footprint: &Footprint| footprint.flash.saturating_sub(footprint.constants);
    Some(Counter {
        constants: (many.constants.saturating_sub(one.constants))
            .saturating_sub(COUNTERS * COUNTER_NAME),
        code: code(many).saturating_sub(code(one)),
        ram: many.ram.saturating_sub(one.ram),
    })
}

/// The share of one counter, with one decimal.
fn tenths(all: u64) -> String {
    let tenths = (all * 10).div_ceil(COUNTERS);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// What is not as it should be, one sentence each.
fn exceeded(measured: &Measured, lanes: usize) -> Vec<String> {
    let mut over = Vec::new();
    let count = lanes as u64 + 1;
    let mut check = |what: &str, of: &str, measured: u64, budget: u64| {
        if measured > budget {
            over.push(format!(
                "{of}, lanes: {count}: {measured} bytes of {what}, the budget is {budget}"
            ));
        }
    };
    for probe in &PROBES {
        let Some(footprint) = measured.get(probe.name) else { continue };
        check("flash over base", probe.name, over_base(measured, probe.name), probe.flash[lanes]);
        check("RAM", probe.name, footprint.ram, probe.ram[lanes]);
        check(".data", probe.name, footprint.data, 0);
    }
    if let Some(counter) = counter(measured) {
        let all = format!("{COUNTERS} counters");
        check("flash beyond their names", &all, counter.constants, COUNTERS * COUNTER_FLASH);
        check("RAM", &all, counter.ram, COUNTERS * COUNTER_RAM * count);
    }
    for (name, footprint) in measured {
        let expected = *name == PANICS;
        if footprint.panics.is_empty() == expected {
            let found = footprint.panics.join(", ");
            over.push(if expected {
                format!("{name}, lanes: {count}: its panic is not found, so none would be")
            } else {
                format!("{name}, lanes: {count}: can panic: {found}")
            });
        }
    }
    over
}

#[cfg(test)]
mod tests {
    use super::{BASE, MANY, Measured, ONE, PANICS, PROBES, exceeded};
    use crate::elf::Footprint;

    /// Images that take exactly their budgets.
    fn at_budget() -> Measured {
        let mut measured = Measured::new();
        for probe in &PROBES {
            let flash = 300 + if probe.name == PANICS { 0 } else { probe.flash[0] };
            let constants = if probe.name == MANY { 31 * 13 } else { 0 };
            let footprint =
                Footprint { flash, constants, ram: probe.ram[0], ..Footprint::default() };
            measured.insert(probe.name, footprint);
        }
        measured.get_mut(PANICS).unwrap().panics.push("_4core9panicking5panic".to_owned());
        measured
    }

    /// What does not fit a chip any more would go unnoticed if this failed.
    #[test]
    fn each_budget_is_held_to_the_byte() {
        assert_eq!(exceeded(&at_budget(), 0), Vec::<String>::new());
        type Change = fn(&mut Footprint);
        let changes: [(&str, Change, &str); 6] = [
            ("board", |f| f.flash += 1, "flash over base"),
            ("board_serial", |f| f.ram += 1, "RAM"),
            ("board_text", |f| f.data += 1, ".data"),
            ("board_defmt", |f| f.panics.push("x4core9panicking".to_owned()), "can panic"),
            (MANY, |f| f.constants += 1, "beyond their names"),
            (PANICS, |f| f.panics.clear(), "not found"),
        ];
        for (probe, change, words) in changes {
            let mut measured = at_budget();
            change(measured.get_mut(probe).unwrap());
            let over = exceeded(&measured, 0);
            assert!(over.len() == 1 && over[0].contains(words), "{probe}: {over:?}");
        }
        let mut measured = at_budget();
        measured.get_mut(ONE).unwrap().ram = 0;
        assert!(exceeded(&measured, 0).iter().any(|line| line.contains("31 counters")));
        assert!(measured.contains_key(BASE));
    }
}
