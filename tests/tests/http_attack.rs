//! Clients that do not keep the rules, at a server that a good client asks all the while.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tapes_core::Registry;
use tapes_std::http::{HttpServer, RunningServer};
use tapes_std::local::Local;
use tapes_tests::web;

/// Longest that a bad client may hold its connection. It must be closed within 3 seconds; a machine
/// that builds and tests at the same time gets one more.
const SHUT: Duration = Duration::from_secs(4);

/// Longest that a good client may wait.
const WAIT: Duration = Duration::from_secs(1);

/// Memory that everything here may add, in bytes.
const MEMORY: u64 = 64 << 20;

/// Starts a server that shows 600 series with long names: some 80 KiB.
fn server() -> RunningServer {
    static REGISTRY: Registry<600, 600> = Registry::new();
    let long = "x".repeat(100);
    for i in 0..600 {
        REGISTRY.counter(&*format!("attack.{long}.{i:03}")).unwrap().add(i);
    }
    let builder = HttpServer::builder().with_address("127.0.0.1:0".parse().unwrap());
    builder.build(Arc::new(Local::new(&REGISTRY))).unwrap().spawn().unwrap()
}

/// Returns the memory of this process, in bytes.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Reads until the server closes the connection, and returns the status of the answer, 0 for none.
fn status_at_end(mut stream: &TcpStream) -> u16 {
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        // Closed with bytes unread, which is what becomes of whoever sends too much.
        let is_closed = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
        assert!(is_closed, "{error}");
    }
    let head = String::from_utf8_lossy(&answer);
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// A client that sends something and waits, and what it may get.
fn attacks(host: SocketAddr) -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let get = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n");
    let long = "x".repeat(100 << 10);
    let many = "X: y\r\n".repeat(2_000);
    let noise: Vec<u8> =
        (0..4_096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    vec![
        ("no head", Vec::new(), &[0, 408]),
        ("half a head", get.clone().into_bytes(), &[0, 408]),
        ("100 KiB of header", format!("{get}X: {long}\r\n\r\n").into_bytes(), &[0, 431]),
        ("100 KiB of path", format!("GET /{long} HTTP/1.1\r\n\r\n").into_bytes(), &[0, 414, 431]),
        ("2,000 headers", format!("{get}{many}\r\n").into_bytes(), &[0, 431]),
        (
            "CRLF in the path",
            format!("GET /metrics\r\nX: y HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes(),
            &[0, 400],
        ),
        (
            "encoded CRLF in the path",
            format!("GET /%0d%0aSet-Cookie:x HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes(),
            &[404],
        ),
        ("CRLF in a header", format!("{get}X: a\r\n b\r\n\r\n").into_bytes(), &[0, 400]),
        ("HTTP/0.9", b"GET /metrics\r\n\r\n".to_vec(), &[0, 400]),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[0, 400, 505]),
        ("pipelining", format!("{get}\r\n").repeat(50).into_bytes(), &[200]),
        (
            "a body that does not come",
            format!("{}Content-Length: 1000000\r\n\r\n", get.replace("GET", "POST")).into_bytes(),
            &[405],
        ),
        (
            "chunks without end",
            format!("{get}Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\nx").into_bytes(),
            &[200, 400],
        ),
        (
            "two lengths",
            format!("{get}Content-Length: 1\r\nContent-Length: 2\r\n\r\n").into_bytes(),
            &[0, 400],
        ),
        ("garbage", noise, &[0, 400, 431]),
        ("zeros", vec![0; 4_096], &[0, 400, 431]),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), &[0, 400]),
    ]
}

/// Whoever can reach the port can send anything: it must not hold a connection, nor keep a scraper
/// waiting, nor take memory.
#[test]
fn bad_clients_are_shut_and_good_ones_served() {
    let running = server();
    let host = running.address();
    let before = memory();
    let is_over = Arc::new(AtomicBool::new(false));
    let good = {
        let is_over = Arc::clone(&is_over);
        std::thread::spawn(move || {
            let (mut longest, mut answers) = (Duration::ZERO, 0);
            while !is_over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                let answer = web::get(host, "/metrics");
                assert_eq!(answer.status, 200, "{}", answer.head);
                assert!(answer.body.ends_with(b"_599_total 599\n"));
                longest = longest.max(begin.elapsed());
                answers += 1;
            }
            (longest, answers)
        })
    };
    // Each with half a head.
    let slow: Vec<_> = (0..300)
        .map(|_| {
            let mut stream = connect(host);
            // One that is shut already is what is wanted.
            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nX-Slow: ");
            (stream, Instant::now())
        })
        .collect();
    std::thread::scope(|scope| {
        for (stream, begin) in &slow {
            scope.spawn(move || {
                // A client that goes on sending must not win time.
                let _ = (&*stream).write_all(b"a");
                assert!([0, 408].contains(&status_at_end(stream)));
                assert!(begin.elapsed() < SHUT, "slow: {:?}", begin.elapsed());
            });
        }
        for (label, bytes, statuses) in attacks(host) {
            scope.spawn(move || {
                let stream = connect(host);
                let begin = Instant::now();
                let _ = (&stream).write_all(&bytes);
                let status = status_at_end(&stream);
                assert!(statuses.contains(&status), "{label}: {status}");
                assert!(begin.elapsed() < SHUT, "{label}: {:?}", begin.elapsed());
            });
        }
        // Gone before the answer, and in the midst of it.
        for i in 0..100 {
            scope.spawn(move || {
                let mut stream = connect(host);
                let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
                let _ = stream.write_all(request.as_bytes());
                if i % 2 == 0 {
                    let _ = stream.read(&mut [0; 100]);
                }
                // Bytes that were not read make the system reset the connection.
                let _ = stream.shutdown(Shutdown::Write);
            });
        }
    });
    is_over.store(true, Ordering::Relaxed);
    let (longest, answers) = good.join().expect("every answer is right");
    assert!(longest < WAIT, "a good client waited {longest:?}");
    assert!(answers > 10, "only {answers} answers");
    let more = memory().saturating_sub(before);
    assert!(more < MEMORY, "{more} bytes");
    // Nothing panicked: the server still stops as it should, and frees its port.
    running.stop();
    assert!(TcpStream::connect(host).is_err());
}
