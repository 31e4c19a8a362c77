//! A fleet that several threads use, and the readers that feed it from byte streams.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tapes_core::metric::Value;
use tapes_core::wire::{Deframer, FRAME_LEN_MAX, Feed};
#[cfg(feature = "mqtt")]
use tapes_core::wire::{Epoch, Origin};

use super::outputs::Outputs;
use super::rules::Rules;
use super::store::{Store, StoreStats};
use super::tap::Tap;
use super::{Fleet, LinkId, LinkKind, OutputCounts, Refusal, Snapshot};
use crate::clock::TimeSource;
use crate::exposition::{Exposition, Families, FamilyWriter, LiveValue, LiveWriter, Section, View};

/// A fleet behind a lock, with its clocks; clones share it.
///
/// The lock is held while a frame is taken in and while values are copied, never while text is
/// written or a socket waited for.
#[derive(Debug, Clone)]
pub struct SharedFleet {
    fleet: Arc<Mutex<Fleet>>,
    time: Arc<dyn TimeSource>,
    /// Locked before the fleet, and while the disk is waited for.
    store: Option<Arc<Mutex<Store>>>,
    outputs: Outputs,
    rules: Arc<Mutex<Arc<Rules>>>,
    tap: Tap,
}

impl SharedFleet {
    /// Shares a fleet.
    #[must_use]
    pub fn new(fleet: Fleet, time: Arc<dyn TimeSource>) -> Self {
        Self {
            fleet: Arc::new(Mutex::new(fleet)),
            time,
            store: None,
            outputs: Outputs::default(),
            rules: Arc::default(),
            tap: Tap::default(),
        }
    }

    /// Shares a fleet whose state is kept: whatever is shown is saved before.
    ///
    /// A [`Saver`](super::Saver) saves what nobody looks at. The fleet is one that was
    /// [restored](Fleet::restored) from the store.
    #[must_use]
    pub fn with_store(fleet: Fleet, store: Store, time: Arc<dyn TimeSource>) -> Self {
        Self { store: Some(Arc::new(Mutex::new(store))), ..Self::new(fleet, time) }
    }

