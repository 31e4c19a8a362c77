//! The live page in a real browser: its numbers, its manners towards names, its pace, its limits.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use gateway_support::{Device, Gateway, PATIENCE};
use tapes_core::metric::{
    Buckets, Counts, Descriptor, Dimension, Dimensions, Distribution, Kind, Labels, Unit, Value,
};
use tapes_core::{Counter, Gauge, Registry, Timer, layout};
use tapes_std::exposition::{Exposition, FamilyWriter, LiveWriter, View};
use tapes_std::http::HttpServer;
use tapes_std::local::Local;

/// Runs one of the scripts in `tests/page` on a page.
fn look(script: &str, address: impl fmt::Display) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
    let mut node = Command::new("node");
    node.current_dir(folder).arg(script).arg(format!("http://{address}/"));
    let output = node.output().expect("Node.js runs; `cargo xtask test` sets it up");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

const BUCKETS: Buckets = Buckets { scale: 2, first: -80, len: 104 };
const FAULTS: [Dimension<'static>; 1] =
    [Dimension { name: "fault", values: &["overheat", "stall"] }];
const MARKUP: &str = "<img src=x onerror=window.hacked=1>";

/// Every kind of metric, and labels and help that are markup.
fn dictionary() -> Vec<Descriptor<'static>> {
    let named = Descriptor::new;
    vec![
        named("motor.loops", Kind::Counter, Unit::NONE),
        named("motor.total", Kind::Counter, Unit::NONE),
        named("motor.commands", Kind::Meter, Unit::NONE),
        named("motor.level", Kind::UpDown, Unit::NONE),
        named("motor.temperature", Kind::GaugeFloat, Unit::CELSIUS),
        named("motor.unset", Kind::GaugeFloat, Unit::CELSIUS),
        named("motor.loop_time", Kind::Timer(BUCKETS), Unit::MICROS),
        named("sizes", Kind::Histogram(BUCKETS), Unit::BYTES),
        Descriptor {
            dimensions: Dimensions::new(&FAULTS),
            ..named("faults", Kind::Counter, Unit::NONE)
        },
        Descriptor {
            help: MARKUP,
            labels: Labels::new(&[("place", MARKUP)]),
            ..named("room", Kind::GaugeUint, Unit::NONE)
        },
    ]
}

/// Values of a device, of which the larger `more` is, the more were recorded.
fn values(loops: u64, more: u64, buckets: &[u64]) -> Vec<(u32, Value<'_>)> {
    let counts = Counts {
        sum: 1_234_567 * loops + more,
        min: Some(3),
        max: Some(70_000),
        zero: 1,
        overflow: 2,
        buckets,
    };
    let distribution = || Value::Distribution(Distribution::new(BUCKETS, counts));
    vec![
        (0, Value::Unsigned(loops)),
        // More than a double can say.
        (1, Value::Unsigned((1 << 60) + loops)),
        (2, Value::Unsigned(loops * 1_000)),
        (3, Value::Signed(-7)),
        (4, Value::F32(36.56)),
        (5, Value::Null),
        (6, distribution()),
        (7, distribution()),
        (9, Value::Unsigned(40)),
    ]
}

fn gateway() -> Gateway {
    // The window is so long that nothing leaves it while somebody looks.
    let mut gateway = Gateway::start(&["--stdin", "--window", "36000"]);
    for (id, loops) in [(1, 3), (2, 5)] {
        let mut device = Device::new(&[0xe6, id], id.into());
        let (before, after) = ([0, loops, 0, 9, 400], [0, loops, 0, 9, 400, 0, 77, 5]);
        let introduction = [device.hello(), device.dict(&dictionary())].concat();
        // Only what comes after the first report was recorded lately; a device that reports so
        // seldom stays live while somebody looks.
        let first = device.data(&values(loops, 0, &before));
        device.wait(600);
        let second = device.data(&values(loops, 4_321, &after));
        gateway.feed(&[introduction, first, second].concat());
    }
    gateway.wait_until("motor_loops_total{device=\"e602\"}", 5.0);
    gateway.wait_until("sizes_bytes_count{device=\"e602\"}", 499.0);
    gateway
}

