//! What CI runs, step by step. A step that lacks a tool fails with the sentence that says how to get it.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::bench;
use crate::emulator;
use crate::fuzz;
use crate::instructions;
use crate::node;
use crate::packages;
use crate::page;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;
use crate::python;
use crate::rp2350;
use crate::test::Log;
use crate::toolchain::{self, RISCV, RP2040, RP2350, Toolchain, cargo};
use crate::tools;

/// One step: runs alone as well, in any order.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Whether its log holds closing lines of test programs; if not, the step counts as one test.
    pub(crate) counts_tests: bool,
    pub(crate) run: fn(&Log) -> Outcome,
}

pub(crate) const STEPS: &[Step] = &[
    check(
        "set-up",
        "clippy, rustfmt, a compiler for microcontrollers, the emulator, Python packages",
        set_up,
    ),
    check("fmt", "formatting of the workspace and of the firmware", fmt),
    check("clippy", "lints of the workspace, all targets, with all features and with none", clippy),
    check(
        "features",
        "each published crate with no feature, and with each feature alone",
        features,
    ),
    check("benches", "lints of the benchmarks, which are not run", benches),
    check("doc", "documentation without warnings", doc),
    check("packages", "what would be published of each crate", packed),
    tests("test", "unit, integration and documentation tests, all features", test),
    tests("models", "the sync layer with threads in every order, in loom", models),
    check("instructions", "instructions of what hosts do, and their limits", instructions),
    check("fuzz", "the fuzz targets under libFuzzer, for a while", fuzz_smoke),
    tests("backends", "the core's tests with atomics of the machine instead of lanes", backends),
    check(
        "targets",
        "the core crates for every kind of microcontroller, with few and many features",
        targets,
    ),
    check(
        "firmware",
        "firmware examples, that for the RP2350 too; lints of examples and probes",
        firmware,
    ),
    tests(
        "emulator",
        "the emulator's own tests; the examples run in it in step test",
        emulator_tests,
    ),
    check("demo", "the demo, with the emulated and with the simulated device", demo),
];

/// Kinds of microcontrollers that the core crates compile for: without and with compare-and-swap, and RISC-V.
const TARGETS: [&str; 5] =
    [RP2040, "thumbv7m-none-eabi", "thumbv7em-none-eabihf", RP2350, "riscv32imc-unknown-none-elf"];

/// The crates that run on microcontrollers, whatever the HAL.
const PORTABLE: [&str; 2] = ["tapes-core", "tapes-hooks"];

const fn check(name: &'static str, about: &'static str, run: fn(&Log) -> Outcome) -> Step {
    Step { name, about, counts_tests: false, run }
}

const fn tests(name: &'static str, about: &'static str, run: fn(&Log) -> Outcome) -> Step {
    Step { name, about, counts_tests: true, run }
}

/// The workspace's cargo with a subcommand.
fn workspace(subcommand: &str) -> Command {
    let mut command = cargo();
    command.current_dir(places::root()).arg(subcommand).args(places::locked());
    command
}

fn set_up(log: &Log) -> Outcome {
    for component in ["clippy", "rustfmt"] {
        component_there(component)?;
    }
    emulator::set_up()?;
    qemu_there()?;
    instructions::valgrind_there()?;
    fuzz::compiler_there()?;
    statsd_servers_there()?;
    scrapers_there()?;
    systemd_there()?;
    broker_there()?;
    tls_clients_there()?;
    page::set_up()?;
    python::set_up()?;
    tools::DEFMT_PRINT.set_up()?;
    log.note(&format!("firmware: {}", Toolchain::find(RP2040)?.describe()))
}

/// `cargo clippy` and `cargo fmt` come with rustup's default profile, but not with every other one.
fn component_there(component: &str) -> Outcome {
    let subcommand = if component == "rustfmt" { "fmt" } else { component };
    let there = || process::answer(cargo().args([subcommand, "--version"])).is_some();
    let mut add = Command::new("rustup");
    add.args(["component", "add", component]);
    if there() || (process::succeeds_within(&mut add, Duration::from_secs(90)) && there()) {
        return Ok(());
    }
    Err(Problem::new(format!("{component} is missing; run: rustup component add {component}")))
}

fn fmt(log: &Log) -> Outcome {
    component_there("rustfmt")?;
    log.run(cargo().current_dir(places::root()).args(["fmt", "--all", "--check"]))?;
    let instructions = places::root().join("tests").join("instructions");
    let template = places::firmware().join("template");
    let firmware = [places::firmware(), places::probes(), places::probe_riscv(), template];
    log.run(cargo().current_dir(places::rp2350()).args(["fmt", "--check"]))?;
    for workspace in firmware.into_iter().chain([places::benches(), instructions]) {
        log.run(cargo().current_dir(workspace).args(["fmt", "--check"]))?;
    }
    Ok(())
}

