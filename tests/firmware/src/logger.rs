//! A logger of defmt that writes to a UART; what includes this file has it.

use tapes_probes::uart::Uart;

/// Frames without stuffing, which no host could decode: what it costs is the logger's.
#[defmt::global_logger]
struct Logger;

// SAFETY: one context logs, and it does not log while it logs.
unsafe impl defmt::Logger for Logger {
    fn acquire() {}

    unsafe fn flush() {}

    unsafe fn release() {}

    unsafe fn write(bytes: &[u8]) {
        Uart::write_bytes(bytes);
    }
}
