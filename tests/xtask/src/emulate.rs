//! `cargo xtask emulate`: one example in the emulator.

use std::fs;
use std::io::{IsTerminal as _, stdout};

use crate::arguments::Arguments;
use crate::emulator;
use crate::firmware;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;

pub(crate) const HELP: &str = "\
Builds an example and runs it in the RP2040 emulator; its output goes to standard output.

usage: cargo xtask emulate BIN [--seconds N] [-- EMULATOR OPTIONS]

  BIN           an example of examples-rp2040/src/bin, or the path of an ELF file
  --seconds N   stop after N seconds of simulated time (default: run until Ctrl-C)

Without options the emulator gets those that the example's expected output, BIN.out beside its source,
was made with: what does not send on UART0, or waits for input. All options: node tests/emulator/run.mjs --help

examples:
  cargo xtask emulate timing_loop --seconds 5 > frames.bin
  cargo xtask emulate usb_serial --seconds 5 | tapes gateway --stdin --no-http
  cargo xtask emulate timing_loop --seconds 60 -- --reset warm@20 --report report.json > frames.bin
  cargo xtask emulate target/probe.elf --seconds 1 -- --cycles 'bench_*'";

pub(crate) fn emulate(mut arguments: Arguments) -> Outcome {
    let seconds = arguments.seconds("--seconds")?;
    let name = arguments.positional().ok_or_else(|| {
        Problem::new(format!("which example? There are: {}", firmware::examples().join(", ")))
    })?;
    let mut options = arguments.finish("emulate")?;
    let expected = command_of(&name);
    if options.is_empty() {
        options = parse_options(&expected);
    }
    emulator::set_up()?;
    let mut command = emulator::command(&firmware::build(&name)?);
    if let Some(seconds) = seconds {
        command.arg("--seconds").arg(seconds.to_string());
    }
    if let Some(decoder) = decoder(&expected).filter(|_| stdout().is_terminal()) {
        eprintln!("this example sends no text; to read it, end the command with: | {decoder}");
    }
    process::run(command.args(options))
}

/// The command that the expected output of an example was made with.
fn command_of(name: &str) -> String {
    let file = places::firmware().join("src").join("bin").join(format!("{name}.out"));
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

/// What makes text of the output of such a command, if it is none.
fn decoder(command: &str) -> Option<&str> {
    command.split_once(" | ").map(|(_, decoder)| decoder)
}

/// What stands between ` -- ` and ` | ` of a command; words in single quotes may have spaces.
fn parse_options(command: &str) -> Vec<String> {
    let Some((_, options)) = command.split_once(" -- ") else { return Vec::new() };
    let options = options.split(" | ").next().unwrap_or_default();
    let mut words = vec![String::new()];
    for (part, text) in options.split('\'').enumerate() {
        let quoted = part % 2 == 1;
        for (place, word) in text.split(' ').enumerate() {
            match words.last_mut() {
                Some(last) if quoted && place > 0 => *last += &format!(" {word}"),
                Some(last) if place == 0 => *last += word,
                _ => words.push(word.to_owned()),
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::{decoder, parse_options};

    /// An example that needs input or another output would seem to do nothing if this failed.
    #[test]
    fn options_are_read_from_the_expected_output() {
        let rows: [(&str, &[&str]); 4] = [
            ("$ cargo xtask emulate x --seconds 3", &[]),
            ("$ cargo xtask emulate x --seconds 3 | tapes", &[]),
            ("$ cargo xtask emulate x -- --output usb | tapes", &["--output", "usb"]),
            ("$ cargo xtask emulate x -- --send 'a b@1' -y", &["--send", "a b@1", "-y"]),
        ];
        for (command, options) in rows {
            assert_eq!(parse_options(command), options, "{command}");
            assert_eq!(decoder(command), command.ends_with("| tapes").then_some("tapes"));
        }
    }
}
