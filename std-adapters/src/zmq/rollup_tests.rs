//! Sums that travel: trees of them, detours, loops and restarts.

use std::sync::Arc;
use std::time::Duration;

use super::courier::Courier;
use super::records::Records;
use super::testing::{Node, Process, STEP, Wire, forward, forward_sums, step};
use crate::clock::ManualTime;

/// Nodes, ways between them of sums or of single sources, and processes at some of the nodes.
struct Tree {
    time: Arc<ManualTime>,
    nodes: Vec<Node>,
    /// From, to, and whether sums.
    ways: Vec<(usize, usize, bool)>,
    links: Vec<Courier<Wire, Records>>,
    processes: Vec<Process>,
    truth: u64,
}

fn link(nodes: &[Node], (from, to, is_sum): (usize, usize, bool)) -> Courier<Wire, Records> {
    let connect = if is_sum { forward_sums } else { forward };
    connect(&nodes[from], &nodes[to])
}

impl Tree {
    fn new(count: usize, ways: &[(usize, usize, bool)]) -> Self {
        let time = Arc::new(ManualTime::new());
        let nodes: Vec<Node> = (0..count).map(|_| Node::new(&time)).collect();
        let links = ways.iter().map(|way| link(&nodes, *way)).collect();
        Self { time, nodes, ways: ways.to_vec(), links, processes: Vec::new(), truth: 0 }
    }

    fn with_processes(mut self, at: &[usize]) -> Self {
        for (id, node) in (0..).zip(at) {
            self.processes.push(Process::new(id, 5, &self.nodes[*node].net));
        }
        self
    }

    fn record(&mut self, count: u64) {
        self.processes.iter().for_each(|process| process.record(count));
        self.truth += count * self.processes.len() as u64;
    }

    fn turn(&mut self) {
        for process in &mut self.processes {
            step(&mut process.courier, &self.time);
        }
        self.links.iter_mut().for_each(|link| step(link, &self.time));
        self.nodes.iter_mut().for_each(Node::turn);
        self.time.advance(STEP);
    }

    fn turns(&mut self, count: u32) {
        (0..count).for_each(|_| self.turn());
    }

    fn restart(&mut self, killed: usize, keeps_state: bool) {
        self.nodes[killed].restart(keeps_state);
        for (link, way) in self.links.iter_mut().zip(&self.ways) {
            if way.0 == killed {
                *link = self::link(&self.nodes, *way);
            }
        }
    }
}

/// If this fails, a tree of sums that is cut, loses messages and has its nodes killed is above the
/// truth at some time, or not exact once all is well.
#[test]
fn a_tree_of_sums_is_exact_after_kills() {
    // Two leaves, a middle, a root.
    let ways = [(0, 2, true), (1, 2, true), (2, 3, true)];
    let mut tree = Tree::new(4, &ways).with_processes(&[0, 0, 1]);
    for round in 0..900u64 {
        for node in &tree.nodes {
            let mut wires = node.net.lock();
            wires.loss = (round % 90 < 50).then_some(4);
            wires.cut = round % 130 > 110;
        }
        if round % 61 == 60 {
            // The root's memory goes once; the sums of the others are in their states.
            let killed = usize::try_from(round / 61 % 4).unwrap();
            tree.restart(killed, !(killed == 3 && round > 300));
        }
        tree.record(round % 5);
        tree.turn();
        let root = tree.nodes[3].totals();
        assert!(root.0 <= tree.truth && root.1 <= tree.truth, "round {round}: {root:?}");
    }
    for node in &tree.nodes {
        (node.net.lock().loss, node.net.lock().cut) = (None, false);
    }
    tree.turns(800);
    let truth = (tree.truth, tree.truth);
    assert_eq!(tree.nodes[3].totals(), truth, "at the root");
    assert_eq!(tree.nodes[2].totals(), truth, "in the middle");
    let snapshot = tree.nodes[3].fleet.snapshot();
    assert_eq!(snapshot.devices.len(), 1, "the root knows the middle only");
    assert!(snapshot.devices[0].is_up);
}

