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

/// Makes functions that the emulator calls by their names, and a list of them. A second name is that
/// of the same function in RAM.
#[macro_export]
macro_rules! benches {
    ($($name:ident $(, $in_ram:ident)? $body:block)*) => {
        $(
            #[unsafe(no_mangle)]
            #[inline(never)]
            extern "C" fn $name() $body
            $(
                #[unsafe(no_mangle)]
                #[inline(never)]
                #[unsafe(link_section = ".data.ram")]
                extern "C" fn $in_ram() $body
            )?
        )*
        #[used]
        static BENCHES: &[extern "C" fn()] = &[$($name, $($in_ram,)?)*];
    };
}
