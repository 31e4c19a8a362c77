//! Tells a result to the emulator: text, and the exit code.

use core::fmt::{self, Write as _};
use core::panic::PanicInfo;

/// Writes a zero-terminated string.
const SYS_WRITE0: u32 = 0x04;
/// Hands over the command line.
const SYS_GET_CMDLINE: u32 = 0x15;
/// Ends the emulator.
const SYS_EXIT: u32 = 0x18;
/// `ADP_Stopped_ApplicationExit`: exit code 0.
const EXIT_SUCCESS: u32 = 0x2_0026;
/// `ADP_Stopped_RunTimeErrorUnknown`: exit code 1.
const EXIT_FAILURE: u32 = 0x2_0023;

/// Bytes written at once, and the zero.
const CHUNK: usize = 33;
/// Longest command line.
const COMMAND_LEN_MAX: usize = 128;

/// The emulator's standard output.
#[derive(Debug)]
pub struct Output;

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for chunk in text.as_bytes().chunks(CHUNK - 1) {
            let mut buffer = [0u8; CHUNK];
            for (to, from) in buffer.iter_mut().zip(chunk) {
                *to = *from;
            }
            // SAFETY: the argument of WRITE0 is the address of a zero-terminated string.
            unsafe { cortex_m::asm::semihosting_syscall(SYS_WRITE0, buffer.as_ptr() as u32) };
        }
        Ok(())
    }
}

/// Returns whether the command line, words separated by spaces, has `argument` in it.
#[must_use]
pub fn has_argument(argument: &str) -> bool {
    let mut line = [0u8; COMMAND_LEN_MAX];
    let mut block = [line.as_mut_ptr() as u32, COMMAND_LEN_MAX as u32];
    // SAFETY: the argument of GET_CMDLINE is the address of address and length of a buffer, into
    // which it writes, and of the latter of which it makes the length of the line.
    let failed = unsafe {
        cortex_m::asm::semihosting_syscall(SYS_GET_CMDLINE, (&raw mut block).addr() as u32)
    };
    let words = line.split(|byte| *byte == b' ' || *byte == 0);
    failed == 0 && words.into_iter().any(|word| word == argument.as_bytes())
}

/// Ends the emulator with exit code 0 or 1.
pub fn exit(success: bool) -> ! {
    let reason = if success { EXIT_SUCCESS } else { EXIT_FAILURE };
    loop {
        // SAFETY: the argument of EXIT is a number.
        unsafe { cortex_m::asm::semihosting_syscall(SYS_EXIT, reason) };
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Output, "{info}");
    exit(false)
}
