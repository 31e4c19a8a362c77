//! Puts the memory layout of the board where the linker looks for it.

use std::env;
use std::fs;
use std::path::PathBuf;

/// The board that the probes run on: an RP2040, or the one that QEMU has for the target.
fn board() -> &'static str {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    match target.split('-').next() {
        _ if env::var_os("CARGO_FEATURE_QEMU").is_none() => "rp2040",
        Some("thumbv6m") => "microbit",
        Some("thumbv7m" | "thumbv7em") => "mps2-an385",
        Some("thumbv8m.main") => "mps2-an505",
        _ => panic!("no board of QEMU is known for {target}"),
    }
}

fn main() {
    let layout = format!("memory/{}.x", board());
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::copy(&layout, out.join("memory.x")).expect("the layout can be copied");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-changed=memory");
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
    }
}
