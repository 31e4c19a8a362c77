//! How far long work is: one line on a terminal, written over and over, and gone at the end.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// From one line to the next.
const INTERVAL: Duration = Duration::from_millis(500);

/// Where a person sees how far work is, unless results go to the same terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    /// When the next line is due; `None` if nobody looks.
    due: Option<Instant>,
    has_line: bool,
}

impl Progress {
    /// Begins; nothing is shown before half a second.
    pub(crate) fn new() -> Self {
        let is_seen = io::stderr().is_terminal() && !io::stdout().is_terminal();
        let is_wanted = is_seen && tracing::enabled!(tracing::Level::INFO);
        Self { due: is_wanted.then(|| Instant::now() + INTERVAL), has_line: false }
    }

    /// Shows how far the work is, if it is time to.
    pub(crate) fn at(&mut self, line: impl FnOnce() -> String) {
        let Some(due) = self.due else { return };
        let now = Instant::now();
        if now >= due {
            self.due = Some(now + INTERVAL);
            self.has_line = true;
            eprint!("\u{1b}[K{}\r", line());
            let _ = io::stderr().flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.has_line {
            eprint!("\u{1b}[K");
        }
    }
}
