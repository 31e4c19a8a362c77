//! The state on disk, killed and damaged everywhere.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tapes_core::metric::{
    Buckets, Counts, Descriptor, Dimension, Dimensions, Distribution, Kind, Unit, Value,
};
use tapes_core::wire::Epoch;

use super::{BatchWriter, MemoryDirectory, STATE_NAME, Saved, Store, StoreError, StoreOptions};
use crate::fleet::testing::{Bench, Board};
use crate::fleet::{Fleet, Limits, LinkKind, State};

const FAULTS: [Dimension<'static>; 1] = [Dimension { name: "fault", values: &["heat", "stall"] }];
const GEOMETRY: Buckets = Buckets { scale: 1, first: -2, len: 6 };

/// A receiver with a disk, on a table.
struct Desk {
    disk: MemoryDirectory,
    store: Store,
    bench: Bench,
}

fn wall(now: Duration) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000) + now
}

fn open(disk: &MemoryDirectory) -> Result<(Store, Saved), StoreError> {
    Store::open(disk.clone(), &StoreOptions::new())
}

impl Desk {
    fn new(disk: &MemoryDirectory, now: Duration) -> Self {
        Self::with(disk, now, Limits::default())
    }

    fn with(disk: &MemoryDirectory, now: Duration, limits: Limits) -> Self {
        let (store, saved) = open(disk).unwrap();
        let mut fleet = Fleet::restored(store.node(), limits, saved, now, wall(now));
        let link = fleet.open_link("radio", LinkKind::Socket).unwrap();
        Self { disk: disk.clone(), store, bench: Bench { fleet, link, now } }
    }

    fn save(&mut self) -> Result<(), StoreError> {
        self.store.save(&mut self.bench.fleet, self.bench.now, wall(self.bench.now))
    }

    /// Ends without saving, as a kill does, and begins again.
    fn restart(self) -> Self {
        let (disk, now) = (self.disk.clone(), self.bench.now);
        let limits = *self.bench.fleet.limits();
        drop(self);
        Self::with(&disk, now, limits)
    }
}

/// Returns everything that a state is, for comparison.
fn told(state: &State) -> Vec<String> {
    let mut told = Vec::new();
    state.mutations(|origin, key, mutation| told.push(format!("{origin} {key} {mutation:?}")));
    told
}

/// Returns what a board sends whose dictionary has every kind of metric.
fn rich(id: u8, nonce: u32) -> Board {
    let mut board = Board::new(id, nonce);
    board.dictionary.push(Descriptor::new("pass", Kind::Timer(GEOMETRY), Unit::MICROS));
    board
        .dictionary
        .push(Descriptor { bits: 32, ..Descriptor::new("narrow", Kind::Meter, Unit::NONE) });
    let dimensions = Dimensions::new(&FAULTS);
    board
        .dictionary
        .push(Descriptor { dimensions, ..Descriptor::new("faults", Kind::Counter, Unit::NONE) });
    board.dictionary.push(Descriptor::new("level", Kind::GaugeDouble, Unit::VOLTS));
    board.dictionary.push(Descriptor::new("queue", Kind::UpDown, Unit::NONE));
    board
}

fn values(round: u64) -> Vec<(u32, Value<'static>)> {
    let buckets: &[u64] = if round.is_multiple_of(2) { &[1, 0, 3] } else { &[2, 0, 3, 0, 0, 9] };
    let counts = Counts { sum: round * 7, zero: round, buckets, ..Counts::default() };
    let counts = Counts { min: Some(1), max: Some(9), ..counts };
    vec![
        (0, Value::Unsigned(round * 100)),
        (1, Value::Unsigned(20 + round % 3)),
        (2, Value::Distribution(Distribution::new(GEOMETRY, counts))),
        (3, Value::Unsigned((0xffff_ff00 + round * 64) & 0xffff_ffff)),
        (5, Value::F64(f64::from(u32::try_from(round).unwrap()) / 3.0)),
        (6, Value::Signed(-3)),
    ]
}

