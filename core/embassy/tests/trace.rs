//! What the hooks of executors make of a day, in time that stands still until a test moves it.

use tapes_core::Label;
use tapes_core::clock::{Clock, ManualClock};
use tapes_embassy::trace_executors;

static TIME: ManualClock<1_000_000> = ManualClock::new();

/// The time of the tests.
struct TestClock;

impl Clock for TestClock {
    const HZ: u32 = 1_000_000;

    fn ticks(&self) -> u32 {
        TIME.ticks()
    }
}

fn enter() -> (u32, u32) {
    (0, 0)
}
fn exit(_: u32) {}
tapes_hooks::set_lane_hook!(enter, exit);

#[derive(Clone, Copy, Label)]
enum Task {
    Sense,
    Send,
    Main,
}

#[derive(Clone, Copy, Label)]
enum Executor {
    High,
    Thread,
}

/// The hooks, as the executor calls them.
mod hooks {
    unsafe extern "Rust" {
        pub(super) safe fn _embassy_trace_poll_start(executor: u32);
        pub(super) safe fn _embassy_trace_executor_idle(executor: u32);
        pub(super) safe fn _embassy_trace_task_new(executor: u32, task: u32);
        pub(super) safe fn _embassy_trace_task_end(executor: u32, task: u32);
        pub(super) safe fn _embassy_trace_task_exec_begin(executor: u32, task: u32);
        pub(super) safe fn _embassy_trace_task_exec_end(executor: u32, task: u32);
        pub(super) safe fn _embassy_trace_task_ready_begin(executor: u32, task: u32);
    }
}
use hooks::{
    _embassy_trace_executor_idle as idle, _embassy_trace_poll_start as poll_start,
    _embassy_trace_task_end as end, _embassy_trace_task_exec_begin as exec_begin,
    _embassy_trace_task_exec_end as exec_end, _embassy_trace_task_new as new,
    _embassy_trace_task_ready_begin as ready,
};

trace_executors! {
    /// What the executors of the test do.
    static EMBASSY: EmbassyMetrics {
        tasks: Task,
        executors: Executor,
        clock: TestClock,
        slots: 4,
    }
}

const THREAD: u32 = 0x2000_0000;
const HIGH: u32 = 0x2000_0100;
const MAIN: u32 = 0x2000_1000;
const SEND: u32 = 0x2000_1100;
const SENSE: u32 = 0x2000_1200;

fn pass(micros: u32) {
    TIME.advance(micros);
}

/// Polls a task for so long.
fn poll(executor: u32, task: u32, micros: u32) {
    exec_begin(executor, task);
    pass(micros);
    exec_end(executor, task);
}

/// A whole round of an executor with one task, woken just before.
fn round(executor: u32, task: u32, micros: u32) {
    ready(executor, task);
    poll_start(executor);
    poll(executor, task, micros);
    idle(executor);
}

fn polled(task: Task) -> (u64, u64, Option<u64>) {
    let all = EMBASSY.poll_time.of(task.into());
    let distribution = all.distribution();
    (distribution.count(), distribution.sum(), distribution.max())
}

fn worked(executor: Executor) -> (u64, u64) {
    (EMBASSY.work.of(executor.into()).value(), EMBASSY.idle.of(executor.into()).value())
}

fn tasks(executor: Executor) -> i64 {
    EMBASSY.tasks.of(executor.into()).value()
}

/// Main, which nobody names, on its executor, which nobody names; one more there, and one above.
fn spawn_all() {
    new(THREAD, MAIN);
    assert!(EMBASSY.name(SEND, Task::Send, Executor::Thread));
    new(THREAD, SEND);
    assert!(EMBASSY.name(SENSE, Task::Sense, Executor::High));
    new(HIGH, SENSE);
    assert_eq!((tasks(Executor::Thread), tasks(Executor::High)), (2, 1));
}

fn rounds() {
    // The first round: 10 µs of looking around, 30 of polling.
    ready(THREAD, MAIN);
    pass(200);
    poll_start(THREAD);
    pass(10);
    poll(THREAD, MAIN, 30);
    idle(THREAD);
    assert_eq!(polled(Task::Main), (1, 30, Some(30)));
    assert_eq!(worked(Executor::Thread), (40, 0));

    // 100 µs idle, of which an interrupt takes 20; its executor was never idle before.
    pass(50);
    round(HIGH, SENSE, 20);
    pass(30);
    // A poll of 70 µs with two interrupts of 15 and 5, and one between polls of 7.
    poll_start(THREAD);
    exec_begin(THREAD, SEND);
    pass(25);
    round(HIGH, SENSE, 15);
    pass(25);
    round(HIGH, SENSE, 5);
    exec_end(THREAD, SEND);
    round(HIGH, SENSE, 7);
    pass(3);
    idle(THREAD);
    assert_eq!(polled(Task::Send), (1, 50, Some(50)), "net of what the interrupts took");
    assert_eq!(polled(Task::Sense), (4, 47, Some(20)));
    assert_eq!(worked(Executor::Thread), (40 + 53, 100));
    assert_eq!(worked(Executor::High), (47, 30 + 25 + 25));
    assert_eq!(EMBASSY.sleep.value(), 50 + 30);
}

