//! What commands say on standard error: how much, in which form, and in which colours.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::fs;
use std::io::{PipeWriter, Read as _, pipe};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use gateway_support::{run, tapes, terminal};
use tapes_tests::servers::Scratch;

/// A gateway that has something to say of each kind: it reads a directory as a file.
fn gateway(directory: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(tapes());
    command.args(options).args(["gateway", "--no-http", "--file"]).arg(directory);
    for name in ["NO_COLOR", "TAPES_LOG", "JOURNAL_STREAM", "STATE_DIRECTORY"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").stdin(Stdio::null());
    command
}

const INFO: &str = "totals are kept in memory only";
const WARNING: &str = "; what came before is used";
const DEBUG: &str = "stdin: read to its end";

/// Returns what a command writes on standard error.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Returns what a command writes on a terminal.
fn said_on_terminal(command: &mut Command) -> String {
    let (mut person, program) = terminal::open();
    let status = command.stdout(Stdio::null()).stderr(program).status().unwrap();
    assert_eq!(status.code(), Some(0));
    // Closes the program's end, so that the reading below comes to an end.
    command.stderr(Stdio::null());
    let mut said = Vec::new();
    // With nobody at the other end, reading fails; what was written comes first.
    let _ = person.read_to_end(&mut said);
    String::from_utf8(said).unwrap()
}

/// If this fails, nobody can hear less of a chatty command, or more of one that is in trouble.
#[test]
fn options_and_the_variable_choose_what_is_said() {
    let scratch = Scratch::new("messages");
    for (options, variable, expected) in [
        (&[][..], "", [true, true, false]),
        (&["-q"], "", [false, true, false]),
        (&["-qq"], "", [false, false, false]),
        (&["-v"], "", [true, true, true]),
        (&["--verbose", "--verbose"], "", [true, true, true]),
        (&[], "debug", [true, true, true]),
        (&[], "tapes::state=info", [true, false, false]),
        (&["-q"], "debug", [false, true, false]),
        (&["-v"], "off", [true, true, true]),
    ] {
        let mut command = gateway(scratch.path(), options);
        let said = said(command.arg("--stdin").env("TAPES_LOG", variable));
        let heard = [INFO, WARNING, DEBUG].map(|text| said.contains(text));
        assert_eq!(heard, expected, "{options:?} {variable:?}: {said}");
        assert_eq!(said.contains("warning: "), expected[1], "{said}");
    }
    let after = said(gateway(scratch.path(), &[]).arg("-q"));
    assert!(!after.contains(INFO) && after.contains(WARNING), "{after}");
    let wrong = gateway(scratch.path(), &[]).env("TAPES_LOG", "tapes=loud").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let why = String::from_utf8(wrong.stderr).unwrap();
    assert!(why.starts_with("tapes: TAPES_LOG: "), "{why}");
    assert_eq!(run(&["decode", "-q", "-v"], b"").status.code(), Some(2));
}

/// If this fails, a command that has gone wrong says nothing about it when it is told to be quiet.
#[test]
fn what_ends_a_command_is_always_said() {
    for quiet in ["-q", "-qq", "-qqqq"] {
        let output = run(&["decode", quiet, "/nowhere/at-all"], b"");
        assert_eq!(output.status.code(), Some(2));
        let why = String::from_utf8(output.stderr).unwrap();
        assert!(why.starts_with("tapes: cannot open /nowhere/at-all"), "{why}");
    }
}

/// If this fails, files and pipes get colours, or people who asked for none do.
#[test]
fn colours_and_times_are_for_terminals() {
    let scratch = Scratch::new("colours");
    let coloured = said_on_terminal(&mut gateway(scratch.path(), &[]));
    assert!(coloured.contains("\u{1b}[33mwarning: \u{1b}[0m"), "{coloured:?}");
    assert!(coloured.starts_with(INFO), "{coloured:?}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = said_on_terminal(gateway(scratch.path(), &[]).env(name, value));
        assert!(plain.contains("\nwarning: ") && !plain.contains('\u{1b}'), "{plain:?}");
    }
    // It asks for nothing when it is empty.
    let coloured = said_on_terminal(gateway(scratch.path(), &[]).env("NO_COLOR", ""));
    assert!(coloured.contains('\u{1b}'), "{coloured:?}");
    let piped = said(&mut gateway(scratch.path(), &["-v"]));
    assert!(piped.starts_with(INFO) && !piped.contains('\u{1b}'), "{piped:?}");
    let timed = said_on_terminal(&mut gateway(scratch.path(), &["-v"]));
    let (time, first) = timed.trim_start().split_once(' ').unwrap();
    assert!(time.parse::<f64>().is_ok() && first.starts_with(INFO), "{timed:?}");

    // Help and faults of usage follow the same rule.
    let help = |value: &str| {
        let (mut person, program) = terminal::open();
        let mut command = Command::new(tapes());
        command.args(["completions", "--help"]).env("TERM", "xterm").env("NO_COLOR", value);
        assert!(command.stdout(program).status().unwrap().success());
        command.stdout(Stdio::null());
        let mut said = Vec::new();
        let _ = person.read_to_end(&mut said);
        String::from_utf8(said).unwrap()
    };
    assert!(help("").contains('\u{1b}') && !help("1").contains('\u{1b}'));
}

/// If this fails, the journal cannot tell warnings from news, or notes a second time on each line.
#[test]
fn the_journal_hears_of_priorities() {
    let scratch = Scratch::new("journal");
    let said = |of: fn(&PipeWriter) -> String| {
        let (mut journal, end) = pipe().unwrap();
        let mut command = gateway(scratch.path(), &["-v"]);
        command.env("JOURNAL_STREAM", of(&end)).stdout(Stdio::null()).stderr(end);
        assert!(command.status().unwrap().success());
        drop(command);
        let mut said = String::new();
        journal.read_to_string(&mut said).unwrap();
        said
    };
    let journal = said(|end| {
        let end = fs::metadata(format!("/proc/self/fd/{}", end.as_raw_fd())).unwrap();
        format!("{}:{}", end.dev(), end.ino())
    });
    assert!(journal.starts_with(&format!("<6>{INFO}")), "{journal}");
    let is_warned = |line: &str| line.starts_with("<4>") && line.contains(WARNING);
    assert!(journal.lines().any(is_warned), "{journal}");
    assert!(!journal.contains("warning"), "{journal}");
    let elsewhere = said(|_| "8:1".to_owned());
    assert!(elsewhere.starts_with(INFO) && !elsewhere.contains("<4>"), "{elsewhere}");
}

/// If this fails, nobody knows whether long work goes on, or its line ends up in a file.
#[test]
fn long_work_says_how_far_it_is() {
    let (mut person, program) = terminal::open();
    let mut command = Command::new(tapes());
    // For ever, unless somebody ends it.
    command.args(["simulate", "--seconds", "1e9", "--seed", "1"]);
    let mut child = command.stdout(Stdio::null()).stderr(program).spawn().unwrap();
    drop(command);
    let mut said = String::new();
    let mut chunk = [0; 256];
    while !said.contains(" of 1000000000 s") {
        let len = person.read(&mut chunk).unwrap();
        said.push_str(&String::from_utf8_lossy(&chunk[..len]));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said.contains("\u{1b}[Ksimulated "), "{said:?}");
    let elsewhere = run(&["simulate", "--seconds", "2000", "--seed", "1"], b"");
    assert!(elsewhere.stderr.is_empty(), "{elsewhere:?}");
}
