//! The real gateway with its state on disk: killed, restarted, and without room to write.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use gateway_support::{Device, Gateway, Noise, run, tapes};
use tapes_core::metric::{Buckets, Counts, Descriptor, Distribution, Kind, Unit, Value};

const GEOMETRY: Buckets = Buckets { scale: 0, first: 0, len: 4 };
const KILLS: u64 = 24;
const BOARDS: u8 = 3;

/// A directory for one test, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("tapes-state-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A board that counts passes and their times, over several lives.
#[derive(Clone)]
struct Board {
    id: u8,
    device: Device,
    /// Passes of this life, and of all of them.
    passes: u64,
    total: u64,
    lives: u64,
}

impl Board {
    fn new(id: u8) -> Self {
        let device = Device::new(&[id], u32::from(id) << 16);
        Self { id, device, passes: 0, total: 0, lives: 1 }
    }

    fn introduction(&mut self) -> Vec<u8> {
        let dictionary = [
            Descriptor::new("passes", Kind::Counter, Unit::NONE),
            Descriptor::new("time", Kind::Timer(GEOMETRY), Unit::SECONDS),
        ];
        let hello = self.device.hello();
        [hello, self.device.dict(&dictionary)].concat()
    }

    fn report(&mut self, more: u64) -> Vec<u8> {
        (self.passes, self.total) = (self.passes + more, self.total + more);
        let buckets = [self.passes, 0, 0, 0];
        let counts = Counts { sum: self.passes * 2, buckets: &buckets, ..Counts::default() };
        let time = Value::Distribution(Distribution::new(GEOMETRY, counts));
        self.device.data(&[(0, Value::Unsigned(self.passes)), (1, time)])
    }

    fn reboot(&mut self) {
        self.device = Device::new(&[self.id], self.device.nonce + 1);
        self.passes = 0;
        self.lives += 1;
    }

    fn series(&self) -> [String; 2] {
        ["passes_total", "time_seconds_count"]
            .map(|name| format!("{name}{{device=\"0{}\"}}", self.id))
    }
}

/// Sends reports until the gateway is gone or it is told to stop; gives the boards back.
struct Feeder {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: JoinHandle<Vec<Board>>,
}

impl Feeder {
    fn start(mut boards: Vec<Board>, address: &str, seed: u64) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut stream = TcpStream::connect(address).unwrap();
        let thread = std::thread::spawn({
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            move || {
                let mut noise = Noise(seed);
                let mut turn = 0;
                while !stop.load(Ordering::Relaxed) {
                    for board in &mut boards {
                        // Who speaks is said again and again: the gateway forgets its lines.
                        let mut bytes = Vec::new();
                        if turn % 10 == 0 {
                            bytes.extend(board.introduction());
                        }
                        bytes.extend(board.report(noise.below(5)));
                        if stream.write_all(&bytes).is_err() {
                            return boards;
                        }
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                    turn += 1;
                }
                boards
            }
        });
        Self { stop, sent, thread }
    }

    fn wait_for(&self, sent: u64) {
        while self.sent.load(Ordering::Relaxed) < sent && !self.thread.is_finished() {
            std::thread::yield_now();
        }
    }

