//! libzmq, by way of Python, at the other end of our sockets; with and without CURVE.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use gateway_support::{Gateway, PATIENCE, run, tapes};
use serde_json::{Value as Json, json};
use tapes_core::Registry;
use tapes_core::metric::Value;
use tapes_core::wire::{DataWriter, Epoch, Flags, Header, Origin};
use tapes_std::zmq::{ClientKeys, DistributedRegistry, KeyPair, PublicKey};
use tapes_tests::python;

/// A program of `tests/foreign` that talks to us.
struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(config: &Json) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/zmq_peer.py");
        let mut child = Command::new(python::interpreter())
            .arg(program)
            .arg(config.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { stdin: child.stdin.take(), child, lines }
    }

    fn send(&mut self, parts: &[&[u8]]) {
        let hex = |part: &&[u8]| part.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let parts: Vec<String> = parts.iter().map(hex).collect();
        writeln!(self.stdin.as_mut().unwrap(), "{}", parts.join(",")).unwrap();
    }

    fn line(&mut self) -> Json {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// Ends its input, and waits until it has sent everything.
    fn finish(mut self) -> Vec<Json> {
        drop(self.stdin.take());
        let rest = self.lines.by_ref().map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        let rest = rest.collect();
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two lives of a counter that needs no dictionary: frames of a bare count.
fn frame(origin: &[u8], seq: u64, count: u64) -> Vec<u8> {
    use tapes_core::metric::{Descriptor, Kind, Unit};
    use tapes_core::wire::{Address, DictWriter, Dictionary, DictionaryHash};

    let mut buffer = [0; 512];
    let descriptor = Descriptor::new("events", Kind::Counter, Unit::NONE);
    let mut body = [0; 256];
    let mut dict = DictWriter::new(&mut body, &Header::short(1), 0);
    assert!(dict.push(&descriptor));
    let mut hash = DictionaryHash::new();
    let dict = tapes_core::wire::Frame::parse(dict.finish().unwrap()).unwrap();
    if let tapes_core::wire::Body::Dict(entries) = dict.body().unwrap() {
        entries.for_each(|(_, entry, _)| hash.push(entry));
    }
    let header = Header {
        address: Address::Full { origin, epoch: Epoch::new(0, 77) },
        dictionary: Dictionary { len: hash.len(), hash: hash.value() },
        seq,
        uptime: seq,
        ..Header::short(0)
    };
    if seq == 0 {
        let mut dict = DictWriter::new(&mut buffer, &header, 0);
        assert!(dict.push(&descriptor));
        return dict.finish().unwrap().to_vec();
    }
    let header = Header { flags: Flags::KEYFRAME.with(Flags::LAST), ..header };
    let mut data = DataWriter::new(&mut buffer, &header);
    assert!(data.push(0, &Value::Unsigned(count)));
    data.finish().unwrap().to_vec()
}

/// A directory for one test, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tapes-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Makes keys by the command.
    fn keys(&self, name: &str) -> (KeyPair, PublicKey) {
        let path = self.path(name);
        let output = run(&["keygen", &path], b"");
        assert!(output.status.success());
        let keys = KeyPair::load(Path::new(&path)).unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed.trim(), keys.public().to_string());
        let public = keys.public();
        (keys, public)
    }

    /// Returns keys as a Python program takes them.
    fn config(&self, name: &str) -> Json {
        let text = fs::read_to_string(self.path(name)).unwrap();
        let word = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap().trim().to_owned()
        };
        json!({ "public": word("public "), "secret": word("secret ") })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn with(mut config: Json, more: Json) -> Json {
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

/// Starts an aggregator with a ROUTER and a PULL endpoint, and returns where they are.
fn aggregate(options: &[&str]) -> (Gateway, String, String) {
    let fixed = ["aggregate", "--http", "127.0.0.1:0"];
    let sockets = ["--bind", "tcp://127.0.0.1:0", "--pull", "tcp://127.0.0.1:0"];
    let mut command = Command::new(tapes());
    command.args(fixed).args(sockets).args(options);
    let gateway = Gateway::spawn(&mut command);
    let endpoint = || {
        let line = gateway.wait_for("receiving at ");
        line.split_once("receiving at ").unwrap().1.to_owned()
    };
    let (bound, pull) = (endpoint(), endpoint());
    (gateway, bound, pull)
}

const EVENTS_1: &str = "events_total{device=\"01\"}";
const EVENTS_2: &str = "events_total{device=\"02\"}";

/// If this fails, programs with libzmq cannot report to an aggregator, or are told wrong things.
#[test]
fn libzmq_reports_to_us() {
    let (aggregator, bound, pull) = aggregate(&[]);
    let mut push = Peer::start(&json!({ "role": "send", "kind": "PUSH", "endpoint": pull }));
    (0..3).for_each(|seq| push.send(&[&frame(&[1], seq, 10 * seq)]));
    push.send(&[b"no frame"]);
    push.send(&[&frame(&[1], 3, 99), b"second part"]);
    push.finish();
    aggregator.wait_until(EVENTS_1, 20.0);
    aggregator.wait_until("tapes_frames_rejected_total{link=\"zmq-pull\",reason=\"crc\"}", 1.0);
    aggregator.wait_until("tapes_frames_rejected_total{link=\"zmq-pull\",reason=\"parts\"}", 1.0);
    let config = json!({ "role": "send", "kind": "DEALER", "endpoint": bound, "answers": 30_000 });
    let mut dealer = Peer::start(&with(config, json!({})));
    // The first is no report: the answer to it does not come.
    dealer.send(&[&frame(&[2], 1, 5)]);
    let kept = |first, last| json!({ "origin": "02", "epoch": 77, "first": first, "last": last });
    assert_eq!(dealer.line(), kept(1, 1));
    dealer.send(&[&frame(&[2], 2, 6)]);
    assert_eq!(dealer.line(), kept(1, 2));
    dealer.send(&[&frame(&[2], 4, 8)]);
    assert_eq!(dealer.line(), kept(4, 4), "frame 3 is missing");
    dealer.finish();
}

/// If this fails, a source that contradicts itself stops others, or nobody learns which one it is.
#[test]
fn a_conflict_is_told_of_its_source_and_stops_nothing() {
    let (aggregator, _, pull) = aggregate(&[]);
    let mut push = Peer::start(&json!({ "role": "send", "kind": "PUSH", "endpoint": pull }));
    for origin in [[1], [2]] {
        (0..3).for_each(|seq| push.send(&[&frame(&origin, seq, 10 * seq)]));
    }
    // A count that falls although the frame is newer.
    push.send(&[&frame(&[1], 3, 5)]);
    push.send(&[&frame(&[2], 3, 30)]);
    push.send(&[&frame(&[1], 4, 40)]);
    push.finish();
    aggregator.wait_until(EVENTS_2, 30.0);
    aggregator.wait_until(EVENTS_1, 40.0);
    let conflicts = |device: u32| {
        let labels = format!("{{device=\"0{device}\",problem=\"conflict\"}}");
        aggregator.metric(&format!("tapes_device_problems_total{labels}"))
    };
    assert_eq!((conflicts(1), conflicts(2)), (Some(1.0), None));
}

/// Reports to a ROUTER of libzmq, and compares what it read with what was recorded.
fn report_to(config: &Json, keys: Option<(KeyPair, PublicKey)>) {
    let mut router = Peer::start(config);
    let port = router.line();
    let endpoint = format!("tcp://127.0.0.1:{port}").parse().unwrap();
    let registry: &'static Registry<8, 256> = Box::leak(Box::new(Registry::new()));
    let mut metrics = DistributedRegistry::new(registry, endpoint)
        .with_origin(Origin::from_array(*b"rust"))
        .with_interval(Duration::from_millis(5));
    if let Some((own, server)) = keys {
        metrics = metrics.with_keys(ClientKeys { own, server });
    }
    metrics.counter("answers").unwrap().add(41);
    metrics.connect().unwrap();
    metrics.counter("answers").unwrap().add(1);
    assert!(metrics.close(PATIENCE), "{:?}", metrics.stats());
    let frames = router.finish();
    assert!(frames.iter().all(|frame| frame["origin"] == "72757374"), "{frames:?}");
    let entries = frames.iter().filter(|frame| frame["type"] == 1);
    let names: Vec<String> = entries.map(|frame| frame["body"].to_string()).collect();
    assert!(names.iter().any(|body| body.contains("answers")), "{names:?}");
    let values = frames.iter().filter(|frame| frame["type"] == 2);
    let last = values.map(|frame| frame["body"].to_string()).rfind(|body| body.contains("42"));
    assert!(last.is_some(), "{frames:?}");
}

/// If this fails, what we send is not what the documents say.
#[test]
fn we_report_to_libzmq() {
    report_to(&json!({ "role": "receive", "endpoint": "tcp://127.0.0.1" }), None);
}

/// If this fails, our CURVE is not the one of libzmq; or who has no key, an unknown one or one for
/// other devices gets something in; or a change of the list does not count.
#[test]
fn curve_lets_in_whom_the_list_names() {
    let scratch = Scratch::new("curve");
    let (_, server) = scratch.keys("server.key");
    let [all, own, unknown] = ["all.key", "own.key", "unknown.key"].map(|name| scratch.keys(name));
    let allow = scratch.path("allow");
    fs::write(&allow, format!("{} *\n{} 02\n", all.1, own.1)).unwrap();
    let key = scratch.path("server.key");
    let options = ["--curve-bind-key", key.as_str(), "--curve-allow", allow.as_str()];
    let (aggregator, bound, pull) = aggregate(&options);
    let peer = |kind: &str, endpoint: &str, keys: Option<&str>, answers: u32| {
        let config = json!({ "role": "send", "kind": kind, "endpoint": endpoint });
        let config = if answers > 0 { with(config, json!({ "answers": answers })) } else { config };
        let keys =
            keys.map(|keys| with(scratch.config(keys), json!({ "server": server.to_string() })));
        Peer::start(&keys.map_or(config.clone(), |keys| with(config, keys)))
    };
    // Those who are let in nowhere, or not there, get no answer and count nowhere.
    let silent = 700;
    let mut outside =
        [peer("DEALER", &bound, None, silent), peer("DEALER", &bound, Some("unknown.key"), silent)];
    outside.iter_mut().for_each(|peer| peer.send(&[&frame(&[1], 1, 1_000)]));
    let in_vain = [None, Some("own.key"), Some("unknown.key")].map(|keys| {
        let mut push = peer("PUSH", &pull, keys, 0);
        push.send(&[&frame(&[1], 1, 1_000)]);
        push
    });
    assert!(outside.iter_mut().all(|peer| peer.line().is_null()));
    // A key for device 02 speaks for that, and for no other.
    let mut device = peer("DEALER", &bound, Some("own.key"), silent);
    device.send(&[&frame(&[1], 1, 1_000)]);
    assert!(device.line().is_null(), "a spoofed device");
    device.send(&[&frame(&[2], 1, 7)]);
    assert_eq!(device.line()["last"], 1);
    aggregator.wait_until("tapes_frames_rejected_total{link=\"zmq\",reason=\"forbidden\"}", 1.0);
    // A key for everything speaks on both sockets.
    let mut push = peer("PUSH", &pull, Some("all.key"), 0);
    (0..2).for_each(|seq| push.send(&[&frame(&[1], seq, 30 * seq)]));
    push.finish();
    aggregator.wait_until(EVENTS_1, 30.0);
    // The list changes: one goes, one comes.
    fs::write(&allow, format!("{} *\n", unknown.1)).unwrap();
    let id = nix::unistd::Pid::from_raw(i32::try_from(aggregator.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGHUP).unwrap();
    aggregator.wait_for("read the allow-list again");
    let mut late = peer("DEALER", &bound, Some("unknown.key"), 30_000);
    late.send(&[&frame(&[3], 2, 31)]);
    assert_eq!(late.line()["last"], 2);
    device.send(&[&frame(&[2], 2, 1_000)]);
    assert!(device.line().is_null(), "its key is gone");
    assert_eq!(aggregator.metric(EVENTS_1), Some(30.0));
    assert_ne!(aggregator.metric(EVENTS_2), Some(1_000.0));
    drop(in_vain);
    // The other way round: our sender, their server.
    let server = with(
        scratch.config("server.key"),
        json!({ "role": "receive", "endpoint": "tcp://127.0.0.1" }),
    );
    let server_key = KeyPair::load(Path::new(&key)).unwrap().public();
    report_to(&server, Some((all.0, server_key)));
}

/// If this fails, metrics go over a network in the clear without anybody having said so.
#[test]
fn plaintext_beyond_this_machine_has_to_be_asked_for() {
    for option in ["--bind", "--pull"] {
        let output = run(&["aggregate", "--no-http", option, "tcp://0.0.0.0:0"], b"");
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("--allow-plaintext"), "{said}");
    }
}
