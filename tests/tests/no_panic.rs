//! The core brings no panic into a linked image: probes that use all of it, for a Cortex-M0+, have no
//! function of `core::panicking`.
//!
//! The probes are `tests/firmware/src/bin/no_panic_*.rs`; `cargo xtask size` looks at those of sizes
//! in the same way. What a linker keeps of a panic depends on the optimiser, so the probes are
//! compiled as firmware usually is: for size, with link-time optimisation.

use std::path::PathBuf;
use std::process::Command;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind};

/// Probes with their features, and bytes of code that they have at least: a probe that the
/// optimiser emptied proves nothing.
const PROBES: [(&str, &str, u64); 4] = [
    ("no_panic_macros", "macros,wire", 5_000),
    ("no_panic_report", "macros,wire", 8_000),
    ("no_panic_text", "macros,wire", 20_000),
    ("no_panic_defmt", "defmt", 8_000),
];

/// What counts: two lanes, whose number the compiler does not know.
const BACKENDS: [&str; 1] = [",lanes-2"];

/// Builds a probe; returns its functions of `core::panicking` and its bytes of code.
fn probe(name: &str, features: &str) -> (Vec<String>, u64) {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    build.args(["xtask", "firmware", name, "--in", "tests/firmware", "--features", features]);
    let output = build.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} does not build with {features}:\n{said}");
    let image = PathBuf::from(String::from_utf8(output.stdout).expect("a path in UTF-8").trim());
    let bytes = std::fs::read(&image).expect("the image can be read");
    let file = object::File::parse(&*bytes).expect("the image is an ELF file");
    // `core` is the root of the path, so both ways to mangle names leave this as it is.
    let names = file.symbols().filter_map(|symbol| Some(symbol.name().ok()?.to_owned()));
    let panics = names.filter(|name| name.contains("4core9panicking")).collect();
    let code = file.sections().filter(|section| section.kind() == SectionKind::Text);
    (panics, code.map(|section| section.size()).sum())
}

/// If this fails, a firmware that uses the library carries panics, and may run into one.
#[test]
fn no_part_of_the_core_can_panic() {
    let mut wrong = Vec::new();
    for backend in BACKENDS {
        for (name, features, code_min) in PROBES {
            let (panics, code) = probe(name, &format!("{features}{backend}"));
            if !panics.is_empty() {
                wrong.push(format!("{name}{backend} can panic: {}", panics.join(", ")));
            }
            if code < code_min {
                wrong.push(format!("{name}{backend} has {code} bytes of code: what is missing?"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// If this fails, the check above finds nothing because it looks for the wrong thing.
#[test]
fn a_panic_is_found() {
    let (panics, _) = probe("panics", "macros,wire");
    assert!(panics.iter().any(|name| name.contains("panic_bounds_check")), "{panics:?}");
}
