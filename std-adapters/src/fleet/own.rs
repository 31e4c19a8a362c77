//! The receiver's own metrics: who is up, what was lost, what was refused.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use tapes_core::metric::{Descriptor, Kind, Labels, Unit, Value};

use super::outputs::OutputCounts;
use super::snapshot::{DeviceSnapshot, Snapshot};
use super::store::StoreStats;
use crate::exposition::FamilyWriter;

/// One of the receiver's own families.
#[derive(Debug, Clone, Copy)]
pub struct OwnFamily {
    /// Name without unit and `_total`.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// Unit.
    pub unit: Unit<'static>,
    /// One sentence.
    pub help: &'static str,
    /// Where its samples come from.
    samples: Samples,
}

type DeviceValue = fn(&DeviceSnapshot) -> Value<'static>;
type LabelledCounts = fn(&DeviceSnapshot) -> Vec<(&'static str, u64)>;

/// Where the samples of a family come from.
#[derive(Debug, Clone, Copy)]
enum Samples {
    /// One for each device.
    Device(DeviceValue),
    /// One for each device, of the wall clock.
    LastSeen,
    /// One for each device, always 1, with labels.
    Info,
    /// Those for each device that are not zero, by a label.
    DeviceBy(&'static str, LabelledCounts),
    /// One for each name of links.
    Link(fn(&super::LinkCounts) -> u64),
    /// One for each name of links and reason.
    Rejected,
    /// A single one.
    Fleet(fn(&Snapshot) -> u64),
    /// One for each output.
    Output(fn(&OutputCounts) -> u64),
    /// One for each reason, if sums are forwarded.
    LeftOut,
    /// A single one, if the state is kept on disk.
    Store(fn(&StoreStats) -> u64),
}

impl Samples {
    const fn is_of_devices(&self) -> bool {
        matches!(self, Self::Device(_) | Self::LastSeen | Self::Info | Self::DeviceBy(..))
    }
}

impl OwnFamily {
    /// Returns the descriptor.
    #[must_use]
    pub const fn descriptor(&self) -> Descriptor<'static> {
        let descriptor = Descriptor::new(self.name, self.kind, self.unit);
        Descriptor { help: self.help, ..descriptor }
    }

    const fn gauge(name: &'static str, help: &'static str, samples: Samples) -> Self {
        Self { name, kind: Kind::GaugeUint, unit: Unit::NONE, help, samples }
    }

    const fn counter(name: &'static str, help: &'static str, samples: Samples) -> Self {
        Self { name, kind: Kind::Counter, unit: Unit::NONE, help, samples }
    }

    const fn with_unit(self, unit: Unit<'static>) -> Self {
        Self { unit, ..self }
    }
}

/// All of the receiver's own families; no device can use their names.
pub static FAMILIES: [OwnFamily; 33] = [
    OwnFamily::gauge(
        "tapes_device_up",
        "Whether the device was heard within three of its report intervals.",
        Samples::Device(|device| Value::Unsigned(u64::from(device.is_up))),
    ),
    OwnFamily::gauge(
        "tapes_device_last_seen_timestamp",
        "When the device was last heard, by the receiver's clock.",
        Samples::LastSeen,
    )
    .with_unit(Unit::MILLIS),
    OwnFamily::gauge(
        "tapes_device_info",
        "What the device says about itself; always 1.",
        Samples::Info,
    ),
    OwnFamily::counter(
        "tapes_device_boots",
        "Times the device's values began at zero.",
        Samples::Device(|device| Value::Unsigned(device.boots)),
    ),
    OwnFamily::gauge(
        "tapes_device_starts",
        "Starts that the device counted, those included after which it still had its values.",
        Samples::Device(|device| match device.facts {
            Some(facts) if facts.boot_count > 0 => Value::Unsigned(facts.boot_count.into()),
            _ => Value::Null,
        }),
    ),
    OwnFamily::counter(
        "tapes_device_frames",
        "Frames of the device that were used.",
        Samples::Device(|device| Value::Unsigned(device.counts.frames)),
    ),
    OwnFamily::counter(
        "tapes_device_frames_lost",
        "Frames of the device that were missing when a newer one came.",
        Samples::Device(|device| Value::Unsigned(device.counts.lost)),
    ),
    OwnFamily::counter(
        "tapes_device_frames_late",
        "Frames of the device that came after a newer one; they were counted as lost before.",
        Samples::Device(|device| Value::Unsigned(device.counts.late)),
    ),
    OwnFamily::counter(
        "tapes_device_frames_repeated",
        "Frames of the device that had been heard before.",
        Samples::Device(|device| Value::Unsigned(device.counts.duplicates)),
    ),
    OwnFamily::counter(
        "tapes_device_problems",
        "What was wrong with what the device sent; only problems that occurred are shown.",
        Samples::DeviceBy("problem", problems),
    ),
    OwnFamily::counter(
        "tapes_device_frames_dropped",
        "Frames that the device says it could not send.",
        Samples::Device(|device| Value::Unsigned(device.losses.frames_dropped.into())),
    ),
    OwnFamily::counter(
        "tapes_device_registrations_refused",
        "Metrics that the device says it had no room for.",
        Samples::Device(|device| Value::Unsigned(device.losses.registry_full.into())),
    ),
    OwnFamily::gauge(
        "tapes_entries_quarantined",
        "Metrics of the device that are not exported because of their description.",
        Samples::DeviceBy("reason", |device| {
            device.quarantined.iter().map(|(reason, count)| (*reason, *count)).collect()
        }),
    ),
    OwnFamily::gauge(
        "tapes_series_withheld",
        "Series of the device that are not exported because another metric has their name, and \
         values that could not be added up exactly.",
        Samples::DeviceBy("reason", |device| vec![("conflict", device.withheld)]),
    ),
    OwnFamily::counter(
        "tapes_frames_received",
        "Frames with a right checksum.",
        Samples::Link(|counts| counts.frames),
    ),
    OwnFamily::counter("tapes_received", "Bytes received.", Samples::Link(|counts| counts.bytes))
        .with_unit(Unit::BYTES),
    OwnFamily::counter(
        "tapes_frames_rejected",
        "What came in and was not used, or not yet.",
        Samples::Rejected,
    ),
    OwnFamily::gauge(
        "tapes_links",
        "Inputs that are open.",
        Samples::Fleet(|s| s.links_open as u64),
    ),
    OwnFamily::gauge("tapes_devices", "Devices known.", Samples::Fleet(|s| s.devices.len() as u64)),
    OwnFamily::gauge(
        "tapes_names_withheld",
        "Names that more than one metric claims, without those that got one.",
        Samples::Fleet(|s| s.names_withheld as u64),
    ),
    OwnFamily::gauge(
        "tapes_rollup_left_out",
        "Sources and series that are not in the sums that are forwarded, by reason.",
        Samples::LeftOut,
    ),
    OwnFamily::gauge(
        "tapes_state",
        "Memory of dictionaries and values, an estimate.",
        Samples::Fleet(|s| s.state_bytes as u64),
    )
    .with_unit(Unit::BYTES),
    OwnFamily::gauge(
        "tapes_state_saved",
        "Whether everything that is shown is in the state file too.",
        Samples::Store(|stats| u64::from(stats.is_saved)),
    ),
    OwnFamily::gauge(
        "tapes_state_file",
        "Length of the state file.",
        Samples::Store(|stats| stats.file_bytes),
    )
    .with_unit(Unit::BYTES),
    OwnFamily::counter(
        "tapes_state_writes",
        "Times that changes were appended to the state file.",
        Samples::Store(|stats| stats.writes),
    ),
    OwnFamily::counter(
        "tapes_state_rewrites",
        "Times that the state file was written anew.",
        Samples::Store(|stats| stats.rewrites),
    ),
    OwnFamily::counter(
        "tapes_state_written",
        "Bytes written to the state file, of changes and anew.",
        Samples::Store(|stats| stats.bytes),
    )
    .with_unit(Unit::BYTES),
    OwnFamily::counter(
        "tapes_state_write_failures",
        "Times that the state file could not be written.",
        Samples::Store(|stats| stats.failures),
    ),
    OwnFamily::counter(
        "tapes_output_sent",
        "Batches or datagrams of an output that were taken.",
        Samples::Output(|counts| counts.sent),
    ),
    OwnFamily::counter(
        "tapes_output_dropped",
        "Batches or datagrams of an output that are lost.",
        Samples::Output(|counts| counts.dropped),
    ),
    OwnFamily::counter(
        "tapes_output_failures",
        "Times that an output could not send.",
        Samples::Output(|counts| counts.failures),
    ),
    OwnFamily::gauge(
        "tapes_output_waiting",
        "Batches of an output that wait.",
        Samples::Output(|counts| counts.queued),
    ),
    OwnFamily::gauge(
        "tapes_output_queue",
        "Length of the batches of an output that wait.",
        Samples::Output(|counts| counts.queued_bytes),
    )
    .with_unit(Unit::BYTES),
];

fn problems(device: &DeviceSnapshot) -> Vec<(&'static str, u64)> {
    let counts = &device.counts;
    vec![
        ("suspect_frame", counts.suspect),
        ("epoch_collision", counts.epoch_collisions),
        ("epoch_held", counts.epochs_held),
        ("conflict", counts.conflicts),
        ("misfit", counts.misfits),
        ("full", counts.full),
    ]
}

impl Snapshot {
    /// Writes the receiver's own metrics. `wall` is the time of day at which this snapshot was
    /// taken.
    ///
    /// # Errors
    ///
    /// Only those of `out`.
    pub fn write_own(&self, out: &mut dyn FamilyWriter, wall: SystemTime) -> fmt::Result {
        FAMILIES.iter().try_for_each(|family| self.write_own_family(family, out, wall))
    }

    /// As [`write_own`](Self::write_own), those that tell devices apart only.
    ///
    /// # Errors
    ///
    /// Only those of `out`.
    pub fn write_own_of_devices(
        &self,
        out: &mut dyn FamilyWriter,
        wall: SystemTime,
    ) -> fmt::Result {
        let of_devices = FAMILIES.iter().filter(|family| family.samples.is_of_devices());
        of_devices.into_iter().try_for_each(|family| self.write_own_family(family, out, wall))
    }

    fn write_own_family(
        &self,
        family: &OwnFamily,
        out: &mut dyn FamilyWriter,
        wall: SystemTime,
    ) -> fmt::Result {
        let descriptor = family.descriptor();
        out.family(&descriptor)?;
        self.write_family(family, &descriptor, out, wall)
    }

    fn write_family(
        &self,
        family: &OwnFamily,
        descriptor: &Descriptor<'_>,
        encoder: &mut dyn FamilyWriter,
        wall: SystemTime,
    ) -> fmt::Result {
        let count = |n: u64| Value::Unsigned(n);
        for device in &self.devices {
            let name = [("device", device.name.as_str())];
            match family.samples {
                Samples::Device(value) => encoder.sample(&name, descriptor, 0, &value(device))?,
                Samples::LastSeen => {
                    if let Some(seen) = wall.checked_sub(device.silence) {
                        encoder.sample(&name, descriptor, 0, &count(unix_millis(seen)))?;
                    }
                }
                Samples::Info => write_info(device, descriptor, encoder)?,
                Samples::DeviceBy(label, counts) => {
                    for (reason, n) in counts(device).into_iter().filter(|(_, n)| *n > 0) {
                        let labels = [("device", device.name.as_str()), (label, reason)];
                        encoder.sample(&labels, descriptor, 0, &count(n))?;
                    }
                }
                _ => {}
            }
        }
        for (link, counts) in &self.links {
            match family.samples {
                Samples::Link(value) => {
                    encoder.sample(&[("link", link)], descriptor, 0, &count(value(counts)))?;
                }
                Samples::Rejected => {
                    for (reason, n) in &counts.rejected {
                        let labels = [("link", link.as_str()), ("reason", reason)];
                        encoder.sample(&labels, descriptor, 0, &count(*n))?;
                    }
                }
                _ => {}
            }
        }
        for (output, counts) in &self.outputs {
            if let Samples::Output(value) = family.samples {
                encoder.sample(&[("output", output)], descriptor, 0, &count(value(counts)))?;
            }
        }
        if let (Samples::LeftOut, Some(left_out)) = (family.samples, self.rollup) {
            for (reason, n) in left_out.by_reason() {
                encoder.sample(&[("reason", reason)], descriptor, 0, &count(n))?;
            }
        }
        let alone = match (family.samples, &self.store) {
            (Samples::Fleet(value), _) => Some(value(self)),
            (Samples::Store(value), Some(stats)) => Some(value(stats)),
            _ => None,
        };
        if let Some(value) = alone {
            encoder.sample(&[], descriptor, 0, &count(value))?;
        }
        Ok(())
    }
}

fn write_info(
    device: &DeviceSnapshot,
    descriptor: &Descriptor<'_>,
    encoder: &mut dyn FamilyWriter,
) -> fmt::Result {
    let Some(facts) = device.facts else { return Ok(()) };
    let build = format!("{:016x}", facts.build_id);
    let labels = [("build", build.as_str()), ("reset_reason", facts.reset_reason.name())];
    let descriptor = Descriptor { labels: Labels::new(&labels), ..*descriptor };
    let mut extra = device.extra_labels();
    if device.uid != device.name {
        extra.insert(1, ("uid", &device.uid));
    }
    encoder.sample(&extra, &descriptor, 0, &Value::Unsigned(1))
}

fn unix_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
