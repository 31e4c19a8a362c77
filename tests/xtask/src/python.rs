//! The Python packages that judge this project's output: foreign parsers and clients, in an environment of their own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::toolchain;

/// Where `tests/src/python.rs` looks for the interpreter, whatever the target directory is.
fn environment() -> PathBuf {
    places::root().join("target").join("venv")
}

fn requirements() -> PathBuf {
    places::root().join("tests").join("foreign").join("requirements.txt")
}

/// Makes sure that the environment is there, with the packages of the requirements.
pub(crate) fn set_up() -> Outcome {
    let list = requirements();
    let wanted = fs::read_to_string(&list)
        .map_err(Problem::io(format!("cannot read {}", list.display())))?;
    let installed = environment().join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    eprintln!("installing the Python packages of {} (half a minute) …", list.display());
    create()?;
    let python = environment().join("bin").join("python");
    let mut install = Command::new(python);
    install.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    process::run(install.arg("--requirement").arg(&list).stdin(Stdio::null()))?;
    fs::write(&installed, wanted)
        .map_err(Problem::io(format!("cannot write {}", installed.display())))
}

/// Debian has the module that makes environments in a package of its own.
fn create() -> Outcome {
    let attempt = || {
        let mut create = Command::new("python3");
        let quiet = create.args(["-m", "venv", "--clear"]).arg(environment());
        process::answer(quiet).is_some()
    };
    if attempt() || (toolchain::install_if_root(&["python3-venv"]) && attempt()) {
        return Ok(());
    }
    Err(Problem::new(
        "Python 3 with the module venv is missing; on Debian: sudo apt-get install python3-venv",
    ))
}
