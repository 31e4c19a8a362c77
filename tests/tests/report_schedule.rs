//! When reports happen: any order of events, and the driver for loops.

use std::cell::{Cell, RefCell};

use proptest::prelude::*;
use tapes_core::clock::{ManualClock, Uptime as _};
use tapes_core::report::{Action, Reporter, Schedule, Scheduler, StartError};

const INTERVAL: u64 = 100;

#[derive(Debug, Clone, Copy)]
enum Event {
    Start,
    Stop,
    /// Time passes, then somebody polls.
    Poll(u64),
    /// Time passes, then the report under way ends.
    Finish(u64, bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => Just(Event::Start),
        1 => Just(Event::Stop),
        6 => (0..150u64).prop_map(Event::Poll),
        4 => (0..250u64, any::<bool>()).prop_map(|(after, ok)| Event::Finish(after, ok)),
    ]
}

/// What an onlooker knows of a schedule.
#[derive(Default)]
struct Onlooker {
    running: bool,
    /// Since when the report under way runs.
    reporting: bool,
    /// Whether it was stopped and has not said so.
    stopping: bool,
    /// Reports begun since it was stopped.
    after_stop: u32,
    /// When the last report of this run ended.
    ended: Option<u64>,
    counts: (u32, u32),
}

proptest! {
    /// Whatever the order of events, the contract holds: no overlap, never early, never stuck,
    /// nothing after the end.
    #[test]
    fn contract(final_report: bool, events in prop::collection::vec(event(), 0..200)) {
        let mut schedule = Schedule::new(INTERVAL).with_final_report(final_report);
        let mut seen = Onlooker::default();
        let mut now = 0;
        for event in events {
            match event {
                Event::Start => {
                    let expected = if seen.running { Err(StartError::Running) } else { Ok(()) };
                    prop_assert_eq!(schedule.start(now), expected);
                    if !seen.running {
                        let counts = seen.counts;
                        seen = Onlooker { running: true, counts, ..Onlooker::default() };
                    }
                }
                Event::Stop => {
                    schedule.stop();
                    if seen.running && !seen.stopping {
                        seen.stopping = true;
                        seen.after_stop = 0;
                        seen.running = seen.reporting || final_report;
                    }
                }
                Event::Poll(after) => {
                    now += after;
                    match schedule.poll(now) {
                        Action::Report => {
                            prop_assert!(seen.running && !seen.reporting);
                            if seen.stopping {
                                prop_assert!(final_report && seen.after_stop == 0);
                                seen.after_stop += 1;
                            } else if let Some(ended) = seen.ended {
                                prop_assert!(now >= ended + INTERVAL, "early");
                            }
                            seen.reporting = true;
                        }
                        Action::Busy => prop_assert!(seen.reporting),
                        Action::Wait { until } => {
                            prop_assert!(seen.running && !seen.reporting && !seen.stopping);
                            prop_assert_eq!(Some(until), seen.ended.map(|ended| ended + INTERVAL));
                            prop_assert!(now < until);
                            prop_assert_eq!(schedule.clone().poll(until), Action::Report, "stuck");
                        }
                        Action::Stopped => prop_assert!(!seen.running),
                        other => prop_assert!(false, "{other:?}"),
                    }
                }
                Event::Finish(after, ok) => {
                    now += after;
                    schedule.finished(now, ok);
                    if seen.reporting {
                        seen.reporting = false;
                        seen.ended = Some(now);
                        *(if ok { &mut seen.counts.0 } else { &mut seen.counts.1 }) += 1;
                        if seen.stopping && (seen.after_stop == 1 || !final_report) {
                            seen.running = false;
                        }
                    }
                }
            }
            prop_assert_eq!(schedule.is_running(), seen.running);
            let stats = schedule.stats();
            prop_assert_eq!((stats.reports, stats.errors), seen.counts);
        }
    }
}

/// A loop that polls often: when reports happen, and that errors come out and end nothing.
#[test]
fn reports_from_a_loop() {
    let clock = ManualClock::<1_000>::new();
    let (reports, errors) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let mut scheduler = Scheduler::every_ms(100, &clock, |uptime| {
        reports.borrow_mut().push(uptime);
        clock.advance(30); // a slow line
        match reports.borrow().len() {
            2 | 3 => Err("no link"),
            _ => Ok(()),
        }
    })
    .with_error_hook(|error: &str| errors.borrow_mut().push(error));
    assert_eq!(scheduler.poll(), Action::Stopped);
    scheduler.start().unwrap();
    assert_eq!(scheduler.start(), Err(StartError::Running));
    for _ in 0..50 {
        assert!(matches!(scheduler.poll(), Action::Wait { until } if until > clock.uptime()));
        clock.advance(10);
    }
    assert_eq!(*reports.borrow(), [0, 130, 260, 390, 520]);
    assert_eq!(*errors.borrow(), ["no link", "no link"]);
    assert_eq!((scheduler.stats().reports, scheduler.stats().errors), (3, 2));

    // Stopping is prompt and makes the final report; then it can be started again.
    scheduler.stop();
    assert!(!scheduler.is_running());
    assert_eq!(reports.borrow().last(), Some(&650));
    scheduler.stop();
    assert_eq!(scheduler.poll(), Action::Stopped);
    scheduler.start().unwrap();
    scheduler.poll();
    assert_eq!(reports.borrow().len(), 7);
}

/// Switched off, stopping must not report.
#[test]
fn no_final_report() {
    let clock = ManualClock::<1_000>::new();
    let count = Cell::new(0);
    let mut scheduler = Scheduler::every_ms(100, &clock, |_: u64| {
        count.set(count.get() + 1);
        Ok::<(), ()>(())
    })
    .with_final_report(false);
    scheduler.start().unwrap();
    scheduler.stop();
    assert_eq!(count.get(), 0);
    scheduler.start().unwrap();
    scheduler.poll();
    scheduler.stop();
    assert_eq!(count.get(), 1);
}

/// A type of one's own is driven as well as a closure is; behind a pointer, through a closure.
#[test]
fn reporters_as_types() {
    struct Fixed(u32);
    impl Reporter for Fixed {
        type Error = u32;

        fn report(&mut self, uptime: u64) -> Result<(), u32> {
            self.0 += 1;
            if uptime == 0 { Ok(()) } else { Err(self.0) }
        }
    }
    let clock = ManualClock::<1_000>::new();
    let mut scheduler = Scheduler::new(Schedule::new(10), &clock, Fixed(0));
    scheduler.start().unwrap();
    for _ in 0..3 {
        scheduler.poll();
        clock.advance(10);
    }
    assert_eq!(scheduler.reporter().0, 3);
    assert_eq!((scheduler.stats().reports, scheduler.stats().errors), (1, 2));
    let mut boxed: Box<dyn Reporter<Error = u32>> = Box::new(Fixed(0));
    let reporter = |uptime| boxed.report(uptime);
    let mut scheduler = Scheduler::new(Schedule::new(10), &clock, reporter);
    scheduler.start().unwrap();
    scheduler.poll();
    assert_eq!(scheduler.stats().errors, 1);
}