fn ends_and_slots() {
    // The task ends within its last poll, and is spawned again before that has ended.
    poll_start(THREAD);
    exec_begin(THREAD, SEND);
    pass(4);
    end(THREAD, SEND);
    assert_eq!(tasks(Executor::Thread), 1);
    new(THREAD, SEND);
    ready(THREAD, SEND);
    pass(6);
    exec_end(THREAD, SEND);
    assert_eq!(polled(Task::Send), (2, 60, Some(50)), "with its destructor");
    poll(THREAD, SEND, 1);
    idle(THREAD);
    assert_eq!((tasks(Executor::Thread), polled(Task::Send).0), (2, 3));

    // Slots: three are taken; one more is unnamed, the next finds none.
    new(THREAD, 0x2000_2000);
    round(THREAD, 0x2000_2000, 2);
    assert_eq!(polled(Task::Main).0, 2);
    assert_eq!(EMBASSY.untraced.value(), 0);
    assert!(!EMBASSY.name(0x2000_3000, Task::Send, Executor::Thread));
    new(THREAD, 0x2000_3000);
    round(THREAD, 0x2000_3000, 2);
    assert_eq!(EMBASSY.untraced.value(), 1);
    poll_start(0x2000_0200);
    idle(0x2000_0200);
    assert_eq!(EMBASSY.untraced.value(), 2, "a third executor");
}

fn gauges() {
    // Wakes: main waited for 210 µs, to within the tick; the others for none.
    let work = worked(Executor::Thread).0 + worked(Executor::High).0;
    EMBASSY.update();
    let waited = |task: Task| EMBASSY.wake_latency_max.of(task.into()).value();
    assert!(
        (209..=211).contains(&waited(Task::Main).expect("it is set")),
        "{:?}",
        waited(Task::Main)
    );
    assert!(waited(Task::Sense).expect("it is set") <= 1);
    assert!(waited(Task::Send).expect("it is set") <= 7, "while it was polled before");
    let load = |executor: Executor| EMBASSY.load.of(executor.into()).value().expect("it is set");
    let since = f64::from(TIME.ticks() - 1_000);
    let both = f64::from(load(Executor::Thread) + load(Executor::High));
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let expected = work as f64 / since;
    assert!((both - expected).abs() < 1e-3, "{both} {expected}");

    // A second update speaks of what was since.
    pass(1_000);
    EMBASSY.update();
    assert!(load(Executor::Thread) < 1e-6 && load(Executor::High) < 1e-6);
}

/// If this fails, what an interrupt took is counted twice or for the wrong task, a slot is lost when
/// a task ends, or a gauge is that of somebody else.
///
/// One after the other: hooks are global, and so is what is expected here.
#[test]
fn a_day_of_two_executors() {
    pass(1_000);
    spawn_all();
    EMBASSY.update();
    rounds();
    ends_and_slots();
    gauges();
}

/// If this fails, time that wraps makes a poll of an hour.
#[test]
fn ticks_wrap() {
    use tapes_embassy::{Trace, Tracer};

    #[derive(Default)]
    struct Polls(std::cell::RefCell<Vec<u32>>);
    impl Trace for Polls {
        const TASK_LABELS: usize = 1;

        fn polled(&self, _task: usize, ticks: u32) {
            self.0.borrow_mut().push(ticks);
        }
        fn worked(&self, _executor: usize, ticks: u32) {
            self.0.borrow_mut().push(ticks);
        }
        fn idled(&self, _executor: usize, _ticks: u32) {}
        fn slept(&self, _ticks: u32) {}
        fn tasks_changed(&self, _executor: usize, _by: i32) {}
        fn untraced(&self) {}
    }
    let clock = ManualClock::<1_000_000>::new();
    clock.advance(u32::MAX - 5);
    let (tracer, polls) = (Tracer::<1, 1>::new(), Polls::default());
    tracer.task_new(&polls, 7, 8);
    tracer.task_ready_begin(&clock, 8);
    tracer.poll_start(&polls, &clock, 7);
    tracer.task_exec_begin(&clock, 7, 8);
    clock.advance(100);
    tracer.task_exec_end(&polls, &clock, 7, 8);
    tracer.executor_idle(&polls, &clock, 7);
    assert_eq!(*polls.0.borrow(), [100, 100]);
    assert!(tracer.waited_max(0).expect("it is set") <= 1);
    assert_eq!(tracer.waited_max(1), None);
}
