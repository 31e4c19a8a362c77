//! What recording costs beside what others do, for `cargo xtask cycles`, and what it takes of flash and RAM, for
//! `cargo xtask size`.

use crate::cycles::Measured;
use crate::elf::{self, Footprint};
use crate::firmware::Image;
use crate::places;
use crate::problem::Outcome;
use crate::toolchain::RP2040;

/// Ways to count on a processor with one core: how functions are called of those who have them, and
/// what the way is called.
const WAYS: [(&str, &str); 4] = [
    ("", "tapes, 1 lane"),
    ("cell_", "critical-section"),
    ("atomic_", "portable-atomic"),
    ("embeprom_", "embeprom 0.3.0"),
];

/// What is done: how functions that do it are called after the way, ours and the others', and what
/// it is called.
const OPERATIONS: [(&str, &str, &str); 7] = [
    ("counter", "counter", "counter"),
    ("counter_64", "counter_64", "counter of 64 bits"),
    ("gauge_word", "gauge", "gauge, integer"),
    ("histogram_byte", "histogram_byte", "histogram, value 200"),
    ("histogram_word", "histogram_word", "histogram, value 1,234,567"),
    ("timer_guard", "timer", "timer, start and stop"),
    ("meter", "meter", "meter"),
];

/// Prints what `ours` and `peers` take, with code in flash and in RAM.
pub(crate) fn print_cycles(ours: &Measured, peers: &Measured) {
    let head = |(_, about): (&str, &str)| format!("{about:>18}");
    println!("\n{:<34}{}", "beside others, one core", WAYS.map(head).concat());
    println!("{:<34}{}", "cycles", format!("{:>11}{:>7}", "call", "next").repeat(WAYS.len()));
    for (memory, place) in [("", "flash"), ("ram_", "RAM")] {
        for (own, other, about) in OPERATIONS {
            let cell = |(way, _): (&str, &str)| {
                let (measured, operation) =
                    if way.is_empty() { (ours, own) } else { (peers, other) };
                costs(measured, &format!("bench_{memory}{way}{operation}"))
            };
            println!("{:<34}{}", format!("{about}, {place}"), WAYS.map(cell).concat());
        }
    }
    println!(
        "A histogram of embeprom has 10 buckets, searched one by one, and neither minimum nor \
         maximum.\nCounters of tapes have 32 bits on the device; reports widen them."
    );
}

/// The cycles of a call, and those of one more in the same function; a dash where there is no such thing.
fn costs(measured: &Measured, name: &str) -> String {
    let Some(cost) = measured.get(name) else { return format!("{:>11}{:>7}", "-", "-") };
    let twice = measured.get(&format!("{name}_2"));
    let next =
        twice.map_or("-".to_owned(), |twice| twice.call.saturating_sub(cost.call).to_string());
    format!("{:>11}{next:>7}", cost.call)
}

/// A probe of the typical board written with something else.
struct Other {
    /// The probe of ours that does the same.
    ours: &'static str,
    about: &'static str,
    /// The file of the other, and its features.
    name: &'static str,
    features: &'static str,
    with: &'static str,
}

const OTHERS: [Other; 3] = [
    Other {
        ours: "board",
        about: "recording",
        name: "board_embeprom",
        features: "peers",
        with: "embeprom 0.3.0, 10 buckets",
    },
    Other {
        ours: "board_text",
        about: "with Prometheus text",
        name: "board_embeprom",
        features: "peers,wire",
        with: "embeprom 0.3.0, 10 buckets",
    },
    Other {
        ours: "board_defmt",
        about: "with defmt",
        name: "board_println",
        features: "defmt,peers",
        with: "variables and println!, no buckets",
    },
];

/// Builds and prints what the typical board takes if it is written with something else: flash over that of `base`,
/// and RAM. `ours` gives what a probe of tapes takes.
pub(crate) fn print_sizes<'a>(base: u64, ours: impl Fn(&str) -> Option<&'a Footprint>) -> Outcome {
    let mut others = Vec::new();
    for Other { name, features, .. } in &OTHERS {
        let image = Image { directory: places::probes(), name, features, target: RP2040 };
        others.push(elf::footprint(&image.build()?)?);
    }
    let cell = |footprint: &Footprint| {
        format!("{:>9}{:>7}", footprint.flash.saturating_sub(base), footprint.ram)
    };
    let head = format!("{:>9}{:>7}", "flash", "RAM");
    println!("\n{:<36}{head}{head}", "beside others, one lane; bytes");
    for (Other { ours: probe, about, with, .. }, other) in OTHERS.iter().zip(&others) {
        let own = ours(probe).map_or(String::new(), cell);
        println!("{:<36}{own:>16}{}  {with}", format!("typical board {about}"), cell(other));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::costs;
    use crate::cycles::{Cost, Measured};

    /// What somebody else lacks would look like what costs nothing if this failed.
    #[test]
    fn what_is_missing_is_a_dash() {
        let cost = |call| Cost { call, masked: 0 };
        let measured = Measured::from([
            ("a".to_owned(), cost(14)),
            ("a_2".to_owned(), cost(26)),
            ("b".to_owned(), cost(5)),
        ]);
        assert_eq!(costs(&measured, "a"), "         14     12");
        assert_eq!(costs(&measured, "b"), "          5      -");
        assert_eq!(costs(&measured, "c"), "          -      -");
    }
}
