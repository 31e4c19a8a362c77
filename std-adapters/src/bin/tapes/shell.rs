//! `tapes completions` and `tapes man`: what shells and `man` know of the command.

use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::output;

const AFTER_COMPLETIONS: &str = "\
Examples:
  tapes completions bash > ~/.local/share/bash-completion/completions/tapes
  tapes completions zsh > ~/.zfunc/_tapes
  tapes completions fish > ~/.config/fish/completions/tapes.fish

Exit codes: 0 done; 2 wrong usage.";

const AFTER_MAN: &str = "\
Examples:
  tapes man | man -l -
  tapes man --directory /usr/local/share/man/man1
      a page for tapes, and one for each of its commands

Exit codes: 0 done; 2 wrong usage, or the directory cannot be written.";

/// Prints what a shell needs to complete arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_COMPLETIONS)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the manual page, or writes those of all commands.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_MAN)]
pub(crate) struct Manual {
    /// Write `tapes.1`, `tapes-gateway.1` and so on into this directory instead.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Prints completions. Returns the exit code.
pub(crate) fn completions(arguments: &Completions, mut command: Command) -> Result<u8, String> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "tapes", &mut script);
    output::print(&String::from_utf8_lossy(&script)).map(|()| crate::DONE)
}

/// Prints or writes manual pages. Returns the exit code.
pub(crate) fn manual(arguments: &Manual, command: Command) -> Result<u8, String> {
    if let Some(directory) = &arguments.directory {
        let name = crate::terminal::shown(&directory.display().to_string());
        let written = clap_mangen::generate_to(command, directory);
        return written
            .map(|()| crate::DONE)
            .map_err(|error| format!("cannot write to {name}: {error}"));
    }
    let mut page = Vec::new();
    // Writing to a vector does not fail.
    let _ = Man::new(command).render(&mut page);
    output::print(&String::from_utf8_lossy(&page)).map(|()| crate::DONE)
}
