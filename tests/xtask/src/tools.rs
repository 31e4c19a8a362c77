//! Programs of crates.io that judge this project's output, in a folder of their own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::toolchain::cargo;

/// A program, the package it comes from, and the version that the tests were written with.
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
    version: &'static str,
}

/// Decodes the bytes of defmt with the strings of an image.
pub(crate) const DEFMT_PRINT: Tool =
    Tool { program: "defmt-print", package: "defmt-print", version: "1.2.0" };

/// Where the tests look, whatever the target directory is.
fn directory() -> PathBuf {
    places::root().join("target").join("tools")
}

impl Tool {
    fn there(&self) -> bool {
        directory().join("bin").join(self.program).is_file()
            || places::on_path(self.program).is_some()
    }

    /// Makes sure that the program is there.
    pub(crate) fn set_up(&self) -> Outcome {
        if self.there() {
            return Ok(());
        }
        eprintln!("installing {} with cargo (up to 2 minutes) …", self.program);
        let mut install = cargo();
        install.args(["install", self.package, "--version", self.version, "--locked", "--quiet"]);
        install.arg("--root").arg(directory()).stdin(Stdio::null());
        // Flags that are meant for this project's code.
        install.env_remove("RUSTFLAGS").env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
        process::run(&mut install).map_err(|problem| self.advice(&problem, &install))
    }

    fn advice(&self, problem: &Problem, install: &Command) -> Problem {
        let command = process::shown(install);
        Problem::new(format!("{problem}; {} is missing, run: {command}", self.program))
    }
}
