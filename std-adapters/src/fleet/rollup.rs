//! Roll-ups: what a receiver adds up over its sources, as a source of its own.
//!
//! A roll-up is kept in the state of the receiver that makes it: its origin is the receiver's id,
//! its one epoch lives as long as the state, so a restart goes on where it was, and a repeat or a
//! detour of its records counts once like those of any device. It says whose sums it contains, in
//! a gauge for each: the receiver's own, and those of the roll-ups below it. By these a receiver
//! leaves out what would count twice.

use std::collections::{BTreeMap, BTreeSet};

use tapes_core::wire::Origin;

use super::Fleet;
use super::state::OriginData;
use super::value::Stored;

/// Name of the gauges that say whose sums a roll-up contains, by the label [`NODE`]; the value is
/// the level of that one, from 1 for its own, whose entry is the first.
pub(super) const CONTAINS: &str = "tapes.rollup";

/// The label of [`CONTAINS`]: the origin of a roll-up in hexadecimal.
pub(super) const NODE: &str = "node";

/// What of the sources is not in a roll-up, at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Roll-ups that contain this one.
    pub cycle: u64,
    /// Roll-ups with a part that another one has, too.
    pub overlap: u64,
    /// Roll-ups of as many levels as there may be.
    pub depth: u64,
    /// Series without a common measure with those of sources known for longer.
    pub measure: u64,
    /// Series for which there is no room.
    pub full: u64,
    /// Sums that would be smaller than they were.
    pub fallen: u64,
}

impl LeftOut {
    /// Returns all counts with the reasons for them.
    pub(super) fn by_reason(self) -> Vec<(&'static str, u64)> {
        let Self { cycle, overlap, depth, measure, full, fallen } = self;
        vec![
            ("cycle", cycle),
            ("overlap", overlap),
            ("depth", depth),
            ("measure", measure),
            ("full", full),
            ("fallen", fallen),
        ]
    }
}

/// Whose sums a roll-up contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Origins of roll-ups, with its own, and their levels.
    pub(super) nodes: BTreeMap<Box<str>, u64>,
}

impl Contents {
    /// Returns what a source says about itself, `None` if it is no roll-up.
    pub(super) fn of(data: &OriginData) -> Option<Self> {
        let epoch = data.epoch(data.newest()?)?;
        let is_one = |id| {
            let description = epoch.dictionary().get(id).map(|entry| entry.description());
            description.is_some_and(|known| known.is_ok_and(|known| known.name() == CONTAINS))
        };
        if !is_one(0) {
            return None;
        }
        let mut contents = Self::default();
        for (_, entry, value) in epoch.values() {
            let (Ok(description), Stored::Unsigned(level)) = (entry.description(), value) else {
                continue;
            };
            let node = description.labels().iter().find(|(name, _)| &**name == NODE);
            if let (CONTAINS, Some((_, node))) = (description.name(), node) {
                contents.nodes.insert(node.clone(), *level);
            }
        }
        Some(contents)
    }

    /// Returns the number of levels: 1 for one of devices only.
    #[cfg(feature = "zmq")]
    pub(super) fn depth(&self) -> u64 {
        self.nodes.values().copied().max().unwrap_or(1)
    }
}

/// A source that adds up, and what it contains if it is a roll-up.
pub(super) type Part<'f> = (Origin, &'f OriginData, Option<Contents>);

impl Fleet {
    /// Returns the origin of what this receiver adds up.
    pub(crate) fn own_origin(&self) -> Origin {
        Origin::from_array(self.node.0)
    }

    /// Returns the sources that add up, by first contact, and what those that are roll-ups contain:
    /// of roll-ups that have a part in common, the one that is known for longer.
    pub(super) fn summable(&self) -> (Vec<Part<'_>>, LeftOut) {
        let own = self.own_origin();
        let name = own.to_string();
        let (mut sources, mut left_out) = (Vec::new(), LeftOut::default());
        let mut taken: BTreeSet<Box<str>> = BTreeSet::new();
        for (origin, data) in self.state.origins_by_contact() {
            if origin == own {
                continue;
            }
            let contents = Contents::of(data);
            if let Some(contents) = &contents {
                if contents.nodes.contains_key(name.as_str()) {
                    left_out.cycle += 1;
                    continue;
                }
                if contents.nodes.keys().any(|node| taken.contains(node)) {
                    left_out.overlap += 1;
                    continue;
                }
                taken.extend(contents.nodes.keys().cloned());
            }
            sources.push((origin, data, contents));
        }
        (sources, left_out)
    }
}
