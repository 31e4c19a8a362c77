//! What is known of an epoch only while it is being received: order, owner, pace, rates.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tapes_core::metric::{Buckets, Kind, Unit};
use tapes_core::rates::{Ewma, RateReading, Ticks};
use tapes_core::wire::{Flags, Header};

use super::epoch::EpochData;
use super::identity::MetricKey;
use super::ingest::time_of;
use super::link::LinkId;
use super::sorted::Sorted;
use super::tracker::Tracker;
use super::value::{Histogram, Stored};
use crate::recent::{Budget, RecentReading, Windows};

/// Memory of the windows of one epoch, in bytes; histograms beyond have none.
const WINDOW_BYTES_MAX: usize = 256 << 10;

/// Keyframes of two epochs, in turns, after which they are two devices.
pub(super) const TWIN_TURNS: u32 = 3;

/// Report interval of a device of which two reports have not been heard yet.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(10);

/// Shortest report interval that is believed when deciding whether a device is silent: a pause of
/// a second is a hiccup, not an absence.
const INTERVAL_MIN: Duration = Duration::from_secs(2);

/// Longest report interval that is believed.
const INTERVAL_MAX: Duration = Duration::from_secs(300);

/// Largest sequence number at which an uptime since this receiver's start is believed to be the age
/// of the values too.
pub(super) const YOUNG_SEQ_MAX: u64 = 1_000;

/// Report intervals of silence after which a device is down.
const SILENT_INTERVALS: u32 = 3;

/// What of a session outlives the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    /// Sequence number of the newest frame.
    pub(super) seq: u64,
    /// Uptime of the newest frame, in the sender's ticks.
    pub(super) uptime: u64,
    /// Report interval, once it is known.
    pub(super) interval: Option<Duration>,
}

/// One epoch as it is being received.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) tracker: Tracker,
    /// The link that may speak for the epoch.
    pub(super) owner: Option<LinkId>,
    /// The name of the link that spoke for it last.
    pub(super) link_name: Option<Arc<str>>,
    /// Arrival of the first accepted frame.
    first: Option<Duration>,
    /// Arrival of the last accepted frame.
    last: Duration,
    /// Silence before `last`, when the session was restored then.
    silence: Duration,
    /// Whether it was said since that its device is gone.
    is_gone: bool,
    /// Whether a frame was accepted since this was saved.
    unsaved: bool,
    /// Uptime at the end of the last report.
    report: Option<Duration>,
    interval: Option<Duration>,
    rates: Option<EpochRates>,
    /// Whether the epoch began while this receiver ran, so that its counts began at zero here;
    /// `None` until the tick rate is known.
    began_here: Option<bool>,
    /// When its values began, on the monotonic clock of this process, and how long before that
    /// clock's zero; `None` until the tick rate is known.
    birth: Option<Birth>,
    /// The same by the time of day, computed once.
    start: Option<SystemTime>,
    /// Whether a keyframe was heard.
    keyframed: bool,
    /// Keyframes heard after a keyframe of another epoch of the origin.
    pub(super) turns: u32,
}

/// An arrival, and how old the values were then.
#[derive(Debug, Clone, Copy)]
struct Birth {
    heard: Duration,
    age: Duration,
}

impl Session {
    /// Returns a session that a link speaks for.
    pub(super) fn owned_by(link: LinkId) -> Self {
        Self { owner: Some(link), ..Self::default() }
    }

    /// Returns this session under another owner.
    pub(super) fn handed_to(self, owner: Option<LinkId>) -> Self {
        Self { owner, ..self }
    }

    /// Returns when the epoch was last heard.
    pub(super) const fn last(&self) -> Duration {
        self.last
    }

    /// Returns how long the epoch has not been heard.
    pub(super) const fn silence(&self, now: Duration) -> Duration {
        now.saturating_sub(self.last).saturating_add(self.silence)
    }

    /// Returns a session as it was when it was saved, `silence` ago.
    pub(super) fn restored(heard: Heard, silence: Duration, now: Duration) -> Self {
        Self {
            tracker: Tracker::restored(heard.seq, heard.uptime, now.saturating_sub(silence)),
            first: Some(now),
            last: now,
            silence,
            interval: heard.interval,
            // Rates begin with what comes next.
            began_here: Some(false),
            ..Self::default()
        }
    }

    /// Notes what another receiver heard of the epoch, `silence` ago.
    #[cfg(feature = "zmq")]
    pub(super) fn relayed(&mut self, heard: Heard, silence: Duration, now: Duration) {
        if self.owner.is_none() && self.tracker.newest().is_none_or(|at| at.seq < heard.seq) {
            let at = now.saturating_sub(silence);
            self.tracker = Tracker::restored(heard.seq, heard.uptime, at);
        }
        if silence < self.silence(now) {
            (self.last, self.silence, self.unsaved) = (now, silence, true);
        }
        self.interval = heard.interval.or(self.interval);
    }

