//! Functions whose cycles are counted.

use core::arch::asm;

/// Makes a value that the compiler does not know, in one register.
#[inline(always)]
#[must_use]
pub fn hidden(mut value: u32) -> u32 {
    // SAFETY: there is no instruction.
    unsafe { asm!("/* {} */", inout(reg) value, options(pure, nomem, nostack, preserves_flags)) };
    value
}

/// Does nothing, and is not left out.
#[inline(always)]
pub fn nothing() {
    // SAFETY: there is no instruction.
    unsafe { asm!("", options(nomem, nostack, preserves_flags)) };
}

/// Makes functions that the emulator calls by their names, and a list of them.
#[macro_export]
macro_rules! benches {
    ($($(#[$attribute:meta])* $name:ident $body:block)*) => {
        $(
            #[unsafe(no_mangle)]
            #[inline(never)]
            $(#[$attribute])*
            extern "C" fn $name() $body
        )*
        #[used]
        static BENCHES: &[extern "C" fn()] = &[$($name),*];
    };
}
