//! `tapes aggregate --rollup`, and what else an aggregator gives away: StatsD, lines, merged pages.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use gateway_support::{Gateway, PATIENCE, run, tapes};
use serde_json::Value as Json;
use tapes_core::wire::Origin;
use tapes_core::{Registry, layout};
use tapes_std::zmq::DistributedRegistry;

type Source = Registry<8, 512>;

/// A directory for one test, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("tapes-{name}-{}", std::process::id())))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn aggregate(options: &[&str]) -> Gateway {
    let fixed = ["aggregate", "--http", "127.0.0.1:0"];
    Gateway::spawn(Command::new(tapes()).args(fixed).args(options))
}

/// A source in this process that reports as a process of its own would.
fn source(endpoint: &str, number: u8) -> (&'static Source, DistributedRegistry<Source>) {
    let registry: &'static Source = Box::leak(Box::new(Registry::new()));
    let mut metrics = DistributedRegistry::new(registry, endpoint.parse().unwrap())
        .with_origin(Origin::from_array([number]))
        .with_interval(Duration::from_millis(5));
    metrics.connect().unwrap();
    (registry, metrics)
}

fn record(source: &Source, count: u32) {
    source.counter("events").unwrap().add(count);
    let layout = layout!(unit = micros, max = 1 s, scale = 2);
    let delay = source.timer::<1_000_000>("delay", layout).unwrap();
    (0..count).for_each(|i| delay.record(i * 37 % 5_000));
}

/// Asks for a page until a line of it begins with one text and ends with another.
fn wait_for(gateway: &Gateway, page: &str, begin: &str, end: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let body = gateway.get(page).body;
        let line = body.lines().find(|line| line.starts_with(begin) && line.ends_with(end));
        if let Some(line) = line {
            return line.to_owned();
        }
        assert!(Instant::now() < deadline, "no {begin}…{end} in {body}");
    }
}

/// If this fails, the top of a tree of sums is wrong after a kill, or has the sources after all.
#[test]
fn sums_survive_a_kill_and_take_the_place_of_their_sources() {
    let scratch = Scratch::new("sums");
    let root = aggregate(&["--bind", "tcp://127.0.0.1:0", "--state", &scratch.path("root")]);
    let above = root.wait_for("receiving at tcp://");
    let above = above.split_once("receiving at ").unwrap().1;
    let (endpoint, state) =
        (format!("ipc://{}", scratch.path("run/metrics")), scratch.path("leaf"));
    let fast = ["--forward-interval", "0.05", "--linger", "60"];
    let leaf = || {
        let options = ["--bind", &endpoint, "--forward", above, "--rollup", "--state", &state];
        aggregate(&[&options[..], &fast].concat())
    };
    let mut below = leaf();
    let mut sources: Vec<_> = (1..=3).map(|number| source(&endpoint, number)).collect();
    let mut total = 0;
    for round in 1..=3 {
        for (registry, _) in &sources {
            record(registry, 10 * round);
            total += 10 * round;
        }
        let line = wait_for(&root, "/metrics", "events_total{", &format!(" {total}"));
        assert_eq!(line.matches("device=").count(), 1);
        if round < 3 {
            // Dropping it kills it.
            drop(below);
            below = leaf();
        }
    }
    for page in ["/metrics", "/metrics/merged"] {
        wait_for(&root, page, "delay_seconds_count", &format!(" {total}"));
    }
    let page = root.get("/metrics").body;
    assert_eq!(page.matches("\nevents_total{").count(), 1, "one source: {page}");
    assert!(page.contains("tapes_rollup{device="), "it says what it is: {page}");
    let left_out = wait_for(&below, "/metrics", "tapes_rollup_left_out{reason=\"overlap\"}", " 0");
    assert!(!left_out.is_empty());
    for (_, metrics) in &mut sources {
        assert!(metrics.close(PATIENCE));
    }
}

