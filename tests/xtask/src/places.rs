//! Where things are in the working tree.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the working tree.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf()
}

/// The workspace of the firmware examples.
pub(crate) fn firmware() -> PathBuf {
    root().join("examples-rp2040")
}

/// The workspace of the example for the RP2350.
pub(crate) fn rp2350() -> PathBuf {
    firmware().join("rp2350")
}

/// The workspace of the probes.
pub(crate) fn probes() -> PathBuf {
    root().join("tests").join("firmware")
}

/// The workspace of the probe for RISC-V, which takes other crates to start.
pub(crate) fn probe_riscv() -> PathBuf {
    root().join("tests").join("firmware-riscv")
}

/// The workspace of the benchmarks.
pub(crate) fn benches() -> PathBuf {
    root().join("tests").join("benches")
}

/// The emulator's Node.js package.
pub(crate) fn emulator() -> PathBuf {
    root().join("tests").join("emulator")
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root().join(directory),
        None => root().join("target"),
    }
}

/// The target directory of cross builds, which another compiler may write.
pub(crate) fn firmware_target() -> PathBuf {
    target().join("firmware")
}

/// The first executable called `name` on the search path.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// Whether this runs where nobody watches: nothing may ask, and lock files must be up to date.
pub(crate) fn unattended() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Cargo's `--locked`, where lock files must be up to date.
pub(crate) fn locked() -> &'static [&'static str] {
    if unattended() { &["--locked"] } else { &[] }
}
