//! What real servers make of what is served: Prometheus in every format, and `VictoriaMetrics`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::sync::Arc;

use gateway_support::{Device, Gateway, Noise};
use tapes_core::metric::{Buckets, Descriptor, Kind, Timer, Unit, Value};
use tapes_core::{Layout, Registry, Source, metrics};
use tapes_std::http::{HttpServer, RunningServer};
use tapes_std::local::Local;
use tapes_tests::servers::{Job, Scraper, Scratch, promtool};
use tapes_tests::web;

metrics! {
    /// A service.
    static SERVICE: ServiceMetrics = "service" {
        /// Requests answered.
        requests: Counter,
        /// Bytes sent.
        sent: Meter [unit = bytes],
        /// Connections open.
        open: UpDown,
        /// Temperature of the room.
        room: Gauge<f32> [unit = celsius],
        /// Time to answer.
        answer_time: Timer [unit = micros, min = 16 us, max = 60 s, scale = 2],
    }
}

/// Durations in microseconds that are spread over four decades, and a few beyond the range.
fn durations() -> Vec<u32> {
    let mut noise = Noise(0x7a9e5);
    let spread = |noise: &mut Noise| {
        let octave = 3 + noise.below(14);
        u32::try_from((1 << octave) + noise.below(1 << octave)).unwrap()
    };
    let mut durations: Vec<u32> = (0..5_000).map(|_| spread(&mut noise)).collect();
    durations.extend([0, 3, 100_000_000, 2_000_000_000]);
    durations
}

/// The value below or at which a part of the durations lies.
fn quantile(sorted: &[u32], q: f64) -> f64 {
    let is_enough = |rank: &usize| *rank as f64 >= q * sorted.len() as f64;
    let rank = (1..=sorted.len()).find(is_enough).unwrap();
    f64::from(sorted[rank - 1]) / 1e6
}

static LAYOUT: &Layout = tapes_core::layout!(unit = micros, min = 16 us, max = 60 s, scale = 2);

/// Starts a server on a free port, by the thread that needs no runtime around it.
fn serve(source: &'static (impl Source + Sync)) -> RunningServer {
    let builder = HttpServer::builder().with_address("127.0.0.1:0".parse().unwrap());
    builder.build(Arc::new(Local::new(source))).unwrap().spawn().unwrap()
}

/// A format that a server reads as something else shows wrong numbers for years.
#[test]
fn servers_read_a_registry_exactly_in_every_format() {
    static REGISTRY: Registry<8, 512> = Registry::new();
    REGISTRY.attach(&SERVICE).unwrap();
    let late: Timer<'_> = REGISTRY.timer("service.late_time", LAYOUT).unwrap();
    SERVICE.requests.add(123_456_789);
    SERVICE.sent.mark_by(u32::MAX);
    SERVICE.open.add(-7);
    SERVICE.room.set(-3.25);
    let mut durations = durations();
    durations.iter().for_each(|duration| SERVICE.answer_time.record(*duration));
    durations.sort_unstable();
    let running = serve(&REGISTRY);
    let at = running.address();
    let formats = ["protobuf", "openmetrics", "text"];
    let as_format = |format| Job { format, ..Job::new(format, at) };
    let jobs: Vec<_> =
        [Job::new("negotiated", at)].into_iter().chain(formats.map(as_format)).collect();
    let prometheus = Scraper::prometheus(&jobs);
    let victoria = Scraper::victoria_metrics(&[Job::new("victoria", at)]);
    let count = durations.len() as f64;
    let sum = durations.iter().map(|duration| u64::from(*duration)).sum::<u64>() as f64 / 1e6;
    for job in ["negotiated", "protobuf", "openmetrics", "text"] {
        let series = |name: &str| format!("{name}{{job=\"{job}\"}}");
        prometheus.wait_until(&series("service_requests_total"), 123_456_789.0);
        for (name, expected) in [
            ("service_sent_bytes_total", f64::from(u32::MAX)),
            ("service_open", -7.0),
            ("service_room_celsius", -3.25),
            ("up", 1.0),
        ] {
            assert_eq!(prometheus.value(&series(name)), Some(expected), "{job} {name}");
        }
        let is_native = ["negotiated", "protobuf"].contains(&job);
        let of_histogram = |part: &str| {
            if is_native {
                format!("histogram_{part}(service_answer_time_seconds{{job=\"{job}\"}})")
            } else {
                series(&format!("service_answer_time_seconds_{part}"))
            }
        };
        assert_eq!(prometheus.value(&of_histogram("count")), Some(count), "{job}");
        assert_eq!(prometheus.value(&of_histogram("sum")), Some(sum), "{job}");
        // Five thousand values, all within the range: off by a bucket at most, whose bounds are a
        // factor of 2^(1/4) apart, or 2 where they are classic.
        let (buckets, factor) =
            if is_native { ("seconds", 1.190) } else { ("seconds_bucket", 2.0) };
        for q in [0.1, 0.5, 0.9, 0.99] {
            let query =
                format!("histogram_quantile({q}, service_answer_time_{buckets}{{job=\"{job}\"}})");
            let estimate = prometheus.value(&query).unwrap_or(f64::NAN);
            let off = estimate / quantile(&durations, q);
            assert!((1.0 / factor..=factor).contains(&off), "{job} q{q}: {off}");
        }
    }
    // Classic buckets count what lies below their bound.
    let below = |bound: f64| durations.iter().filter(|d| f64::from(**d) / 1e6 <= bound).count();
    for bound in ["1.52587890625e-05", "0.0078125", "0.125", "64.0"] {
        let selector = format!("{{job=\"text\",le=\"{bound}\"}}");
        let query = format!("service_answer_time_seconds_bucket{selector}");
        let expected = below(bound.parse().unwrap()) as f64;
        assert_eq!(prometheus.value(&query), Some(expected), "{bound}");
    }
    victoria.wait_until("service_requests_total{job=\"victoria\"}", 123_456_789.0);
    victoria.wait_until("service_answer_time_seconds_count{job=\"victoria\"}", count);
    // An empty histogram is one as well, and grows.
    let late_count = "histogram_count(service_late_time_seconds{job=\"negotiated\"})";
    assert_eq!(prometheus.value(late_count), Some(0.0));
    late.record(5);
    late.record(50_000);
    prometheus.wait_until(late_count, 2.0);
    assert_eq!(prometheus.target_errors(), vec![String::new(); 4]);
    assert_eq!(victoria.target_errors().iter().filter(|error| !error.is_empty()).count(), 0);
    let text = web::get(at, "/metrics?format=text");
    assert_eq!(promtool_of_described(text.text()), Ok(()));
}

