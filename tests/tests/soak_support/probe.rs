//! How long it takes from a frame to a page that shows it.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tapes_tests::web;

use super::board::{Board, uid};
use crate::gateway_support::PATIENCE;

/// The number of the device that is only here for this.
const NUMBER: u32 = 0xffff_ffff;

pub(crate) struct Probe {
    board: Board,
    stream: TcpStream,
    http: SocketAddr,
    looks: u64,
}

impl Probe {
    /// Connects a device, and waits until it is known.
    pub(crate) fn new(frames: SocketAddr, http: SocketAddr) -> Self {
        let stream = TcpStream::connect(frames).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut probe = Self { board: Board::new(NUMBER), stream, http, looks: 0 };
        probe.board.introduce();
        let _ = probe.measure();
        probe
    }

    /// Sends a report, and returns after which time it was shown.
    pub(crate) fn measure(&mut self) -> Duration {
        let before = self.board.truth.loops;
        while self.board.truth.loops == before {
            self.board.work();
        }
        let report = self.board.report();
        let body = format!("{{\"value\":{}}}", self.board.truth.loops);
        let start = Instant::now();
        self.stream.write_all(&report).unwrap();
        loop {
            let path = self.path();
            let answer = web::get(self.http, &path);
            let elapsed = start.elapsed();
            if answer.status == 200 && answer.text() == body {
                return elapsed;
            }
            assert!(elapsed < PATIENCE, "{body} is not shown, but {answer:?}");
        }
    }

    /// Returns the path of the count, written in another way each time: what was rendered for others
    /// serves for 100 ms.
    fn path(&mut self) -> String {
        self.looks += 1;
        let way = self.looks;
        let mut path = "/stats/".to_owned();
        for (bit, c) in uid(NUMBER).chars().enumerate() {
            if way >> bit & 1 == 1 {
                path.push_str(&format!("%{:02x}", u32::from(c)));
            } else {
                path.push(c);
            }
        }
        path + "/soak/loops"
    }
}
