//! What executors do with their time, from the hooks that embassy calls at each step of a task.
//!
//! [`trace_executors!`](crate::trace_executors) makes the metrics and the hooks; this module is what the hooks do.
//!
//! # Interrupts and cores
//!
//! An executor belongs to one core, and its hooks interrupt each other only as its polls do: not at
//! all. What executors of one core share are three words: how many of them work, since when none does,
//! and how much time they have taken. They change with interrupts masked, through the lane hook, for
//! some ten instructions.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

use tapes_core::Label;
use tapes_core::clock::Clock;
use tapes_core::metric::Dimension;

/// Cores of which the time is told apart; a lane hook names no more of them yet.
const CORES: usize = 2;
/// No task, no executor: ids are addresses.
const NOBODY: u32 = 0;
/// Nobody has woken the task.
const ASLEEP: u32 = 0;

/// A value of a label by its position, for what is known as a number only.
///
/// ```
/// use tapes_core::Label;
/// use tapes_embassy::At;
///
/// #[derive(Clone, Copy, Label)]
/// enum Task { Sense, Main }
///
/// let at: At<Task> = Task::Main.into();
/// assert_eq!((at.index(), At::<Task>::DIMENSION.values[1]), (1, "main"));
/// ```
#[derive(Debug)]
pub struct At<L> {
    index: usize,
    label: core::marker::PhantomData<fn() -> L>,
}

impl<L> Clone for At<L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for At<L> {}

impl<L: Label> Label for At<L> {
    const DIMENSION: Dimension<'static> = L::DIMENSION;

    fn index(self) -> usize {
        self.index
    }
}

impl<L> At<L> {
    /// Returns the value at a position; one beyond the last makes records disappear.
    #[must_use]
    pub const fn new(index: usize) -> Self {
        Self { index, label: core::marker::PhantomData }
    }
}

impl<L: Label> From<L> for At<L> {
    fn from(label: L) -> Self {
        Self::new(label.index())
    }
}

/// Where a [`Tracer`] records; the group of [`trace_executors!`](crate::trace_executors) implements it.
///
/// Tasks and executors are positions of their labels, times are ticks of the tracer's clock.
pub trait Trace {
    /// Values of the tasks' label; tasks that nobody has named have the last one.
    const TASK_LABELS: usize;

    /// A task was polled for so long.
    fn polled(&self, task: usize, ticks: u32);
    /// An executor has worked for so long.
    fn worked(&self, executor: usize, ticks: u32);
    /// An executor has had nothing to do for so long, whatever others did meanwhile.
    fn idled(&self, executor: usize, ticks: u32);
    /// No executor of this core has had anything to do for so long.
    fn slept(&self, ticks: u32);
    /// An executor has one task more, or one less.
    fn tasks_changed(&self, executor: usize, by: i32);
    /// A task or an executor found no slot.
    fn untraced(&self);
}

/// A moment on a core: the time, and how much of it other executors have taken so far.
#[derive(Clone, Copy)]
struct Now {
    ticks: u32,
    taken: u32,
}

/// Since when something goes on.
#[derive(Debug)]
struct Since {
    ticks: AtomicU32,
    taken: AtomicU32,
}

impl Since {
    const fn new() -> Self {
        Self { ticks: AtomicU32::new(0), taken: AtomicU32::new(0) }
    }

    fn set(&self, now: Now) {
        self.ticks.store(now.ticks, Relaxed);
        self.taken.store(now.taken, Relaxed);
    }

    /// Returns the time until `now`, less what others took of it.
    fn net(&self, now: Now) -> u32 {
        let gross = now.ticks.wrapping_sub(self.ticks.load(Relaxed));
        gross.wrapping_sub(now.taken.wrapping_sub(self.taken.load(Relaxed)))
    }
}

