//! Every `cargo xtask …` in the documentation and in the help, against what there is.

use std::fs;

use crate::COMMANDS;
use crate::firmware::examples;
use crate::places;

const FOLDERS: [&str; 8] = [
    ".",
    "core/docs",
    "std-adapters/docs",
    "std-adapters/docs/guide",
    "examples-rp2040",
    "tests",
    "tests/benches",
    "tests/emulator",
];

/// The words behind each `cargo xtask` of a text, up to what ends the command.
fn calls(text: &str) -> Vec<Vec<&str>> {
    let is_end = |c: char| "`|>)#;&\n".contains(c);
    let calls = text.split("cargo xtask ").skip(1);
    let calls = calls.map(|rest| rest.split(is_end).next().unwrap_or(rest));
    calls.map(|call| call.split_whitespace().collect()).collect()
}

/// Whether something is written like an option.
fn is_option(word: &str) -> bool {
    word.starts_with("--") && word.len() > 2
}

/// What people type would not be understood if this failed.
#[test]
fn commands_have_the_options_that_are_written() {
    let mut texts: Vec<String> = COMMANDS.iter().map(|command| command.help.to_owned()).collect();
    for folder in FOLDERS {
        let files = fs::read_dir(places::root().join(folder)).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let pages = files.filter(|path| path.extension().is_some_and(|end| end == "md"));
        texts.extend(pages.map(|page| fs::read_to_string(page).unwrap()));
    }
    let examples = examples();
    let mut tried = 0;
    for call in texts.iter().flat_map(|text| calls(text)) {
        let Some((name, words)) = call.split_first() else { continue };
        let name = name.trim_end_matches([',', '.', ':']);
        if ["help", "COMMAND", "…"].contains(&name) {
            continue;
        }
        let command = COMMANDS.iter().find(|command| command.name == name);
        let command = command.unwrap_or_else(|| panic!("there is no {name}: {call:?}"));
        for word in words.iter().take_while(|word| **word != "--").filter(|word| is_option(word)) {
            assert!(command.help.contains(word), "{name} has no {word}");
        }
        if let ("emulate", Some(first)) = (name, words.first()) {
            let is_name = first.contains('_') && !first.contains(['/', '.']);
            assert!(!is_name || examples.iter().any(|example| example == first), "{first}");
        }
        tried += 1;
    }
    assert!(tried > 40, "only {tried} commands were found");
}
