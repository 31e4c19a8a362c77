//! The document that the page and `tapes top` read: sections, series and values as JSON.
//!
//! ```text
//! {"version":2,"since":1,"time":81000,
//!  "sections":[{"kind":"device","name":"e6","up":true,"silence":0.2,…}],
//!  "series":[[0,"e6","motor.heat",{"axis":"x"},"gauge","celsius","What it is.",null]],
//!  "values":[[0,{"value":40},true]],
//!  "gone":[]}
//! ```
//!
//! A series is its number, section, name, labels, kind, unit, help and, for histograms and timers,
//! the geometry of its buckets: scale, first index, length. A value is the number of its series,
//! what `/stats` shows of it, of quantiles those of the window and of all time only, whether it is current and, for histograms and timers, the counts:
//! zero, overflow, then index and count of each bucket that is not empty. `time` is in milliseconds
//! of a clock that only moves forward. `since` says what the document is to be added to; if it is
//! null, the document is everything.

use std::fmt::{self, Write as _};

use serde_json::json;
use tapes_core::metric::{Descriptor, Value};
use tapes_core::text::json::TreeWriter;

use super::feed::Feed;
use crate::exposition::{Exposition, LiveValue, LiveWriter, Section, write_watched};
use crate::fleet::snapshot::DeviceSnapshot;

/// Returns everything as a document.
pub(in crate::http) fn document(
    exposition: &dyn Exposition,
    now: std::time::Duration,
) -> Result<String, fmt::Error> {
    let (_, text) = Feed::default().next(exposition, None, now)?;
    String::from_utf8(text.unwrap_or_default().into()).map_err(|_| fmt::Error)
}

/// One series: what describes it, and its value, both as the insides of JSON arrays.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) about: String,
    pub(super) value: String,
}

/// Everything that an exposition shows at one moment.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// JSON objects with commas between them.
    pub(super) sections: String,
    pub(super) entries: Vec<Entry>,
    /// Name of the section under way, as JSON.
    section: String,
    failed: bool,
}

impl Entries {
    /// Reads an exposition.
    pub(super) fn read(exposition: &dyn Exposition) -> Result<Self, fmt::Error> {
        let mut entries = Self::default();
        exposition.live(&mut entries)?;
        if entries.failed { Err(fmt::Error) } else { Ok(entries) }
    }
}

impl LiveWriter for Entries {
    fn section(&mut self, section: &Section<'_>) {
        let section = match section {
            Section::Process => json!({"kind": "process", "name": "process"}),
            Section::Merged => json!({"kind": "merged", "name": "merged"}),
            Section::Device(device) => device_object(device),
        };
        self.section = section["name"].to_string();
        let comma = if self.sections.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(self.sections, "{comma}{section}");
    }

    fn value(&mut self, value: &LiveValue<'_>) {
        let entry = about(&self.section, value).and_then(|about| {
            let value = numbers(value)?;
            Ok(Entry { about, value })
        });
        match entry {
            Ok(entry) => self.entries.push(entry),
            Err(fmt::Error) => self.failed = true,
        }
    }
}

fn device_object(device: &DeviceSnapshot) -> serde_json::Value {
    let DeviceSnapshot { name, is_up, counts, losses, .. } = device;
    let build = device.facts.map_or(0, |facts| facts.build_id);
    let quarantined: u64 = device.quarantined.values().sum();
    json!({
        "kind": "device",
        "name": name,
        "up": is_up,
        // `Duration::MAX` is one that was not heard by this process.
        "silence": (device.silence < std::time::Duration::MAX).then_some(device.silence.as_secs_f64()),
        "uptime": device.uptime.map(|uptime| uptime.as_secs_f64()),
        "boots": device.boots,
        "reset": device.facts.map(|facts| facts.reset_reason.name()),
        "build": format!("{build:016x}"),
        "frames": counts.frames,
        "lost": counts.lost,
        "duplicates": counts.duplicates,
        "suspect": counts.suspect,
        "dropped": losses.frames_dropped,
        "quarantined": quarantined,
        "withheld": device.withheld,
    })
}

/// Returns what describes a series.
fn about(section: &str, value: &LiveValue<'_>) -> Result<String, fmt::Error> {
    let Descriptor { name, kind, unit, help, .. } = *value.descriptor;
    let labels: serde_json::Map<_, _> =
        value.labels().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let geometry = match value.value {
        // What was added up may be coarser than what was declared.
        Value::Distribution(distribution) => Some(distribution.geometry()),
        _ => kind.buckets(),
    };
    let geometry = geometry.map(|buckets| json!([buckets.scale, buckets.first, buckets.len]));
    let about = json!([name, labels, kind.name(), unit.name(), help, geometry]).to_string();
    let inside = about.strip_prefix('[').and_then(|about| about.strip_suffix(']'));
    Ok(format!("{section},{}", inside.ok_or(fmt::Error)?))
}

/// Returns what `/stats` shows of a value, whether it is current, and its buckets.
fn numbers(value: &LiveValue<'_>) -> Result<String, fmt::Error> {
    let Descriptor { kind, unit, .. } = *value.descriptor;
    let mut text = String::new();
    let mut tree = TreeWriter::new(&mut text)?;
    let descriptor = Descriptor::new("v", kind, unit);
    write_watched(&mut tree, &descriptor, value.value, value.rates, value.recent)?;
    tree.finish()?;
    let inside = text.strip_prefix("{\"v\":").and_then(|text| text.strip_suffix('}'));
    let mut text = format!("{},{}", inside.ok_or(fmt::Error)?, value.is_fresh);
    if let Value::Distribution(distribution) = value.value {
        write!(text, ",[{},{}", distribution.zero(), distribution.overflow())?;
        for i in 0..distribution.geometry().len {
            let count = distribution.bucket(i);
            if count > 0 {
                write!(text, ",{i},{count}")?;
            }
        }
        text.push(']');
    }
    Ok(text)
}
