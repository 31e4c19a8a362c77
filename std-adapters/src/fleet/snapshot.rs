//! Snapshots: the fleet at one moment, added up and named, for exporters to read without a lock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tapes_core::metric::{Descriptor, Value};
use tapes_core::rates::RateReading;
use tapes_core::wire::{Event, Origin};

use super::Fleet;
use super::catalog::Catalog;
use super::device::{Device, DeviceCounts};
use super::entry::Quarantine;
use super::epoch::{EpochData, Facts};
use super::identity::{EpochKey, MetricKey};
use super::ingest::time_of;
use super::lineup::Lineup;
use super::link::LinkCounts;
use super::outputs::OutputCounts;
use super::rollup::LeftOut;
use super::series::{Class, SeriesKey, Total};
use super::session::Session;
use super::state::OriginData;
use super::store::StoreStats;
use super::value::Stored;
use crate::recent::RecentReading;

/// What the newest life of a device says of a series, beside the sum of all lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// There was no other life: the sum is its value.
    Only,
    /// Its own value.
    Newest(Box<Total>),
    /// Nothing; the sum is of earlier ones.
    Past,
}

/// One series of one device.
#[derive(Debug, Clone)]
pub struct Series {
    /// What tells it apart.
    pub key: Arc<SeriesKey>,
    /// Its value, all lives of the device added up.
    pub total: Total,
    /// Its value in the newest life.
    pub life: Life,
    /// Rates of a meter or timer, over the device's uptime; `None` while the device is silent.
    pub rates: Option<RateReading>,
    /// What a histogram or timer did lately; `None` for other kinds, and if no windows are kept.
    pub recent: Option<Box<RecentReading>>,
    /// Name under which Prometheus sees it; `None` if another metric has that name.
    pub family: Option<Arc<str>>,
    /// Whether the value is current: gauges go stale when the device falls silent, counts later.
    pub is_fresh: bool,
}

impl Series {
    /// Calls `f` with what core's encoders take.
    pub fn read<R>(&self, f: impl FnOnce(&Descriptor<'_>, &Value<'_>) -> R) -> R {
        self.read_as(&self.key.name, f)
    }

    /// As [`read`](Self::read), under another name.
    pub fn read_as<R>(&self, name: &str, f: impl FnOnce(&Descriptor<'_>, &Value<'_>) -> R) -> R {
        self.total.read(&self.key, name, f)
    }

    /// Returns the value of the newest life, `None` if that has not said it.
    #[must_use]
    pub fn newest(&self) -> Option<&Total> {
        match &self.life {
            Life::Only => Some(&self.total),
            Life::Newest(total) => Some(total),
            Life::Past => None,
        }
    }
}

/// One device as exporters see it; of two devices that share an origin, one epoch of it.
#[derive(Debug, Clone)]
pub struct DeviceSnapshot {
    /// The origin in hexadecimal, for twins followed by `#` and the epoch.
    pub uid: String,
    /// What it is called: its uid, unless an operator gave it a name.
    pub name: String,
    /// Labels that all of its metrics get.
    pub labels: Vec<(String, String)>,
    /// Name of the input on which it was last heard, `None` if not since this process began.
    pub link: Option<Arc<str>>,
    /// Whether it was heard within three of its report intervals.
    pub is_up: bool,
    /// Time since it was heard.
    pub silence: Duration,
    /// Its uptime in the newest frame, once it has said how fast its clock runs.
    pub uptime: Option<Duration>,
    /// Lives of its values so far.
    pub boots: u64,
    /// What the newest life said about itself.
    pub facts: Option<Facts>,
    /// When counting began, of all lives; `None` while nobody knows.
    pub start: Option<SystemTime>,
    /// When the newest life began; `None` while nobody knows.
    pub newest_start: Option<SystemTime>,
    /// What it says it lost, all lives added up.
    pub losses: Event,
    /// What was noticed about its frames.
    pub counts: DeviceCounts,
    /// Entries of its dictionaries that are not exported, by reason.
    pub quarantined: BTreeMap<&'static str, u64>,
    /// Values that could not be added up exactly, and series without a name.
    pub withheld: u64,
    /// Its series, by name.
    pub series: Vec<Series>,
}

impl DeviceSnapshot {
    /// Returns the labels that come before the own ones of its metrics.
    pub(super) fn extra_labels(&self) -> Vec<(&str, &str)> {
        let labels = self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        [("device", self.name.as_str())].into_iter().chain(labels).collect()
    }
}