    /// Notes that this receiver itself speaks, and returns the number of what it says: above all
    /// before, of which `newest` is one.
    #[cfg(feature = "zmq")]
    pub(super) fn speaks(&mut self, newest: u64, interval: Duration, now: Duration) -> u64 {
        let before = self.tracker.newest();
        let silence = Some(self.silence(now)).filter(|silence| *silence < Duration::MAX);
        let (seq, uptime) = before.map_or((0, 0), |at| (at.seq.saturating_add(1), at.uptime));
        let seq = seq.max(newest.saturating_add(1));
        // A new one has been silent for as long as this process runs.
        let pause = before.and(silence).map_or(0, |silence| silence.as_millis());
        let uptime = uptime.saturating_add(u64::try_from(pause).unwrap_or(u64::MAX));
        self.tracker = Tracker::restored(seq, uptime, now);
        self.first.get_or_insert(now);
        (self.last, self.silence, self.unsaved) = (now, Duration::ZERO, true);
        self.interval = Some(interval);
        seq
    }

    /// Returns what is to be saved, `None` if nothing was heard since.
    pub(super) fn take_heard(&mut self, now: Duration) -> Option<(Heard, Duration)> {
        std::mem::take(&mut self.unsaved).then(|| self.saved(now)).flatten()
    }

    /// Returns what is to be saved, and how long ago it was heard.
    pub(super) fn saved(&self, now: Duration) -> Option<(Heard, Duration)> {
        let newest = self.tracker.newest()?;
        let heard = Heard { seq: newest.seq, uptime: newest.uptime, interval: self.interval };
        Some((heard, self.silence(now)))
    }

    /// Returns whether the epoch began while this receiver ran, `None` if that is not known yet.
    pub(super) const fn began_here(&self) -> Option<bool> {
        self.began_here
    }

    /// Returns when its values began by the time of day, `None` if that is not known (yet).
    pub(super) const fn start(&self) -> Option<SystemTime> {
        self.start
    }

    /// Computes when its values began, once and for all: of two that were computed at different
    /// times, clocks that drift or are set would make two starts.
    pub(super) fn freeze_start(&mut self, now: Duration, wall: SystemTime) {
        if let (None, Some(Birth { heard, age })) = (self.start, self.birth) {
            let age = now.saturating_sub(heard).saturating_add(age);
            self.start = wall.checked_sub(age).filter(|start| *start >= SystemTime::UNIX_EPOCH);
        }
    }

    /// Returns whether no frame was accepted yet.
    pub(super) const fn is_new(&self) -> bool {
        self.first.is_none()
    }

    /// Notes an accepted frame. `uptime` is its uptime, if the tick rate is known.
    pub(super) fn heard(&mut self, header: &Header<'_>, uptime: Option<Duration>, now: Duration) {
        self.first.get_or_insert(now);
        self.is_gone = false;
        (self.last, self.silence, self.unsaved) = (now, Duration::ZERO, true);
        if self.began_here.is_none() {
            // A warm reset keeps its values and goes on counting frames: only the uptime is small.
            let is_young = header.seq <= YOUNG_SEQ_MAX;
            self.began_here = uptime.map(|uptime| uptime <= now && is_young);
            // Of values that are older than the uptime says, only that they are there now is known.
            let age = |uptime| if uptime > now || is_young { uptime } else { Duration::ZERO };
            self.birth = uptime.map(|uptime| Birth { heard: now, age: age(uptime) });
        }
        let Some(uptime) = uptime.filter(|_| header.flags.contains(Flags::LAST)) else { return };
        if let Some(before) = self.report.replace(uptime)
            && uptime > before
        {
            let sample = (uptime - before).min(INTERVAL_MAX);
            let decayed = self.interval.map_or(sample, |known| (known * 3 + sample) / 4);
            self.interval = Some(decayed.max(sample));
        }
    }

    /// Notes the end of a keyframe. `is_turn` says whether another epoch of the origin had one
    /// since. Returns whether this one takes turns by now.
    pub(super) fn keyframe(&mut self, is_turn: bool) -> bool {
        if is_turn && self.keyframed {
            self.turns = self.turns.saturating_add(1);
        }
        self.keyframed = true;
        self.turns >= TWIN_TURNS
    }

    /// Notes that its device is gone, until it is heard again.
    #[cfg(feature = "mqtt")]
    pub(super) const fn leave(&mut self) {
        self.is_gone = true;
    }

