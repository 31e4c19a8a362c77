//! Where commands are written: in pages, in comments that are documentation, in help texts.

use std::fs;
use std::path::{Path, PathBuf};

/// How a command is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// Behind `$ ` in a block named `console` of a page: tests run it.
    Console,
    /// In another block.
    Block,
    /// In backticks within a sentence.
    Mention,
}

/// A command that somebody may type.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The file, from the root.
    pub(crate) file: String,
    /// The line where its block begins; tells blocks apart.
    pub(crate) block: usize,
    pub(crate) kind: Kind,
    /// Without what stands behind it to explain it.
    pub(crate) text: String,
    /// The lines below it: what it prints.
    pub(crate) said: Vec<String>,
}

/// Programs that commands begin with. Of others a block named `console` is the place.
const PROGRAMS: [&str; 44] = [
    "apt",
    "apt-get",
    "arm-none-eabi-size",
    "cargo",
    "cat",
    "cp",
    "curl",
    "defmt-print",
    "dpkg",
    "git",
    "journalctl",
    "kill",
    "ls",
    "man",
    "minicom",
    "mkdir",
    "mosquitto",
    "mosquitto_pub",
    "mosquitto_sub",
    "nc",
    "node",
    "npm",
    "npx",
    "openssl",
    "picocom",
    "picotool",
    "pip",
    "probe-rs",
    "prometheus",
    "promtool",
    "python",
    "python3",
    "rustup",
    "sed",
    "socat",
    "source",
    "ssh",
    "stty",
    "sudo",
    "systemctl",
    "systemd-analyze",
    "tapes",
    "udevadm",
    "usermod",
];

pub(crate) fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

/// All files below the root, build products left out.
fn files(ending: &str) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                let is_product = ["target", "node_modules", "__pycache__"].contains(&&*name);
                open.extend((!is_product && !name.starts_with('.')).then_some(path));
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The pages of the documentation.
pub(crate) fn pages() -> Vec<PathBuf> {
    files(".md")
}

/// The comments of a source file that are documentation; other lines are empty.
fn documentation(source: &str) -> String {
    let comment = |line: &str| {
        let line = line.trim_start();
        let text = line.strip_prefix("//!").or_else(|| line.strip_prefix("///")).unwrap_or("");
        text.strip_prefix(' ').unwrap_or(text).to_owned()
    };
    source.lines().map(comment).collect::<Vec<_>>().join("\n")
}

/// Whether a text is a command: a program and what it is told.
fn is_command(text: &str) -> bool {
    let is_variable = |word: &&str| {
        word.split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    };
    let mut words = text.split_whitespace().skip_while(is_variable);
    words.next().is_some_and(|word| PROGRAMS.contains(&word)) && words.next().is_some()
}

/// Returns a line without what stands behind it to explain it.
pub(crate) fn unexplained(line: &str) -> &str {
    line.split("  ").next().unwrap_or(line)
}

/// Returns the commands of a page, or of the documentation of a source file.
fn commands(file: &str, text: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let (mut fence, mut block, mut is_open) = (None, 0, false);
    let mut paragraph = String::new();
    for (i, line) in text.lines().chain([""]).enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(language) };
            (block, is_open) = (i, false);
        } else if let Some(language) = fence {
            let is_console = language == "console";
            let command = line.strip_prefix("$ ").or_else(|| is_command(line).then_some(line));
            if let Some(last) = found.last_mut().filter(|_| is_open) {
                last.text = format!("{} {}", last.text.trim_end_matches('\\').trim(), line.trim());
                is_open = line.ends_with('\\');
            } else if let Some(command) =
                command.filter(|_| ["console", "text", "sh", ""].contains(&language))
            {
                is_open = line.ends_with('\\');
                let kind = if is_console { Kind::Console } else { Kind::Block };
                let text = unexplained(command).to_owned();
                found.push(Found { file: file.to_owned(), block, kind, text, said: Vec::new() });
            } else if let Some(last) =
                found.last_mut().filter(|last| is_console && last.block == block)
            {
                last.said.push(line.to_owned());
            }
        } else if line.trim().is_empty() {
            for text in paragraph.split('`').skip(1).step_by(2).filter(|text| is_command(text)) {
                let (kind, text) = (Kind::Mention, text.to_owned());
                found.push(Found { file: file.to_owned(), block, kind, text, said: Vec::new() });
            }
            paragraph.clear();
        } else {
            paragraph.push_str(line);
            paragraph.push(' ');
        }
    }
    found
}

/// Returns the examples in the help texts of a source file of `xtask`.
fn helped(file: &str, source: &str) -> Vec<Found> {
    let sections = source.split("\nexamples:\n").skip(1);
    let lines =
        sections.flat_map(|section| section.lines().take_while(|line| line.starts_with("  ")));
    let texts = lines.map(|line| unexplained(line.trim()).trim_end_matches("\";").to_owned());
    let kind = Kind::Block;
    texts
        .map(|text| Found { file: file.to_owned(), block: 0, kind, text, said: Vec::new() })
        .collect()
}

/// Returns every command that is written anywhere for people.
pub(crate) fn everything() -> Vec<Found> {
    let mut found = Vec::new();
    for page in pages() {
        found.extend(commands(&shown(&page), &fs::read_to_string(&page).unwrap()));
    }
    for source in files(".rs") {
        let (name, text) = (shown(&source), fs::read_to_string(&source).unwrap());
        // What tests say to each other is nobody's documentation; the help of their commands is.
        found.extend(if name.starts_with("tests/") {
            helped(&name, &text)
        } else {
            commands(&name, &documentation(&text))
        });
    }
    found
}

/// Returns the commands that the expected outputs of the firmware examples begin with.
pub(crate) fn expected_outputs() -> Vec<String> {
    let texts = files(".out").into_iter().map(|file| fs::read_to_string(file).unwrap());
    texts.filter_map(|text| text.lines().next()?.strip_prefix("$ ").map(str::to_owned)).collect()
}
