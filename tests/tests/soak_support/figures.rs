//! What was measured, and the aims.

use std::fmt;
use std::time::Duration;

/// What a gateway takes that devices report to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    pub(crate) devices: u32,
    pub(crate) reports_per_s: f64,
    /// Times that a thread without devices woke, in a second.
    pub(crate) idle_wakeups: f64,
    /// Processor time, in percent of one core.
    pub(crate) processor_percent: f64,
    pub(crate) resident_kib: u64,
    pub(crate) visible_p50: Duration,
    pub(crate) visible_p99: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { devices, reports_per_s, idle_wakeups, processor_percent, .. } = self;
        let mib = Duration::from_millis(self.resident_kib).as_secs_f64() * 1_000.0 / 1_024.0;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        writeln!(f, "{devices} devices, {reports_per_s:.0} reports a second, over TCP")?;
        writeln!(f, "  without devices, wake-ups a second  {idle_wakeups:.2}  (aim: 2)")?;
        writeln!(f, "  processor, % of a core              {processor_percent:.2}  (aim: 3)")?;
        writeln!(f, "  resident memory, MiB                {mib:.1}  (aim: 32)")?;
        writeln!(f, "  frame to page, median, ms           {:.1}", ms(self.visible_p50))?;
        write!(f, "  frame to page, 99 %, ms             {:.1}  (aim: 50)", ms(self.visible_p99))
    }
}

/// Returns the value below which a part of the times are.
pub(crate) fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a position"
    )]
    let at = (times.len() as f64 * part) as usize;
    times[at.min(times.len() - 1)]
}
