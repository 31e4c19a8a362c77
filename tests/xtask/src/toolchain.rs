//! Finds a way to compile for microcontrollers.
//!
//! Either the active toolchain has the target (rustup can add it), or Debian's packages of a recent compiler with
//! the source of its library serve: then Debian's own cargo builds `core` as well. rustup stays as it is.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;

/// The target of the RP2040.
pub(crate) const RP2040: &str = "thumbv6m-none-eabi";
/// The target of the RP2350, with floating-point registers.
pub(crate) const RP2350: &str = "thumbv8m.main-none-eabihf";
/// The target of the probe for RISC-V, with atomics.
pub(crate) const RISCV: &str = "riscv32imac-unknown-none-elf";

/// What Debian calls a recent compiler, its cargo, the source of its library, its clippy, and a linker.
const PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", CLIPPY, "lld-22"];
const CLIPPY: &str = "rust-web-clippy";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_CLIPPY: &str = "/usr/bin/cargo-clippy";
const DEBIAN_LIBRARY: &str = "/usr/lib/rustlib/src/rust/library/core";
const LINKERS: [&str; 3] = ["rust-lld", "ld.lld-22", "ld.lld"];
/// What `cargo run` sets for this program, and another cargo must not see.
const FROM_OUTER_CARGO: [&str; 4] =
    ["CARGO", "CARGO_ENCODED_RUSTFLAGS", "CARGO_MANIFEST_DIR", "LD_LIBRARY_PATH"];
/// `rustup target add` takes seconds, or waits for a network that is not there.
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

/// A way to compile for one target.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    target: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// The active toolchain has the target's library.
    Active,
    /// Debian's compiler and cargo, with the library built from source.
    Debian { linker: PathBuf },
}

impl Toolchain {
    /// Finds a toolchain for `target`, adding or installing what is missing where that is possible.
    pub(crate) fn find(target: &str) -> Outcome<Self> {
        let made = |kind| Self { target: target.to_owned(), kind };
        if active_has(target) {
            return Ok(made(Kind::Active));
        }
        if let Some(kind) = debian() {
            return Ok(made(kind));
        }
        if rustup_adds(target) && active_has(target) {
            return Ok(made(Kind::Active));
        }
        install_compiler(target)?;
        debian().map(made).ok_or_else(|| {
            Problem::new(format!(
                "{} are installed but do not serve; {}",
                PACKAGES.join(" "),
                advice(target)
            ))
        })
    }

    /// One line for the person who wonders which compiler it was.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::Active => format!("the active toolchain's {}", self.target),
            Kind::Debian { .. } => {
                format!("{DEBIAN_CARGO} with core built from source for {}", self.target)
            }
        }
    }

    /// Whether `cargo clippy` exists in this toolchain, or could be installed.
    pub(crate) fn has_clippy(&self) -> bool {
        match self.kind {
            Kind::Active => process::answer(cargo().args(["clippy", "--version"])).is_some(),
            Kind::Debian { .. } => {
                Path::new(DEBIAN_CLIPPY).exists()
                    || (is_root()
                        && install(&[CLIPPY]).is_ok()
                        && Path::new(DEBIAN_CLIPPY).exists())
            }
        }
    }

    /// `cargo SUBCOMMAND` for the target, in `directory`; further arguments are the caller's.
    pub(crate) fn cargo(&self, subcommand: &str, directory: &Path) -> Command {
        let mut command = match &self.kind {
            Kind::Active => cargo(),
            Kind::Debian { linker } => self.debian_cargo(linker),
        };
        command.current_dir(directory).env("CARGO_TARGET_DIR", places::firmware_target());
        command.arg(subcommand);
        if self.kind != Kind::Active {
            command.arg("-Zbuild-std=core");
        }
        command.args(["--target", &self.target]).args(places::locked());
        command
    }

    /// Debian's cargo, out of reach of rustup's proxies and of what the outer cargo has put into the environment.
    fn debian_cargo(&self, linker: &Path) -> Command {
        let mut command = Command::new(DEBIAN_CARGO);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let inherited = text.starts_with("RUST") || text.starts_with("CARGO_PKG_");
            if inherited || FROM_OUTER_CARGO.contains(&&*text) {
                command.env_remove(&name);
            }
        }
        let variable =
            format!("CARGO_TARGET_{}_LINKER", self.target.to_uppercase().replace(['-', '.'], "_"));
        command
            .env("PATH", path_with_first("/usr/bin"))
            .env("RUSTC", DEBIAN_RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env(variable, linker);
        command
    }

    /// Where the executable of a release build is.
    pub(crate) fn artifact(&self, name: &str) -> PathBuf {
        places::firmware_target().join(&self.target).join("release").join(name)
    }
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The name of the machine this runs on, as compilers call it.
pub(crate) fn host() -> Outcome<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = process::answer(Command::new(rustc).arg("-vV")).unwrap_or_default();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Problem::new("rustc -vV does not say the host"))
}

