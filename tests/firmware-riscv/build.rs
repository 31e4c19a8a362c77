//! Tells the linker where `memory.x` is, and which scripts to use.

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    println!("cargo:rustc-link-search={here}");
    println!("cargo:rerun-if-changed=memory.x");
    // Here, and not in rustflags, which a RUSTFLAGS in the environment would replace.
    for script in ["memory.x", "link.x"] {
        println!("cargo:rustc-link-arg-bins=-T{script}");
    }
}