/// What the executors of one core share; changed with its interrupts masked.
#[derive(Debug)]
struct Core {
    /// Time that executors have worked, each less what others took of it.
    taken: AtomicU32,
    /// Executors that work: one, and those that it has interrupted.
    working: AtomicU32,
    /// Since when none works.
    asleep: AtomicU32,
    /// Whether one has been idle, so that `asleep` is a time.
    begun: AtomicU32,
}

/// One executor. Written by its hooks only, except for `id`.
#[derive(Debug)]
struct Executor {
    id: AtomicU32,
    /// Since when it works or is idle.
    state: Since,
    /// Since when its task runs.
    poll: Since,
    /// Whether `state` has begun.
    started: AtomicU32,
}

/// One task.
#[derive(Debug)]
struct Task {
    id: AtomicU32,
    /// Positions of the labels of the task and of its executor.
    task: AtomicU32,
    executor: AtomicU32,
    /// When it was woken, made odd; or `ASLEEP`.
    woken: AtomicU32,
    /// The longest time between that and the poll.
    waited_max: AtomicU32,
}

impl Task {
    const fn new() -> Self {
        Self {
            id: AtomicU32::new(NOBODY),
            task: AtomicU32::new(0),
            executor: AtomicU32::new(0),
            woken: AtomicU32::new(ASLEEP),
            waited_max: AtomicU32::new(0),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "labels are few")]
    fn set(&self, id: u32, task: usize, executor: usize) {
        self.task.store(task as u32, Relaxed);
        self.executor.store(executor as u32, Relaxed);
        self.id.store(id, Relaxed);
    }
}

/// Turns hooks of executors into times: of polls, of work, of idleness, and from wake to poll.
///
/// `TASKS` is the number of task slots, `EXECUTORS` that of the values of the executors' label.
///
/// [`trace_executors!`](crate::trace_executors) is all that most binaries need. One that has hooks of its own, as for
/// a debugger's trace, calls this from them, since there can be one set of hooks:
///
/// ```
/// use core::cell::Cell;
/// use tapes_core::clock::ManualClock;
/// use tapes_embassy::{Trace, Tracer};
///
/// #[derive(Default)]
/// struct Times {
///     polled: Cell<u32>,
///     worked: Cell<u32>,
/// }
///
/// impl Trace for Times {
///     const TASK_LABELS: usize = 1;
///
///     fn polled(&self, _task: usize, ticks: u32) {
///         self.polled.set(self.polled.get() + ticks);
///     }
///     fn worked(&self, _executor: usize, ticks: u32) {
///         self.worked.set(self.worked.get() + ticks);
///     }
///     fn idled(&self, _executor: usize, _ticks: u32) {}
///     fn slept(&self, _ticks: u32) {}
///     fn tasks_changed(&self, _executor: usize, _by: i32) {}
///     fn untraced(&self) {}
/// }
/// # fn enter() -> (u32, u32) { (0, 0) }
/// # fn exit(_: u32) {}
/// # tapes_hooks::set_lane_hook!(enter, exit);
///
/// static TRACER: Tracer<4, 1> = Tracer::new();
/// let (times, clock) = (Times::default(), ManualClock::<1_000_000>::new());
/// let (executor, task) = (0x2000_0000, 0x2000_0100);
/// TRACER.task_new(&times, executor, task);
/// TRACER.task_ready_begin(&clock, task);
/// clock.advance(5);
/// TRACER.poll_start(&times, &clock, executor);
/// TRACER.task_exec_begin(&clock, executor, task);
/// clock.advance(30);
/// TRACER.task_end(&times, executor, task);
/// TRACER.task_exec_end(&times, &clock, executor, task);
/// TRACER.executor_idle(&times, &clock, executor);
/// assert_eq!((times.polled.get(), times.worked.get()), (30, 30));
/// assert!(TRACER.waited_max(0).unwrap().abs_diff(5) <= 1);
/// ```
#[derive(Debug)]
pub struct Tracer<const TASKS: usize, const EXECUTORS: usize> {
    executors: [Executor; EXECUTORS],
    tasks: [Task; TASKS],
    cores: [Core; CORES],
}

