//! The gateway as a service: its configuration, what it tells systemd, and its unit.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use gateway_support::{Device, Gateway, PATIENCE, run, tapes};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tapes_core::metric::{Descriptor, Kind, Unit, Value};
use tapes_tests::servers::Scratch;

const METRICS: [Descriptor<'static>; 2] = [
    Descriptor::new("motor.loops", Kind::Counter, Unit::NONE),
    Descriptor::new("motor.debug", Kind::Counter, Unit::NONE),
];

fn introduction(device: &mut Device) -> Vec<u8> {
    let dict = device.dict(&METRICS);
    let values = [(0, Value::Unsigned(3)), (1, Value::Unsigned(4))];
    [dict, device.hello(), device.data(&values)].concat()
}

fn signal(gateway: &Gateway, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(gateway.id()).unwrap()), signal).unwrap();
}

/// A slip of a finger in a file must not rename everything, nor end a gateway that runs for years.
#[test]
fn a_configuration_is_read_again_unless_it_is_wrong() {
    let scratch = Scratch::new("config");
    let file = scratch.path().join("tapes.toml");
    let path = file.to_str().unwrap();
    let config = |name: &str| {
        let text = format!(
            "[[device]]\nuid = \"e601\"\nname = \"{name}\"\nlabels = {{ site = \"lab\" }}\n\n\
             [metrics]\ndrop = [\"*.debug\"]\nrename = {{ \"motor.loops\" = \"turns\" }}\n"
        );
        fs::write(&file, text).unwrap();
    };
    config("lathe");
    let checked = run(&["check", path], b"");
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let mut gateway = Gateway::start(&["--stdin", "--config", path]);
    gateway.feed(&introduction(&mut Device::new(&[0xe6, 1], 1)));
    gateway.wait_until("turns_total{device=\"lathe\",site=\"lab\"}", 3.0);
    let page = gateway.get("/metrics").body;
    assert!(!page.contains("motor"), "{page}");
    assert!(
        page.contains("tapes_device_info{device=\"lathe\",uid=\"e601\",site=\"lab\""),
        "{page}"
    );
    assert_eq!(gateway.get("/stats/lathe/turns").body, r#"{"value":3}"#);

    config("la the");
    signal(&gateway, Signal::SIGHUP);
    let why = gateway.wait_for("stays in use");
    assert!(why.contains("tapes.toml, line 3: device.name: not a name"), "{why}");
    gateway.wait_until("turns_total{device=\"lathe\",site=\"lab\"}", 3.0);
    let checked = run(&["check", path], b"");
    assert_eq!(checked.status.code(), Some(2));
    assert!(String::from_utf8(checked.stderr).unwrap().contains("line 3: device.name"));
    let refused = run(&["gateway", "--stdin", "--no-http", "--config", path], b"");
    assert_eq!(refused.status.code(), Some(2), "at the start there is none before");

    config("mill");
    signal(&gateway, Signal::SIGHUP);
    gateway.wait_for("configuration: read again");
    gateway.wait_until("turns_total{device=\"mill\",site=\"lab\"}", 3.0);
}

/// A manager that is told too early starts what needs the gateway before it listens; one that is
/// not told at all kills it.
#[test]
fn the_service_manager_hears_of_the_start_the_watchdog_and_the_end() {
    let scratch = Scratch::new("notify");
    let path = scratch.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let next = || {
        let mut buffer = [0; 256];
        let len = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    };
    let mut command = Command::new(tapes());
    command.args(["gateway", "--http", "127.0.0.1:0", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "20000").env_remove("WATCHDOG_PID");
    let gateway = Gateway::spawn(&mut command);
    // Of the watchdog and readiness, either may come first.
    let mut first = [next(), next()];
    first.sort();
    assert!(first[0].starts_with("READY=1") && first[1].starts_with("WATCHDOG=1"), "{first:?}");
    assert!((0..3).all(|_| next().starts_with("WATCHDOG=1")));
    signal(&gateway, Signal::SIGTERM);
    while !next().starts_with("STOPPING=1") {}
    assert_eq!(gateway.end().0, Some(0));
}

/// A unit that systemd does not understand starts nothing; one that lost its fences lets a forged
/// frame's reader into the whole machine.
#[test]
fn the_unit_is_understood_and_fenced_in() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/../std-adapters/systemd/tapes.service");
    let unit = fs::read_to_string(unit).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/tapes gateway"));
    let scratch = Scratch::new("unit");
    let path = scratch.path().join("tapes.service");
    fs::write(&path, unit.replace("/usr/bin/tapes", tapes().to_str().unwrap())).unwrap();
    let analyze = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze").args(arguments).arg(&path).output();
        let output = output.expect("systemd-analyze runs: `cargo xtask test` installs systemd");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let (is_good, said) = analyze(&["verify"]);
    assert!(is_good && said.trim().is_empty(), "{said}");
    // 0 is safe, 100 is not.
    let (is_good, said) = analyze(&["security", "--offline=true", "--threshold=25"]);
    assert!(is_good, "{said}");
}