/// Checks a text with `promtool`, which wants help texts; metrics that were made without get one.
fn promtool_of_described(text: &str) -> Result<(), String> {
    let mut described = String::new();
    let mut has_help = false;
    for line in text.lines() {
        if line.starts_with("# HELP") {
            has_help = true;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap_or("");
            if !has_help {
                described += &format!("# HELP {name} Something.\n");
            }
            has_help = false;
        }
        described += line;
        described.push('\n');
    }
    promtool(&described)
}

const TIMES: Buckets = Buckets { scale: 2, first: -80, len: 104 };

/// A board that has run for some seconds, as it introduces itself.
fn board(origin: &[u8], nonce: u32, seconds: u32) -> (Device, Vec<u8>) {
    let mut device = Device::new(origin, nonce);
    (0..seconds).for_each(|_| drop(device.hello()));
    let help = |name, kind, unit| Descriptor { help: "Help.", ..Descriptor::new(name, kind, unit) };
    let dictionary = [
        help("motor.loops", Kind::Counter, Unit::NONE),
        help("motor.loop_time", Kind::Timer(TIMES), Unit::MICROS),
    ];
    let first = [device.dict(&dictionary), device.hello()].concat();
    (device, first)
}

fn loops(device: &mut Device, loops: u64) -> Vec<u8> {
    use tapes_core::metric::{Counts, Distribution};
    let buckets = [0, 0, 0, loops];
    let counts = Counts { sum: 3 * loops, buckets: &buckets, ..Counts::default() };
    let times = Value::Distribution(Distribution::new(TIMES, counts));
    device.data(&[(0, Value::Unsigned(loops)), (1, times)])
}

