//! Totals after losses, cuts and restarts.

use std::sync::Arc;
use std::time::Duration;

use super::testing::{Node, Process, STEP, forward, step};
use crate::clock::{ManualTime, TimeSource as _};
use crate::fleet::store::new_node;

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

/// If this fails, a source that is silent for long takes its counts with it, or counts twice when it
/// is back.
#[test]
fn a_silent_source_expires_its_counts_stay_and_it_goes_on() {
    let time = Arc::new(ManualTime::new());
    let mut node = Node::new(&time);
    let mut process = Process::new(1, 1, &node.net);
    let mut other = Process::new(2, 1, &node.net);
    let turns = |node: &mut Node, processes: &mut [&mut Process], count: u32| {
        for _ in 0..count {
            processes.iter_mut().for_each(|process| step(&mut process.courier, &time));
            node.turn();
            time.advance(STEP);
        }
    };
    process.record(10);
    other.record(1);
    turns(&mut node, &mut [&mut process, &mut other], 50);
    // Twenty minutes in which one of them is heard.
    for _ in 0..120 {
        time.advance(Duration::from_secs(10));
        turns(&mut node, &mut [&mut other], 20);
    }
    let device = |node: &Node| {
        let devices = node.fleet.snapshot().devices;
        (devices[0].is_up, devices[0].series.iter().all(|series| series.is_fresh))
    };
    assert_eq!(device(&node), (false, false), "it is not shown any more");
    assert_eq!((node.merged(), node.totals()), ((11, 11), (11, 11)), "its counts stay");
    node.restart(true);
    assert_eq!((node.merged(), node.totals()), ((11, 11), (11, 11)), "over a restart, too");
    process.record(5);
    turns(&mut node, &mut [&mut process, &mut other], 400);
    assert_eq!(device(&node), (true, true));
    assert_eq!((node.merged(), node.totals()), ((16, 16), (16, 16)), "and go on");
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
