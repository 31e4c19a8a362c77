//! `cargo xtask dist`: the command as one file, and as a package for Debian.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arguments::Arguments;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::toolchain::{self, cargo};

pub(crate) const HELP: &str = "\
Makes target/dist/tapes-VERSION-TARGET, the command with everything in one static file, and a package for Debian
with it, its manual, completions, and the unit of systemd. Static is the file with Rust's musl target, which rustup
adds if it can, and musl-gcc; without them it needs the C library of this machine or a newer one, and this says so.

usage: cargo xtask dist [--binary FILE] [--output DIR]

  --binary FILE   package this file instead of building one
  --output DIR    instead of target/dist

examples:
  cargo xtask dist
  sudo apt install ./target/dist/tapes_*.deb";

/// Who makes the static file.
const MUSL_GCC: &str = "musl-gcc";

/// What the service is started with until somebody says otherwise.
const OPTIONS: &str = "\
# Options of the gateway that systemd starts; `tapes gateway --help` has all of them.
# A board on USB, for instance:
# OPTIONS=--serial /dev/serial/by-id/usb-Raspberry_Pi_Pico_E661-if00
OPTIONS=--listen 127.0.0.1:7070
";

/// Nothing is to be told to systemd where it does not run, and when a directory is made up.
const SYSTEMD_RUNS: &str = "[ -z \"$DPKG_ROOT\" ] && [ -d /run/systemd/system ]";

pub(crate) fn dist(mut arguments: Arguments) -> Outcome {
    let binary = arguments.value("--binary")?.map(PathBuf::from);
    let output = arguments.value("--output")?.map(PathBuf::from);
    arguments.finish("dist")?;
    let output = output.unwrap_or_else(|| places::target().join("dist"));
    make_directory(&output)?;
    let built = match binary {
        Some(file) => file,
        None => build(&output)?,
    };
    let package = package(&built, &output)?;
    eprintln!("a package for Debian: {}", package.display());
    Ok(())
}

/// Builds the command, static if that is possible, and returns where it is.
fn build(output: &Path) -> Outcome<PathBuf> {
    let musl = format!("{ARCH}-unknown-linux-musl");
    let target = match static_possible(&musl) {
        Ok(()) => musl,
        Err(problem) => {
            eprintln!("no static file ({problem}); it will need the C library of this machine");
            format!("{ARCH}-unknown-linux-gnu")
        }
    };
    let mut build = cargo();
    build.current_dir(places::root()).args(["build", "--release", "--locked"]);
    build.args(["--package", "tapes-std", "--features", "cli", "--bin", "tapes"]);
    build.args(["--target", &target]).env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    if target.ends_with("musl") {
        // What is written in C, of TLS, must be of the same library.
        build.env(format!("CC_{}", target.replace('-', "_")), MUSL_GCC);
    }
    process::run(&mut build)?;
    let built = places::target().join(&target).join("release").join("tapes");
    let named = output.join(format!("tapes-{}-{target}", version()));
    copy(&built, &named, 0o755)?;
    eprintln!("one file: {}", named.display());
    Ok(named)
}

fn static_possible(musl: &str) -> Outcome {
    if !toolchain::active_gets(musl) {
        return Err(Problem::new(format!(
            "no Rust library for {musl}; run: rustup target add {musl}"
        )));
    }
    let there = || places::on_path(MUSL_GCC).is_some();
    if there() || (toolchain::install_if_root(&["musl-tools"]) && there()) {
        return Ok(());
    }
    Err(Problem::new(format!("{MUSL_GCC} is missing; on Debian: sudo apt-get install musl-tools")))
}

const fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Debian's name of this machine's processor.
fn architecture() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "armhf",
        other => other,
    }
}

/// Lays out the files of the package, and packs them.
fn package(binary: &Path, output: &Path) -> Outcome<PathBuf> {
    let name = format!("tapes_{}_{}", version(), architecture());
    let tree = output.join(&name);
    if tree.exists() {
        fs::remove_dir_all(&tree)
            .map_err(Problem::io(format!("cannot clear {}", tree.display())))?;
    }
    let installed = tree.join("usr/bin/tapes");
    copy(binary, &installed, 0o755)?;
    process::run(Command::new("strip").arg(&installed))?;
    let root = places::root();
    let unit = "std-adapters/systemd/tapes.service";
    copy(&root.join(unit), &tree.join("usr/lib/systemd/system/tapes.service"), 0o644)?;
    write(&tree.join("etc/tapes/options"), OPTIONS, 0o644)?;
    let documents = tree.join("usr/share/doc/tapes");
    copy(&root.join("LICENSE-MIT"), &documents.join("copyright"), 0o644)?;
    copy(&root.join("std-adapters/CHANGELOG.md"), &documents.join("changelog"), 0o644)?;
    for file in ["dashboard.json", "rules.yml"] {
        let from = root.join("std-adapters/docs/monitoring").join(file);
        copy(&from, &documents.join("examples").join(file), 0o644)?;
    }
    manual_and_completions(&installed, &tree)?;
    control(&tree, &needed(&installed)?)?;
    let package = output.join(format!("{name}.deb"));
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "-Zgzip", "--build"]).arg(&tree).arg(&package);
    process::run(&mut pack)?;
    Ok(package)
}

