//! Commands that serve until somebody ends them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tapes_tests::servers::wait_for;
use tapes_tests::web;

use crate::gateway_support::PATIENCE;

/// Addresses that pages give to what serves, and what is there in tests: free ports of loopback.
const LISTENING: [(&str, &str); 10] = [
    ("--http 127.0.0.1:9464", "--http 127.0.0.1:0"),
    ("--http 0.0.0.0:9100", "--http 127.0.0.1:0"),
    ("--listen 7070", "--listen 0"),
    ("0.0.0.0:7071", "127.0.0.1:0"),
    ("0.0.0.0:7081", "127.0.0.1:0"),
    // What is sent to, and not there.
    ("10.0.0.1:7081", "127.0.0.1:1"),
    ("localhost:4318", "127.0.0.1:1"),
    ("localhost:8125", "127.0.0.1:1"),
    ("localhost:9090", "127.0.0.1:1"),
    ("https://host/", "https://127.0.0.1:1/"),
];

/// Where a gateway serves unless it is told.
const DEFAULT: &str = "127.0.0.1:9100";

/// A command that serves; killed when dropped, with all that it is made of.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    text: String,
    said: Receiver<String>,
}

impl Server {
    /// Whether a command goes on until it is ended.
    pub(crate) fn is(command: &str) -> bool {
        let serves =
            ["tapes gateway ", "tapes aggregate "].iter().any(|name| command.contains(name));
        let goes_on = ["--serial", "--listen", "--mqtt ", "--bind", "--stay", "--realtime"];
        serves && goes_on.iter().any(|option| command.contains(option))
    }

    /// Starts one, and waits until it serves. Returns also what stands for its addresses.
    pub(crate) fn start(
        bash: impl Fn(&str) -> Command,
        command: &str,
        text: &str,
    ) -> (Self, BTreeMap<String, String>) {
        let fixed = |text: String, (there, here): (&str, &str)| text.replace(there, here);
        let command = LISTENING.into_iter().fold(command.to_owned(), fixed);
        let exec = if command.contains('|') { "" } else { "exec " };
        let mut child = bash(&format!("{exec}{command}"))
            .env("TAPES_HTTP", "127.0.0.1:0")
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = child.stderr.take().unwrap();
        let (sender, said) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let server = Self { child, text: text.to_owned(), said };
        let url = server.wait_for("listening on http");
        let (scheme, address) =
            url.split_once("listening on ").unwrap().1.split_once("://").unwrap();
        let documented =
            text.split_once("--http ").map_or(DEFAULT, |(_, rest)| rest.split(' ').next().unwrap());
        let port = documented.rsplit_once(':').unwrap().1;
        let names = ["127.0.0.1", "192.168.7.2", "gateway"].map(|host| format!("{host}:{port}"));
        if scheme == "http" && text.contains("--serial") {
            // A board that is plugged in is seen.
            wait_for(text, || {
                let page = web::get(address.parse().unwrap(), "/metrics");
                page.text().contains("motor_loops_total{").then_some(())
            });
        }
        (server, names.map(|name| (name, address.to_owned())).into())
    }

    fn wait_for(&self, text: &str) -> String {
        let mut heard = Vec::new();
        loop {
            match self.said.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => heard.push(line),
                Err(_) => panic!("{}: no {text:?} in {heard:?}", self.text),
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let group = Pid::from_raw(self.child.id().try_into().unwrap());
        let _ = killpg(group, signal);
    }

    /// Ends it as systemd does, or Ctrl-C.
    pub(crate) fn end(mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.child.wait().unwrap();
        // Of several commands the shell itself was ended.
        assert!(status.success() || self.text.contains('|'), "{}: {status}", self.text);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
