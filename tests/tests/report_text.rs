//! The text reporter, against the encoders that write everything at once.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tapes_core::metric::{Dimension, Kind};
use tapes_core::rates::RateReading;
use tapes_core::report::{Json, Prometheus, ReportError, Statsd, Syntax, TextReporter, TextWriter};
use tapes_core::statistics::Statistics;
use tapes_core::text::json::write_json;
use tapes_core::text::prometheus::{Format, write_prometheus};
use tapes_core::text::statsd::{self, Dialect};
use tapes_core::{Group, Label, Registry, Source, clock::ManualClock, metrics};

#[derive(Clone, Copy)]
enum Fault {
    Overheat,
    Stall,
}

impl Label for Fault {
    const DIMENSION: Dimension<'static> =
        Dimension { name: "fault", values: &["over\"heat\"", "stall"] };

    fn index(self) -> usize {
        self as usize
    }
}

metrics! {
    /// The left motor.
    static LEFT: MotorMetrics = "motor", labels(side = "left") {
        /// Passes.
        loops: Counter,
        /// Winding temperature.
        temperature: Gauge<f32> [unit = celsius],
        /// Time of one pass.
        loop_time: Timer [max = 1 s, scale = 2],
        faults: Counter per Fault,
        commands: Meter,
    }
}

metrics! {
    /// The right motor: the same names, so the same families.
    static RIGHT: RightMetrics = "motor", labels(side = "right") {
        /// Passes.
        loops: Counter,
        balance: UpDown,
        faults: Counter per Fault,
    }
}

metrics! {
    /// Clashes with a series of the histogram `motor.loop_time`.
    static CLASH: ClashMetrics = "motor" {
        loop_time_seconds_count: Gauge<i32>,
        loop_time_inner: Histogram [max = 100, scale = 0],
    }
}

static SOURCES: [Group<'static>; 3] = [LEFT.group(), RIGHT.group(), CLASH.group()];

fn record() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let clock = ManualClock::<1_000_000>::new();
        LEFT.loops.add(1_234);
        LEFT.temperature.set(-36.5);
        LEFT.faults.of(Fault::Overheat).increment();
        RIGHT.faults.of(Fault::Stall).add(7);
        RIGHT.balance.decrement();
        LEFT.commands.mark();
        CLASH.loop_time_seconds_count.set(-5);
        for us in [0, 3, 7, 90, 100, 110, 250, 8_000, 999_999, 5_000_000] {
            LEFT.loop_time.time(&clock, || clock.advance(us));
            CLASH.loop_time_inner.record(us);
        }
    });
}

fn rates(id: u32, cell: u32) -> Option<RateReading> {
    let mean = 1.0 + id as f32 + cell as f32;
    (id == 4).then_some(RateReading { m1: 0.5, m5: 1e-7, m15: 0.0, mean })
}

fn chunks<S: Syntax, const BUCKETS: usize, const CHUNK: usize>(
    reporter: &mut TextReporter<S, BUCKETS, CHUNK>,
    source: &dyn Source,
) -> String {
    let mut bytes = Vec::new();
    reporter.begin();
    while let Some(chunk) = reporter.next_chunk(source, &rates) {
        assert!(!chunk.is_empty() && chunk.len() <= CHUNK);
        bytes.extend_from_slice(chunk);
    }
    assert!(reporter.next_chunk(source, &rates).is_none(), "the end is the end");
    String::from_utf8(bytes).expect("text is text")
}

/// Writes twice, in chunks of many sizes.
fn check<S: Syntax + Copy>(label: &str, syntax: S, source: &dyn Source, expected: &str) {
    macro_rules! sizes {
        ($($size:literal)*) => {$(
            let mut reporter = TextReporter::<S, 90, $size>::new(syntax);
            for round in 0..2 {
                let text = chunks(&mut reporter, source);
                assert_eq!(text, expected, "{label}, chunks of {}, round {round}", $size);
            }
            assert_eq!(reporter.dropped(), 0, "{label}, chunks of {}", $size);
        )*};
    }
    sizes!(1 2 3 7 16 61 64 128 500 4096 20000);
}

