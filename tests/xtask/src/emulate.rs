//! `cargo xtask emulate`: one example in the emulator.

use crate::arguments::Arguments;
use crate::emulator;
use crate::firmware;
use crate::problem::{Outcome, Problem};
use crate::process;

pub(crate) const HELP: &str = "\
Builds an example and runs it in the RP2040 emulator; UART0 goes to standard output.

usage: cargo xtask emulate BIN [--seconds N] [-- EMULATOR OPTIONS]

  BIN           an example of examples-rp2040/src/bin, or the path of an ELF file
  --seconds N   stop after N seconds of simulated time (default: run until Ctrl-C)

The emulator's own options: node tests/emulator/run.mjs --help

examples:
  cargo xtask emulate timing_loop --seconds 5 > frames.bin
  cargo xtask emulate timing_loop --seconds 60 -- --reset warm@20 --report report.json > frames.bin
  cargo xtask emulate target/probe.elf --seconds 1 -- --cycles 'bench_*'";

pub(crate) fn emulate(mut arguments: Arguments) -> Outcome {
    let seconds = arguments.seconds("--seconds")?;
    let name = arguments.positional().ok_or_else(|| {
        Problem::new(format!("which example? There are: {}", firmware::examples().join(", ")))
    })?;
    let options = arguments.finish("emulate")?;
    emulator::set_up()?;
    let mut command = emulator::command(&firmware::build(&name)?);
    if let Some(seconds) = seconds {
        command.arg("--seconds").arg(seconds.to_string());
    }
    process::run(command.args(options))
}