fn clippy(log: &Log) -> Outcome {
    component_there("clippy")?;
    for features in ["--all-features", "--no-default-features"] {
        let mut clippy = workspace("clippy");
        log.run(clippy.args(["--workspace", "--all-targets", features, "--", "-Dwarnings"]))?;
    }
    Ok(())
}

fn features(log: &Log) -> Outcome {
    component_there("clippy")?;
    for package in packages::published()? {
        for feature in [""].into_iter().chain(package.features.iter().map(String::as_str)) {
            let mut clippy = workspace("clippy");
            clippy.args(["--package", &package.name, "--lib", "--bins"]);
            log.run(clippy.args([
                "--no-default-features",
                "--features",
                feature,
                "--",
                "-Dwarnings",
            ]))?;
        }
    }
    Ok(())
}

fn benches(log: &Log) -> Outcome {
    component_there("clippy")?;
    log.run(bench::benches("clippy").args(["--workspace", "--", "-Dwarnings"]))
}

fn instructions(log: &Log) -> Outcome {
    instructions::valgrind_there()?;
    let program = env::current_exe().map_err(Problem::io("cannot find this program"))?;
    log.run(Command::new(&program).arg("instructions"))
}

fn fuzz_smoke(log: &Log) -> Outcome {
    let program = env::current_exe().map_err(Problem::io("cannot find this program"))?;
    let options = ["--runs", "50000", "--seed", "1", "--seconds", "60"];
    log.run(Command::new(&program).arg("fuzz").args(options))
}

fn doc(log: &Log) -> Outcome {
    let mut doc = workspace("doc");
    doc.env("RUSTDOCFLAGS", "-Dwarnings");
    log.run(doc.args(["--workspace", "--no-deps", "--all-features"]))
}

/// Whether each published crate can be packed, without a warning. Compiling them is the other steps' work.
fn packed(log: &Log) -> Outcome {
    let mut package = workspace("package");
    package.args(["--no-verify", "--allow-dirty"]);
    for published in packages::published()? {
        package.args(["--package", &published.name]);
    }
    log.run(&mut package)?;
    let text = log.text();
    // Whatever is said of the network is about this machine.
    if text.lines().any(|line| line.starts_with("warning:") && !line.contains("network")) {
        return Err(Problem::new("cargo package warns; see the log"));
    }
    Ok(())
}

fn test(log: &Log) -> Outcome {
    python::set_up()?;
    tools::DEFMT_PRINT.set_up()?;
    qemu_there()?;
    statsd_servers_there()?;
    scrapers_there()?;
    systemd_there()?;
    broker_there()?;
    tls_clients_there()?;
    page::set_up()?;
    log.run(workspace("test").args(["--workspace", "--all-features", "--no-fail-fast"]))
}

/// The probes of microcontrollers other than the RP2040 run in QEMU.
fn qemu_there() -> Outcome {
    let programs = ["qemu-system-arm", "qemu-system-riscv32"];
    let there = || programs.iter().all(|program| places::on_path(program).is_some());
    let packages = ["qemu-system-arm", "qemu-system-misc"];
    if there() || (toolchain::install_if_root(&packages) && there()) {
        return Ok(());
    }
    Err(Problem::new(
        "QEMU is missing; on Debian: sudo apt-get install qemu-system-arm qemu-system-misc",
    ))
}

/// Real servers say what they have added up of reports; the tests start them.
fn statsd_servers_there() -> Outcome {
    node::set_up("tests/foreign/statsd")?;
    for (program, package) in [("collectd", "collectd-core"), ("netdata", "netdata-core")] {
        // Where only root's search path leads.
        let there =
            || places::on_path(program).is_some() || Path::new("/usr/sbin").join(program).is_file();
        if !(there() || (toolchain::install_if_root(&[package]) && there())) {
            return Err(Problem::new(format!(
                "{program} is missing; on Debian: sudo apt-get install --no-install-recommends \
                 {package}"
            )));
        }
    }
    Ok(())
}

/// What judges the gateway's unit; nothing of it runs.
fn systemd_there() -> Outcome {
    let there = || places::on_path("systemd-analyze").is_some();
    if there() || (toolchain::install_if_root(&["systemd"]) && there()) {
        return Ok(());
    }
    Err(Problem::new("systemd-analyze is missing; on Debian: sudo apt-get install systemd"))
}

/// A broker of MQTT, and clients that are not ours.
fn broker_there() -> Outcome {
    let programs = ["mosquitto", "mosquitto_pub", "mosquitto_sub"];
    // Where only root's search path leads.
    let is_there = |program: &str| {
        places::on_path(program).is_some() || Path::new("/usr/sbin").join(program).is_file()
    };
    let there = || programs.into_iter().all(is_there);
    let packages = ["mosquitto", "mosquitto-clients"];
    if there() || (toolchain::install_if_root(&packages) && there()) {
        return Ok(());
    }
    Err(Problem::new(
        "mosquitto is missing; on Debian: sudo apt-get install --no-install-recommends mosquitto \
         mosquitto-clients",
    ))
}