/// The fleet at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Devices by origin.
    pub devices: Vec<DeviceSnapshot>,
    /// What came in, by name of the links.
    pub links: Vec<(String, LinkCounts)>,
    /// Links that are open.
    pub links_open: usize,
    /// Names that more than one metric claims, without those that got one.
    pub names_withheld: usize,
    /// Memory of dictionaries and values, in bytes; an estimate.
    pub state_bytes: usize,
    /// What keeping the state on disk did, `None` if it is not kept.
    pub store: Option<StoreStats>,
    /// What each output did, by name.
    pub outputs: Vec<(String, OutputCounts)>,
    /// What is not in the sums that this receiver forwards, `None` if it forwards none.
    pub rollup: Option<LeftOut>,
}

/// A device under way: epochs are added from the oldest to the newest.
#[derive(Debug, Default)]
struct Sum {
    /// Values of all epochs, one after the other.
    parts: Vec<(Arc<SeriesKey>, Summed)>,
    withheld: u64,
    losses: Event,
    quarantined: BTreeMap<&'static str, u64>,
}

/// One series under way.
#[derive(Debug)]
struct Summed {
    total: Total,
    life: Life,
    rates: Option<RateReading>,
    recent: Option<Box<RecentReading>>,
}

impl Fleet {
    /// Adds everything up as of `now`, which is monotonic time.
    ///
    /// Costs a copy of every value that is exported.
    #[must_use]
    pub fn snapshot(&self, now: Duration) -> Snapshot {
        let catalog = self.catalog();
        let mut devices = Vec::new();
        let nobody = Device::default();
        let mut lineup = Lineup::default();
        // What this receiver adds up is no device of its own.
        let own = self.own_origin();
        for (origin, data) in self.state.origins().filter(|(origin, _)| *origin != own) {
            let device = self.devices.get(&origin).unwrap_or(&nobody);
            let has_windows = !self.limits.window.is_zero();
            let view = View { catalog: &catalog, origin, data, device, now, has_windows };
            if data.is_twins() {
                let epochs = data.epochs().into_iter();
                devices.extend(epochs.map(|(key, epoch)| view.twin(key, epoch, &mut lineup)));
            } else {
                devices.push(view.whole(self.limits.forget_after, &mut lineup));
            }
        }
        Snapshot {
            devices,
            links: self.links.counts().map(|(name, c)| (name.to_owned(), c.clone())).collect(),
            links_open: self.links.len(),
            names_withheld: catalog.withheld(),
            state_bytes: self.state.bytes(),
            store: None,
            outputs: Vec::new(),
            rollup: self.rollup,
        }
    }
}

impl Summed {
    /// Adds what a newer epoch says. Returns false if it has no common measure, and is left out.
    fn add(&mut self, newer: &mut Self, class: Class) -> bool {
        if !class.adds_up() {
            std::mem::swap(self, newer);
            return true;
        }
        let is_added = self.total.add(&newer.total).is_ok();
        self.rates = newer.rates.or(self.rates);
        self.recent = newer.recent.take().or(self.recent.take());
        self.life = match std::mem::replace(&mut newer.life, Life::Past) {
            Life::Only => Life::Newest(Box::new(newer.total.clone())),
            life => life,
        };
        is_added
    }
}

/// What a device's snapshot is made from.
#[derive(Debug, Clone, Copy)]
struct View<'f> {
    catalog: &'f Catalog,
    origin: Origin,
    data: &'f OriginData,
    device: &'f Device,
    now: Duration,
    has_windows: bool,
}

/// Returns what a histogram or timer did lately.
fn recent(session: &Session, metric: MetricKey, total: &Total) -> Option<Box<RecentReading>> {
    let Stored::Histogram(all) = total.value() else { return None };
    session.recent(metric, all, total.kind().buckets()?, total.unit()).map(Box::new)
}

