//! Parts of long work: a line while they run, on terminals, and where the time went.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// From one line to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// Work whose parts may run beside each other.
#[derive(Debug)]
pub(crate) struct Progress {
    begun: Instant,
    parts: Mutex<Vec<Part>>,
}

#[derive(Debug)]
struct Part {
    name: &'static str,
    begun: Duration,
    /// `None` while it runs.
    took: Option<Duration>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), parts: Mutex::new(Vec::new()) }
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a part of the work.
    pub(crate) fn part<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let at = {
            let mut parts = self.parts();
            parts.push(Part { name, begun: self.begun.elapsed(), took: None });
            parts.len() - 1
        };
        let result = work();
        let mut parts = self.parts();
        let part = &mut parts[at];
        part.took = Some(self.begun.elapsed().saturating_sub(part.begun));
        result
    }

    /// Does all of the work, with a line on terminals that says what runs.
    pub(crate) fn shown<T>(&self, work: impl FnOnce() -> T) -> T {
        if !io::stderr().is_terminal() {
            return work();
        }
        let (ended, end) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                while end.recv_timeout(INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
                    // Whatever else is said begins where the line does.
                    eprint!("\u{1b}[K{}\r", self.line());
                    let _ = io::stderr().flush();
                }
                eprint!("\u{1b}[K");
            });
            let result = work();
            drop(ended);
            result
        })
    }

    /// What runs, and for how long.
    fn line(&self) -> String {
        let now = self.begun.elapsed();
        let mut line = format!("  {:>4} s", now.as_secs());
        for part in self.parts().iter().filter(|part| part.took.is_none()) {
            // Writing to a string does not fail.
            let _ = write!(line, "  {} {} s", part.name, now.saturating_sub(part.begun).as_secs());
        }
        line
    }

    /// Where the time went: all of it, then the parts that took any.
    pub(crate) fn summary(&self) -> String {
        let mut text = format!("{:.0} s", self.begun.elapsed().as_secs_f64());
        let parts = self.parts();
        let took = parts.iter().filter_map(|part| Some((part.name, part.took?)));
        let long = took.filter(|(_, took)| took.as_secs_f64() >= 0.5);
        for (i, (name, took)) in long.enumerate() {
            let _ = write!(
                text,
                "{}{name} {:.0} s",
                if i == 0 { ": " } else { ", " },
                took.as_secs_f64()
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Part, Progress};

    /// Nobody could tell what is slow if this failed.
    #[test]
    fn parts_are_named_with_their_times() {
        let progress = Progress::new();
        assert_eq!(progress.part("nothing", || 7), 7);
        assert_eq!(progress.summary(), "0 s");
        let took = |seconds| Some(Duration::from_secs(seconds));
        progress.parts().extend([
            Part { name: "firmware", begun: Duration::ZERO, took: took(31) },
            Part { name: "gateway", begun: Duration::ZERO, took: took(90) },
            Part { name: "page", begun: Duration::ZERO, took: None },
        ]);
        assert_eq!(progress.summary(), "0 s: firmware 31 s, gateway 90 s");
        assert_eq!(progress.line(), "     0 s  page 0 s");
    }
}
