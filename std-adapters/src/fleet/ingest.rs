//! From bytes to an epoch: whose frame it is, and whether it is believed.

use std::time::Duration;

use tapes_core::wire::{Address, Body, Epoch, Flags, Frame, FrameError, Header, Origin};

use super::Fleet;
use super::absorb::{Absorber, Bound, Loose, Target};
use super::admit::Place;
use super::device::DeviceCounts;
use super::epoch::{Change, EpochData};
use super::identity::EpochKey;
use super::link::{LinkId, Slot};
use super::refusal::Refusal;
use super::session::Session;
use super::state::Mutation;
use super::tracker::{Position, Tracker, Verdict};

/// Where a believed frame stands among the others.
#[derive(Debug, Clone, Copy)]
enum Standing {
    Newest(Position),
    /// As [`Verdict::Late`].
    Late {
        is_vague: bool,
    },
}

/// A frame on its way in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'f> {
    pub(super) frame: Frame<'f>,
    pub(super) body: Body<'f>,
    pub(super) bytes: &'f [u8],
    pub(super) link: LinkId,
    pub(super) now: Duration,
}

impl Arrival<'_> {
    /// Returns where the frame stands among those of `data`.
    fn position(&self, data: Option<&EpochData>) -> Position {
        let Header { seq, uptime, .. } = self.frame.header;
        // The checksum, which was found right.
        let fingerprint = self.bytes.last_chunk().map_or(0, |crc| u32::from_le_bytes(*crc));
        let uptime_time = self.uptime_time(data);
        Position { seq, uptime, uptime_time, fingerprint, now: self.now }
    }

    /// Returns the uptime as time, if the tick rate is known.
    fn uptime_time(&self, data: Option<&EpochData>) -> Option<Duration> {
        self.tick_hz(data).map(|hz| time_of(self.frame.header.uptime, hz))
    }

    fn tick_hz(&self, data: Option<&EpochData>) -> Option<u32> {
        match self.body {
            Body::Hello(hello) => Some(hello.tick_hz),
            _ => data?.facts().map(|facts| facts.tick_hz),
        }
    }
}

/// Returns how long `ticks` take at `hz` ticks a second, rounded down to nanoseconds.
pub(super) fn time_of(ticks: u64, hz: u32) -> Duration {
    let hz = u64::from(hz.max(1));
    // Below 2^32 * 10^9, which fits.
    let nanos = ticks % hz * 1_000_000_000 / hz;
    Duration::from_secs(ticks / hz) + Duration::from_nanos(nanos)
}

impl Fleet {
    pub(super) fn ingest_frame(
        &mut self,
        link: LinkId,
        bytes: &[u8],
        now: Duration,
    ) -> Result<(), Refusal> {
        let known = self.links.get(link).ok_or(Refusal::Closed)?;
        let frame = Frame::parse(bytes)?;
        let body = frame.body()?;
        let arrival = Arrival { frame, body, bytes, link, now };
        let malformed = |_| Refusal::Frame(FrameError::Malformed);
        let (origin, epoch) = match (frame.header.address, body) {
            (Address::Full { origin, epoch }, _) => {
                (Origin::new(origin).map_err(malformed)?, epoch)
            }
            (Address::Short(_), Body::Hello(hello)) => {
                (Origin::new(hello.origin).map_err(malformed)?, hello.epoch)
            }
            (Address::Short(short), _) => match known.bound(short) {
                Some(bound) => bound,
                None => return self.ingest_unbound(short, &arrival),
            },
            _ => return Err(Refusal::Frame(FrameError::Malformed)),
        };
        if origin == self.own_origin() {
            return Err(Refusal::Forbidden);
        }
        self.links.count(link, |counts| counts.frames = counts.frames.saturating_add(1));
        let place = self.admit(origin, epoch, &arrival)?;
        if let (Address::Short(short), Body::Hello(_)) = (frame.header.address, body) {
            self.bind(short, origin, epoch, place, &arrival);
        }
        match place {
            Place::Open(key) => self.receive(origin, key, &arrival),
            Place::Held(key) => self.ingest_held(origin, key, &arrival),
        }
    }

