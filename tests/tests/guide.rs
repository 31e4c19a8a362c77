//! The commands in the guide and the README are run, and its links followed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gateway_support::tapes;
use tapes_tests::servers::Scratch;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The guide's pages and the README.
fn pages() -> Vec<PathBuf> {
    let guide = fs::read_dir(root().join("std-adapters/docs/guide")).unwrap();
    let mut pages: Vec<_> = guide.map(|entry| entry.unwrap().path()).collect();
    pages.push(root().join("README.md"));
    pages.sort();
    pages
}

/// The blocks named `console` of a page: each command, and the lines that it is said to print.
fn commands(page: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    let mut is_inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| is_inside) {
            commands.push((command.to_owned(), Vec::new()));
        } else if let Some((_, said)) = commands.last_mut().filter(|_| is_inside) {
            said.push(line.to_owned());
        }
    }
    commands
}

/// If this fails, what people copy from the guide does not work, or prints something else.
#[test]
fn commands_do_what_the_guide_says() {
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", tapes().parent().unwrap().display());
    let mut run = 0;
    for page in pages() {
        let scratch = Scratch::new("guide");
        for (command, said) in commands(&fs::read_to_string(&page).unwrap()) {
            let mut bash = Command::new("bash");
            bash.current_dir(scratch.path()).env("PATH", &path);
            let output = bash.args(["-o", "pipefail", "-c", &command]).output().unwrap();
            assert!(output.status.success(), "{command}: {output:?}");
            let printed = String::from_utf8(output.stdout).unwrap();
            for line in said.iter().filter(|line| *line != "…") {
                assert!(printed.lines().any(|printed| printed == line), "{line:?}: {printed}");
            }
            run += 1;
        }
    }
    assert!(run >= 5, "only {run} commands were found");
}

/// If this fails, a page of the guide leads nowhere.
#[test]
fn links_lead_somewhere() {
    let mut followed = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") || link.starts_with('#') {
                continue;
            }
            let target = page.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(target.exists(), "{}: {link}", page.display());
            followed += 1;
        }
    }
    assert!(followed > 20, "only {followed} links were found");
}
