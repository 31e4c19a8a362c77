//! The real gateway in a process of its own, a device to talk to it, and an HTTP client that sends
//! what it is told to.

#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod terminal;

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tapes_core::metric::{Descriptor, Value};
use tapes_core::wire::{
    Body, DataWriter, DictWriter, Dictionary, DictionaryHash, Epoch, Flags, Frame, Header, Hello,
    Origin, ResetReason, hello_frame, stream_frame,
};

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the `tapes` command.
pub(crate) fn tapes() -> PathBuf {
    tapes_tests::programs::tapes().to_path_buf()
}

/// Runs `tapes` with some input to its end.
pub(crate) fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(tapes())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tapes starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_vec();
    // Beside reading, or both would wait once the pipes are full.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("tapes ends");
    writer.join().expect("no panic");
    output
}

/// A running gateway; killed when dropped.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    lines: Mutex<Lines>,
    pub(crate) http: SocketAddr,
}

/// What it says on standard error.
#[derive(Debug)]
struct Lines {
    coming: Receiver<String>,
    heard: VecDeque<String>,
}

impl Gateway {
    /// Starts a gateway that serves on a free port, and waits until it does.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", arguments)
    }

    pub(crate) fn start_at(http: &str, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(tapes()).args(["gateway", "--http", http]).args(arguments))
    }

    /// Starts a gateway by a command that becomes one, and waits until it serves.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tapes starts");
        let stderr = child.stderr.take().expect("it is piped");
        let (sender, coming) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                eprintln!("gateway: {line}");
                let _ = sender.send(line);
            }
        });
        let stdin = child.stdin.take();
        let lines = Mutex::new(Lines { coming, heard: VecDeque::new() });
        let mut gateway = Self { child, stdin, lines, http: SocketAddr::from(([0; 4], 0)) };
        let line = gateway.wait_for("listening on http");
        let (_, address) = line.split_once("://").expect("a URL");
        gateway.http = address.parse().expect("an address");
        gateway
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on standard error that contains `text`; lines before it are kept.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let mut lines = self.lines.lock().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = lines.heard.iter().position(|line| line.contains(text)) {
                return lines.heard.remove(at).expect("it is there");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match lines.coming.recv_timeout(left) {
                Ok(line) => lines.heard.push_back(line),
                Err(_) => panic!("no line with {text:?}, only {:?}", lines.heard),
            }
        }
    }

    /// Returns its standard output, to be read while it runs.
    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("it is piped")
    }

    /// Writes to its standard input.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("still open");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("the gateway reads");
    }

    /// Sends a request as it is, and reads the reply to its end.
    pub(crate) fn request(&self, request: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.http).expect("the gateway listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        // A server that refuses early may close before it has read everything.
        let _ = stream.write_all(request);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        Reply::parse(&reply)
    }

    /// Gets a path, with more headers.
    pub(crate) fn get_with(&self, path: &str, headers: &str) -> Reply {
        let host = self.http;
        self.request(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.get_with(path, "")
    }

    /// Returns the value of the line of `/metrics` that begins with `series` and a space.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let reply = self.get("/metrics");
        assert_eq!(reply.status, 200, "{reply:?}");
        let line = reply.body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a number"))
    }

    /// Asks again until a series has a value.
    pub(crate) fn wait_until(&self, series: &str, value: f64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.metric(series);
            if now == Some(value) {
                return;
            }
            assert!(Instant::now() < deadline, "{series} is {now:?}, not {value}");
        }
    }

    /// Ends its standard input, waits for its end, and returns its code and standard output.
    pub(crate) fn finish(mut self) -> (Option<i32>, String) {
        drop(self.stdin.take());
        self.end()
    }

    /// Waits for its end, and returns its code and standard output.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut out = String::new();
        let mut stdout = self.child.stdout.take().expect("it is piped");
        stdout.read_to_string(&mut out).expect("UTF-8");
        (self.child.wait().expect("it ends").code(), out)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A reply, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// 0 if there was none.
    pub(crate) status: u16,
    /// The head in lower case.
    head: String,
    pub(crate) body: String,
}