    /// Binds a short epoch, and moves what its frames said before to where it belongs.
    fn bind(
        &mut self,
        short: u32,
        origin: Origin,
        epoch: Epoch,
        place: Place,
        arrival: &Arrival<'_>,
    ) {
        let Some(link) = self.links.get_mut(arrival.link) else { return };
        link.bind(short, origin, epoch, &self.limits);
        if let (Some(slot), Place::Open(key)) = (link.unbound.remove(&short), place) {
            self.adopt(origin, key, slot);
        }
    }

    /// Moves data that was kept aside into an epoch of the state.
    pub(super) fn adopt(&mut self, origin: Origin, key: EpochKey, slot: Slot) {
        let Slot { data, session: kept } = slot;
        let Some(newest) = kept.tracker.newest() else { return };
        let device = self.devices.entry(origin).or_default();
        let session = device.sessions.entry(key).or_default();
        if session.is_new() {
            **session = kept.handed_to(session.owner);
        } else if !matches!(
            session.tracker.judge(newest, b""),
            Verdict::Next { .. } | Verdict::Late { .. } | Verdict::Agreed { .. }
        ) {
            // Of another life or too far ahead: what is true of it will be said again.
            return;
        }
        let mut target = Bound { state: &mut self.state, limits: &self.limits, origin, key };
        let counts = &mut device.counts;
        Absorber::new(&mut self.entries, self.node, counts).adopt(&mut target, data);
    }

    fn ingest_unbound(&mut self, short: u32, arrival: &Arrival<'_>) -> Result<(), Refusal> {
        let link = self.links.get_mut(arrival.link).ok_or(Refusal::Closed)?;
        let (slot, evicted) = link.unbound(short, &self.limits);
        // Nobody knows yet whose counts these are.
        let mut counts = DeviceCounts::default();
        let mut absorber = Absorber::new(&mut self.entries, self.node, &mut counts);
        let result = ingest_loose(slot, &mut absorber, arrival, &self.limits);
        self.links.count(arrival.link, |counts| counts.frames = counts.frames.saturating_add(1));
        if evicted { Err(Refusal::Unbound) } else { result }
    }

    fn ingest_held(
        &mut self,
        origin: Origin,
        key: EpochKey,
        arrival: &Arrival<'_>,
    ) -> Result<(), Refusal> {
        let device = self.devices.entry(origin).or_default();
        device.counts.epochs_held += 1;
        let mut counts = DeviceCounts::default();
        let mut absorber = Absorber::new(&mut self.entries, self.node, &mut counts);
        let slot = device.held(key, self.limits.held_epochs_per_origin);
        ingest_loose(slot, &mut absorber, arrival, &self.limits)?;
        Err(Refusal::EpochHeld)
    }

    /// Judges a frame of an open epoch and makes the changes it means.
    fn receive(
        &mut self,
        origin: Origin,
        key: EpochKey,
        arrival: &Arrival<'_>,
    ) -> Result<(), Refusal> {
        let position = arrival.position(self.state.epoch(origin, key));
        let device = self.devices.entry(origin).or_default();
        let session = device.sessions.entry(key).or_default();
        match session.tracker.judge(position, arrival.bytes) {
            Verdict::Next { lost } => {
                device.acquit(key);
                device.counts.lost = device.counts.lost.saturating_add(lost);
                self.accept(origin, key, arrival, Standing::Newest(position))
            }
            Verdict::Agreed { held, lost } => {
                device.acquit(key);
                device.counts.lost = device.counts.lost.saturating_add(lost);
                if let Ok(frame) = Frame::parse(&held)
                    && let Ok(body) = frame.body()
                {
                    let held = Arrival { frame, body, bytes: &held, ..*arrival };
                    self.accept(origin, key, &held, Standing::Late { is_vague: false })?;
                }
                self.accept(origin, key, arrival, Standing::Newest(position))
            }
            Verdict::Late { is_vague } => {
                device.counts.late += 1;
                self.accept(origin, key, arrival, Standing::Late { is_vague })
            }
            Verdict::Duplicate => {
                device.counts.duplicates += 1;
                Ok(())
            }
            Verdict::Held => Err(Refusal::Jump),
            Verdict::Suspect { is_first } => {
                if is_first {
                    device.acquit(key);
                }
                self.suspect(origin, key, arrival)
            }
            Verdict::Restarted => {
                self.suspect(origin, key, arrival)?;
                self.restart(origin, key, arrival, position)
            }
        }
    }

