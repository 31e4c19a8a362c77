//! The original StatsD, of npm.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Known, PATIENCE, Running, Server, folder, free_tcp_port};

/// The original StatsD, which never flushes here, so that it keeps totals.
#[derive(Debug)]
pub(crate) struct Etsy {
    address: SocketAddr,
    questions: SocketAddr,
    _running: Running,
}

impl Server for Etsy {
    fn start_at(address: SocketAddr) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/statsd");
        let program = package.join("node_modules/statsd/stats.js");
        assert!(
            program.is_file(),
            "the StatsD server is missing; run: npm ci --prefix tests/foreign/statsd"
        );
        let questions = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()));
        let folder = folder("etsy");
        let configuration = folder.join("configuration.js");
        let text = format!(
            "{{address: '127.0.0.1', port: {}, mgmt_address: '127.0.0.1', mgmt_port: {}, \
             flushInterval: 86400000, backends: []}}",
            address.port(),
            questions.port()
        );
        std::fs::write(&configuration, text).expect("a file");
        let mut command = Command::new("node");
        command.arg(program).arg(configuration).stdin(Stdio::null()).stdout(Stdio::null());
        let server = Self { address, questions, _running: Running::start(&mut command, &folder) };
        server.wait_until_it_counts();
        server
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn known(&self) -> Known {
        let single = |question| {
            let all = self.ask(question).into_iter();
            all.filter_map(|(name, values)| Some((name, *values.first()?))).collect()
        };
        Known { counters: single("counters"), gauges: single("gauges") }
    }
}

impl Etsy {
    /// Returns all values of each timer.
    pub(crate) fn timers(&self) -> BTreeMap<String, Vec<f64>> {
        self.ask("timers")
    }

    /// Asks at the port for people; nothing is known before that listens.
    fn ask(&self, question: &str) -> BTreeMap<String, Vec<f64>> {
        let Ok(mut stream) = TcpStream::connect(self.questions) else { return BTreeMap::new() };
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // In one piece: it takes each for a question.
        stream.write_all(format!("{question}\n").as_bytes()).expect("it reads");
        let mut reply = Vec::new();
        let mut chunk = [0; 4_096];
        while !reply.ends_with(b"END\n\n") {
            let len = stream.read(&mut chunk).expect("a reply");
            assert!(len > 0, "the reply has no end");
            reply.extend_from_slice(&chunk[..len]);
        }
        object(std::str::from_utf8(&reply).expect("UTF-8").trim_end_matches("END\n\n"))
    }
}

/// Reads an object as Node.js shows it: names bare or in quotes, values numbers or lists of them.
fn object(text: &str) -> BTreeMap<String, Vec<f64>> {
    let mut entries = BTreeMap::new();
    let mut rest = text.trim().trim_start_matches('{').trim_end_matches('}');
    while let Some((name, after)) = rest.split_once(": ") {
        let name = name.trim_matches([' ', '\n', ',', '\'']);
        let (values, after) = match after.strip_prefix('[') {
            Some(list) => list.split_once(']').expect("an end of the list"),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        let values = values.split(',').map(str::trim).filter(|value| !value.is_empty());
        let values = values.map(|value| value.parse().expect("a number")).collect();
        entries.insert(name.to_owned(), values);
        rest = after;
    }
    entries
}

/// If this fails, the other tests compare with nothing.
#[test]
fn replies_are_read() {
    let text = "{\n  'a.b': 12,\n  z: 0.5,\n  't.q': [ 250.001, 3 ],\n  'x-y': -1.5\n}\n";
    let got: Vec<_> = object(text).into_iter().collect();
    let expected =
        [("a.b", vec![12.0]), ("t.q", vec![250.001, 3.0]), ("x-y", vec![-1.5]), ("z", vec![0.5])];
    assert_eq!(got, expected.map(|(name, values)| (name.to_owned(), values)));
    assert!(object("{}").is_empty());
}
