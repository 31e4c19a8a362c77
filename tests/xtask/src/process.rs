//! Runs other programs: shown, captured, or into a log with a sign of life.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::problem::{Outcome, Problem};

/// How often a program is asked whether it has ended.
const POLL: Duration = Duration::from_millis(50);
/// How often a long program that writes into a log gives a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
/// A program that writes into a log is stopped after this time: something hangs.
const LOGGED_LIMIT: Duration = Duration::from_secs(40 * 60);

/// The command line as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        let _ = write!(line, " {}", argument.to_string_lossy());
    }
    line
}

/// Runs a program with this terminal, and fails if it fails.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(cannot_start(command))?;
    succeeded(command, status)
}

/// Runs a program and returns its standard output, trimmed; `None` if it is missing or fails.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let Output { status, stdout, .. } = command.stdin(Stdio::null()).output().ok()?;
    status.success().then(|| String::from_utf8_lossy(&stdout).trim().to_owned())
}

/// Runs a program without input and output for `limit` at most, and tells whether it succeeded.
pub(crate) fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = quiet.spawn() else {
        return false;
    };
    let started = Instant::now();
    while started.elapsed() < limit {
        if let Ok(Some(status)) = child.try_wait() {
            return status.success();
        }
        thread::sleep(POLL);
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}

/// Runs a program with both outputs appended to `log`, telling every half minute that it is alive.
pub(crate) fn run_logged(command: &mut Command, log: &Path, name: &str) -> Outcome {
    let file = File::options()
        .create(true)
        .append(true)
        .open(log)
        .map_err(Problem::io(format!("cannot write {}", log.display())))?;
    let errors = file.try_clone().map_err(Problem::io("cannot share the log"))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .spawn()
        .map_err(cannot_start(command))?;
    let started = Instant::now();
    let mut next_sign = SIGN_OF_LIFE;
    loop {
        if let Some(status) = child.try_wait().map_err(Problem::io(shown(command)))? {
            return succeeded(command, status);
        }
        if started.elapsed() >= LOGGED_LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            let minutes = LOGGED_LIMIT.as_secs() / 60;
            return Err(Problem::new(format!(
                "stopped after {minutes} minutes: {}",
                shown(command)
            )));
        }
        if started.elapsed() >= next_sign {
            eprintln!("  {name}: {} s …", started.elapsed().as_secs());
            next_sign += SIGN_OF_LIFE;
        }
        thread::sleep(POLL);
    }
}

fn succeeded(command: &Command, status: ExitStatus) -> Outcome {
    if status.success() {
        return Ok(());
    }
    Err(Problem::new(format!("failed ({status}): {}", shown(command))))
}

fn cannot_start(command: &Command) -> impl FnOnce(std::io::Error) -> Problem + use<> {
    Problem::io(format!("cannot start {}", shown(command)))
}
