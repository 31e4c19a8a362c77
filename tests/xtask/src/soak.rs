//! `cargo xtask soak`: the real gateway for a long time, with many devices, faults and restarts.

use std::process::Command;

use crate::arguments::Arguments;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::toolchain::cargo;

pub(crate) const HELP: &str = "\
Runs the gateway, optimised, with simulated devices that report once a second over TCP. First it is
left alone and measured: processor time, memory, time from a frame to a page, wake-ups without
devices. Then lines break, bytes are damaged, devices reboot, strangers talk nonsense and the gateway
is ended and killed. Totals must never be above the truth, never go back, and be exact at the end;
memory must be flat. The test-suite does the same for some seconds.

usage: cargo xtask soak [--minutes N] [--devices N]

  --minutes N   how long, after the measurements, which take 3 (default 60)
  --devices N   how many devices (default 1000)

examples:
  cargo xtask soak
  cargo xtask soak --minutes 5 --devices 200";

/// `cargo xtask soak`.
pub(crate) fn soak(mut arguments: Arguments) -> Outcome {
    let minutes = number(&mut arguments, "--minutes", 60)?;
    let devices = number(&mut arguments, "--devices", 1_000)?;
    arguments.finish("soak")?;
    process::run(optimised("build").args(["--package", "tapes-std", "--features", "cli"]))?;
    let mut test = optimised("test");
    test.env("TAPES_SOAK_MINUTES", minutes.to_string());
    test.env("TAPES_SOAK_DEVICES", devices.to_string());
    test.env("TAPES_SOAK_PROGRAM", places::target().join("release").join("tapes"));
    process::run(test.args(["--package", "tapes-tests", "--test", "soak", "--", "--nocapture"]))
}

/// The workspace's cargo with a subcommand that compiles, with optimisation.
fn optimised(subcommand: &str) -> Command {
    let mut cargo = cargo();
    cargo.current_dir(places::root()).args([subcommand, "--release"]).args(places::locked());
    // Linking with fat LTO would take longer than it saves.
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "off");
    cargo
}

/// The value of an option that is a number above 0.
fn number(arguments: &mut Arguments, name: &str, default: u32) -> Outcome<u32> {
    let Some(text) = arguments.value(name)? else { return Ok(default) };
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Problem::new(format!("{name} takes a number above 0, not \"{text}\""))),
    }
}