/// Clients of TLS that are not ours.
fn tls_clients_there() -> Outcome {
    let there = || ["openssl", "curl"].iter().all(|program| places::on_path(program).is_some());
    if there() || (toolchain::install_if_root(&["openssl", "curl"]) && there()) {
        return Ok(());
    }
    Err(Problem::new("openssl or curl is missing; on Debian: sudo apt-get install openssl curl"))
}

/// The servers that scrape what is served, and judge it.
fn scrapers_there() -> Outcome {
    let programs = ["prometheus", "promtool", "victoria-metrics"];
    let there = || programs.iter().all(|program| places::on_path(program).is_some());
    let packages = ["prometheus", "victoria-metrics"];
    if there() || (toolchain::install_if_root(&packages) && there()) {
        return Ok(());
    }
    Err(Problem::new(
        "Prometheus or VictoriaMetrics is missing; on Debian: sudo apt-get install \
         --no-install-recommends prometheus victoria-metrics",
    ))
}

fn models(log: &Log) -> Outcome {
    let mut test = workspace("test");
    // A target directory of its own, since the flag makes everything be built again.
    test.env("RUSTFLAGS", "--cfg loom").arg("--target-dir").arg(places::target().join("loom"));
    test.args(["--release", "--package", "tapes-core", "--package", "tapes-hooks", "--lib"]);
    log.run(test.arg("loom_"))
}

/// `--all-features` chooses the largest `lanes-N`; this is the other way to count on a host.
fn backends(log: &Log) -> Outcome {
    let packages = packages::published()?;
    for package in packages.iter().filter(|package| package.name == "tapes-core") {
        let features = package.features_if(|feature| !feature.starts_with("lanes-"));
        let mut test = workspace("test");
        log.run(test.args([
            "--package",
            &package.name,
            "--features",
            &features,
            "--no-fail-fast",
        ]))?;
    }
    Ok(())
}

fn targets(log: &Log) -> Outcome {
    let packages = packages::published()?;
    for target in TARGETS {
        let toolchain = Toolchain::find(target)?;
        for package in packages.iter().filter(|package| PORTABLE.contains(&&*package.name)) {
            for features in [String::new(), package.features_if(|feature| feature != "std")] {
                let mut check = toolchain.cargo("check", &places::root());
                check.args(["--package", &package.name, "--no-default-features"]);
                log.run(check.args(["--features", &features]))?;
            }
        }
    }
    no_warnings(log)
}

/// For builds by a compiler that may have no clippy to deny them.
fn no_warnings(log: &Log) -> Outcome {
    if log.text().lines().any(|line| line.starts_with("warning: ")) {
        return Err(Problem::new("it compiles with warnings"));
    }
    Ok(())
}

fn firmware(log: &Log) -> Outcome {
    let toolchain = Toolchain::find(RP2040)?;
    log.run(toolchain.cargo("build", &places::firmware()).args(["--release", "--bins"]))?;
    rp2350::build(log)?;
    no_warnings(log)?;
    if toolchain.has_clippy() {
        let workspaces = [
            (RP2040, places::firmware()),
            (RP2040, places::probes()),
            (RISCV, places::probe_riscv()),
        ];
        for (target, workspace) in workspaces {
            let mut clippy = Toolchain::find(target)?.cargo("clippy", &workspace);
            // Every feature, so that the executables are there that require one.
            let all = ["--release", "--bins", "--all-features", "--", "-Dwarnings"];
            log.run(clippy.args(all))?;
        }
        return Ok(());
    }
    log.note("no clippy for this compiler: the compiler's own warnings were looked at instead")?;
    no_warnings(log)
}

fn emulator_tests(log: &Log) -> Outcome {
    emulator::set_up()?;
    let mut own = Command::new("node");
    own.current_dir(places::emulator()).args(["--test", "--test-reporter=tap", "test/"]);
    log.run(&mut own)
}

fn demo(log: &Log) -> Outcome {
    let program = env::current_exe().map_err(Problem::io("cannot find this program"))?;
    // As step `test` has built it already.
    let all = ["--workspace", "--all-features", "--bin", "tapes"];
    log.run(workspace("build").args(all))?;
    let tapes = places::target().join("debug").join("tapes");
    for device in ["emulated", "simulated"] {
        let before = log.text().len();
        let mut demo = Command::new(&program);
        demo.args(["demo", "--device", device, "--seconds", "3", "--http", "127.0.0.1:0"]);
        log.run(demo.arg("--binary").arg(&tapes))?;
        if !log.text()[before..].contains("motor.loops ") {
            return Err(Problem::new(format!("the {device} device's metrics did not arrive")));
        }
    }
    Ok(())
}
