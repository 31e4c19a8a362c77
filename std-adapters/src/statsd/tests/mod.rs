//! Reports to sockets of the test, over real loopback.

#[cfg(feature = "tokio")]
mod tasks;

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tapes_core::metric::{BaseUnit, Descriptor, Dimension, Dimensions, Kind, Labels, Unit, Value};
use tapes_core::text::statsd::Dialect;
use tapes_core::{Details, Registry, layout};

use super::{BuildError, PacketSize, StatsdBuilder, StatsdError, StatsdReporter};
use crate::clock::ManualTime;
use crate::local::Local;
use crate::readings::{Reading, Readings};

/// How long a datagram over loopback may take.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server(UdpSocket);

impl Server {
    fn new() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap())
    }

    fn at(address: SocketAddr) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    fn datagram(&self) -> String {
        let mut buffer = [0; 65_536];
        let len = self.0.recv(&mut buffer).expect("a datagram in time");
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    }

    fn datagrams(&self, count: u64) -> Vec<String> {
        (0..count).map(|_| self.datagram()).collect()
    }
}

fn to(server: &Server) -> StatsdBuilder {
    StatsdReporter::builder(server.address().to_string())
}

/// Values that the test sets.
#[derive(Debug, Default)]
struct Fake {
    /// Device, name and count.
    counts: Mutex<Vec<(String, String, u64)>>,
    begins_at_zero: bool,
}

impl Fake {
    fn new(begins_at_zero: bool) -> Arc<Self> {
        Arc::new(Self { begins_at_zero, ..Self::default() })
    }

    fn set(&self, counts: &[(&str, &str, u64)]) {
        let own = |(device, name, count): &(&str, &str, u64)| {
            ((*device).to_owned(), (*name).to_owned(), *count)
        };
        *self.counts.lock().unwrap() = counts.iter().map(own).collect();
    }
}

