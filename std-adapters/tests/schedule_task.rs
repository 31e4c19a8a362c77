//! The task that reports, on tokio's clock, paused.
#![cfg(feature = "tokio")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tapes_std::schedule::{AsyncReporter, StartError, TaskScheduler};
use tokio::time::{Instant, sleep};

const INTERVAL: Duration = Duration::from_millis(100);

/// Takes its time, by a script; notes when it began.
struct Scripted {
    begun: Arc<Mutex<Vec<u64>>>,
    /// Milliseconds and result of each report; the rest takes no time.
    script: Vec<(u64, Result<(), &'static str>)>,
}

impl AsyncReporter for Scripted {
    type Error = &'static str;

    async fn report(&mut self, uptime_us: u64) -> Result<(), &'static str> {
        let number = {
            let mut begun = self.begun.lock().expect("no panic while it is held");
            begun.push(uptime_us / 1_000);
            begun.len() - 1
        };
        let (ms, result) = self.script.get(number).copied().unwrap_or((0, Ok(())));
        sleep(Duration::from_millis(ms)).await;
        if result == Err("panic") {
            panic!("as told by the test");
        }
        result
    }
}

type Begun = Arc<Mutex<Vec<u64>>>;

fn scripted(script: &[(u64, Result<(), &'static str>)]) -> (TaskScheduler<Scripted>, Begun) {
    let begun = Begun::default();
    let reporter = Scripted { begun: Arc::clone(&begun), script: script.to_vec() };
    (TaskScheduler::every(INTERVAL, reporter), begun)
}

/// Reports must come at once, then an interval after each has ended, never early and never two at
/// a time, whatever goes wrong in them.
#[tokio::test(start_paused = true)]
async fn the_contract() {
    let (scheduler, begun) =
        scripted(&[(250, Ok(())), (10, Err("no link")), (0, Err("panic")), (0, Ok(()))]);
    let errors = Arc::new(Mutex::new(Vec::new()));
    let mut scheduler = scheduler.with_error_hook({
        let errors = Arc::clone(&errors);
        move |error| errors.lock().unwrap().push(error)
    });
    scheduler.start().unwrap();
    assert!(matches!(scheduler.start(), Err(StartError::Running)));
    sleep(Duration::from_millis(665)).await;
    assert_eq!(*begun.lock().unwrap(), [0, 350, 460, 560, 660]);
    assert_eq!(*errors.lock().unwrap(), ["no link"]);

    // Stopping does not wait for the time to come.
    let before = Instant::now();
    scheduler.stop().await;
    assert_eq!(Instant::now(), before);
    assert_eq!(begun.lock().unwrap().last(), Some(&665), "the final report");
    let stats = scheduler.stats();
    assert_eq!((stats.reports, stats.errors, scheduler.is_running()), (4, 2, false));
    scheduler.stop().await;

    sleep(Duration::from_millis(35)).await;
    scheduler.start().unwrap();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(begun.lock().unwrap().last(), Some(&700), "started again");
    scheduler.stop().await;
    assert_eq!(scheduler.stats().reports, 6);
}

/// A report under way ends before the final one begins.
#[tokio::test(start_paused = true)]
async fn stopping_during_a_report() {
    let (mut scheduler, begun) = scripted(&[(250, Ok(()))]);
    scheduler.start().unwrap();
    sleep(Duration::from_millis(100)).await;
    scheduler.stop().await;
    assert_eq!(*begun.lock().unwrap(), [0, 250]);
}

/// Switched off, stopping must not report; an error that ends reports makes no final one either.
#[tokio::test(start_paused = true)]
async fn no_final_report() {
    let (scheduler, begun) = scripted(&[]);
    let mut scheduler = scheduler.with_final_report(false);
    scheduler.start().unwrap();
    sleep(Duration::from_millis(50)).await;
    scheduler.stop().await;
    assert_eq!(*begun.lock().unwrap(), [0]);

    let (scheduler, begun) = scripted(&[(0, Ok(())), (0, Err("closed"))]);
    let mut scheduler = scheduler.ending_when(|error| *error == "closed");
    scheduler.start().unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(!scheduler.is_running());
    scheduler.stop().await;
    assert_eq!(*begun.lock().unwrap(), [0, 100]);
    scheduler.start().unwrap();
    scheduler.stop().await;
    assert!(scheduler.stats().reports >= 2);
}

/// A task that outlives its owner reports for ever.
#[tokio::test(start_paused = true)]
async fn dropping_stops() {
    let (mut scheduler, begun) = scripted(&[]);
    scheduler.start().unwrap();
    sleep(Duration::from_millis(150)).await;
    drop(scheduler);
    sleep(Duration::from_secs(9)).await;
    assert_eq!(*begun.lock().unwrap(), [0, 100, 150]);
}

/// A runtime that ends in the middle of a report leaves a scheduler that can be started in another.
#[test]
fn outside_of_a_runtime_and_after_one() {
    let (mut scheduler, begun) = scripted(&[(3_600_000, Ok(()))]);
    assert!(matches!(scheduler.start(), Err(StartError::NoRuntime)));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let first = runtime();
    first.block_on(async {
        scheduler.start().unwrap();
        while begun.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    drop(first);
    assert!(!scheduler.is_running());
    runtime().block_on(async {
        scheduler.start().unwrap();
        scheduler.stop().await;
    });
    assert!(begun.lock().unwrap().len() >= 2);
}