    fn end(self) -> Vec<Board> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Starts a gateway with a state, and returns where it takes frames.
fn start(state: &Scratch) -> (Gateway, String) {
    let gateway = Gateway::start(&["--listen", "0", "--state", state.path()]);
    let line = gateway.wait_for("accepting frames at tcp://");
    let address = line.split_once("tcp://").unwrap().1.trim().to_owned();
    (gateway, address)
}

/// Returns the value of a series on a page, 0 if it is not there.
fn value(page: &str, series: &str) -> u64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

/// If this fails, a gateway that is killed shows less than it did, or counts something twice.
#[test]
fn totals_are_exact_over_kills_at_random_moments() {
    let seed = RandomState::new().hash_one(0u8);
    println!("seed {seed:#x}");
    let mut noise = Noise(seed);
    let state = Scratch::new("kills");
    let mut boards: Vec<_> = (1..=BOARDS).map(Board::new).collect();
    let mut shown = String::new();
    for kill in 0..KILLS {
        let (gateway, address) = start(&state);
        let page = gateway.get("/metrics").body;
        for (board, series) in boards.iter().flat_map(|b| b.series().map(|series| (b, series))) {
            let (before, now) = (value(&shown, &series), value(&page, &series));
            assert!(before <= now, "kill {kill}: {series} fell from {before} to {now}");
            assert!(now <= board.total, "kill {kill}: {series} is {now} of {}", board.total);
        }
        shown = page;
        if kill % 4 == 3 {
            // What a life said last is said once: it must have been shown before the next one.
            let feeder = Feeder::start(boards, &address, noise.next());
            feeder.wait_for(noise.below(300));
            boards = feeder.end();
            for board in &mut boards {
                board.series().iter().for_each(|s| gateway.wait_until(s, as_f64(board.total)));
                board.reboot();
            }
        }
        let feeder = Feeder::start(boards, &address, noise.next());
        for _ in 0..noise.below(4) {
            feeder.wait_for(noise.below(4_000));
            shown = gateway.get("/metrics").body;
        }
        feeder.wait_for(noise.below(4_000));
        // A kill that cannot be caught.
        drop(gateway);
        boards = feeder.end();
    }
    let (gateway, address) = start(&state);
    let mut stream = TcpStream::connect(&address).unwrap();
    for board in &mut boards {
        let last = [board.introduction(), board.report(1), board.report(1)].concat();
        stream.write_all(&last).unwrap();
    }
    for board in &boards {
        board.series().iter().for_each(|series| gateway.wait_until(series, as_f64(board.total)));
        let boots = format!("tapes_device_boots_total{{device=\"0{}\"}}", board.id);
        assert_eq!(gateway.metric(&boots), Some(as_f64(board.lives)));
    }
    let page = gateway.get("/metrics").body;
    for problem in ["epoch_collision", "conflict", "misfit"] {
        assert!(!page.contains(&format!("problem=\"{problem}\"")), "{problem} in {page}");
    }
}

fn as_f64(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// Lines that are about this process or this moment.
fn lasting(page: &str) -> Vec<&str> {
    let passing = ["tapes_state", "tapes_links", "tapes_device_last_seen_timestamp_seconds{", "# "];
    page.lines().filter(|line| !passing.iter().any(|name| line.starts_with(name))).collect()
}

/// If this fails, a dashboard has a gap or a jump wherever a gateway was updated.
#[test]
fn a_restarted_gateway_shows_the_same_and_goes_on() {
    let state = Scratch::new("same");
    let mut board = Board::new(1);
    let (gateway, address) = start(&state);
    let mut stream = TcpStream::connect(&address).unwrap();
    let bytes = [board.introduction(), board.report(5), board.report(6)].concat();
    stream.write_all(&bytes).unwrap();
    let [passes, _] = board.series();
    gateway.wait_until(&passes, 11.0);
    // Counted last, so that nothing of the page is under way.
    let received = "tapes_received_bytes_total{link=\"tcp\"}";
    gateway.wait_until(received, as_f64(bytes.len().try_into().unwrap()));
    let (before, merged) = (gateway.get("/metrics").body, gateway.get("/metrics/merged").body);
    drop(gateway);

    let (gateway, address) = start(&state);
    gateway.wait_for("devices known from before: 1");
    let after = gateway.get("/metrics").body;
    assert_eq!(lasting(&after), lasting(&before));
    assert!(after.contains("tapes_device_up{device=\"01\"} 1\n"), "{after}");
    assert_eq!(gateway.get("/metrics/merged").body, merged);
    assert!(merged.contains("passes_total 11\n"), "{merged}");
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(&[board.introduction(), board.report(9)].concat()).unwrap();
    gateway.wait_until(&passes, 20.0);
    assert_eq!(gateway.metric("tapes_device_boots_total{device=\"01\"}"), Some(1.0));
    assert_eq!(gateway.metric("tapes_device_frames_lost_total{device=\"01\"}"), Some(0.0));
    assert_eq!(gateway.metric("tapes_state_saved"), Some(1.0));
}

/// If this fails, two gateways write into one file, or nobody learns why one does not start.
#[test]
fn a_state_that_cannot_be_used_is_refused_with_a_remedy() {
    let state = Scratch::new("refused");
    let (gateway, _) = start(&state);
    let again = ["gateway", "--stdin", "--no-http", "--state", state.path()];
    let refused = |expected: &str| {
        let output = run(&again, b"");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    };
    refused("in use by another process");
    drop(gateway);
    assert_eq!(run(&again, b"").status.code(), Some(0), "the lock ends with its process");
    let file = state.0.join("state");
    let mut bytes = fs::read(&file).unwrap();
    bytes[20] ^= 1;
    fs::write(&file, &bytes).unwrap();
    refused("--state-salvage");
    assert_eq!(fs::read(&file).unwrap(), bytes, "it is left alone");
    let salvage = [&again[..], &["--state-salvage"]].concat();
    assert_eq!(run(&salvage, b"").status.code(), Some(0));
    assert_eq!(fs::read(state.0.join("state.damaged-1")).unwrap(), bytes);
    assert_eq!(run(&again, b"").status.code(), Some(0));

    let link = state.0.join("elsewhere");
    fs::rename(&file, &link).unwrap();
    std::os::unix::fs::symlink(&link, &file).unwrap();
    refused("it is a link");
}

/// If this fails, a service that was given a directory forgets everything, or says nothing where it
/// was given none.
#[test]
fn a_service_manager_gives_the_directory() {
    let state = Scratch::new("service");
    let run = |directory: Option<&str>| {
        let mut command = Command::new(tapes());
        command.args(["gateway", "--stdin", "--no-http"]).stdin(Stdio::null());
        command.env_remove("STATE_DIRECTORY");
        if let Some(directory) = directory {
            command.env("STATE_DIRECTORY", directory);
        }
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    let several = format!("{}:/nowhere", state.path());
    assert!(run(Some(&several)).contains("totals are kept in"));
    assert!(state.0.join("state").exists());
    assert!(run(None).contains("in memory only; --state DIR"));
}

/// If this fails, a full disk ends the metrics, or nobody notices that totals are no longer safe.
#[test]
fn without_room_metrics_go_on_and_say_so() {
    let state = Scratch::new("full");
    // No file of this process may grow beyond a KiB; the pipes may.
    let script = "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(tapes());
    command.args(["gateway", "--http", "127.0.0.1:0", "--stdin", "--state", state.path()]);
    let mut gateway = Gateway::spawn(&mut command);
    let mut board = Board::new(1);
    let [passes, _] = board.series();
    gateway.feed(&board.introduction());
    let mut total = 0;
    while gateway.metric("tapes_state_saved") == Some(1.0) {
        total += 1;
        gateway.feed(&board.report(1));
        gateway.wait_until(&passes, f64::from(total));
        assert!(total < 1_000, "the limit has no effect");
    }
    gateway.feed(&board.report(1));
    gateway.wait_until(&passes, f64::from(total + 1));
    assert!(gateway.metric("tapes_state_write_failures_total").unwrap() >= 2.0);
    let line = gateway.wait_for("cannot write");
    assert!(line.contains("would set totals back"), "{line}");
    drop(gateway);
    let (gateway, _) = start(&state);
    let known = gateway.metric(&passes).unwrap();
    assert!(known >= f64::from(total - 1) && known <= f64::from(total + 1), "{known} of {total}");
}
