//! Weights that fade: how much of what was counted is still felt.

use super::places::whole;
use super::seconds;

/// How fast weights fade, a second; that of tapes and Dropwizard.
const ALPHA: f64 = 0.015;

/// Microseconds between two landmarks, in which weights grow by `e^45`.
const LANDMARK: u64 = 3_000_000_000;

/// Weights that add up to less than this of one event, which a single one does after 460 seconds,
/// say nothing.
const WEIGHT_MIN: f64 = 0.001;

/// Counts into which decayed weights are scaled, for the same quantiles as all others.
const SCALE: f64 = (1u64 << 40) as f64;

/// The weight of what is spread over the time between two looks, beside that of an event at a
/// landmark: the same landmark for some time, so that nothing is touched that did not change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    /// Seconds.
    landmark: f64,
    /// The mean of `e^(ALPHA * (time - landmark))`.
    weight: f64,
}

impl Weight {
    /// The weight of what happened before anybody looked.
    pub(super) const NOTHING: Self = Self { landmark: 0.0, weight: 0.0 };

    /// Returns the weight of one event.
    pub(super) const fn of_one(self) -> f64 {
        self.weight
    }

    pub(super) fn of(from: u64, to: u64) -> Self {
        let landmark = seconds(to / LANDMARK * LANDMARK);
        let (from, to) = (seconds(from), seconds(to));
        let span = ALPHA * (to - from);
        let mean = if span > 0.0 { -(-span).exp_m1() / span } else { 1.0 };
        Self { landmark, weight: (ALPHA * (to - landmark)).exp() * mean }
    }
}

/// Since when weights fade.
#[derive(Debug, Default)]
pub(super) struct Fading {
    /// Seconds.
    landmark: f64,
}

impl Fading {
    /// Begins a look. Returns what all weights are to be multiplied by, if at all: they are those
    /// beside an event at the new landmark then.
    pub(super) fn begin(&mut self, weight: Weight) -> Option<f64> {
        (weight.landmark > self.landmark).then(|| {
            let factor = (-ALPHA * (weight.landmark - self.landmark)).exp();
            self.landmark = weight.landmark;
            factor
        })
    }

    /// Returns how weights that add up to `total` become counts; `None` if nothing is left of them.
    pub(super) fn scale(&self, total: f64, now: f64) -> Option<Scale> {
        let left = total * (-ALPHA * (now - self.landmark)).exp();
        // A number of which nothing can be said is not more.
        (left >= WEIGHT_MIN).then_some(Scale(SCALE / total))
    }
}

/// Makes counts of weights, which add up to about [`SCALE`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale(f64);

impl Scale {
    pub(super) fn count(self, weight: f64) -> u64 {
        whole(weight * self.0)
    }
}
