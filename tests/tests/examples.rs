//! Every firmware example in the emulator, against the expected output beside its source.
//!
//! `examples-rp2040/src/bin/NAME.out` holds in its first line the command that a person types, and
//! below what that prints. There `<a..b>` stands for any number from a to b, `<..>` for any number,
//! `<*>` for any text, and runs of spaces are all the same. Simulated time makes a run the same on
//! every machine; the ranges leave room for what another compiler makes of the same source.

use std::path::{Path, PathBuf};
use std::process::Command;

use tapes_tests::programs::{defmt_print, emulate, filter, firmware, tapes};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples-rp2040/src/bin")
}

/// The length of what `text` begins with that a pattern without its `<` and `>` stands for, tried
/// from the longest.
fn lengths(pattern: &str, text: &str) -> Vec<usize> {
    let in_range = |len: &usize| match pattern.split_once("..") {
        Some((low, high)) => {
            let number =
                |text: &str, other| if text.is_empty() { Some(other) } else { text.parse().ok() };
            let low: f64 = number(low, f64::MIN).expect("a number, or nothing");
            let high: f64 = number(high, f64::MAX).expect("a number, or nothing");
            text[..*len].parse().is_ok_and(|value: f64| (low..=high).contains(&value))
        }
        None => true,
    };
    assert!(pattern == "*" || pattern.contains(".."), "<{pattern}> is no pattern");
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let mut ends: Vec<usize> = std::iter::once(0).chain(ends).filter(in_range).collect();
    ends.reverse();
    ends
}

/// Whether a line is what a pattern says, once spaces are the same.
fn matches(pattern: &str, line: &str) -> bool {
    let Some((literal, rest)) = pattern.split_once('<') else { return pattern == line };
    let Some(line) = line.strip_prefix(literal) else { return false };
    let (inner, rest) = rest.split_once('>').expect("a pattern ends with >");
    lengths(inner, line).into_iter().any(|len| matches(rest, &line[len..]))
}

fn spaces_alike(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs the command line of an expectation, `$ cargo xtask emulate NAME OPTIONS | DECODER`.
fn run(name: &str, command: &str) -> String {
    let (emulation, decoder) = command.split_once(" | ").unwrap_or((command, ""));
    let start = format!("$ cargo xtask emulate {name} ");
    let options = emulation.strip_prefix(&start).expect("the command emulates this example");
    let words = shell_words(options);
    let options: Vec<&str> =
        words.iter().map(String::as_str).filter(|word| *word != "--").collect();
    let image = firmware(name);
    let bytes = emulate(&image, &options).bytes;
    if decoder.starts_with("defmt-print ") {
        return defmt_print(&image, &bytes);
    }
    match decoder.strip_prefix("tapes ") {
        Some(arguments) => filter(Command::new(tapes()).args(arguments.split(' ')), &bytes),
        None => String::from_utf8(bytes).expect("an example that prints text"),
    }
}

/// Splits at spaces outside of single quotes.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().expect("there is one").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn names() -> Vec<String> {
    let files = directory().read_dir().expect("the examples are there");
    let names = files.map(|file| file.expect("it can be read").path());
    let sources = names.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut names: Vec<String> = sources.map(stem).collect();
    names.sort();
    names
}

/// If this fails, an example does not do what its expected output shows to whoever copies it.
#[test]
fn examples_print_what_stands_beside_them() {
    let mut wrong = Vec::new();
    for name in names() {
        let file = directory().join(format!("{name}.out"));
        let expected = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let (command, expected) = expected.split_once('\n').expect("a command and lines");
        let printed = run(&name, command);
        let lines: Vec<String> = printed.lines().map(spaces_alike).collect();
        let patterns: Vec<String> = expected.lines().map(spaces_alike).collect();
        let differs = lines.iter().zip(&patterns).find(|(line, pattern)| !matches(pattern, line));
        if let Some((line, pattern)) = differs {
            wrong.push(format!("{name}: {line:?} is not {pattern:?}; all of it:\n{printed}"));
        } else if lines.len() != patterns.len() {
            let (there, wanted) = (lines.len(), patterns.len());
            wrong.push(format!("{name}: {there} lines instead of {wanted}:\n{printed}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// If this fails, an example has become a program: nobody reads it to copy a few lines.
#[test]
fn examples_are_short() {
    for name in names() {
        let text = std::fs::read_to_string(directory().join(format!("{name}.rs"))).expect("source");
        let code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let lines = text.lines().filter(code).count();
        assert!((30..=120).contains(&lines), "{name}: {lines} lines of code");
    }
}

/// If this fails, counts of two cores that record at once get lost, or come into each other's lane.
#[test]
fn each_core_counts_in_its_own_lane() {
    let image = firmware("two_cores");
    let names = ["WORK::WORDS", "CORE0", "ALARM", "CORE1"].map(|name| format!("two_cores::{name}"));
    let mut options = vec!["--seconds", "0.4"];
    options.extend(names.iter().flat_map(|name| ["--dump", name]));
    let report = emulate(&image, &options).report;
    let words = |name: &str| -> Vec<u64> {
        let words = report["symbols"][name].as_array().expect("it was dumped");
        words.iter().map(|word| word.as_u64().expect("a word")).collect()
    };
    let lanes = words(&names[0]);
    let (first, second) = lanes.split_at(lanes.len() / 2);
    let [core0, alarm, core1] = [1, 2, 3].map(|name: usize| words(&names[name])[0]);
    assert!(core0 > 2_000 && alarm > 1_000 && core1 > 4_000, "{core0} {alarm} {core1}");
    // Pieces are the first word; each context may be between its two counts.
    assert!((0..=2).contains(&(first[0] - core0 - alarm)), "{first:?} {core0} {alarm}");
    assert!((0..=1).contains(&(second[0] - core1)), "{second:?} {core1}");
}

/// If this fails, any output would be taken for the expected one.
#[test]
fn patterns_tell_numbers_apart() {
    let rows = [
        ("loops <10..20>", "loops 12", true),
        ("loops <10..20>", "loops 9", false),
        ("loops <10..20>", "loops 123", false),
        ("time <1.5..2> µs", "time 1.75 µs", true),
        ("time <1.5..2> µs", "time 1.75 ms", false),
        ("<..> <..>", "1 -2", true),
        ("<..>", "x", false),
        ("a <*> c", "a b c", true),
        ("a <*> c", "a b", false),
        ("a", "ab", false),
    ];
    for (pattern, line, same) in rows {
        assert_eq!(matches(pattern, line), same, "{pattern:?} {line:?}");
    }
    assert_eq!(shell_words("--send 'a b@1' -- x"), ["--send", "a b@1", "--", "x"]);
}
