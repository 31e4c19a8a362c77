//! Rates of counts.

/// The rates of one count, in events per second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RateReading {
    /// Exponentially weighted over 1 minute.
    pub m1: f32,
    /// Exponentially weighted over 5 minutes.
    pub m5: f32,
    /// Exponentially weighted over 15 minutes.
    pub m15: f32,
    /// Since the reader began to watch.
    pub mean: f32,
}
