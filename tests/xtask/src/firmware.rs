//! The firmware examples: which there are, and building one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::toolchain::{RP2040, Toolchain};

/// The names of the examples, sorted.
pub(crate) fn examples() -> Vec<String> {
    let directory = places::firmware().join("src").join("bin");
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

/// Builds an example and returns its ELF file; the path of an ELF file is taken as it is.
pub(crate) fn build(name: &str) -> Outcome<PathBuf> {
    let path = Path::new(name);
    if path.components().count() > 1 {
        return if path.is_file() {
            Ok(path.to_path_buf())
        } else {
            Err(Problem::new(format!("there is no file {name}")))
        };
    }
    if !examples().iter().any(|example| example == name) {
        return Err(Problem::new(format!(
            "there is no example {name}; there are: {}",
            examples().join(", ")
        )));
    }
    let toolchain = Toolchain::find(RP2040)?;
    let image = toolchain.artifact(name);
    let first = if image.exists() { "" } else { ", 1 to 2 minutes the first time" };
    eprintln!("building firmware {name} with {}{first} …", toolchain.describe());
    let mut build = toolchain.cargo("build", &places::firmware());
    process::run(build.args(["--quiet", "--release", "--bin", name]))?;
    Ok(image)
}
