//! The gateway's inputs: pipes, connections, files and serial ports, with good bytes and bad ones.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use gateway_support::{Device, Gateway, Noise, PATIENCE, run};
use nix::pty::openpty;
use tapes_core::metric::{Descriptor, Kind, Unit, Value};

const LOOPS: [Descriptor<'static>; 1] = [Descriptor::new("loops", Kind::Counter, Unit::NONE)];

/// A directory of a test's own, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tapes-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns frames that introduce a device and count to `loops`.
fn introduction(device: &mut Device, loops: u64) -> Vec<u8> {
    let dict = device.dict(&LOOPS);
    [dict, device.hello(), device.data(&[(0, Value::Unsigned(loops))])].concat()
}

/// What a server adds up must be what the board counted, each event once.
#[test]
fn reports_to_statsd_carry_growth_by_device() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let target = server.local_addr().unwrap().to_string();
    let arguments = ["--stdin", "--statsd", &target, "--statsd-prefix", "lab"];
    let dialect = ["--statsd-dialect", "dogstatsd", "--statsd-interval", "0.01"];
    let mut gateway = Gateway::start(&[&arguments[..], &dialect].concat());
    let mut device = Device::new(&[0xe6, 1], 1);
    let mut buffer = [0; 65_536];
    let mut next_growth = || loop {
        let len = server.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..len]).unwrap();
        let ours = |line: &str| {
            line.strip_prefix("lab.loops:")?.strip_suffix("|c|#device:e601")?.parse::<u64>().ok()
        };
        if let Some(growth) = text.lines().find_map(ours) {
            return growth;
        }
    };
    gateway.feed(&introduction(&mut device, 10));
    assert_eq!(next_growth(), 0, "what was counted before is nobody's news");
    gateway.feed(&device.data(&[(0, Value::Unsigned(25))]));
    let mut grown = 0;
    while grown < 15 {
        grown += next_growth();
    }
    assert_eq!(grown, 15);
    gateway.feed(&device.data(&[(0, Value::Unsigned(26))]));
    let (code, _) = gateway.finish();
    assert_eq!(code, Some(0));
    while grown < 16 {
        grown += next_growth();
    }
    assert_eq!(grown, 16, "the final report has the rest");
}

/// Noise on the line must cost what it takes to skip, and be counted.
#[test]
fn hostile_bytes_on_standard_input_are_counted_and_the_service_goes_on() {
    let mut gateway = Gateway::start(&["--stdin"]);
    let mut device = Device::new(&[1], 1);
    gateway.feed(&introduction(&mut device, 1));
    for seed in 0..20 {
        let mut noise = Noise(seed).bytes(10_000);
        noise.push(0);
        gateway.feed(&noise);
    }
    // A frame without an end, a frame cut in the middle, and a flipped bit.
    gateway.feed(&vec![7; 100_000]);
    gateway.feed(&[0]);
    let mut frame = device.data(&[(0, Value::Unsigned(2))]);
    gateway.feed(&frame[..frame.len() / 2]);
    gateway.feed(&[0]);
    frame[8] ^= 2;
    gateway.feed(&frame);
    gateway.feed(&device.data(&[(0, Value::Unsigned(3))]));
    gateway.wait_until("loops_total{device=\"01\"}", 3.0);
    let rejected = |reason: &str| {
        gateway
            .metric(&format!("tapes_frames_rejected_total{{link=\"stdin\",reason=\"{reason}\"}}"))
            .unwrap_or(0.0)
    };
    assert_eq!(rejected("oversize"), 1.0);
    assert!(rejected("cobs") > 0.0 && rejected("crc") > 0.0);
    let (code, table) = gateway.finish();
    assert_eq!(code, Some(0));
    assert!(table.contains("stdin: rejected"), "{table}");
}

/// One connection of garbage must not disturb another one.
#[test]
fn connections_are_independent_and_garbage_is_cut_off() {
    let gateway = Gateway::start(&["--listen", "127.0.0.1:0"]);
    let line = gateway.wait_for("accepting frames at tcp://");
    let address = line.split_once("tcp://").unwrap().1.to_owned();
    let mut good = TcpStream::connect(&address).unwrap();
    let mut bad = TcpStream::connect(&address).unwrap();
    let mut device = Device::new(&[1], 1);
    good.write_all(&introduction(&mut device, 1)).unwrap();
    gateway.wait_until("loops_total{device=\"01\"}", 1.0);
    let mut noise = Noise(1);
    // Until the gateway has had enough of it.
    while bad.write_all(&noise.bytes(65_536)).is_ok() {}
    good.write_all(&device.data(&[(0, Value::Unsigned(2))])).unwrap();
    gateway.wait_until("loops_total{device=\"01\"}", 2.0);
    // Its device may go on through another connection at once.
    drop(good);
    gateway.wait_until("tapes_links", 0.0);
    let mut next = TcpStream::connect(&address).unwrap();
    let frames = [device.hello(), device.data(&[(0, Value::Unsigned(5))])].concat();
    next.write_all(&frames).unwrap();
    gateway.wait_until("loops_total{device=\"01\"}", 5.0);
}