/// Everything that can be in a state happens to two boards; `after` is called after each frame.
fn history(desk: &mut Desk, mut after: impl FnMut(&mut Desk)) {
    let (mut a, mut b) = (rich(1, 1), Board::new(2, 7));
    let mut frames = vec![b.loops(3), a.hello(), a.data(&values(1)), a.dict(), b.hello()];
    frames.extend([b.dict(), b.loops(5)]);
    // One that counted before anybody listened.
    let mut old = Board::new(3, 1);
    (old.seq, old.uptime) = (1_000_000, 3_600_000_000);
    frames.extend([old.hello(), old.dict(), old.loops(70_000), old.loops(70_001)]);
    old.reboot(2);
    frames.extend([old.hello(), old.loops(4)]);
    for round in 2..8 {
        frames.extend([a.data(&values(round)), a.family(4, &[(1, Value::Unsigned(round))])]);
    }
    for nonce in 2..5 {
        // Unknown orders, and the same dictionary: it is taken over.
        a.reboot(nonce);
        frames.extend([a.hello(), a.data(&values(u64::from(nonce)))]);
    }
    a.reboot(9);
    a.epoch = Epoch::new(4, 9);
    frames.extend([a.data(&[(0, Value::Unsigned(9))]), a.data(&[(77, Value::Unsigned(1))])]);
    let mut twin = Board::new(2, 8);
    frames.extend([twin.hello(), twin.dict()]);
    for loops in 6..12 {
        frames.extend([b.loops(loops), twin.loops(loops)]);
    }
    for frame in frames {
        // Some are refused: that is part of it.
        let _ = desk.bench.feed(&frame);
        desk.bench.wait(61);
        after(desk);
    }
}

/// A value that is not saved is a total that goes back; one that is saved twice, one too high.
#[test]
fn a_restart_changes_nothing() {
    let limits = Limits { epochs_per_origin: 3, ..Limits::default() };
    for every in [1, 2, 3, 7] {
        let disk = MemoryDirectory::new();
        let mut desk = Desk::with(&disk, Duration::from_secs(5_000), limits);
        let mut frames = 0;
        history(&mut desk, |desk| {
            frames += 1;
            if frames % every != 0 {
                return;
            }
            desk.save().unwrap();
            let (_, saved) = open(&disk).unwrap();
            assert_eq!(told(saved.state()), told(desk.bench.fleet.state()), "{frames} frames");
        });
        let state = desk.bench.fleet.state();
        let first = state.origins().next().unwrap().1;
        assert!(
            first.folded().totals().next().is_some()
                && state.origins().nth(1).unwrap().1.is_twins()
        );
        desk.save().unwrap();
        let before = desk.bench.fleet.snapshot(desk.bench.now);
        let merged_before = merged(&desk);
        let desk = desk.restart();
        let after = desk.bench.fleet.snapshot(desk.bench.now);
        for (before, after) in before.devices.iter().zip(&after.devices) {
            assert_eq!((before.is_up, before.boots), (after.is_up, after.boots));
            assert_eq!((before.silence, before.counts), (after.silence, after.counts));
            let shown = |device: &crate::fleet::snapshot::DeviceSnapshot| {
                let series = device.series.iter();
                series
                    .map(|s| format!("{:?} {} {:?}", s.key, s.is_fresh, s.total))
                    .collect::<Vec<_>>()
            };
            assert_eq!(shown(before), shown(after));
        }
        assert_eq!(before.links, after.links);
        assert_eq!(merged(&desk), merged_before);
        let loops = merged_before.iter().find(|(name, _)| name == "loops").unwrap().1;
        assert!(loops < 10_000, "{loops}: 70,000 of them were counted before");
    }
}

fn merged(desk: &Desk) -> Vec<(String, u64)> {
    let merged = desk.bench.fleet.merged().into_iter();
    merged.map(|m| (m.key.name.to_string(), m.total.value().count().unwrap())).collect()
}

