//! Senders and receivers over a network on a table, which loses, cuts and restarts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tapes_core::wire::{Epoch, Identity, Origin};
use tapes_core::{Registry, layout};

use super::courier::{Cargo, Courier};
use super::frames::{Frames, Life};
use super::hub::Hub;
use super::keys::PublicKey;
use super::records::Records;
use super::transport::{Inbox, Incoming, PeerId, Uplink};
use crate::clock::{ManualTime, TimeSource};
use crate::fleet::store::{MemoryDirectory, Store, StoreOptions, new_node};
use crate::fleet::{Fleet, Limits, SharedFleet};

const STEP: Duration = Duration::from_millis(100);
const INTERVAL: Duration = Duration::from_millis(300);

/// What is under way between senders and one receiver.
#[derive(Debug, Default)]
struct Wires {
    up: VecDeque<(PeerId, Vec<u8>)>,
    down: BTreeMap<PeerId, VecDeque<Vec<u8>>>,
    gone: Vec<PeerId>,
    next: u64,
    /// One message in so many is lost.
    loss: Option<u64>,
    /// Whether nothing gets through.
    cut: bool,
    random: u64,
    /// Grows with each restart of the receiver, which knows nobody then.
    lives: u64,
}

#[derive(Debug, Clone, Default)]
struct Net(Arc<Mutex<Wires>>);

impl Net {
    fn lock(&self) -> MutexGuard<'_, Wires> {
        self.0.lock().unwrap()
    }

    fn connect(&self) -> Wire {
        self.lock().next += 1;
        let id = self.lock().next;
        Wire { net: self.clone(), id, generation: 1 }
    }

    /// What was under way is lost, and everybody has another name.
    fn restart(&self) {
        let mut wires = self.lock();
        wires.up.clear();
        wires.down.clear();
        wires.lives += 1;
    }
}

impl Wires {
    fn is_lost(&mut self) -> bool {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.cut || self.loss.is_some_and(|one_in| (self.random >> 33).is_multiple_of(one_in))
    }
}

#[derive(Debug)]
struct Wire {
    net: Net,
    id: u64,
    generation: u64,
}

impl Wire {
    fn peer(&self) -> PeerId {
        PeerId(self.net.lock().lives * 1_000_000 + self.id)
    }
}

impl Uplink for Wire {
    fn try_send(&mut self, message: Vec<u8>) -> Result<(), Vec<u8>> {
        let peer = self.peer();
        let mut wires = self.net.lock();
        if !wires.is_lost() {
            wires.up.push_back((peer, message));
        }
        Ok(())
    }

    fn receive(&mut self, _: Duration) -> Option<Vec<u8>> {
        let peer = self.peer();
        self.net.lock().down.get_mut(&peer)?.pop_front()
    }

    fn reconnect(&mut self) {
        let old = self.peer();
        let mut wires = self.net.lock();
        wires.gone.push(old);
        wires.next += 1;
        (self.id, self.generation) = (wires.next, self.generation + 1);
    }

    fn generation(&self) -> u64 {
        self.generation
    }

    fn is_connected(&self) -> bool {
        !self.net.lock().cut
    }
}

impl Inbox for Net {
    fn receive(&mut self, _: Duration) -> Option<Incoming> {
        let (peer, content) = self.lock().up.pop_front()?;
        Some(Incoming { peer: Some(peer), key: None, content: Some(content) })
    }

    fn answer(&mut self, peer: PeerId, message: &[u8]) -> bool {
        let mut wires = self.lock();
        if !wires.is_lost() {
            wires.down.entry(peer).or_default().push_back(message.to_vec());
        }
        true
    }

    fn gone(&mut self) -> Vec<PeerId> {
        std::mem::take(&mut self.lock().gone)
    }

    fn disconnect_unless(&mut self, _: &dyn Fn(Option<PublicKey>) -> bool) {}
}

/// A receiver with a state that survives it.
#[derive(Debug)]
struct Node {
    net: Net,
    disk: MemoryDirectory,
    time: Arc<ManualTime>,
    fleet: SharedFleet,
    hub: Hub,
}

impl Node {
    fn new(time: &Arc<ManualTime>) -> Self {
        let disk = MemoryDirectory::new();
        let fleet = open(&disk, time);
        let hub = Hub::new(fleet.clone(), None);
        Self { net: Net::default(), disk, time: Arc::clone(time), fleet, hub }
    }

    /// Is killed, and started again with the state it had, or with none.
    fn restart(&mut self, keeps_state: bool) {
        if !keeps_state {
            self.disk = MemoryDirectory::new();
        }
        self.net.restart();
        self.fleet = open(&self.disk, &self.time);
        self.hub = Hub::new(self.fleet.clone(), None);
    }

