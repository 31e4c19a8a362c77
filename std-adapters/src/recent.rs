//! What happened lately: histograms over the last seconds, and with weights that fade.
//!
//! A histogram that only grows says what was; an alarm wants to know what is. The reader keeps the
//! differences: of each histogram and timer
//!
//! - a *window*: twelve slots, the last of them under way, so 11/12 of the window's length or up to
//!   a whole one;
//! - a *decayed* view: each value has the weight `e^(-0.015 · age in seconds)`, half after 46 s.
//!
//! What was counted between two reports is spread evenly over the time between them, on the clock
//! of the sender: a gap of ten minutes is no burst. What was counted before the first report is no
//! event.
//!
//! **Limits.** Quantiles are known to their bucket, as those of all values are. A window's largest
//! value is exact if it is the largest ever, else it is the upper bound of its bucket; its smallest
//! value likewise.

mod fading;
mod kept;
mod places;
mod slot;

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tapes_core::metric::{Buckets, Distribution, Unit};
use tapes_core::statistics::Summary;

use self::fading::Weight;
use self::kept::Kept;
use self::places::limits;
use self::slot::Slot;
use crate::fleet::value::Histogram;

/// Parts of a window: what leaves it leaves a twelfth at a time.
const SLOTS: u64 = 12;

/// What a histogram or timer did lately.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RecentReading {
    /// Seconds that the window covers: its length, or less while it fills.
    pub seconds: f64,
    /// The values in the window; `None` if there are none.
    pub window: Option<Summary>,
    /// Values a second in the window.
    pub rate: f64,
    /// Quantiles of all values by their fading weights; `None` if next to nothing is left of them.
    /// Its counts and sums are those of weights, not of values.
    pub decayed: Option<Summary>,
}

/// Memory that the windows of several sources share.
#[derive(Debug)]
pub(crate) struct Budget(AtomicUsize);

