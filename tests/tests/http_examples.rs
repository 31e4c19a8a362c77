//! The examples of the HTTP server, run as a reader would run them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tapes_tests::web;

/// Builds the examples as the tests are built, and returns their paths.
fn examples(names: &[&str]) -> Vec<PathBuf> {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "--workspace", "--all-features", "--message-format=json"]);
    names.iter().for_each(|name| {
        build.args(["--example", name]);
    });
    build.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    let output = build.output().unwrap();
    assert!(output.status.success(), "the examples do not build");
    let messages: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let path = |name: &&str| {
        let message = messages.iter().find(|message| {
            message["target"]["name"] == **name && message["executable"].is_string()
        });
        PathBuf::from(message.unwrap()["executable"].as_str().unwrap())
    };
    names.iter().map(path).collect()
}

/// An example that does not run teaches nothing.
#[test]
fn examples_serve_until_their_input_ends() {
    for program in examples(&["http_thread", "http_tokio", "http_axum"]) {
        let mut child =
            Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (address, path) = line.trim().strip_prefix("http://").unwrap().split_once('/').unwrap();
        let address: SocketAddr = address.parse().unwrap();
        let answer = web::get(address, &format!("/{path}"));
        assert_eq!(answer.status, 200, "{program:?}");
        assert!(answer.text().contains("\nwork_jobs_total 1\n"), "{program:?}: {}", answer.text());
        let foreign = web::get_with(address, &format!("/{path}?"), "Host: evil.example\r\n");
        assert_eq!(foreign.status, 400, "two hosts: {program:?}");
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success(), "{program:?}");
        assert!(TcpStream::connect(address).is_err(), "{program:?} kept its port");
    }
}
