//! What programs record through.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use metrics::{CounterFn, GaugeFn, HistogramFn};
use tapes_core::metric::{Counter, Distribution, Gauge, Histogram};

/// Most that is counted at a time; a counter here takes 32 bits at once.
const COUNT_MAX: u64 = 1 << 48;

/// A counter.
#[derive(Debug)]
pub(super) struct CounterHandle {
    counter: Counter<'static>,
    /// Raw steps in one of what the program counts.
    factor: u64,
}

impl CounterHandle {
    pub(super) const fn new(counter: Counter<'static>, factor: u64) -> Self {
        Self { counter, factor }
    }

    pub(super) fn value(&self) -> u64 {
        self.counter.value()
    }

    fn add(&self, value: u64) {
        // Nobody counts as much at once but by mistake, and it would take long.
        let mut left = value.saturating_mul(self.factor).min(COUNT_MAX);
        while left > 0 {
            let step = u32::try_from(left).unwrap_or(u32::MAX);
            self.counter.add(step);
            left -= u64::from(step);
        }
    }
}

impl CounterFn for &CounterHandle {
    fn increment(&self, value: u64) {
        self.add(value);
    }

    /// Raises the counter to `value`. One caller at a time: two may raise it twice.
    fn absolute(&self, value: u64) {
        let now = self.counter.value() / self.factor.max(1);
        self.add(value.saturating_sub(now));
    }
}

/// A gauge, which is read, changed and set under a lock.
#[derive(Debug)]
pub(super) struct GaugeHandle {
    gauge: Gauge<'static, f64>,
    /// As that of a counter.
    factor: u64,
    /// As the program sees it.
    value: Mutex<f64>,
}

impl GaugeHandle {
    pub(super) const fn new(gauge: Gauge<'static, f64>, factor: u64) -> Self {
        Self { gauge, factor, value: Mutex::new(0.0) }
    }

    pub(super) fn value(&self) -> Option<f64> {
        self.gauge.value()
    }

    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        *value = change(*value);
        self.gauge.set(*value * self.factor as f64);
    }
}

impl GaugeFn for &GaugeHandle {
    fn increment(&self, by: f64) {
        self.change(|value| value + by);
    }

    fn decrement(&self, by: f64) {
        self.change(|value| value - by);
    }

    fn set(&self, to: f64) {
        self.change(|_| to);
    }
}

/// A histogram.
#[derive(Debug)]
pub(super) struct HistogramHandle {
    histogram: Histogram<'static>,
    /// Raw steps in one of what the program measures.
    steps: f64,
    dropped: AtomicU64,
}

impl HistogramHandle {
    pub(super) const fn new(histogram: Histogram<'static>, steps: f64) -> Self {
        Self { histogram, steps, dropped: AtomicU64::new(0) }
    }

    pub(super) const fn distribution(&self) -> Distribution<'static> {
        self.histogram.distribution()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl HistogramFn for &HistogramHandle {
    fn record(&self, value: f64) {
        if value >= 0.0 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not negative, and what is too large ends up in the overflow bucket"
            )]
            let raw = (value * self.steps).round() as u64;
            self.histogram.record_wide(raw);
        } else {
            // Below 0, or not a number.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
