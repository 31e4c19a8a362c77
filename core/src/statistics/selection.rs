//! Which statistics are written.

/// A set of statistics, for reporters of text that need not send all of them.
///
/// Each reporter has a set of its own; what is not in it is not computed away, only not written.
/// Values of counters and gauges are no statistics and are always written.
///
/// ```
/// use tapes_core::report::{Json, TextReporter};
/// use tapes_core::statistics::Statistics;
///
/// tapes_core::metrics! {
///     static RADIO: RadioMetrics = "radio" { delay: Timer [max = 1 s] }
/// }
/// const FEW: Statistics = Statistics::COUNT.with(Statistics::MAX).with(Statistics::Q99);
///
/// RADIO.delay.record(250_000);
/// let mut reporter = TextReporter::<_, 100, 80>::new(Json::new().with_statistics(FEW));
/// reporter.begin();
/// let line = reporter.next_chunk(&RADIO, &|_, _| None).unwrap();
/// assert_eq!(line, b"{\"radio\":{\"delay\":{\"count\":1,\"max\":0.25,\"q99\":0.25}}}\n");
///
/// let most = Statistics::ALL.without(Statistics::STDDEV);
/// assert!(most.contains(FEW) && !most.contains(Statistics::STDDEV));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Statistics(u16);

impl Statistics {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Number of events of a meter, of values of a histogram or timer.
    pub const COUNT: Self = Self(1);
    /// Rate over 1 minute.
    pub const M1: Self = Self(1 << 1);
    /// Rate over 5 minutes.
    pub const M5: Self = Self(1 << 2);
    /// Rate over 15 minutes.
    pub const M15: Self = Self(1 << 3);
    /// Rate since the reader began to watch.
    pub const MEAN_RATE: Self = Self(1 << 4);
    /// Sum of all values.
    pub const SUM: Self = Self(1 << 5);
    /// Smallest value.
    pub const MIN: Self = Self(1 << 6);
    /// Largest value.
    pub const MAX: Self = Self(1 << 7);
    /// Sum divided by count.
    pub const MEAN: Self = Self(1 << 8);
    /// Standard deviation.
    pub const STDDEV: Self = Self(1 << 9);
    /// Median.
    pub const Q50: Self = Self(1 << 10);
    /// 75 % quantile.
    pub const Q75: Self = Self(1 << 11);
    /// 95 % quantile.
    pub const Q95: Self = Self(1 << 12);
    /// 98 % quantile.
    pub const Q98: Self = Self(1 << 13);
    /// 99 % quantile.
    pub const Q99: Self = Self(1 << 14);
    /// 99.9 % quantile.
    pub const Q999: Self = Self(1 << 15);
    /// Everything.
    pub const ALL: Self = Self(u16::MAX);
    /// What the Python library tapes has: all but `sum` and `mean_rate`.
    pub const TAPES: Self = Self::ALL.without(Self::SUM).without(Self::MEAN_RATE);
    /// All rates.
    pub const RATES: Self = Self::M1.with(Self::M5).with(Self::M15).with(Self::MEAN_RATE);
    /// All quantiles.
    pub const QUANTILES: Self =
        Self::Q50.with(Self::Q75).with(Self::Q95).with(Self::Q98).with(Self::Q99).with(Self::Q999);

    /// Returns this set and the other.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns this set without what is in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether all of the other set is in this one.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Everything.
impl Default for Statistics {
    fn default() -> Self {
        Self::ALL
    }
}
