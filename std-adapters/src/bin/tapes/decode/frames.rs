//! What a frame says, as JSON.

use std::collections::HashMap;

use serde::Serialize;
use tapes_core::metric::Descriptor;
use tapes_core::wire::{
    Address, Body, DataBody, Deframer, FRAME_LEN_MAX, Feed, Flags, Frame, FrameType, Header,
    HistogramReading, Reading,
};

use super::spans::Span;

/// Metrics of which names are remembered, over all devices of a recording.
const NAMES_MAX: usize = 100_000;

/// One line: a frame, or bytes that are none.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    offset: u64,
    length: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'static str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    content: Option<Content>,
}

/// The header of a frame.
#[derive(Debug, Serialize)]
struct Head {
    frame: String,
    seq: u64,
    uptime: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    epoch: String,
    flags: Vec<&'static str>,
    dictionary_len: u32,
    dictionary_hash: String,
}

/// The body of a frame.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    Hello(Introduction),
    Entries(Vec<Entry>),
    Values(Vec<Measured>),
    Losses { registry_full: u32, frames_dropped: u32, epoch_collisions: u32 },
}

#[derive(Debug, Serialize)]
struct Introduction {
    origin: String,
    epoch: String,
    build_id: String,
    reset_reason: &'static str,
    boot_count: u32,
    tick_hz: u32,
    metrics: u32,
    max_frame: u32,
}

