//! UART0 of the RP2040 as far as a writer needs it: waits for room, then writes.

/// A writer that waits.
#[derive(Debug)]
pub struct Uart;

/// Data and flag registers of the PL011, RP2040 datasheet 4.2.8.
const DATA: *mut u32 = 0x4003_4000 as *mut u32;
const FLAGS: *const u32 = 0x4003_4018 as *const u32;
/// The transmit FIFO is full.
const FULL: u32 = 1 << 5;

impl Uart {
    /// Writes bytes.
    pub fn write_bytes(bytes: &[u8]) {
        bytes.iter().copied().for_each(Self::send);
    }

    fn send(byte: u8) {
        // SAFETY: the register is there, is aligned, and reading it has no effect.
        while unsafe { FLAGS.read_volatile() } & FULL != 0 {}
        // SAFETY: as above; nobody else writes it.
        unsafe { DATA.write_volatile(byte.into()) };
    }
}

impl core::fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        Self::write_bytes(text.as_bytes());
        Ok(())
    }
}

#[cfg(feature = "wire")]
impl embedded_io::ErrorType for Uart {
    type Error = core::convert::Infallible;
}

#[cfg(feature = "wire")]
impl embedded_io::Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        Self::write_bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
