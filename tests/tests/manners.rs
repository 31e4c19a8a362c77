//! What everybody expects of a command: help, completions, a manual page.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::process::{Command, Output};

use gateway_support::{run, tapes};
use tapes_tests::servers::Scratch;

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments, b"");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the names of all commands.
fn commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty());
    let names = names.filter_map(|line| line.split_whitespace().next().map(str::to_owned));
    names.filter(|name| name != "help").collect()
}

/// If this fails, there is a command that people cannot find out about by asking it.
#[test]
fn every_command_has_examples_and_exit_codes() {
    let commands = commands();
    assert!(commands.len() >= 6, "{commands:?}");
    for command in &commands {
        let help = printed(&[command, "--help"]);
        assert!(help.contains("Examples:\n  tapes "), "{command}: {help}");
        assert!(help.contains("Exit codes: 0 "), "{command}: {help}");
        assert!(help.contains("--verbose") && help.contains("--quiet"), "{command}: {help}");
        assert!(!help.contains('\u{1b}'), "{command}: colours without a terminal");
    }
    let wrong = run(&["gateway", "--no-such-option"], b"");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(wrong.stdout.is_empty(), "messages belong to standard error");
}

/// If this fails, a shell completes what is not there, or `man tapes` shows nothing.
#[test]
fn shells_and_man_know_every_command() {
    let commands = commands();
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        for command in &commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    assert!(printed(&["man"]).contains(".TH tapes 1"));
    let scratch = Scratch::new("man");
    printed(&["man", "--directory", scratch.path().to_str().unwrap()]);
    for command in &commands {
        let page = scratch.path().join(format!("tapes-{command}.1"));
        let page = std::fs::read_to_string(&page).unwrap();
        assert!(page.contains("Examples"), "{command}");
    }
}

/// Runs a command with variables of the environment.
fn run_with(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(tapes()).args(arguments).envs(variables.iter().copied()).output().unwrap()
}

/// If this fails, what a container or a unit sets in the environment is not what runs.
#[test]
fn options_are_variables_too() {
    for command in commands() {
        let help = printed(&[&command, "--help"]);
        let (options, _) = help.split_once("\nExamples:").unwrap();
        let all = options.split_whitespace().collect::<Vec<_>>().join(" ");
        let options = options.lines().filter(|line| line.starts_with("      --")).count();
        assert_eq!(all.matches("[env: TAPES_").count(), options, "{command}: {help}");
    }
    let scratch = Scratch::new("variables");
    let board = run(&["simulate", "--seconds", "2", "--seed", "1"], b"").stdout;
    let [first, second] = ["first", "second"].map(|name| {
        let path = scratch.path().join(name);
        std::fs::write(&path, &board).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let both = format!("{first} {second}");
    let variables = [("TAPES_FILE", both.as_str()), ("TAPES_NO_HTTP", "1")];
    let output = run_with(&variables, &["gateway", "-v"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("motor.loops "));
    assert_eq!(said.matches(": read to its end").count(), 2, "{said}");
    // The command line counts more, also over what it excludes.
    let variables = [("TAPES_FILE", both.as_str()), ("TAPES_HTTP", "127.0.0.1:1")];
    let output = run_with(&variables, &["gateway", "-v", "--no-http", "--file", &second]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.matches(": read to its end").count(), 1, "{said}");
    // Nobody finds a fault that is in the environment by reading the command line.
    let wrong = run_with(&[("TAPES_HTTP", "nonsense")], &["gateway", "--stdin"]);
    assert_eq!(wrong.status.code(), Some(2));
    let why = String::from_utf8(wrong.stderr).unwrap();
    assert!(why.contains("'nonsense'") && why.contains("TAPES_HTTP"), "{why}");
}
