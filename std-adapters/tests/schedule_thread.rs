//! The thread that reports, on a clock that the test moves.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tapes_std::clock::ManualTime;
use tapes_std::schedule::{Reporter, StartError, ThreadScheduler};

const INTERVAL: Duration = Duration::from_millis(100);

/// What a reporter is to do next, told by the test; it tells when it was called.
struct Scripted {
    calls: Sender<u64>,
    script: Receiver<Result<(), &'static str>>,
}

impl Reporter for Scripted {
    type Error = &'static str;

    fn report(&mut self, uptime_us: u64) -> Result<(), &'static str> {
        self.calls.send(uptime_us).expect("the test listens");
        match self.script.recv().expect("the test goes on") {
            Err("panic") => panic!("as told by the test"),
            result => result,
        }
    }
}

/// A reporter, its clock, and both ends of the script.
struct Bench {
    scheduler: ThreadScheduler<Scripted>,
    time: Arc<ManualTime>,
    calls: Receiver<u64>,
    script: Sender<Result<(), &'static str>>,
    errors: Arc<Mutex<Vec<&'static str>>>,
}

impl Bench {
    fn new(change: impl FnOnce(ThreadScheduler<Scripted>) -> ThreadScheduler<Scripted>) -> Self {
        let time = Arc::new(ManualTime::new());
        let ((calling, calls), (script, told)) = (channel(), channel());
        let errors = Arc::new(Mutex::new(Vec::new()));
        let scheduler = ThreadScheduler::every(INTERVAL, Scripted { calls: calling, script: told })
            .with_time(time.clone())
            .with_error_hook({
                let errors = Arc::clone(&errors);
                move |error| errors.lock().expect("no panic in it").push(error)
            });
        Self { scheduler: change(scheduler), time, calls, script, errors }
    }

    /// Lets one report happen, at a time in milliseconds.
    fn report(&self, at_ms: u64, result: Result<(), &'static str>) {
        assert_eq!(self.calls.recv(), Ok(at_ms * 1_000));
        self.script.send(result).expect("a reporter that listens");
    }

    fn advance_to_ms(&self, ms: u64) {
        use tapes_std::clock::TimeSource;
        self.time.advance(Duration::from_millis(ms) - self.time.monotonic());
    }

    fn wait_until_waiting_for_ms(&self, ms: u64) {
        self.time.until_waited_for(Duration::from_millis(ms));
    }

    fn stats(&self) -> (u32, u32) {
        let stats = self.scheduler.stats();
        (stats.reports, stats.errors)
    }
}

/// Reports must come at once, then an interval after each has ended, never early and never two at
/// a time, whatever goes wrong in them.
#[test]
fn the_contract() {
    let mut bench = Bench::new(|scheduler| scheduler);
    bench.advance_to_ms(7);
    bench.scheduler.start().unwrap();
    assert!(matches!(bench.scheduler.start(), Err(StartError::Running)));
    // Slow: it ends at 500, with four intervals over.
    assert_eq!(bench.calls.recv(), Ok(7_000));
    bench.advance_to_ms(500);
    assert!(bench.calls.try_recv().is_err(), "two at a time");
    bench.script.send(Ok(())).unwrap();
    bench.wait_until_waiting_for_ms(600);
    bench.advance_to_ms(599);
    assert!(bench.calls.try_recv().is_err());
    bench.advance_to_ms(600);
    bench.report(600, Err("no link"));
    bench.wait_until_waiting_for_ms(700);
    bench.advance_to_ms(700);
    bench.report(700, Err("panic"));
    bench.wait_until_waiting_for_ms(800);
    bench.advance_to_ms(800);
    bench.report(800, Ok(()));
    bench.wait_until_waiting_for_ms(900);
    assert_eq!((bench.stats(), bench.scheduler.is_running()), ((2, 2), true));
    assert_eq!(*bench.errors.lock().unwrap(), ["no link"]);

    // Stopping does not wait for the time to come.
    bench.script.send(Ok(())).unwrap();
    bench.scheduler.stop();
    assert_eq!(bench.calls.try_recv(), Ok(800_000), "the final report");
    assert_eq!((bench.stats(), bench.scheduler.is_running()), ((3, 2), false));
    bench.scheduler.stop();

    bench.scheduler.start().unwrap();
    bench.report(800, Ok(()));
    bench.wait_until_waiting_for_ms(900);
    bench.script.send(Err("late")).unwrap();
    bench.scheduler.stop();
    assert_eq!(bench.stats(), (4, 3));
    assert_eq!(*bench.errors.lock().unwrap(), ["no link", "late"]);
}

/// Switched off, stopping must not report.
#[test]
fn no_final_report() {
    let mut bench = Bench::new(|scheduler| scheduler.with_final_report(false));
    bench.scheduler.start().unwrap();
    bench.report(0, Ok(()));
    bench.wait_until_waiting_for_ms(100);
    bench.scheduler.stop();
    assert!(bench.calls.try_recv().is_err());
    assert_eq!(bench.stats(), (1, 0));
}

/// A closed pipe ends reports, without a last try; a new pipe may begin them again.
#[test]
fn an_error_that_ends_reports() {
    let ended = |scheduler: ThreadScheduler<Scripted>| scheduler.ending_when(|e| *e == "closed");
    let mut bench = Bench::new(ended);
    bench.scheduler.start().unwrap();
    bench.report(0, Err("closed"));
    bench.scheduler.stop();
    assert_eq!((bench.stats(), bench.scheduler.is_running()), ((0, 1), false));
    assert!(bench.calls.try_recv().is_err(), "a final report");
    bench.scheduler.start().unwrap();
    bench.report(0, Ok(()));
    bench.wait_until_waiting_for_ms(100);
    bench.script.send(Ok(())).unwrap();
    bench.scheduler.stop();
    assert_eq!(bench.stats(), (2, 1));
}

/// A thread that outlives its owner reports for ever.
#[test]
fn dropping_stops() {
    let reports = Arc::new(AtomicU32::new(0));
    let gone = Arc::new(AtomicBool::new(false));
    struct Gone(Arc<AtomicBool>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let mut scheduler = ThreadScheduler::every(Duration::from_secs(3_600), {
        let (reports, gone) = (Arc::clone(&reports), Gone(Arc::clone(&gone)));
        move |_| -> Result<(), ()> {
            let _ = &gone;
            reports.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    });
    scheduler.start().unwrap();
    drop(scheduler);
    assert!(gone.load(Ordering::SeqCst));
    // The first one, which may have been the final one too.
    assert!((1..=2).contains(&reports.load(Ordering::SeqCst)));
}