/// A kill can come in the middle of a write, and only what was under way may be missing.
#[test]
fn a_file_cut_at_any_byte_is_the_state_at_a_save_or_refused() {
    let disk = MemoryDirectory::new();
    let mut desk = Desk::new(&disk, Duration::from_secs(5_000));
    let whole_len = disk.contents(STATE_NAME).unwrap().len();
    let mut saves = vec![(whole_len, told(desk.bench.fleet.state()))];
    history(&mut desk, |desk| {
        desk.save().unwrap();
        let len = disk.contents(STATE_NAME).unwrap().len();
        saves.push((len, told(desk.bench.fleet.state())));
    });
    let whole = disk.contents(STATE_NAME).unwrap();
    for cut in 0..=whole.len() {
        let disk = MemoryDirectory::new();
        disk.set_contents(STATE_NAME, &whole[..cut]);
        match open(&disk) {
            Err(error) => {
                assert!(cut < whole_len, "cut at {cut}: {error}");
                assert!(error.to_string().contains("--state-salvage"), "{error}");
                assert_eq!(disk.contents(STATE_NAME).unwrap(), &whole[..cut], "it is left alone");
            }
            Ok((store, saved)) => {
                let (len, expected) = saves.iter().rev().find(|(len, _)| *len <= cut).unwrap();
                assert_eq!(&told(saved.state()), expected, "cut at {cut}");
                assert_eq!(store.stats().cut_bytes, (cut - len) as u64);
                assert_eq!(disk.contents(STATE_NAME).unwrap().len(), *len, "the tail is gone");
            }
        }
    }
}

/// A file that is written anew and not finished must not be taken for the state.
#[test]
fn a_rewrite_stopped_at_any_byte_leaves_the_state_as_it_was() {
    let disk = MemoryDirectory::new();
    let mut desk = Desk::new(&disk, Duration::from_secs(5_000));
    history(&mut desk, |desk| desk.save().unwrap());
    let expected = told(desk.bench.fleet.state());
    let whole = desk.bench.fleet.whole(desk.bench.now, wall(desk.bench.now));
    for room in (0..whole.len()).step_by(7) {
        disk.set_room(Some(room));
        assert!(desk.store.rewrite(whole.clone()).is_err(), "with room for {room} bytes");
        disk.set_room(None);
        assert_eq!(told(open(&disk).unwrap().1.state()), expected, "with room for {room} bytes");
    }
    desk.store.rewrite(whole).unwrap();
    assert_eq!(told(open(&disk).unwrap().1.state()), expected);
    assert_eq!(disk.names(), [STATE_NAME], "nothing is left behind");
    desk.bench.feed_all(&[Board::new(5, 5).loops(1)]);
    desk.save().unwrap();
    let expected = told(desk.bench.fleet.state());
    assert_eq!(told(open(&disk).unwrap().1.state()), expected, "and it goes on");
}

/// What is learned while a file is written anew is in it too.
#[test]
fn batches_go_on_during_a_rewrite() {
    let disk = MemoryDirectory::new();
    let mut desk = Desk::new(&disk, Duration::from_secs(5_000));
    history(&mut desk, |desk| desk.save().unwrap());
    let whole = desk.bench.fleet.whole(desk.bench.now, wall(desk.bench.now));
    let mut rewrite = desk.store.begin_rewrite(whole).unwrap();
    let mut board = Board::new(5, 5);
    desk.bench.feed_all(&[board.hello(), board.dict(), board.loops(1)]);
    desk.save().unwrap();
    assert_eq!(told(open(&disk).unwrap().1.state()), told(desk.bench.fleet.state()), "before");
    let written = rewrite.write();
    desk.bench.feed_all(&[board.loops(2)]);
    desk.save().unwrap();
    desk.store.end_rewrite(rewrite, written).unwrap();
    assert_eq!(told(open(&disk).unwrap().1.state()), told(desk.bench.fleet.state()), "after");
    desk.bench.feed_all(&[board.loops(3)]);
    desk.save().unwrap();
    assert_eq!(told(open(&disk).unwrap().1.state()), told(desk.bench.fleet.state()), "and on");
}

