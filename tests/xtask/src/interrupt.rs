//! Ctrl-C: the first one asks for an orderly end.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C has been pressed since `listen`.
pub(crate) fn asked_to_stop() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// From now on Ctrl-C is noted instead of ending this program; its children still receive it.
#[cfg(unix)]
pub(crate) fn listen() {
    const INTERRUPT: i32 = 2;
    extern "C" fn note(_: i32) {
        ASKED.store(true, Ordering::Relaxed);
    }
    unsafe extern "C" {
        fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    }
    // SAFETY: `signal` is the C library's; `note` has the type it asks for and only stores into an atomic,
    // which is allowed in a signal handler.
    unsafe { signal(INTERRUPT, note) };
}

/// Elsewhere Ctrl-C ends this program.
#[cfg(not(unix))]
pub(crate) fn listen() {}
