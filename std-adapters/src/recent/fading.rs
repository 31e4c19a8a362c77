//! Weights that fade: how much of what was counted is still felt.

use super::places::{OVERFLOW, add_at, whole};
use super::seconds;
use crate::fleet::value::Histogram;

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
    pub(super) fn of(from: u64, to: u64) -> Self {
        let landmark = seconds(to / LANDMARK * LANDMARK);
        let (from, to) = (seconds(from), seconds(to));
        let span = ALPHA * (to - from);
        let mean = if span > 0.0 { -(-span).exp_m1() / span } else { 1.0 };
        Self { landmark, weight: (ALPHA * (to - landmark)).exp() * mean }
    }
}

/// Weights that fade, beside that of an event at a landmark.
#[derive(Debug, Default)]
pub(super) struct Fading {
    /// Seconds.
    landmark: f64,
    /// By place; the overflow is apart.
    weights: Vec<f64>,
    overflow: f64,
}

impl Fading {
    /// Returns the number of weights that there is memory for.
    pub(super) fn capacity(&self) -> usize {
        self.weights.capacity()
    }

    pub(super) fn add(&mut self, places: &[(u16, u64)], Weight { landmark, weight }: Weight) {
        if landmark > self.landmark {
            let factor = (-ALPHA * (landmark - self.landmark)).exp();
            self.weights.iter_mut().for_each(|weight| *weight *= factor);
            self.overflow *= factor;
            self.landmark = landmark;
        }
        for (place, n) in places {
            let more = *n as f64 * weight;
            if *place == OVERFLOW {
                self.overflow += more;
                continue;
            }
            let place = usize::from(*place);
            if self.weights.len() <= place {
                self.weights.resize(place + 1, 0.0);
            }
            if let Some(known) = self.weights.get_mut(place) {
                *known += more;
            }
        }
    }

    /// Returns the weights as counts that add up to about [`SCALE`]; `None` if nothing is left.
    pub(super) fn counts(&self, now: f64) -> Option<Histogram> {
        let total = self.weights.iter().sum::<f64>() + self.overflow;
        let left = total * (-ALPHA * (now - self.landmark)).exp();
        // Also if it is not a number.
        if left.is_nan() || left < WEIGHT_MIN {
            return None;
        }
        let mut counts = Histogram::default();
        for (place, weight) in (0..).zip(&self.weights) {
            add_at(&mut counts, place, whole(weight / total * SCALE));
        }
        counts.overflow = whole(self.overflow / total * SCALE);
        Some(counts)
    }
}
