//! The ways in which an aggregator runs: a blocking call, a thread, a task, a child process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::Command;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tapes_core::Registry;
use tapes_core::wire::Origin;
use tapes_std::clock::SystemTimeSource;
use tapes_std::fleet::store::new_node;
use tapes_std::fleet::{Fleet, Limits, SharedFleet};
use tapes_std::input::Stop;
use tapes_std::zmq::{Aggregator, AggregatorProcess, DistributedRegistry, Endpoint};
use tokio::sync::oneshot;

const PATIENCE: Duration = Duration::from_secs(60);

/// Set in the environment of the child: where it reports to.
const VARIABLE: &str = "TAPES_TEST_PARENT";

fn fleet() -> SharedFleet {
    let fleet = Fleet::new(new_node(), Limits::default());
    SharedFleet::new(fleet, Arc::new(SystemTimeSource::new()))
}

fn anywhere() -> Endpoint {
    "tcp://127.0.0.1:0".parse().unwrap()
}

/// Reports `count` events of a process with this number.
fn report(endpoint: Endpoint, number: u8, count: u32) {
    let registry: &'static Registry<8, 64> = Box::leak(Box::new(Registry::new()));
    let mut metrics = DistributedRegistry::new(registry, endpoint)
        .with_origin(Origin::from_array([number]))
        .with_interval(Duration::from_millis(5));
    metrics.counter("events").unwrap().add(count);
    metrics.connect().unwrap();
    assert!(metrics.close(PATIENCE), "{:?}", metrics.stats());
}

fn counts(fleet: &SharedFleet) -> Vec<Option<u64>> {
    let devices = fleet.snapshot().devices;
    devices.iter().map(|device| device.series[0].total.value().count()).collect()
}

/// If this fails, a call that blocks cannot be stopped, or gives up what came in.
#[test]
fn as_a_call_that_blocks() {
    let (fleet, stop) = (fleet(), Stop::new());
    let directory = std::env::temp_dir().join(format!("tapes-runs-{}", std::process::id()));
    let endpoint: Endpoint = format!("ipc://{}/x", directory.display()).parse().unwrap();
    std::thread::scope(|scope| {
        let aggregator = Aggregator::new(fleet.clone()).with_bind(endpoint.clone());
        let call = scope.spawn(|| aggregator.run(&stop, Duration::ZERO));
        report(endpoint, 1, 11);
        stop.stop();
        call.join().unwrap().unwrap();
    });
    assert_eq!(counts(&fleet), [Some(11)]);
    let _ = std::fs::remove_dir_all(directory);
}

/// If this fails, a thread does not stop when its handle goes, or one client's end ends others.
#[test]
fn as_a_thread() {
    let fleet = fleet();
    let directory = std::env::temp_dir().join(format!("tapes-thread-{}", std::process::id()));
    let endpoint: Endpoint = format!("ipc://{}/x", directory.display()).parse().unwrap();
    let aggregator = Aggregator::new(fleet.clone()).with_bind(endpoint.clone()).spawn().unwrap();
    (1..=3).for_each(|number| report(endpoint.clone(), number, 20));
    assert_eq!(counts(&fleet), [Some(20); 3]);
    drop(aggregator);
    let registry: &'static Registry<8, 64> = Box::leak(Box::new(Registry::new()));
    let mut late = DistributedRegistry::new(registry, endpoint);
    late.connect().unwrap();
    assert!(!late.close(Duration::from_millis(100)), "nobody is there any more");
    let _ = std::fs::remove_dir_all(directory);
}

/// If this fails, a task does not end when asked or aborted, or holds up its runtime.
#[tokio::test]
async fn as_a_task() {
    for is_aborted in [false, true] {
        let fleet = fleet();
        let (stop, stopped) = oneshot::channel::<()>();
        let (sender, bound) = oneshot::channel();
        let ready = |endpoints: &[Endpoint]| drop(sender.send(endpoints[0].clone()));
        let aggregator = Aggregator::new(fleet.clone()).with_bind(anywhere());
        let until = async { drop(stopped.await) };
        let task = tokio::spawn(aggregator.run_until(until, Duration::ZERO, ready));
        let endpoint = bound.await.unwrap();
        let reported = endpoint.clone();
        tokio::task::spawn_blocking(move || report(reported, 1, 31)).await.unwrap();
        assert_eq!(counts(&fleet), [Some(31)]);
        if is_aborted {
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        } else {
            stop.send(()).unwrap();
            assert!(task.await.unwrap().unwrap());
        }
    }
    let taken = Aggregator::new(fleet()).with_bind("tcp://192.0.2.1:1".parse().unwrap());
    let error = taken.run_until(std::future::pending(), Duration::ZERO, |_| ()).await;
    assert!(error.is_err(), "plaintext, and no address of this machine");
}

/// Not a test by itself: the child.
#[test]
fn child() {
    let Ok(parent) = std::env::var(VARIABLE) else { return };
    let aggregator = Aggregator::new(fleet())
        .with_bind(anywhere())
        .with_pull(anywhere())
        .with_forward(parent.parse().unwrap(), None);
    let result = aggregator.run_as_child(PATIENCE);
    std::process::exit(i32::from(result.is_err()));
}

/// If this fails, a child does not say where it is, does not end with its parent's handle, or not
/// in order.
#[test]
fn as_a_child_process() {
    let fleet = fleet();
    let parent = Aggregator::new(fleet.clone()).with_bind(anywhere()).spawn().unwrap();
    let start = |endpoint: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture"]).env(VARIABLE, endpoint);
        AggregatorProcess::spawn(&mut command)
    };
    let above = parent.endpoints()[0].to_string();
    let child = start(&above).unwrap();
    assert_eq!(child.endpoints().len(), 2);
    assert_ne!(child.id(), std::process::id());
    report(child.endpoints()[0].clone(), 5, 51);
    assert!(child.close().unwrap().success());
    assert_eq!(counts(&fleet), [Some(51)], "its last report came before it ended");
    // Waits for its end.
    drop(start(&above).unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(start("tcp://192.0.2.1:1")));
    assert!(receiver.recv_timeout(PATIENCE).unwrap().is_err(), "it cannot start");
}