impl<const TASKS: usize, const EXECUTORS: usize> Tracer<TASKS, EXECUTORS> {
    /// Returns a tracer of nothing yet; all zero, so it costs no flash.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(EXECUTORS > 0, "executors need a label") };
        const { assert!(TASKS > 0, "tasks need slots") };
        Self {
            executors: [const {
                Executor {
                    id: AtomicU32::new(NOBODY),
                    state: Since::new(),
                    poll: Since::new(),
                    started: AtomicU32::new(0),
                }
            }; EXECUTORS],
            tasks: [const { Task::new() }; TASKS],
            cores: [const {
                Core {
                    taken: AtomicU32::new(0),
                    working: AtomicU32::new(0),
                    asleep: AtomicU32::new(0),
                    begun: AtomicU32::new(0),
                }
            }; CORES],
        }
    }

    /// Names a task that is about to be spawned, and its executor. Returns whether there was a slot.
    pub fn name(&self, id: u32, task: usize, executor: usize) -> bool {
        critical_section::with(|_| {
            let slot = self.task(id).or_else(|| self.task(NOBODY));
            slot.map(|slot| slot.set(id, task, executor)).is_some()
        })
    }

    /// Returns the longest time between a wake and the poll, over all tasks with a label, once one was
    /// polled.
    #[must_use]
    pub fn waited_max(&self, task: usize) -> Option<u32> {
        let named = self.tasks.iter().filter(|slot| slot.id.load(Relaxed) != NOBODY);
        named
            .filter(|slot| slot.task.load(Relaxed) as usize == task)
            .map(|slot| slot.waited_max.load(Relaxed))
            .max()
    }

    /// Hook: an executor begins to look for tasks.
    pub fn poll_start(&self, trace: &impl Trace, clock: &impl Clock, executor: u32) {
        let Some((index, executor)) = self.executor(executor) else {
            // Perhaps its first time.
            if self.learn(executor, EXECUTORS - 1) {
                return self.poll_start(trace, clock, executor);
            }
            return trace.untraced();
        };
        let (now, slept) = tapes_hooks::lane::with(|lane| {
            let now = self.read(clock, lane);
            let core = self.core(lane);
            let working = core.working.load(Relaxed);
            core.working.store(working.wrapping_add(1), Relaxed);
            let slept = working == 0 && core.begun.load(Relaxed) != 0;
            (now, slept.then(|| now.ticks.wrapping_sub(core.asleep.load(Relaxed))))
        });
        if executor.started.load(Relaxed) != 0 {
            trace.idled(index, now.ticks.wrapping_sub(executor.state.ticks.load(Relaxed)));
        }
        if let Some(slept) = slept {
            trace.slept(slept);
        }
        executor.started.store(1, Relaxed);
        executor.state.set(now);
    }

    /// Hook: an executor has polled all that it found.
    pub fn executor_idle(&self, trace: &impl Trace, clock: &impl Clock, executor: u32) {
        let Some((index, executor)) = self.executor(executor) else { return };
        if executor.started.load(Relaxed) == 0 {
            return;
        }
        let worked = tapes_hooks::lane::with(|lane| {
            let now = self.read(clock, lane);
            let worked = executor.state.net(now);
            let taken = now.taken.wrapping_add(worked);
            let core = self.core(lane);
            core.taken.store(taken, Relaxed);
            core.working.store(core.working.load(Relaxed).wrapping_sub(1), Relaxed);
            core.asleep.store(now.ticks, Relaxed);
            core.begun.store(1, Relaxed);
            executor.state.set(Now { taken, ..now });
            worked
        });
        trace.worked(index, worked);
    }

    /// Hook: a task was spawned.
    pub fn task_new(&self, trace: &impl Trace, executor: u32, task: u32) {
        let Some(slot) = self.claim(trace, task) else { return trace.untraced() };
        if self.executor(executor).is_none()
            && !self.learn(executor, slot.executor.load(Relaxed) as usize)
        {
            return trace.untraced();
        }
        self.changed(trace, executor, 1);
    }

    /// Hook: a task has ended; its last poll goes on.
    pub fn task_end(&self, trace: &impl Trace, executor: u32, task: u32) {
        if self.task(task).is_some() {
            self.changed(trace, executor, -1);
        }
    }

    /// Hook: a task was woken.
    pub fn task_ready_begin(&self, clock: &impl Clock, task: u32) {
        if let Some(slot) = self.task(task) {
            slot.woken.store(clock.ticks() | 1, Relaxed);
        }
    }

    /// Hook: a task is about to be polled.
    pub fn task_exec_begin(&self, clock: &impl Clock, executor: u32, task: u32) {
        let Some((_, executor)) = self.executor(executor) else { return };
        let now = self.now(clock);
        if let Some(slot) = self.task(task) {
            let woken = slot.woken.load(Relaxed);
            if woken != ASLEEP {
                slot.woken.store(ASLEEP, Relaxed);
                // Made odd, the moment may lie a tick ahead.
                let waited = (now.ticks | 1).wrapping_sub(woken);
                if waited > slot.waited_max.load(Relaxed) {
                    slot.waited_max.store(waited, Relaxed);
                }
            }
        }
        executor.poll.set(now);
    }

    /// Hook: a task was polled.
    pub fn task_exec_end(&self, trace: &impl Trace, clock: &impl Clock, executor: u32, task: u32) {
        let Some((_, executor)) = self.executor(executor) else { return };
        let polled = executor.poll.net(self.now(clock));
        // A task keeps its slot when it has ended: if it is spawned again, it has the same id.
        if let Some(slot) = self.task(task) {
            trace.polled(slot.task.load(Relaxed) as usize, polled);
        }
    }

    fn changed(&self, trace: &impl Trace, executor: u32, by: i32) {
        if let Some((index, _)) = self.executor(executor) {
            trace.tasks_changed(index, by);
        }
    }

    /// Reads both words in one moment of this core.
    #[inline(always)]
    fn now(&self, clock: &impl Clock) -> Now {
        tapes_hooks::lane::with(|lane| self.read(clock, lane))
    }

    #[inline(always)]
    fn read(&self, clock: &impl Clock, lane: u32) -> Now {
        Now { ticks: clock.ticks(), taken: self.core(lane).taken.load(Relaxed) }
    }

    #[inline(always)]
    fn core(&self, lane: u32) -> &Core {
        let [first, second] = &self.cores;
        if lane == 0 { first } else { second }
    }

    #[inline(always)]
    fn executor(&self, id: u32) -> Option<(usize, &Executor)> {
        self.executors.iter().enumerate().find(|(_, executor)| executor.id.load(Relaxed) == id)
    }

    #[inline(always)]
    fn task(&self, id: u32) -> Option<&Task> {
        self.tasks.iter().find(|slot| slot.id.load(Relaxed) == id)
    }

    /// Gives an executor the slot of a label, or the last one; returns whether it got one.
    fn learn(&self, id: u32, index: usize) -> bool {
        critical_section::with(|_| {
            for index in [index, EXECUTORS - 1] {
                if let Some(executor) = self.executors.get(index)
                    && executor.id.load(Relaxed) == NOBODY
                {
                    executor.id.store(id, Relaxed);
                    return true;
                }
            }
            false
        })
    }

    /// Finds the slot of a task, or gives it a free one, unnamed.
    fn claim<T: Trace>(&self, _: &T, id: u32) -> Option<&Task> {
        critical_section::with(|_| {
            self.task(id).or_else(|| {
                let slot = self.task(NOBODY)?;
                slot.set(id, T::TASK_LABELS.saturating_sub(1), EXECUTORS - 1);
                Some(slot)
            })
        })
    }
}

impl<const TASKS: usize, const EXECUTORS: usize> Default for Tracer<TASKS, EXECUTORS> {
    fn default() -> Self {
        Self::new()
    }
}
