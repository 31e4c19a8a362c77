//! Reports in a task, in time that stands still until a test moves it.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use embassy_time::{Duration, Instant, MockDriver, TICK_HZ, Timer};
use tapes_core::report::{Json, SerialReporter, StartError, TextReporter};
use tapes_core::wire::{Epoch, Identity, Origin};
use tapes_embassy::{Control, Failure, Reports, report_every};

/// Time belongs to one test at a time.
fn time() -> MutexGuard<'static, ()> {
    static TIME: Mutex<()> = Mutex::new(());
    let guard = TIME.lock().unwrap_or_else(PoisonError::into_inner);
    MockDriver::get().reset();
    guard
}

/// An executor of one task, which polls it only when it was woken.
struct Task<'f, T> {
    future: Pin<&'f mut dyn Future<Output = T>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<'f, T> Task<'f, T> {
    fn new(future: Pin<&'f mut dyn Future<Output = T>>) -> Self {
        Self { future, woken: Arc::new(Woken(AtomicBool::new(true))) }
    }

    /// Polls it for as long as it is woken.
    fn run(&mut self) -> Poll<T> {
        let waker = Waker::from(Arc::clone(&self.woken));
        while self.woken.0.swap(false, Ordering::Relaxed) {
            let result = self.future.as_mut().poll(&mut Context::from_waker(&waker));
            if result.is_ready() {
                return result;
            }
        }
        Poll::Pending
    }

    /// Lets time pass, a millisecond at a time.
    fn run_for(&mut self, ms: u64) -> Poll<T> {
        for _ in 0..ms {
            if let Poll::Ready(result) = self.run() {
                return Poll::Ready(result);
            }
            MockDriver::get().advance(Duration::from_millis(1));
        }
        self.run()
    }
}

/// First at once, a fixed delay, slow and failing reports, a prompt end with a final report.
#[test]
fn contract() {
    let _time = time();
    let control = Control::new();
    let (reports, failures) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let report = async |uptime| {
        reports.borrow_mut().push(uptime * 1_000 / TICK_HZ);
        Timer::after_millis(30).await;
        if reports.borrow().len() == 2 { Err("no link") } else { Ok(()) }
    };
    let run = Reports::every(Duration::from_millis(100)).run_with_hook(&control, report, |f| {
        failures.borrow_mut().push(f);
    });
    let mut run = pin!(run);
    let mut task = Task::new(run.as_mut());
    control.stop(); // too early: nothing runs
    assert!(task.run_for(400).is_pending());
    assert_eq!(*reports.borrow(), [0, 130, 260, 390]);
    assert_eq!(*failures.borrow(), [Failure::Report("no link")]);
    assert_eq!((control.stats().reports, control.stats().errors), (2, 1));
    assert!(control.is_running());

    // In the middle of a report, which ends before the final one.
    control.stop();
    assert!(task.run_for(20).is_pending());
    assert!(control.is_running());
    assert_eq!(task.run_for(30), Poll::Ready(Ok(())));
    assert_eq!(*reports.borrow(), [0, 130, 260, 390, 420]);
    assert!(!control.is_running());
    assert_eq!((control.stats().reports, control.stats().errors), (4, 1));
    assert_eq!(Instant::now(), Instant::from_millis(450), "no later than it had to be");
}

/// While it waits for an interval of hours, a stop must come through at once.
#[test]
fn stopping_is_prompt() {
    for final_report in [true, false] {
        let _time = time();
        let control = Control::new();
        let count = Cell::new(0);
        let report = async |_uptime| -> Result<(), Infallible> {
            count.set(count.get() + 1);
            Ok(())
        };
        let hours = Reports::every(Duration::from_secs(9_999)).with_final_report(final_report);
        let mut run = pin!(hours.run(&control, report));
        let mut task = Task::new(run.as_mut());
        assert!(task.run_for(50).is_pending());
        assert_eq!(count.get(), 1);
        control.stop();
        assert!(task.woken.0.load(Ordering::Relaxed));
        control.stop();
        assert_eq!(task.run(), Poll::Ready(Ok(())));
        assert_eq!(count.get(), 1 + i32::from(final_report));
    }
}