fn path_with_first(directory: &str) -> std::ffi::OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(PathBuf::from(directory)).chain(env::split_paths(&path));
    env::join_paths(all).unwrap_or(path)
}

/// Whether the active toolchain has the target, now that rustup was asked for it.
pub(crate) fn active_gets(target: &str) -> bool {
    active_has(target) || (rustup_adds(target) && active_has(target))
}

fn active_has(target: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let Some(sysroot) = process::answer(Command::new(rustc).args(["--print", "sysroot"])) else {
        return false;
    };
    let library = Path::new(&sysroot).join("lib/rustlib").join(target).join("lib");
    let is_core = |name: &OsStr| name.to_string_lossy().starts_with("libcore-");
    library
        .read_dir()
        .is_ok_and(|mut files| files.any(|file| file.is_ok_and(|file| is_core(&file.file_name()))))
}

fn debian() -> Option<Kind> {
    let version = process::answer(Command::new(DEBIAN_RUSTC).arg("--version"))?;
    let recent = minor(&version)? >= minor(concat!("rustc ", env!("CARGO_PKG_RUST_VERSION")))?;
    let complete = recent && Path::new(DEBIAN_CARGO).exists() && Path::new(DEBIAN_LIBRARY).exists();
    let linker = LINKERS.iter().find_map(|name| places::on_path(name))?;
    complete.then_some(Kind::Debian { linker })
}

/// The 96 of `rustc 1.96.0 (…)`.
fn minor(version: &str) -> Option<u32> {
    version.split_whitespace().nth(1)?.split('.').nth(1)?.parse().ok()
}

fn rustup_adds(target: &str) -> bool {
    if places::on_path("rustup").is_none() {
        return false;
    }
    eprintln!("adding the target {target} with rustup …");
    process::succeeds_within(Command::new("rustup").args(["target", "add", target]), RUSTUP_LIMIT)
}

/// Installs what a recent compiler takes, or says how to.
fn install_compiler(target: &str) -> Outcome {
    if !is_root() || places::on_path("apt-get").is_none() {
        return Err(Problem::new(format!("no compiler for {target}; {}", advice(target))));
    }
    install(&PACKAGES).map_err(|problem| Problem::new(format!("{problem}; {}", advice(target))))
}

fn is_root() -> bool {
    process::answer(Command::new("id").arg("-u")).as_deref() == Some("0")
}

/// Installs Debian's packages if this is root on Debian; tells whether it did.
pub(crate) fn install_if_root(packages: &[&str]) -> bool {
    is_root() && places::on_path("apt-get").is_some() && install(packages).is_ok()
}

/// Installs Debian's packages, never at the price of removing one.
fn install(packages: &[&str]) -> Outcome {
    eprintln!("installing {} (up to 2 minutes) …", packages.join(" "));
    process::run(apt_get().arg("update"))?;
    let options = ["install", "--yes", "--no-remove", "--no-install-recommends"];
    process::run(apt_get().args(options).args(packages))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    let quiet = ["-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"];
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(std::process::Stdio::null()).args(quiet);
    command
}

fn advice(target: &str) -> String {
    format!(
        "run `rustup target add {target}`, or on Debian `sudo apt-get install {}`",
        PACKAGES.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::minor;

    /// An old compiler of Debian would be taken for a recent one if this failed.
    #[test]
    fn versions_are_read() {
        assert_eq!(
            minor("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"),
            Some(96)
        );
        assert_eq!(minor("rustc 1.95"), Some(95));
        assert_eq!(minor("rustc"), None);
        assert_eq!(minor(concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"))), Some(95));
    }
}
