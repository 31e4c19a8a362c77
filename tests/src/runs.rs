//! How often tests with random input run, and how far they are.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// From one line about progress to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// Returns the number of runs: the variable `TAPES_RUNS` says it, else it is `default`.
///
/// # Panics
///
/// If the variable is no number.
#[must_use]
pub fn runs(default: u64) -> u64 {
    match std::env::var("TAPES_RUNS") {
        Ok(runs) => runs.parse().expect("TAPES_RUNS is a number"),
        Err(_) => default,
    }
}

/// Shows how far many runs are, on terminals and if more than the usual runs were asked for.
#[derive(Debug)]
pub struct Progress {
    name: &'static str,
    runs: u64,
    /// When the next line is due; `None` if nobody looks.
    due: Option<Instant>,
}

impl Progress {
    /// Begins with so many runs; the name is one for people.
    #[must_use]
    pub fn new(name: &'static str, runs: u64) -> Self {
        let is_wanted = std::env::var_os("TAPES_RUNS").is_some() && io::stderr().is_terminal();
        Self { name, runs, due: is_wanted.then(|| Instant::now() + INTERVAL) }
    }

    /// Shows that so many runs are done, if a line is due.
    pub fn at(&mut self, done: u64) {
        let Some(due) = self.due else { return };
        let now = Instant::now();
        if now >= due {
            self.due = Some(now + INTERVAL);
            // Not by the macro, whose text the test harness keeps to itself.
            let mut stderr = io::stderr().lock();
            let _ = write!(stderr, "\u{1b}[K  {}: {done} of {}\r", self.name, self.runs);
            let _ = stderr.flush();
        }
    }
}
