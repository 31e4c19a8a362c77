//! What was seen of metrics since the view began.

use std::collections::{HashMap, VecDeque};

use super::look::{Counts, Look, Metric, Section};

/// Moments that are kept of a metric: two minutes at one a second.
pub(super) const KEPT: usize = 120;

/// Seconds over which a rate is taken.
const RATE_WINDOW: f64 = 5.0;

/// Metrics beyond which no past is kept, so that a large fleet fits into memory.
const METRICS_MAX: usize = 4_000;

/// A metric at one moment.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    /// Seconds of the device's clock.
    pub(super) time: f64,
    pub(super) number: Option<f64>,
    pub(super) counts: Option<Counts>,
}

/// The pasts of all metrics, by section and name.
#[derive(Debug, Default)]
pub(super) struct Pasts {
    moments: HashMap<(String, String), VecDeque<Moment>>,
    /// By section: time of the last look, uptime then, and the clock that goes with both.
    clocks: HashMap<String, (f64, Option<f64>, f64)>,
}

impl Pasts {
    /// Keeps what is new in a look.
    pub(super) fn take(&mut self, look: &Look) {
        let fresh: HashMap<&str, f64> = (look.sections.iter())
            .filter_map(|section| Some((section.name.as_str(), self.tick(section, look.time)?)))
            .collect();
        if look.metrics.len() > METRICS_MAX {
            self.moments.clear();
            return;
        }
        for metric in &look.metrics {
            let Some(time) = fresh.get(metric.section.as_str()) else { continue };
            let key = (metric.section.clone(), metric.name.clone());
            let moments = self.moments.entry(key).or_default();
            if moments.len() >= KEPT {
                moments.pop_front();
            }
            let (number, counts) = (metric.number(), metric.counts.clone());
            moments.push_back(Moment { time: *time, number, counts });
        }
    }

    /// Moves the clock of a section on; `None` if it has said nothing since the last look.
    fn tick(&mut self, section: &Section, now: f64) -> Option<f64> {
        let uptime = section.uptime;
        let Some((last, before, clock)) = self.clocks.get_mut(&section.name) else {
            self.clocks.insert(section.name.clone(), (now, uptime, 0.0));
            return Some(0.0);
        };
        let step = match (uptime, *before) {
            // The device's own clock: how long a frame took to get here does not matter.
            (Some(uptime), Some(before)) if uptime > before => uptime - before,
            #[expect(clippy::float_cmp, reason = "the same frame, the same number")]
            (Some(uptime), Some(before)) if uptime == before => return None,
            _ => (now - *last).max(0.0),
        };
        (*last, *before, *clock) = (now, uptime, *clock + step);
        Some(*clock)
    }

    /// Returns the moments of a metric, the oldest first.
    pub(super) fn of(&self, metric: &Metric) -> Vec<&Moment> {
        let key = (metric.section.clone(), metric.name.clone());
        self.moments.get(&key).map_or_else(Vec::new, |moments| moments.iter().collect())
    }

    /// Returns events a second over the last seconds.
    pub(super) fn rate(&self, metric: &Metric) -> Option<f64> {
        let moments = self.of(metric);
        let (last, earlier) = moments.split_last()?;
        if !metric.counts_events() || !metric.is_fresh {
            return None;
        }
        let is_old = |moment: &&&Moment| last.time - moment.time >= RATE_WINDOW;
        let first = earlier.iter().rev().find(is_old).or(earlier.first())?;
        slope(first, last)
    }

    /// Returns the points of a small chart: rates of counts, 99th percentiles, else values.
    pub(super) fn line(&self, metric: &Metric) -> Vec<Option<f64>> {
        let moments = self.of(metric);
        if !metric.counts_events() {
            return moments.iter().map(|moment| moment.number).collect();
        }
        let pairs = moments.windows(2).map(|pair| {
            let [a, b] = pair else { return None };
            match (&a.counts, &b.counts) {
                (Some(before), Some(now)) => now.since(before)?.quantile(0.99),
                _ => slope(a, b),
            }
        });
        pairs.collect()
    }
}

fn slope(a: &Moment, b: &Moment) -> Option<f64> {
    let rate = (b.number? - a.number?) / (b.time - a.time);
    (rate.is_finite() && rate >= 0.0).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::Pasts;
    use crate::top::look::tests::look;

    /// A rate by the clock of who looks is wrong whenever a frame is late.
    #[test]
    fn rates_follow_the_clock_of_the_device() {
        let mut pasts = Pasts::default();
        // The look at 2 s comes late, and the one after it sees no new frame.
        for (time, uptime) in [(0.0, 0), (1.0, 1), (2.9, 2), (3.0, 2), (4.0, 4)] {
            let mut look = look(uptime);
            look.time = time;
            pasts.take(&look);
        }
        let look = look(4);
        let of = |name: &str| look.metrics.iter().find(|metric| metric.name == name).unwrap();
        assert_eq!(pasts.rate(of("motor.loops")), Some(1_000.0));
        assert_eq!(pasts.line(of("motor.loops")), [Some(1_000.0); 3]);
        assert_eq!(pasts.of(of("motor.loops")).len(), 4);
        assert!(pasts.line(of("motor.loop_time"))[0].is_some_and(|p99| p99 < 40e-6));
    }
}
