//! The race probe on emulated Cortex-M0, M3 and M33: three contexts record, and nothing is lost.
//!
//! The main program and two nested interrupt handlers record to the same metrics; see
//! `tests/firmware/src/bin/race.rs`. Time in the emulator is counted in instructions, so that a
//! run does not depend on the machine it runs on.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;

/// Nanoseconds of an instruction, as a power of two: about one tick of the boards' timers.
const ICOUNT: &str = "shift=6";

/// One instruction set, and the boards that have it.
struct Core {
    target: &'static str,
    boards: &'static [&'static str],
}

/// No compare-and-swap: critical sections, or lanes.
const M0: Core = Core { target: "thumbv6m-none-eabi", boards: &["microbit"] };
/// Compare-and-swap on 32 bits, so 64-bit sums are split.
const M3: Core = Core { target: "thumbv7m-none-eabi", boards: &["mps2-an385", "lm3s6965evb"] };
/// As M3, with acquire and release instructions.
const M33: Core = Core { target: "thumbv8m.main-none-eabi", boards: &["mps2-an505"] };

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds the probe and returns its image.
fn probe(target: &str, features: &str) -> PathBuf {
    // One at a time, because each build waits for the one before, and says nothing.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _building = BUILDING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(root()).args(["xtask", "firmware", "race", "--in", "tests/firmware"]);
    let output = build.args(["--features", features, "--target", target]).output();
    let output = output.expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the probe does not build for {target}:\n{said}");
    PathBuf::from(String::from_utf8(output.stdout).expect("a path in UTF-8").trim())
}

/// Runs an image on a board of QEMU, and returns what it said, which QEMU puts on standard error.
fn run(board: &str, image: &Path, argument: &str) -> (ExitStatus, String) {
    let mut qemu = Command::new("qemu-system-arm");
    qemu.args(["-machine", board, "-nographic", "-icount", ICOUNT, "-semihosting-config"]);
    qemu.arg(format!("enable=on,target=native,arg=race,arg={argument}"));
    qemu.arg("-kernel").arg(image).stdin(std::process::Stdio::null());
    let output = qemu.output().unwrap_or_else(|error| {
        panic!(
            "qemu-system-arm does not start ({error}); install QEMU, on Debian: \
             sudo apt-get install qemu-system-arm"
        )
    });
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Returns how often each context recorded, and how often the handlers were nested.
fn numbers(text: &str) -> Vec<u32> {
    let line = text.lines().find(|line| line.contains("records:")).expect("a line of numbers");
    line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
}

/// Nothing may be lost, except where the probe increments without protection: a probe that does not
/// notice that proves nothing.
fn nothing_is_lost(core: &Core, features: &str) {
    let image = probe(core.target, features);
    for board in core.boards {
        let (status, text) = run(board, &image, "all");
        assert!(status.success(), "{board}, {features}: {status}\n{text}");
        let [main, low, high, nested] = numbers(&text)[..] else { panic!("{text}") };
        let enough = main >= 40_000 && low >= 2_500 && high >= 4_000 && nested >= 1_500;
        assert!(enough, "{board} was hardly interrupted: {text}");
        let (status, text) = run(board, &image, "bare");
        assert!(!status.success(), "{board} noticed nothing: {text}");
        let wrong: Vec<&str> = text.lines().filter(|line| line.contains(" instead of ")).collect();
        assert!(matches!(wrong[..], [bare] if bare.starts_with("bare: ")), "{board}: {text}");
    }
}

/// Counts of a Cortex-M0+ would be lost, or a sum read while it carries would go back.
#[test]
fn critical_sections_on_a_cortex_m0() {
    nothing_is_lost(&M0, "qemu");
}

/// As above, where the lane hook masks.
#[test]
fn one_lane_on_a_cortex_m0() {
    nothing_is_lost(&M0, "qemu,lanes-1");
}

/// Counts of a Cortex-M3 would be lost, or a carry that was interrupted by another one.
#[test]
fn read_modify_write_on_a_cortex_m3() {
    nothing_is_lost(&M3, "qemu");
}

/// As above, where the lane hook masks.
#[test]
fn one_lane_on_a_cortex_m3() {
    nothing_is_lost(&M3, "qemu,lanes-1");
}

/// As on a Cortex-M3.
#[test]
fn read_modify_write_on_a_cortex_m33() {
    nothing_is_lost(&M33, "qemu");
}