impl Readings for Fake {
    fn read(&self, visitor: &mut dyn FnMut(&Reading<'_>)) {
        for (device, name, count) in &*self.counts.lock().unwrap() {
            let descriptor = &Descriptor::new(name, Kind::Counter, Unit::NONE);
            let value = &Value::Unsigned(*count);
            visitor(&Reading { device, descriptor, cell: 0, value, rates: None });
        }
    }

    fn begins_at_zero(&self) -> bool {
        self.begins_at_zero
    }
}

/// Every sum on a server is wrong if growth is sent twice, or not at all.
#[test]
fn counts_are_sent_as_growth() {
    let server = Server::new();
    let counts = Fake::new(true);
    let mut reporter = to(&server).build(counts.clone()).unwrap();
    for (count, expected) in
        [(7, "a:7|c"), (7, "a:0|c"), (19, "a:12|c"), (3, "a:0|c"), (5, "a:2|c")]
    {
        counts.set(&[("", "a", count)]);
        reporter.report().unwrap();
        assert_eq!(server.datagram(), expected, "{count}");
    }
    let stats = reporter.stats().get();
    assert_eq!((stats.datagrams_sent, stats.bytes_sent), (5, 5 + 5 + 6 + 5 + 5));
    assert_eq!((stats.datagrams_dropped, stats.datagrams_refused, stats.lines_too_long), (0, 0, 0));
}

/// A gateway that starts again must not send years of counts of its devices once more.
#[test]
fn first_sight_of_a_device_is_where_counting_begins() {
    let server = Server::new();
    let counts = Fake::new(false);
    let mut reporter = to(&server).with_prefix("gw").build(counts.clone()).unwrap();
    counts.set(&[("e6", "a", 1_000)]);
    reporter.report().unwrap();
    assert_eq!(server.datagram(), "gw.e6.a:0|c");
    counts.set(&[("e6", "a", 1_005), ("e7", "a", 9_000)]);
    reporter.report().unwrap();
    assert_eq!(server.datagram(), "gw.e6.a:5|c\ngw.e7.a:0|c");
}

/// Series that are gone must not be kept for ever, and those that are left must keep their counts.
#[test]
fn what_is_gone_is_forgotten() {
    let server = Server::new();
    let counts = Fake::new(true);
    let mut reporter = to(&server).with_packet(PacketSize::JUMBO).build(counts.clone()).unwrap();
    let names: Vec<_> = (0..3_000).map(|i| format!("n{i}")).collect();
    let all: Vec<_> = names.iter().map(|name| ("", name.as_str(), 5)).collect();
    counts.set(&all);
    reporter.report().unwrap();
    server.datagrams(reporter.stats().get().datagrams_sent);
    for (left, expected) in [(5, "n2999:0|c"), (5, "n2999:0|c"), (8, "n2999:3|c")] {
        counts.set(&[("", "n2999", left)]);
        reporter.report().unwrap();
        assert_eq!(server.datagram(), expected);
    }
    // Begun anew, since it was forgotten.
    counts.set(&[("", "n2999", 8), ("", "n0", 5)]);
    reporter.report().unwrap();
    assert_eq!(server.datagram(), "n2999:0|c\nn0:5|c");
}

/// A name that is misread counts for something else; a lost one for nothing.
#[test]
fn names_and_tags() {
    static REGISTRY: Registry<8, 8> = Registry::new();
    static LEFT: Details =
        Details::new().unit(Unit::MILLIS).labels(&[("axis", "x.1"), ("side", "")]);
    let level = REGISTRY.describe(&LEFT).gauge::<i32>("tank.level-a").unwrap();
    level.set(-1_500);
    let server = Server::new();
    let plain = "tank.level-a.x_1._:0|g\ntank.level-a.x_1._:-1.5|g";
    let bare = "tank.level-a:0|g\ntank.level-a:-1.5|g";
    let tapes = "tank.level-a.x_1._.value:0|g\ntank.level-a.x_1._.value:-1.5|g";
    let dog = "tank.level_a:-1.5|g|#env:lab,axis:x.1,side:";
    let builder = || to(&server);
    for (builder, expected) in [
        (builder(), plain),
        (builder().with_label_values(false), bare),
        (builder().with_dialect(Dialect::Tapes), tapes),
        (builder().with_dialect(Dialect::DogStatsd).with_tag("env", "lab"), dog),
    ] {
        let mut reporter = builder.build(Arc::new(Local::new(&REGISTRY))).unwrap();
        reporter.report().unwrap();
        assert_eq!(server.datagram(), expected);
    }
}

/// Devices share names; they must not share series.
#[test]
fn devices_are_told_apart() {
    let server = Server::new();
    let counts = Fake::new(true);
    counts.set(&[("e6", "a", 1), ("e7", "a", 2)]);
    let dog = to(&server).with_dialect(Dialect::DogStatsd);
    dog.build(counts).unwrap().report().unwrap();
    assert_eq!(server.datagram(), "a:1|c|#device:e6\na:2|c|#device:e7");
}

/// Families are enumerated labels: levels of the name, or tags.
#[test]
fn families() {
    const FAULTS: [Dimension<'static>; 1] =
        [Dimension { name: "fault", values: &["hot", "stall"] }];
    #[derive(Debug)]
    struct Faults;
    impl Readings for Faults {
        fn read(&self, visitor: &mut dyn FnMut(&Reading<'_>)) {
            let mut descriptor = Descriptor::new("faults", Kind::Counter, Unit::NONE);
            descriptor.dimensions = Dimensions::new(&FAULTS);
            descriptor.labels = Labels::new(&[("axis", "x")]);
            for cell in 0..2 {
                let value = &Value::Unsigned(u64::from(cell) + 1);
                let descriptor = &descriptor;
                visitor(&Reading { device: "", descriptor, cell, value, rates: None });
            }
        }
        fn begins_at_zero(&self) -> bool {
            true
        }
    }
    let server = Server::new();
    for (dialect, expected) in [
        (Dialect::Etsy, "faults.x.hot:1|c\nfaults.x.stall:2|c"),
        (Dialect::DogStatsd, "faults:1|c|#fault:hot,axis:x\nfaults:2|c|#fault:stall,axis:x"),
    ] {
        to(&server).with_dialect(dialect).build(Arc::new(Faults)).unwrap().report().unwrap();
        assert_eq!(server.datagram(), expected);
    }
}

/// All statistics of a timer, exact where recorded exactly, or the totals.
#[test]
fn timers() {
    static REGISTRY: Registry<2, 256> = Registry::new();
    let layout = layout!(unit = micros, max = 60 s);
    let timer = REGISTRY.timer::<1_000_000>("wait", layout).unwrap();
    (0..4).for_each(|_| timer.record(250_001));
    let server = Server::new();
    let local = || Arc::new(Local::new(&REGISTRY));
    to(&server).build(local()).unwrap().report().unwrap();
    let rates = "wait.m1_rate:0|g\nwait.m5_rate:0|g\nwait.m15_rate:0|g\nwait.mean_rate:0|g\n";
    let statistics = ["min", "max", "mean", "q50", "q75", "q95", "q98", "q99", "q999"]
        .map(|name| format!("wait.{name}:0.250001|g"));
    let got = server.datagram();
    assert!(got.starts_with(&format!("wait.count:4|c\n{rates}")), "{got}");
    for line in statistics.iter().map(String::as_str).chain(["wait.stddev:0|g"]) {
        assert_eq!(got.lines().filter(|it| *it == line).count(), 1, "{line} in {got}");
    }
    to(&server).with_totals(true).build(local()).unwrap().report().unwrap();
    assert!(server.datagram().starts_with("wait.total:4|g\n"));
    to(&server).with_dialect(Dialect::Tapes).build(local()).unwrap().report().unwrap();
    let got = server.datagram();
    assert!(got.starts_with("wait.total:4|g\nwait.m1_rate:0|ms\n"), "{got}");
    assert!(got.contains("\nwait.q95:250.001|ms\n"), "{got}");
}

/// The agent must add exactly the new values of each bucket, near where they are.
#[test]
fn distributions() {
    static REGISTRY: Registry<2, 256> = Registry::new();
    let layout = layout!(unit = micros, min = 1 ms, max = 1 s);
    let wait = REGISTRY.histogram("wait", layout).unwrap();
    let server = Server::new();
    let builder = to(&server).with_dialect(Dialect::DogStatsd).with_distributions(true);
    let mut reporter = builder.build(Arc::new(Local::new(&REGISTRY))).unwrap();
    let mut seen = Vec::new();
    for recorded in [&[3, 100_000, 100_000, 100_000, 4_000_000][..], &[100_000, 100_000]] {
        recorded.iter().for_each(|value| wait.record(*value));
        reporter.report().unwrap();
        for line in server.datagram().lines() {
            let (value, rest) = line.strip_prefix("wait:").unwrap().split_once("|d").unwrap();
            let rate = rest.strip_prefix("|@").map_or(1.0, |rate| rate.parse().unwrap());
            let value: f64 = value.parse().unwrap();
            let places = [("zero", 0.0, 0.001), ("tenth", 0.1 / 1.0865, 0.1 * 1.0865)];
            for (place, low, high) in places.into_iter().chain([("overflow", 1.0, 4.0)]) {
                if (low..=high).contains(&value) {
                    seen.push((place, (1.0f64 / rate).floor()));
                }
            }
        }
    }
    assert_eq!(seen, [("zero", 1.0), ("tenth", 3.0), ("overflow", 1.0), ("tenth", 2.0)]);
}

/// Routers cut or drop what is too long: no datagram may be, and no line may be torn.
#[test]
fn packing() {
    static REGISTRY: Registry<64, 64> = Registry::new();
    for i in 0..60 {
        REGISTRY.counter(("a.rather.long.name.for.number.{}", i)).unwrap().add(i);
    }
    let server = Server::new();
    for (packet, least) in [
        (PacketSize::INTERNET, 4),
        (PacketSize::ETHERNET, 2),
        (PacketSize::JUMBO, 1),
        (PacketSize::of::<600>(), 4),
    ] {
        let mut reporter =
            to(&server).with_packet(packet).build(Arc::new(Local::new(&REGISTRY))).unwrap();
        reporter.report().unwrap();
        let datagrams = server.datagrams(reporter.stats().get().datagrams_sent);
        assert!(datagrams.len() >= least, "{packet:?}: {}", datagrams.len());
        assert!(datagrams.iter().all(|datagram| datagram.len() <= packet.len()));
        let lines: Vec<_> = datagrams.iter().flat_map(|datagram| datagram.lines()).collect();
        let expected: Vec<_> =
            (0..60).map(|i| format!("a.rather.long.name.for.number.{i}:{i}|c")).collect();
        assert_eq!(lines, expected, "{packet:?}");
    }
}

/// A line that no datagram can hold is counted, and takes no other one with it.
#[test]
fn lines_that_are_too_long() {
    let server = Server::new();
    let counts = Fake::new(true);
    counts.set(&[("", "a", 1), (&"d".repeat(600), "b", 2), ("", "c", 3)]);
    let mut reporter = to(&server).with_packet(PacketSize::INTERNET).build(counts).unwrap();
    reporter.report().unwrap();
    assert_eq!(server.datagram(), "a:1|c\nc:3|c");
    assert_eq!(reporter.stats().get().lines_too_long, 1);
}

/// Refusals are of datagrams that were sent before; the one at hand must not get lost with them.
#[test]
fn a_server_that_is_away_loses_what_is_counted_as_refused() {
    let server = Server::new();
    let address = server.address();
    let counts = Fake::new(true);
    let mut reporter = to(&server).build(counts.clone()).unwrap();
    let mut total = 0;
    let mut report = |reporter: &mut StatsdReporter| {
        total += 10;
        counts.set(&[("", "a", total)]);
        reporter.report()
    };
    report(&mut reporter).unwrap();
    assert_eq!(server.datagram(), "a:10|c");
    drop(server);
    for _ in 0..3 {
        let _ = report(&mut reporter);
    }
    let server = Server::at(address);
    report(&mut reporter).unwrap();
    let got = server.datagram();
    let stats = reporter.stats().get();
    let growth: u64 = got.trim_start_matches("a:").trim_end_matches("|c").parse().unwrap();
    assert_eq!(10 + growth + stats.datagrams_refused * 10, 50, "{stats:?}");
    assert!(stats.datagrams_refused > 0, "{stats:?}");
}

/// Collectors move: the name must be looked up again, and a failure must not stop reports.
#[test]
fn names_are_looked_up_again() {
    let servers = [Server::new(), Server::new()];
    let time = Arc::new(ManualTime::new());
    let counts = Fake::new(true);
    let answers = Arc::new(Mutex::new(Vec::new()));
    let mut reporter = StatsdReporter::builder("collector:8125")
        .with_time(time.clone())
        .with_lookup_interval(Duration::from_secs(60))
        .with_resolver({
            let answers = Arc::clone(&answers);
            move |name| {
                assert_eq!(name, "collector:8125");
                answers.lock().unwrap().pop().expect("no more often than this")
            }
        })
        .build(counts.clone())
        .unwrap();
    let answer = |answer: io::Result<Vec<SocketAddr>>| answers.lock().unwrap().push(answer);
    let address = |i: usize| Ok(vec![servers[i].address()]);
    counts.set(&[("", "a", 1)]);
    answer(Err(ErrorKind::Other.into()));
    assert!(matches!(reporter.report(), Err(StatsdError::Lookup(_))));
    answer(address(0));
    reporter.report().unwrap();
    assert_eq!(servers[0].datagram(), "a:1|c", "what was not sent is in the next report");
    time.advance(Duration::from_secs(59));
    reporter.report().unwrap();
    assert_eq!(servers[0].datagram(), "a:0|c");
    time.advance(Duration::from_secs(1));
    answer(address(1));
    reporter.report().unwrap();
    assert_eq!(servers[1].datagram(), "a:0|c");
    time.advance(Duration::from_secs(60));
    answer(Err(ErrorKind::Other.into()));
    reporter.report().unwrap();
    assert_eq!(servers[1].datagram(), "a:0|c");
    let stats = reporter.stats().get();
    assert_eq!((stats.lookups_failed, stats.datagrams_dropped, stats.bytes_dropped), (2, 1, 5));
}

/// A path in a folder of the test's own.
fn socket_path(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("tapes-statsd-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    let _ = std::fs::remove_file(&path);
    path
}

/// Agents come and go, and are slow: nothing may be lost to a Unix socket, or be sent twice.
#[test]
fn unix_datagrams() {
    let path = socket_path("dgram");
    let counts = Fake::new(true);
    let mut reporter = StatsdReporter::builder(format!("unix://{}", path.display()))
        .build(counts.clone())
        .unwrap();
    counts.set(&[("", "a", 1)]);
    assert!(matches!(reporter.report(), Err(StatsdError::Connect(_))));
    let mut received = 0;
    let receive = |server: &UnixDatagram| -> u64 {
        let mut buffer = [0; 100];
        let len = server.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..len]).unwrap();
        text.trim_start_matches("a:").trim_end_matches("|c").parse().unwrap()
    };
    for (count, is_full) in [(5, false), (9, true), (2_020, false)] {
        let _ = std::fs::remove_file(&path);
        let server = UnixDatagram::bind(&path).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        counts.set(&[("", "a", count)]);
        reporter.report().unwrap();
        if is_full {
            // Until nothing more is taken.
            let mut sent = 1;
            while reporter.report().is_ok() {
                sent += 1;
                counts.set(&[("", "a", count + sent)]);
            }
            assert!(matches!(reporter.report(), Err(StatsdError::Busy)));
            for _ in 0..sent {
                received += receive(&server);
            }
            counts.set(&[("", "a", 2_000)]);
            reporter.report().unwrap();
        }
        received += receive(&server);
        let expected = if is_full { 2_000 } else { count };
        assert_eq!(received, expected, "{count}");
        drop(server);
        assert!(reporter.report().is_err());
    }
}

/// A frame that is cut makes an agent misread everything after it.
#[test]
fn unix_streams() {
    let path = socket_path("stream");
    let listener = UnixListener::bind(&path).unwrap();
    let counts = Fake::new(true);
    let builder = StatsdReporter::builder(format!("unixstream://{}", path.display()));
    let mut reporter = builder.with_dialect(Dialect::DogStatsd).build(counts.clone()).unwrap();
    counts.set(&[("", "a", 1)]);
    reporter.report().unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let frame = |server: &mut dyn io::Read| {
        let mut len = [0; 4];
        server.read_exact(&mut len).unwrap();
        let mut payload = vec![0; u32::from_le_bytes(len) as usize];
        server.read_exact(&mut payload).unwrap();
        String::from_utf8(payload).unwrap()
    };
    assert_eq!(frame(&mut server), "a:1|c");
    // Fill it up, so that a frame is cut in the middle.
    let name = "n".repeat(100);
    let mut count = 0;
    loop {
        count += 1;
        counts.set(&[("", &name, count)]);
        if reporter.report().is_err() {
            break;
        }
    }
    let mut sum = 0;
    for _ in 1..count {
        let text = frame(&mut server);
        sum += text[name.len() + 1..].trim_end_matches("|c").parse::<u64>().unwrap();
        // Room for the rest of what was cut, and for what was refused.
        let _ = reporter.report();
    }
    while sum < count {
        let text = frame(&mut server);
        sum += text[name.len() + 1..].trim_end_matches("|c").parse::<u64>().unwrap();
    }
    assert_eq!(sum, count);
    // The agent starts again.
    drop(server);
    counts.set(&[("", "b", 4)]);
    reporter.report().unwrap();
    let (mut server, _) = listener.accept().unwrap();
    assert_eq!(frame(&mut server), "b:4|c");
}

/// Wrong settings must be named where they are made.
#[test]
fn settings_are_checked() {
    let build = |builder: StatsdBuilder| builder.build(Fake::new(true)).map(drop);
    let udp = || StatsdReporter::builder("localhost:8125");
    let stream = StatsdReporter::builder("unixstream:///a");
    assert_eq!(build(StatsdReporter::builder("here")), Err(BuildError::Target("here".into())));
    assert!(matches!(build(udp().with_prefix("p".repeat(61))), Err(BuildError::Prefix(_))));
    assert_eq!(build(udp().with_tag("a", "b")), Err(BuildError::Dialect("tags")));
    assert_eq!(build(udp().with_distributions(true)), Err(BuildError::Dialect("distributions")));
    assert_eq!(build(stream), Err(BuildError::Dialect("Unix streams")));
    assert_eq!(build(udp().with_prefix("p".repeat(60))), Ok(()));
}

/// Exact decimals: what a server adds up must come out exactly.
#[test]
fn decimals_are_exact() {
    static REGISTRY: Registry<2, 2> = Registry::new();
    static FINE: Details = Details::new().unit(Unit::new(BaseUnit::Joules, 1_000_000_000));
    let energy = REGISTRY.describe(&FINE).counter("energy").unwrap();
    let server = Server::new();
    let mut reporter = to(&server).build(Arc::new(Local::new(&REGISTRY))).unwrap();
    for (more, expected) in [(1, "0.000000001"), (4_000_000_001, "4.000000001"), (0, "0")] {
        energy.add(more);
        reporter.report().unwrap();
        assert_eq!(server.datagram(), format!("energy:{expected}|c"));
    }
}
