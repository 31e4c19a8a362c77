//! The lane hook of Cortex-M: PRIMASK and, on the RP2040, the number of the core.

#![expect(unsafe_code, reason = "special registers and one peripheral register")]

use core::arch::asm;

/// Masks the interrupts of this core; returns what `exit` takes, and the lane.
///
/// 4 cycles on a Cortex-M0+, and 3 for the number of an RP2040's core.
#[inline(always)]
pub(crate) fn enter() -> (u32, u32) {
    let primask: u32;
    // SAFETY: the instructions change PRIMASK, which the compiler does not know of, and one
    // register, which it is told. As it may not assume that memory stays the same, it moves no
    // access across. CPSID takes effect before the next instruction.
    unsafe {
        asm!("mrs {}, PRIMASK", "cpsid i", out(reg) primask, options(nostack, preserves_flags));
    }
    (primask, core_number())
}

/// Restores what `enter` found; 3 cycles on a Cortex-M0+.
///
/// A pending interrupt may come an instruction later, which is why there is no ISB.
#[inline(always)]
pub(crate) fn exit(primask: u32) {
    // SAFETY: as in `enter`. `lane::with` hands over what `enter` returned, after everything that
    // was masked since has been unmasked, so nobody loses the masking that he relies on.
    unsafe {
        asm!("msr PRIMASK, {}", in(reg) primask, options(nostack, preserves_flags));
    }
}

/// Returns the number of this core.
#[cfg(not(feature = "rp2040"))]
#[inline(always)]
const fn core_number() -> u32 {
    0
}

/// Returns the number of this core, 0 or 1.
#[cfg(feature = "rp2040")]
#[inline(always)]
fn core_number() -> u32 {
    /// CPUID of the single-cycle I/O block, RP2040 datasheet 2.3.1.7.
    const SIO_CPUID: u32 = 0xd000_0000;
    let cpuid: u32;
    // SAFETY: the register is there and aligned on the RP2040, for which the feature stands, and
    // reading it has no effect. Code does not change cores on its way, so wherever the compiler
    // moves this, or if it makes one of two, the number is the same: that is `pure` and `nomem`.
    unsafe {
        asm!(
            "ldr {0}, [{0}]",
            inout(reg) SIO_CPUID => cpuid,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    cpuid & 1
}
