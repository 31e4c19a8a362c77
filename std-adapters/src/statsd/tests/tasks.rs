//! The same promises from a task.

use std::io::Read as _;
use std::os::unix::net::{UnixDatagram, UnixListener};

use tapes_core::text::statsd::Dialect;

use super::super::{StatsdError, StatsdReporter};
use super::{Fake, Server, socket_path};

/// What waits in a task must keep the same promises: nothing lost to a Unix socket, nothing twice.
#[tokio::test]
async fn unix_sockets_of_tokio() {
    let counts = Fake::new(true);
    let path = socket_path("task-dgram");
    let builder = StatsdReporter::builder(format!("unix://{}", path.display()));
    let mut reporter = builder.build_async(counts.clone()).unwrap();
    counts.set(&[("", "a", 1)]);
    assert!(matches!(reporter.report().await, Err(StatsdError::Connect(_))));
    for (count, expected) in [(5, "a:5|c"), (9, "a:4|c")] {
        let _ = std::fs::remove_file(&path);
        let server = UnixDatagram::bind(&path).unwrap();
        counts.set(&[("", "a", count)]);
        reporter.report().await.unwrap();
        let mut buffer = [0; 100];
        let len = server.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], expected.as_bytes());
    }
    let stats = reporter.stats().get();
    assert_eq!((stats.datagrams_sent, stats.datagrams_dropped), (2, 1));

    let path = socket_path("task-stream");
    let listener = UnixListener::bind(&path).unwrap();
    let builder = StatsdReporter::builder(format!("unixstream://{}", path.display()));
    let builder = builder.with_dialect(Dialect::DogStatsd);
    let mut reporter = builder.build_async(counts.clone()).unwrap();
    for (count, expected) in [(5, "\x05\0\0\0a:5|c"), (9, "\x05\0\0\0a:4|c")] {
        counts.set(&[("", "a", count)]);
        reporter.report().await.unwrap();
        let (mut agent, _) = listener.accept().unwrap();
        let mut buffer = [0; 9];
        agent.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, expected.as_bytes());
        // It goes; the next report finds another one.
    }
}

/// The same for UDP, of which tokio says what the system says.
#[tokio::test]
async fn udp_of_tokio() {
    let server = Server::new();
    let address = server.address();
    let counts = Fake::new(true);
    let builder = StatsdReporter::builder("collector:1").with_resolver(move |_| Ok(vec![address]));
    let mut reporter = builder.build_async(counts.clone()).unwrap();
    counts.set(&[("", "a", 10)]);
    reporter.report().await.unwrap();
    assert_eq!(server.datagram(), "a:10|c");
    drop(server);
    for count in [20, 30, 40] {
        counts.set(&[("", "a", count)]);
        let _ = reporter.report().await;
    }
    let server = Server::at(address);
    counts.set(&[("", "a", 50)]);
    reporter.report().await.unwrap();
    let growth: u64 =
        server.datagram().trim_start_matches("a:").trim_end_matches("|c").parse().unwrap();
    let stats = reporter.stats().get();
    assert_eq!(10 + growth + stats.datagrams_refused * 10, 50, "{stats:?}");
}
