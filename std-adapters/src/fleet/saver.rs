//! Saving on a thread of its own: what nobody looks at, and the file that has grown.

use std::fmt;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use super::SharedFleet;
use crate::input::Stop;

/// Time between two looks at what is to be saved.
const TICK: Duration = Duration::from_secs(1);

/// A change in how saving goes, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaveEvent {
    /// The state cannot be saved: why not.
    Failed(String),
    /// It can be saved again, and is.
    Saved,
}

impl fmt::Display for SaveEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => {
                write!(
                    f,
                    "{why}; metrics go on, but a restart now would set totals back; trying again"
                )
            }
            Self::Saved => f.write_str("the state is saved again"),
        }
    }
}

/// Saves a fleet until dropped, and a last time then.
#[derive(Debug)]
#[must_use = "saving ends when this is dropped"]
pub struct Saver {
    fleet: SharedFleet,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Saver {
    /// Begins to save a fleet that has a store: what changed is on disk after 20 seconds, or
    /// sooner if it was looked at.
    ///
    /// `on_event` is called on the thread, once for each change.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    pub fn spawn(
        fleet: SharedFleet,
        mut on_event: impl FnMut(SaveEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Stop::new();
        let work = {
            let (fleet, stop) = (fleet.clone(), stop.clone());
            move || {
                let mut failing = false;
                while !stop.wait(TICK) {
                    fleet.tend();
                    let trouble = fleet.trouble();
                    if trouble.is_some() != failing {
                        failing = trouble.is_some();
                        on_event(trouble.map_or(SaveEvent::Saved, SaveEvent::Failed));
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("tapes-saver".into()).spawn(work)?;
        Ok(Self { fleet, stop, thread: Some(thread) })
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by the thread.
            let _ = thread.join();
        }
        self.fleet.close();
    }
}
