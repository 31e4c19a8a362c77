//! Reports of many processes that one aggregator merges, beside a StatsD server that gets the same
//! events. Each is a process of its own, and told apart by the processor time that it takes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cpu_time::ProcessTime;
use tapes_core::wire::{Origin, ZmtpPush};
use tapes_std::clock::SystemTimeSource;
use tapes_std::fleet::{Fleet, Limits, NodeId, SharedFleet};
use tapes_std::zmq::Aggregator;

use super::board::{Board, SAMPLES};
use super::etsy::Etsy;
use crate::table::{Limit, Table};
use crate::{ALLOCATOR, Options};

/// Set in the environment of the process that receives.
const VARIABLE: &str = "TAPES_BENCH_RECEIVER";

/// Reports of each source before it is measured: dictionaries, and all memory.
const WARM_UP: u32 = 2;

/// Numbers of sources that only say that everything before them has arrived.
const MARKS: u32 = 1_000_000;

/// Sources whose events StatsD gets: it is slow, and keeps each value of a timer.
const FEWER: u32 = 100;

/// What the receiver says when it has everything up to a mark.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cpu: Duration,
    /// Memory in use.
    bytes: u64,
}

/// Receives until its input ends, if this process was started for that.
pub(crate) fn serve_if_asked() -> bool {
    if std::env::var_os(VARIABLE).is_none() {
        return false;
    }
    let mut limits = Limits::default();
    limits.origins = 10_000;
    let fleet = Fleet::new(NodeId([1; 16]), limits);
    let fleet = SharedFleet::new(fleet, Arc::new(SystemTimeSource::new()));
    let endpoint = "tcp://127.0.0.1:0".parse().expect("an endpoint");
    let running = Aggregator::new(fleet.clone()).with_pull(endpoint).spawn().expect("it is bound");
    println!("{}", running.endpoints()[0]);
    for mark in std::io::stdin().lines().map_while(Result::ok) {
        let mark = Origin::from_array(mark.parse::<u64>().expect("a number").to_be_bytes());
        // Its last frame has come when all values of it are there.
        let is_there = |fleet: &Fleet| {
            let data = fleet.state().origin(mark);
            let epochs = data.into_iter().flat_map(|data| data.epochs());
            epochs.map(|(_, epoch)| epoch.values().count()).sum::<usize>() == SAMPLES as usize
        };
        while !is_there(&fleet.lock()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let cpu = ProcessTime::now().as_duration();
        println!("{} {}", cpu.as_nanos(), ALLOCATOR.allocated());
    }
    true
}

/// A receiver in a process of its own, and a connection to it.
struct Receiver {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    stream: TcpStream,
    marks: u32,
}

impl Receiver {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("it runs"))
            .env(VARIABLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let endpoint = lines.next().expect("a line").expect("UTF-8");
        let address = endpoint.strip_prefix("tcp://").expect("TCP");
        let mut stream = TcpStream::connect(address).expect("it listens");
        let mut peer = ZmtpPush::new();
        stream.write_all(ZmtpPush::GREETING).expect("it reads");
        let mut buffer = [0; 256];
        while !peer.is_ready() {
            let len = stream.read(&mut buffer).expect("it greets");
            let mut input = &buffer[..len];
            while !input.is_empty() {
                let (answer, rest) = peer.feed(input).expect("ZeroMQ");
                stream.write_all(answer).expect("it reads");
                input = rest;
            }
        }
        Self { child, lines, stream, marks: MARKS }
    }

    /// Sends messages, and returns what the receiver took until it had them all.
    fn take(&mut self, messages: &[u8]) -> Cost {
        self.stream.write_all(messages).expect("it reads");
        self.marks += 1;
        let mut mark = Vec::new();
        let mut board = Board::new(self.marks);
        board.work(SAMPLES);
        board.report_messages(&mut mark);
        self.stream.write_all(&mark).expect("it reads");
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "{}", self.marks).expect("it reads");
        let line = self.lines.next().expect("a line").expect("UTF-8");
        let (cpu, bytes) = line.split_once(' ').expect("two numbers");
        let cpu = Duration::from_nanos(cpu.parse().expect("a number"));
        Cost { cpu, bytes: bytes.parse().expect("a number") }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let (sources, reports): (u32, u32) = if options.quick { (200, 10) } else { (1_000, 20) };
    let mut boards: Vec<_> = (1..=sources).map(Board::new).collect();
    let mut report = |times: u32| {
        let mut messages = Vec::new();
        for _ in 0..times {
            for board in &mut boards {
                board.work(SAMPLES);
                board.report_messages(&mut messages);
            }
        }
        messages
    };
    let mut receiver = Receiver::start();
    let empty = receiver.take(&[]);
    let warm = receiver.take(&report(WARM_UP));
    let messages = report(reports);
    let done = receiver.take(&messages);
    let merged = f64::from(sources * SAMPLES * reports);
    let rate = merged / (done.cpu - warm.cpu).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let memory = (warm.bytes - empty.bytes) as f64 / f64::from(sources + 1);
    let what = format!("{sources} sources × {SAMPLES} series, merged by one core");
    table.push(&what, rate, "/s", Limit::Least(500_000.0));
    table.push("memory of a source", memory, "B", Limit::Most(12_000.0));
    let Some(mut etsy) = Etsy::start() else {
        eprintln!("  npm's statsd is not installed: npm ci --prefix tests/foreign/statsd");
        return;
    };
    let seconds = etsy.take(FEWER, reports).as_secs_f64();
    let theirs = f64::from(FEWER * SAMPLES * reports) / seconds;
    table.push("the same events at npm's statsd, one core", theirs, "/s", Limit::None);
    table.push("ours over that", rate / theirs, "×", Limit::None);
}