    /// Makes the changes of a believed frame.
    fn accept(
        &mut self,
        origin: Origin,
        key: EpochKey,
        arrival: &Arrival<'_>,
        standing: Standing,
    ) -> Result<(), Refusal> {
        let device = self.devices.entry(origin).or_default();
        device.counts.frames += 1;
        let mut target = Bound { state: &mut self.state, limits: &self.limits, origin, key };
        let counts = &mut device.counts;
        let uptime = match standing {
            Standing::Newest(position) => position.uptime_time,
            Standing::Late { .. } => arrival.uptime_time(target.data()),
        };
        let mut absorber = Absorber::new(&mut self.entries, self.node, counts);
        absorber.uptime = uptime;
        let result = absorber.frame(&mut target, &arrival.frame, &arrival.body);
        let says_news = absorber.news;
        if let Body::Dict(_) = arrival.body {
            self.lend_dictionary(origin, key);
        }
        let device = self.devices.entry(origin).or_default();
        let Some(session) = device.sessions.get_mut(&key) else { return result };
        let position = match standing {
            Standing::Newest(position) => position,
            Standing::Late { is_vague } => {
                if is_vague && says_news {
                    session.tracker.mix();
                }
                return result;
            }
        };
        let flags = arrival.frame.header.flags;
        session.heard(&arrival.frame.header, position.uptime_time, arrival.now);
        let Some(of_origin) = self.state.origin(origin) else { return result };
        let is_one = !of_origin.is_twins();
        let mut began = None;
        if let Some(data) = of_origin.epoch(key) {
            began = session.began_here().filter(|_| data.began_here().is_none());
            if matches!(arrival.body, Body::Data(_)) && flags.contains(Flags::LAST) {
                session.advance_rates(data, position.uptime, (self.limits.window, &self.windows));
            }
        }
        if let Some(here) = began {
            let began = Mutation::Change(Change::Began(here));
            self.state.apply(origin, key, began, &self.limits);
        }
        let is_keyframe = flags.contains(Flags::KEYFRAME.with(Flags::LAST));
        if is_keyframe && device.keyframe(key) && is_one {
            self.state.apply(origin, key, Mutation::Twins, &self.limits);
        }
        result
    }

    /// Takes in a HELLO or DICT frame with a full address that somebody kept for those who come
    /// late: it says what the values of an epoch mean, whose frames are long ahead of it. Anything
    /// else, and any other epoch, is left alone.
    #[cfg(feature = "mqtt")]
    pub(crate) fn learn(&mut self, link: LinkId, bytes: &[u8], now: Duration) {
        let Ok(frame) = Frame::parse(bytes) else { return };
        let (Address::Full { origin, epoch }, Ok(body)) = (frame.header.address, frame.body())
        else {
            return;
        };
        let (Ok(origin), key) = (Origin::new(origin), EpochKey::new(epoch)) else { return };
        let is_open = self.state.epoch(origin, key).is_some();
        if is_open && matches!(body, Body::Hello(_) | Body::Dict(_)) {
            let arrival = Arrival { frame, body, bytes, link, now };
            // What is wrong with it is counted for the device.
            let _ = self.accept(origin, key, &arrival, Standing::Late { is_vague: false });
        }
    }

