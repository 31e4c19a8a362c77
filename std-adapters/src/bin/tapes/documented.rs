//! Every `tapes …` in the documentation and in the help of the commands, against what they take.

use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;

/// Returns the pages of the documentation, of all packages.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = [
        ".",
        "core/docs",
        "std-adapters/docs",
        "std-adapters/docs/guide",
        "examples-rp2040",
        "tests",
        "tests/emulator",
    ];
    let files = folders.map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let files = files.into_iter().flatten().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "md")).collect()
}

/// Returns the examples of a help text, without what explains them.
fn examples(help: &str) -> Vec<&str> {
    let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
    lines.filter(|line| line.starts_with("tapes ")).map(unexplained).collect()
}

/// Returns the command lines of a page: those in blocks, and what stands in backticks.
fn written(page: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (i, block) in page.split("```").enumerate() {
        for line in block.lines() {
            if i % 2 == 0 {
                found.extend(line.split('`').skip(1).step_by(2));
            } else if line.starts_with("$ ") || line.starts_with("tapes ") {
                found.push(unexplained(line));
            }
        }
    }
    found
}

/// Returns a line without what stands behind it to explain it.
fn unexplained(line: &str) -> &str {
    line.split("   ").next().unwrap_or(line)
}

/// Returns the words of each call of the command in a line, up to where it is cut off.
fn calls(line: &str) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    for part in line.split(['|', ';', '&', '<', '>', '#']) {
        let part = part.split("  then ").next().unwrap_or(part);
        let mut words = part.trim().trim_start_matches("$ ").split_whitespace().peekable();
        while words.next_if(|word| word.starts_with("TAPES_")).is_some() {}
        if words.next() == Some("tapes") {
            let words = words.take_while(|word| !["...", "…", "\\", "2", "1"].contains(word));
            let words = words.map(|word| word.trim_matches(['\'', '"', ',']).to_owned());
            calls.push(std::iter::once("tapes".to_owned()).chain(words).collect());
        }
    }
    calls
}

/// If this fails, somebody types what is written and is told that there is no such option.
#[test]
fn commands_have_the_options_that_are_written() {
    let mut command = super::options(&mut Vec::new());
    let mut texts = Vec::new();
    for subcommand in command.get_subcommands_mut() {
        let help = subcommand.render_long_help().to_string();
        texts.push(("help".to_owned(), help, examples as fn(&str) -> Vec<&str>));
    }
    for page in pages() {
        texts.push((page.display().to_string(), fs::read_to_string(&page).unwrap(), written));
    }
    let mut tried = 0;
    for (place, text, lines) in &texts {
        for line in lines(text) {
            for call in calls(line) {
                let parsed = super::options(&mut Vec::new()).try_get_matches_from(&call);
                let kind = parsed.err().map(|error| error.kind());
                let is_wrong = matches!(
                    kind,
                    Some(
                        ErrorKind::UnknownArgument
                            | ErrorKind::InvalidSubcommand
                            | ErrorKind::ArgumentConflict
                            | ErrorKind::TooManyValues
                            | ErrorKind::TooFewValues
                            | ErrorKind::WrongNumberOfValues
                    )
                );
                assert!(!is_wrong, "{place}: {line:?}: {call:?}: {kind:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 80, "only {tried} commands were found");
}