impl Budget {
    pub(crate) const fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// Takes bytes, or none if there are not so many left.
    fn take(&self, bytes: usize) -> bool {
        // A sum alone, which guards no other memory.
        let take = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The windows of one source, by whatever tells its histograms apart.
#[derive(Debug)]
pub(crate) struct Windows<K> {
    /// Microseconds of a slot; at least 1.
    slot: u64,
    /// Microseconds of the look before and of this one.
    look: (u64, u64),
    weight: Weight,
    /// `None` is one for which there was no room.
    known: BTreeMap<K, Option<Box<Recent>>>,
    /// What a histogram counted since the last look; kept for its memory.
    growth: Vec<(u16, u64)>,
    /// Taken from the budget.
    bytes: usize,
    /// Most that may be; histograms beyond have no window.
    bytes_max: usize,
    budget: Arc<Budget>,
}

impl<K> Drop for Windows<K> {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

impl<K: Ord> Windows<K> {
    /// Returns windows of that length, which begin at a time of the source's clock and take so many
    /// bytes from the budget at most.
    pub(crate) fn new(
        len: Duration,
        start: Duration,
        budget: &Arc<Budget>,
        bytes_max: usize,
    ) -> Self {
        let (slot, start) = ((micros(len) / SLOTS).max(1), micros(start));
        let budget = Arc::clone(budget);
        let (look, weight) = ((start, start), Weight::of(start, start));
        let (known, growth) = (BTreeMap::new(), Vec::new());
        Self { slot, look, weight, known, growth, bytes: 0, bytes_max, budget }
    }

    /// Begins a look at the source, by its clock; one that goes back stands still.
    pub(crate) fn look(&mut self, at: Duration) {
        self.look = (self.look.1, micros(at).max(self.look.1));
        self.weight = Weight::of(self.look.0, self.look.1);
    }

    /// Takes in the counts of this look. Those of a histogram that is new began at 0 at the look
    /// before, or are what was counted earlier.
    pub(crate) fn advance(&mut self, key: K, counts: &Histogram, from_zero: bool) {
        let ((before, now), slot) = (self.look, self.slot);
        let known = self.known.entry(key).or_insert_with(|| {
            Some(Box::new(if from_zero {
                Recent::new(before)
            } else {
                // What it has counted so far is no event.
                Recent { kept: Kept::from(counts), ..Recent::new(now) }
            }))
        });
        let Some(recent) = known else { return };
        recent.advance(now, slot, counts, self.weight, &mut self.growth);
        let is = recent.size_bytes();
        let was = mem::replace(&mut recent.accounted, is);
        if is == was {
            return;
        }
        let others = self.bytes.saturating_sub(was);
        let more = is.saturating_sub(was);
        if others.saturating_add(is) > self.bytes_max || !self.budget.take(more) {
            self.budget.give_back(was);
            self.bytes = others;
            *known = None;
            return;
        }
        self.budget.give_back(was.saturating_sub(is));
        self.bytes = others.saturating_add(is);
    }

    /// Takes in the counts of this look, and returns what they did lately; next to nothing if there
    /// is no room for them.
    pub(crate) fn look_at(
        &mut self,
        key: K,
        counts: &Histogram,
        geometry: Buckets,
        unit: Unit<'_>,
        from_zero: bool,
    ) -> Option<RecentReading>
    where
        K: Copy,
    {
        self.advance(key, counts, from_zero);
        Some(self.reading(&key, counts, geometry, unit).unwrap_or_default())
    }

    /// Returns what a histogram did lately; `all` are its values of all times.
    pub(crate) fn reading(
        &self,
        key: &K,
        all: &Histogram,
        geometry: Buckets,
        unit: Unit<'_>,
    ) -> Option<RecentReading> {
        Some(self.known.get(key)?.as_ref()?.reading(self.slot, all, geometry, unit))
    }
}

/// What one histogram did lately.
#[derive(Debug)]
struct Recent {
    /// Microseconds of the first look.
    began: u64,
    /// Microseconds of the last look.
    at: u64,
    /// Counts at the last look, and weights that fade.
    kept: Kept,
    /// Ascending by number; none is older than the window.
    slots: VecDeque<Slot>,
    /// Memory that the slots' counts take.
    slots_bytes: usize,
    /// Memory taken from the budget.
    accounted: usize,
}

impl Recent {
    fn new(began: u64) -> Self {
        let (kept, slots) = (Kept::default(), VecDeque::new());
        Self { began, at: began, kept, slots, slots_bytes: 0, accounted: 0 }
    }

    fn size_bytes(&self) -> usize {
        let slots = self.slots.capacity() * size_of::<Slot>() + self.slots_bytes;
        size_of::<Self>() + slots + self.kept.size_bytes()
    }

    fn advance(
        &mut self,
        at: u64,
        slot: u64,
        counts: &Histogram,
        weight: Weight,
        growth: &mut Vec<(u16, u64)>,
    ) {
        let (from, to) = (self.at, at.max(self.at));
        self.at = to;
        let newest = number_at(to, slot);
        while let Some(first) = self.slots.front()
            && first.number + SLOTS <= newest
        {
            self.slots_bytes -= first.size_bytes();
            self.slots.pop_front();
        }
        let sum = self.kept.advance(counts, weight, growth);
        if growth.is_empty() {
            return;
        }
        // What is before the window goes nowhere.
        let oldest = (newest + 1).saturating_sub(SLOTS).max(number_at(from + 1, slot));
        if from == to || number_at(from + 1, slot) == newest {
            self.add(newest, sum, growth, |n| n);
            return;
        }
        let spread = Spread { from, to };
        for number in oldest..=newest {
            let begin = (number * slot).max(from);
            let end = ((number + 1) * slot).min(to);
            let share = |n: u64| spread.until(n, end) - spread.until(n, begin);
            self.add(number, share(sum), growth, share);
        }
    }

    fn add(&mut self, number: u64, sum: u64, growth: &[(u16, u64)], share: impl Fn(u64) -> u64) {
        if self.slots.back().is_none_or(|last| last.number != number) {
            self.slots.push_back(Slot::new(number));
        }
        let Some(slot) = self.slots.back_mut() else { return };
        let before = slot.size_bytes();
        slot.add(sum, growth, share);
        self.slots_bytes += slot.size_bytes() - before;
    }

    fn reading(
        &self,
        slot: u64,
        all: &Histogram,
        geometry: Buckets,
        unit: Unit<'_>,
    ) -> RecentReading {
        let mut sum = Histogram::default();
        self.slots.iter().for_each(|slot| slot.add_to(&mut sum));
        let oldest = (number_at(self.at, slot) + 1).saturating_sub(SLOTS);
        let seconds = seconds(self.at - self.began.max(oldest * slot).min(self.at));
        let count = sum.count();
        let summary = |mut counts: Histogram| {
            (counts.min, counts.max) = limits(&counts, all, geometry, unit.per());
            Summary::of(&Distribution::new(geometry, counts.counts()), unit)
        };
        RecentReading {
            seconds,
            window: (count > 0).then(|| summary(sum)),
            rate: if seconds > 0.0 { count as f64 / seconds } else { 0.0 },
            decayed: self.kept.decayed(self::seconds(self.at)).map(summary),
        }
    }
}

/// Spreads counts over a time.
#[derive(Clone, Copy)]
struct Spread {
    from: u64,
    to: u64,
}

impl Spread {
    /// Returns how many of `n` are before a time; the parts of a time add up to the whole.
    fn until(self, n: u64, time: u64) -> u64 {
        if time >= self.to {
            return n;
        }
        let part = u128::from(n) * u128::from(time.saturating_sub(self.from));
        let part = part / u128::from((self.to - self.from).max(1));
        u64::try_from(part).unwrap_or(n)
    }
}

/// Returns the slot of what ends at a time.
const fn number_at(micros: u64, slot: u64) -> u64 {
    micros.saturating_sub(1) / slot
}

/// Returns whole microseconds, for 292,000 years: sums of two do not overflow.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(u64::MAX >> 1)
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tapes_core::metric::{Buckets, Unit};

    use super::{Budget, RecentReading, Windows};
    use crate::fleet::value::Histogram;

    const GEOMETRY: Buckets = Buckets { scale: 2, first: 0, len: 60 };

    fn windows(seconds: u64) -> Windows<u8> {
        let budget = Arc::new(Budget::new(1 << 20));
        Windows::new(Duration::from_secs(seconds), Duration::ZERO, &budget, 1 << 20)
    }

    fn record(counts: &mut Histogram, value: u64) {
        counts.sum += value;
        counts.min = Some(counts.min.map_or(value, |min| min.min(value)));
        counts.max = Some(counts.max.map_or(value, |max| max.max(value)));
        match (0..GEOMETRY.len).find(|i| value as f64 <= GEOMETRY.upper(*i)) {
            _ if value <= 1 => counts.zero += 1,
            None => counts.overflow += 1,
            Some(i) => {
                let i = i as usize;
                let len = counts.buckets.len().max(i + 1);
                counts.buckets.resize(len, 0);
                counts.buckets[i] += 1;
            }
        }
    }

    /// Looks at whole seconds.
    fn look(windows: &mut Windows<u8>, at_s: u64, counts: &Histogram) -> RecentReading {
        windows.look(Duration::from_secs(at_s));
        windows.look_at(0, counts, GEOMETRY, Unit::NONE, true).unwrap()
    }

    /// The value at a share of the whole weight.
    fn quantile(values: &[(u64, f64)], p: f64) -> f64 {
        let mut values = values.to_vec();
        values.sort_by_key(|(value, _)| *value);
        let total: f64 = values.iter().map(|(_, weight)| weight).sum();
        let mut seen = 0.0;
        for (value, weight) in &values {
            seen += weight;
            if seen > p * total {
                return *value as f64;
            }
        }
        values.last().map_or(0.0, |(value, _)| *value as f64)
    }

    /// Returns whether an estimate is as near as half a bucket of scale 2.
    fn is_near(estimate: f64, exact: f64) -> bool {
        (estimate / exact - 1.0).abs() < 0.087
    }

    /// A window that forgets too early misses an alarm, one that forgets too late repeats it; and
    /// weights that drift are no quantiles. The judge keeps every value.
    #[test]
    fn windows_and_decayed_views_are_what_a_list_of_all_values_says() {
        let mut noise = 1u64;
        let mut next = move |below: u64| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (noise >> 33) % below
        };
        let (mut windows, mut all) = (windows(60), Histogram::default());
        let mut values: Vec<(u64, u64)> = Vec::new();
        for at_s in 1..3_000u64 {
            // Bursts, drifts, and silence of ten minutes.
            let many = if (1_000..1_600).contains(&at_s) { 0 } else { next(40) };
            for _ in 0..many {
                let value = 2 + next(10 + at_s % 500) * (1 + next(20));
                record(&mut all, value);
                values.push((at_s, value));
            }
            let reading = look(&mut windows, at_s, &all);
            // The slot under way and the eleven before it.
            let begin = ((at_s - 1) / 5 + 1).saturating_sub(12) * 5;
            let now: Vec<_> =
                values.iter().filter(|(t, _)| *t > begin).map(|(_, v)| (*v, 1.0)).collect();
            assert_eq!(reading.seconds, (at_s - begin) as f64, "{at_s}");
            assert!((reading.rate - now.len() as f64 / reading.seconds).abs() < 1e-9, "{at_s}");
            let Some(window) = reading.window else {
                assert!(now.is_empty(), "{at_s}");
                continue;
            };
            assert_eq!(window.count, now.len() as u64, "{at_s}");
            assert_eq!(window.sum, now.iter().map(|(v, _)| *v as f64).sum::<f64>(), "{at_s}");
            let largest = now.iter().map(|(v, _)| *v).max().unwrap() as f64;
            assert!(window.max >= largest && window.max <= largest * 1.19, "{at_s}: {window:?}");
            for (ours, p) in [(window.q50, 0.5), (window.q99, 0.99)] {
                let exact = quantile(&now, p);
                // The last one is the largest, the first the smallest: known to a bucket.
                let is_end = ours >= exact * 0.84 && ours <= exact * 1.19;
                let is_right =
                    if exact == largest || now.len() < 3 { is_end } else { is_near(ours, exact) };
                assert!(is_right, "{at_s} {p}: {ours} {exact}");
            }
            if at_s % 50 == 0 {
                // A value of the second before is there half a second on average.
                let weight = |t: u64| (-0.015 * ((at_s - t) as f64 + 0.5)).exp();
                let weighted: Vec<_> = values.iter().map(|(t, v)| (*v, weight(*t))).collect();
                let decayed = reading.decayed.unwrap();
                let near = [0.499, 0.5, 0.501].map(|p| quantile(&weighted, p));
                assert!(near.iter().any(|exact| is_near(decayed.q50, *exact)), "{at_s} {near:?}");
            }
        }
    }

    /// A gap that lands in one slot is a burst that never was; one spread over the window alone
    /// loses what was before it.
    #[test]
    fn what_was_counted_in_a_gap_is_spread_over_it() {
        let (mut windows, mut all) = (windows(60), Histogram::default());
        look(&mut windows, 10, &all);
        (0..6_000).for_each(|_| record(&mut all, 100));
        let reading = look(&mut windows, 610, &all);
        assert_eq!(reading.window.unwrap().count, 600);
        assert_eq!(reading.rate, 10.0);
        // The sum of a sender's parts is the whole, whatever the division.
        (0..7).for_each(|_| record(&mut all, 100));
        let shares: u64 = {
            let before = look(&mut windows, 640, &all).window.unwrap().count;
            before - 300
        };
        assert_eq!(shares, 7);
    }

    /// An old board's whole past must not be news; an idle one must not repeat its last alarm.
    #[test]
    fn what_was_before_is_no_event_and_what_is_over_goes() {
        let (mut windows, mut all) = (windows(60), Histogram::default());
        (0..1_000).for_each(|_| record(&mut all, 5_000));
        windows.look(Duration::from_secs(90));
        let first = windows.look_at(0, &all, GEOMETRY, Unit::NONE, false).unwrap();
        assert_eq!((first.window, first.decayed, first.rate), (None, None, 0.0));
        record(&mut all, 40);
        let one = look(&mut windows, 91, &all);
        assert_eq!(one.window.map(|window| window.count), Some(1));
        // Bucket (38.05, 45.25], and the largest ever is of another one.
        assert_eq!(one.window.map(|window| window.max), Some(45.0));
        let decayed = one.decayed.unwrap();
        assert!(is_near(decayed.q50, 40.0) && is_near(decayed.q999, 40.0), "{decayed:?}");
        assert_eq!(look(&mut windows, 145, &all).window.map(|window| window.count), Some(1));
        let later = look(&mut windows, 151, &all);
        assert!(later.window.is_none() && later.decayed.is_some());
        assert!(look(&mut windows, 560, &all).decayed.is_none());
        record(&mut all, 1 << 40);
        let above = look(&mut windows, 100_000, &all);
        assert!(above.window.is_none_or(|window| window.max == (1u64 << 40) as f64));
        assert_eq!(above.decayed.map(|decayed| decayed.q50), None, "spread over a day");
    }

    /// One sender of wide histograms must not take the memory of all.
    #[test]
    fn windows_take_no_more_than_they_may() {
        let budget = Arc::new(Budget::new(90_000));
        let mut windows: Windows<u16> =
            Windows::new(Duration::from_secs(60), Duration::ZERO, &budget, 50_000);
        let mut wide = Histogram { buckets: vec![0; 60], ..Histogram::default() };
        let mut readings = Vec::new();
        for second in 1..100 {
            wide.buckets.iter_mut().for_each(|count| *count += 5);
            windows.look(Duration::from_secs(second));
            readings = (0..10)
                .map(|key| windows.look_at(key, &wide, GEOMETRY, Unit::NONE, true).unwrap())
                .collect();
            assert!(windows.bytes <= 50_000);
            assert_eq!(budget.0.load(super::Ordering::Relaxed), 90_000 - windows.bytes);
        }
        let kept = readings.iter().filter(|reading| reading.window.is_some()).count();
        assert!((1..10).contains(&kept), "{kept}");
        drop(windows);
        assert_eq!(budget.0.load(super::Ordering::Relaxed), 90_000);
    }
}
