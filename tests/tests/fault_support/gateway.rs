//! A gateway: a fleet behind lines, and an oracle that knows what must have become of what it heard.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tapes_core::wire::{Deframer, Feed, Frame, Origin};
use tapes_std::fleet::store::{MemoryDirectory, Store, StoreOptions};
use tapes_std::fleet::value::Stored;
use tapes_std::fleet::{Fleet, Limits, LinkId, LinkKind};
use tapes_tests::noise::Noise;

use super::board::{Life, Sent};

/// Frames that devices made, by their bytes; lives under one epoch may make the same.
pub(crate) type Genuine = HashMap<Vec<u8>, Vec<Rc<Sent>>>;

/// One input of a gateway.
pub(crate) struct Input {
    link: LinkId,
    deframer: Box<Deframer<512>>,
    /// Lives whose HELLO came in here.
    greeted: Vec<usize>,
}

/// What was heard of one metric of one life: number of the frame and value.
type Heard = BTreeMap<(usize, u32), (u64, Stored)>;

pub(crate) struct Gateway {
    pub(crate) fleet: Fleet,
    store: Store,
    disk: MemoryDirectory,
    kind: LinkKind,
    inputs: Vec<Input>,
    /// All that came in whole: more than this cannot be known.
    above: Heard,
    /// All that came in whole, was believed at once, and of a sender that had said who it is: less
    /// than this must not be shown.
    below: Heard,
    /// As `below` and `heard`, when the state was saved last.
    saved: (Heard, BTreeSet<usize>),
    /// Whole frames since the last look, for those behind this gateway.
    pub(crate) passed: Vec<Vec<u8>>,
    /// Everything that came in, by input.
    pub(crate) recording: Vec<Vec<u8>>,
    /// Frames that no device made and that look like one.
    pub(crate) corrupt: u64,
    /// Lives of which a frame was used.
    pub(crate) heard: BTreeSet<usize>,
    shown: BTreeMap<(String, String), Stored>,
    rolled_up: BTreeMap<&'static str, Sum>,
}

impl Gateway {
    pub(crate) fn new(inputs: usize, kind: LinkKind, now: Duration) -> Self {
        let disk = MemoryDirectory::new();
        let (store, fleet) = opened(&disk, now);
        let mut gateway = Self {
            fleet,
            store,
            disk,
            kind,
            inputs: Vec::new(),
            above: Heard::new(),
            below: Heard::new(),
            saved: Default::default(),
            passed: Vec::new(),
            recording: vec![Vec::new(); inputs],
            corrupt: 0,
            heard: BTreeSet::new(),
            shown: BTreeMap::new(),
            rolled_up: BTreeMap::new(),
        };
        gateway.inputs = (0..inputs).map(|_| gateway.input()).collect();
        gateway
    }

    fn input(&mut self) -> Input {
        let link = self.fleet.open_link("line", self.kind).unwrap();
        Input { link, deframer: Box::new(Deframer::new()), greeted: Vec::new() }
    }

    /// Takes bytes from a line.
    pub(crate) fn feed(&mut self, input: usize, bytes: &[u8], genuine: &Genuine, now: Duration) {
        self.recording[input].extend(bytes);
        let mut rest = bytes;
        loop {
            let frame = match self.inputs[input].deframer.feed(rest) {
                Feed::Frame { frame, rest: more } => {
                    rest = more;
                    frame.to_vec()
                }
                Feed::Oversize { rest: more } | Feed::Cobs { rest: more } => {
                    rest = more;
                    continue;
                }
                _ => return,
            };
            self.take(input, &frame, genuine, now);
        }
    }

    /// Takes one bare frame.
    pub(crate) fn take(&mut self, input: usize, frame: &[u8], genuine: &Genuine, now: Duration) {
        let Self { fleet, inputs, above, below, .. } = self;
        let Input { link, greeted, .. } = &mut inputs[input];
        let accepted = |fleet: &Fleet| -> u64 {
            let origins = fleet.state().origins();
            origins.map(|(origin, _)| fleet.device_counts(origin).frames).sum()
        };
        let before = accepted(fleet);
        let used = fleet.ingest(*link, frame, now).is_ok();
        let is_accepted = accepted(fleet) > before;
        let Some(known) = genuine.get(frame) else {
            self.corrupt += u64::from(Frame::parse(frame).is_ok());
            return;
        };
        if is_accepted {
            self.heard.extend(known.iter().map(|sent| sent.life));
        }
        for sent in known {
            if sent.is_hello && used && !greeted.contains(&sent.life) {
                greeted.push(sent.life);
            }
            // One that is too late to be told from a repeat is kept aside.
            let is_sure = is_accepted && greeted.contains(&sent.life);
            for (id, value) in &sent.values {
                let key = (sent.life, *id);
                let newer = |heard: &Heard| heard.get(&key).is_none_or(|(seq, _)| sent.seq > *seq);
                if newer(above) {
                    above.insert(key, (sent.seq, value.clone()));
                }
                if is_sure && newer(below) {
                    below.insert(key, (sent.seq, value.clone()));
                }
            }
        }
        if used {
            self.passed.push(frame.to_vec());
        }
    }