    /// Gives a dictionary that is whole now to the other epochs that announced the same one and
    /// missed a part of it: a short life may end before all of its entries came through.
    fn lend_dictionary(&mut self, origin: Origin, key: EpochKey) {
        let Some(data) = self.state.origin(origin) else { return };
        let Some(lender) = data.epoch(key).map(EpochData::dictionary) else { return };
        if !lender.is_complete() {
            return;
        }
        let announced = lender.announced();
        let is_short = |data: &EpochData| {
            let dictionary = data.dictionary();
            dictionary.announced() == announced && !dictionary.is_complete()
        };
        let epochs = data.epochs().into_iter();
        let short: Vec<_> = epochs.filter(|(_, d)| is_short(d)).map(|(key, _)| key).collect();
        let device = self.devices.entry(origin).or_default();
        for key in short {
            let mut target = Bound { state: &mut self.state, limits: &self.limits, origin, key };
            let counts = &mut device.counts;
            Absorber::new(&mut self.entries, self.node, counts).assume(&mut target);
        }
    }

    /// Keeps a frame aside that seems to be of another life under the same epoch.
    fn suspect(
        &mut self,
        origin: Origin,
        key: EpochKey,
        arrival: &Arrival<'_>,
    ) -> Result<(), Refusal> {
        let device = self.devices.entry(origin).or_default();
        device.counts.suspect += 1;
        let mut counts = DeviceCounts::default();
        let mut absorber = Absorber::new(&mut self.entries, self.node, &mut counts);
        let mut target = Loose::new(device.suspect(key), &self.limits);
        absorber.frame(&mut target, &arrival.frame, &arrival.body)
    }

    /// Opens a sub-epoch for the life that began again under the same epoch.
    fn restart(
        &mut self,
        origin: Origin,
        key: EpochKey,
        arrival: &Arrival<'_>,
        position: Position,
    ) -> Result<(), Refusal> {
        let next = key.next_part().ok_or(Refusal::EpochsFull)?;
        let device = self.devices.entry(origin).or_default();
        if !device.may_open(arrival.now, self.limits.new_epochs_per_minute) {
            return Err(Refusal::EpochHeld);
        }
        let data = device.take_suspect(key).unwrap_or_default();
        device.counts.epoch_collisions += 1;
        self.open_epoch(origin, next, arrival)?;
        let mut session = Session::default();
        session.tracker = Tracker::default().with_strict(true);
        session.tracker.judge(position, arrival.bytes);
        let facts = self.state.epoch(origin, key).and_then(|data| data.facts().copied());
        if let (None, Some(facts)) = (data.facts(), facts) {
            // A HELLO that was byte for byte the old one was taken for a repeat of it.
            let change = Mutation::Change(Change::Facts(facts));
            self.state.apply(origin, next, change, &self.limits);
        }
        self.adopt(origin, next, Slot { data, session });
        let device = self.devices.entry(origin).or_default();
        if let Some(session) = device.sessions.get_mut(&next) {
            session.heard(&arrival.frame.header, position.uptime_time, arrival.now);
        }
        Ok(())
    }
}

/// Takes in a frame of an epoch that is no part of the state.
fn ingest_loose(
    slot: &mut Slot,
    absorber: &mut Absorber<'_>,
    arrival: &Arrival<'_>,
    limits: &super::Limits,
) -> Result<(), Refusal> {
    let position = arrival.position(Some(&slot.data));
    absorber.uptime = position.uptime_time;
    match slot.session.tracker.judge(position, arrival.bytes) {
        Verdict::Next { .. } | Verdict::Late { .. } | Verdict::Agreed { .. } => {
            let mut target = Loose::new(&mut slot.data, limits);
            let result = absorber.frame(&mut target, &arrival.frame, &arrival.body);
            slot.session.heard(&arrival.frame.header, position.uptime_time, arrival.now);
            result
        }
        Verdict::Restarted => {
            *slot = Slot::default();
            ingest_loose(slot, absorber, arrival, limits)
        }
        Verdict::Held => Err(Refusal::Jump),
        Verdict::Duplicate | Verdict::Suspect { .. } => Ok(()),
    }
}
