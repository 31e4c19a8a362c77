//! The project's commands: `cargo xtask help` lists them.

mod arguments;
mod bench;
mod beside;
mod cycles;
mod demo;
mod dist;
#[cfg(test)]
mod documented;
mod elf;
mod emulate;
mod emulator;
mod faults;
mod firmware;
mod fuzz;
mod instructions;
mod interrupt;
mod node;
mod overhead;
mod packages;
mod page;
mod places;
mod problem;
mod process;
mod progress;
mod python;
mod rp2350;
mod screenshots;
mod size;
mod soak;
mod steps;
mod tally;
mod test;
mod toolchain;
mod tools;

use std::env;
use std::process::ExitCode;

use arguments::Arguments;
use problem::{Outcome, Problem};

/// A command: its name, one line about it, its help, and what runs it.
struct Command {
    name: &'static str,
    about: &'static str,
    help: &'static str,
    run: fn(Arguments) -> Outcome,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "demo",
        about: "a board in the emulator, its metrics on a page in your browser",
        help: demo::HELP,
        run: demo::demo,
    },
    Command {
        name: "test",
        about: "everything the project's CI runs, set-up included",
        help: test::HELP,
        run: test::test,
    },
    Command {
        name: "bench",
        about: "what things cost on a host, beside what others do, and their limits",
        help: bench::HELP,
        run: bench::bench,
    },
    Command {
        name: "instructions",
        about: "instructions of recording, reporting and receiving on a host, and their limits",
        help: instructions::HELP,
        run: instructions::instructions,
    },
    Command {
        name: "faults",
        about: "fault injection, thousands of times",
        help: faults::HELP,
        run: faults::faults,
    },
    Command {
        name: "soak",
        about: "the gateway for an hour, with a thousand devices, faults and restarts",
        help: soak::HELP,
        run: soak::soak,
    },
    Command {
        name: "fuzz",
        about: "the fuzz targets under libFuzzer",
        help: fuzz::HELP,
        run: fuzz::fuzz,
    },
    Command {
        name: "cycles",
        about: "processor cycles of recording on the RP2040, and their limits",
        help: cycles::HELP,
        run: cycles::cycles,
    },
    Command {
        name: "size",
        about: "flash and RAM of the probe firmwares, and their budgets",
        help: size::HELP,
        run: size::size,
    },
    Command {
        name: "overhead",
        about: "what metrics cost the example timing_loop, and the table that says so",
        help: overhead::HELP,
        run: overhead::overhead,
    },
    Command {
        name: "emulate",
        about: "one firmware example in the RP2040 emulator",
        help: emulate::HELP,
        run: emulate::emulate,
    },
    Command {
        name: "firmware",
        about: "builds firmware and prints the path of its ELF file",
        help: firmware::HELP,
        run: firmware::firmware,
    },
    Command {
        name: "dist",
        about: "the command as one static file, and a package for Debian",
        help: dist::HELP,
        run: dist::dist,
    },
    Command {
        name: "screenshots",
        about: "the pictures in the documentation, from the demo",
        help: screenshots::HELP,
        run: screenshots::screenshots,
    },
];

fn main() -> ExitCode {
    match dispatch(env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            if !problem.is_told() {
                eprintln!("xtask: {problem}");
            }
            ExitCode::FAILURE
        }
    }
}

fn dispatch(mut words: Vec<String>) -> Outcome {
    if words.is_empty() {
        help(None);
        return Ok(());
    }
    let name = words.remove(0);
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        help(words.first().map(String::as_str));
        return Ok(());
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        let names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
        return Err(Problem::new(format!(
            "there is no command {name}; there are: {}, help",
            names.join(", ")
        )));
    };
    let before_dashes = words.iter().take_while(|word| *word != "--");
    if before_dashes.into_iter().any(|word| word == "--help" || word == "-h") {
        help(Some(command.name));
        return Ok(());
    }
    (command.run)(Arguments::new(words))
}

fn help(name: Option<&str>) {
    if let Some(command) = COMMANDS.iter().find(|command| Some(command.name) == name) {
        println!("{}", command.help);
        // Of two commands an argument is the name of an example.
        if ["emulate", "firmware"].contains(&command.name) {
            println!("\nthe examples:\n{}", firmware::list());
        }
        return;
    }
    println!("The project's commands.\n\nusage: cargo xtask COMMAND [OPTIONS]\n");
    for command in COMMANDS {
        println!("  {:<12} {}", command.name, command.about);
    }
    println!("  {:<12} this list, or with a command its options and examples", "help");
    println!("\nexamples:\n  cargo xtask demo\n  cargo xtask test\n  cargo xtask help emulate");
}