#[derive(Debug, Serialize)]
struct Entry {
    id: u32,
    #[serde(flatten)]
    description: Option<Description>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Description {
    name: String,
    kind: &'static str,
    unit: String,
    per: u32,
    bits: u8,
    help: String,
    labels: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
struct Measured {
    id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    value: Measurement,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Measurement {
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
    Null(()),
    Histogram {
        sum: u64,
        min: Option<u64>,
        max: Option<u64>,
        zero: u64,
        overflow: u64,
        buckets: Vec<(u32, u64)>,
    },
    Family(Vec<(u32, Measurement)>),
    Unknown {
        unknown_bytes: usize,
    },
}

/// Turns spans into lines, and remembers names from one to the next.
#[derive(Debug, Default)]
pub(super) struct Describer {
    /// By address and id.
    names: HashMap<(Vec<u8>, u32), String>,
}

impl Describer {
    /// Returns the line for a span.
    pub(super) fn describe(&mut self, span: &Span) -> Line {
        let Span { offset, len, .. } = *span;
        let error =
            |error| Line { offset, length: len, error: Some(error), head: None, content: None };
        if span.is_cut {
            return error("oversize");
        }
        if !span.is_ended {
            return error("unfinished");
        }
        let mut deframer = Box::new(Deframer::<FRAME_LEN_MAX>::new());
        let mut ended = span.bytes.clone();
        ended.push(0);
        let bytes = match deframer.feed(&ended) {
            Feed::Frame { frame, .. } => frame,
            Feed::Oversize { .. } => return error("oversize"),
            _ => return error("cobs"),
        };
        let frame = match Frame::parse(bytes) {
            Ok(frame) => frame,
            Err(reason) => return error(reason.reason()),
        };
        let mut line = error("malformed");
        line.head = Some(head(&frame.header));
        if let Ok(body) = frame.body() {
            (line.content, line.error) = self.content(&frame.header, &body);
        }
        line
    }

    fn content(
        &mut self,
        header: &Header<'_>,
        body: &Body<'_>,
    ) -> (Option<Content>, Option<&'static str>) {
        let content = match body {
            Body::Hello(hello) => Content::Hello(Introduction {
                origin: hex(hello.origin),
                epoch: format!("{:016x}", hello.epoch.to_u64()),
                build_id: format!("{:016x}", hello.build_id),
                reset_reason: hello.reset_reason.name(),
                boot_count: hello.boot_count,
                tick_hz: hello.tick_hz,
                metrics: hello.metrics,
                max_frame: hello.max_frame,
            }),
            Body::Dict(entries) => {
                let entries = entries.map(|(id, _, descriptor)| {
                    if let Some(descriptor) = &descriptor {
                        self.remember(header, id, descriptor.name);
                    }
                    let unreadable = descriptor.is_none().then_some(true);
                    Entry { id, description: descriptor.as_ref().map(description), unreadable }
                });
                Content::Entries(entries.collect())
            }
            Body::Data(values) => {
                let (values, error) = self.values(header, *values);
                return (Some(Content::Values(values)), error);
            }
            Body::Event(event) => Content::Losses {
                registry_full: event.registry_full,
                frames_dropped: event.frames_dropped,
                epoch_collisions: event.epoch_collisions,
            },
            _ => return (None, None),
        };
        (Some(content), None)
    }

    fn remember(&mut self, header: &Header<'_>, id: u32, name: &str) {
        if self.names.len() < NAMES_MAX {
            self.names.insert((sender(header), id), name.to_owned());
        }
    }

    fn values(
        &self,
        header: &Header<'_>,
        body: DataBody<'_>,
    ) -> (Vec<Measured>, Option<&'static str>) {
        let sender = sender(header);
        let mut values = Vec::new();
        for value in body {
            let Ok((id, reading)) = value else { return (values, Some("entry")) };
            let name = self.names.get(&(sender.clone(), id)).cloned();
            values.push(Measured { id, name, value: measurement(&reading) });
        }
        (values, None)
    }
}

/// Returns what tells the senders of a recording apart.
fn sender(header: &Header<'_>) -> Vec<u8> {
    match header.address {
        Address::Full { origin, epoch } => [origin, &epoch.to_u64().to_be_bytes()].concat(),
        Address::Short(nonce) => nonce.to_be_bytes().to_vec(),
        _ => Vec::new(),
    }
}

fn head(header: &Header<'_>) -> Head {
    let (origin, epoch) = match header.address {
        Address::Full { origin, epoch } => (Some(hex(origin)), format!("{:016x}", epoch.to_u64())),
        Address::Short(nonce) => (None, format!("{nonce:08x}")),
        _ => (None, String::new()),
    };
    let frame = match header.frame_type {
        FrameType::Hello => "hello".to_owned(),
        FrameType::Dict => "dict".to_owned(),
        FrameType::Data => "data".to_owned(),
        FrameType::Event => "event".to_owned(),
        other => format!("type-{}", other.code()),
    };
    let names = [(Flags::KEYFRAME, "keyframe"), (Flags::LAST, "last")];
    let flags = names.into_iter().filter(|(flag, _)| header.flags.contains(*flag));
    Head {
        frame,
        seq: header.seq,
        uptime: header.uptime,
        origin,
        epoch,
        flags: flags.map(|(_, name)| name).collect(),
        dictionary_len: header.dictionary.len,
        dictionary_hash: format!("{:08x}", header.dictionary.hash),
    }
}

fn description(descriptor: &Descriptor<'_>) -> Description {
    let labels = descriptor.labels.iter();
    Description {
        name: descriptor.name.to_owned(),
        kind: descriptor.kind.name(),
        unit: descriptor.unit.name().to_owned(),
        per: descriptor.unit.per(),
        bits: descriptor.bits,
        help: descriptor.help.to_owned(),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

fn measurement(reading: &Reading<'_>) -> Measurement {
    match reading {
        Reading::Unsigned(value) => Measurement::Unsigned(*value),
        Reading::Signed(value) => Measurement::Signed(*value),
        Reading::F32(value) => Measurement::F32(*value),
        Reading::F64(value) => Measurement::F64(*value),
        Reading::Histogram(histogram) => self::histogram(histogram),
        Reading::Family(cells) => {
            Measurement::Family(cells.map(|(cell, value)| (cell, measurement(&value))).collect())
        }
        Reading::Unknown(bytes) => Measurement::Unknown { unknown_bytes: bytes.len() },
        _ => Measurement::Null(()),
    }
}

fn histogram(histogram: &HistogramReading<'_>) -> Measurement {
    Measurement::Histogram {
        sum: histogram.sum,
        min: histogram.min,
        max: histogram.max,
        zero: histogram.zero,
        overflow: histogram.overflow,
        buckets: histogram.buckets().collect(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