/// A crowd of connections must not take the memory of all frames under way.
#[test]
fn connections_are_limited() {
    let gateway = Gateway::start(&["--listen", "127.0.0.1:0"]);
    let line = gateway.wait_for("accepting frames at tcp://");
    let address = line.split_once("tcp://").unwrap().1.to_owned();
    let crowd: Vec<_> = (0..64).map(|_| TcpStream::connect(&address).unwrap()).collect();
    gateway.wait_until("tapes_links", 64.0);
    let mut late = TcpStream::connect(&address).unwrap();
    late.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(late.read(&mut [0]).unwrap_or(0), 0, "closed at once");
    gateway.wait_until("tapes_frames_rejected_total{link=\"tcp\",reason=\"connections\"}", 1.0);
    drop(crowd);
    gateway.wait_until("tapes_links", 0.0);
}

/// What a recording holds twice must not count twice.
#[test]
fn files_are_read_in_order_and_repeats_do_not_count() {
    let scratch = Scratch::new("files");
    let path = |name: &str| scratch.0.join(name).display().to_string();
    let mut device = Device::new(&[1], 1);
    let mut first = introduction(&mut device, 1);
    (2..=50).for_each(|n| first.extend(device.data(&[(0, Value::Unsigned(n))])));
    let mut second = Vec::new();
    (51..=100).for_each(|n| second.extend(device.data(&[(0, Value::Unsigned(n))])));
    second.extend(device.hello());
    fs::write(path("a"), &first).unwrap();
    fs::write(path("b"), &second).unwrap();
    let gateway = Gateway::start(&[
        "--file",
        &path("a"),
        "--file",
        &path("b"),
        "--file",
        &path("a"),
        "--file",
        &path("b"),
        "--stay",
    ]);
    // All of the first file but its dictionary, which comes before anybody knows whose it is; and
    // the HELLO at the end of the second one, to which its other frames belong.
    gateway.wait_until("tapes_device_frames_repeated_total{device=\"01\"}", 52.0);
    assert_eq!(gateway.metric("loops_total{device=\"01\"}"), Some(100.0));
    assert_eq!(gateway.metric("tapes_device_boots_total{device=\"01\"}"), Some(1.0));

    let missing = run(&["gateway", "--no-http", "--file", &path("missing")], b"");
    assert_eq!(missing.status.code(), Some(2));
    let message = String::from_utf8(missing.stderr).unwrap();
    assert!(message.contains("cannot open") && message.contains("missing"), "{message}");
}

/// Whoever plugs a board in later must not have to start the gateway again.
#[test]
fn a_serial_port_may_be_absent_come_go_and_come_back() {
    let scratch = Scratch::new("serial");
    let path = scratch.0.join("ttyBoard");
    let shown = path.display().to_string();
    let state = scratch.0.join("state").display().to_string();
    let gateway = Gateway::start(&["--serial", &shown, "--state", &state]);
    let message = gateway.wait_for("cannot open");
    assert!(message.contains(&shown) && message.contains("plug the device in"), "{message}");

    let mut device = Device::new(&[1], 1);
    for (round, total) in [(1, 1.0), (2, 3.0)] {
        let pty = openpty(None, None).unwrap();
        let slave = nix::unistd::ttyname(&pty.slave).unwrap();
        symlink(&slave, &path).unwrap();
        gateway.wait_for("open at 115200 baud");
        let mut master = fs::File::from(pty.master);
        master.write_all(&introduction(&mut device, round)).unwrap();
        gateway.wait_until("loops_total{device=\"01\"}", total);
        // Unplugged; the next round is a board that was switched on again.
        fs::remove_file(&path).unwrap();
        drop((master, pty.slave));
        let message = gateway.wait_for("lost");
        assert!(message.contains(&shown), "{message}");
        device = Device::new(&[1], 2);
    }
}

