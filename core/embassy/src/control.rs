//! Stopping reports, and seeing how they go, from outside of their task.

use core::cell::Cell;
use core::fmt;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Instant, with_deadline};
use tapes_core::report::{ScheduleStats, StartError};

/// Stops reports that run in a task, and counts them: one for each task that reports, a `static` as
/// a rule.
///
/// ```
/// use tapes_embassy::Control;
///
/// static REPORTS: Control = Control::new();
/// REPORTS.stop(); // from any task, interrupt or core
/// assert!(!REPORTS.is_running());
/// ```
///
/// # Interrupts and cores
///
/// Any context may call everything; each call is a short critical section.
pub struct Control {
    state: Mutex<CriticalSectionRawMutex, Cell<State>>,
    /// Wakes the task that waits for its next report.
    wake: Signal<CriticalSectionRawMutex, ()>,
}

#[derive(Clone, Copy)]
struct State {
    /// Whether a task reports with this control.
    running: bool,
    /// Whether that task shall stop.
    stopping: bool,
    stats: ScheduleStats,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { running, stopping, stats } = self.state();
        f.debug_struct("Control")
            .field("running", &running)
            .field("stopping", &stopping)
            .field("stats", &stats)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Control {
    fn format(&self, f: defmt::Formatter<'_>) {
        let State { running, stopping, stats } = self.state();
        defmt::write!(f, "Control {{ {=bool}, {=bool}, {} }}", running, stopping, stats);
    }
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

impl Control {
    /// Returns a control of nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        let stats = ScheduleStats::ZERO;
        let state = State { running: false, stopping: false, stats };
        Self { state: Mutex::new(Cell::new(state)), wake: Signal::new() }
    }

    /// Stops the reports: the task makes its final report at once, if there is to be one, and ends.
    ///
    /// A report that is under way ends first. Does nothing if none run yet or any more.
    pub fn stop(&self) {
        let running = self.change(|state| {
            state.stopping = state.running;
            state.running
        });
        if running {
            self.wake.signal(());
        }
    }

    /// Returns whether a task reports with this control; it has stopped when its final report has
    /// ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state().running
    }

    /// Returns how reports ended so far, over restarts.
    #[must_use]
    pub fn stats(&self) -> ScheduleStats {
        self.state().stats
    }

    /// Begins; the reports run until what is returned is dropped.
    pub(crate) fn start(&self) -> Result<Running<'_>, StartError> {
        let was_running = self.change(|state| {
            if !state.running {
                (state.running, state.stopping) = (true, false);
                return false;
            }
            true
        });
        if was_running {
            return Err(StartError::Running);
        }
        self.wake.reset();
        Ok(Running { control: self })
    }

    fn state(&self) -> State {
        self.state.lock(Cell::get)
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.state.lock(|cell| {
            let mut state = cell.get();
            let result = change(&mut state);
            cell.set(state);
            result
        })
    }
}

/// Reports that run: the task's side of a control.
pub(crate) struct Running<'c> {
    control: &'c Control,
}

impl Running<'_> {
    /// Returns whether the task shall stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.control.state().stopping
    }

    /// Waits until a time, in ticks, or until it shall stop.
    pub(crate) async fn wait(&self, until: u64) {
        let _ = with_deadline(Instant::from_ticks(until), self.control.wake.wait()).await;
    }

    /// Counts a report.
    pub(crate) fn count(&self, ok: bool) {
        self.control.change(|state| state.stats.count(ok));
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.control.change(|state| (state.running, state.stopping) = (false, false));
    }
}
