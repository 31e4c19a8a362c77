//! `defmt::Format` of what is not plain data: of handles, the value that they have now.

use defmt::{Format, Formatter};

use super::defmt_reporter::Measured;
use crate::metric::{
    Counter, Description, Dimensions, Distribution, Gauge, GaugeValue, Group, Histogram, Labels,
    Meter, Timer, Unit, UpDown, Value,
};
use crate::registry::{Registry, RegistryView};

impl Format for Counter<'_> {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "{=u64}", self.value());
    }
}

impl Format for Meter<'_> {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "{=u64}", self.count());
    }
}

impl Format for UpDown<'_> {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "{=i64}", self.value());
    }
}

impl<T: GaugeValue> Format for Gauge<'_, T> {
    fn format(&self, f: Formatter<'_>) {
        self.value().map_or(Value::Null, T::sample).format(f);
    }
}

impl Format for Description<'_> {
    fn format(&self, f: Formatter<'_>) {
        self.descriptor().format(f);
    }
}

/// Count, sum, extremes and quantiles, in raw steps of the unit.
impl Format for Histogram<'_> {
    fn format(&self, f: Formatter<'_>) {
        let value = Value::Distribution(self.distribution());
        Measured { value: &value, unit: self.layout().unit() }.format(f);
    }
}

impl<const HZ: u32> Format for Timer<'_, HZ> {
    fn format(&self, f: Formatter<'_>) {
        let value = Value::Distribution(self.distribution());
        Measured { value: &value, unit: Unit::ticks(HZ) }.format(f);
    }
}

/// Count, sum and extremes; what is in between depends on the unit.
impl Format for Distribution<'_> {
    fn format(&self, f: Formatter<'_>) {
        let (sum, min, max) = (self.sum(), self.min(), self.max());
        defmt::write!(f, "count={=u64} sum={=u64} min={} max={}", self.count(), sum, min, max);
    }
}

/// The number alone; `null` if there is none.
impl Format for Value<'_> {
    fn format(&self, f: Formatter<'_>) {
        match self {
            Self::Distribution(distribution) => distribution.format(f),
            value => Measured { value, unit: Unit::NONE }.format(f),
        }
    }
}

impl Format for Labels<'_> {
    fn format(&self, f: Formatter<'_>) {
        let mut before = '{';
        for (label, value) in self.iter() {
            defmt::write!(f, "{=char}{=str}={=str}", before, label, value);
            before = ',';
        }
        defmt::write!(f, "{=str}", if before == '{' { "{}" } else { "}" });
    }
}

/// Names of the labels, and how many values each has.
impl Format for Dimensions<'_> {
    fn format(&self, f: Formatter<'_>) {
        let mut before = '{';
        for (label, values) in (0..self.len()).map_while(|i| self.dimension(i)) {
            defmt::write!(f, "{=char}{=str}[{=u32}]", before, label, values);
            before = ',';
        }
        defmt::write!(f, "{=str}", if before == '{' { "{}" } else { "}" });
    }
}

impl Format for Group<'_> {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "Group({=u32} metrics)", self.metrics());
    }
}

impl Format for RegistryView<'_> {
    fn format(&self, f: Formatter<'_>) {
        defmt::write!(f, "Registry({=u32} metrics)", self.metrics());
    }
}

impl<const METRICS: usize, const WORDS: usize, const RENDERED: usize> Format
    for Registry<METRICS, WORDS, RENDERED>
{
    fn format(&self, f: Formatter<'_>) {
        self.view().format(f);
    }
}

/// Hexadecimal digits.
#[cfg(feature = "wire")]
impl Format for crate::wire::Origin {
    fn format(&self, f: Formatter<'_>) {
        for byte in self.as_bytes() {
            defmt::write!(f, "{=u8:02x}", byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::metric::{
        BaseUnit, Buckets, Counts, Descriptor, Dimension, Dimensions, Distribution, Kind, Labels,
        Sample, Unit, Value,
    };
    use crate::rates::{Ewma, RateReading, Ticks};
    use crate::report::{Action, Json, Prometheus, Schedule, ScheduleStats, StartError, Statsd};
    use crate::statistics::Summary;
    use crate::text::{number, prometheus, statsd};
    use crate::{
        Counter, Details, Gauge, Group, Histogram, Meter, RegisterError, Registry, RegistryView,
        Timer, UpDown,
    };

    fn has_format<T: defmt::Format>() {}

    /// What a firmware cannot log as it is, it has to take apart first.
    #[test]
    fn values_errors_and_handles_have_a_format() {
        has_format::<(Counter<'_>, Meter<'_>, UpDown<'_>, Histogram<'_>, Timer<'_>)>();
        has_format::<(Gauge<'_, f32>, Gauge<'_, i32>, Gauge<'_, u32>)>();
        has_format::<(Group<'_>, Registry<1, 1>, RegistryView<'_>, Details)>();
        has_format::<(Sample<'_>, Value<'_>, Distribution<'_>, Counts<'_>, Summary)>();
        has_format::<(Descriptor<'_>, Kind, Buckets, Unit<'_>, BaseUnit<'_>)>();
        has_format::<(Labels<'_>, Dimension<'_>, Dimensions<'_>, RateReading, Ewma, Ticks)>();
        has_format::<(RegisterError, crate::name::NameError, StartError)>();
        has_format::<(Action, Schedule, ScheduleStats, Json, Prometheus, Statsd)>();
        has_format::<(number::Form, prometheus::Format, prometheus::Family<'_>, statsd::Dialect)>();
        has_format::<(crate::report::DefmtReporter, crate::metric::Exclusive<Counter<'_>>)>();
    }

    /// As above.
    #[cfg(feature = "wire")]
    #[test]
    fn what_goes_over_a_wire_has_a_format() {
        use crate::wire::{
            Address, Dictionary, Epoch, Event, Flags, FrameError, FrameType, Header, Hello,
            Identity, Malformed, Origin, OriginLenError, ResetReason,
        };
        has_format::<(Origin, OriginLenError, Epoch, Identity, ResetReason, Hello<'_>)>();
        has_format::<(Header<'_>, Address<'_>, Dictionary, Flags, FrameType, FrameError)>();
        has_format::<(Event, Malformed, crate::report::Start)>();
    }

    /// As above.
    #[cfg(feature = "embedded-io")]
    #[test]
    fn what_reporters_say_has_a_format() {
        use crate::report::{Report, ReportError, ReporterStats};
        has_format::<(Report, ReporterStats, ReportError<RegisterError>)>();
    }
}