/// If this fails, sums that arrive on two ways, or again, count twice.
#[test]
fn a_sum_on_two_ways_counts_once() {
    // Sums from 0; 1 and 2 pass them on; 3 has them once, and gives them back to 0.
    let ways = [(0, 1, true), (0, 2, true), (1, 3, false), (2, 3, false), (3, 0, false)];
    let mut tree = Tree::new(4, &ways).with_processes(&[0, 0]);
    for round in 0..200 {
        tree.record(round % 3);
        tree.turn();
        if round % 50 == 49 {
            tree.restart(usize::try_from(round / 50 % 3).unwrap(), true);
        }
    }
    tree.turns(200);
    let truth = (tree.truth, tree.truth);
    for node in 1..4 {
        assert_eq!(tree.nodes[node].totals(), truth, "at {node}");
        assert_eq!(tree.nodes[node].fleet.snapshot().devices.len(), 1, "at {node}");
    }
    assert_eq!(tree.nodes[0].totals(), truth, "its own sums are not its sources");
}

/// If this fails, sums of which two contain a third one count that twice, or two that report to
/// each other grow for ever.
#[test]
fn sums_with_a_part_in_common_and_loops_of_sums_are_left_out() {
    let left_out = |tree: &Tree, node: usize| tree.nodes[node].fleet.snapshot().rollup.unwrap();
    // 1 and 2 both add up what 0 does; 3 adds those up.
    let ways = [(0, 1, true), (0, 2, true), (1, 3, true), (2, 3, true), (3, 4, true)];
    let mut tree = Tree::new(5, &ways).with_processes(&[0]);
    for _ in 0..50 {
        tree.record(2);
        tree.turns(5);
    }
    tree.turns(50);
    let truth = (tree.truth, tree.truth);
    assert_eq!(tree.nodes[3].merged(), truth);
    assert_eq!(left_out(&tree, 3).overlap, 1);
    assert_eq!(tree.nodes[4].totals(), truth);
    // Each adds up the other one.
    let mut tree = Tree::new(2, &[(0, 1, true), (1, 0, true)]).with_processes(&[0]);
    for _ in 0..50 {
        tree.record(2);
        tree.turns(5);
    }
    tree.turns(50);
    let truth = (tree.truth, tree.truth);
    assert_eq!((tree.nodes[0].merged(), tree.nodes[1].merged()), (truth, truth));
    assert_eq!((left_out(&tree, 0).cycle, left_out(&tree, 1).cycle), (1, 0));
}

/// If this fails, a chain of sums has no end.
#[test]
fn sums_go_eight_levels_far() {
    let ways: Vec<_> = (0..9).map(|i| (i, i + 1, true)).collect();
    let mut tree = Tree::new(10, &ways).with_processes(&[0]);
    tree.record(7);
    tree.turns(150);
    assert_eq!(tree.nodes[8].totals(), (7, 7));
    assert_eq!(tree.nodes[9].totals(), (0, 0));
    assert_eq!(tree.nodes[8].fleet.snapshot().rollup.unwrap().depth, 1);
}

/// If this fails, a receiver of sums that lost its state counts everything again.
#[test]
fn sums_of_a_lost_state_stay_as_they_were() {
    let mut tree = Tree::new(2, &[(0, 1, true)]).with_processes(&[0]);
    tree.record(100);
    tree.turns(50);
    assert_eq!(tree.nodes[1].totals(), (100, 100));
    // What runs anew has a clock that begins anew.
    let fresh = Node::new(&Arc::new(ManualTime::new()));
    let lost = std::mem::replace(&mut tree.nodes[0], fresh);
    std::mem::swap(&mut tree.nodes[0].net, &mut { lost }.net);
    tree.nodes[0].net.restart();
    tree.links[0] = link(&tree.nodes, tree.ways[0]);
    tree.turns(100);
    assert_eq!(tree.nodes[0].totals(), (100, 100), "the process says it again");
    assert_eq!(tree.nodes[1].totals(), (100, 100), "and it is in the old sum");
    tree.record(20);
    tree.turns(50);
    assert_eq!(tree.nodes[1].totals(), (120, 120), "what came since is in the new one");
}

/// If this fails, a sum that is not heard for long is not shown, or shown as that of a dead source.
#[test]
fn sums_are_heard_while_nothing_happens() {
    let mut tree = Tree::new(2, &[(0, 1, true)]).with_processes(&[0]);
    tree.record(1);
    tree.turns(50);
    tree.processes.clear();
    for _ in 0..100 {
        tree.time.advance(Duration::from_secs(20));
        tree.turns(3);
    }
    let device = &tree.nodes[1].fleet.snapshot().devices[0];
    assert!(device.is_up && device.series.iter().all(|series| series.is_fresh));
    assert!(!tree.nodes[0].fleet.snapshot().devices[0].is_up);
}
