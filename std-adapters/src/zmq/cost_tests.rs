//! What a source costs, on the wire and at a receiver: what `docs/zeromq.md` estimates with.

use std::sync::Arc;
use std::time::Duration;

use tapes_core::wire::{Epoch, Identity, Origin};
use tapes_core::{Registry, layout};

use super::courier::Courier;
use super::frames::{Frames, Life};
use super::records::Records;
use super::testing::{Node, Process, Wire, forward, step};
use crate::clock::ManualTime;

/// Most bytes of a report in which everything changed, from a process and between receivers.
const REPORT_LEN: u64 = 250;

/// Most bytes of memory that a source takes at a receiver.
const MEMORY: u64 = 9_000;

/// Seconds between reports of a source in the estimate.
const INTERVAL_S: u64 = 10;

/// A process with 12 counters, 4 gauges and 3 timers.
struct Worker {
    registry: &'static Registry<32, 1_024>,
    courier: Courier<Wire, Frames<Registry<32, 1_024>>>,
}

impl Worker {
    fn new(number: u64, receiver: &Node) -> Self {
        let registry: &'static Registry<32, 1_024> = Box::leak(Box::new(Registry::new()));
        let origin = Origin::from_array(number.to_be_bytes());
        let identity = Identity::new(origin, Epoch::new(0, 1), 1_000);
        let life = Life { identity, first_seq: 0, age: Duration::ZERO };
        let second = Duration::from_secs(1);
        let frames = Frames::new(registry, life, second);
        Self { registry, courier: Courier::new(receiver.net.connect(), frames, second) }
    }

    /// Changes all metrics.
    fn work(&self, second: u16) {
        for i in 0..12 {
            self.registry.counter(&format!("worker.counter_{i}")).unwrap().add(1_000 + i);
        }
        for i in 0..4 {
            let level = self.registry.gauge::<f32>(&format!("worker.level_{i}")).unwrap();
            level.set(f32::from(second) * 0.37);
        }
        for name in ["worker.request_time", "worker.query_time", "worker.wait_time"] {
            let layout = layout!(unit = micros, max = 60 s, scale = 2);
            let timer = self.registry.timer::<1_000_000>(name, layout).unwrap();
            (0..40).for_each(|i| timer.record(500 + i * 97));
        }
    }
}

/// What a source costs.
#[derive(Debug)]
struct Cost {
    /// Bytes of a report from a process, and of what a receiver says of it to the next.
    report_lens: [u64; 2],
    memory: u64,
}

/// Runs so many sources that report to a leaf, which forwards to a root.
fn cost(sources: u64) -> Cost {
    const SECONDS: u16 = 20;
    let time = Arc::new(ManualTime::new());
    let (mut leaf, mut root) = (Node::new(&time), Node::new(&time));
    let mut workers: Vec<_> = (0..sources).map(|number| Worker::new(number, &leaf)).collect();
    let records = Records::new(leaf.fleet.clone(), None);
    let mut up = Courier::new(root.net.connect(), records, Duration::from_secs(1));
    let mut before = [(0, 0); 2];
    let sent = |workers: &[Worker], up: &Courier<Wire, Records>| {
        let all = || workers.iter().map(|worker| worker.courier.stats());
        let down = (all().map(|s| s.bytes).sum::<u64>(), all().map(|s| s.reports).sum());
        [down, (up.stats().bytes, up.stats().reports * sources)]
    };
    for second in 0..2 * SECONDS {
        for worker in &mut workers {
            worker.work(second);
            step(&mut worker.courier, &time);
        }
        leaf.turn();
        step(&mut up, &time);
        root.turn();
        if second == SECONDS {
            before = sent(&workers, &up);
        }
        time.advance(Duration::from_secs(1));
        workers.iter_mut().for_each(|worker| step(&mut worker.courier, &time));
        step(&mut up, &time);
    }
    let after = sent(&workers, &up);
    let report_lens = [0, 1].map(|at: usize| {
        let (bytes, reports) = (after[at].0 - before[at].0, after[at].1 - before[at].1);
        assert!(reports >= sources * u64::from(SECONDS) / 2, "level {at} reports");
        bytes / reports
    });
    let devices = root.fleet.snapshot().devices.len() as u64;
    assert_eq!(devices, sources, "all of them reach the root");
    let memory = root.fleet.lock().state().bytes() as u64 / sources;
    Cost { report_lens, memory }
}

/// If this fails, the estimate of how a tree grows is wrong.
#[test]
fn a_source_costs_what_the_document_says_however_many_there_are() {
    let [few, many] = [40, 200].map(cost);
    eprintln!("{few:?}, {many:?}");
    for cost in [&few, &many] {
        assert!(cost.report_lens.iter().all(|len| *len <= REPORT_LEN), "{cost:?}");
        assert!(cost.memory <= MEMORY, "{cost:?}");
    }
    let grows = |few: u64, many: u64| many * 100 > few * 105;
    assert!(!grows(few.memory, many.memory), "{few:?}, {many:?}");
    let lens = few.report_lens.into_iter().zip(many.report_lens);
    lens.for_each(|(few, many)| assert!(!grows(few, many), "{few}, {many}"));
}

/// If this fails, the table of the estimate was not worked out with these numbers.
#[test]
fn the_estimate_follows_from_what_a_source_costs() {
    let document = include_str!("../../docs/zeromq.md");
    let (_, table) = document.split_once("<!-- estimate -->").unwrap();
    let rows = table.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows: Vec<Vec<&str>> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let number = |at: usize| -> u64 { row[at].replace(',', "").parse().unwrap() };
        let (receivers, sources) = (number(1), number(2));
        assert_eq!(receivers * sources, 1_000_000, "{row:?}");
        let reports = sources / INTERVAL_S;
        assert_eq!(number(3), reports, "{row:?}");
        assert_eq!(number(4), reports * REPORT_LEN / 1_000, "kB/s: {row:?}");
        assert_eq!(number(5), sources * MEMORY / 1_000_000, "MB: {row:?}");
    }
    let said = [format!("{REPORT_LEN} bytes"), "9,000 bytes".to_owned()];
    assert!(said.iter().all(|said| document.contains(said)), "{said:?}");
}

/// Measures how many reports a receiver takes in on one core; run it with `--release --ignored`.
#[test]
#[ignore = "it measures"]
fn speed_of_a_receiver() {
    const SOURCES: u32 = 1_000;
    let time = Arc::new(ManualTime::new());
    let mut node = Node::new(&time);
    let mut up = forward(&node, &Node::new(&time));
    let mut processes: Vec<Process> =
        (0..SOURCES).map(|id| Process::numbered(id, &node.net)).collect();
    let (mut spent, mut messages) = (Duration::ZERO, 0);
    for _ in 0..20 {
        for process in &mut processes {
            process.record(20);
            step(&mut process.courier, &time);
        }
        messages += node.net.lock().up.len();
        let begun = std::time::Instant::now();
        while !node.net.lock().up.is_empty() {
            node.turn();
        }
        spent += begun.elapsed();
        time.advance(Duration::from_secs(1));
        processes.iter_mut().for_each(|process| step(&mut process.courier, &time));
    }
    let begun = std::time::Instant::now();
    step(&mut up, &time);
    let made = up.stats();
    eprintln!(
        "{messages} frames in {spent:?}, {:?} each",
        spent / u32::try_from(messages).unwrap()
    );
    eprintln!("{} bytes of records made in {:?}", made.bytes, begun.elapsed());
}