/// A jump that a server takes for events is an alarm at night; one that it misses is a fault that
/// nobody sees.
#[test]
fn increases_are_right_through_reboots_restarts_and_late_boards() {
    let scratch = Scratch::new("increases");
    let state = scratch.path().join("state");
    let arguments = ["--stdin", "--state", state.to_str().unwrap()];
    let mut gateway = Gateway::start(&arguments);
    let (mut a, first) = board(&[0xe6, 1], 7, 0);
    gateway.feed(&[first, loops(&mut a, 10)].concat());
    gateway.wait_until("motor_loops_total{device=\"e601\"}", 10.0);
    let at = gateway.http;
    let merged = Job { path: "/metrics/merged", ..Job::new("merged", at) };
    let discovered = Job { path: "/sd", is_discovery: true, ..Job::new("sd", at) };
    let openmetrics = Job { format: "openmetrics", ..Job::new("openmetrics", at) };
    let text = Job { format: "text", ..Job::new("text", at) };
    let jobs = [Job::new("gateway", at), merged, discovered, openmetrics, text];
    let prometheus = Scraper::prometheus(&jobs);

    let of = |device: &str| format!("motor_loops_total{{job=\"gateway\",device=\"{device}\"}}");
    let merged = "motor_loops_total{job=\"merged\"}";
    prometheus.wait_until(&of("e601"), 10.0);
    let before = wait_for_value(&prometheus, merged);
    gateway.feed(&loops(&mut a, 25));
    prometheus.wait_until(&of("e601"), 25.0);
    prometheus.wait_until(merged, before + 15.0);
    // A board that has run for long is heard for the first time.
    let (mut old, first) = board(&[0xe6, 2], 9, 1_000);
    gateway.feed(&[first, loops(&mut old, 1_000_000)].concat());
    prometheus.wait_until(&of("e602"), 1_000_000.0);
    gateway.feed(&loops(&mut old, 1_000_004));
    prometheus.wait_until(&of("e602"), 1_000_004.0);
    prometheus.wait_until(merged, before + 19.0);
    // The first board loses power.
    let (mut a, first) = board(&[0xe6, 1], 8, 0);
    gateway.feed(&[first, loops(&mut a, 7)].concat());
    prometheus.wait_until(&of("e601"), 32.0);
    prometheus.wait_until(merged, before + 26.0);
    // The gateway is killed, and its successor hears the same life of the board go on.
    drop(gateway);
    let mut gateway = Gateway::start_at(&at.to_string(), &arguments);
    gateway.feed(&[a.hello(), loops(&mut a, 12)].concat());
    prometheus.wait_until(&of("e601"), 37.0);
    prometheus.wait_until(merged, before + 31.0);

    for (series, expected) in [(of("e601"), 27.0), (of("e602"), 4.0), (merged.to_owned(), 31.0)] {
        let scraped = prometheus.scraped(&series);
        assert!(scraped.is_sorted(), "{series} goes back: {scraped:?}");
        let increase = scraped.last().unwrap() - scraped.first().unwrap();
        assert_eq!(increase, expected, "{series}: {scraped:?}");
        assert_eq!(prometheus.value(&format!("resets({series}[10m])")), Some(0.0));
        // The server's own is extrapolated by a scrape interval at either end.
        let extrapolated = prometheus.value(&format!("increase({series}[10m])")).unwrap();
        assert!((expected..expected * 1.5).contains(&extrapolated), "{series}: {extrapolated}");
    }
    let times = "histogram_count(motor_loop_time_seconds{job=\"gateway\",device=\"e601\"})";
    assert_eq!(prometheus.value(times), Some(37.0));
    for job in ["openmetrics", "text"] {
        let times = format!("motor_loop_time_seconds_count{{job=\"{job}\",device=\"e602\"}}");
        prometheus.wait_until(&times, 1_000_004.0);
    }
    // What service discovery lists is scraped as a target of its own.
    prometheus.wait_until("motor_loops_total{job=\"sd\",instance=\"e601\"}", 37.0);
    prometheus.wait_until("up{job=\"sd\",instance=\"e601\"}", 1.0);
    tapes_tests::servers::wait_for("an answer for every target", || {
        prometheus.target_errors().iter().all(String::is_empty).then_some(())
    });
    assert_eq!(promtool_of_described(&gateway.get("/metrics").body), Ok(()));
}

/// A gateway that keeps nothing forgets earlier lives when it restarts; a sum that then falls reads
/// as a reset, and the server counts all of the last life again: 119 instead of 24.
#[test]
fn increases_without_state_are_right_through_reboots_and_restarts() {
    let mut gateway = Gateway::start(&["--stdin"]);
    let at = gateway.http;
    let prometheus = Scraper::prometheus(&[Job::new("gateway", at)]);
    let series = "motor_loops_total{device=\"e601\"}";
    let (mut a, first) = board(&[0xe6, 1], 7, 0);
    gateway.feed(&[first, loops(&mut a, 100)].concat());
    prometheus.wait_until(series, 100.0);
    gateway.feed(&loops(&mut a, 105));
    prometheus.wait_until(series, 105.0);
    // It loses power, and counts from zero.
    let (mut a, first) = board(&[0xe6, 1], 8, 0);
    gateway.feed(&[first, loops(&mut a, 7)].concat());
    prometheus.wait_until(series, 7.0);
    gateway.feed(&loops(&mut a, 12));
    prometheus.wait_until(series, 12.0);
    // So does the gateway, whose successor hears the same life of the board go on.
    drop(gateway);
    let mut gateway = Gateway::start_at(&at.to_string(), &["--stdin"]);
    let dictionary = [board(&[0xe6, 1], 8, 0).1, a.hello()].concat();
    gateway.feed(&[dictionary, loops(&mut a, 19)].concat());
    prometheus.wait_until(series, 19.0);

    let scraped = prometheus.scraped(series);
    let increase: f64 = scraped
        .windows(2)
        .map(|pair| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] })
        .sum();
    assert_eq!(increase, 24.0, "{scraped:?}");
    assert_eq!(prometheus.value(&format!("resets({series}[10m])")), Some(1.0), "{scraped:?}");
}

fn wait_for_value(prometheus: &Scraper, query: &str) -> f64 {
    tapes_tests::servers::wait_for(query, || prometheus.value(query))
}
