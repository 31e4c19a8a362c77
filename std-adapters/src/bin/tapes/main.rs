//! The `tapes` command: receives metrics of devices, shows them, and looks into recordings.
#![forbid(unsafe_code)]

mod address;
mod config;
mod decode;
#[cfg(test)]
mod documented;
mod environment;
mod gateway;
mod keys;
mod listen;
mod logs;
mod mqtt;
mod news;
mod output;
mod progress;
mod push;
#[cfg(test)]
mod reference;
mod service;
mod shell;
mod simulate;
mod sockets;
mod state;
mod statsd;
mod stream;
mod table;
mod terminal;
mod tls;
mod top;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// Exit code of everything that went as asked.
const DONE: u8 = 0;
/// Exit code of `decode` when something could not be read.
const UNREADABLE: u8 = 1;
/// Exit code of `top --once` when no metric was heard.
const NOTHING: u8 = 1;
/// Exit code of wrong usage, and of files, ports and sockets that cannot be used.
const CANNOT: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  tapes gateway --serial /dev/ttyACM0             a board on USB, metrics at http://127.0.0.1:9100
  tapes top                                       what it shows, live in the terminal
  tapes simulate --seconds 10 | tapes gateway --stdin --no-http
  tapes decode capture.bin

Each command has a --help with examples of its own.

Exit codes: 0 done; 1 of decode, something could not be read, and of top --once, no
metric was heard; 2 wrong usage, or something that cannot be used. Results go to standard
output, messages to standard error: -v says more, -q less, TAPES_LOG=debug as -v does. Colours
are for terminals only, and NO_COLOR=1 leaves them out there too.

Every option is a variable of the environment, too: TAPES_HTTP=:9200 is as good as
--http :9200, TAPES_STAY=1 as --stay, and several values have spaces between them. What
is on the command line counts more.";

/// Receives metrics of devices, shows them, and looks into recordings.
#[derive(Debug, Parser)]
#[command(name = "tapes", version, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    verbosity: logs::Verbosity,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Gateway(Box<gateway::Arguments>),
    /// Receives metrics of many processes, gateways and devices over ZeroMQ, and shows them.
    #[command(after_help = sockets::AFTER_HELP)]
    Aggregate(Box<gateway::Arguments>),
    Keygen(keys::Arguments),
    Decode(decode::Arguments),
    Simulate(simulate::Arguments),
    Top(top::Arguments),
    Check(config::Arguments),
    Completions(shell::Completions),
    Man(shell::Manual),
}

fn main() -> ExitCode {
    let mut line: Vec<_> = std::env::args_os().collect();
    let options = options(&mut line);
    let parsed = options.try_get_matches_from(line);
    let Cli { verbosity, command } =
        match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
            Ok(parsed) => parsed,
            Err(error) => return not_understood(&error),
        };
    let result = if command.has_terminal() { Ok(()) } else { verbosity.start() };
    match result.and_then(|()| run(command)) {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            logs::failed(&message);
            ExitCode::from(CANNOT)
        }
    }
}

/// Returns the command with what it takes, also from the environment; some of that is put into the
/// command line.
fn options(line: &mut Vec<OsString>) -> clap::Command {
    environment::read(Cli::command(), line, |name| std::env::var_os(name))
}

/// Shows help, or what is wrong with the command line. Returns the exit code.
fn not_understood(error: &clap::Error) -> ExitCode {
    // Nobody is left to hear of it.
    let _ = error.print();
    let variables = environment::in_use();
    if error.use_stderr() && !variables.is_empty() {
        eprintln!("\nThese variables of the environment are options, too: {variables}");
    }
    if error.use_stderr() { ExitCode::from(CANNOT) } else { ExitCode::from(DONE) }
}

impl Command {
    /// Returns whether it draws over a whole terminal, on which messages would be in the way.
    fn has_terminal(&self) -> bool {
        matches!(self, Self::Top(top) if top.is_view()) && io::stderr().is_terminal()
    }
}

/// Runs a command. Returns the exit code.
fn run(command: Command) -> Result<u8, String> {
    match command {
        Command::Keygen(arguments) => keys::run(&arguments),
        Command::Gateway(arguments) | Command::Aggregate(arguments) => gateway::run(*arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Check(arguments) => config::check(&arguments),
        Command::Completions(arguments) => shell::completions(&arguments, options(&mut Vec::new())),
        Command::Man(arguments) => shell::manual(&arguments, options(&mut Vec::new())),
    }
}
