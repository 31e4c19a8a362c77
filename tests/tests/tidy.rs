//! The rules of the house that a compiler does not check.

#![expect(clippy::unwrap_used, reason = "a check that cannot read the tree fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// All files below `directory` whose names end so, build products left out.
fn files(directory: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap().flatten() {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if path.is_dir() {
                if !["target", "node_modules", ".git", "__pycache__"].contains(&name.as_str()) {
                    open.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
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

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// The lines of a Rust file that are code: neither comments nor the tests at its end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(i, line)| (i + 1, line))
}

/// Modules of core from left to right; nothing imports to its right.
const ORDER: [&[&str]; 8] = [
    &["sync", "name", "error"],
    &["clock"],
    &["metric"],
    &["registry", "instrument"],
    &["snapshot", "global"],
    &["rates", "statistics"],
    &["wire", "text"],
    &["report"],
];

/// If this fails, a part of core knows something that it is built from without.
#[test]
fn imports_of_core_go_one_way() {
    let rank = |module: &str| ORDER.iter().position(|modules| modules.contains(&module));
    let source = root().join("core/src");
    let mut wrong = Vec::new();
    for file in files(&source, &[".rs"]) {
        let inside = file.strip_prefix(&source).unwrap();
        let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let Some(own) = rank(module) else {
            wrong.push(format!("{}: `{module}` has no place in the order", shown(&file)));
            continue;
        };
        let text = read(&file);
        for (i, line) in code(&text) {
            for used in line.split("crate::").skip(1).filter(|_| !line.contains("$crate")) {
                let used: String =
                    used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if rank(&used).is_some_and(|used| used > own) {
                    wrong.push(format!("{}:{i}: {module} imports {used}", shown(&file)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// If this fails, an ordering that loses counts may hide outside the module that is model-checked.
#[test]
fn only_sync_touches_atomics() {
    let wrong: Vec<_> = files(&root().join("core/src"), &[".rs"])
        .into_iter()
        .filter(|file| !file.starts_with(root().join("core/src/sync")))
        .filter(|file| code(&read(file)).any(|(_, line)| line.contains("sync::atomic")))
        .map(|file| shown(&file))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// If this fails, unsafe code stands where nobody looks for it.
#[test]
fn crates_forbid_unsafe_code() {
    for (file, attribute) in [
        ("core/src/lib.rs", "#![forbid(unsafe_code)]"),
        ("core/macros/src/lib.rs", "#![forbid(unsafe_code)]"),
        ("std-adapters/src/lib.rs", "#![forbid(unsafe_code)]"),
        ("tests/src/lib.rs", "#![forbid(unsafe_code)]"),
        ("core/hooks/src/lib.rs", "#![deny(unsafe_code)]"),
    ] {
        assert!(read(&root().join(file)).contains(attribute), "{file} must have {attribute}");
    }
}

/// The section of a manifest as its keys, each with the comment-free rest of its line.
fn section(manifest: &str, name: &str) -> BTreeMap<String, String> {
    let header = format!("[{name}]");
    manifest
        .lines()
        .skip_while(|line| *line != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| {
            let key = key.trim().trim_end_matches(".workspace").to_owned();
            (key, value.trim().to_owned())
        })
        .filter(|(key, _)| key.chars().all(|c| c.is_alphanumeric() || "-_\"".contains(c)))
        .collect()
}

/// If this fails, the table of features in the documentation is not the one that is compiled.
#[test]
fn feature_tables_name_the_features() {
    for package in ["core", "std-adapters"] {
        let manifest = read(&root().join(package).join("Cargo.toml"));
        let features: BTreeSet<_> = section(&manifest, "features").into_keys().collect();
        let documented: BTreeSet<_> = read(&root().join(package).join("src/lib.rs"))
            .lines()
            .skip_while(|line| !line.starts_with("//! | feature |"))
            .take_while(|line| line.starts_with("//! |"))
            .filter_map(|line| line.split('|').nth(1).map(str::to_owned))
            .flat_map(|names| {
                names.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
            })
            .chain(["default".to_owned()])
            .collect();
        assert_eq!(features, documented, "{package}");
        assert_eq!(section(&manifest, "features")["default"], "[]", "{package}");
    }
}

/// If this fails, nobody knows why a package is there.
#[test]
fn every_dependency_has_a_reason() {
    let reasons = read(&root().join("core/docs/design.md"));
    let mut missing = Vec::new();
    for manifest in files(&root(), &["Cargo.toml"]) {
        let text = read(&manifest);
        for part in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for name in section(&text, part).into_keys() {
                if !name.starts_with("tapes-") && !reasons.contains(&format!("`{name}`")) {
                    missing.push(format!("{}: {name}", shown(&manifest)));
                }
            }
        }
    }
    assert!(missing.is_empty(), "no line in core/docs/design.md for {missing:#?}");
}

/// If this fails, prose promises another compiler than the manifest.
#[test]
fn the_compiler_version_is_stated_once() {
    let manifest = read(&root().join("Cargo.toml"));
    let version = &section(&manifest, "workspace.package")["rust-version"];
    let version = version.trim_matches('"');
    for manifest in files(&root(), &["Cargo.toml"]) {
        for (key, value) in section(&read(&manifest), "package") {
            if key == "rust-version" && !value.is_empty() {
                let stated = value.trim_matches('"');
                assert!(stated == version || stated == "true", "{}: {stated}", shown(&manifest));
            }
        }
    }
    for file in files(&root(), &[".md"]) {
        for line in read(&file).lines() {
            if let Some((_, rest)) = line.split_once("Rust 1.") {
                let stated: String = rest.chars().take_while(char::is_ascii_digit).collect();
                assert_eq!(format!("1.{stated}"), version, "{}: {line}", shown(&file));
            }
        }
    }
}

/// If this fails, something is unfinished that nobody will find again.
#[test]
fn nothing_is_left_to_do() {
    let marks =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("HA", "CK")];
    let mut left = Vec::new();
    for file in files(&root(), &[".rs", ".mjs", ".py", ".md", ".toml", ".html", ".js"]) {
        for (i, line) in read(&file).lines().enumerate() {
            let words = line.split(|c: char| !c.is_alphanumeric());
            if words.into_iter().any(|word| marks.contains(&word)) {
                left.push(format!("{}:{}", shown(&file), i + 1));
            }
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

/// If this fails, a file holds more than one concept.
#[test]
fn files_are_short() {
    const LINES_MAX: usize = 500;
    let mut long = Vec::new();
    for file in files(&root(), &[".rs"]) {
        if file.starts_with(root().join("tests/tests")) {
            continue;
        }
        let lines = code(&read(&file)).count();
        if lines > LINES_MAX {
            long.push(format!("{}: {lines} lines of code", shown(&file)));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// If this fails, something lies at the top that belongs into one of the rooms.
#[test]
fn the_top_level_is_as_agreed() {
    let agreed = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "core",
        "std-adapters",
        "examples-rp2040",
        "tests",
        "target",
    ];
    for entry in fs::read_dir(root()).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        assert!(name.starts_with('.') || agreed.contains(&name.as_str()), "{name}");
    }
}