    /// Returns the fleet, locked.
    pub fn lock(&self) -> MutexGuard<'_, Fleet> {
        // A panic elsewhere leaves counts as they were before or after one change.
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds everything up as of now, and saves it if there is a store.
    ///
    /// What cannot be saved is shown nevertheless; [`trouble`](Self::trouble) says so.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let (mut snapshot, stats) = self.look(|fleet, now| fleet.snapshot(now));
        snapshot.store = stats;
        snapshot.outputs = self.outputs.counts();
        self.rules().apply(&mut snapshot);
        snapshot
    }

    /// Sets under which names, and which metrics, are shown from now on; nothing that is counted or
    /// kept changes.
    pub fn set_rules(&self, rules: Rules) {
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows what an output did, as `tapes_output_…` with its name as the label `output`.
    ///
    /// `count` is called for each snapshot; it must not look at this fleet.
    pub fn show_output(
        &self,
        name: impl Into<String>,
        count: impl Fn() -> OutputCounts + Send + Sync + 'static,
    ) {
        self.outputs.add(name.into(), Box::new(count));
    }

    /// Tells of every frame that readers take in from now on, and whose it is; for one listener.
    #[cfg(feature = "mqtt")]
    pub(crate) fn tap(&self, tell: impl Fn(&Origin, Epoch, &[u8]) + Send + Sync + 'static) {
        self.tap.set(tell);
    }

    /// Looks at the fleet, and saves what it is at that moment before what was seen is handed out.
    pub(crate) fn look<R>(
        &self,
        look: impl FnOnce(&mut Fleet, Duration) -> R,
    ) -> (R, Option<StoreStats>) {
        let (now, wall) = (self.time.monotonic(), self.time.wall());
        let Some(store) = &self.store else {
            let mut fleet = self.lock();
            fleet.freeze_starts(now, wall);
            return (look(&mut fleet, now), None);
        };
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, batch, whole) = {
            let mut fleet = self.lock();
            fleet.freeze_starts(now, wall);
            let batch = fleet.take_batch(now, wall);
            let whole = store.whole_if_needed(&batch, || fleet.whole(now, wall));
            (look(&mut fleet, now), batch, whole)
        };
        // The store keeps what it could not write, counts it and says why.
        let _ = store.write(batch, whole);
        (seen, Some(store.stats()))
    }

    /// Saves what is not saved yet, if there is a store.
    pub fn save(&self) {
        self.look(|_, _| ());
    }

    /// Saves everything for the last time in an orderly end, and waits for the disk.
    pub fn close(&self) {
        self.save();
        if let Some(store) = &self.store {
            store.lock().unwrap_or_else(PoisonError::into_inner).close();
        }
    }

    /// Returns whether the state is kept.
    #[must_use]
    pub const fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// Returns why the state could not be saved last, `None` if it could.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let store = self.store.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        store.trouble().map(str::to_owned)
    }

    /// Saves what has not been saved for long, and writes the file anew if it has grown.
    ///
    /// The file is written without holding anybody up.
    pub(super) fn tend(&self) {
        let Some(store) = &self.store else { return };
        let due = self.lock().is_due(self.now());
        if due || self.trouble().is_some() {
            self.save();
        }
        let lock = || store.lock().unwrap_or_else(PoisonError::into_inner);
        if !lock().wants_rewrite() {
            return;
        }
        let begun = {
            let (now, wall) = (self.time.monotonic(), self.time.wall());
            let mut store = lock();
            // Under one lock: what is in the whole state must not come in a batch after it.
            let (batch, whole) = {
                let mut fleet = self.lock();
                fleet.freeze_starts(now, wall);
                (fleet.take_batch(now, wall), fleet.whole(now, wall))
            };
            let needed = store.whole_if_needed(&batch, || whole.clone());
            // What is not in the present file is in the next one.
            let _ = store.write(batch, needed);
            store.begin_rewrite(whole)
        };
        let result = begun.and_then(|mut rewrite| {
            let written = rewrite.write();
            lock().end_rewrite(rewrite, written)
        });
        lock().note(&result);
    }

    /// Returns the time by the fleet's monotonic clock.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.time.monotonic()
    }

    /// Opens an input and returns a reader for its bytes, `None` if too many inputs are open.
    #[must_use]
    pub fn reader(&self, name: &str, kind: LinkKind) -> Option<FrameReader> {
        let link = self.lock().open_link(name, kind)?;
        Some(FrameReader { fleet: self.clone(), link, deframer: None })
    }
}

impl Exposition for SharedFleet {
    fn families(&self, view: View<'_>, out: &mut dyn FamilyWriter) -> Result<bool, fmt::Error> {
        if view == View::Merged {
            let ((mut merged, mut snapshot), _) =
                self.look(|fleet, now| (fleet.merged(), fleet.snapshot(now)));
            self.rules().apply(&mut snapshot);
            self.rules().apply_merged(&mut merged);
            return snapshot.write_merged(&merged, out).map(|()| true);
        }
        let mut snapshot = self.snapshot();
        let wall = self.time.wall();
        if let View::Device(name) = view {
            snapshot.devices.retain(|device| device.name == name);
            if snapshot.devices.is_empty() {
                return Ok(false);
            }
            snapshot.write_families(out)?;
            snapshot.write_own_of_devices(out, wall)?;
        } else {
            snapshot.write_families(out)?;
            snapshot.write_own(out, wall)?;
        }
        Ok(true)
    }

    fn devices(&self) -> Vec<String> {
        self.snapshot().devices.into_iter().map(|device| device.name).collect()
    }

    fn stats(&self, path: &[&str], out: &mut String) -> Result<bool, fmt::Error> {
        self.snapshot().write_stats(path, out)
    }

