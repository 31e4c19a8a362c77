//! The summary: one line for each metric of each device.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tapes_core::metric::Value;
use tapes_core::statistics::Summary;
use tapes_core::text::number::{Form, write_f32_scaled, write_f64, write_scaled, write_scaled_i64};
use tapes_std::fleet::Snapshot;
use tapes_std::fleet::snapshot::{DeviceSnapshot, Series};

use crate::terminal::shown;

const HEAD: [&str; 7] = ["device", "metric", "kind", "value", "p50", "p99", "max"];

/// Columns from which on numbers stand, which are aligned to the right.
const NUMBERS_FROM: usize = 3;

/// A row of the table: device, metric, kind, value, p50, p99, max.
pub(crate) type Row = [String; 7];

/// Returns rows as lines, in columns.
pub(crate) fn rows_text(rows: &[Row]) -> String {
    let mut text = String::new();
    write_rows(rows, &mut text);
    text
}

/// Returns the summary of a fleet as lines of text.
pub(crate) fn summary(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    let mut rows: Vec<Row> = vec![HEAD.map(str::to_owned)];
    for device in &snapshot.devices {
        rows.extend(device.series.iter().map(|series| row(device, series)));
    }
    if rows.len() > 1 {
        write_rows(&rows, &mut text);
    }
    for device in &snapshot.devices {
        write_device(device, &mut text);
    }
    write_links(snapshot, &mut text);
    text
}

fn row(device: &DeviceSnapshot, series: &Series) -> Row {
    let mut name = series.key.name.to_string();
    let labels: Vec<_> =
        series.key.labels.iter().map(|(label, value)| format!("{label}={value:?}")).collect();
    if !labels.is_empty() {
        // Writing to a string does not fail.
        let _ = write!(name, "{{{}}}", labels.join(","));
    }
    let [value, p50, p99, max] = series.read(|descriptor, value| {
        let unit = descriptor.unit;
        match value {
            Value::Distribution(distribution) => {
                let summary = Summary::of(distribution, unit);
                let quantity = |value| quantity(value, unit.name());
                let of = [summary.q50, summary.q99, summary.max].map(quantity);
                let [p50, p99, max] = if summary.count == 0 { Default::default() } else { of };
                [summary.count.to_string(), p50, p99, max]
            }
            value => [
                single(value, unit.per(), unit.name()),
                String::new(),
                String::new(),
                String::new(),
            ],
        }
    });
    let kind = series.total.kind().name().to_owned();
    [shown(&device.name), shown(&name), kind, value, p50, p99, max]
}

/// Returns a single number with its unit, exactly as it was counted or measured.
fn single(value: &Value<'_>, per: u32, unit: &str) -> String {
    let mut text = String::new();
    let written = match value {
        Value::Unsigned(value) => write_scaled(&mut text, *value, per),
        Value::Signed(value) => write_scaled_i64(&mut text, *value, per),
        Value::F32(value) => write_f32_scaled(&mut text, *value, per, Form::Short),
        Value::F64(value) => write_f64(&mut text, *value / f64::from(per), Form::Short),
        _ => return "unset".to_owned(),
    };
    // Writing to a string does not fail.
    let _ = written.and_then(|()| if unit.is_empty() { Ok(()) } else { write!(text, " {unit}") });
    text
}

/// Returns a statistic with its unit, seconds with a prefix, to three digits.
pub(crate) fn quantity(value: f64, unit: &str) -> String {
    if unit != "seconds" {
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        return format!("{}{unit}", three_digits(value));
    }
    let (scale, prefix) = match value.abs() {
        v if v >= 1.0 || v == 0.0 => (1.0, "s"),
        v if v >= 1e-3 => (1e3, "ms"),
        v if v >= 1e-6 => (1e6, "µs"),
        _ => (1e9, "ns"),
    };
    format!("{} {prefix}", three_digits(value * scale))
}

fn three_digits(value: f64) -> String {
    let text = match value.abs() {
        v if v >= 100.0 || v == 0.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => return format!("{value:.3}").trim_end_matches('0').to_owned(),
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn write_rows(rows: &[Row], text: &mut String) {
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|i| rows.iter().map(|row| cell(row, i).chars().count()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let mut line = String::new();
        for (i, width) in widths.iter().enumerate() {
            let space = width.saturating_sub(cell(row, i).chars().count());
            let padding = " ".repeat(space);
            let gap = if i == 0 { "" } else { "  " };
            let cell = cell(row, i);
            if i >= NUMBERS_FROM {
                line.extend([gap, &padding, cell]);
            } else {
                line.extend([gap, cell, &padding]);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn cell(row: &Row, i: usize) -> &str {
    row.get(i).map_or("", String::as_str)
}

fn write_device(device: &DeviceSnapshot, text: &mut String) {
    let counts = &device.counts;
    let quarantined: u64 = device.quarantined.values().sum();
    let mut parts = vec![
        plural(counts.frames, "frame"),
        format!("{} lost", counts.lost),
        plural(device.boots, "boot"),
    ];
    for (count, what) in [
        (counts.duplicates, "repeated"),
        (counts.suspect, "suspect"),
        (quarantined, "metrics in quarantine"),
        (device.withheld, "series withheld"),
        (u64::from(device.losses.frames_dropped), "frames dropped by the device"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}: {}", shown(&device.name), parts.join(", "));
}

fn write_links(snapshot: &Snapshot, text: &mut String) {
    if snapshot.devices.is_empty() {
        text.push_str("no device was heard\n");
    }
    for (link, counts) in &snapshot.links {
        let reasons: BTreeMap<_, _> = counts.rejected.iter().filter(|(_, n)| **n > 0).collect();
        if !reasons.is_empty() {
            let reasons: Vec<_> =
                reasons.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
            let _ = writeln!(text, "{}: rejected {}", shown(link), reasons.join(", "));
        }
    }
}

fn plural(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::{quantity, three_digits};

    /// A wrong prefix is a factor of a thousand.
    #[test]
    fn quantities_have_three_digits_and_a_prefix() {
        for (value, unit, expected) in [
            (0.000_024_6, "seconds", "24.6 µs"),
            (0.001, "seconds", "1 ms"),
            (0.999_9, "seconds", "1000 ms"),
            (1.0, "seconds", "1 s"),
            (123.4, "seconds", "123 s"),
            (0.0, "seconds", "0 s"),
            (2e-9, "seconds", "2 ns"),
            (36.56, "celsius", "36.6 celsius"),
            (5.0, "", "5"),
        ] {
            assert_eq!(quantity(value, unit), expected);
        }
        assert_eq!(three_digits(0.25), "0.25");
    }
}
