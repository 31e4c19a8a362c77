//! `defmt::Format` of what does something rather than being a value: what it is, and how far it is.
//!
//! So that a firmware may derive `Format` for a struct that holds any of them.

use defmt::{Display2Format, Format, Formatter};

use super::scheduler::{Reporter, Scheduler};
use super::text::TextReporter;
use crate::clock::{Clock, ManualClock};
use crate::instrument::Attempt;
use crate::metric::{Claim, Family, Layout, Run, Thresholds, TimerGuard, Words};
use crate::rates::Rates;
use crate::registry::{Cached, MetricName, Ratio};
use crate::snapshot::{Filter, Source};
use crate::text::json::TreeWriter;
use crate::text::{prometheus, statsd};

/// The name alone, of what has nothing that could be asked for.
macro_rules! by_name {
    ($([$($generics:tt)*] $type:ty, $name:literal;)*) => {$(
        impl<$($generics)*> Format for $type {
            fn format(&self, f: Formatter<'_>) {
                defmt::write!(f, $name);
            }
        }
    )*};
}

by_name! {
    [] Claim, "Claim";
    [] MetricName<'_>, "MetricName";
    [] Ratio, "Ratio";
    [C] Cached<C>, "Cached";
    [] TreeWriter<'_, '_>, "TreeWriter";
    [] prometheus::Encoder<'_>, "Encoder";
    [] statsd::Encoder<'_>, "Encoder";
    [const SLOTS: usize] Thresholds<SLOTS>, "Thresholds";
    [M, L] Family<'_, M, L>, "Family";
    [C: Clock, const HZ: u32] Attempt<'_, C, HZ>, "Attempt";
    [S, const BUCKETS: usize, const CHUNK: usize] TextReporter<S, BUCKETS, CHUNK>, "TextReporter";
}

#[cfg(feature = "std")]
by_name! {
    [] prometheus::PageTemplate, "PageTemplate";
    [] prometheus::PageTemplates, "PageTemplates";
}

/// The ticks.
impl<const HZ: u32> Format for ManualClock<HZ> {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "{=u32}", self.ticks());
    }
}

/// The ticks so far.
impl<C: Clock, const HZ: u32> Format for TimerGuard<'_, C, HZ> {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "{=u32}", self.elapsed());
    }
}

impl Format for Run<'_> {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "Run({=usize} words)", self.len());
    }
}

impl<const N: usize> Format for Words<N> {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "Words({=usize})", N);
    }
}

/// Its buckets and its unit.
impl Format for Layout {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "Layout({}, {})", self.buckets(), self.unit());
    }
}

impl<S: Source, F: Fn(&crate::metric::Descriptor<'_>) -> bool> Format for Filter<'_, S, F> {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "Filter(of {=u32} metrics)", Source::metrics(self));
    }
}

impl<const N: usize> Format for Rates<N> {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "Rates({=usize})", N);
    }
}

/// What it did so far.
impl<C, R: Reporter, H> Format for Scheduler<C, R, H> {
    fn format(&self, f: Formatter<'_>) {
        self.schedule.stats().format(f);
    }
}

#[cfg(feature = "embedded-io")]
impl<W: embedded_io::Write, const CHUNK: usize> Format for super::TextWriter<'_, W, CHUNK> {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "TextWriter");
    }
}

/// What it did so far.
#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
impl<const METRICS: usize, const WORDS: usize, const FRAME: usize> Format
    for super::SerialReporter<METRICS, WORDS, FRAME>
{
    fn format(&self, f: Formatter<'_>) {
        self.stats().format(f);
    }
}

/// The name as it is written.
impl Format for prometheus::EscapedName<'_> {
    fn format(&self, f: Formatter<'_>) {
        Display2Format(self).format(f);
    }
}

/// The name as it is written.
impl Format for prometheus::LabelName<'_> {
    fn format(&self, f: Formatter<'_>) {
        Display2Format(self).format(f);
    }
}

/// Of the things that read and make frames.
#[cfg(feature = "wire")]
mod wire {
    use defmt::{Format, Formatter};

    use crate::report::Kept;
    use crate::wire::{
        BucketReadings, DataBody, DataWriter, Deframer, DictBody, DictWriter, DictionaryHash,
        Encoder, FamilyReading, Feed, Frame, HistogramReading,
    };

    by_name! {
        [] BucketReadings<'_>, "BucketReadings";
        [] FamilyReading<'_>, "FamilyReading";
        [] DataBody<'_>, "DataBody";
        [] DictBody<'_>, "DictBody";
        [] DataWriter<'_>, "DataWriter";
        [] DictWriter<'_>, "DictWriter";
        [const N: usize] Deframer<N>, "Deframer";
        [const METRICS: usize] Kept<METRICS>, "Kept";
    }

    /// The number of its next frame, and what was lost.
    impl<const METRICS: usize, const WORDS: usize> Format for Encoder<METRICS, WORDS> {
        fn format(&self, f: Formatter<'_>) {
            defmt::write!(f, "Encoder(next_seq={=u64}, {})", self.next_seq(), self.event());
        }
    }

    impl Format for Feed<'_, '_> {
        fn format(&self, f: Formatter<'_>) {
            match self {
                Self::Consumed => defmt::write!(f, "Consumed"),
                Self::Frame { frame, .. } => defmt::write!(f, "Frame({=[u8]:02x})", frame),
                Self::Oversize { .. } => defmt::write!(f, "Oversize"),
                Self::Cobs { .. } => defmt::write!(f, "Cobs"),
            }
        }
    }

    impl Format for Frame<'_> {
        fn format(&self, f: Formatter<'_>) {
            self.header.format(f);
        }
    }

    impl Format for DictionaryHash {
        fn format(&self, f: Formatter<'_>) {
            defmt::write!(f, "{=u32}:{=u32:08x}", self.len(), self.value());
        }
    }

    impl Format for HistogramReading<'_> {
        fn format(&self, f: Formatter<'_>) {
            let (sum, min, max) = (self.sum, self.min, self.max);
            defmt::write!(f, "sum={=u64} min={} max={}", sum, min, max);
        }
    }
}