impl View<'_> {
    /// Returns all epochs of the origin added up.
    fn whole(&self, forget_after: Duration, lineup: &mut Lineup) -> DeviceSnapshot {
        let mut sum = Sum { withheld: self.data.folded().misfits(), ..Sum::default() };
        let totals = self.data.folded().totals();
        sum.parts.extend(totals.map(|(key, total)| {
            (
                Arc::clone(key),
                Summed { total: total.clone(), life: Life::Past, rates: None, recent: None },
            )
        }));
        let newest = self.data.newest();
        for (key, epoch) in self.data.epochs() {
            self.add(&mut sum, key, epoch, Some(key) == newest);
        }
        let start = self.data.started();
        let name = self.origin.to_string();
        self.finish(name, newest, start, (sum, lineup), forget_after)
    }

    /// Returns one epoch as a device of its own.
    fn twin(&self, key: EpochKey, epoch: &EpochData, lineup: &mut Lineup) -> DeviceSnapshot {
        let mut sum = Sum::default();
        self.add(&mut sum, key, epoch, true);
        let name = format!("{}#{key}", self.origin);
        // Old lives of twins belong to nobody for sure: they go when they fall silent.
        self.finish(name, Some(key), self.start(key), (sum, lineup), Duration::ZERO)
    }

    fn add(&self, sum: &mut Sum, key: EpochKey, epoch: &EpochData, is_newest: bool) {
        let losses = epoch.losses();
        for (total, more) in [
            (&mut sum.losses.registry_full, losses.registry_full),
            (&mut sum.losses.frames_dropped, losses.frames_dropped),
            (&mut sum.losses.epoch_collisions, losses.epoch_collisions),
        ] {
            *total = total.saturating_add(more);
        }
        let screened = self.catalog.screened_in(self.origin, key);
        let session = self.device.sessions.get(&key).filter(|_| is_newest);
        sum.parts.reserve(epoch.records.len());
        for (metric, entry, value) in epoch.values() {
            if screened.is_some_and(|screened| screened.contains_key(&metric.id)) {
                continue;
            }
            let Some(total) = Total::new(entry, metric.cell, value.clone()) else { continue };
            let Some(series) = total.key() else { continue };
            if is_newest || series.class.adds_up() {
                let life = if is_newest { Life::Only } else { Life::Past };
                let rates = session.and_then(|session| session.rates(metric));
                let recent = session.and_then(|session| recent(session, metric, &total));
                sum.parts.push((series, Summed { total, life, rates, recent }));
            }
        }
        if is_newest {
            sum.quarantine(epoch, self.catalog.screened_of(self.origin, key));
        }
    }

    fn start(&self, key: EpochKey) -> Option<SystemTime> {
        self.device.sessions.get(&key)?.start()
    }

    fn finish(
        &self,
        name: String,
        newest: Option<EpochKey>,
        start: Option<SystemTime>,
        (mut sum, lineup): (Sum, &mut Lineup),
        forget_after: Duration,
    ) -> DeviceSnapshot {
        let newest_session = newest.and_then(|key| self.device.sessions.get(&key));
        let facts = newest.and_then(|key| self.data.epoch(key)?.facts().copied());
        let uptime = newest_session.and_then(|s| s.tracker.newest()).map(|newest| newest.uptime);
        let silence = newest_session.map_or(Duration::MAX, |s| s.silence(self.now));
        let patience = newest_session.map_or(Duration::ZERO, |session| session.patience());
        let is_gone = newest_session.is_some_and(|session| session.is_gone());
        let is_up = silence <= patience && !is_gone;
        let is_counting = is_up || silence <= forget_after;
        let family = |summed: &Summed| self.catalog.family(summed.total.description()).cloned();
        let parts = std::mem::take(&mut sum.parts);
        let totals = lineup.apply(parts, family, |newer, key, total| {
            sum.withheld += u64::from(!total.add(newer, key.class));
        });
        let series: Vec<_> = totals
            .into_iter()
            .map(|(key, Summed { total, life, rates, recent }, family)| Series {
                family,
                rates: rates.filter(|_| is_up),
                recent: (key.class == Class::Histogram && self.has_windows)
                    .then(|| recent.filter(|_| is_up).unwrap_or_default()),
                is_fresh: if key.class == Class::Gauge { is_up } else { is_counting },
                key,
                total,
                life,
            })
            .collect();
        let nameless = series.iter().filter(|series| series.family.is_none()).count();
        DeviceSnapshot {
            uid: name.clone(),
            name,
            labels: Vec::new(),
            link: newest_session.and_then(|session| session.link_name.clone()),
            is_up,
            silence,
            uptime: facts.zip(uptime).map(|(facts, ticks)| time_of(ticks, facts.tick_hz)),
            boots: self.data.opened(),
            facts,
            start,
            newest_start: newest.and_then(|key| self.start(key)),
            losses: sum.losses,
            counts: self.device.counts,
            quarantined: sum.quarantined,
            withheld: sum.withheld.saturating_add(nameless as u64),
            series,
        }
    }
}

impl Sum {
    fn quarantine(&mut self, epoch: &EpochData, screened: impl Iterator<Item = Quarantine>) {
        let entries = epoch.dictionary().iter();
        let alone = entries.filter_map(|(_, entry)| entry.description().err());
        for reason in alone.chain(screened) {
            *self.quarantined.entry(reason.reason()).or_default() += 1;
        }
    }
}