/// A full disk must not end in half a batch in the middle of the file, or in one that is missing.
#[test]
fn a_disk_that_was_full_is_caught_up_with() {
    let start = Duration::from_secs(5_000);
    let mut probe = Desk::new(&MemoryDirectory::new(), start);
    history(&mut probe, |_| {});
    let before = probe.disk.contents(STATE_NAME).unwrap().len();
    probe.save().unwrap();
    let len = probe.disk.contents(STATE_NAME).unwrap().len() - before;
    for room in (0..len).step_by(13) {
        let disk = MemoryDirectory::new();
        let mut desk = Desk::new(&disk, start);
        let empty = told(desk.bench.fleet.state());
        history(&mut desk, |_| {});
        disk.set_room(Some(room));
        let error = desk.save().unwrap_err();
        assert!(error.to_string().contains("free some space"), "{error}");
        assert!(!desk.store.stats().is_saved && desk.store.trouble().is_some());
        assert_eq!(told(open(&disk).unwrap().1.state()), empty, "room for {room}");
        // Another failure in between, and then there is room.
        desk.bench.feed_all(&[Board::new(6, 6).loops(9)]);
        assert!(desk.save().is_err());
        disk.set_room(None);
        desk.save().unwrap();
        assert_eq!(told(open(&disk).unwrap().1.state()), told(desk.bench.fleet.state()));
        let stats = desk.store.stats();
        assert_eq!((stats.is_saved, stats.failures, desk.store.trouble()), (true, 2, None));
    }
}

/// A disk that stays full must not fill the memory; then only the whole state tells everything.
#[test]
fn what_cannot_be_written_for_long_becomes_a_rewrite() {
    let disk = MemoryDirectory::new();
    let mut desk = Desk::new(&disk, Duration::from_secs(5_000));
    disk.set_read_only(true);
    desk.store.unwritten_max = 64 << 10;
    let mut board = Board::new(1, 1);
    for round in 1..100 {
        let counts: Vec<u64> = (0..256).map(|i| u64::MAX - i - round).collect();
        for id in 0..4 {
            let counts = Counts { buckets: &counts, ..Counts::default() };
            let value = Value::Distribution(Distribution::new(BIG, counts));
            desk.bench.feed_all(&[board.data(&[(id, value)])]);
        }
        let error = desk.save().unwrap_err();
        assert!(error.to_string().contains("must be writable"), "{error}");
        assert!(desk.store.unwritten.iter().map(Vec::len).sum::<usize>() <= 80 << 10);
        if desk.store.incomplete {
            disk.set_read_only(false);
            desk.save().unwrap();
            assert_eq!(told(open(&disk).unwrap().1.state()), told(desk.bench.fleet.state()));
            return;
        }
    }
    panic!("it was kept for ever");
}

const BIG: Buckets = Buckets { scale: 0, first: 0, len: 256 };

/// A batch that is missing in the middle is a total that is wrong; only a person can accept that.
#[test]
fn damage_is_refused_and_salvaged_on_request() {
    let disk = MemoryDirectory::new();
    let mut desk = Desk::new(&disk, Duration::from_secs(5_000));
    let mut board = Board::new(1, 1);
    desk.bench.feed_all(&[board.hello(), board.dict(), board.loops(1)]);
    desk.save().unwrap();
    let (good, known) = (disk.contents(STATE_NAME).unwrap().len(), told(desk.bench.fleet.state()));
    for loops in 2..4 {
        desk.bench.feed_all(&[board.loops(loops)]);
        desk.save().unwrap();
    }
    let mut bytes = disk.contents(STATE_NAME).unwrap();
    bytes[good + 25] ^= 0x40;
    disk.set_contents(STATE_NAME, &bytes);
    let error = open(&disk).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { at, .. } if at == good as u64), "{error}");
    assert_eq!(disk.contents(STATE_NAME).unwrap(), bytes, "it is left alone");

    let node = desk.store.node();
    let salvage = StoreOptions::new().with_salvage(true);
    let (store, saved) = Store::open(disk.clone(), &salvage).unwrap();
    assert_eq!((told(saved.state()), store.node()), (known.clone(), node));
    assert_eq!(disk.contents("state.damaged-1").unwrap(), bytes);
    assert_eq!(told(open(&disk).unwrap().1.state()), known, "no longer damaged");

    // A header that is gone tells nothing: all begins anew, under another name.
    disk.set_contents(STATE_NAME, b"not a state");
    assert!(matches!(open(&disk).unwrap_err(), StoreError::Damaged { at: 0, .. }));
    let (store, saved) = Store::open(disk.clone(), &salvage).unwrap();
    assert!(saved.state().is_empty() && store.node() != node);
    assert_eq!(disk.contents("state.damaged-2").unwrap(), b"not a state");
}

