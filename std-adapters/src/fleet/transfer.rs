//! Records on their way from one receiver to another: what is newer, and how it is taken in.
//!
//! Only records of single origins travel, so a detour, a repeat or a diamond counts once. The bytes
//! are those of a batch of the state file, `docs/state.md`; a batch stands alone.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tapes_core::wire::Origin;

use super::Fleet;
use super::epoch::{Applied, Change};
use super::identity::{EpochKey, NodeId};
use super::ingest::time_of;
use super::limits::Limits;
use super::link::LinkId;
use super::refusal::Refusal;

use super::session::{Heard, Session, YOUNG_SEQ_MAX};
use super::state::Mutation;
use super::store::{BatchWriter, Saved};

/// Memory that one received batch may take before it is merged, in bytes.
const BATCH_BYTES: usize = 32 << 20;

/// Origins of one received batch.
const BATCH_ORIGINS: usize = 65_536;

/// The time of day at which batches are said to be made: only how long ago something was heard
/// travels, so that clocks need not agree.
const WALL: SystemTime = UNIX_EPOCH;

/// Offset of the above, so that what was heard before it has a time too.
const SINCE: Duration = Duration::from_secs(1 << 40);

/// What a receiver has sent to another one.
///
/// Takes a hundred bytes for each epoch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    epochs: BTreeMap<(Origin, EpochKey), Progress>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    generation: u32,
    /// Sequence number and uptime of the newest frame that was told of.
    heard: Option<(u64, u64)>,
}

impl Sent {
    /// Forgets epochs that are gone, when most of them are.
    fn forget_if_many(&mut self, fleet: &Fleet) {
        let live: usize = fleet.state().origins().map(|(_, data)| data.len()).sum();
        if self.epochs.len() > 2 * live {
            self.epochs.retain(|(origin, key), _| fleet.state().epoch(*origin, *key).is_some());
        }
    }
}

impl Fleet {
    /// Returns what changed since it was put into `sent`, in batches of about `len` bytes, at most
    /// `max` of them; one epoch is never cut.
    ///
    /// Lives that began again under their epoch stay here: which of them is which, each receiver
    /// counts for itself. So do sums of folded epochs.
    pub(crate) fn newer(
        &mut self,
        sent: &mut Sent,
        except: impl Fn(Origin) -> bool,
        now: Duration,
        (len, max): (usize, usize),
    ) -> Vec<Vec<u8>> {
        let mut batches = Vec::new();
        sent.forget_if_many(self);
        self.state.seal();
        let mut batch = BatchWriter::new(self.node(), WALL + SINCE);
        for (origin, data) in self.state().origins_by_contact() {
            if except(origin) {
                continue;
            }
            for (key, epoch) in data.epochs().into_iter().filter(|(key, _)| key.part == 0) {
                let known = sent.epochs.get(&(origin, key)).copied();
                let progress = known.unwrap_or_default();
                let heard = self.heard_of(origin, key, now);
                let news = heard.map(|(heard, _)| (heard.seq, heard.uptime));
                if known.is_some()
                    && epoch.generation() == progress.generation
                    && news == progress.heard
                {
                    continue;
                }
                if batch.len() >= len {
                    let next = BatchWriter::new(self.node(), WALL + SINCE);
                    batches.push(std::mem::replace(&mut batch, next).finish());
                    if batches.len() >= max {
                        return batches;
                    }
                }
                batch.mutation(origin, key, &Mutation::Open);
                for change in epoch.newer(progress.generation) {
                    batch.mutation(origin, key, &Mutation::Change(change));
                }
                if let Some((heard, silence)) = heard {
                    batch.heard(origin, key, heard, silence);
                }
                let progress = Progress { generation: epoch.generation(), heard: news };
                sent.epochs.insert((origin, key), progress);
            }
        }
        let last = batch.finish();
        if !last.is_empty() {
            batches.push(last);
        }
        batches
    }

    fn heard_of(&self, origin: Origin, key: EpochKey, now: Duration) -> Option<(Heard, Duration)> {
        self.devices.get(&origin)?.sessions.get(&key)?.saved(now)
    }

    /// Takes in a batch that the receiver `from` made of origins that it may speak for.
    ///
    /// # Errors
    ///
    /// Why something of it was not used; it is counted for the link. What can be used is.
    pub(crate) fn receive_records(
        &mut self,
        link: LinkId,
        (batch, from): (&[u8], NodeId),
        may_speak_for: impl Fn(Origin) -> bool,
        now: Duration,
    ) -> Result<(), Refusal> {
        self.unsaved_since.get_or_insert(now);
        let limits = Limits {
            origins: BATCH_ORIGINS,
            epochs_per_origin: usize::MAX,
            bytes: BATCH_BYTES,
            bytes_per_origin: BATCH_BYTES,
            ..self.limits
        };
        let received = Saved::received(batch, from, &limits);
        let result = match received {
            _ if self.links.get(link).is_none() => Err(Refusal::Closed),
            None => Err(Refusal::Records),
            Some(received) => self.merge_received(&received, may_speak_for, now),
        };
        if let Err(refusal) = result {
            self.links.reject(link, refusal.reason());
        }
        result
    }

