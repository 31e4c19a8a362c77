//! A board on a network that is as small as can be: two stacks of embassy, the board's and a client's, and a wire between
//! them that loses frames. Time stands still until nothing else can happen.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{Config, Ipv4Address, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use embassy_net_driver_channel::driver::{HardwareAddress, LinkState};
use embassy_net_driver_channel::{self as channel, Device, RxRunner, State, TxRunner};
use embassy_time::{Duration, MockDriver, Timer};
use tapes_core::metrics;
use tapes_core::report::{Json, Prometheus, Statsd, Syntax, TextReporter};
use tapes_core::text::prometheus::Format;
use tapes_core::text::statsd::Dialect;
use tapes_embassy::net::{Buffers, send_statsd, serve};

metrics! {
    /// Motor control.
    static MOTOR: MotorMetrics = "motor" {
        /// Passes.
        loops: Counter,
        balance: Gauge<i32>,
        /// Time of one pass.
        loop_time: Timer [max = 1 s, scale = 2],
        waiting: Histogram [max = 1000000, scale = 2],
    }
}

const MTU: usize = 1_514;
const BOARD: Ipv4Address = Ipv4Address::new(192, 168, 7, 1);
const CLIENT: Ipv4Address = Ipv4Address::new(192, 168, 7, 2);
const STATSD: u16 = 8_125;

type Link = (RxRunner<'static, MTU>, TxRunner<'static, MTU>);
type Network = (Stack<'static>, Runner<'static, Device<'static, MTU>>);

/// One end of the wire.
fn end(address: Ipv4Address) -> (Link, Network) {
    let state = Box::leak(Box::new(State::<MTU, 4, 4>::new()));
    let mac = HardwareAddress::Ethernet([2, 0, 0, 0, 0, address.octets()[3]]);
    let (runner, device) = channel::new(state, mac);
    let (link, rx, tx) = runner.split();
    link.set_link_state(LinkState::Up);
    let config = Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(address, 24),
        gateway: None,
        dns_servers: Default::default(),
    });
    let resources = Box::leak(Box::new(StackResources::<4>::new()));
    ((rx, tx), embassy_net::new(device, config, resources, u64::from(address.octets()[3])))
}

