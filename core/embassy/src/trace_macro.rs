//! The metrics of executors, and the hooks that embassy calls.

/// Declares the metrics of all executors of a binary, the group `embassy`, and defines the hooks that
/// fill it; there can be one in a binary.
///
/// The binary enables the feature `trace` of `embassy-executor`. Labels are enums: one for tasks, one
/// for executors. Their last values stand for what nobody has named, so call them after `main` and
/// its executor. A task is named between making and spawning it:
///
/// ```
/// use tapes_core::clock::EmbassyClock;
/// use tapes_core::Label;
/// use tapes_embassy::trace_executors;
///
/// #[derive(Clone, Copy, Label)]
/// enum Task { Sense, Send, Main }
///
/// #[derive(Clone, Copy, Label)]
/// enum Executor { High, Thread }
///
/// trace_executors! {
///     /// What the executors do.
///     static EMBASSY: EmbassyMetrics {
///         tasks: Task,
///         executors: Executor,
///         clock: EmbassyClock,
///         slots: 4,
///     }
/// }
///
/// // let sense = sense().unwrap();
/// // EMBASSY.name(sense.id(), Task::Sense, Executor::High);
/// // high.spawn(sense);
/// // …and before each report:
/// // EMBASSY.update();
/// # fn enter() -> (u32, u32) { (0, 0) }
/// # fn exit(_: u32) {}
/// # tapes_hooks::set_lane_hook!(enter, exit);
/// assert!(EMBASSY.name(0x2000_1000, Task::Sense, Executor::High));
/// assert_eq!(EMBASSY.group().metrics(), 8);
/// ```
///
/// | metric | kind | label | is |
/// |---|---|---|---|
/// | `embassy.poll_time` | timer | `task` | how long polls took; its count is the number of polls |
/// | `embassy.wake_latency_max` | gauge | `task` | longest time between a wake and the poll so far |
/// | `embassy.work` | counter | `executor` | time spent looking for tasks and polling them |
/// | `embassy.idle` | counter | `executor` | time with nothing to do, whatever other executors did meanwhile |
/// | `embassy.sleep` | counter | – | time in which no executor of a core had anything to do, over all cores |
/// | `embassy.load` | gauge | `executor` | share of time that was work, between the last two updates |
/// | `embassy.tasks` | up-down | `executor` | tasks spawned and not ended |
/// | `embassy.untraced` | counter | – | times that a task or executor found no slot |
///
/// Polls and work are net: what executors of interrupts took of them is theirs, and not of the
/// executor that they interrupted. Labels of a metric are named as the enums are.
///
/// `slots` is the number of tasks, named or not; tasks of a pool take one each and may share a name.
/// A task that has ended keeps its slot, for when it is spawned again. `clock` is the name of a
/// [`Clock`](tapes_core::clock::Clock) without fields.
///
/// # Footprint
///
/// 20 bytes of RAM a slot, 24 an executor, and the words of the metrics: 164 bytes a task label and
/// 16 an executor label at 1 MHz, times the number of lanes. Without this macro: nothing, and without
/// the feature `trace` no hook is called.
///
/// On an RP2040 a poll costs at most 330 cycles more (120 before it, 210 after), a round of an
/// executor 370 (230 and 140), and a wake about 40: with 1,000 polls a second less than 0.7 % of the
/// processor.
///
/// # Limits
///
/// - Handlers of interrupts that are no executors count as time of whoever they interrupt.
/// - Times of more than 2^32 ticks alias, 71 minutes at 1 MHz: of one poll, or of idleness without
///   any wake.
/// - A wake is known to the next odd tick.
#[macro_export]
macro_rules! trace_executors {
    (
        $(#[$meta:meta])*
        $vis:vis static $NAME:ident: $Type:ident {
            tasks: $Task:ty,
            executors: $Executor:ty,
            clock: $Clock:path,
            slots: $slots:expr $(,)?
        }
    ) => {
        $crate::__private::metrics! {
            $(#[$meta])*
            $vis static $NAME: $Type = "embassy" {
                /// How long polls of tasks took.
                poll_time: Timer per $crate::At<$Task>
                    [unit = ticks(<$Clock as $crate::__private::Clock>::HZ), max = 100 ms, scale = 1],
                /// Longest time between a wake and the poll.
                wake_latency_max: Gauge<u32> per $crate::At<$Task>
                    [unit = ticks(<$Clock as $crate::__private::Clock>::HZ)],
                /// Time spent looking for tasks and polling them.
                work: Counter per $crate::At<$Executor>
                    [unit = ticks(<$Clock as $crate::__private::Clock>::HZ)],
                /// Time with nothing to do, whatever other executors did meanwhile.
                idle: Counter per $crate::At<$Executor>
                    [unit = ticks(<$Clock as $crate::__private::Clock>::HZ)],
                /// Time in which no executor of a core had anything to do, over all cores.
                sleep: Counter [unit = ticks(<$Clock as $crate::__private::Clock>::HZ)],
                /// Share of time that was work, between the last two updates.
                load: Gauge<f32> per $crate::At<$Executor> [unit = ratio],
                /// Tasks spawned and not ended.
                tasks: UpDown per $crate::At<$Executor>,
                /// Times that a task or executor found no slot.
                untraced: Counter,
            }
        }

        const _: () = {
            const TASKS: usize = <$Task as $crate::__private::Label>::DIMENSION.values.len();
            const EXECUTORS: usize =
                <$Executor as $crate::__private::Label>::DIMENSION.values.len();
            static TRACER: $crate::Tracer<{ $slots }, EXECUTORS> = $crate::Tracer::new();
            static LOADS: $crate::__private::Loads<EXECUTORS> = $crate::__private::Loads::new();
            const CLOCK: &$Clock = &$Clock;

            #[allow(dead_code, reason = "not every program names tasks")]
            impl $Type {
                /// Names a task that is about to be spawned: `name(token.id(), ..)`.
                ///
                /// Returns whether there was a slot; without one, the task is not traced.
                $vis fn name(&self, id: u32, task: $Task, executor: $Executor) -> bool {
                    let task = $crate::__private::Label::index(task);
                    let executor = $crate::__private::Label::index(executor);
                    TRACER.name(id, task, executor)
                }

                /// Sets the gauges: call it before each report, in one context.
                $vis fn update(&self) {
                    for index in 0..TASKS {
                        if let ::core::option::Option::Some(ticks) = TRACER.waited_max(index) {
                            self.wake_latency_max.of($crate::At::new(index)).set(ticks);
                        }
                    }
                    let ticks = $crate::__private::Clock::ticks(CLOCK);
                    LOADS.update(ticks, |index, load| {
                        let label = $crate::At::new(index);
                        if let ::core::option::Option::Some(load) = load {
                            self.load.of(label).set(load);
                        }
                        self.work.of(label).value()
                    });
                }
            }

            impl $crate::Trace for $Type {
                const TASK_LABELS: usize = TASKS;

                fn polled(&self, task: usize, ticks: u32) {
                    self.poll_time.of($crate::At::new(task)).record(ticks);
                }
                fn worked(&self, executor: usize, ticks: u32) {
                    self.work.of($crate::At::new(executor)).add(ticks);
                }
                fn idled(&self, executor: usize, ticks: u32) {
                    self.idle.of($crate::At::new(executor)).add(ticks);
                }
                fn slept(&self, ticks: u32) {
                    self.sleep.add(ticks);
                }
                fn tasks_changed(&self, executor: usize, by: i32) {
                    self.tasks.of($crate::At::new(executor)).add(by);
                }
                fn untraced(&self) {
                    self.untraced.increment();
                }
            }

            // SAFETY of the names: they are embassy's, with these signatures, and asked for once.
            #[unsafe(no_mangle)]
            fn _embassy_trace_poll_start(executor: u32) {
                TRACER.poll_start(&$NAME, CLOCK, executor);
            }
            #[unsafe(no_mangle)]
            fn _embassy_trace_executor_idle(executor: u32) {
                TRACER.executor_idle(&$NAME, CLOCK, executor);
            }
            #[unsafe(no_mangle)]
            fn _embassy_trace_task_new(executor: u32, task: u32) {
                TRACER.task_new(&$NAME, executor, task);
            }
            #[unsafe(no_mangle)]
            fn _embassy_trace_task_end(executor: u32, task: u32) {
                TRACER.task_end(&$NAME, executor, task);
            }
            #[unsafe(no_mangle)]
            fn _embassy_trace_task_exec_begin(executor: u32, task: u32) {
                TRACER.task_exec_begin(CLOCK, executor, task);
            }
            #[unsafe(no_mangle)]
            fn _embassy_trace_task_exec_end(executor: u32, task: u32) {
                TRACER.task_exec_end(&$NAME, CLOCK, executor, task);
            }
            #[unsafe(no_mangle)]
            fn _embassy_trace_task_ready_begin(_executor: u32, task: u32) {
                TRACER.task_ready_begin(CLOCK, task);
            }
        };
    };
}
