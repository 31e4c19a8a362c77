//! What `tapes gateway -v` says of devices: which come, restart, lose frames and fall silent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tapes_std::fleet::snapshot::DeviceSnapshot;
use tapes_std::fleet::{LinkCounts, SharedFleet, Snapshot};
use tracing::Level;

/// From one look to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// Compares the fleet with what it was, if anybody wants to know.
#[derive(Debug, Clone)]
pub(crate) struct News {
    fleet: SharedFleet,
    known: Arc<Mutex<Known>>,
}

/// What was last said.
#[derive(Debug, Default)]
struct Known {
    /// Of each device.
    devices: BTreeMap<String, Said>,
    /// Of each input.
    links: BTreeMap<String, LinkCounts>,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    is_up: bool,
    boots: u64,
    lost: u64,
}

impl News {
    pub(crate) fn new(fleet: SharedFleet) -> Self {
        Self { fleet, known: Arc::default() }
    }

    /// Looks once a second; for ever.
    pub(crate) async fn tell(self) {
        if !tracing::enabled!(Level::DEBUG) {
            return;
        }
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            ticks.tick().await;
            self.look();
        }
    }

    /// Says what has changed since the last look.
    pub(crate) fn look(&self) {
        if !tracing::enabled!(Level::DEBUG) {
            return;
        }
        let now = self.fleet.now();
        // Not as exporters look: nothing of this has to be on disk first.
        let snapshot = self.fleet.lock().snapshot(now);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for line in known.news(&snapshot) {
            tracing::debug!("{line}");
        }
        if tracing::enabled!(Level::TRACE) {
            for line in known.arrivals(&snapshot) {
                tracing::trace!("{line}");
            }
        }
    }
}

impl Known {
    /// Returns what is new of devices, a line each.
    fn news(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let mut lines = Vec::new();
        for device in &snapshot.devices {
            let said = Said { is_up: device.is_up, boots: device.boots, lost: device.counts.lost };
            let before = self.devices.insert(device.uid.clone(), said);
            let name = &device.name;
            let link = device.link.as_deref().unwrap_or("the state");
            let Some(before) = before else {
                lines.push(format!("{name}: known from {link}; {}", reason(device)));
                continue;
            };
            if said.boots > before.boots {
                lines.push(format!("{name}: restarted, start {}; {}", said.boots, reason(device)));
            }
            if said.lost > before.lost {
                lines.push(format!("{name}: {} frames lost", said.lost - before.lost));
            }
            match (before.is_up, said.is_up) {
                (true, false) => lines.push(format!("{name}: silent")),
                (false, true) => lines.push(format!("{name}: heard again, from {link}")),
                _ => {}
            }
        }
        lines
    }

    /// Returns what came from each input, a line each.
    fn arrivals(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, counts) in &snapshot.links {
            let before = self.links.insert(name.clone(), counts.clone()).unwrap_or_default();
            let refused = |counts: &LinkCounts| counts.rejected.values().sum::<u64>();
            let [frames, bytes, refused] = [
                (counts.frames, before.frames),
                (counts.bytes, before.bytes),
                (refused(counts), refused(&before)),
            ]
            .map(|(now, before)| now.saturating_sub(before));
            if bytes > 0 {
                lines.push(format!("{name}: {frames} frames, {bytes} bytes, {refused} refused"));
            }
        }
        lines
    }
}

/// Returns why the newest life of a device began.
fn reason(device: &DeviceSnapshot) -> String {
    let facts = device.facts.as_ref();
    facts.map_or("it has not introduced itself".to_owned(), |facts| {
        format!("reset by {}", facts.reset_reason.name())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use tapes_core::wire::Event;
    use tapes_std::fleet::snapshot::DeviceSnapshot;
    use tapes_std::fleet::{DeviceCounts, LinkCounts, Snapshot};

    use super::Known;

    /// News that is told twice, or not at all, sends people after the wrong device.
    #[test]
    fn what_changed_is_told_once() {
        let mut known = Known::default();
        let mut fleet = Snapshot::default();
        let mut told = |fleet: &Snapshot| known.news(fleet).join("|");
        assert_eq!(told(&fleet), "");
        fleet.devices.push(device());
        assert_eq!(told(&fleet), "mill: known from stdin; it has not introduced itself");
        assert_eq!(told(&fleet), "");
        fleet.devices[0].counts.lost = 5;
        fleet.devices[0].is_up = false;
        assert_eq!(told(&fleet), "mill: 5 frames lost|mill: silent");
        fleet.devices[0].boots = 2;
        fleet.devices[0].is_up = true;
        let expected = "mill: restarted, start 2; it has not introduced itself|mill: heard again, \
                        from stdin";
        assert_eq!(told(&fleet), expected);
        assert_eq!(told(&fleet), "");
        let mut counts = LinkCounts { frames: 3, bytes: 90, ..LinkCounts::default() };
        counts.rejected.insert("checksum", 1);
        fleet.links.push(("stdin".into(), counts));
        assert_eq!(known.arrivals(&fleet), ["stdin: 3 frames, 90 bytes, 1 refused"]);
        assert!(known.arrivals(&fleet).is_empty());
    }

    fn device() -> DeviceSnapshot {
        DeviceSnapshot {
            uid: "e601".into(),
            name: "mill".into(),
            labels: Vec::new(),
            link: Some("stdin".into()),
            is_up: true,
            silence: Duration::ZERO,
            uptime: None,
            boots: 1,
            facts: None,
            start: None,
            newest_start: None,
            losses: Event::default(),
            counts: DeviceCounts::default(),
            quarantined: BTreeMap::new(),
            withheld: 0,
            series: Vec::new(),
        }
    }
}
