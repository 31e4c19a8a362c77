//! The scenarios that the rules close, each as it would go wrong without its rule.

use std::time::Duration;

use tapes_core::metric::{Buckets, Counts, Descriptor, Distribution, Kind, Unit, Value};
use tapes_core::wire::{Epoch, Origin};

use super::testing::{Bench, Board};
use super::value::Stored;
use super::{Limits, LinkKind};

fn introduced(bench: &mut Bench, board: &mut Board) {
    let frames = [board.hello(), board.dict()];
    bench.feed_all(&frames);
}

/// Counters continued under a new boot id gave 2010 instead of 1010.
#[test]
fn values_of_a_new_epoch_add_to_those_of_the_old_one() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    introduced(&mut bench, &mut board);
    bench.feed_all(&[board.loops(1_000)]);
    board.reboot(2);
    introduced(&mut bench, &mut board);
    bench.feed_all(&[board.loops(10)]);
    assert_eq!(bench.loops(), 1_010);
}

/// A repeated boot id gave 4294967896 instead of 1600.
#[test]
fn a_repeated_epoch_becomes_a_sub_epoch() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    board.dictionary[0].bits = 32;
    introduced(&mut bench, &mut board);
    for loops in 1..=10 {
        bench.feed_all(&[board.loops(loops * 100)]);
    }
    board.reboot(1);
    introduced(&mut bench, &mut board);
    for loops in [90, 180, 290, 380, 490, 600] {
        assert_eq!(bench.loops(), 1_000, "before the eighth frame");

        bench.feed_all(&[board.loops(loops)]);
    }
    assert_eq!(bench.loops(), 1_600);
    assert_eq!(bench.fleet.device_counts(board.origin).epoch_collisions, 1);
    bench.feed_all(&[board.loops(700)]);
    assert_eq!(bench.loops(), 1_700, "the sub-epoch goes on");
}

/// A recording that is fed twice must not count twice.
#[test]
fn a_replay_changes_nothing() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    let mut frames = vec![board.hello(), board.dict()];
    frames.extend((1..=300).map(|loops| board.loops(loops)));
    bench.feed_all(&frames);
    bench.feed_all(&frames);
    assert_eq!(bench.loops(), 300);
    assert_eq!(bench.fleet.device_counts(board.origin).epoch_collisions, 0);
}

/// A late frame of an old boot gave 2022 instead of 1017.
#[test]
fn a_late_frame_of_an_old_epoch_counts_for_that_epoch() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    introduced(&mut bench, &mut board);
    bench.feed_all(&[board.loops(1_000)]);
    let late = board.data(&[(0, Value::Unsigned(1_007)), (1, Value::Unsigned(90))]);
    board.reboot(2);
    introduced(&mut bench, &mut board);
    let newest = board.data(&[(0, Value::Unsigned(10)), (1, Value::Unsigned(20))]);
    bench.feed_all(&[newest, late]);
    assert_eq!(bench.loops(), 1_017);
    assert_eq!(bench.exported("heat")[0].1, Stored::Unsigned(20), "gauges follow the newest");
}

/// A gauge of the last life must not be shown as if it were of this one.
#[test]
fn a_gauge_that_was_not_heard_in_the_newest_epoch_is_absent() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    introduced(&mut bench, &mut board);
    bench.feed_all(&[board.data(&[(0, Value::Unsigned(1)), (1, Value::Unsigned(90))])]);
    assert_eq!(bench.exported("heat").len(), 1);
    board.reboot(2);
    introduced(&mut bench, &mut board);
    bench.feed_all(&[board.loops(2)]);
    assert_eq!(bench.exported("heat").len(), 0);
}

/// A two-frame snapshot swapped by the link gave 1 instead of 7.
#[test]
fn a_swapped_pair_of_frames_keeps_the_newer_value() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    introduced(&mut bench, &mut board);
    let (older, newer) = (board.loops(1), board.loops(7));
    bench.feed_all(&[newer, older]);
    assert_eq!(bench.loops(), 7);
    let counts = bench.fleet.device_counts(board.origin);
    assert_eq!((counts.lost, counts.late), (1, 1));
}