    fn turn(&mut self) {
        self.hub.turn(&mut self.net, Duration::ZERO);
    }

    /// Returns all counts of events, and the number of values in all histograms, over all devices.
    fn totals(&self) -> (u64, u64) {
        let snapshot = self.fleet.snapshot();
        let series = || snapshot.devices.iter().flat_map(|device| &device.series);
        let sum = |name: &str| {
            let named = series().filter(|series| &*series.key.name == name);
            named.filter_map(|series| series.total.value().count()).sum()
        };
        (sum("events"), sum("delay"))
    }
}

fn open(disk: &MemoryDirectory, time: &Arc<ManualTime>) -> SharedFleet {
    let (store, saved) = Store::open(disk.clone(), &StoreOptions::new()).unwrap();
    let node = store.node();
    let limits = Limits { new_epochs_per_minute: 1_000, links: 4_096, ..Limits::default() };
    let fleet = Fleet::restored(node, limits, saved, time.monotonic(), time.wall());
    SharedFleet::with_store(fleet, store, time.clone())
}

type Source = Registry<8, 256>;

/// A process that records.
#[derive(Debug)]
struct Process {
    registry: &'static Source,
    courier: Courier<Wire, Frames<Source>>,
}

impl Process {
    fn new(id: u8, nonce: u32, net: &Net) -> Self {
        Self::with_origin(Origin::from_array([id]), nonce, net)
    }

    fn numbered(number: u32, net: &Net) -> Self {
        Self::with_origin(Origin::from_array(number.to_be_bytes()), 1, net)
    }

    fn with_origin(origin: Origin, nonce: u32, net: &Net) -> Self {
        let registry: &'static Source = Box::leak(Box::new(Registry::new()));
        let identity = Identity::new(origin, Epoch::new(0, nonce), 1_000);
        let life = Life { identity, first_seq: 0, age: Duration::ZERO };
        let frames = Frames::new(registry, life, INTERVAL);
        Self { registry, courier: Courier::new(net.connect(), frames, INTERVAL) }
    }

    fn record(&self, count: u64) {
        self.registry.counter("events").unwrap().add(u32::try_from(count).unwrap());
        let layout = layout!(unit = micros, max = 1 s, scale = 2);
        let delay = self.registry.timer::<1_000_000>("delay", layout).unwrap();
        (0..count).for_each(|i| delay.record(u32::try_from(i * 37 % 5_000).unwrap()));
    }
}

fn step<C: Cargo>(courier: &mut Courier<Wire, C>, time: &ManualTime) {
    courier.step(|| time.monotonic(), Duration::ZERO);
}

/// If this fails, what was lost on the way is missing for ever, or counted twice.
#[test]
fn totals_are_exact_after_losses_cuts_and_restarts() {
    for (label, keeps_state) in [("state kept", true), ("state lost", false)] {
        let time = Arc::new(ManualTime::new());
        let mut node = Node::new(&time);
        let mut processes: Vec<Process> =
            (0..4).map(|id| Process::new(id, 7 + u32::from(id), &node.net)).collect();
        let mut truth = 0;
        for round in 0..600u64 {
            {
                let mut wires = node.net.lock();
                wires.loss = (round % 100 < 60).then_some(3);
                wires.cut = round % 150 > 120;
            }
            if round % 97 == 96 {
                node.restart(keeps_state);
            }
            for process in &mut processes {
                if round % 7 == 0 {
                    process.record(round % 50);
                    truth += round % 50;
                }
                step(&mut process.courier, &time);
            }
            node.turn();
            assert!(node.totals().0 <= truth, "{label}: above the truth in round {round}");
            time.advance(STEP);
        }
        (node.net.lock().loss, node.net.lock().cut) = (None, false);
        for _ in 0..1_200 {
            processes.iter_mut().for_each(|process| step(&mut process.courier, &time));
            node.turn();
            time.advance(STEP);
        }
        assert_eq!(node.totals(), (truth, truth), "{label}");
        assert!(processes.iter().all(|process| process.courier.stats().acknowledged > 100));
    }
}

/// If this fails, a process that was killed after an acknowledgement is not in the total, or the
/// one that replaced it took its place.
#[test]
fn what_was_acknowledged_survives_its_process() {
    let time = Arc::new(ManualTime::new());
    let mut node = Node::new(&time);
    let mut truth = 0;
    for nonce in 1..=6 {
        let mut process = Process::new(9, nonce, &node.net);
        process.record(100);
        let before = process.courier.stats().acknowledged;
        for _ in 0..10 {
            step(&mut process.courier, &time);
            node.turn();
            time.advance(STEP);
        }
        assert!(process.courier.stats().acknowledged > before && process.courier.is_kept());
        truth += 100;
        process.record(5); // never reported
        let peer = process.courier.uplink().peer();
        node.net.lock().gone.push(peer);
        node.turn();
        if nonce == 3 {
            node.restart(true);
        }
        time.advance(Duration::from_secs(20));
    }
    assert_eq!(node.totals(), (truth, truth));
}

