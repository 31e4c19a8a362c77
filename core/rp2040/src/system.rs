//! Metrics of the board itself.

use tapes_core::metric::Dimension;
use tapes_core::{Label, metrics};

use crate::board::{Micros, chip};

/// Bits of the watchdog's REASON.
const WATCHDOG_TIMER: u32 = 1 << 0;
const WATCHDOG_FORCED: u32 = 1 << 1;
/// Bits of `CHIP_RESET`.
const HAD_POWER_ON: u32 = 1 << 8;
const HAD_RUN_PIN: u32 = 1 << 16;
const HAD_DEBUGGER: u32 = 1 << 20;

/// Why the chip was reset.
///
/// ```
/// use tapes_core::Label;
/// use tapes_rp2040::Reset;
///
/// assert_eq!(Reset::DIMENSION.values[Reset::Watchdog.index()], "watchdog");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reset {
    /// Power came on, or was low for a moment.
    PowerOn,
    /// The RUN pin was low.
    RunPin,
    /// A debugger asked for it.
    Debugger,
    /// The watchdog was not fed in time.
    Watchdog,
    /// The firmware asked for it, through the watchdog.
    Software,
    /// None of these.
    Other,
}

impl Label for Reset {
    const DIMENSION: Dimension<'static> = Dimension {
        name: "reason",
        values: &["power_on", "run_pin", "debugger", "watchdog", "software", "other"],
    };

    fn index(self) -> usize {
        self as usize
    }
}

impl Reset {
    /// Returns why this run began.
    ///
    /// ```
    /// use tapes_rp2040::Reset;
    ///
    /// # #[cfg(not(target_os = "none"))]
    /// assert_eq!(Reset::of_this_run(), Reset::Other); // a host has no such registers
    /// ```
    #[must_use]
    pub fn of_this_run() -> Self {
        let (watchdog, chip) = chip::reset_registers();
        Self::of(watchdog, chip)
    }

    /// The watchdog resets the processors but not what tells of the last reset of the chip, so it is
    /// asked first.
    const fn of(watchdog: u32, chip: u32) -> Self {
        match (watchdog, chip) {
            (reason, _) if reason & WATCHDOG_FORCED != 0 => Self::Software,
            (reason, _) if reason & WATCHDOG_TIMER != 0 => Self::Watchdog,
            (_, had) if had & HAD_DEBUGGER != 0 => Self::Debugger,
            (_, had) if had & HAD_RUN_PIN != 0 => Self::RunPin,
            (_, had) if had & HAD_POWER_ON != 0 => Self::PowerOn,
            _ => Self::Other,
        }
    }
}

metrics! {
    /// The board itself; see the functions of [`SystemMetrics`].
    pub static SYSTEM: SystemMetrics = "system" {
        /// Time since the start.
        uptime: Gauge<u32> [unit = seconds],
        /// Starts, as the firmware counts them.
        boots: Gauge<u32>,
        /// 1 for the reason of the last reset, 0 for the others.
        reset: Gauge<u32> per Reset,
        /// Most of the main stack that was ever in use; at least that if all that was watched was.
        stack_used_max: Gauge<u32> [unit = bytes],
        /// Time in which the main loop had nothing to do.
        idle: Counter [unit = micros],
        /// Frames that the reporter has sent.
        frames_sent: Gauge<u32>,
        /// Frames that the reporter could not send.
        frames_dropped: Gauge<u32>,
    }
}

impl SystemMetrics {
    /// Begins: says why and how often the board has started, and begins to watch the main stack.
    ///
    /// `boots` is the number of starts, which only the firmware knows: from a scratch register of the
    /// watchdog, from RAM that is kept or from flash. Of free RAM below the stack at most
    /// `stack_bytes` are filled with a pattern, at 2 cycles a byte; deeper use shows as that much.
    /// Call it from the main program, early, once.
    ///
    /// ```
    /// use tapes_rp2040::{Reset, SYSTEM};
    ///
    /// SYSTEM.start(3, 8 * 1024);
    /// assert_eq!(SYSTEM.boots.value(), Some(3));
    /// assert_eq!(SYSTEM.reset.of(Reset::of_this_run()).value(), Some(1));
    /// ```
    pub fn start(&self, boots: u32, stack_bytes: u32) {
        self.boots.set(boots);
        let this = Reset::of_this_run();
        let all = [
            Reset::PowerOn,
            Reset::RunPin,
            Reset::Debugger,
            Reset::Watchdog,
            Reset::Software,
            Reset::Other,
        ];
        for reason in all {
            self.reset.of(reason).set(u32::from(reason == this));
        }
        chip::paint(stack_bytes);
    }

    /// Sets what changes: call it before each report, with the uptime in microseconds and how many
    /// frames were sent and dropped, as the reporter's `stats` tell.
    ///
    /// Looks for the stack's high-water mark: about 2 cycles for each byte that is watched and was
    /// never used.
    ///
    /// ```
    /// use tapes_rp2040::SYSTEM;
    ///
    /// SYSTEM.update(61_500_000, 120, 0);
    /// assert_eq!(SYSTEM.uptime.value(), Some(61));
    /// assert_eq!(SYSTEM.frames_sent.value(), Some(120));
    /// ```
    pub fn update(&self, uptime_us: u64, frames_sent: u32, frames_dropped: u32) {
        #[expect(clippy::cast_possible_truncation, reason = "136 years")]
        self.uptime.set((uptime_us / 1_000_000) as u32);
        if let Some((used, _all)) = chip::high_water() {
            self.stack_used_max.set(used);
        }
        self.frames_sent.set(frames_sent);
        self.frames_dropped.set(frames_dropped);
    }

    /// Runs `wait` (WFI, WFE or a loop that polls) and counts its time as idle.
    ///
    /// For a main loop of one's own; executors are better told of by `tapes-embassy`. What interrupts
    /// take meanwhile counts as idle too. One wait of more than 71 minutes aliases.
    ///
    /// ```
    /// use tapes_rp2040::SYSTEM;
    ///
    /// let mut polls = 0;
    /// SYSTEM.idle_while(|| polls += 1);
    /// assert_eq!(polls, 1);
    /// ```
    pub fn idle_while<R>(&self, wait: impl FnOnce() -> R) -> R {
        use tapes_core::clock::Clock as _;

        let began = Micros.ticks();
        let result = wait();
        self.idle.add(Micros.ticks().wrapping_sub(began));
        result
    }
}

#[cfg(test)]
mod tests {
    use super::{HAD_DEBUGGER, HAD_POWER_ON, HAD_RUN_PIN, Reset, WATCHDOG_FORCED, WATCHDOG_TIMER};

    /// A board that hangs would seem to have lost its power, or the other way round.
    #[test]
    fn the_last_reset_is_told_from_those_before() {
        let rows = [
            (0, HAD_POWER_ON, Reset::PowerOn),
            (0, HAD_RUN_PIN, Reset::RunPin),
            (0, HAD_DEBUGGER | HAD_POWER_ON, Reset::Debugger),
            // The chip's register stays as it was at power-on.
            (WATCHDOG_TIMER, HAD_POWER_ON, Reset::Watchdog),
            (WATCHDOG_FORCED, HAD_POWER_ON, Reset::Software),
            (0, 0, Reset::Other),
        ];
        for (watchdog, chip, reset) in rows {
            assert_eq!(Reset::of(watchdog, chip), reset, "{watchdog:#x} {chip:#x}");
        }
    }
}
