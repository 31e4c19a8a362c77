//! The logic of `timing_loop` on other microcontrollers, in QEMU: it counts right, and cheaply.
//!
//! Time in the emulator is counted in instructions, so a run is the same on every machine.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Nanoseconds of an instruction, as a power of two.
const ICOUNT: &str = "shift=6";
const NANOS_PER_INSTRUCTION: f64 = 64.0;

/// A microcontroller, how its probe is built and run, and what the README states of it.
struct Machine {
    /// The folder of the probe in `tests`, its name and its features.
    probe: [&'static str; 3],
    target: &'static str,
    /// QEMU's program, with its options.
    emulator: &'static [&'static str],
    /// Nanoseconds of a tick of what the probe measures with.
    nanos_per_tick: f64,
    /// Instructions of an increment and of a histogram's record, at most.
    limits: [f64; 2],
}

/// Builds the probe and returns what it prints.
fn run(machine: &Machine) -> String {
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
    text
}

/// The number in the line that begins so.
fn number(text: &str, start: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(start)).expect("there is the line");
    line.trim().parse().expect("a number")
}

fn counts_right_and_cheaply(machine: &Machine) {
    let text = run(machine);
    let json = text.lines().find(|line| line.starts_with('{')).expect("there is the report");
    let report: Value = serde_json::from_str(json).expect("it is JSON");
    let motor = &report["motor"];
    let loops = motor["loops"]["value"].as_u64().expect("a number");
    assert!((1_000..=1_002).contains(&loops), "{json}");
    assert_eq!(motor["loop_time"]["count"].as_u64(), Some(loops), "{json}");
    assert!(motor["commands"]["count"].as_u64().is_some_and(|count| count > 500), "{json}");
    for (what, limit) in ["increment:", "record:"].into_iter().zip(machine.limits) {
        let instructions =
            number(&text, what) / 1_000.0 * machine.nanos_per_tick / NANOS_PER_INSTRUCTION;
        println!("{}: {what} {instructions:.1} instructions", machine.target);
        assert!(instructions <= limit, "{}: {what} {instructions}", machine.target);
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
        emulator: &["qemu-system-riscv32", "-machine", "virt", "-bios", "none"],
        nanos_per_tick: 1.0,
        limits: [5.0, 96.0],
    });
}