/// One forged sequence number froze a device for ever.
#[test]
fn a_forged_sequence_number_changes_nothing() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    introduced(&mut bench, &mut board);
    bench.feed_all(&[board.loops(5)]);
    let mut forger = board.clone();
    forger.seq = u64::MAX - 9;
    assert_eq!(bench.feed(&forger.loops(1_000_000)), Err("seq_jump"));
    bench.feed_all(&[board.loops(6)]);
    assert_eq!(bench.loops(), 6);
    // A device that really was silent for long says so twice.
    board.seq += 1 << 20;
    assert_eq!(bench.feed(&board.loops(8)), Err("seq_jump"));
    bench.feed_all(&[board.data(&[(1, Value::Unsigned(1))])]);
    assert_eq!(bench.loops(), 8, "the frame that was kept is used");
}

/// Two boards sharing a flash id gave 101000 instead of 2000.
#[test]
fn twins_are_exported_apart() {
    let mut bench = Bench::new(Limits::default());
    let (mut left, mut right) = (Board::new(1, 0xa), Board::new(1, 0xb));
    introduced(&mut bench, &mut left);
    introduced(&mut bench, &mut right);
    for loops in 1..=10 {
        bench.feed_all(&[left.loops(loops * 100), right.loops(loops * 100)]);
    }
    let expected = [("01#0000000a".to_owned(), 1_000), ("01#0000000b".to_owned(), 1_000)];
    let got = bench.exported("loops");
    let got: Vec<_> = got.into_iter().map(|(name, v)| (name, v.count().unwrap())).collect();
    assert_eq!(got, expected);
}

/// A crash loop is an epoch a second; believing all of them would exhaust what is kept.
#[test]
fn too_many_epochs_in_a_minute_are_held_back_and_let_in_later() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    for nonce in 1..=12 {
        board.reboot(nonce);
        let held = if nonce > 10 { Err("epoch_held") } else { Ok(()) };
        for frame in [board.hello(), board.dict(), board.loops(1)] {
            assert_eq!(bench.feed(&frame), held, "epoch {nonce}");
        }
    }
    assert_eq!(bench.loops(), 10);
    bench.wait(60);
    bench.feed_all(&[board.loops(5)]);
    assert_eq!(bench.loops(), 15, "the held epoch is let in with what it said");
}

/// A late gateway does not know who speaks until HELLO comes round.
#[test]
fn what_comes_before_hello_is_not_lost() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    board.addressed = false;
    let (loops, dict) = (board.loops(3), board.dict());
    bench.feed_all(&[loops, dict]);
    assert_eq!(bench.exported("loops"), []);
    bench.feed_all(&[board.hello()]);
    assert_eq!(bench.loops(), 3);
    // The next life of the same board, on the same line.
    board.reboot(2);
    bench.feed_all(&[board.loops(4)]);
    assert_eq!(bench.loops(), 3, "nobody knows yet whose this is");
    bench.feed_all(&[board.hello(), board.loops(5)]);
    assert_eq!(bench.loops(), 8, "and the dictionary is known from before");
}

/// The dictionary of 10,000 metrics took 2.8 hours at 90 % loss when it came whole or not at all.
#[test]
fn entries_apply_one_by_one_and_values_wait_for_theirs() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    bench.feed_all(&[board.hello(), board.data(&[(0, Value::Unsigned(1))])]);
    assert_eq!(bench.exported("loops"), []);
    bench.feed_all(&[board.dict()]);
    assert_eq!(bench.loops(), 1);
}

/// Losing the entries of a life that soon ended lost all it had counted: 27 986 instead of 38 986.
#[test]
fn a_dictionary_that_came_too_late_serves_the_lives_before() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    let (hello, _lost) = (board.hello(), board.dict());
    bench.feed_all(&[hello, board.loops(1_000)]);
    board.reboot(2);
    introduced(&mut bench, &mut board);
    bench.feed_all(&[board.loops(10)]);
    assert_eq!(bench.loops(), 1_010);

    // Another firmware's dictionary says nothing about the lives of this one.
    let mut other = Board::new(2, 1);
    let hello = other.hello();
    bench.feed_all(&[hello, other.loops(5)]);
    other.dictionary.remove(1);
    other.reboot(2);
    introduced(&mut bench, &mut other);
    assert_eq!(bench.loops(), 1_010, "values without a meaning are not exported");
}

/// A gateway joining after a wrap was low by 2^32; one that is there must see the wrap.
#[test]
fn wrapping_words_are_widened_even_before_their_entry_is_known() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    board.dictionary[0].bits = 32;
    bench.feed_all(&[board.hello(), board.loops(0xffff_fff0), board.loops(5), board.dict()]);
    assert_eq!(bench.loops(), (1 << 32) + 5);
    bench.feed_all(&[board.loops(0x7fff_ffff), board.loops(0xf000_0000), board.loops(4)]);
    assert_eq!(bench.loops(), (2 << 32) + 4);
}