/// The command writes its own.
fn manual_and_completions(tapes: &Path, tree: &Path) -> Outcome {
    let manual = tree.join("usr/share/man/man1");
    make_directory(&manual)?;
    process::run(Command::new(tapes).arg("man").arg("--directory").arg(&manual))?;
    for (shell, file) in [
        ("bash", "bash-completion/completions/tapes"),
        ("zsh", "zsh/vendor-completions/_tapes"),
        ("fish", "fish/vendor_completions.d/tapes.fish"),
    ] {
        let script = process::answer(Command::new(tapes).args(["completions", shell]));
        let script = script.ok_or_else(|| Problem::new(format!("no completions for {shell}")))?;
        write(&tree.join("usr/share").join(file), &format!("{script}\n"), 0o644)?;
    }
    Ok(())
}

/// The line of dpkg's that names what a program needs; nothing for a static one.
fn needed(program: &Path) -> Outcome<String> {
    let bytes = fs::read(program);
    let bytes = bytes.map_err(Problem::io(format!("cannot read {}", program.display())))?;
    let libraries = glibc(&bytes).map(|minor| {
        let unwinder = if contains(&bytes, b"libgcc_s.so.1") { ", libgcc-s1" } else { "" };
        format!("Depends: libc6 (>= 2.{minor}){unwinder}\n")
    });
    Ok(libraries.unwrap_or_default())
}

/// The 34 of the newest `GLIBC_2.34` among the versions that a program asks for.
fn glibc(program: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"GLIBC_2.";
    let at = program.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    let minor = |(at, _): (usize, &[u8])| {
        let digits = program.get(at + NAME.len()..)?.iter().take_while(|c| c.is_ascii_digit());
        String::from_utf8(digits.copied().collect()).ok()?.parse().ok()
    };
    at.filter_map(minor).max()
}

fn contains(program: &[u8], text: &[u8]) -> bool {
    program.windows(text.len()).any(|window| window == text)
}

/// What dpkg wants to know, and is to do.
fn control(tree: &Path, needed: &str) -> Outcome {
    let (version, architecture) = (version(), architecture());
    let control = format!(
        "Package: tapes\nVersion: {version}\nArchitecture: {architecture}\n\
         Maintainer: The tapes developers <tapes@localhost>\nSection: utils\nPriority: optional\n\
         {needed}\
         Description: metrics of microcontrollers, for Prometheus and people\n \
         A gateway that receives the metrics of devices over serial ports and TCP, keeps\n \
         exact totals, and shows them to Prometheus, StatsD, OTLP, browsers and terminals.\n \
         The service listens on loopback only, until /etc/tapes/options says otherwise.\n"
    );
    let folder = tree.join("DEBIAN");
    write(&folder.join("control"), &control, 0o644)?;
    write(&folder.join("conffiles"), "/etc/tapes/options\n", 0o644)?;
    for (script, does) in [
        (
            "postinst",
            "[ \"$1\" = configure ] || exit 0\nsystemctl daemon-reload\n\
             systemctl enable tapes.service\nsystemctl restart tapes.service || true",
        ),
        ("prerm", "[ \"$1\" = remove ] || exit 0\nsystemctl disable --now tapes.service || true"),
        ("postrm", "systemctl daemon-reload"),
    ] {
        let text = format!("#!/bin/sh\nset -e\n{{ {SYSTEMD_RUNS}; }} || exit 0\n{does}\n");
        write(&folder.join(script), &text, 0o755)?;
    }
    Ok(())
}

fn make_directory(directory: &Path) -> Outcome {
    let cannot = || format!("cannot make {}", directory.display());
    fs::create_dir_all(directory).map_err(Problem::io(cannot()))
}

fn copy(from: &Path, to: &Path, mode: u32) -> Outcome {
    to.parent().map_or(Ok(()), make_directory)?;
    let cannot = || format!("cannot copy {} to {}", from.display(), to.display());
    fs::copy(from, to).map_err(Problem::io(cannot()))?;
    set_mode(to, mode)
}

fn write(to: &Path, text: &str, mode: u32) -> Outcome {
    to.parent().map_or(Ok(()), make_directory)?;
    fs::write(to, text).map_err(Problem::io(format!("cannot write {}", to.display())))?;
    set_mode(to, mode)
}

#[cfg(unix)]
fn set_mode(file: &Path, mode: u32) -> Outcome {
    use std::os::unix::fs::PermissionsExt as _;
    let set = fs::set_permissions(file, fs::Permissions::from_mode(mode));
    set.map_err(Problem::io(format!("cannot set the mode of {}", file.display())))
}

/// Packages are made on Debian.
#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> Outcome {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{contains, glibc};

    /// The package would be installed where the command does not start if this failed.
    #[test]
    fn what_is_needed_is_read_from_the_program() {
        let program =
            b"\0GLIBC_2.4\0GLIBC_2.34\0GLIBC_2.28\0GLIBC_PRIVATE\0libgcc_s.so.1\0GLIBC_2.";
        assert_eq!(glibc(program), Some(34));
        assert!(contains(program, b"libgcc_s.so.1"));
        assert_eq!(glibc(b"a static program"), None);
    }
}