    /// Opens an input again, as when a line was pulled.
    pub(crate) fn reopen(&mut self, input: usize) {
        self.fleet.close_link(self.inputs[input].link);
        self.inputs[input] = self.input();
    }

    fn note_saved(&mut self) {
        self.saved = (self.below.clone(), self.heard.clone());
    }

    /// Kills the process, perhaps in the middle of saving, and starts it again.
    pub(crate) fn kill(&mut self, noise: &mut Noise, now: Duration) {
        if noise.percent(70) {
            // Some bytes reach the disk. If all of them do, what they say is known afterwards.
            self.disk.set_room(Some(noise.index(1_500)));
            if self.store.save(&mut self.fleet, now, wall(now)).is_ok() {
                self.note_saved();
            }
            self.disk.set_room(None);
        }
        (self.below, self.heard) = self.saved.clone();
        (self.store, self.fleet) = opened(&self.disk, now);
        let inputs = self.inputs.len();
        self.inputs = (0..inputs).map(|_| self.input()).collect();
        self.passed.clear();
    }

    /// Looks at what is exported, and panics if any of it went back or is above the truth.
    pub(crate) fn look(&mut self, lives: &[Life], now: Duration, what: &str) {
        // Before anything is shown.
        self.store.save(&mut self.fleet, now, wall(now)).unwrap();
        self.note_saved();
        self.look_rolled_up(lives, what);
        let snapshot = self.fleet.snapshot(now);
        let mut shown = BTreeMap::new();
        for device in &snapshot.devices {
            for series in &device.series {
                let key = (device.name.clone(), series.key.name.to_string());
                assert!(series.family.is_some(), "{what}: {key:?} has no name");
                shown.insert(key, series.total.value().clone());
            }
        }
        for (key, value) in &shown {
            if let Some(before) = self.shown.get(key).filter(|_| is_count(&key.1)) {
                assert!(!fell(before, value), "{what}: {key:?} fell from {before:?} to {value:?}");
            }
        }
        for origin in origins(lives) {
            for (id, name) in counts() {
                let sum = sum_of(&shown, origin, name);
                let most = self.sum(&self.above, lives, origin, id);
                assert!(!sum.exceeds(&most), "{what}: {origin} {name}: {sum:?} of {most:?}");
            }
        }
        for ((device, name), value) in shown.iter().filter(|(key, _)| !is_count(&key.1)) {
            let id = id_of(name);
            let is_theirs =
                |life: &&Life| device.split('#').next() == Some(&life.origin.to_string());
            let was_set = |life: &Life| life.gauges.contains(&(id, value.clone()));
            let was_set = lives.iter().filter(is_theirs).any(was_set);
            assert!(was_set, "{what}: {device} {name} was never {value:?}");
        }
        self.shown = shown;
    }

    /// Looks at what was counted over all devices since this receiver knows them.
    fn look_rolled_up(&mut self, lives: &[Life], what: &str) {
        let mut sums = BTreeMap::new();
        for series in self.fleet.merged() {
            let mut sum = Sum::default();
            sum.add(series.total.value());
            sums.insert(series.key.name.to_string(), sum);
        }
        for (id, name) in counts() {
            let sum = sums.get(name).cloned().unwrap_or_default();
            let mut most = Sum::default();
            for origin in origins(lives) {
                most.push(&self.sum(&self.above, lives, origin, id));
            }
            assert!(!sum.exceeds(&most), "{what}: {name} rolled up: {sum:?} of {most:?}");
            let before = self.rolled_up.insert(name, sum.clone()).unwrap_or_default();
            assert!(!before.exceeds(&sum), "{what}: {name} rolled up fell: {before:?}, {sum:?}");
        }
    }

    /// Panics unless everything that was surely heard is in the totals.
    pub(crate) fn is_exact(&self, lives: &[Life], origin: Origin, what: &str) {
        let living = lives.iter().filter(|life| life.origin == origin && !life.is_over).count();
        for (id, name) in (0..).zip(NAMES) {
            let sum = sum_of(&self.shown, origin, name);
            let least = self.least(lives, origin, id);
            // What still lives was heard whole at the end.
            for (i, life) in lives.iter().enumerate().filter(|(_, l)| l.origin == origin) {
                if !life.is_over && !life.is_repeated {
                    let heard = self.below.get(&(i, id)).map(|(_, value)| value);
                    let truth = life.truth.get(id as usize);
                    assert_eq!(heard, truth, "{what}: {origin} {name} was not heard");
                    let alone = self.shown.get(&(origin.to_string(), name.to_owned()));
                    // Without an order, last words of a life that was never heard before are news.
                    let is_newest = living == 1 && life.epoch.order != 0;
                    if is_newest && !is_count(name) && alone.is_some() {
                        assert_eq!(alone, truth, "{what}: {origin} {name}");
                    }
                }
            }
            assert!(
                !is_count(name) || !least.exceeds(&sum),
                "{what}: {origin} {name}: {sum:?}, not {least:?}"
            );
        }
    }

