//! The lane hook: masks the interrupts of this core and names its lane.
//!
//! A *lane* is one copy of the storage words, written only by its owner: a core. Only the binary
//! knows its cores, so it chooses the hook:
//!
//! - `tapes-rp2040` is the hook for both cores of the RP2040,
//! - the feature `cortex-m` that for any other Cortex-M with one core,
//! - [`set_lane_hook!`](crate::set_lane_hook) links in everybody else's, as `critical-section` and
//!   `embassy-time-driver` do it.
//!
//! # The contract
//!
//! - `enter` masks every interrupt of this core that records metrics, and returns what `exit`
//!   needs to restore the former state, and the number of this core's lane.
//! - `exit` restores the state that `enter` found; calls nest.
//! - Two cores never have the same lane.
//!
//! A hook that breaks the contract can lose counts. It cannot cause undefined behaviour, since
//! the words are atomics: that is why its functions are safe.

#[cfg(all(feature = "cortex-m", target_arch = "arm", target_os = "none"))]
use crate::cortex_m::{enter, exit};
#[cfg(not(all(feature = "cortex-m", target_arch = "arm", target_os = "none")))]
use linked::{_tapes_lane_enter as enter, _tapes_lane_exit as exit};

#[cfg(not(all(feature = "cortex-m", target_arch = "arm", target_os = "none")))]
#[expect(unsafe_code, reason = "link-time functions are declared in an extern block")]
mod linked {
    // Safe to call: both symbols are defined by `set_lane_hook!` with exactly these signatures; a binary
    // that defines them by hand does so with an `unsafe` attribute and takes this duty over.
    unsafe extern "Rust" {
        pub(super) safe fn _tapes_lane_enter() -> (u32, u32);
        pub(super) safe fn _tapes_lane_exit(restore: u32);
    }
}

/// Runs `f` with this core's interrupts masked, and tells it the lane.
///
/// The two halves are not offered one by one: who unmasks interrupts out of turn takes the ground
/// from under critical sections that others rely on.
///
/// # Interrupts and cores
///
/// May be called from anywhere, nested too. Interrupts stay masked if `f` panics.
#[inline(always)]
pub fn with<R>(f: impl FnOnce(u32) -> R) -> R {
    let (restore, lane) = enter();
    let result = f(lane);
    exit(restore);
    result
}

/// Defines the lane hook of a binary from two functions; see [`lane`](crate::lane) for what they
/// must do.
///
/// ```
/// fn enter() -> (u32, u32) {
///     (0, 0) // one core, nothing to mask
/// }
/// fn exit(_restore: u32) {}
/// tapes_hooks::set_lane_hook!(enter, exit);
/// assert_eq!(tapes_hooks::lane::with(|lane| lane), 0);
/// ```
#[macro_export]
macro_rules! set_lane_hook {
    ($enter:path, $exit:path) => {
        // SAFETY: the signatures are those that `tapes_hooks::lane` declares; the compiler checks
        // them here against the functions given.
        #[unsafe(no_mangle)]
        #[inline]
        fn _tapes_lane_enter() -> (u32, u32) {
            $enter()
        }
        // SAFETY: as above.
        #[unsafe(no_mangle)]
        #[inline]
        fn _tapes_lane_exit(restore: u32) {
            $exit(restore)
        }
    };
}