fn sources() -> Vec<(&'static str, Box<dyn Source>)> {
    static REGISTRY: Registry<12, 256> = Registry::new();
    record();
    if REGISTRY.metrics() == 0 {
        let queue = REGISTRY.gauge::<u32>("z.queue").expect("there is room");
        queue.set(3);
        REGISTRY.attach(&LEFT).expect("there is room");
        REGISTRY.gauge_fn("a.supply", || 3.3f32).expect("there is room");
        let _ = REGISTRY.gauge::<f32>("a.unset").expect("there is room");
        REGISTRY.meter("m").expect("there is room").mark();
    }
    vec![
        ("groups", Box::new(SOURCES)),
        ("registry", Box::new(REGISTRY.view())),
        ("filtered", Box::new(SOURCES.as_slice()[1])),
        ("nothing", Box::new(<[Group<'static>; 0]>::default())),
    ]
}

/// A chunk border that loses, doubles or moves a byte breaks a document for good.
#[test]
fn json_in_chunks_is_json() {
    for (label, source) in sources() {
        let mut expected = String::new();
        write_json(&*source, &rates, &mut expected).unwrap();
        serde_json::from_str::<serde_json::Value>(&expected).unwrap();
        expected.push('\n');
        check(label, Json::new(), &*source, &expected);
    }
}

/// As above; a family torn apart would be refused by a server.
#[test]
fn expositions_in_chunks_are_expositions() {
    for (label, source) in sources() {
        for format in [Format::Prometheus, Format::OpenMetrics] {
            let mut expected = String::new();
            write_prometheus(&*source, format, &mut expected).unwrap();
            check(label, Prometheus::new(format), &*source, &expected);
        }
    }
}

/// As above, line by line.
#[test]
fn statsd_lines_in_chunks_are_lines() {
    const TAGS: [(&str, &str); 1] = [("board", "x")];
    for (label, source) in sources() {
        for dialect in [Dialect::Etsy, Dialect::DogStatsd, Dialect::Tapes] {
            let mut expected = String::new();
            let mut buffer = [0; 600];
            let mut encoder = statsd::Encoder::new(dialect, &mut buffer)
                .with_prefix("p")
                .with_tags(&TAGS)
                .with_totals(true);
            let _ = source.visit(0, &mut |sample| {
                encoder.metric(
                    &sample.descriptor(),
                    sample.cell,
                    &sample.value,
                    None,
                    rates(sample.id, sample.cell),
                    &mut |line| writeln!(expected, "{line}").unwrap(),
                );
                std::ops::ControlFlow::Continue(())
            });
            let syntax = Statsd::new(dialect).with_prefix("p").with_tags(&TAGS);
            check(label, syntax, &*source, &expected);
        }
    }
}

/// A histogram that changes while it is written would contradict itself: `+Inf` and `_count`.
#[test]
fn histograms_do_not_change_while_they_are_written() {
    metrics! {
        static BUSY: BusyMetrics = "busy" { sizes: Histogram [max = 1 s, unit = millis] }
    }
    let mut reporter = TextReporter::<_, 64, 8>::new(Prometheus::new(Format::OpenMetrics));
    let mut text = Vec::new();
    reporter.begin();
    while let Some(chunk) = reporter.next_chunk(&BUSY, &|_, _| None) {
        text.extend_from_slice(chunk);
        BUSY.sizes.record(3);
    }
    let text = String::from_utf8(text).unwrap();
    let value = |series: &str| {
        let line = text.lines().find(|line| line.starts_with(series)).unwrap();
        line.rsplit_once(' ').unwrap().1.to_owned()
    };
    assert_ne!(value("busy_sizes_seconds_count"), "0", "it did change");
    assert_eq!(value("busy_sizes_seconds_bucket{le=\"+Inf\"}"), value("busy_sizes_seconds_count"));
}

/// Too little room must cost accuracy first, then the metric, never the document.
#[test]
fn little_room_for_buckets() {
    record();
    let count = |text: &str| {
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        json["motor"]["loop_time"]["count"].as_u64()
    };
    let mut coarse = TextReporter::<_, 24, 64>::new(Json::new());
    assert_eq!(count(&chunks(&mut coarse, &LEFT)), Some(10));
    assert_eq!(coarse.dropped(), 0);
    let mut none = TextReporter::<_, 0, 64>::new(Json::new());
    let text = chunks(&mut none, &LEFT);
    assert_eq!((count(&text), none.dropped()), (None, 1));
    assert!(text.contains("\"loops\":{\"value\":1234}"), "{text}");
}

/// A line that was cut must not spoil the next one.
#[test]
fn after_a_failure_a_line_feed() {
    record();
    let mut expected = String::new();
    write_json(&RIGHT, &|_, _| None, &mut expected).unwrap();
    let whole = expected.clone() + "\n";
    let mut reporter = TextReporter::<_, 0, 16>::new(Json::new());
    let len = reporter.report(&RIGHT, &mut Line::new(usize::MAX)).unwrap();
    assert_eq!(len as usize, whole.len());
    for room in [0, 1, 16, 40, whole.len() - 1] {
        let mut line = Line::new(room);
        assert_eq!(reporter.report(&RIGHT, &mut line), Err(ReportError::WriteZero), "{room}");
        line.room = usize::MAX;
        line.text.clear();
        reporter.report(&RIGHT, &mut line).unwrap();
        assert_eq!(line.text, "\n".to_owned() + &whole, "{room}");
        line.text.clear();
        reporter.report(&RIGHT, &mut line).unwrap();
        assert_eq!(line.text, whole, "{room}");
    }
}

/// An asynchronous writer that stalls and takes single bytes must get the same bytes.
#[test]
fn over_a_slow_writer() {
    record();
    let mut expected = String::new();
    write_prometheus(&SOURCES, Format::Prometheus, &mut expected).unwrap();
    let mut reporter = TextReporter::<_, 90, 32>::new(Prometheus::new(Format::Prometheus));
    let mut line = Line::new(usize::MAX);
    for _ in 0..2 {
        line.text.clear();
        let len = block_on(reporter.report_async(&SOURCES, &mut line)).unwrap();
        assert_eq!((line.text.as_str(), len as usize), (expected.as_str(), expected.len()));
    }
    assert_eq!(line.flushes, 2);
    // Given up in the middle.
    {
        let mut report = pin!(reporter.report_async(&SOURCES, &mut line));
        for _ in 0..20 {
            assert!(report.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    }
    line.text.clear();
    block_on(reporter.report_async(&SOURCES, &mut line)).unwrap();
    assert_eq!(line.text, "\n".to_owned() + &expected);
}

/// An error that `core::fmt` swallows must come out at the end, and nothing be sent after it.
#[test]
fn errors_of_a_text_writer_are_kept() {
    record();
    let mut expected = String::new();
    write_json(&SOURCES, &rates, &mut expected).unwrap();
    let mut line = Line::new(usize::MAX);
    let mut text = TextWriter::<_, 7>::new(&mut line);
    write_json(&SOURCES, &rates, &mut text).unwrap();
    assert_eq!(text.finish().map(|len| len as usize), Ok(expected.len()));
    assert_eq!((line.text, line.flushes), (expected.clone(), 1));

    let mut line = Line::new(30);
    let mut text = TextWriter::<_, 7>::new(&mut line);
    assert!(write_json(&SOURCES, &rates, &mut text).is_err());
    assert!(text.write_str("more").is_err());
    assert_eq!(text.finish(), Err(ReportError::WriteZero));
    assert_eq!((line.text.as_str(), line.flushes), (&expected[..30], 0));
}

/// A writer with room for some bytes, which takes at most three at a time.
struct Line {
    text: String,
    room: usize,
    flushes: u32,
    stall: bool,
}

impl Line {
    fn new(room: usize) -> Self {
        Self { text: String::new(), room, flushes: 0, stall: false }
    }
}

impl embedded_io::ErrorType for Line {
    type Error = Infallible;
}

impl embedded_io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let len = bytes.len().min(3).min(self.room);
        self.text += std::str::from_utf8(&bytes[..len]).expect("this text is ASCII");
        self.room -= len;
        Ok(len)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.flushes += 1;
        Ok(())
    }
}

impl embedded_io_async::Write for Line {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        std::future::poll_fn(|_| {
            self.stall = !self.stall;
            if self.stall { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        embedded_io::Write::write(self, bytes)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        embedded_io::Write::flush(self)
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

/// Every statistic, with its key in JSON and the end of its name in StatsD, where it has a line.
const STATISTICS: [(Statistics, &str, Option<&str>); 16] = [
    (Statistics::COUNT, "count", Some("total")),
    (Statistics::M1, "m1", Some("m1_rate")),
    (Statistics::M5, "m5", Some("m5_rate")),
    (Statistics::M15, "m15", Some("m15_rate")),
    (Statistics::MEAN_RATE, "mean_rate", Some("mean_rate")),
    (Statistics::SUM, "sum", None),
    (Statistics::MIN, "min", Some("min")),
    (Statistics::MAX, "max", Some("max")),
    (Statistics::MEAN, "mean", Some("mean")),
    (Statistics::STDDEV, "stddev", Some("stddev")),
    (Statistics::Q50, "q50", Some("q50")),
    (Statistics::Q75, "q75", Some("q75")),
    (Statistics::Q95, "q95", Some("q95")),
    (Statistics::Q98, "q98", Some("q98")),
    (Statistics::Q99, "q99", Some("q99")),
    (Statistics::Q999, "q999", Some("q999")),
];

fn keys(json: &serde_json::Value) -> Vec<&str> {
    json.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// A reporter would send what nobody asked for, or a statistic under the name of another.
#[test]
fn each_reporter_sends_the_statistics_it_was_told_to() {
    record();
    let json = |statistics| {
        let syntax = Json::new().with_statistics(statistics);
        let text = chunks(&mut TextReporter::<_, 90, 4096>::new(syntax), &LEFT);
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["motor"].take()
    };
    let whole = json(Statistics::ALL);
    for (statistic, key, suffix) in STATISTICS {
        let one = json(statistic);
        assert_eq!(keys(&one["loop_time"]), [key]);
        assert_eq!(one["loop_time"][key], whole["loop_time"][key], "{key}");
        assert_eq!(one["loops"], whole["loops"], "the value of a counter is no statistic");
        let of_meter = Statistics::COUNT.with(Statistics::RATES).contains(statistic);
        assert_eq!(keys(&one["commands"]).len(), usize::from(of_meter), "{key}");
        let rest = json(Statistics::ALL.without(statistic));
        assert_eq!(keys(&rest["loop_time"]).len(), 15, "{key}");
        assert!(!keys(&rest["loop_time"]).contains(&key));
        let syntax = Statsd::new(Dialect::Etsy).with_statistics(statistic);
        let text = chunks(&mut TextReporter::<_, 90, 4096>::new(syntax), &LEFT);
        // Only of the meter are there rates.
        let is_rate = Statistics::RATES.contains(statistic);
        let name = if is_rate { "motor.commands." } else { "motor.loop_time." };
        let lines = text.lines().filter_map(|line| line.strip_prefix(name));
        let sent: Vec<_> = lines.filter_map(|line| Some(line.split_once(':')?.0)).collect();
        assert_eq!(sent, suffix.into_iter().collect::<Vec<_>>(), "{key}");
        assert!(text.contains("motor.loops.total:1234|g\n"), "{text}");
    }
    // Those of the Python library, in one place for parity.
    let mut tapes: Vec<&str> =
        "count m1 m5 m15 min max mean stddev q50 q75 q95 q98 q99 q999".split(' ').collect();
    tapes.sort_unstable();
    let mut ours = json(Statistics::TAPES);
    ours["loop_time"].sort_all_objects();
    assert_eq!(keys(&ours["loop_time"]), tapes);
}

/// A reporter that wants few metrics would send all, or one reporter's wish would be another's.
#[test]
fn each_reporter_sends_the_metrics_it_was_told_to() {
    record();
    let text =
        |source: &dyn Source| chunks(&mut TextReporter::<_, 90, 64>::new(Json::new()), source);
    let named = |text: &str| {
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        json.get("motor").map_or(Vec::new(), |tree| {
            keys(tree).into_iter().map(str::to_owned).collect::<Vec<_>>()
        })
    };
    let prefix = LEFT.filter(|it| it.name.starts_with("motor.loop"));
    let kind = LEFT.filter(|it| matches!(it.kind, Kind::Timer(_) | Kind::Meter));
    let any = |it: &tapes_core::metric::Descriptor<'_>| it.help.contains("emperature");
    let nothing = LEFT.filter(|_| false);
    let both = prefix.filter(|it| it.kind == Kind::Counter);
    for (label, source, expected) in [
        ("prefix", &prefix as &dyn Source, vec!["loop_time", "loops"]),
        ("kind", &kind, vec!["commands", "loop_time"]),
        ("predicate", &LEFT.filter(any), vec!["temperature"]),
        ("both", &both, vec!["loops"]),
        ("nothing", &nothing, vec![]),
    ] {
        assert_eq!(named(&text(source)), expected, "{label}");
    }
    assert_eq!(named(&text(&LEFT)).len(), 5, "the source itself is as it was");
}

metrics! {
    /// Names that begin alike, and gauges at zero and below.
    static LEVELS: LevelMetrics = "level" {
        a: Gauge<i32>,
        ab: Gauge<i32>,
        abc: Gauge<f32>,
        b: Gauge<i32>,
        bc: Gauge<i32>,
        wait: Timer [max = 1 s, scale = 2],
    }
}

/// The lines of a report, from datagrams of at most `PACKET` bytes; whether a gauge is `signed` as it is.
fn datagrams<const PACKET: usize>(
    syntax: Statsd,
    signed: bool,
    source: &dyn Source,
) -> Vec<String> {
    let mut reporter = TextReporter::<_, 90, PACKET>::new(syntax);
    let mut lines = Vec::new();
    // The first report is given up after one datagram.
    for round in 0..3 {
        reporter.begin();
        lines.clear();
        while let Some(datagram) = reporter.next_packet(source, &rates) {
            assert!(!datagram.is_empty() && datagram.len() <= PACKET);
            let text = std::str::from_utf8(datagram).expect("text is text");
            assert!(text.lines().all(|line| line.contains('|') && !line.ends_with('\n')), "{text}");
            let mut before = "";
            for line in text.lines() {
                if let Some((name, _)) = line.split_once(":-").filter(|_| !signed) {
                    assert_eq!(before, format!("{name}:0|g"), "alone this is a change");
                }
                before = line;
                lines.push(line.to_owned());
            }
            if round == 0 {
                break;
            }
        }
    }
    assert_eq!(reporter.dropped(), 0);
    lines
}

/// A StatsD server would be told half a line, one twice or none, or take a negative gauge for a change.
#[test]
fn datagrams_hold_whole_lines() {
    record();
    LEVELS.a.set(0);
    LEVELS.ab.set(-1);
    LEVELS.abc.set(-2.5);
    LEVELS.b.set(0);
    LEVELS.bc.set(-7);
    LEVELS.wait.record(3);
    let sources: [Group<'static>; 4] =
        [LEVELS.group(), LEFT.group(), LEVELS.group(), RIGHT.group()];
    for dialect in [Dialect::Etsy, Dialect::DogStatsd, Dialect::Tapes] {
        let signed = dialect == Dialect::DogStatsd;
        // Prefixes of many lengths put the cut everywhere.
        for len in (0..=statsd::PREFIX_LEN_MAX).step_by(4) {
            let prefix = &"x".repeat(statsd::PREFIX_LEN_MAX)[..len];
            let prefix: &'static str = prefix.to_owned().leak();
            let syntax = Statsd::new(dialect).with_prefix(prefix);
            let mut whole = TextReporter::<_, 90, 20_000>::new(syntax);
            let expected = chunks(&mut whole, &sources);
            let expected: Vec<&str> = expected.lines().collect();
            assert_eq!(datagrams::<513>(syntax, signed, &sources), expected, "{dialect:?} {len}");
            assert_eq!(datagrams::<600>(syntax, signed, &sources), expected, "{dialect:?} {len}");
            assert_eq!(datagrams::<1_432>(syntax, signed, &sources), expected, "{dialect:?} {len}");
        }
    }
}