    fn merge_received(
        &mut self,
        received: &Saved,
        may_speak_for: impl Fn(Origin) -> bool,
        now: Duration,
    ) -> Result<(), Refusal> {
        let mut result = Ok(());
        let mut mutations = Vec::new();
        received.state.mutations(|origin, key, mutation| mutations.push((origin, key, mutation)));
        for (origin, key, mutation) in mutations {
            // What comes about this receiver's own sums is their echo.
            if key.part > 0 || origin == self.own_origin() {
                continue;
            }
            if !may_speak_for(origin) {
                result = Err(Refusal::Forbidden);
                continue;
            }
            let heard = received.heard.get(&(origin, key));
            let heard = heard.map(|(heard, at)| {
                (*heard, (WALL + SINCE).duration_since(*at).unwrap_or_default())
            });
            let merged = match mutation {
                Mutation::Open => {
                    let facts = received.state.epoch(origin, key).and_then(|data| data.facts());
                    let age = facts.zip(heard).map(|(facts, (heard, silence))| {
                        time_of(heard.uptime, facts.tick_hz).saturating_add(silence)
                    });
                    let is_young = age.is_some_and(|age| age <= now)
                        && heard.is_some_and(|(heard, _)| heard.seq <= YOUNG_SEQ_MAX);
                    self.open_relayed(origin, key, (heard, is_young), now)
                }
                Mutation::Change(change) => self.merge_change(origin, key, change),
                _ => Ok(()),
            };
            result = result.and(merged);
        }
        for ((origin, key), (heard, at)) in &received.heard {
            let silence = (WALL + SINCE).duration_since(*at).unwrap_or_default();
            if may_speak_for(*origin) && *origin != self.own_origin() {
                self.relay(*origin, *key, (*heard, silence), now);
            }
        }
        result
    }

    /// Opens the epoch if it is new here.
    fn open_relayed(
        &mut self,
        origin: Origin,
        key: EpochKey,
        (heard, is_young): (Option<(Heard, Duration)>, bool),
        now: Duration,
    ) -> Result<(), Refusal> {
        let known = self.state.origin(origin);
        if known.is_some_and(|data| data.epoch(key).is_some()) {
            return Ok(());
        }
        if known.is_some_and(|data| data.folded().has(key)) {
            // Its values are part of a sum; nothing that comes now can be told apart from it.
            return Ok(());
        }
        if known.is_none() && self.state.len() >= self.limits.origins {
            return Err(Refusal::OriginsFull);
        }
        self.make_room(origin, now);
        let is_followed = self.state.origin(origin).is_some_and(|data| data.is_followed_by(key));
        match self.state.apply(origin, key, Mutation::Open, &self.limits) {
            Applied::Full => return Err(Refusal::EpochsFull),
            _ if is_followed || is_young => {
                let began = Mutation::Change(Change::Began(true));
                self.state.apply(origin, key, began, &self.limits);
            }
            _ => {}
        }
        let device = self.devices.entry(origin).or_default();
        device.opened(now);
        if let Some((heard, silence)) = heard {
            device.sessions.insert(key, Box::new(Session::restored(heard, silence, now)));
        }
        Ok(())
    }

    fn merge_change(
        &mut self,
        origin: Origin,
        key: EpochKey,
        change: Change,
    ) -> Result<(), Refusal> {
        let Some(epoch) = self.state.epoch(origin, key) else { return Ok(()) };
        match &change {
            Change::Record(metric, _, record) => {
                let Some(entry) = epoch.dictionary().get(metric.id) else {
                    return Err(Refusal::Records);
                };
                let fits = entry.description().map_or(true, |description| {
                    record.value.fits(description.kind) && metric.cell < description.cells()
                });
                if !fits {
                    return Err(Refusal::Records);
                }
                if epoch.wants_base(*metric) {
                    let base = Change::Base(*metric, record.value.clone());
                    self.state.apply(origin, key, Mutation::Change(base), &self.limits);
                }
            }
            Change::Facts(_)
            | Change::Losses(..)
            | Change::Announce(_)
            | Change::Describe(..)
            | Change::Assumed(..) => {}
            // What others know for themselves.
            _ => return Ok(()),
        }
        match self.state.apply(origin, key, Mutation::Change(change), &self.limits) {
            Applied::Full => {
                self.devices.entry(origin).or_default().counts.full += 1;
                Err(Refusal::RecordsFull)
            }
            Applied::Conflict => {
                self.devices.entry(origin).or_default().counts.conflicts += 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Notes that another receiver heard an epoch.
    fn relay(&mut self, origin: Origin, key: EpochKey, told: (Heard, Duration), now: Duration) {
        let Some(data) = self.state.epoch(origin, key) else { return };
        let (heard, silence) = told;
        let device = self.devices.entry(origin).or_default();
        let session = device
            .sessions
            .entry(key)
            .or_insert_with(|| Box::new(Session::restored(heard, silence, now)));
        let uptime = data.facts().map(|facts| (heard.uptime, facts.tick_hz));
        session.relayed(heard, silence, now);
        if uptime.is_some() {
            session.advance_rates(data, heard.uptime, (self.limits.window, &self.windows));
        }
    }
}
