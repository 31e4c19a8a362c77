//! Processes that fork while they report over ZeroMQ.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::{Command, exit};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use tapes_core::Registry;
use tapes_std::clock::SystemTimeSource;
use tapes_std::fleet::store::new_node;
use tapes_std::fleet::{Fleet, Limits, SharedFleet};
use tapes_std::zmq::{Aggregator, DistributedRegistry};

const PATIENCE: Duration = Duration::from_secs(60);

/// Set in the environment of the process that forks: its endpoint.
const VARIABLE: &str = "TAPES_TEST_FORKS";

const CHILDREN: u32 = 3;
const THREADS: u32 = 4;

static REGISTRY: Registry<8, 512> = Registry::new();

type Metrics = DistributedRegistry<Registry<8, 512>>;

/// Counts `each` events on each of some threads, and sets a gauge.
fn record(each: u32) {
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let events = REGISTRY.counter("events").unwrap();
                (0..each).for_each(|_| events.increment());
            });
        }
    });
    REGISTRY.gauge("level").unwrap().set(f64::from(each));
}

/// Forks, and lets the child do something that says whether all is well.
fn child(work: impl FnOnce() -> bool) -> Pid {
    // SAFETY: the child uses memory, threads and sockets of its own only, as far as it depends on
    // locks: those of the allocator, which the C library makes good in the child. It never returns.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => exit(i32::from(!work())),
    }
}

/// Not a test by itself: the process that forks, alone, so that no other test's threads hold locks.
#[test]
fn forks() {
    let Ok(endpoint) = std::env::var(VARIABLE) else { return };
    let mut metrics: Metrics = DistributedRegistry::new(&REGISTRY, endpoint.parse().unwrap())
        .with_interval(Duration::from_millis(5));
    // One child before anything is connected, the others while there is a connection.
    let early = child(|| {
        metrics.connect().unwrap();
        record(10);
        metrics.close(PATIENCE)
    });
    metrics.connect().unwrap();
    let mut children: Vec<Pid> = (1..=CHILDREN)
        .map(|number| {
            child(|| {
                metrics.after_fork().unwrap();
                record(100 * number);
                metrics.close(PATIENCE)
            })
        })
        .collect();
    // One that says nothing, because it does not say that it was forked.
    children.push(child(|| {
        record(1_000_000);
        !metrics.is_running() && !metrics.close(PATIENCE) && metrics.stats().forked == 1
    }));
    record(7);
    assert!(metrics.close(PATIENCE), "the connection of the parent goes on");
    for pid in children.into_iter().chain([early]) {
        assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Exited(pid, 0));
    }
}

/// If this fails, what forked processes record is lost, or counted for the wrong one.
#[test]
fn forked_processes_are_sources_of_their_own() {
    let fleet = Fleet::new(new_node(), Limits::default());
    let fleet = SharedFleet::new(fleet, Arc::new(SystemTimeSource::new()));
    let endpoint = "tcp://127.0.0.1:0".parse().unwrap();
    let aggregator = Aggregator::new(fleet.clone()).with_bind(endpoint).spawn().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "forks", "--nocapture", "--test-threads", "1"])
        .env(VARIABLE, aggregator.endpoints()[0].to_string())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    let snapshot = fleet.snapshot();
    let mut counts: Vec<Option<u64>> = snapshot
        .devices
        .iter()
        .map(|device| {
            let events = device.series.iter().find(|series| &*series.key.name == "events");
            events.and_then(|series| series.total.value().count())
        })
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [28, 40, 400, 800, 1_200].map(Some));
    assert!(snapshot.devices.iter().all(|device| device.series.len() == 2), "gauges too");
}