/// A board that was there before the gateway is named at once if it listens; a line that may lead
/// into a console gets nothing written to it unless somebody says so.
#[test]
fn names_are_asked_for_if_wanted_and_only_of_boards() {
    for asks in [true, false] {
        let scratch = Scratch::new(if asks { "asked" } else { "unasked" });
        let path = scratch.0.join("ttyBoard");
        let pty = openpty(None, None).unwrap();
        symlink(nix::unistd::ttyname(&pty.slave).unwrap(), &path).unwrap();
        let mut arguments = vec!["--serial", path.to_str().unwrap()];
        arguments.extend(asks.then_some("--ask"));
        let gateway = Gateway::start(&arguments);
        gateway.wait_for("open at 115200 baud");
        let mut master = fs::File::from(pty.master);
        let mut device = Device::new(&[1], 1);
        let introduction = introduction(&mut device, 5);
        // Noise, and a frame of somebody whose introduction nobody heard.
        master.write_all(b"Login: \0").unwrap();
        let link = format!("serial:{}", path.display());
        let rejected = format!("tapes_frames_rejected_total{{link=\"{link}\",reason=\"cobs\"}}");
        gateway.wait_until(&rejected, 1.0);
        let mut heard = [0; 16];
        master.write_all(&device.data(&[(0, Value::Unsigned(7))])).unwrap();
        if asks {
            let len = master.read(&mut heard).unwrap();
            assert_eq!(&heard[..len], b"DK", "asked once, after a frame");
        }
        master.write_all(&introduction).unwrap();
        gateway.wait_until("loops_total{device=\"01\"}", 7.0);
        // With both ends of the line closed there, reading ends behind what was written.
        drop((gateway, pty.slave));
        let left = master.read(&mut heard).unwrap_or(0);
        assert_eq!(left, 0, "{:?} was written for nothing", &heard[..left]);
    }
}

/// Boards that are plugged into a running gateway must not wait for an operator, and a port that
/// cannot do what was asked for must not be read as if it had.
#[test]
fn every_port_that_matches_is_read_while_it_is_there() {
    let scratch = Scratch::new("ports");
    let shown = |name: &str| scratch.0.join(name).display().to_string();
    let gateway = Gateway::start(&["--serial", &shown("usb-*-if00")]);
    let plug = |name: &str, id: u8, loops: u64| {
        let pty = openpty(None, None).unwrap();
        symlink(nix::unistd::ttyname(&pty.slave).unwrap(), scratch.0.join(name)).unwrap();
        gateway.wait_for(&format!("{}: open at 115200 baud", shown(name)));
        let mut master = fs::File::from(pty.master);
        let frames = introduction(&mut Device::new(&[id], u32::try_from(loops).unwrap()), loops);
        master.write_all(&frames).unwrap();
        gateway.wait_until(&format!("loops_total{{device=\"0{id}\"}}"), loops as f64);
        (master, pty.slave)
    };
    fs::write(scratch.0.join("usb-other"), "no port").unwrap();
    let first = plug("usb-a-if00", 1, 5);
    let second = plug("usb-b-if00", 2, 6);
    fs::remove_file(scratch.0.join("usb-a-if00")).unwrap();
    drop(first);
    gateway.wait_for("lost");
    let third = plug("usb-a-if00", 3, 7);
    gateway.wait_until("tapes_links", 2.0);
    drop((second, third));

    // Pseudo-terminals have no such lines.
    let pty = openpty(None, None).unwrap();
    let path = nix::unistd::ttyname(&pty.slave).unwrap();
    let gateway = Gateway::start(&["--serial", &format!("{},rts=off", path.display())]);
    gateway.wait_for("cannot open");
}

/// 1200 baud puts boards into their bootloader.
#[test]
fn wrong_usage_is_told_with_the_remedy() {
    for (arguments, expected) in [
        (vec!["gateway", "--serial", "/dev/ttyACM0:1200"], "bootloader"),
        (vec!["gateway", "--serial", "/dev/ttyACM0,dtr=no"], "dtr=off"),
        (vec!["gateway", "--no-http"], "--stdin"),
        (vec!["gateway", "--stdin", "--http", "nonsense"], "127.0.0.1:9100"),
        (vec!["gateway", "--stdin", "--http", "127.0.0.1:0", "--no-http"], "cannot be used with"),
        (vec!["decode", "/no/such/file"], "cannot open /no/such/file"),
    ] {
        let output = run(&arguments, b"");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

/// Lines of JSON are for programs: nothing else may be among them.
#[test]
fn the_stream_is_nothing_but_json_lines() {
    let mut device = Device::new(&[1], 1);
    let input = introduction(&mut device, 3);
    let output = run(&["gateway", "--stdin", "--no-http", "--stream"], &input);
    assert_eq!(output.status.code(), Some(0));
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!(last["01"]["loops"]["value"], 3, "the last line has everything");
    assert!(String::from_utf8(output.stderr).unwrap().contains("loops"), "the table is elsewhere");
}
