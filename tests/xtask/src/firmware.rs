//! The firmware examples: which there are, and building one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::arguments::Arguments;
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

/// The examples, each with the first line of its documentation.
pub(crate) fn list() -> String {
    let about = |name: &String| {
        let file = places::firmware().join("src").join("bin").join(format!("{name}.rs"));
        let source = fs::read_to_string(file).unwrap_or_default();
        let first = source.lines().next().unwrap_or_default().trim_start_matches("//!").trim();
        format!("  {name:<16} {first}")
    };
    examples().iter().map(about).collect::<Vec<_>>().join("\n")
}

/// The features that the manifest says an example needs, as cargo takes them; as a rule none.
pub(crate) fn required_features(name: &str) -> String {
    let manifest = fs::read_to_string(places::firmware().join("Cargo.toml")).unwrap_or_default();
    let start = format!("[[bin]]\nname = \"{name}\"\nrequired-features = [");
    let list = manifest.split_once(&start).and_then(|(_, rest)| rest.split_once(']'));
    list.map_or(String::new(), |(list, _)| list.replace(['"', ' '], ""))
}

/// What to build: an executable of a firmware workspace.
pub(crate) struct Image<'a> {
    pub(crate) directory: PathBuf,
    pub(crate) name: &'a str,
    /// A list as cargo takes it; may be empty.
    pub(crate) features: &'a str,
    pub(crate) target: &'a str,
}

impl Image<'_> {
    /// Builds it and returns the ELF file. With features it is a copy with a name of its own, so that several
    /// can be compared.
    pub(crate) fn build(&self) -> Outcome<PathBuf> {
        let Self { directory, name, features, target } = self;
        let toolchain = Toolchain::find(target)?;
        let image = toolchain.artifact(name);
        let first = if image.exists() { "" } else { ", 1 to 2 minutes the first time" };
        eprintln!("building firmware {name} with {}{first} …", toolchain.describe());
        let mut build = toolchain.cargo("build", directory);
        build.args(["--quiet", "--release", "--bin", name]);
        if features.is_empty() {
            return process::run(&mut build).map(|()| image);
        }
        process::run(build.args(["--features", features]))?;
        let copies = places::firmware_target().join("images").join(target);
        let copy = copies.join(format!("{name}+{}", features.replace([',', '/', ' '], "+")));
        fs::create_dir_all(&copies)
            .and_then(|()| fs::copy(&image, &copy))
            .map_err(Problem::io(format!("cannot write {}", copy.display())))?;
        Ok(copy)
    }
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
    build_binary(name)
}

/// Builds an executable of the examples' workspace and returns its ELF file.
pub(crate) fn build_binary(name: &str) -> Outcome<PathBuf> {
    let features = required_features(name);
    Image { directory: places::firmware(), name, features: &features, target: RP2040 }.build()
}

pub(crate) const HELP: &str = "\
Builds firmware, for the RP2040 or another microcontroller, and prints the path of its ELF file.

usage: cargo xtask firmware BIN [--in DIRECTORY] [--features LIST] [--target TARGET]

  BIN              an executable of the firmware workspace
  --in DIRECTORY   that workspace (default examples-rp2040)
  --features LIST  features to build it with; the file then has them in its name (default: those
                   that an example requires)
  --target TARGET  another microcontroller's (default thumbv6m-none-eabi)

examples:
  cargo xtask firmware timing_loop
  arm-none-eabi-size $(cargo xtask firmware timing_loop)
  cargo xtask firmware record --in tests/firmware --features lanes-2";

/// `cargo xtask firmware`: for scripts and tests.
pub(crate) fn firmware(mut arguments: Arguments) -> Outcome {
    let directory = arguments.value("--in")?.map_or_else(places::firmware, PathBuf::from);
    let features = arguments.value("--features")?;
    let target = arguments.value("--target")?.unwrap_or_else(|| RP2040.to_owned());
    let name = arguments.positional().ok_or_else(|| {
        Problem::new(format!("which one? There are the examples {}", examples().join(", ")))
    })?;
    arguments.finish("firmware")?;
    let features = features.unwrap_or_else(|| {
        if directory == places::firmware() { required_features(&name) } else { String::new() }
    });
    let image = Image { directory, name: &name, features: &features, target: &target };
    println!("{}", image.build()?.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{examples, required_features};

    /// An example that needs a feature would not be built if this failed.
    #[test]
    fn features_are_read_from_the_manifest() {
        assert_eq!(required_features("two_cores"), "two-cores");
        assert_eq!(required_features("timing_loop"), "");
        assert_eq!(required_features("usb_network"), "network");
        assert!(examples().iter().any(|name| name == "two_cores"));
    }
}