/// If this fails, people see other numbers than machines do.
#[test]
fn the_page_shows_what_stats_says() {
    look("values.mjs", gateway().http);
}

/// If this fails, whoever names a device runs programs in the browser of who looks at it.
#[test]
fn names_run_no_scripts() {
    look("hostile.mjs", gateway().http);
}

static MANY: Registry<1_000, 20_000> = Registry::new();

/// A thousand metrics, all of which change between two looks.
#[derive(Debug)]
struct Many {
    local: Local<Registry<1_000, 20_000>>,
    counters: Vec<Counter<'static>>,
    gauges: Vec<Gauge<'static, u32>>,
    timers: Vec<Timer<'static, 1_000_000>>,
}

impl Many {
    fn new() -> Self {
        let (mut counters, mut gauges, mut timers) = (Vec::new(), Vec::new(), Vec::new());
        let layout = layout!(unit = micros, max = 1 s, scale = 2);
        for i in 0..1_000 {
            let name: &'static str = format!("group{}.metric_{}", i / 100, i % 100).leak();
            match i % 10 {
                0 => timers.push(MANY.timer::<1_000_000>(name, layout).unwrap()),
                1..=3 => gauges.push(MANY.gauge::<u32>(name).unwrap()),
                _ => counters.push(MANY.counter(name).unwrap()),
            }
        }
        Self { local: Local::new(&MANY), counters, gauges, timers }
    }
}

impl Exposition for Many {
    fn families(&self, view: View<'_>, out: &mut dyn FamilyWriter) -> Result<bool, fmt::Error> {
        self.local.families(view, out)
    }

    fn stats(&self, path: &[&str], out: &mut String) -> Result<bool, fmt::Error> {
        self.local.stats(path, out)
    }

    fn live(&self, out: &mut dyn LiveWriter) -> fmt::Result {
        for (i, counter) in (1..).zip(&self.counters) {
            counter.add(i);
        }
        let looks = u32::try_from(self.counters[0].value()).unwrap();
        self.gauges.iter().for_each(|gauge| gauge.set(looks));
        for (i, timer) in (1..).zip(&self.timers) {
            (0..20).for_each(|n| timer.record(i * 10 + n * n));
        }
        self.local.live(out)
    }
}

/// If this fails, the page of a large program cannot be used, or not without a mouse.
#[test]
fn a_thousand_metrics_stay_usable() {
    let server = HttpServer::builder().with_address("127.0.0.1:0".parse().unwrap());
    let running = server.build(Arc::new(Many::new())).unwrap().spawn().unwrap();
    look("many.mjs", running.address());
    running.stop();
}

/// If this fails, open pages take memory and connections without end, or a closed one keeps its.
#[test]
fn live_pages_are_bounded() {
    static REGISTRY: Registry<1, 1> = Registry::new();
    REGISTRY.counter("a").unwrap().increment();
    let server = HttpServer::builder().with_address("127.0.0.1:0".parse().unwrap());
    let server = server.with_live_pages(2).build(Arc::new(Local::new(&REGISTRY)));
    let running = server.unwrap().spawn().unwrap();
    let open = || {
        let mut stream = TcpStream::connect(running.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /live/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let status = lines.next().unwrap_or_default();
        (status, lines)
    };
    let is_data = |line: &String| line.contains("data: {\"version\":");
    let (mut first, mut second) = (open(), open());
    for (status, lines) in [&mut first, &mut second] {
        assert!(status.contains(" 200 "), "{status}");
        assert!(lines.any(|line| is_data(&line)));
    }
    let (status, _) = open();
    assert!(status.contains(" 503 "), "{status}");
    drop(first);
    tapes_tests::servers::wait_for("a place", || {
        let (status, mut lines) = open();
        (status.contains(" 200 ") && lines.any(|line| is_data(&line))).then_some(())
    });
    // Stopping does not wait for those who watch, and ends what they read.
    running.stop();
    assert!(second.1.last().is_some());
}
