//! Runs Python programs of the foreign implementations that judge this one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Returns the root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the interpreter that has the packages of `tests/foreign/requirements.txt`.
///
/// # Panics
///
/// If it has not been set up.
#[must_use]
pub fn interpreter() -> PathBuf {
    let python = root().join("target/venv/bin/python");
    assert!(python.exists(), "{} is missing: run `cargo xtask test`", python.display());
    python
}

/// Runs a program of `tests/foreign`, gives it `input` and returns what it writes.
///
/// # Panics
///
/// If the program cannot be run or fails.
#[must_use]
pub fn run(program: &str, input: &str) -> String {
    let mut child = Command::new(interpreter())
        .arg(root().join("tests/foreign").join(program))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    // Beside reading, or both would wait once the pipes are full.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("no panic").expect("the program reads its input");
    assert!(output.status.success(), "{program} failed");
    String::from_utf8(output.stdout).expect("the program writes UTF-8")
}
