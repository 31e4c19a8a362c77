//! The original StatsD, of npm, which gets the events that boards count, one line each.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::board::{COUNTERS, GAUGES, RECORDED, TIMERS};

/// Longest datagram, as its clients have it.
const DATAGRAM_LEN: usize = 1_432;

/// Datagrams that are sent before it says that it has them: what its socket holds.
const BURST: u32 = 40;

/// Clock ticks in a second, as Linux counts processor time.
const TICKS: f64 = 100.0;

/// A server that never flushes.
pub(crate) struct Etsy {
    child: Child,
    folder: PathBuf,
    socket: UdpSocket,
    questions: SocketAddr,
    datagrams: u32,
}

impl Etsy {
    /// Starts it, if it is installed.
    pub(crate) fn start() -> Option<Self> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../foreign/statsd");
        let program = package.join("node_modules/statsd/stats.js");
        if !program.is_file() {
            return None;
        }
        let free = || TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let questions = free().expect("a port");
        let port = UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("a port");
        let folder = std::env::temp_dir().join(format!("tapes-bench-etsy-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let text = format!(
            "{{address: '127.0.0.1', port: {}, mgmt_address: '127.0.0.1', mgmt_port: {}, \
             flushInterval: 86400000, backends: []}}",
            port.port(),
            questions.port()
        );
        let configuration = folder.join("configuration.js");
        std::fs::write(&configuration, text).expect("a file");
        let mut node = Command::new("node");
        node.arg(program).arg(configuration).stdin(Stdio::null()).stdout(Stdio::null());
        let child = node.spawn().ok()?;
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.connect(port).expect("an address");
        let mut etsy = Self { child, folder, socket, questions, datagrams: 0 };
        let deadline = Instant::now() + Duration::from_secs(30);
        while etsy.received().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
        etsy.take(1, 1);
        Some(etsy)
    }

    /// Sends the events of so many sources and reports; returns the processor time that it took.
    pub(crate) fn take(&mut self, sources: u32, reports: u32) -> Duration {
        let before = self.cpu();
        let mut datagram = String::new();
        for i in 0..sources * reports {
            for n in 0..COUNTERS {
                self.line(&mut datagram, |out| write!(out, "motor.axis{n}.steps:{}|c", 1_000 + n));
            }
            for n in 0..GAUGES {
                self.line(&mut datagram, |out| write!(out, "motor.sensor{n}:{}.5|g", i + n));
            }
            for (n, value) in (0..TIMERS).flat_map(|n| (0..RECORDED).map(move |v| (n, v))) {
                let us = 90 + value * value * 11;
                self.line(&mut datagram, |out| {
                    write!(out, "motor.task{n}.time:{}.{:03}|ms", us / 1_000, us % 1_000)
                });
            }
        }
        self.send(&mut datagram);
        self.catch_up();
        self.cpu() - before
    }

    fn line(&mut self, datagram: &mut String, write: impl Fn(&mut String) -> std::fmt::Result) {
        if datagram.len() + 64 > DATAGRAM_LEN {
            self.send(datagram);
        }
        if !datagram.is_empty() {
            datagram.push('\n');
        }
        write(datagram).expect("it is text");
    }

    fn send(&mut self, datagram: &mut String) {
        self.socket.send(datagram.as_bytes()).expect("it is sent");
        datagram.clear();
        self.datagrams += 1;
        if self.datagrams.is_multiple_of(BURST) {
            self.catch_up();
        }
    }

    /// Waits until it has everything.
    fn catch_up(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.received() < Some(self.datagrams) {
            assert!(Instant::now() < deadline, "datagrams were lost");
        }
    }

    /// Returns the number of datagrams that it has, if it answers.
    fn received(&self) -> Option<u32> {
        let mut stream = TcpStream::connect(self.questions).ok()?;
        stream.write_all(b"counters\n").ok()?;
        let (mut reply, mut chunk) = (Vec::new(), [0; 4_096]);
        while !reply.ends_with(b"END\n\n") {
            match stream.read(&mut chunk) {
                Ok(len) if len > 0 => reply.extend_from_slice(&chunk[..len]),
                _ => return None,
            }
        }
        let text = String::from_utf8(reply).ok()?;
        let (_, rest) = text.split_once("'statsd.packets_received': ")?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    }

    /// Returns the processor time that it has taken.
    fn cpu(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).expect("Linux");
        let (_, fields) = stat.rsplit_once(") ").expect("a name");
        // Of the user and of the system: fields 14 and 15, counted from 1.
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: f64 = ticks.map(|field| field.parse::<f64>().expect("a number")).sum();
        Duration::from_secs_f64(ticks / TICKS)
    }
}

impl Drop for Etsy {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