    /// Returns whether its device was said to be gone and not heard since.
    pub(super) const fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Returns the silence after which the device counts as down.
    pub(super) fn patience(&self) -> Duration {
        self.interval.unwrap_or(INTERVAL_DEFAULT).max(INTERVAL_MIN) * SILENT_INTERVALS
    }

    /// Moves rates and windows on to the uptime of the last frame.
    pub(super) fn advance_rates(
        &mut self,
        data: &EpochData,
        uptime: u64,
        window: (Duration, &Arc<Budget>),
    ) {
        let Some(facts) = data.facts() else { return };
        let rates = match &mut self.rates {
            Some(rates) if uptime >= rates.uptime => rates,
            // The first frame, or a warm reset: the uptime began again, the counts go on.
            other => {
                let from_zero = other.is_none() && self.began_here == Some(true);
                let start = if from_zero { 0 } else { uptime };
                let rates = EpochRates::new(start, facts.tick_hz, from_zero);
                other.insert(rates.with_windows(window))
            }
        };
        rates.advance(data, uptime);
    }

    /// Returns the rates of a meter or timer.
    pub(super) fn rates(&self, key: MetricKey) -> Option<RateReading> {
        let rates = self.rates.as_ref()?;
        Some(rates.counts.get(key)?.reading(rates.ticks.seconds()))
    }
}

impl Session {
    /// Returns what a histogram or timer did lately, of which `all` are the values of all times.
    pub(super) fn recent(
        &self,
        key: MetricKey,
        all: &Histogram,
        geometry: Buckets,
        unit: Unit<'_>,
    ) -> Option<RecentReading> {
        self.rates.as_ref()?.windows.as_ref()?.reading(&key, all, geometry, unit)
    }
}

/// Rates and windows of one epoch, over the device's own uptime.
#[derive(Debug)]
struct EpochRates {
    ticks: Ticks,
    uptime: u64,
    counts: Sorted<MetricKey, Ewma>,
    /// Whether counts began at zero when the ticks did.
    from_zero: bool,
    windows: Option<Windows<MetricKey>>,
    hz: u32,
}

impl EpochRates {
    fn new(start: u64, tick_hz: u32, from_zero: bool) -> Self {
        let ticks = Ticks::new(start, tick_hz);
        let counts = Sorted::default();
        Self { ticks, uptime: start, counts, from_zero, windows: None, hz: tick_hz }
    }

    fn with_windows(self, (len, budget): (Duration, &Arc<Budget>)) -> Self {
        let start = time_of(self.uptime, self.hz);
        let windows = (!len.is_zero()).then(|| Windows::new(len, start, budget, WINDOW_BYTES_MAX));
        Self { windows, ..self }
    }

    fn advance(&mut self, data: &EpochData, uptime: u64) {
        let due = self.ticks.advance(uptime);
        self.uptime = uptime;
        if let Some(windows) = &mut self.windows {
            windows.look(time_of(uptime, self.hz));
        }
        for (key, entry, value) in data.values() {
            if let (Stored::Histogram(counts), Some(windows)) = (value, &mut self.windows) {
                windows.advance(key, counts, self.from_zero);
            }
            let kind = entry.description().map(|description| description.kind);
            if !matches!(kind, Ok(Kind::Meter | Kind::Timer(_))) {
                continue;
            }
            let Some(count) = value.count() else { continue };
            let baseline = if self.from_zero { 0 } else { count };
            self.counts.get_or_insert_with(key, || Ewma::new(baseline)).advance(due, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tapes_core::wire::{Flags, Header};

    use super::Session;

    fn report(session: &mut Session, at_s: u64) {
        let header = Header { flags: Flags::LAST, ..Header::short(1) };
        let at = Duration::from_secs(at_s);
        session.heard(&header, Some(at), at);
    }

    /// A fixed patience would call every slow device dead, or notice a dead fast one after minutes.
    #[test]
    fn patience_follows_the_report_interval() {
        let mut session = Session::default();
        assert_eq!(session.patience(), Duration::from_secs(30));
        report(&mut session, 10);
        report(&mut session, 70);
        assert_eq!(session.patience(), Duration::from_secs(180));
        (71..100).for_each(|at_s| report(&mut session, at_s));
        assert_eq!(session.patience(), Duration::from_secs(6));
    }

    /// An ordinary reboot must not look like two devices.
    #[test]
    fn twins_take_turns_three_times() {
        let (mut a, mut b) = (Session::default(), Session::default());
        assert!(!a.keyframe(false) && !b.keyframe(true), "a reboot");
        for turn in 1..3 {
            assert!(!a.keyframe(true) && !b.keyframe(true), "turn {turn}");
        }
        assert!(a.keyframe(true) && b.keyframe(true));
    }
}