    fn sum(&self, heard: &Heard, lives: &[Life], origin: Origin, id: u32) -> Sum {
        let mut sum = Sum::default();
        for (i, _) in lives.iter().enumerate().filter(|(_, life)| life.origin == origin) {
            if let Some((_, value)) = heard.get(&(i, id)) {
                sum.add(value);
            }
        }
        sum
    }

    /// Adds up the newest that any of these gateways heard.
    pub(crate) fn most(gateways: &[Self], lives: &[Life], origin: Origin, id: u32) -> Sum {
        let mut sum = Sum::default();
        for (i, _) in lives.iter().enumerate().filter(|(_, life)| life.origin == origin) {
            let heard = gateways.iter().filter_map(|gateway| gateway.above.get(&(i, id)));
            if let Some((_, value)) = heard.max_by_key(|(seq, _)| *seq) {
                sum.add(value);
            }
        }
        sum
    }

    /// As `sum` of what was surely heard. Of lives under one epoch, all but one may be missing.
    pub(crate) fn least(&self, lives: &[Life], origin: Origin, id: u32) -> Sum {
        let mut sum = Sum::default();
        let sure = |life: &Life| life.origin == origin && !life.is_repeated;
        for (i, _) in lives.iter().enumerate().filter(|(_, life)| sure(life)) {
            if let Some((_, value)) = self.below.get(&(i, id)) {
                sum.add(value);
            }
        }
        sum
    }
}

fn wall(now: Duration) -> SystemTime {
    SystemTime::UNIX_EPOCH + now
}

fn opened(disk: &MemoryDirectory, now: Duration) -> (Store, Fleet) {
    let (store, saved) = Store::open(disk.clone(), &StoreOptions::new()).unwrap();
    let fleet = Fleet::restored(store.node(), Limits::default(), saved, now, wall(now));
    (store, fleet)
}

/// Names of the metrics, by id.
pub(crate) const NAMES: [&str; 6] = ["loops", "bytes", "marks", "level", "heat", "sizes"];

pub(crate) fn origins(lives: &[Life]) -> Vec<Origin> {
    let mut origins: Vec<_> = lives.iter().map(|life| life.origin).collect();
    origins.sort();
    origins.dedup();
    origins
}

/// What adds up over lives.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sum {
    count: u64,
    sum: u64,
    zero: u64,
    overflow: u64,
    buckets: Vec<u64>,
}

impl Sum {
    pub(crate) fn add(&mut self, value: &Stored) {
        match value {
            Stored::Unsigned(n) => self.count += n,
            Stored::Histogram(h) => {
                self.count += h.count();
                self.sum += h.sum;
                self.zero += h.zero;
                self.overflow += h.overflow;
                if self.buckets.len() < h.buckets.len() {
                    self.buckets.resize(h.buckets.len(), 0);
                }
                self.buckets.iter_mut().zip(&h.buckets).for_each(|(sum, n)| *sum += n);
            }
            _ => {}
        }
    }

    fn push(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.zero += other.zero;
        self.overflow += other.overflow;
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(sum, n)| *sum += n);
    }

    /// Whether any number of this is above that of the other.
    pub(crate) fn exceeds(&self, other: &Self) -> bool {
        let bucket = |sum: &Self, i: usize| sum.buckets.get(i).copied().unwrap_or(0);
        self.count > other.count
            || self.sum > other.sum
            || self.zero > other.zero
            || self.overflow > other.overflow
            || (0..self.buckets.len()).any(|i| bucket(self, i) > bucket(other, i))
    }
}

/// Adds up what is shown under an origin, twins included.
fn sum_of(shown: &BTreeMap<(String, String), Stored>, origin: Origin, name: &str) -> Sum {
    let mut sum = Sum::default();
    let origin = origin.to_string();
    for ((device, metric), value) in shown {
        let is_ours = device.split('#').next() == Some(&origin);
        if is_ours && metric == name {
            sum.add(value);
        }
    }
    sum
}

/// Returns what adds up: id and name.
pub(crate) fn counts() -> impl Iterator<Item = (u32, &'static str)> {
    (0..).zip(NAMES).filter(|(_, name)| is_count(name))
}

fn id_of(name: &str) -> u32 {
    (0..).zip(NAMES).find(|(_, known)| *known == name).unwrap().0
}

fn is_count(name: &str) -> bool {
    !matches!(name, "level" | "heat")
}

/// Whether a cumulative value went back.
fn fell(before: &Stored, after: &Stored) -> bool {
    let (mut a, mut b) = (Sum::default(), Sum::default());
    a.add(before);
    b.add(after);
    a.exceeds(&b)
}
