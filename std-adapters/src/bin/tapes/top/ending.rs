//! What ends the view from outside: a signal, or a terminal that has gone away.

use std::fs::File;
use std::future::pending;
use std::io::{self, IsTerminal as _};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};

/// How long the view may take to end when asked to.
const GRACE: Duration = Duration::from_millis(500);

/// Ends the view on SIGTERM, on SIGHUP, and when the terminal has gone away without a signal.
///
/// Asks the view first, so that it puts the terminal back. One that waits for a key of a terminal
/// that is gone never hears that: the library reads the end of input again and again, and takes a
/// whole processor. So the process ends itself after a while.
pub(super) fn listen(stop: Arc<AtomicBool>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                () = told(SignalKind::terminate()) => {}
                () = told(SignalKind::hangup()) => {}
                () = hung_up() => {}
            }
            // Relaxed: nothing else is read by what it says.
            stop.store(true, Ordering::Relaxed);
            tokio::time::sleep(GRACE).await;
        });
        // What cannot be put back is gone; saying so on the same terminal would panic.
        let _ = ratatui::try_restore();
        std::process::exit(i32::from(crate::DONE));
    };
    let thread = std::thread::Builder::new().name("tapes-ending".into()).spawn(wait);
    thread.map(drop).map_err(|error| format!("cannot start a thread: {error}"))
}

async fn told(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => pending().await,
    }
}

/// Waits until the terminal that keys come from is gone. Never ends where that cannot be seen.
#[allow(deprecated, reason = "sound with an `OwnedFd`; what takes its place is an unsafe function")]
async fn hung_up() {
    let watched = keys().and_then(|keys| AsyncFd::with_interest(keys, Interest::READABLE));
    let Ok(watched) = watched else { return pending().await };
    while let Ok(mut news) = watched.readable().await {
        if news.ready().is_read_closed() {
            return;
        }
        // A key, which is the view's to read; the next one is news again.
        news.clear_ready();
    }
    pending::<()>().await;
}

/// The terminal that the view takes its keys from: standard input, unless frames come from there.
fn keys() -> io::Result<OwnedFd> {
    use std::os::fd::AsFd as _;
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return stdin.as_fd().try_clone_to_owned();
    }
    File::open("/dev/tty").map(OwnedFd::from)
}
