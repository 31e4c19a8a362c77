//! The package for Debian: built, installed below a directory, started, and removed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use gateway_support::{Gateway, tapes};
use tapes_tests::servers::Scratch;

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

/// Debian's installer, for a system that is nothing but a directory.
fn dpkg(system: &Path, action: &str, package: &Path) {
    let mut dpkg = Command::new("dpkg");
    let path = std::env::var("PATH").unwrap();
    dpkg.env("PATH", format!("{path}:/usr/sbin:/sbin")).arg("--root").arg(system);
    dpkg.args(["--force-script-chrootless", "--force-not-root", "--force-depends"]);
    done(dpkg.args(["--log", "/dev/null", action]).arg(package));
}

/// The value of a line `name=value` of a unit or of its options.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

/// If this fails, whoever installs the package has a gateway that does not start, or that stays.
#[test]
fn the_package_installs_starts_and_goes() {
    let scratch = Scratch::new("package");
    let output = scratch.path().join("dist");
    let mut xtask = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    xtask.current_dir(env!("CARGO_MANIFEST_DIR")).args(["run", "--quiet", "--package", "xtask"]);
    done(xtask.args(["--", "dist", "--binary"]).arg(tapes()).arg("--output").arg(&output));
    let mut packages = fs::read_dir(&output).unwrap().map(|entry| entry.unwrap().path());
    let package = packages.find(|path| path.extension().is_some_and(|end| end == "deb")).unwrap();

    let depends = done(Command::new("dpkg-deb").args(["--field"]).arg(&package).arg("Depends"));
    let depends = String::from_utf8(depends.stdout).unwrap();
    let is_static = cfg!(target_env = "musl");
    assert_eq!(depends.starts_with("libc6 (>= 2."), !is_static, "{depends:?}");

    let system = scratch.path().join("system");
    fs::create_dir_all(system.join("var/lib/dpkg/info")).unwrap();
    fs::create_dir_all(system.join("var/lib/dpkg/updates")).unwrap();
    fs::write(system.join("var/lib/dpkg/status"), "").unwrap();
    dpkg(&system, "--install", &package);
    for file in [
        "usr/share/man/man1/tapes-gateway.1",
        "usr/share/bash-completion/completions/tapes",
        "usr/share/doc/tapes/copyright",
    ] {
        assert!(system.join(file).is_file(), "{file}");
    }

    // As systemd would, but at ports that are free.
    let unit = system.join("usr/lib/systemd/system/tapes.service");
    let unit = fs::read_to_string(unit).unwrap();
    let options = fs::read_to_string(system.join("etc/tapes/options")).unwrap();
    let options = value(&options, "OPTIONS");
    assert_eq!(options, "--listen 127.0.0.1:7070", "loopback only");
    let line = value(&unit, "ExecStart").replace("$OPTIONS", &options.replace("7070", "0"));
    let mut words = line.split_whitespace();
    let program = words.next().unwrap().trim_start_matches('/');
    let mut start = Command::new(system.join(program));
    start.args(words).args(["--http", "127.0.0.1:0"]).env("STATE_DIRECTORY", scratch.path());
    let gateway = Gateway::spawn(&mut start);
    gateway.wait_for("accepting frames at tcp://127.0.0.1:");
    assert!(gateway.http.ip().is_loopback());
    drop(gateway);

    dpkg(&system, "--remove", Path::new("tapes"));
    assert!(!system.join("usr/bin/tapes").exists());
    assert!(system.join("etc/tapes/options").exists(), "what was configured outlives removal");
    dpkg(&system, "--purge", Path::new("tapes"));
    assert!(!system.join("etc/tapes").exists());
}
