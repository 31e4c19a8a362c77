//! A server that takes whatever is pushed to it, and answers as it is told.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// How long a request may take to come before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request that came.
#[derive(Debug, Clone)]
pub struct Request {
    /// The request line and the headers, in lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

/// An HTTP server of one connection after the other.
#[derive(Debug)]
pub struct Sink {
    /// Where it listens.
    pub address: SocketAddr,
    requests: Receiver<Request>,
}

impl Sink {
    /// Starts it on a free port: the first requests get these statuses, all others 200.
    ///
    /// # Panics
    ///
    /// If it cannot listen.
    #[must_use]
    pub fn start(statuses: &[&'static str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let (sender, requests) = channel();
        let mut statuses: VecDeque<_> = statuses.iter().copied().collect();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serve(stream, &mut statuses, &sender).is_none() {
                    return;
                }
            }
        });
        Self { address, requests }
    }

    /// Returns the next request.
    ///
    /// # Panics
    ///
    /// After a minute without.
    #[must_use]
    pub fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request comes")
    }

    /// Returns the next of the requests that came, `None` if there is none.
    #[must_use]
    pub fn try_next(&self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    /// Returns the last request that came, `None` if none did since the last look.
    #[must_use]
    pub fn last(&self) -> Option<Request> {
        self.requests.try_iter().last()
    }
}

/// Answers the requests of a connection; `None` when nobody waits for them any more.
fn serve(
    stream: TcpStream,
    statuses: &mut VecDeque<&'static str>,
    sender: &Sender<Request>,
) -> Option<()> {
    let Ok(mut writer) = stream.try_clone() else { return Some(()) };
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match reader.read_line(&mut head) {
                Ok(len) if len > 0 => {}
                _ => return Some(()),
            }
        }
        let head = head.to_lowercase();
        let len = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let mut body = vec![0; len.and_then(|len| len.trim().parse().ok()).unwrap_or(0)];
        if reader.read_exact(&mut body).is_err() {
            return Some(());
        }
        sender.send(Request { head, body }).ok()?;
        let status = statuses.pop_front().unwrap_or("200 OK");
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        if writer.write_all(answer.as_bytes()).is_err() {
            return Some(());
        }
    }
}