/// A stranger on another connection must not take over a device that is there.
#[test]
fn an_epoch_belongs_to_its_link_while_that_is_alive() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    introduced(&mut bench, &mut board);
    let other = bench.fleet.open_link("other", LinkKind::Socket).unwrap();
    let forged = board.clone().loops(1_000);
    let refused = bench.fleet.ingest(other, &forged, bench.now);
    assert_eq!(refused.map_err(super::Refusal::reason), Err("other_link"));
    bench.fleet.close_link(bench.link);
    assert_eq!(bench.fleet.ingest(other, &board.loops(7), bench.now), Ok(()));
    assert_eq!(bench.loops(), 7);
}

/// A board on a serial line restarts many times between two looks at it.
#[test]
fn old_epochs_are_folded_to_make_room_and_refused_afterwards() {
    let limits = Limits { epochs_per_origin: 2, ..Limits::default() };
    let mut bench = Bench::new(limits);
    let mut board = Board::new(1, 1);
    introduced(&mut bench, &mut board);
    bench.feed_all(&[board.loops(100)]);
    let late = board.clone().loops(101);
    for nonce in 2..=4 {
        bench.wait(61);
        board.reboot(nonce);
        introduced(&mut bench, &mut board);
        bench.feed_all(&[board.loops(10)]);
    }
    assert_eq!(bench.loops(), 130);
    assert_eq!(bench.feed(&late), Err("epoch_folded"));
    board.reboot(8);
    assert_eq!(bench.feed(&board.hello()), Ok(()));
    board.reboot(9);
    assert_eq!(bench.feed(&board.hello()), Err("epochs_full"), "all others were heard just now");
}

/// A gap of ten minutes in one tick made a rate 120 times too high.
#[test]
fn rates_follow_the_uptime_of_the_device() {
    let meter = Descriptor::new("passes", Kind::Meter, Unit::NONE);
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    board.dictionary = vec![meter];
    board.uptime = 3_600_000;
    introduced(&mut bench, &mut board);
    bench.feed_all(&[board.data(&[(0, Value::Unsigned(1_000_000))])]);
    let rate = |bench: &Bench| bench.fleet.snapshot(bench.now).devices[0].series[0].rates.unwrap();
    assert_eq!(rate(&bench).m1, 0.0, "first contact is no event");
    board.uptime += 600_000;
    bench.feed_all(&[board.data(&[(0, Value::Unsigned(1_006_000))])]);
    assert!((rate(&bench).m1 - 10.0).abs() < 0.1, "{:?}", rate(&bench));
}

/// What a silent device said last is no measurement of now.
#[test]
fn gauges_go_first_and_counts_later_when_a_device_falls_silent() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    introduced(&mut bench, &mut board);
    bench.feed_all(&[board.data(&[(0, Value::Unsigned(1)), (1, Value::Unsigned(90))])]);
    for (wait, label, expected) in [
        (0, "heard", (true, true, true)),
        (31, "three default intervals later", (false, true, false)),
        (870, "fifteen minutes later", (false, false, false)),
    ] {
        bench.wait(wait);
        let device = &bench.fleet.snapshot(bench.now).devices[0];
        let fresh = |name| device.series.iter().any(|s| &*s.key.name == name && s.is_fresh);
        assert_eq!((device.is_up, fresh("loops"), fresh("heat")), expected, "{label}");
    }
}

/// A firmware update with finer buckets must keep the past.
#[test]
fn histograms_of_two_firmwares_add_up() {
    let timer = |scale, len| {
        Descriptor::new("pass", Kind::Timer(Buckets { scale, first: 0, len }), Unit::SECONDS)
    };
    let counts =
        |buckets| Counts { sum: 3, min: Some(2), max: Some(3), buckets, ..Counts::default() };
    let value =
        |geometry, buckets| Value::Distribution(Distribution::new(geometry, counts(buckets)));
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    board.dictionary = vec![timer(0, 3)];
    introduced(&mut bench, &mut board);
    let coarse = Buckets { scale: 0, first: 0, len: 3 };
    bench.feed_all(&[board.data(&[(0, value(coarse, &[1, 2, 3]))])]);
    board.reboot(2);
    board.dictionary = vec![timer(1, 6)];
    introduced(&mut bench, &mut board);
    let fine = Buckets { scale: 1, first: 0, len: 6 };
    bench.feed_all(&[board.data(&[(0, value(fine, &[1, 1, 1, 1, 1, 1]))])]);
    let Stored::Histogram(sum) = &bench.exported("pass")[0].1 else { panic!("a histogram") };
    assert_eq!(sum.buckets, [3, 4, 5]);
}