    fn live(&self, out: &mut dyn LiveWriter) -> fmt::Result {
        let ((mut merged, mut snapshot), _) = self.look(|fleet, now| {
            let snapshot = fleet.snapshot(now);
            // Of one device, the sum says nothing new.
            let merged = if snapshot.devices.len() > 1 { fleet.merged() } else { Vec::new() };
            (merged, snapshot)
        });
        self.rules().apply(&mut snapshot);
        self.rules().apply_merged(&mut merged);
        if snapshot.devices.len() > 1 {
            out.section(&Section::Merged);
            snapshot.write_merged(&merged, &mut Families(out))?;
        }
        for device in &snapshot.devices {
            out.section(&Section::Device(device));
            for series in &device.series {
                let (rates, is_fresh) = (series.rates, series.is_fresh);
                let recent = series.recent.as_deref();
                series.read(|descriptor, value| {
                    // What a silent device measured last is no measurement of now.
                    let is_stale = !is_fresh && descriptor.kind.is_gauge();
                    let value = if is_stale { &Value::Null } else { value };
                    let extra: &[(&str, &str)] = &[];
                    let cell = 0;
                    let value =
                        LiveValue { extra, descriptor, cell, value, rates, recent, is_fresh };
                    out.value(&value);
                });
            }
        }
        Ok(())
    }
}

/// Feeds the bytes of one input to a fleet; closes the input when dropped.
///
/// Takes 16 KiB while a frame is under way, whatever arrives, and nothing between frames: of a
/// thousand connections few are in the middle of one.
#[derive(Debug)]
pub struct FrameReader {
    fleet: SharedFleet,
    link: LinkId,
    /// `None` where a frame has ended.
    deframer: Option<Box<Deframer<FRAME_LEN_MAX>>>,
}

impl FrameReader {
    /// Takes in bytes as they come: frames are COBS-encoded and end with a 0x00.
    ///
    /// Returns the number of frames that were used; everything else is counted by reason.
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        let used = self.take_in(bytes);
        // Last, so that who sees the bytes counted sees what they said, too.
        self.fleet.lock().count_bytes(self.link, bytes.len() as u64);
        used
    }

    /// Returns whether frames came whose sender, or whose metrics, nothing has named yet.
    #[must_use]
    pub fn lacks_names(&self) -> bool {
        self.fleet.lock().lacks_names(self.link)
    }

    /// Returns the time by the fleet's monotonic clock.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.fleet.now()
    }

    fn take_in(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        let mut rest = bytes;
        let mut deframer = self.deframer.take().unwrap_or_default();
        loop {
            let refusal = match deframer.feed(rest) {
                Feed::Frame { frame, rest: more } => {
                    rest = more;
                    let now = self.fleet.time.monotonic();
                    if self.fleet.lock().ingest(self.link, frame, now).is_ok() {
                        used += 1;
                        let sender = || self.fleet.lock().sender(self.link, frame);
                        self.fleet.tap.tell(sender, frame);
                    }
                    continue;
                }
                Feed::Oversize { rest: more } => {
                    rest = more;
                    Refusal::Oversize
                }
                Feed::Cobs { rest: more } => {
                    rest = more;
                    Refusal::Cobs
                }
                _ => break,
            };
            self.fleet.lock().refuse(self.link, refusal);
        }
        // After a 0x00 it would begin anew: there is nothing to remember.
        if bytes.last() != Some(&0) {
            self.deframer = Some(deframer);
        }
        used
    }
}

