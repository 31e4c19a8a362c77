//! The commands in the documentation are run, and links of the guide followed.
//!
//! A command in a block named `console` runs here, each page in a home of its own; see `guide_support`. Of commands
//! elsewhere (in sentences, in comments of examples, in help texts) there must be one that runs and does the same
//! with the same options. What does not run here is in `listed.rs`, with what runs it or why nothing does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;
mod guide_support;

use std::collections::BTreeSet;
use std::fs;

use guide_support::calls;
use guide_support::found::{Found, Kind, everything, expected_outputs, pages, root};
use guide_support::help;
use guide_support::listed::{By, EXAMPLES, LISTED};
use guide_support::place::Place;

fn is_listed(command: &str) -> bool {
    LISTED.iter().any(|(listed, _)| *listed == command)
}

/// The commands that run below.
fn running() -> impl Iterator<Item = Found> {
    everything().into_iter().filter(|found| found.kind == Kind::Console && !is_listed(&found.text))
}

/// If this fails, what people copy from the documentation does not work, or prints something else.
#[test]
fn commands_do_what_pages_say() {
    let (mut place, mut file, mut run) = (Place::new(), String::new(), 0);
    for found in running() {
        if found.file != file {
            place.end_block();
            place = Place::new();
            file.clone_from(&found.file);
        }
        eprintln!("{}: {}", found.file, found.text);
        place.run(&found);
        run += 1;
    }
    place.end_block();
    assert!(run >= 35, "only {run} commands were found");
}

/// If this fails, what people copy from the help of a command does not work.
#[test]
fn commands_do_what_help_says() {
    let mut place = Place::with_all_that_examples_need();
    let mut run = 0;
    for example in help::everything().iter().filter(|found| !is_listed(&found.text)) {
        eprintln!("{}: {}", example.file, example.text);
        place.run_example(example);
        place.end_block();
        run += 1;
    }
    assert!(run >= 35, "only {run} examples were found");
}

/// Returns whether an example of the crates that is run by its name is among those that tests run.
fn is_tested_example(command: &str) -> bool {
    let Some((_, rest)) = command.split_once("cargo run --example ") else { return false };
    let name = format!("mod {};", rest.split(' ').next().unwrap());
    EXAMPLES.iter().any(|file| fs::read_to_string(root().join(file)).unwrap().contains(&name))
}

/// If this fails, something is written for people to type that no test ever ran, and nobody knows.
#[test]
fn every_command_is_run_or_on_the_list() {
    let helped = help::everything();
    let here = running().chain(helped.iter().cloned());
    let mut run: Vec<_> = here.flat_map(|found| calls(&found.text)).collect();
    // Help was asked for to find these.
    run.extend(helped.iter().flat_map(|found| calls(&found.file)));
    run.extend(expected_outputs().iter().flat_map(|command| calls(command)));
    let here = run.len();
    run.extend(LISTED.iter().flat_map(|(command, _)| calls(command)));
    let (mut used, mut unknown) = (BTreeSet::new(), Vec::new());
    for found in everything().into_iter().chain(helped) {
        let is_page = found.kind == Kind::Block && found.file.ends_with(".md");
        let is_known = if is_listed(&found.text) {
            used.insert(found.text.clone());
            true
        } else if found.kind == Kind::Console {
            continue;
        } else {
            // In a page, what is shown as a command is to be run as it stands.
            let known = |call| run.iter().any(|run| run.covers(call));
            !is_page && (is_tested_example(&found.text) || calls(&found.text).iter().all(known))
        };
        if !is_known {
            unknown.push(format!("{}: {}", found.file, found.text));
        }
        for (listed, _) in LISTED {
            let covers = |call| calls(listed).iter().any(|listed| listed.covers(call));
            if calls(&found.text).iter().any(covers) {
                used.insert(listed.to_owned());
            }
        }
    }
    assert!(here > 50, "only {here} calls were found");
    assert!(unknown.is_empty(), "neither run nor listed: {unknown:#?}");
    let unused: Vec<_> = LISTED.iter().filter(|(listed, _)| !used.contains(*listed)).collect();
    assert!(unused.is_empty(), "listed, but nowhere written: {unused:?}");
}

/// If this fails, the list says that something runs a command which does not do so any more.
#[test]
fn what_the_list_says_is_there() {
    for (command, by) in LISTED {
        match by {
            By::Ci(file, words) | By::Long(file, words) => {
                let text = fs::read_to_string(root().join(file)).unwrap();
                assert!(text.contains(words), "{command}: no {words:?} in {file}");
            }
            By::Hardware(why) | By::Root(why) | By::Network(why) => {
                assert!(!why.is_empty(), "{command}");
            }
        }
    }
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
