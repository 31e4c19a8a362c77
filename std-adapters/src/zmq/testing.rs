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
use crate::fleet::store::{MemoryDirectory, Store, StoreOptions};
use crate::fleet::{Fleet, Limits, SharedFleet};

pub(super) const STEP: Duration = Duration::from_millis(100);
const INTERVAL: Duration = Duration::from_millis(300);

/// What is under way between senders and one receiver.
#[derive(Debug, Default)]
pub(super) struct Wires {
    pub(super) up: VecDeque<(PeerId, Vec<u8>)>,
    down: BTreeMap<PeerId, VecDeque<Vec<u8>>>,
    pub(super) gone: Vec<PeerId>,
    next: u64,
    /// One message in so many is lost.
    pub(super) loss: Option<u64>,
    /// Whether nothing gets through.
    pub(super) cut: bool,
    random: u64,
    /// Grows with each restart of the receiver, which knows nobody then.
    lives: u64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Net(Arc<Mutex<Wires>>);

impl Net {
    pub(super) fn lock(&self) -> MutexGuard<'_, Wires> {
        self.0.lock().unwrap()
    }

    pub(super) fn connect(&self) -> Wire {
        self.lock().next += 1;
        let id = self.lock().next;
        Wire { net: self.clone(), id, generation: 1 }
    }

    /// What was under way is lost, and everybody has another name.
    pub(super) fn restart(&self) {
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
pub(super) struct Wire {
    net: Net,
    id: u64,
    generation: u64,
}

impl Wire {
    pub(super) fn peer(&self) -> PeerId {
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
pub(super) struct Node {
    pub(super) net: Net,
    pub(super) disk: MemoryDirectory,
    time: Arc<ManualTime>,
    pub(super) fleet: SharedFleet,
    hub: Hub,
}

impl Node {
    pub(super) fn new(time: &Arc<ManualTime>) -> Self {
        let disk = MemoryDirectory::new();
        let fleet = open(&disk, time);
        let hub = Hub::new(fleet.clone(), None);
        Self { net: Net::default(), disk, time: Arc::clone(time), fleet, hub }
    }

    /// Is killed, and started again with the state it had, or with none.
    pub(super) fn restart(&mut self, keeps_state: bool) {
        if !keeps_state {
            self.disk = MemoryDirectory::new();
        }
        self.net.restart();
        self.fleet = open(&self.disk, &self.time);
        self.hub = Hub::new(self.fleet.clone(), None);
    }

    pub(super) fn turn(&mut self) {
        self.hub.turn(&mut self.net, Duration::ZERO);
    }

    /// Returns counts of events, and the number of values in histograms, as `/metrics/merged` shows
    /// them.
    pub(super) fn merged(&self) -> (u64, u64) {
        let merged = self.fleet.lock().merged();
        let sum = |name: &str| {
            let named = merged.iter().find(|series| &*series.key.name == name);
            named.and_then(|series| series.total.value().count()).unwrap_or(0)
        };
        (sum("events"), sum("delay"))
    }

    /// Returns all counts of events, and the number of values in all histograms, over all devices.
    pub(super) fn totals(&self) -> (u64, u64) {
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

pub(super) type Source = Registry<8, 256>;

/// A process that records.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) registry: &'static Source,
    pub(super) courier: Courier<Wire, Frames<Source>>,
}

impl Process {
    pub(super) fn new(id: u8, nonce: u32, net: &Net) -> Self {
        Self::with_origin(Origin::from_array([id]), nonce, net)
    }

    pub(super) fn numbered(number: u32, net: &Net) -> Self {
        Self::with_origin(Origin::from_array(number.to_be_bytes()), 1, net)
    }

    fn with_origin(origin: Origin, nonce: u32, net: &Net) -> Self {
        let registry: &'static Source = Box::leak(Box::new(Registry::new()));
        let identity = Identity::new(origin, Epoch::new(0, nonce), 1_000);
        let life = Life { identity, first_seq: 0, age: Duration::ZERO };
        let frames = Frames::new(registry, life, INTERVAL);
        Self { registry, courier: Courier::new(net.connect(), frames, INTERVAL) }
    }

    pub(super) fn record(&self, count: u64) {
        self.registry.counter("events").unwrap().add(u32::try_from(count).unwrap());
        let layout = layout!(unit = micros, max = 1 s, scale = 2);
        let delay = self.registry.timer::<1_000_000>("delay", layout).unwrap();
        (0..count).for_each(|i| delay.record(u32::try_from(i * 37 % 5_000).unwrap()));
    }
}

pub(super) fn step<C: Cargo>(courier: &mut Courier<Wire, C>, time: &ManualTime) {
    courier.step(|| time.monotonic(), Duration::ZERO);
}

/// Sends what a node has to another one.
pub(super) fn forward(from: &Node, to: &Node) -> Courier<Wire, Records> {
    Courier::new(to.net.connect(), Records::new(from.fleet.clone(), None), INTERVAL)
}

/// Sends what a node adds up to another one.
pub(super) fn forward_sums(from: &Node, to: &Node) -> Courier<Wire, Records> {
    Courier::new(to.net.connect(), Records::new(from.fleet.clone(), Some(INTERVAL)), INTERVAL)
}