/// If this fails, an aggregator without disk space says that it keeps what it would forget.
#[test]
fn nothing_is_acknowledged_that_is_not_saved() {
    let time = Arc::new(ManualTime::new());
    let mut node = Node::new(&time);
    let mut process = Process::new(1, 1, &node.net);
    process.record(10);
    node.disk.set_room(Some(0));
    for _ in 0..30 {
        step(&mut process.courier, &time);
        node.turn();
        time.advance(STEP);
    }
    assert_eq!(process.courier.stats().acknowledged, 0);
    node.disk.set_room(None);
    for _ in 0..100 {
        step(&mut process.courier, &time);
        node.turn();
        time.advance(STEP);
    }
    assert!(process.courier.is_kept());
    assert_eq!(node.totals(), (10, 10));
}

/// Sends what a node has to another one.
fn forward(from: &Node, to: &Node) -> Courier<Wire, Records> {
    Courier::new(to.net.connect(), Records::new(from.fleet.clone()), INTERVAL)
}

/// If this fails, a second way to the root counts twice, or a killed middle loses something.
#[test]
fn a_diamond_with_killed_nodes_counts_once() {
    let time = Arc::new(ManualTime::new());
    let mut nodes: Vec<Node> = (0..4).map(|_| Node::new(&time)).collect();
    let mut processes: Vec<Process> = (0..3).map(|id| Process::new(id, 5, &nodes[0].net)).collect();
    // 0 → 1 → 3 and 0 → 2 → 3, and round about: 3 → 1.
    let ways = [(0, 1), (0, 2), (1, 3), (2, 3), (3, 1)];
    let mut links: Vec<_> = ways.iter().map(|(a, b)| forward(&nodes[*a], &nodes[*b])).collect();
    let mut truth = 0;
    for round in 0..1_500u64 {
        let is_wild = round < 700;
        for node in &nodes {
            let mut wires = node.net.lock();
            wires.loss = (is_wild && round % 90 < 50).then_some(4);
            wires.cut = is_wild && round % 130 > 110;
        }
        if is_wild && round % 61 == 60 {
            let killed = usize::try_from(round / 61 % 4).unwrap();
            // The root's parent-to-be forgets everything once; the others keep their state.
            nodes[killed].restart(!(killed == 3 && round > 300));
            for (link, (a, b)) in links.iter_mut().zip(ways) {
                if a == killed {
                    *link = forward(&nodes[a], &nodes[b]);
                }
            }
        }
        for process in &mut processes {
            if is_wild {
                process.record(round % 5);
                truth += round % 5;
            }
            step(&mut process.courier, &time);
        }
        links.iter_mut().for_each(|link| step(link, &time));
        nodes.iter_mut().for_each(Node::turn);
        if round % 50 == 0 {
            assert!(nodes.iter().all(|node| node.totals().0 <= truth), "round {round}");
        }
        time.advance(STEP);
    }
    for (i, node) in nodes.iter().enumerate() {
        assert_eq!(node.totals(), (truth, truth), "node {i}");
    }
}

/// If this fails, two aggregators that report to each other never stop.
#[test]
fn a_loop_of_receivers_falls_silent() {
    let time = Arc::new(ManualTime::new());
    let (mut a, mut b) = (Node::new(&time), Node::new(&time));
    let mut process = Process::new(1, 1, &a.net);
    process.record(3);
    let (mut ab, mut ba) = (forward(&a, &b), forward(&b, &a));
    for _ in 0..50 {
        step(&mut process.courier, &time);
        a.turn();
        time.advance(STEP);
    }
    drop(process);
    let mut bytes = Vec::new();
    for round in 0..200 {
        step(&mut ab, &time);
        step(&mut ba, &time);
        a.turn();
        b.turn();
        time.advance(STEP);
        if round % 100 == 99 {
            bytes.push((ab.stats(), ba.stats()));
        }
    }
    let sent = |i: usize, j: usize| {
        let (before, after) = (bytes[0], bytes[1]);
        let pair = [(before.0, after.0), (before.1, after.1)][i];
        [pair.1.bytes - pair.0.bytes, pair.1.messages - pair.0.messages][j]
    };
    for link in [0, 1] {
        assert!(sent(link, 0) <= sent(link, 1) * 50, "nothing but questions: {bytes:?}");
    }
    assert_eq!((a.totals(), b.totals()), ((3, 3), (3, 3)));
}

