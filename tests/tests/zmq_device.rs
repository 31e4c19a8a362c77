//! What a microcontroller does, over a plain TCP socket: our aggregator and libzmq receive it. And
//! what hostile peers do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use gateway_support::{Gateway, PATIENCE, tapes};
use serde_json::json;
use tapes_core::wire::{Encoder, Epoch, Identity, Origin, ZmtpPush};
use tapes_core::{Registry, Source};
use tapes_tests::python;

/// A board with a TCP stack.
struct Board {
    stream: TcpStream,
    peer: ZmtpPush,
    encoder: Encoder<8, 0>,
}

impl Board {
    fn connect(address: SocketAddr, id: u8) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let identity = Identity::new(Origin::from_array([id]), Epoch::new(0, 9), 1_000);
        let encoder = Encoder::new(identity, 512).with_full_address();
        let mut board = Self { stream, peer: ZmtpPush::new(), encoder };
        board.stream.write_all(ZmtpPush::GREETING).unwrap();
        while !board.peer.is_ready() {
            board.read();
        }
        board
    }

    /// Reads what has come, and answers it.
    fn read(&mut self) {
        let mut buffer = [0; 48];
        let len = self.stream.read(&mut buffer).unwrap();
        assert!(len > 0, "closed");
        let mut input = &buffer[..len];
        while !input.is_empty() {
            let (answer, rest) = self.peer.feed(input).unwrap();
            self.stream.write_all(answer).unwrap();
            input = rest;
        }
    }

    fn report(&mut self, source: &dyn Source, uptime: u64) {
        let mut buffer = [0; 512];
        self.encoder.begin(uptime);
        while let Some(frame) = self.encoder.next_frame(source, &mut buffer) {
            let (header, len) = ZmtpPush::message_header(frame.len());
            self.stream.write_all(&header[..len]).unwrap();
            self.stream.write_all(frame).unwrap();
            self.encoder.sent();
        }
    }
}

/// Starts an aggregator with a PULL endpoint, and returns its address.
fn aggregate() -> (Gateway, SocketAddr) {
    let mut command = Command::new(tapes());
    command.args(["aggregate", "--http", "127.0.0.1:0", "--pull", "tcp://127.0.0.1:0"]);
    let gateway = Gateway::spawn(&mut command);
    let line = gateway.wait_for("receiving at tcp://");
    let address = line.split_once("tcp://").unwrap().1.parse().unwrap();
    (gateway, address)
}

static BOARD: Registry<8, 64> = Registry::new();

/// If this fails, a board cannot report without a ZeroMQ library of its own.
#[test]
fn a_board_reports_to_an_aggregator_and_to_libzmq() {
    let (aggregator, address) = aggregate();
    let mut board = Board::connect(address, 0x0b);
    BOARD.counter("passes").unwrap().add(300);
    board.report(&BOARD, 1_000);
    aggregator.wait_until("passes_total{device=\"0b\"}", 300.0);
    let mut python = Command::new(python::interpreter())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/zmq_peer.py"))
        .arg(json!({ "role": "pull", "kind": "PULL", "endpoint": "tcp://127.0.0.1", "heartbeat": 100 }).to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(python.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port: u16 = lines.next().unwrap().parse().unwrap();
    let mut board = Board::connect(([127, 0, 0, 1], port).into(), 0x0b);
    // Five heartbeats: a peer that does not answer is gone after four.
    (0..5).for_each(|_| board.read());
    board.report(&BOARD, 1_000);
    // HELLO, DICT, DATA: the low digit of the first byte.
    let types: Vec<String> =
        lines.take(3).map(|line| line.trim_matches('"')[..2].to_owned()).collect();
    assert_eq!(types, ["10", "11", "12"]);
    python.kill().unwrap();
    python.wait().unwrap();
}

/// Connections of each kind of hostile peer.
const HOSTILE: usize = 70;

/// If this fails, peers that send rubbish, claim 2^40 bytes or say nothing keep others out.
#[test]
fn hostile_peers_hinder_nobody() {
    let (aggregator, address) = aggregate();
    let mut good = Board::connect(address, 1);
    BOARD.counter("good").unwrap().add(1);
    good.report(&BOARD, 1);
    aggregator.wait_until("good_total{device=\"01\"}", 1.0);
    let mut open = Vec::new();
    let mut random = 1u32;
    for _ in 0..HOSTILE {
        let mut noise = TcpStream::connect(address).unwrap();
        let bytes: Vec<u8> = (0..4_096)
            .map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                random.to_be_bytes()[0]
            })
            .collect();
        // It is free to close the connection.
        let _ = noise.write_all(&bytes);
        let claims = Board::connect(address, 2);
        let mut claims = claims.stream;
        let _ = claims.write_all(&[2, 0, 0, 1, 0, 0, 0, 0, 0]);
        let _ = claims.write_all(&[7; 1_000]);
        let mut half = TcpStream::connect(address).unwrap();
        half.write_all(&ZmtpPush::GREETING[..11]).unwrap();
        open.extend([noise, claims, half]);
    }
    let began = Instant::now();
    BOARD.counter("good").unwrap().add(1);
    good.report(&BOARD, 2);
    aggregator.wait_until("good_total{device=\"01\"}", 2.0);
    eprintln!("one that was connected goes on after {:?}", began.elapsed());
    let began = Instant::now();
    let mut new = Board::connect(address, 3);
    new.report(&BOARD, 1);
    aggregator.wait_until("good_total{device=\"03\"}", 2.0);
    eprintln!("another one comes in after {:?}", began.elapsed());
    assert_eq!(aggregator.metric("tapes_devices"), Some(2.0), "nothing of the others counts");
    drop(open);
}