/// One sender must not exhaust the memory, whatever it makes up.
#[test]
fn bytes_of_a_device_are_bounded() {
    let limits = Limits { bytes_per_origin: 20_000, ..Limits::default() };
    let mut bench = Bench::new(limits);
    let mut board = Board::new(1, 1);
    bench.feed_all(&[board.hello()]);
    let counts: Vec<u64> = (0..1_024).collect();
    let geometry = Buckets { scale: 0, first: 0, len: 1_024 };
    for id in 0..100 {
        let counts = Counts { buckets: &counts, ..Counts::default() };
        let value = Value::Distribution(Distribution::new(geometry, counts));
        bench.feed_all(&[board.data(&[(id, value)])]);
    }
    let data = bench.fleet.state().origin(Origin::from_array([1])).unwrap();
    assert!(data.bytes() <= 20_000, "{} bytes", data.bytes());
    assert_eq!(bench.fleet.device_counts(board.origin).full, 98);
}

/// Garbage is counted by reason and link, and changes nothing.
#[test]
fn garbage_is_refused_and_counted() {
    let mut bench = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    let good = board.loops(1);
    for (len, reason) in [(0, "truncated"), (4, "truncated"), (good.len() - 1, "crc")] {
        assert_eq!(bench.feed(&good[..len]), Err(reason), "{len} bytes");
    }
    let mut flipped = good.clone();
    flipped[9] ^= 0x10;
    assert_eq!(bench.feed(&flipped), Err("crc"));
    assert_eq!(bench.feed(&vec![1; 20_000]), Err("too_long"));
    let (_, counts) = bench.fleet.link_counts().next().unwrap();
    assert_eq!((counts.rejected["crc"], counts.rejected["truncated"]), (2, 2));
    assert!(bench.fleet.state().is_empty());
    bench.now = Duration::ZERO;
    board.epoch = Epoch::new(0, 1);
    assert_eq!(bench.feed(&good), Ok(()));
}

/// A gateway that joined after a wrap was low by 2^32 for ever, and two gateways disagreed.
#[test]
fn gateways_that_begin_at_different_times_agree() {
    let (mut early, mut late) = (Bench::new(Limits::default()), Bench::new(Limits::default()));
    let mut board = Board::new(1, 1);
    introduced(&mut early, &mut board);
    early.feed_all(&[board.loops(0xffff_fff0)]);
    let frames = [board.hello(), board.dict(), board.loops(0x1_0000_0005)];
    early.feed_all(&frames);
    late.feed_all(&frames);
    assert_eq!((early.loops(), late.loops()), (0x1_0000_0005, 0x1_0000_0005));
}

/// Merged forwarding doubled in a diamond: two gateways hear a board, a third hears both.
#[test]
fn a_diamond_counts_once() {
    let (mut left, mut right) = (Bench::new(Limits::default()), Bench::new(Limits::default()));
    let mut root = Bench::new(Limits::default());
    let mut board = Board::new(1, 1);
    let frames = [board.hello(), board.dict(), board.loops(700), board.loops(1_000)];
    left.feed_all(&frames);
    right.feed_all(&frames[..3]);
    board.reboot(2);
    let frames = [board.hello(), board.dict(), board.loops(10), board.loops(17)];
    left.feed_all(&frames[..3]);
    right.feed_all(&frames);
    let both = [left.fleet.state().clone(), right.fleet.state().clone()];
    for turn in [0, 1, 1, 0] {
        root.fleet.state.merge(&both[turn], &Limits::default());
    }
    let snapshot = root.fleet.snapshot(root.now);
    let loops = |s: &super::snapshot::Series| &*s.key.name == "loops";
    let total = snapshot.devices[0].series.iter().find(|s| loops(s)).unwrap().total.value().count();
    assert_eq!(total, Some(1_017));
    // The other way round, and with what it learned handed back.
    let mut other = super::State::default();
    let limits = Limits::default();
    for state in [&both[1], &both[0], root.fleet.state()] {
        other.merge(state, &limits);
    }
    let records = |state: &super::State| {
        let mut records = Vec::new();
        state.mutations(|origin, key, mutation| {
            if let super::state::Mutation::Change(super::epoch::Change::Record(..)) = mutation {
                records.push(format!("{origin} {key} {mutation:?}"));
            }
        });
        records.sort();
        records
    };
    assert_eq!(records(&other), records(root.fleet.state()));
}