impl Reply {
    fn parse(reply: &[u8]) -> Self {
        let reply = String::from_utf8(reply.to_vec()).expect("UTF-8");
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    /// Returns the value of a header, whose name is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    }
}

/// A device that makes frames for a byte stream, each complete with its 0x00.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) origin: Vec<u8>,
    pub(crate) nonce: u32,
    seq: u64,
    /// Microseconds beside the second that each frame takes.
    waited: u64,
    dictionary: Dictionary,
}

impl Device {
    pub(crate) fn new(origin: &[u8], nonce: u32) -> Self {
        let (seq, waited, dictionary) = (0, 0, Dictionary::default());
        Self { origin: origin.to_vec(), nonce, seq, waited, dictionary }
    }

    fn header(&mut self) -> Header<'static> {
        let seq = self.seq;
        self.seq += 1;
        let dictionary = self.dictionary;
        let uptime = seq * 1_000_000 + self.waited;
        Header { dictionary, seq, uptime, ..Header::short(self.nonce) }
    }

    /// Lets time pass for it.
    pub(crate) fn wait(&mut self, seconds: u64) {
        self.waited += seconds * 1_000_000;
    }

    pub(crate) fn hello(&mut self) -> Vec<u8> {
        let header = self.header();
        let origin = Origin::new(&self.origin).expect("1 to 16 bytes");
        let hello = Hello {
            origin: origin.as_bytes(),
            epoch: Epoch::new(0, self.nonce),
            build_id: 1,
            reset_reason: ResetReason::PowerOn,
            boot_count: 0,
            tick_hz: 1_000_000,
            metrics: self.dictionary.len,
            max_frame: 512,
        };
        streamed(hello_frame(&mut [0; 256], &header, &hello).expect("it fits"))
    }

    /// Makes a frame with the whole dictionary, which later frames announce.
    pub(crate) fn dict(&mut self, descriptors: &[Descriptor<'_>]) -> Vec<u8> {
        let bodies = descriptors.iter().map(body_of);
        self.dict_of_bodies(&bodies.collect::<Vec<_>>())
    }

    pub(crate) fn dict_of_bodies(&mut self, bodies: &[Vec<u8>]) -> Vec<u8> {
        let mut hash = DictionaryHash::new();
        bodies.iter().for_each(|body| hash.push(body));
        self.dictionary = Dictionary { len: hash.len(), hash: hash.value() };
        let header = self.header();
        let mut buffer = [0; 8_192];
        let mut dict = DictWriter::new(&mut buffer, &header, 0);
        assert!(bodies.iter().all(|body| dict.push_body(body)));
        streamed(dict.finish().expect("it fits"))
    }

    pub(crate) fn data(&mut self, values: &[(u32, Value<'_>)]) -> Vec<u8> {
        let header = Header { flags: Flags::KEYFRAME.with(Flags::LAST), ..self.header() };
        let mut buffer = [0; 8_192];
        let mut data = DataWriter::new(&mut buffer, &header);
        assert!(values.iter().all(|(id, value)| data.push(*id, value)));
        streamed(data.finish().expect("it fits"))
    }
}

/// Returns the body of a dictionary entry.
pub(crate) fn body_of(descriptor: &Descriptor<'_>) -> Vec<u8> {
    let mut buffer = [0; 4_096];
    let mut dict = DictWriter::new(&mut buffer, &Header::short(0), 0);
    assert!(dict.push(descriptor));
    let frame = Frame::parse(dict.finish().expect("it fits")).expect("a frame");
    let Ok(Body::Dict(mut entries)) = frame.body() else { panic!("a dictionary") };
    entries.next().expect("one entry").1.to_vec()
}

/// Encodes a frame for a byte stream.
pub(crate) fn streamed(frame: &[u8]) -> Vec<u8> {
    stream_frame(frame, &mut [0; 10_000]).expect("it fits").to_vec()
}

/// Numbers that look random; the same for the same seed.
#[derive(Debug)]
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}
