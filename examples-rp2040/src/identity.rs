//! Who the board is, and since when it counts.

use embassy_rp::Peri;
use embassy_rp::adc::{Adc, Blocking, Channel};
use embassy_rp::clocks::RoscRng;
use embassy_rp::flash::{self, Flash};
use embassy_rp::peripherals::FLASH;
use embassy_rp::watchdog::{self, Watchdog};
use embassy_time::TICK_HZ;
use tapes_core::wire::{Epoch, Identity, Origin, ResetReason};

/// The flash of a Pico.
const FLASH_BYTES: usize = 2 * 1024 * 1024;
/// The watchdog's scratch register that counts starts: 4 to 7 belong to the boot ROM.
const STARTS: usize = 0;

/// Says who speaks: the unique id of the flash chip, with a new epoch. That is right for a start
/// with all values at zero; a firmware that kept them goes on with the epoch they had.
///
/// Uptime is reported in ticks of embassy's clock. Call it once, before core 1 is started.
pub fn identity(
    flash: Peri<'static, FLASH>,
    watchdog: &mut Watchdog,
    adc: &mut Adc<'_, Blocking>,
    sensor: &mut Channel<'_>,
) -> Identity {
    let mut id = [0; 8];
    // Cannot fail on core 0; a board without an answer is told apart from others by its epoch only.
    let _ =
        Flash::<_, flash::Blocking, FLASH_BYTES>::new_blocking(flash).blocking_unique_id(&mut id);
    let reset_reason = match watchdog.reset_reason() {
        Some(watchdog::ResetReason::TimedOut) => ResetReason::Watchdog,
        Some(watchdog::ResetReason::Forced) => ResetReason::Software,
        None => ResetReason::PowerOn,
    };
    // The scratch register survives warm starts, and is 0 after power-on.
    let starts = watchdog.get_scratch(STARTS).wrapping_add(1);
    watchdog.set_scratch(STARTS, starts);
    Identity {
        reset_reason,
        boot_count: starts,
        ..Identity::new(
            Origin::from_array(id),
            Epoch::new(0, nonce(starts, adc, sensor)),
            TICK_HZ as u32,
        )
    }
}

/// A number that no other start of this board has: the oscillator's random bits, the noise of 32
/// conversions and the number of starts, so that one bad source alone does not repeat it.
fn nonce(starts: u32, adc: &mut Adc<'_, Blocking>, sensor: &mut Channel<'_>) -> u32 {
    let mut mixed = RoscRng.next_u32() ^ starts;
    for _ in 0..32 {
        let noise = adc.blocking_read(sensor).unwrap_or(0);
        // A step of FNV-1a: every bit of what came before moves every bit of what comes after.
        mixed = (mixed ^ u32::from(noise)).wrapping_mul(0x0100_0193);
    }
    mixed.max(1)
}
