//! What a metric's lines say: numbers, suffixes and types, by dialect.

use core::fmt::{self, Write};

use super::{Dialect, Encoder};
use crate::metric::{Descriptor, Kind, Value};
use crate::rates::RateReading;
use crate::statistics::{Statistics, Summary};
use crate::text::number::{
    Form, write_f32_scaled, write_f64, write_f64_shifted, write_scaled, write_scaled_i64,
};

/// Numbers from here on have no line: no measurement is as large, but a broken sensor's may be.
const MAGNITUDE_END: f64 = 1e40;

/// Numbers below are sent as 0: their zeros would fill the line.
const MAGNITUDE_MIN: f64 = 1e-40;

/// The lines of one metric.
pub(super) struct Lines<'e, 'a, 'd> {
    pub(super) encoder: &'e mut Encoder<'a>,
    pub(super) descriptor: &'e Descriptor<'d>,
    pub(super) cell: u32,
    pub(super) sink: &'e mut dyn FnMut(&str),
}

impl Lines<'_, '_, '_> {
    pub(super) fn wants(&self, statistic: Statistics) -> bool {
        self.encoder.statistics.contains(statistic)
    }

    fn is_tapes(&self) -> bool {
        self.encoder.dialect == Dialect::Tapes
    }

    /// Makes the line of something that is counted.
    pub(super) fn count(
        &mut self,
        suffix: &str,
        tapes: &str,
        count: u64,
        growth: Option<u64>,
        per: u32,
    ) {
        let (suffix, number, type_) = match growth {
            _ if self.is_tapes() && tapes == "total" => (tapes, count, "g"),
            _ if self.is_tapes() => (tapes, growth.unwrap_or(count), "c"),
            _ if self.encoder.totals => ("total", count, "g"),
            Some(growth) => (suffix, growth, "c"),
            None => return,
        };
        self.line(suffix, type_, &|out| write_scaled(out, number, per));
    }

    pub(super) fn rates(&mut self, rates: Option<RateReading>, per: u32) {
        let Some(rates) = rates else { return };
        let all = [
            (Statistics::M1, "m1_rate", rates.m1),
            (Statistics::M5, "m5_rate", rates.m5),
            (Statistics::M15, "m15_rate", rates.m15),
            (Statistics::MEAN_RATE, "mean_rate", rates.mean),
        ];
        // tapes has no mean rate.
        let all = all.into_iter().take(if self.is_tapes() { 3 } else { 4 });
        for (statistic, suffix, rate) in all {
            if self.wants(statistic) && rate >= 0.0 && rate.is_finite() {
                self.statistic(suffix, &|out| write_f32_scaled(out, rate, per, Form::Plain));
            }
        }
    }

    pub(super) fn summary(&mut self, summary: &Summary) {
        let is_timer = matches!(self.descriptor.kind, Kind::Timer(_));
        let in_millis = self.is_tapes() && is_timer;
        if summary.count == 0 && !self.is_tapes() {
            return;
        }
        let per = self.descriptor.unit.per();
        for (statistic, suffix, exact, estimate) in [
            (Statistics::MIN, "min", summary.raw.min, summary.min),
            (Statistics::MAX, "max", summary.raw.max, summary.max),
            (Statistics::MEAN, "mean", None, summary.mean),
            (Statistics::STDDEV, "stddev", None, summary.stddev),
            (Statistics::Q50, "q50", None, summary.q50),
            (Statistics::Q75, "q75", None, summary.q75),
            (Statistics::Q95, "q95", None, summary.q95),
            (Statistics::Q98, "q98", None, summary.q98),
            (Statistics::Q99, "q99", None, summary.q99),
            (Statistics::Q999, "q999", None, summary.q999),
        ] {
            if !self.wants(statistic) {
                continue;
            }
            match exact {
                Some(raw) if !in_millis => {
                    self.statistic(suffix, &|out| write_scaled(out, raw, per));
                }
                Some(raw) if per.is_multiple_of(1_000) => {
                    self.statistic(suffix, &|out| write_scaled(out, raw, per / 1_000));
                }
                _ => {
                    let places = if in_millis { 3 } else { 0 };
                    if let Some(value) = sensible(estimate) {
                        self.statistic(suffix, &|out| {
                            write_f64_shifted(out, value, places, Form::Plain)
                        });
                    }
                }
            }
        }
    }

    fn statistic(&mut self, suffix: &str, number: &dyn Fn(&mut dyn Write) -> fmt::Result) {
        let type_ = if self.is_tapes() { "ms" } else { "g" };
        self.line(suffix, type_, number);
    }

    pub(super) fn gauge(&mut self, value: &Value<'_>, per: u32) {
        let approximate = match value {
            Value::Unsigned(value) => Some(*value as f64),
            Value::Signed(value) => Some(*value as f64),
            Value::F32(value) => Some(f64::from(*value) / f64::from(per)),
            Value::F64(value) => Some(*value / f64::from(per)),
            Value::Null | Value::Distribution(_) => None,
        };
        let Some(sensible) = approximate.and_then(sensible) else { return };
        let suffix = if self.is_tapes() { "value" } else { "" };
        self.encoder.line.clear();
        if sensible < 0.0 && self.encoder.dialect != Dialect::DogStatsd {
            // A sign means "change by": set it to 0 in the same datagram. Should this line not
            // fit, then the next does not either.
            let _ = self.encoder.name(suffix, self.descriptor, self.cell);
            let _ = self.encoder.line.write_str("0|g\n");
        }
        self.append(suffix, "g", &|out| match value {
            Value::Unsigned(value) => write_scaled(out, *value, per),
            Value::Signed(value) => write_scaled_i64(out, *value, per),
            Value::F32(value) if sensible != 0.0 => write_f32_scaled(out, *value, per, Form::Plain),
            _ => write_f64(out, sensible, Form::Plain),
        });
    }

    /// Makes a line and hands it over.
    pub(super) fn line(
        &mut self,
        suffix: &str,
        type_: &str,
        number: &dyn Fn(&mut dyn Write) -> fmt::Result,
    ) {
        self.encoder.line.clear();
        self.append(suffix, type_, number);
    }

    /// Appends a line to what is in the buffer and hands both over.
    fn append(
        &mut self,
        suffix: &str,
        type_: &str,
        number: &dyn Fn(&mut dyn Write) -> fmt::Result,
    ) {
        let written = self
            .encoder
            .name(suffix, self.descriptor, self.cell)
            .and_then(|()| number(&mut self.encoder.line))
            .and_then(|()| self.encoder.line.write_str("|"))
            .and_then(|()| self.encoder.line.write_str(type_))
            .and_then(|()| self.encoder.all_tags(self.descriptor, self.cell));
        match (written, self.encoder.line.as_str()) {
            (Ok(()), Some(line)) => (self.sink)(line),
            _ => self.encoder.dropped = self.encoder.dropped.saturating_add(1),
        }
    }
}

/// Returns what is sent of a number, if anything.
pub(super) fn sensible(value: f64) -> Option<f64> {
    // Comparisons with NaN are false.
    if value < MAGNITUDE_END && value > -MAGNITUDE_END {
        let is_tiny = value < MAGNITUDE_MIN && value > -MAGNITUDE_MIN;
        Some(if is_tiny { 0.0 } else { value })
    } else {
        None
    }
}