/// Two gateways with one state would count as one: each would undo what the other widened.
#[test]
fn a_state_of_another_machine_or_a_later_version_is_refused() {
    let disk = MemoryDirectory::new();
    let here = StoreOptions::new().with_machine(1);
    drop(Store::open(disk.clone(), &here).unwrap());
    assert!(Store::open(disk.clone(), &here).is_ok());
    assert!(open(&disk).is_ok(), "a machine without a name says nothing");
    let there = StoreOptions::new().with_machine(2);
    let error = Store::open(disk.clone(), &there).unwrap_err();
    assert!(error.to_string().contains("--state-moved"), "{error}");
    let (mut store, saved) = Store::open(disk.clone(), &there.with_moved(true)).unwrap();
    let now = Duration::ZERO;
    let mut fleet = Fleet::restored(store.node(), Limits::default(), saved, now, wall(now));
    store.save(&mut fleet, now, wall(now)).unwrap();
    assert!(Store::open(disk.clone(), &there).is_ok(), "it belongs here now");
    assert!(matches!(Store::open(disk.clone(), &here), Err(StoreError::OtherMachine { .. })));

    let mut bytes = disk.contents(STATE_NAME).unwrap();
    bytes[8] = 9;
    disk.set_contents(STATE_NAME, &bytes);
    assert!(matches!(open(&disk), Err(StoreError::Newer { version: 9, .. })));
}

/// Content with a right checksum and wrong meaning is of nobody's making, but must not be believed
/// or end the program.
#[test]
fn a_batch_that_cannot_be_understood_is_damage() {
    let disk = MemoryDirectory::new();
    let (mut store, _) = open(&disk).unwrap();
    store.append(vec![0xff; 9], false).unwrap();
    let at = u64::try_from(disk.contents(STATE_NAME).unwrap().len() - 29).unwrap();
    assert!(matches!(open(&disk), Err(StoreError::Damaged { at: found, .. }) if found == at));
}

/// A state that was edited, or written by a faulty version, must not end the program.
#[test]
fn whatever_a_file_says_it_is_read_or_refused() {
    let mut desk = Desk::with(
        &MemoryDirectory::new(),
        Duration::from_secs(5_000),
        Limits { epochs_per_origin: 3, ..Limits::default() },
    );
    let mut contents = Vec::new();
    history(&mut desk, |desk| {
        let (now, fleet) = (desk.bench.now, &mut desk.bench.fleet);
        contents.push(fleet.take_batch(now, wall(now)).content);
    });
    contents.insert(0, desk.bench.fleet.whole(desk.bench.now, wall(desk.bench.now)));
    let (mut seed, mut read) = (0x5eed_u64, 0);
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for _ in 0..3_000 {
        let (whole, changes) = (random(2) * random(contents.len()), random(contents.len()));
        let mut batches = [contents[whole].clone(), contents[changes].clone()];
        for _ in 0..random(4) {
            let batch = &mut batches[random(2)];
            if batch.is_empty() {
                continue;
            }
            let at = random(batch.len());
            match random(3) {
                0 => batch[at] ^= 1 << random(8),
                1 => batch.truncate(at),
                _ => batch[at] = u8::try_from(random(256)).unwrap(),
            }
        }
        let disk = MemoryDirectory::new();
        disk.set_contents(STATE_NAME, &super::file_of(&[&batches[0], &batches[1]]));
        let Ok((mut store, saved)) = open(&disk) else { continue };
        read += 1;
        let now = Duration::from_secs(9);
        let fleet = Fleet::restored(store.node(), Limits::default(), saved, now, wall(now));
        let snapshot = fleet.snapshot(now);
        let mut page = String::new();
        snapshot
            .write_metrics(crate::exposition::Format::OpenMetrics, wall(now), &mut page)
            .unwrap();
        snapshot.write_stats(&[], &mut page).unwrap();
        drop(fleet.merged());
        store.rewrite(fleet.whole(now, wall(now))).unwrap();
        assert!(open(&disk).is_ok(), "and what is written of it is read again");
    }
    assert!(read > 500, "{read} of them");
}

