//! Links: where frames come in, who speaks there, and what was wrong with what came.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tapes_core::wire::{Epoch, Origin};

use super::epoch::EpochData;
use super::limits::Limits;
use super::session::Session;

/// An open input of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u64);

/// What kind of input a link is; decides how many devices may speak on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkKind {
    /// A line with one device at its end.
    Serial,
    /// A connection from elsewhere.
    Socket,
    /// A queue into which many senders put messages; which of them one is from is not known.
    Shared,
    /// A recording: a file or standard input. Its pace says nothing.
    Capture,
}

/// What came in on all links of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// Frames with a right checksum.
    pub frames: u64,
    /// Bytes, of frames and of anything else.
    pub bytes: u64,
    /// What was refused, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
}

/// Frames of a short epoch whose HELLO has not come yet.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) data: EpochData,
    pub(super) session: Session,
}

/// One open input.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) name: Arc<str>,
    pub(super) kind: LinkKind,
    /// Short epochs that HELLO bound, the latest bound last.
    bindings: Vec<(u32, Origin, Epoch)>,
    /// Short epochs that wait for HELLO.
    pub(super) unbound: BTreeMap<u32, Slot>,
    /// When each device was last heard here.
    origins: BTreeMap<Origin, Duration>,
}

impl Link {
    /// Returns whose frames carry this short epoch.
    pub(super) fn bound(&self, short: u32) -> Option<(Origin, Epoch)> {
        let (_, origin, epoch) = self.bindings.iter().rev().find(|(s, ..)| *s == short)?;
        Some((*origin, *epoch))
    }

    /// Returns whom HELLO named last.
    pub(super) fn latest(&self) -> Option<Origin> {
        self.bindings.last().map(|(_, origin, _)| *origin)
    }

    /// Binds a short epoch; the oldest binding gives way when there are too many.
    pub(super) fn bind(&mut self, short: u32, origin: Origin, epoch: Epoch, limits: &Limits) {
        self.bindings.retain(|(s, ..)| *s != short);
        if self.bindings.len() >= limits.short_epochs_per_link {
            self.bindings.remove(0);
        }
        self.bindings.push((short, origin, epoch));
    }

    /// Returns the slot of a short epoch without HELLO; the quietest one gives way when there are
    /// too many. The second value is whether one did.
    pub(super) fn unbound(&mut self, short: u32, limits: &Limits) -> (&mut Slot, bool) {
        let is_full = self.unbound.len() >= limits.unbound_epochs_per_link;
        let evicts = is_full && !self.unbound.contains_key(&short);
        if evicts
            && let Some(quietest) =
                self.unbound.iter().min_by_key(|(_, slot)| slot.session.last()).map(|(s, _)| *s)
        {
            self.unbound.remove(&quietest);
        }
        (self.unbound.entry(short).or_default(), evicts)
    }

    /// Notes that a device speaks here. Returns false if too many others do.
    pub(super) fn admit(&mut self, origin: Origin, now: Duration, limits: &Limits) -> bool {
        let max = match self.kind {
            LinkKind::Serial => limits.origins_per_serial_link,
            LinkKind::Socket => limits.origins_per_socket,
            LinkKind::Shared | LinkKind::Capture => limits.origins,
        };
        if self.kind != LinkKind::Capture && !self.origins.contains_key(&origin) {
            self.origins.retain(|_, last| now.saturating_sub(*last) < limits.handover);
            if self.origins.len() >= max {
                return false;
            }
        }
        self.origins.insert(origin, now);
        true
    }
}

/// Counts of a name, and whether they changed since they were saved.
#[derive(Debug, Default)]
struct Tally {
    counts: LinkCounts,
    unsaved: bool,
}

/// All links, open and gone.
#[derive(Debug, Default)]
pub(super) struct Links {
    open: BTreeMap<LinkId, Link>,
    counts: BTreeMap<Arc<str>, Tally>,
    next: u64,
}

/// Name under which links are counted when there are too many names.
const OTHER: &str = "other";

impl Links {
    /// Opens a link, `None` if there are too many.
    pub(super) fn open(&mut self, name: &str, kind: LinkKind, limits: &Limits) -> Option<LinkId> {
        if self.open.len() >= limits.links {
            return None;
        }
        let name = self.counted_name(name, limits);
        self.counts.entry(Arc::clone(&name)).or_default();
        let id = LinkId(self.next);
        self.next += 1;
        let link = Link {
            name,
            kind,
            bindings: Vec::new(),
            unbound: BTreeMap::new(),
            origins: BTreeMap::new(),
        };
        self.open.insert(id, link);
        Some(id)
    }

