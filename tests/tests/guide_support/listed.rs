//! Commands that the tests of the documentation do not run themselves, each with what runs it, or why nothing does.

/// Who runs a command, or why nobody does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    /// This file, which `cargo xtask test` leads to, in these words.
    Ci(&'static str, &'static str),
    /// Nobody: it needs a thing that can be touched, and why.
    Hardware(&'static str),
    /// Nobody: it changes the system that it runs on, and why.
    Root(&'static str),
    /// Nobody: it asks somebody who may not answer.
    Network(&'static str),
    /// Nobody in CI, since it takes minutes or more; this file, in these words, runs a part of it.
    Long(&'static str, &'static str),
}

use By::{Ci, Hardware, Long, Network, Root};

const STEPS: &str = "tests/xtask/src/steps.rs";

/// Every command that is not run where it is found.
pub(crate) const LISTED: [(&str, By); 49] = [
    ("cargo xtask demo", Ci(STEPS, r#"demo.args(["demo", "--device""#)),
    (
        "cargo xtask demo --seconds 20 --http 127.0.0.1:0",
        Ci(STEPS, r#"device, "--seconds", "3", "--http", "127.0.0.1:0""#),
    ),
    (
        "cargo xtask demo --device simulated",
        Ci(STEPS, r#"for device in ["emulated", "simulated"]"#),
    ),
    ("cargo xtask test", Ci(".ci/run", "exec cargo xtask test")),
    ("cargo xtask test --step models", Ci(".ci/run", "exec cargo xtask test")),
    ("cargo xtask test --step fmt --step clippy", Ci(".ci/run", "exec cargo xtask test")),
    ("cargo xtask test --fail-fast", Ci(".ci/run", "exec cargo xtask test")),
    ("cargo test -p tapes-core --lib model", Ci(STEPS, r#"workspace("test").args(["--workspace""#)),
    ("cargo doc --open", Ci(STEPS, r#"workspace("doc")"#)),
    ("npm ci", Ci("tests/xtask/src/node.rs", "\"ci\"")),
    ("cargo xtask fuzz --seconds 60", Ci(STEPS, r#".arg("fuzz")"#)),
    ("cargo xtask fuzz --target fleet --runs 50000000", Ci(STEPS, r#"["--runs", "50000""#)),
    ("cargo xtask instructions", Ci(STEPS, r#".arg("instructions")"#)),
    ("cargo xtask size", Ci("tests/tests/footprint.rs", r#"xtask(&["size"])"#)),
    ("cargo xtask cycles", Ci("tests/tests/sync_cycles.rs", r#"xtask(&["cycles"])"#)),
    ("cargo xtask overhead", Ci("tests/tests/overhead.rs", r#"xtask(&["overhead"])"#)),
    (
        "cargo xtask firmware record --in tests/firmware --features lanes-2",
        Ci("tests/tests/no_panic.rs", r#"["xtask", "firmware", name, "--in", "tests/firmware""#),
    ),
    ("cargo xtask dist", Ci("tests/tests/package.rs", r#"["--", "dist", "--binary"]"#)),
    ("systemd-analyze security", Ci("tests/tests/gateway_service.rs", "\"security\"")),
    (
        "sudo apt install ./target/dist/tapes_*.deb",
        Root("it installs a service; package.rs has dpkg install the same below a directory"),
    ),
    (
        "sudo cp tapes /usr/bin/ && sudo cp tapes.service /etc/systemd/system/",
        Root("it installs a service; package.rs starts what its unit says"),
    ),
    (
        "sudo mkdir -p /etc/tapes && echo 'OPTIONS=--serial /dev/ttyACM0' | sudo tee /etc/tapes/options",
        Root("it configures the system's service"),
    ),
    ("sudo systemctl enable --now tapes", Root("it starts the system's service")),
    (
        "tapes check /etc/tapes/tapes.toml && systemctl reload tapes",
        Root("it needs a running service; the first half runs in gateway.md"),
    ),
    ("tapes man | man -l -", Ci("tests/tests/manners.rs", r#"printed(&["man"])"#)),
    (
        "systemctl reload tapes",
        Root("it needs a running service; gateway_service.rs sends the signal"),
    ),
    ("journalctl -u tapes -p warning", Root("it needs a journal with the service in it")),
    ("sudo usermod -aG dialout $USER", Root("it changes who belongs to a group")),
    ("sudo ip address add 192.168.7.2/24 dev usb0", Root("it configures a network interface")),
    (
        "curl http://192.168.7.1/metrics",
        Hardware("a board on a network; examples.rs fetches it in the emulator"),
    ),
    ("ls /dev/serial/by-id", Hardware("a board on USB")),
    ("picocom -b 115200 /dev/ttyUSB0", Hardware("a board at a serial port")),
    ("probe-rs run --chip RP2040 $(cargo xtask firmware timing_loop)", Hardware("a debug probe")),
    ("probe-rs run --chip RP2040 $(cargo xtask firmware defmt_rtt)", Hardware("a debug probe")),
    ("picotool load -x -t elf $(cargo xtask firmware timing_loop)", Hardware("a board on USB")),
    (
        "picotool uf2 convert -t elf $(cargo xtask firmware timing_loop) timing_loop.uf2",
        Hardware("a program that comes with the board's tools"),
    ),
    (
        "arm-none-eabi-size $(cargo xtask firmware timing_loop)",
        Hardware("a program that comes with tools for microcontrollers"),
    ),
    (
        "cargo run --release",
        Hardware("a debug probe; template.rs builds it and runs it in the emulator"),
    ),
    ("rustup target add thumbv6m-none-eabi", Network("rustup's server")),
    ("cargo build --release", Network("the target that rustup's server has")),
    (
        "cargo install --path std-adapters --features cli",
        Long("tests/src/programs.rs", r#""--bin", "tapes""#),
    ),
    ("cargo xtask bench", Long(STEPS, r#"bench::benches("clippy")"#)),
    ("cargo xtask bench --quick", Long(STEPS, r#"bench::benches("clippy")"#)),
    ("cargo xtask bench ingest memory", Long(STEPS, r#"bench::benches("clippy")"#)),
    ("cargo xtask faults", Long("tests/tests/fleet_faults.rs", "#[test]")),
    ("cargo xtask faults --runs 1 --seed 4711", Long("tests/tests/fleet_faults.rs", "#[test]")),
    ("cargo xtask soak", Long("tests/tests/soak.rs", "#[test]")),
    ("cargo xtask soak --minutes 5 --devices 200", Long("tests/tests/soak.rs", "#[test]")),
    ("cargo xtask screenshots --device simulated", Long("tests/tests/page.rs", "#[test]")),
];

/// Examples of the crates: `cargo run --example NAME`.
pub(crate) const EXAMPLES: [&str; 2] =
    ["std-adapters/tests/examples.rs", "tests/tests/http_examples.rs"];