/// A scrape every 15 seconds for years must not wear the disk out.
#[test]
fn the_file_is_written_anew_when_changes_outgrow_it() {
    let disk = MemoryDirectory::new();
    let mut desk = Desk::new(&disk, Duration::from_secs(5_000));
    desk.store.changes_min = 8 << 10;
    let mut board = rich(1, 1);
    desk.bench.feed_all(&[board.hello(), board.dict()]);
    let mut longest = 0;
    let mut round = 0;
    while desk.store.stats().rewrites < 3 {
        round += 1;
        desk.bench.feed_all(&[board.data(&values(round))]);
        desk.save().unwrap();
        longest = longest.max(disk.contents(STATE_NAME).unwrap().len());
    }
    assert!(longest < 10 << 10, "{longest} bytes");
    assert_eq!(told(open(&disk).unwrap().1.state()), told(desk.bench.fleet.state()));
    assert_eq!(desk.store.stats().bytes, disk.written());
}

/// Without changes nothing is written, however often somebody looks.
#[test]
fn nothing_new_is_nothing_written() {
    let disk = MemoryDirectory::new();
    let mut desk = Desk::new(&disk, Duration::from_secs(5_000));
    let mut board = Board::new(1, 1);
    desk.bench.feed_all(&[board.hello(), board.dict(), board.loops(1)]);
    desk.save().unwrap();
    let written = disk.written();
    desk.bench.wait(1_000);
    desk.save().unwrap();
    assert_eq!(disk.written(), written);
    let syncs = disk.syncs();
    desk.bench.feed_all(&[board.loops(2)]);
    desk.save().unwrap();
    assert_eq!(disk.syncs(), syncs, "a kill does not need the disk");
    desk.store.durable = true;
    desk.bench.feed_all(&[board.loops(3)]);
    desk.save().unwrap();
    assert_eq!(disk.syncs(), syncs + 1, "a loss of power does");
}

/// A device whose clock and epoch repeat after a restart of the receiver must not count twice.
#[test]
fn rules_of_order_go_on_after_a_restart() {
    let mut desk = Desk::new(&MemoryDirectory::new(), Duration::from_secs(5_000));
    let mut board = Board::new(1, 1);
    desk.bench.feed_all(&[board.hello(), board.dict()]);
    for loops in 1..=20 {
        desk.bench.feed_all(&[board.loops(loops * 10)]);
    }
    let (old, mut forger) = (board.clone(), board.clone());
    desk.save().unwrap();
    let mut desk = desk.restart();
    assert_eq!(desk.bench.loops(), 200);
    // A forged number waits for a second one, as before.
    forger.seq = u64::MAX - 9;
    assert_eq!(desk.bench.feed(&forger.loops(1_000_000)), Err("seq_jump"));
    desk.bench.feed_all(&[board.loops(210)]);
    assert_eq!(desk.bench.loops(), 210);
    // The same epoch again from zero is another life, found out by its pace.
    let mut again = Board { seq: 0, uptime: 0, ..old };
    let frames: Vec<_> = (1..=12).map(|loops| again.loops(loops)).collect();
    for frame in &frames {
        let _ = desk.bench.feed(frame);
    }
    assert_eq!(desk.bench.loops(), 222);
    desk.save().unwrap();
    assert_eq!(desk.restart().bench.loops(), 222);
}

/// A line that says when nothing happened would be a write for each look.
#[test]
fn an_empty_batch_is_nothing() {
    let batch = BatchWriter::new(super::new_node(), UNIX_EPOCH);
    assert_eq!(batch.finish(), b"");
}