    /// Returns the name under which a link is counted.
    fn counted_name(&self, name: &str, limits: &Limits) -> Arc<str> {
        let is_new = !self.counts.contains_key(name);
        if is_new && self.counts.len() >= limits.link_names { OTHER.into() } else { name.into() }
    }

    /// Closes a link; its counts stay.
    pub(super) fn close(&mut self, id: LinkId) {
        self.open.remove(&id);
    }

    pub(super) fn get(&self, id: LinkId) -> Option<&Link> {
        self.open.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.open.get_mut(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Returns the counts by name of the links.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&str, &LinkCounts)> {
        self.counts.iter().map(|(name, tally)| (&**name, &tally.counts))
    }

    /// Calls `f` with the counts that changed since this was called last.
    pub(super) fn take_counts(&mut self, mut f: impl FnMut(&str, &LinkCounts)) {
        for (name, tally) in &mut self.counts {
            if std::mem::take(&mut tally.unsaved) {
                f(name, &tally.counts);
            }
        }
    }

    /// Takes in counts as they were saved.
    pub(super) fn restore(&mut self, name: &str, counts: LinkCounts) {
        self.counts.insert(name.into(), Tally { counts, unsaved: false });
    }

    /// Changes the counts of a link's name.
    pub(super) fn count(&mut self, id: LinkId, change: impl FnOnce(&mut LinkCounts)) {
        let Some(link) = self.open.get(&id) else { return };
        if let Some(tally) = self.counts.get_mut(&link.name) {
            change(&mut tally.counts);
            tally.unsaved = true;
        }
    }

    /// Counts something refused where there is no link.
    pub(super) fn reject_by_name(&mut self, name: &str, reason: &'static str, limits: &Limits) {
        let tally = self.counts.entry(self.counted_name(name, limits)).or_default();
        tally.unsaved = true;
        let count = tally.counts.rejected.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts something refused.
    pub(super) fn reject(&mut self, id: LinkId, reason: &'static str) {
        self.count(id, |counts| {
            let count = counts.rejected.entry(reason).or_default();
            *count = count.saturating_add(1);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tapes_core::wire::{Epoch, Origin};

    use super::{LinkKind, Links};
    use crate::fleet::Limits;

    /// A hostile line that binds short epochs for ever must not grow.
    #[test]
    fn bindings_are_bounded_and_the_latest_win() {
        let limits = Limits { short_epochs_per_link: 2, ..Limits::default() };
        let mut links = Links::default();
        let id = links.open("tty", LinkKind::Serial, &limits).unwrap();
        let link = links.get_mut(id).unwrap();
        let origin = Origin::from_array([1]);
        for nonce in [1, 2, 1, 3] {
            link.bind(nonce, origin, Epoch::new(9, nonce), &limits);
        }
        assert_eq!(link.bound(1), Some((origin, Epoch::new(9, 1))));
        assert_eq!(link.bound(3), Some((origin, Epoch::new(9, 3))));
        assert_eq!(link.bound(2), None);
    }

    /// A board swapped on a line takes over; two at once on one line are a forgery.
    #[test]
    fn a_serial_line_changes_hands_only_after_silence() {
        let limits = Limits::default();
        let mut links = Links::default();
        let id = links.open("tty", LinkKind::Serial, &limits).unwrap();
        let link = links.get_mut(id).unwrap();
        let (a, b) = (Origin::from_array([1]), Origin::from_array([2]));
        let at = Duration::from_secs;
        assert!(link.admit(a, at(0), &limits));
        assert!(link.admit(a, at(5), &limits));
        assert!(!link.admit(b, at(14), &limits));
        assert!(link.admit(b, at(15), &limits));
        assert!(!link.admit(a, at(16), &limits));
    }

    /// Counting under the peer's address would be a series for each connection.
    #[test]
    fn counts_outlive_links_and_names_are_bounded() {
        let limits = Limits { links: 2, link_names: 1, ..Limits::default() };
        let mut links = Links::default();
        let first = links.open("tty", LinkKind::Serial, &limits).unwrap();
        let second = links.open("tcp", LinkKind::Socket, &limits).unwrap();
        assert!(links.open("more", LinkKind::Socket, &limits).is_none());
        links.reject(first, "crc");
        links.reject(second, "crc");
        links.close(first);
        let names: Vec<_> = links.counts().map(|(name, c)| (name, c.rejected["crc"])).collect();
        assert_eq!(names, [("other", 1), ("tty", 1)]);
    }
}