/// Carries frames one way; every `lost`th is lost.
async fn carry(mut from: TxRunner<'_, MTU>, mut to: RxRunner<'_, MTU>, lost: u32) {
    for number in 1_u32.. {
        let frame = from.tx_buf().await;
        if !number.is_multiple_of(lost) {
            let room = to.rx_buf().await;
            room[..frame.len()].copy_from_slice(frame);
            to.rx_done(frame.len());
        }
        from.tx_done();
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs all of them until the last one ends; time passes, a millisecond at a time, when none of them can go on,
/// or they have had their chance.
fn run<T>(
    others: &mut [std::pin::Pin<&mut dyn Future<Output = ()>>],
    main: impl Future<Output = T>,
) -> T {
    let mut main = pin!(main);
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    for _ in 0..120_000 {
        // Some of what they do is to look whether it is later.
        for _ in 0..20 {
            if !woken.0.swap(false, Ordering::Relaxed) {
                break;
            }
            for other in &mut *others {
                assert!(other.as_mut().poll(&mut context).is_pending(), "it runs for ever");
            }
            if let Poll::Ready(result) = main.as_mut().poll(&mut context) {
                return result;
            }
        }
        MockDriver::get().advance(Duration::from_millis(1));
    }
    panic!("two minutes are enough for everything");
}

/// Sends a request and returns the whole response.
async fn request(stack: Stack<'_>, request: &str) -> String {
    let (mut receive, mut send) = ([0; 1_024], [0; 1_024]);
    let mut socket = TcpSocket::new(stack, &mut receive, &mut send);
    // Refused while the board is about to be done with the client before.
    while socket.connect((BOARD, 80)).await.is_err() {
        socket.abort();
        Timer::after_millis(100).await;
    }
    let mut rest = request.as_bytes();
    while let Ok(sent @ 1..) = socket.write(rest).await {
        rest = &rest[sent..];
        if rest.is_empty() {
            break;
        }
    }
    let mut response = Vec::new();
    let mut buffer = [0; 256];
    loop {
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(len) => response.extend_from_slice(&buffer[..len]),
        }
    }
    String::from_utf8(response).expect("text")
}

/// The head of a response, and its body put together from chunks.
fn parts(response: &str) -> (&str, String) {
    let (head, mut rest) = response.split_once("\r\n\r\n").expect("a head");
    let mut body = String::new();
    loop {
        let (len, after) = rest.split_once("\r\n").expect("the length of a chunk");
        let len = usize::from_str_radix(len, 16).expect("a hexadecimal number");
        body.push_str(&after[..len]);
        rest = after[len..].strip_prefix("\r\n").expect("the end of a chunk");
        if len == 0 {
            assert_eq!(rest, "", "nothing comes after the last chunk");
            return (head, body);
        }
    }
}

/// What the page should be.
fn text<S: Syntax>(syntax: S) -> String {
    let mut reporter = TextReporter::<S, 90, 16_384>::new(syntax);
    reporter.begin();
    let text = reporter.next_chunk(&MOTOR, &|_, _| None).expect("there are metrics");
    String::from_utf8(text.to_vec()).expect("text")
}

fn record() {
    MOTOR.loops.add(1_234);
    MOTOR.balance.set(-5);
    for ticks in [0, 3, 7, 90, 100, 110, 250, 8_000, 999_999] {
        MOTOR.loop_time.record(ticks);
        MOTOR.waiting.record(ticks);
    }
}

/// Everything over one wire, since time belongs to one test of a process.
#[test]
fn a_board_on_a_network() {
    record();
    // A frame in five is lost on the way to the board, one in seven on the way back.
    let ((board_rx, board_tx), (board, mut board_runner)) = end(BOARD);
    let ((client_rx, client_tx), (client, mut client_runner)) = end(CLIENT);
    let (mut receive, mut send, mut head) = ([0; 512], [0; 1_024], [0; 1_024]);
    let buffers = Buffers { receive: &mut receive, send: &mut send, head: &mut head };
    let mut there = pin!(carry(client_tx, board_rx, 5));
    let mut back = pin!(carry(board_tx, client_rx, 7));
    let mut board_network = pin!(async { board_runner.run().await });
    let mut client_network = pin!(async { client_runner.run().await });
    let mut server = pin!(serve::<{ MotorMetrics::BUCKETS as usize }>(board, 80, &MOTOR, buffers));
    let mut others: [std::pin::Pin<&mut dyn Future<Output = ()>>; 5] = [
        there.as_mut(),
        back.as_mut(),
        board_network.as_mut(),
        client_network.as_mut(),
        server.as_mut(),
    ];

    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: board\r\n\r\n");
    let response = run(&mut others, request(client, &get("/metrics")));
    let (status, body) = parts(&response);
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    assert!(status.contains(Format::Prometheus.content_type()), "{status}");
    assert_eq!(body, text(Prometheus::new(Format::Prometheus)));
    assert!(body.contains("\nmotor_loops_total 1234\n"), "{body}");

    MOTOR.loops.increment();
    let response = run(&mut others, request(client, &get("/metrics.json")));
    let (status, body) = parts(&response);
    assert!(status.contains("application/json"), "{status}");
    assert_eq!(body, text(Json::new()));
    assert!(body.contains("1235"), "{body}");

    let response = run(&mut others, request(client, &get("/etc/passwd")));
    assert!(response.starts_with("HTTP/1.1 404"), "{response}");
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(5_000));
    let response = run(&mut others, request(client, &long));
    assert!(!response.starts_with("HTTP/1.1 200"), "a head that does not fit is refused");
    // One that says nothing is let go, and the next one is served.
    let response = run(&mut others, request(client, "GET"));
    assert!(!response.starts_with("HTTP/1.1 200"), "{response}");
    let response = run(&mut others, request(client, &get("/metrics")));
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");

    run(&mut others, statsd(board, client));
}

/// A report as datagrams, and what comes of it: whole lines of the one report, and all of them if nothing was lost.
async fn statsd(board: Stack<'_>, client: Stack<'_>) {
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 8], [PacketMetadata::EMPTY; 8]);
    let (mut rx, mut tx) = ([0; 8_192], [0; 64]);
    let mut server = UdpSocket::new(client, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    server.bind(STATSD).expect("the port is free");
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 2], [PacketMetadata::EMPTY; 2]);
    let (mut rx, mut tx) = ([0; 64], [0; 2_048]);
    let mut socket = UdpSocket::new(board, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    socket.bind(0).expect("there are free ports");
    let syntax = Statsd::new(Dialect::Etsy).with_prefix("board");
    let mut reporter = TextReporter::<_, 90, 600>::new(syntax);
    let expected = text(syntax);
    let expected: Vec<&str> = expected.lines().collect();
    let complete = Cell::new(false);
    // Reports until one has come whole; each loses some datagram, or not.
    for _ in 0..20 {
        let sent = send_statsd(&mut reporter, &MOTOR, &socket, (CLIENT, STATSD)).await;
        assert!(sent.expect("there is a way") >= 2, "it takes some datagrams");
        let mut lines = Vec::new();
        let mut buffer = [0; 600];
        let patience = Duration::from_millis(50);
        while let Ok(received) =
            embassy_time::with_timeout(patience, server.recv_from(&mut buffer)).await
        {
            let (len, _) = received.expect("it fits");
            let datagram = std::str::from_utf8(&buffer[..len]).expect("text");
            for line in datagram.lines() {
                assert!(expected.contains(&line), "{line} is no line of the report");
                lines.push(line.to_owned());
            }
        }
        complete.set(complete.get() || lines == expected);
    }
    assert!(complete.get(), "no report came whole");
}
