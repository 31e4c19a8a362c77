//! Manners of a service: what systemd is told, and the signals that are obeyed.

use std::path::PathBuf;
use std::time::Duration;

use sd_notify::NotifyState;
use tapes_std::fleet::SharedFleet;

use crate::config;

/// Tells the service manager, if there is one, what is going on.
fn tell(states: &[NotifyState<'_>]) {
    // Whoever does not listen misses nothing that matters here.
    let _ = sd_notify::notify(states);
}

/// Says that everything asked for is open and running.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Says that the end has begun.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// What asks for the end: Ctrl-C and SIGTERM.
#[derive(Debug)]
pub(crate) struct Stop {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
}

impl Stop {
    /// Listens from now on: whoever is told that this is ready may end it. Call it within a runtime.
    pub(crate) fn new() -> Result<Self, String> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let listen =
                |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
            let signals = [listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?];
            Ok(Self { signals })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits until somebody asks, also if that was before.
    pub(crate) async fn asked(self) -> Result<(), String> {
        #[cfg(unix)]
        {
            let [mut interrupt, mut terminate] = self.signals;
            tokio::select! {
                _ = interrupt.recv() => Ok(()),
                _ = terminate.recv() => Ok(()),
            }
        }
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await.map_err(|error| format!("cannot wait for signals: {error}"))
    }
}

/// Tells the watchdog, if there is one, twice in its time that the fleet still answers; for ever.
pub(crate) async fn watch(fleet: SharedFleet) {
    let Some(timeout) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval((timeout / 2).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        // A thread that hangs with the lock must end the process: this waits for it, too.
        drop(fleet.lock());
        tell(&[NotifyState::Watchdog]);
    }
}

/// Reads the configuration, if there is one, again with each SIGHUP; for ever. One that cannot be
/// used changes nothing.
#[cfg(unix)]
pub(crate) async fn reload(file: Option<PathBuf>, fleet: SharedFleet) {
    use tokio::signal::unix::{SignalKind, signal};
    // Without a configuration it means what it means to all: the terminal is gone.
    let Some(file) = file else { return };
    let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
    while hangups.recv().await.is_some() {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            tell(&[NotifyState::Reloading, now]);
        }
        match config::load(&file) {
            Ok(rules) => {
                fleet.set_rules(rules);
                tracing::info!("configuration: read again");
            }
            Err(why) => tracing::warn!("{why}; the configuration before stays in use"),
        }
        tell(&[NotifyState::Ready]);
    }
}

/// There is no such signal elsewhere.
#[cfg(not(unix))]
pub(crate) async fn reload(_: Option<PathBuf>, _: SharedFleet) {}
