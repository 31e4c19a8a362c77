//! Every example runs, and does what it says.

#[path = "../examples/dogstatsd_task.rs"]
mod dogstatsd_task;
#[path = "../examples/metrics_bridge.rs"]
mod metrics_bridge;
#[path = "../examples/otlp.rs"]
mod otlp;
#[path = "../examples/remote_write.rs"]
mod remote_write;
#[path = "../examples/statsd.rs"]
mod statsd;
#[path = "../examples/stream.rs"]
mod stream;
#[path = "../examples/stream_task.rs"]
mod stream_task;
#[path = "../examples/zmq_aggregator.rs"]
mod zmq_aggregator;
#[path = "../examples/zmq_worker.rs"]
mod zmq_worker;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

/// If this fails, the first thing that people try does not work.
#[test]
fn lines_from_a_thread() {
    let (reader, writer) = std::io::pipe().unwrap();
    stream::run(writer).unwrap();
    let lines: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
    assert!((1..=2).contains(&lines.len()), "{lines:?}");
    let last = lines.last().unwrap();
    assert!(last.starts_with(r#"{"jobs":{"done":{"value":3},"time":{"count":3,"#), "{last}");
}

/// If this fails, lines of a task are not what a thread writes.
#[tokio::test]
async fn lines_from_a_task() {
    let (mut reader, writer) = tokio::io::duplex(4_096);
    stream_task::run(writer).await.unwrap();
    let mut text = vec![0; 4_096];
    let len = reader.read(&mut text).await.unwrap();
    let text = std::str::from_utf8(&text[..len]).unwrap();
    let last = text.lines().last().unwrap();
    assert!(last.starts_with(r#"{"timestamp":1"#), "{last}");
    assert!(last.ends_with(r#","metrics":{"jobs":{"done":{"value":3}}}}"#), "{last}");
}

/// If this fails, a StatsD server gets something else than the example says.
#[test]
fn statsd_from_a_thread() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stats = statsd::run(&server.local_addr().unwrap().to_string()).unwrap();
    assert!((1..=2).contains(&stats.datagrams_sent), "{stats:?}");
    let lines = received(&server, stats.datagrams_sent);
    let level = "example.tank.level:0|g\nexample.tank.level:-0.5|g\n";
    assert!(lines.contains(level), "{lines}");
    assert!(lines.contains("example.jobs.done:3|c\n"), "{lines}");
}

/// If this fails, an agent gets something else than the example says.
#[tokio::test]
async fn dogstatsd_from_a_task() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let stats = dogstatsd_task::run(&address).await.unwrap();
    let lines = received(&server, stats.datagrams_sent);
    assert_eq!(lines, "jobs.time:0.0015|d|@0.25|#env:lab\n");
}

/// If this fails, programs that are instrumented with `metrics` report nothing.
#[test]
fn bridge() {
    let text = metrics_bridge::run().unwrap();
    for line in [
        "http_requests_total{method=\"GET\"} 2\n",
        "http_requests_total{method=\"PUT\"} 1\n",
        "http_wait_seconds_count 3\n",
        "http_wait_seconds_sum 0.0495\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

/// Answers every request with 200, and returns their heads in lower case to whoever asks.
fn receiver() -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (sender, heads) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut requests = BufReader::new(stream.try_clone().expect("another handle"));
            loop {
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    match requests.read_line(&mut head) {
                        Ok(len) if len > 0 => {}
                        _ => break,
                    }
                }
                let head = head.to_lowercase();
                let len = head.lines().find_map(|line| line.strip_prefix("content-length:"));
                let Some(len) = len.and_then(|len| len.trim().parse().ok()) else { break };
                let mut body = vec![0; len];
                requests.read_exact(&mut body).expect("the body follows");
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("heard");
                let _ = sender.send(head);
            }
        }
    });
    (address, heads)
}

/// If this fails, the examples of pushes say something else than is done.
#[test]
fn pushes() {
    let (address, heads) = receiver();
    for (run, path, content) in [
        (otlp::run as fn(&str) -> _, "v1/metrics", "application/x-protobuf"),
        (remote_write::run, "api/v1/write", "snappy"),
    ] {
        let stats = run(&format!("http://{address}/{path}")).unwrap();
        // The first batch can be made before or after the counter is there.
        assert!((1..=2).contains(&stats.sent), "{stats:?}");
        assert_eq!((stats.queued, stats.dropped, stats.rejected), (0, 0, 0));
        for _ in 0..stats.sent {
            let head = heads.recv_timeout(Duration::from_secs(20)).unwrap();
            assert!(
                head.starts_with(&format!("post /{path} ")) && head.contains(content),
                "{head}"
            );
        }
    }
}

fn received(server: &UdpSocket, datagrams: u64) -> String {
    server.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut buffer = [0; 2_000];
    let mut lines = String::new();
    for _ in 0..datagrams {
        let len = server.recv(&mut buffer).expect("a datagram in time");
        lines.push_str(std::str::from_utf8(&buffer[..len]).expect("UTF-8"));
        lines.push('\n');
    }
    lines
}

/// If this fails, two processes and an aggregator do not add up.
#[test]
fn workers_and_their_aggregator() {
    static METRICS: [zmq_worker::Metrics; 2] =
        [zmq_worker::Metrics::new(), zmq_worker::Metrics::new()];
    let directory = std::env::temp_dir().join(format!("tapes-example-{}", std::process::id()));
    let endpoint = format!("ipc://{}/metrics", directory.display());
    let snapshot = zmq_aggregator::run(&endpoint, "127.0.0.1:0", || {
        for (metrics, number) in METRICS.iter().zip(1..) {
            assert!(zmq_worker::run(metrics, &endpoint, number).unwrap(), "{number}");
        }
    })
    .unwrap();
    let _ = std::fs::remove_dir_all(directory);
    let counts = snapshot.devices.iter().map(|device| device.series[0].total.value().count());
    assert_eq!(counts.collect::<Vec<_>>(), [Some(1_000), Some(1_000)]);
}