/// Two tasks with one control would both write to the line; after the end it is free again.
#[test]
fn one_task_for_each_control() {
    let _time = time();
    let control = Control::new();
    let reports = || Reports::every(Duration::from_millis(10));
    let ok = async |_uptime| Ok::<(), Infallible>(());
    let mut first = Box::pin(reports().run(&control, ok));
    assert!(Task::new(first.as_mut()).run().is_pending());
    let mut second = pin!(reports().run(&control, ok));
    assert_eq!(Task::new(second.as_mut()).run(), Poll::Ready(Err(StartError::Running)));
    assert!(control.is_running());

    // A task that is dropped gives the control back, and no stop is left over.
    control.stop();
    drop(first);
    assert!(!control.is_running());
    let mut third = pin!(reports().run(&control, ok));
    let mut task = Task::new(third.as_mut());
    assert!(task.run_for(25).is_pending());
    assert_eq!(control.stats().reports, 1 + 3);
    control.stop();
    assert!(task.run().is_ready());
    let mut fourth = pin!(reports().run(&control, ok));
    assert!(Task::new(fourth.as_mut()).run().is_pending());
}

/// A link that takes nothing any more must block neither the next report nor the end.
#[test]
fn stuck_reports_are_given_up() {
    let _time = time();
    let control = Control::new();
    let timed_out = Cell::new(0);
    let reports =
        Reports::every(Duration::from_millis(100)).with_timeout(Duration::from_millis(50));
    let stuck = async |_uptime| pending::<Result<(), Infallible>>().await;
    let run = reports.run_with_hook(&control, stuck, |failure| {
        assert_eq!(failure, Failure::TimedOut);
        timed_out.set(timed_out.get() + 1);
    });
    let mut run = pin!(run);
    let mut task = Task::new(run.as_mut());
    assert!(task.run_for(360).is_pending());
    assert_eq!((timed_out.get(), control.stats().errors), (3, 3)); // at 50, 200 and 350 ms
    control.stop();
    assert_eq!(task.run_for(60), Poll::Ready(Ok(())));
    assert_eq!((timed_out.get(), control.stats().errors), (4, 4));
}

tapes_core::metrics! {
    static RADIO: RadioMetrics = "radio" { sent: Counter }
}

#[derive(Default)]
struct Line(Vec<u8>);

impl embedded_io_async::ErrorType for Line {
    type Error = Infallible;
}

impl embedded_io_async::Write for Line {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Whatever reporter it is, what is counted last goes out at the end.
#[test]
fn reporters_over_a_writer() {
    let _time = time();
    let control = Control::new();
    let second = Duration::from_secs(1);
    let mut line = Line::default();
    {
        let mut reporter = TextReporter::<Json, 0, 16>::new(Json::new());
        let mut run = pin!(report_every(&mut reporter, &RADIO, &mut line, second, &control));
        let mut task = Task::new(run.as_mut());
        assert!(task.run_for(1_500).is_pending());
        RADIO.sent.add(7);
        control.stop();
        assert_eq!(task.run(), Poll::Ready(Ok(())));
    }
    let text = String::from_utf8(std::mem::take(&mut line.0)).unwrap();
    let object = |sent| format!("{{\"radio\":{{\"sent\":{{\"value\":{sent}}}}}}}\n");
    assert_eq!(text, object(0) + &object(0) + &object(7));

    let tick_hz = u32::try_from(TICK_HZ).unwrap();
    let identity = Identity::new(Origin::from_array([7]), Epoch::new(0, 1), tick_hz);
    let mut reporter = SerialReporter::<1, 1, 256>::new(identity);
    {
        let mut run = pin!(report_every(&mut reporter, &RADIO, &mut line, second, &control));
        let mut task = Task::new(run.as_mut());
        assert!(task.run_for(1_500).is_pending());
        control.stop();
        assert_eq!(task.run(), Poll::Ready(Ok(())));
    }
    assert_eq!(reporter.stats().reports, 3);
    assert_eq!(reporter.stats().bytes_sent as usize, line.0.len());
    assert_eq!(control.stats().reports, 6);
}
