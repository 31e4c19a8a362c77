//! `tapes top` in a terminal of its own, and its text mode.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use gateway_support::{Device, Gateway, PATIENCE, run, tapes, terminal};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use tapes_core::metric::{Descriptor, Kind, Unit, Value};
use tapes_tests::servers::{Scratch, wait_for};

/// `tapes top` in a terminal of 100 columns and 30 rows.
struct Terminal {
    child: Child,
    keys: File,
    output: Receiver<Vec<u8>>,
    reader: Option<JoinHandle<()>>,
    seen: String,
    /// Kept open, so that the terminal outlives the program.
    terminal: OwnedFd,
}

impl Terminal {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, "")
    }

    fn start_with(arguments: &[&str], no_color: &str) -> Self {
        let (keys, slave) = terminal::open();
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        let mut size = Command::new("stty");
        assert!(
            size.args(["rows", "30", "cols", "100"]).stdin(stdio()).status().unwrap().success()
        );
        let child = Command::new(tapes())
            .arg("top")
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env("NO_COLOR", no_color)
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .unwrap();
        let mut reader = keys.try_clone().unwrap();
        let (sender, output) = channel();
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 4_096];
            while let Ok(len @ 1..) = reader.read(&mut chunk) {
                if sender.send(chunk[..len].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keys, output, reader: Some(reader), seen: String::new(), terminal: slave }
    }

    /// Reads until a text has been written; what is already there is not written again.
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let chunk = self.output.recv_timeout(left);
            let chunk = chunk.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Lets the terminal vanish, without a signal.
    fn close(&mut self) {
        drop(std::mem::replace(&mut self.output, channel().1));
        // Its answer wakes the reader, which then finds that nobody listens, and lets go.
        self.press("?");
        self.reader.take().unwrap().join().unwrap();
        let nothing = || File::open("/dev/null").unwrap();
        self.terminal = nothing().into();
        self.keys = nothing();
    }

    /// Checks that it ends, and that the terminal is as it was. Returns what was written.
    fn check_put_back(mut self) -> String {
        self.wait_for("\u{1b}[?1049l");
        self.wait_for("\u{1b}[?25h");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let flags = tcgetattr(&self.terminal).unwrap().local_flags;
        assert!(flags.contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG));
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns what two devices send, with a label that would clear the screen.
fn frames() -> Vec<u8> {
    let frames = [1, 2].map(|id: u8| {
        let mut device = Device::new(&[0xe6, id], id.into());
        let dictionary = [
            Descriptor::new("motor.loops", Kind::Counter, Unit::NONE),
            Descriptor::new("motor.temperature", Kind::GaugeFloat, Unit::CELSIUS),
        ];
        let values = [(0, Value::Unsigned(123_456)), (1, Value::F32(36.56))];
        [device.hello(), device.dict(&dictionary), device.data(&values)].concat()
    });
    frames.concat()
}

fn gateway() -> Gateway {
    let mut gateway = Gateway::start(&["--stdin"]);
    gateway.feed(&frames());
    gateway.wait_until("motor_loops_total{device=\"e602\"}", 123_456.0);
    gateway
}

/// If this fails, people who cannot read colours get them all the same.
#[test]
fn colours_are_left_out_where_nobody_wants_them() {
    let gateway = gateway();
    let url = format!("http://{}", gateway.http);
    for (no_color, has_colours) in [("", true), ("1", false)] {
        let mut terminal = Terminal::start_with(&[&url], no_color);
        terminal.wait_for("2 of 2 devices live");
        terminal.press("q");
        let seen = terminal.check_put_back();
        assert_eq!(seen.contains("\u{1b}[38;5;"), has_colours, "{no_color:?}: {seen:?}");
    }
}

/// If this fails, a shell is unusable after the view, and nobody knows what to type.
#[test]
fn the_terminal_is_put_back() {
    let gateway = gateway();
    let url = format!("http://{}", gateway.http);
    for end in ["q", "\u{3}", "signal"] {
        let mut terminal = Terminal::start(&[&url]);
        terminal.wait_for("2 of 2 devices live");
        terminal.press("\t");
        // Only what is another character than before is written.
        terminal.wait_for("H123456");
        terminal.press("/loops\r\r");
        terminal.wait_for("events");
        if end == "signal" {
            let id = Pid::from_raw(terminal.child.id().try_into().unwrap());
            kill(id, Signal::SIGTERM).unwrap();
        } else {
            terminal.press(end);
        }
        terminal.check_put_back();
    }
}

/// If this fails, a view whose terminal has gone goes on for ever, and takes a whole processor.
#[test]
fn a_terminal_that_goes_away_ends_the_view() {
    let gateway = gateway();
    let url = format!("http://{}", gateway.http);
    for signal in [None, Some(Signal::SIGHUP)] {
        let mut terminal = Terminal::start(&[&url]);
        terminal.wait_for("2 of 2 devices live");
        if let Some(signal) = signal {
            kill(Pid::from_raw(terminal.child.id().try_into().unwrap()), signal).unwrap();
        } else {
            terminal.close();
        }
        let ended = || terminal.child.try_wait().unwrap();
        let status = wait_for("the end of the view", ended);
        assert_eq!(status.code(), Some(0), "{signal:?}: {status}");
    }
}

/// If this fails, a script that asks once gets something else than a person sees.
#[test]
fn the_text_mode_prints_one_table() {
    let gateway = gateway();
    let url = format!("http://{}", gateway.http);
    let scratch = Scratch::new("top");
    let recording = scratch.path().join("recording.bin");
    std::fs::write(&recording, frames()).unwrap();
    let recording = recording.to_str().unwrap();
    let tables = [(&*url, &[][..]), (recording, &[]), ("-", &frames())].map(|(source, input)| {
        let output = run(&["top", "--once", source], input);
        assert_eq!(output.status.code(), Some(0), "{source}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    });
    let lines: Vec<_> = tables[0].lines().collect();
    assert_eq!(lines.len(), 7, "{lines:#?}");
    assert!(lines[1].contains("motor.loops") && lines[1].ends_with("123456"), "{lines:#?}");
    assert!(lines[2].ends_with("36.56 celsius"), "{lines:#?}");
    assert_eq!(tables[1], tables[0]);
    assert_eq!(tables[2], tables[0]);
}

/// If this fails, a script takes nothing for something, or waits for ever.
#[test]
fn the_text_mode_says_what_is_wrong() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (source, code, said) in [
        ("/nowhere/x.bin", 2, "cannot open /nowhere/x.bin"),
        ("https://127.0.0.1", 2, "https is not spoken"),
        ("what", 2, "is no file, and no address"),
        (&format!("http://{closed}"), 2, "no answer from"),
        ("-", 1, ""),
    ] {
        let output = run(&["top", "--once", source], b"");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{source}: {errors}");
        assert!(errors.contains(said), "{source}: {errors}");
    }
    let output = run(&["top", "-"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--once prints a table"));
}