impl Drop for FrameReader {
    fn drop(&mut self) {
        self.fleet.lock().close_link(self.link);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use tapes_core::metric::{Descriptor, Value};
    use tapes_core::wire::stream_frame;

    use super::{FrameReader, SharedFleet};
    use crate::clock::{ManualTime, TimeSource};
    use crate::exposition::{Encoder, Exposition, FamilyWriter, Format, View};
    use crate::fleet::store::{MemoryDirectory, Store, StoreOptions};
    use crate::fleet::testing::Board;
    use crate::fleet::{Fleet, Limits, LinkKind};

    fn opened(disk: &MemoryDirectory, time: &Arc<ManualTime>) -> SharedFleet {
        let (store, saved) = Store::open(disk.clone(), &StoreOptions::new()).unwrap();
        let (now, wall) = (time.monotonic(), time.wall());
        let fleet = Fleet::restored(store.node(), Limits::default(), saved, now, wall);
        SharedFleet::with_store(fleet, store, Arc::<ManualTime>::clone(time))
    }

    /// Notes the loops of all devices, and since when they count in seconds since 1970.
    #[derive(Debug, Default)]
    struct Loops {
        start: Option<SystemTime>,
        seen: Vec<(u64, Option<u64>)>,
    }

    impl FamilyWriter for Loops {
        fn family(&mut self, _: &Descriptor<'_>) -> fmt::Result {
            Ok(())
        }

        fn start(&mut self, start: Option<SystemTime>) {
            self.start = start;
        }

        fn sample(
            &mut self,
            _: &[(&str, &str)],
            descriptor: &Descriptor<'_>,
            _: u32,
            value: &Value<'_>,
        ) -> fmt::Result {
            if let ("loops", Value::Unsigned(loops)) = (descriptor.name, value) {
                let start = self.start.map(|s| s.duration_since(UNIX_EPOCH).unwrap().as_secs());
                self.seen.push((*loops, start));
            }
            Ok(())
        }
    }

    fn loops(fleet: &SharedFleet) -> Vec<(u64, Option<u64>)> {
        let mut loops = Loops::default();
        assert!(fleet.families(View::All, &mut loops).unwrap());
        loops.seen
    }

    fn introduce(frames: &mut FrameReader, board: &mut Board, loops: u64) {
        for frame in [board.hello(), board.dict(), board.loops(loops)] {
            feed(frames, &frame);
        }
    }

    /// A sum that ends with the process falls when the gateway restarts, and a server counts what
    /// is left of it as new; a start that moves does the same.
    #[test]
    fn without_state_each_life_is_exported_alone_since_it_began() {
        let time = Arc::new(ManualTime::new());
        time.advance(Duration::from_secs(100_000));
        let started = || {
            let fleet = Fleet::new(super::super::NodeId([1; 16]), Limits::default());
            SharedFleet::new(fleet, Arc::<ManualTime>::clone(&time))
        };
        let fleet = started();
        let mut frames = fleet.reader("tty", LinkKind::Serial).unwrap();
        let mut board = Board::new(1, 1);
        board.uptime = 10_000;
        introduce(&mut frames, &mut board, 10);
        time.advance(Duration::from_secs(5));
        assert_eq!(loops(&fleet), [(10, Some(99_989))]);
        time.advance(Duration::from_secs(5));
        assert_eq!(loops(&fleet), [(10, Some(99_989))], "a start stays");
        board.reboot(2);
        feed(&mut frames, &board.hello());
        assert_eq!(loops(&fleet), [], "the new life has not said it");
        introduce(&mut frames, &mut board, 3);
        assert_eq!(loops(&fleet), [(3, Some(100_009))]);
        assert_eq!(fleet.snapshot().devices[0].series[0].total.value().count(), Some(13));
        drop((frames, fleet));
        let fleet = started();
        let mut frames = fleet.reader("tty", LinkKind::Serial).unwrap();
        time.advance(Duration::from_secs(2));
        board.uptime += 2_000;
        introduce(&mut frames, &mut board, 4);
        assert_eq!(loops(&fleet), [(4, Some(100_009))], "a restart of the gateway shows nothing");
    }

    /// A start that moves while the sum goes on makes a server believe that it began anew.
    #[test]
    fn with_state_all_lives_count_since_the_first_start() {
        let (disk, time) = (MemoryDirectory::new(), Arc::new(ManualTime::new()));
        time.advance(Duration::from_secs(100_000));
        let fleet = opened(&disk, &time);
        let mut frames = fleet.reader("tty", LinkKind::Serial).unwrap();
        let mut board = Board::new(1, 1);
        board.uptime = 10_000;
        introduce(&mut frames, &mut board, 10);
        assert_eq!(loops(&fleet), [(10, Some(99_989))]);
        drop((frames, fleet));
        time.advance(Duration::from_secs(50));
        let fleet = opened(&disk, &time);
        let mut frames = fleet.reader("tty", LinkKind::Serial).unwrap();
        board.reboot(2);
        introduce(&mut frames, &mut board, 3);
        assert_eq!(loops(&fleet), [(13, Some(99_989))]);
        drop((frames, fleet));
        assert_eq!(loops(&opened(&disk, &time)), [(13, Some(99_989))]);
    }

    fn feed(frames: &mut FrameReader, frame: &[u8]) {
        assert_eq!(frames.feed(stream_frame(frame, &mut [0; 4_096]).unwrap()), 1);
    }

    /// Returns the bytes on the disk.
    fn saved(disk: &MemoryDirectory) -> u64 {
        disk.written()
    }

    /// A total that was shown and not saved goes back when the process is killed.
    #[test]
    fn whatever_is_shown_is_saved_before() {
        let (disk, time) = (MemoryDirectory::new(), Arc::new(ManualTime::new()));
        let fleet = opened(&disk, &time);
        let mut frames = fleet.reader("tty", LinkKind::Serial).unwrap();
        let mut board = Board::new(1, 1);
        feed(&mut frames, &board.hello());
        feed(&mut frames, &board.dict());
        let pages: [&dyn Fn(&mut String); 3] = [
            &|out| fleet.metrics(Format::OpenMetrics, out).unwrap(),
            &|out| {
                let mut encoder = Encoder::new(out, Format::Prometheus);
                assert!(fleet.families(View::Merged, &mut encoder).unwrap());
            },
            &|out| assert!(fleet.stats(&[], out).unwrap()),
        ];
        for (loops, page) in (1..).zip(pages) {
            feed(&mut frames, &board.loops(loops));
            let before = saved(&disk);
            page(&mut String::new());
            assert!(saved(&disk) > before, "page {loops}");
            let again = opened(&disk, &time);
            let snapshot = again.lock().snapshot(time.monotonic());
            assert_eq!(snapshot.devices[0].series[0].total.value().count(), Some(loops));
        }
        disk.set_read_only(true);
        feed(&mut frames, &board.loops(9));
        assert!(fleet.trouble().is_none());
        let snapshot = fleet.snapshot();
        assert_eq!(snapshot.devices[0].series[0].total.value().count(), Some(9), "shown anyway");
        assert!(fleet.trouble().is_some() && !snapshot.store.unwrap().is_saved);
        disk.set_read_only(false);
        fleet.tend();
        assert!(fleet.trouble().is_none(), "and caught up with");
    }

    /// The last values of a life are said once; and a gateway that nobody looks at has totals too.
    #[test]
    fn what_nobody_looks_at_is_saved_in_time() {
        let (disk, time) = (MemoryDirectory::new(), Arc::new(ManualTime::new()));
        let fleet = opened(&disk, &time);
        let mut frames = fleet.reader("tty", LinkKind::Serial).unwrap();
        let mut board = Board::new(1, 1);
        feed(&mut frames, &board.hello());
        let (empty, mut last) = (saved(&disk), 0);
        for (label, seconds, reboots, is_saved) in [
            ("at once", 0, false, false),
            ("almost", 19, false, false),
            ("20 s", 1, false, true),
            ("soon after", 1, false, false),
            ("another life", 0, true, true),
        ] {
            time.advance(Duration::from_secs(seconds));
            if reboots {
                board.reboot(2);
                feed(&mut frames, &board.hello());
            }
            feed(&mut frames, &board.loops(1));
            fleet.tend();
            assert_eq!(saved(&disk) > last.max(empty), is_saved, "{label}");
            last = saved(&disk);
        }
    }
}