/// If this fails, one sender can speak for another one's devices in batches of records.
#[test]
fn records_of_others_are_refused() {
    let time = Arc::new(ManualTime::new());
    let (mut a, b) = (Node::new(&time), Node::new(&time));
    let mut process = Process::new(1, 1, &a.net);
    process.record(3);
    step(&mut process.courier, &time);
    a.turn();
    let mut sent = crate::fleet::transfer::Sent::default();
    let batches = a.fleet.lock().newer(&mut sent, |_| false, time.monotonic(), (1_000, 10));
    assert_eq!(batches.len(), 1);
    let link = b.fleet.lock().open_link("x", crate::fleet::LinkKind::Socket).unwrap();
    let (from, now) = (new_node(), time.monotonic());
    let receive = |batch: &[u8], may| {
        b.fleet.lock().receive_records(link, (batch, from), |_| may, now).map_err(|r| r.reason())
    };
    assert_eq!(receive(&batches[0], false), Err("forbidden"));
    assert_eq!(receive(b"\xff\xff", true), Err("records"));
    assert!(b.fleet.snapshot().devices.is_empty());
    for cut in 0..batches[0].len() {
        let _ = receive(&batches[0][..cut], true);
        assert!(b.totals().0 <= 3 && b.totals().1 <= 3, "cut at {cut}");
    }
    assert_eq!(receive(&batches[0], true), Ok(()));
    assert_eq!(receive(&batches[0], true), Ok(()), "again");
    assert_eq!(b.totals(), (3, 3));
}

/// What a source of the usual size costs; `docs/zeromq.md` says these numbers.
mod cost {
    /// Bytes of a report in which everything changed, at a process and between receivers.
    pub(super) const REPORT: [u64; 2] = [1_300, 1_300];
    /// Bytes of memory at a receiver.
    pub(super) const MEMORY: usize = 12_000;
}

/// If this fails, the estimate of how a tree grows is wrong.
#[test]
fn a_source_costs_what_the_document_says() {
    const SOURCES: u32 = 100;
    const SECONDS: u64 = 20;
    let time = Arc::new(ManualTime::new());
    let (mut leaf, mut root) = (Node::new(&time), Node::new(&time));
    let mut processes: Vec<_> = (0..SOURCES)
        .map(|id| {
            let registry: &'static Registry<32, 1_024> = Box::leak(Box::new(Registry::new()));
            let origin = Origin::from_array(id.to_be_bytes());
            let identity = Identity::new(origin, Epoch::new(0, 1), 1_000);
            let life = Life { identity, first_seq: 0, age: Duration::ZERO };
            let second = Duration::from_secs(1);
            let frames = Frames::new(registry, life, second);
            (registry, Courier::new(leaf.net.connect(), frames, second))
        })
        .collect();
    let records = Records::new(leaf.fleet.clone());
    let mut up = Courier::new(root.net.connect(), records, Duration::from_secs(1));
    let mut before = (0, 0);
    for second in 0..2 * SECONDS {
        for (registry, courier) in &mut processes {
            for i in 0..12 {
                registry.counter(&format!("worker.counter_{i}")).unwrap().add(1_000 + i);
            }
            for i in 0..4 {
                registry.gauge::<f32>(&format!("worker.level_{i}")).unwrap().set(0.1);
            }
            for name in ["worker.request_time", "worker.query_time", "worker.wait_time"] {
                let layout = layout!(unit = micros, max = 60 s, scale = 2);
                let timer = registry.timer::<1_000_000>(name, layout).unwrap();
                (0..40).for_each(|i| timer.record(500 + i * 97));
            }
            step(courier, &time);
        }
        leaf.turn();
        step(&mut up, &time);
        root.turn();
        if second == SECONDS {
            before = (processes.iter().map(|(_, c)| c.stats().bytes).sum(), up.stats().bytes);
        }
        time.advance(Duration::from_secs(1));
        for courier in processes.iter_mut().map(|(_, courier)| courier) {
            step(courier, &time);
        }
        step(&mut up, &time);
    }
    let bytes: u64 = processes.iter().map(|(_, c)| c.stats().bytes).sum();
    let reports: u64 = u64::from(SOURCES) * (SECONDS - 1);
    let per_report = [(bytes - before.0) / reports, (up.stats().bytes - before.1) / reports];
    let memory = root.fleet.lock().state().bytes() / SOURCES as usize;
    eprintln!("bytes of a report: {per_report:?}, memory of a source: {memory}");
    assert!(per_report[0] <= cost::REPORT[0] && per_report[1] <= cost::REPORT[1], "{per_report:?}");
    assert!(memory <= cost::MEMORY, "{memory}");
    assert_eq!(root.fleet.snapshot().devices.len(), SOURCES as usize);
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
