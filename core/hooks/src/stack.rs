//! How much of the main stack of a Cortex-M has ever been used.
//!
//! Free RAM below the stack is filled with a pattern once; what is still there later was never
//! reached. The bounds are those of cortex-m-rt's linker script.

#![expect(
    unsafe_code,
    reason = "the stack pointer, symbols of the linker, and RAM that nobody owns"
)]

use core::arch::asm;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

const PATTERN: u32 = 0x5ac3_3ca5;
/// Bytes below the stack pointer that are left alone: frames of what is called from here on.
const MARGIN_BYTES: u32 = 256;

unsafe extern "C" {
    /// The upper end of the stack, which grows down.
    static _stack_start: u32;
    /// The end of statics, below which the stack must not grow.
    static _stack_end: u32;
}

/// The lowest word that was filled; 0 before.
static LOWEST: AtomicU32 = AtomicU32::new(0);

/// Fills free RAM below the stack, at most `limit_bytes` of it; 2 cycles a byte.
///
/// For the main stack, from the main program: not from an interrupt or the other core. An interrupt
/// that comes meanwhile has left its stack again before filling goes on.
pub fn paint(limit_bytes: u32) {
    let stack_pointer: u32;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, sp", out(reg) stack_pointer, options(nomem, nostack, preserves_flags)) };
    let high = stack_pointer.saturating_sub(MARGIN_BYTES) & !3;
    let end = (&raw const _stack_end).addr() as u32;
    let low = end.max(high.saturating_sub(limit_bytes) & !3);
    let mut at = low;
    while at < high {
        // SAFETY: `at` is a multiple of 4 between the end of all statics and the stack in use, so it
        // is RAM that belongs to nobody: no allocation of Rust lies there, and what the stack once
        // held there is dead. A stack that is not the main one fails `at < high` or lies in a static,
        // where `end` is above it.
        unsafe { ptr::write_volatile(ptr::with_exposed_provenance_mut(at as usize), PATTERN) };
        at = at.wrapping_add(4);
    }
    LOWEST.store(low, Relaxed);
}

/// Returns the bytes of the main stack that have been in use at most since [`paint`], and whether the
/// stack has grown beyond what was filled; `None` before. About 2 cycles a byte that was never used.
pub fn high_water() -> Option<(u32, bool)> {
    let low = LOWEST.load(Relaxed);
    let start = (&raw const _stack_start).addr() as u32;
    let mut at = low;
    while low != 0 && at < start {
        // SAFETY: a multiple of 4 within RAM that is there. What is read may be a word of the stack
        // in use, as bits and without any type.
        let word: u32 = unsafe { ptr::read_volatile(ptr::with_exposed_provenance(at as usize)) };
        if word != PATTERN {
            break;
        }
        at = at.wrapping_add(4);
    }
    (low != 0).then(|| (start.wrapping_sub(at), at == low))
}