/// If this fails, sums are forwarded that a restart would double.
#[test]
fn sums_need_a_state_and_somebody_to_go_to() {
    let with = |options: &[&str]| {
        let output = run(&[&["aggregate", "--no-http", "--rollup"], options].concat(), b"");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let to = ["--pull", "tcp://127.0.0.1:0", "--forward", "tcp://127.0.0.1:1"];
    let (code, said) = with(&to);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--state DIR"), "{said}");
    let (code, said) = with(&to[..2]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--forward"), "{said}");
}

/// If this fails, what goes out of an aggregator by StatsD and as lines is not what came in, or a
/// rule for gauges is wrong.
#[test]
fn an_aggregator_reports_through_every_adapter() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let statsd = server.local_addr().unwrap().to_string();
    let scratch = Scratch::new("outputs");
    let endpoint = format!("ipc://{}", scratch.path("run/metrics"));
    let options = ["--bind", &endpoint, "--statsd", &statsd, "--statsd-interval", "0.05"];
    let lines = ["--stream", "--stream-interval", "0.05"];
    let mut command = Command::new(tapes());
    command.args(["aggregate", "--http", "127.0.0.1:0"]).args(options).args(lines);
    let mut aggregator = Gateway::spawn(&mut command);
    let mut sources: Vec<_> = (1..=2).map(|number| source(&endpoint, number)).collect();
    for ((registry, _), level) in sources.iter().zip([-4.5, 1.5]) {
        let _ = registry.counter("events").unwrap();
        registry.gauge("level").unwrap().set(level);
    }
    let mut buffer = [0; 2_000];
    let mut datagram = || {
        let len = server.recv(&mut buffer).unwrap();
        std::str::from_utf8(&buffer[..len]).unwrap().to_owned()
    };
    // Counting begins where a source is first reported.
    let (mut seen, mut sums) = ([false; 2], [0; 2]);
    while seen != [true; 2] {
        let text = datagram();
        seen[0] |= text.contains("01.level:0|g\n01.level:-4.5|g");
        seen[1] |= text.contains("02.level:1.5|g");
    }
    for (registry, _) in &sources {
        record(registry, 40);
    }
    while sums != [40, 40] {
        for line in datagram().lines() {
            for (sum, name) in sums.iter_mut().zip(["01.events:", "02.events:"]) {
                let growth = line.strip_prefix(name).and_then(|rest| rest.strip_suffix("|c"));
                *sum += growth.map_or(0, |growth| growth.parse::<u32>().unwrap());
            }
        }
        assert!(sums.iter().all(|sum| *sum <= 40), "{sums:?}");
    }
    let stdout = BufReader::new(aggregator.stdout());
    let mut lines = stdout.lines().map(|line| serde_json::from_str::<Json>(&line.unwrap()));
    let line = lines.find_map(|line| {
        let line = line.unwrap();
        (line["02"]["events"]["value"] == 40).then_some(line)
    });
    assert_eq!(line.unwrap()["01"]["level"]["value"], -4.5);
    for (rule, value) in [("sum", "-3"), ("mean", "-1.5"), ("min", "-4.5"), ("max", "1.5")] {
        let series = format!("level{{over_devices=\"{rule}\"}}");
        wait_for(&aggregator, "/metrics/merged", &series, &format!(" {value}"));
    }
    let last = wait_for(&aggregator, "/metrics/merged", "level{over_devices=\"last\"}", "5");
    assert!([" -4.5", " 1.5"].iter().any(|value| last.ends_with(value)), "{last}");
    wait_for(&aggregator, "/metrics/merged", "events_total", " 80");
    for (_, metrics) in &mut sources {
        assert!(metrics.close(PATIENCE));
    }
}

/// If this fails, the option for the memory of the state does not bound it.
#[test]
fn the_memory_of_the_state_is_bounded() {
    let scratch = Scratch::new("memory");
    let endpoint = format!("ipc://{}", scratch.path("run/metrics"));
    let aggregator = aggregate(&["--bind", &endpoint, "--max-memory", "1"]);
    let wide = |number| {
        let registry: &'static Registry<1_100, 2_200> = Box::leak(Box::new(Registry::new()));
        (0..1_000).for_each(|i| registry.counter(&format!("c{i}")).unwrap().increment());
        let mut metrics = DistributedRegistry::new(registry, endpoint.parse().unwrap())
            .with_origin(Origin::from_array([number]))
            .with_interval(Duration::from_millis(5));
        metrics.connect().unwrap();
        metrics
    };
    let mut sources: Vec<_> = (1..=8).map(wide).collect();
    let deadline = Instant::now() + PATIENCE;
    while !aggregator.get("/metrics").body.contains("problem=\"full\"") {
        assert!(Instant::now() < deadline, "nothing is refused");
    }
    let bytes = aggregator.metric("tapes_state_bytes").unwrap();
    assert!(bytes > 500_000.0 && bytes <= f64::from(1 << 20), "{bytes}");
    assert!(!sources.iter_mut().all(|metrics| metrics.close(Duration::from_millis(100))));
}
