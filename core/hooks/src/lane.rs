//! The lane hook: masks the interrupts of this core and names its lane.
//!
//! A *lane* is one copy of the storage words, written only by its owner: a core. The hook is
//! linked in, as `critical-section` and `embassy-time-driver` do it, because only the binary knows
//! its cores. `tapes-rp2040` provides it for both cores of the RP2040; [`set_lane_hook!`] is for
//! everybody else.
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

#![expect(unsafe_code, reason = "link-time functions are declared in an extern block")]

// SAFETY: both symbols are defined by `set_lane_hook!` with exactly these signatures; a binary
// that defines them by hand does so with an `unsafe` attribute and takes this duty over.
unsafe extern "Rust" {
    safe fn _tapes_lane_enter() -> (u32, u32);
    safe fn _tapes_lane_exit(restore: u32);
}

/// Masks this core's interrupts; returns what [`exit`] takes, and the lane.
///
/// # Interrupts and cores
///
/// May be called from anywhere, nested too.
#[inline(always)]
#[must_use]
pub fn enter() -> (u32, u32) {
    _tapes_lane_enter()
}

/// Restores what [`enter`] found.
#[inline(always)]
pub fn exit(restore: u32) {
    _tapes_lane_exit(restore);
}

/// Defines the lane hook of a binary from two functions.
///
/// ```
/// fn enter() -> (u32, u32) {
///     (0, 0) // one core, nothing to mask
/// }
/// fn exit(_restore: u32) {}
/// tapes_hooks::set_lane_hook!(enter, exit);
/// assert_eq!(tapes_hooks::lane::enter(), (0, 0));
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
