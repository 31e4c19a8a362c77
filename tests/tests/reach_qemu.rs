//! The logic of `timing_loop` on other microcontrollers, in QEMU: it counts right, and cheaply.
//!
//! Time in the emulator is counted in instructions, so a run is the same on every machine.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Nanoseconds of an instruction, as a power of two. While the processor sleeps, time jumps and does not pass.
const ICOUNT: &str = "shift=6,sleep=off";
const NANOS_PER_INSTRUCTION: f64 = 64.0;

/// A microcontroller, how its probe is built and run, and what the README states of it.
struct Machine {
    /// The folder of the probe in `tests`, its name and its features.
    probe: [&'static str; 3],
    target: &'static str,
    /// The first cell of the README's row.
    row: &'static str,
    /// QEMU's program, with its options.
    emulator: &'static [&'static str],
    /// Nanoseconds of a tick of what the probe measures with.
    nanos_per_tick: f64,
    /// Instructions of an increment and of a histogram's record, at most.
    limits: [f64; 2],
}

/// Builds the probe and returns what it prints, and the bytes of flash that its image takes.
fn run(machine: &Machine) -> (String, u64) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let [folder, name, features] = machine.probe;
    let folder = format!("tests/{folder}");
    build.current_dir(root).args(["xtask", "firmware", name, "--in", &folder]);
    let output = build.args(["--features", features, "--target", machine.target]).output();
    let output = output.expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "no probe for {}:\n{said}", machine.target);
    let image = String::from_utf8(output.stdout).expect("a path in UTF-8");
    let mut qemu = Command::new(machine.emulator[0]);
    qemu.args(&machine.emulator[1..]).args(["-nographic", "-icount", ICOUNT, "-kernel"]);
    let output = qemu.arg(image.trim()).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| {
        panic!(
            "{} does not start ({error}); install QEMU, on Debian: \
             sudo apt-get install qemu-system-arm qemu-system-misc",
            machine.emulator[0]
        )
    });
    // Semihosting writes to standard error, a UART to standard output.
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{}: {}\n{text}", machine.target, output.status);
    let elf = std::fs::read(image.trim()).expect("the image is there");
    (text, loaded(&elf))
}

/// The bytes that an image puts into flash: those of its segments in the file, which has 32 bits.
fn loaded(elf: &[u8]) -> u64 {
    let word = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().expect("4 bytes"));
    let half = |at: usize| usize::from(u16::from_le_bytes([elf[at], elf[at + 1]]));
    let (table, size, count) = (word(28) as usize, half(42), half(44));
    let segments = (0..count).map(|index| table + index * size);
    // 1 is PT_LOAD; the field at 16 is the size in the file.
    segments.filter(|&at| word(at) == 1).map(|at| u64::from(word(at + 16))).sum()
}

/// What the README's row of a target says: instructions of an increment, and kilobytes of flash.
fn stated(row: &str) -> [f64; 2] {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(readme).expect("the README is there");
    let start = format!("| {row} | ");
    let row = text.lines().find_map(|line| line.strip_prefix(&start)).expect("there is the row");
    let cells: Vec<&str> = row.split(" | ").collect();
    [(cells[1], " instructions"), (cells[2], " KB")].map(|(cell, unit)| {
        let number = cell.strip_suffix(unit).expect("the unit");
        number.parse().expect("a number")
    })
}

/// The number in the line that begins so.
fn number(text: &str, start: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(start)).expect("there is the line");
    line.trim().parse().expect("a number")
}

fn counts_right_and_cheaply(machine: &Machine) {
    let (text, flash) = run(machine);
    let json = text.lines().find(|line| line.starts_with('{')).expect("there is the report");
    let report: Value = serde_json::from_str(json).expect("it is JSON");
    let motor = &report["motor"];
    let loops = motor["loops"]["value"].as_u64().expect("a number");
    assert!((1_000..=1_002).contains(&loops), "{json}");
    assert_eq!(motor["loop_time"]["count"].as_u64(), Some(loops), "{json}");
    assert!(motor["commands"]["count"].as_u64().is_some_and(|count| count > 500), "{json}");
    let [increment, kilobytes] = stated(machine.row);
    println!("{}: {flash} bytes of flash", machine.target);
    let off = (flash as f64 / 1_000.0 - kilobytes).abs();
    assert!(off < 0.1 * kilobytes, "{}: {flash} bytes, not {kilobytes} KB", machine.target);
    for (what, limit) in ["increment:", "record:"].into_iter().zip(machine.limits) {
        let instructions =
            number(&text, what) / 1_000.0 * machine.nanos_per_tick / NANOS_PER_INSTRUCTION;
        println!("{}: {what} {instructions:.1} instructions", machine.target);
        assert!(instructions <= limit, "{}: {what} {instructions}", machine.target);
        if what == "increment:" {
            let off = (instructions - increment).abs();
            assert!(off <= 1.0, "{}: {instructions}, not {increment}", machine.target);
        }
        assert!(instructions > 1.0, "{}: {what} {instructions} is no work", machine.target);
    }
}

const SEMIHOSTING: &str = "enable=on,target=native";

/// If this fails, a Cortex-M3 counts wrong, or not with its own atomics any more.
#[test]
fn cortex_m3() {
    counts_right_and_cheaply(&Machine {
        probe: ["firmware", "timing", "qemu"],
        target: "thumbv7m-none-eabi",
        row: "Cortex-M3",
        emulator: &[
            "qemu-system-arm",
            "-machine",
            "mps2-an385",
            "-semihosting-config",
            SEMIHOSTING,
        ],
        nanos_per_tick: 40.0,
        limits: [8.0, 64.0],
    });
}

/// If this fails, a Cortex-M33, which is what an RP2350 has, does.
#[test]
fn cortex_m33() {
    counts_right_and_cheaply(&Machine {
        probe: ["firmware", "timing", "qemu"],
        target: "thumbv8m.main-none-eabi",
        row: "Cortex-M33 (the RP2350's)",
        emulator: &[
            "qemu-system-arm",
            "-machine",
            "mps2-an505",
            "-semihosting-config",
            SEMIHOSTING,
        ],
        nanos_per_tick: 50.0,
        limits: [8.0, 64.0],
    });
}

/// If this fails, a RISC-V with atomics does; its counter of instructions counts the emulator's nanoseconds.
#[test]
fn risc_v() {
    counts_right_and_cheaply(&Machine {
        probe: ["firmware-riscv", "timing_riscv", ""],
        target: "riscv32imac-unknown-none-elf",
        row: "RISC-V 32, imac",
        emulator: &["qemu-system-riscv32", "-machine", "virt", "-bios", "none"],
        nanos_per_tick: 1.0,
        limits: [5.0, 96.0],
    });
}
