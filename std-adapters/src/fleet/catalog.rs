//! The catalog: which metrics of the whole fleet may be exported, and under which names.
//!
//! A scraper drops everything for one duplicate name, so names are settled here, across all
//! devices. Whoever comes first in a fixed order keeps a name: the receiver's own metrics, then by
//! class, unit and name. The order of arrival does not matter, so two gateways agree.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tapes_core::metric::{BaseUnit, Descriptor, Unit};
use tapes_core::text::prometheus::Family;
use tapes_core::wire::Origin;

use super::dictionary::Dictionary;
use super::entry::{Description, OwnedLabels, Quarantine};
use super::identity::EpochKey;
use super::own;
use super::series::Class;
use super::state::State;
use crate::exposition::names_of;

/// A claim to a family name; the order decides who keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Claim {
    class: Class,
    unit: Box<str>,
    name: Box<str>,
}

/// Which metrics may be exported, and under which names.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Family name of each claim; `None` if another one has the name.
    families: HashMap<Claim, Option<Arc<str>>>,
    /// The same by what described the claim, which boards with one firmware share: by its address,
    /// which is nobody else's while it is kept here.
    known: HashMap<usize, (Arc<Description>, Option<Arc<str>>)>,
    /// Entries of single epochs that clash with earlier ones of the same epoch.
    screened: BTreeMap<(Origin, EpochKey), BTreeMap<u32, Quarantine>>,
}

impl Catalog {
    /// Settles all names of a state.
    #[must_use]
    pub fn build(state: &State) -> Self {
        let mut catalog = Self::default();
        let mut claims = BTreeSet::new();
        // Boards with one firmware share their entries: each is looked at once.
        let mut known = HashMap::new();
        let mut claim = |description: &Arc<Description>| {
            known.entry(address(description)).or_insert_with(|| {
                claims.insert(Claim::of(description));
                (Arc::clone(description), None)
            });
        };
        for (origin, data) in state.origins() {
            for (key, epoch) in data.epochs() {
                let screened = screen(epoch.dictionary());
                let entries = epoch.dictionary().iter();
                let valid = entries.filter(|(id, _)| !screened.contains_key(id));
                valid.filter_map(|(_, entry)| entry.description().ok()).for_each(&mut claim);
                if !screened.is_empty() {
                    catalog.screened.insert((origin, key), screened);
                }
            }
            data.folded().totals().for_each(|(_, total)| claim(total.description()));
        }
        catalog.settle(claims);
        for (description, family) in known.values_mut() {
            *family = catalog.families.get(&Claim::of(description)).cloned().flatten();
        }
        catalog.known = known;
        catalog
    }

    /// Returns the name under which what is described is exported, `None` if another metric has
    /// it.
    #[must_use]
    pub fn family(&self, description: &Arc<Description>) -> Option<&Arc<str>> {
        match self.known.get(&address(description)) {
            Some((_, family)) => family.as_ref(),
            None => self.families.get(&Claim::of(description))?.as_ref(),
        }
    }

    /// Returns the number of names that were claimed in vain.
    #[must_use]
    pub fn withheld(&self) -> usize {
        self.families.values().filter(|family| family.is_none()).count()
    }

    /// Returns why an entry of an epoch may not be exported, besides what is wrong with it alone.
    #[must_use]
    pub fn screened(&self, origin: Origin, key: EpochKey, id: u32) -> Option<Quarantine> {
        self.screened_in(origin, key)?.get(&id).copied()
    }

    /// Returns the entries of an epoch that may not be exported, `None` if there are none.
    pub(super) fn screened_in(
        &self,
        origin: Origin,
        key: EpochKey,
    ) -> Option<&BTreeMap<u32, Quarantine>> {
        self.screened.get(&(origin, key))
    }

    /// Returns all entries of an epoch that clash with earlier ones.
    pub(super) fn screened_of(
        &self,
        origin: Origin,
        key: EpochKey,
    ) -> impl Iterator<Item = Quarantine> {
        self.screened_in(origin, key).into_iter().flat_map(|ids| ids.values().copied())
    }

    fn settle(&mut self, claims: BTreeSet<Claim>) {
        let mut taken: HashSet<String> = HashSet::new();
        own::FAMILIES.iter().for_each(|own| taken.extend(names_of(&own.descriptor())));
        for claim in claims {
            let descriptor = claim.descriptor();
            let names = names_of(&descriptor);
            let is_free = names.iter().all(|name| !taken.contains(name));
            let family = is_free.then(|| Arc::from(Family::of(&descriptor).to_string()));
            if is_free {
                taken.extend(names);
            }
            self.families.insert(claim, family);
        }
    }
}

fn address(description: &Arc<Description>) -> usize {
    Arc::as_ptr(description).addr()
}

impl Claim {
    fn of(description: &Description) -> Self {
        Self {
            class: Class::of(description.kind),
            unit: description.unit().name().into(),
            name: description.name().into(),
        }
    }

    fn descriptor(&self) -> Descriptor<'_> {
        let unit = if self.unit.is_empty() {
            Unit::NONE
        } else {
            Unit::new(BaseUnit::Other(&self.unit), 1)
        };
        Descriptor::new(&self.name, self.class.kind(), unit)
    }
}

/// Finds entries that could not have been registered after those with smaller ids.
fn screen(dictionary: &Dictionary) -> BTreeMap<u32, Quarantine> {
    let mut found = BTreeMap::new();
    let mut series: BTreeSet<(&str, &OwnedLabels, u32)> = BTreeSet::new();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (id, entry) in dictionary.iter() {
        let Ok(description) = entry.description() else { continue };
        let name = description.name();
        let parents = name.match_indices('.').filter_map(|(dot, _)| name.get(..dot));
        let below = format!("{name}.");
        let is_branch =
            names.range(below.as_str()..).next().is_some_and(|next| next.starts_with(&below));
        if is_branch || parents.into_iter().any(|parent| names.contains(parent)) {
            found.insert(id, Quarantine::LeafIsBranch);
        } else if !series.insert((name, description.labels(), description.cells())) {
            found.insert(id, Quarantine::Duplicate);
        } else {
            names.insert(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tapes_core::metric::{Buckets, Descriptor, Kind, Labels, Unit};

    use super::{Dictionary, Quarantine, screen};
    use crate::fleet::Limits;
    use crate::fleet::entry::Entry;
    use crate::fleet::testing::{Bench, Board};

    const BUCKETS: Buckets = Buckets { scale: 0, first: 0, len: 2 };

    /// Returns the families that a device with these metrics exports.
    fn families(metrics: &[(&'static str, Kind, Unit<'static>)]) -> Vec<String> {
        let mut bench = Bench::new(Limits::default());
        let mut board = Board::new(1, 1);
        board.dictionary =
            metrics.iter().map(|(name, kind, unit)| Descriptor::new(name, *kind, *unit)).collect();
        let frames = [board.hello(), board.dict()];
        bench.feed_all(&frames);
        let catalog = super::Catalog::build(bench.fleet.state());
        let mut families: Vec<_> =
            catalog.families.values().flatten().map(|family| family.to_string()).collect();
        families.sort();
        families
    }

    /// Prometheus drops a whole scrape for one duplicate family.
    #[test]
    fn of_clashing_names_the_smallest_class_and_unit_stay() {
        let histogram = Kind::Histogram(BUCKETS);
        for (label, metrics, expected) in [
            (
                "mangled alike",
                vec![("a.b", Kind::GaugeInt, Unit::NONE), ("a_b", Kind::GaugeInt, Unit::NONE)],
                vec!["a_b"],
            ),
            (
                "gauge beside a histogram's count",
                vec![("a", histogram, Unit::NONE), ("a_count", Kind::GaugeInt, Unit::NONE)],
                vec!["a_count"],
            ),
            (
                "the receiver's own name",
                vec![("tapes_device_up", Kind::GaugeInt, Unit::NONE)],
                vec![],
            ),
            (
                "another unit is another family",
                vec![("a", Kind::GaugeInt, Unit::VOLTS), ("a-b", Kind::GaugeInt, Unit::NONE)],
                vec!["a_b", "a_volts"],
            ),
            (
                "one base unit in two steps",
                vec![("a", Kind::GaugeInt, Unit::MICROS)],
                vec!["a_seconds"],
            ),
        ] {
            assert_eq!(families(&metrics), expected, "{label}");
        }
    }

    /// A device cannot register these, so they are forged or damaged.
    #[test]
    fn entries_are_screened_as_at_registration() {
        let with = |name, labels: &'static [(&str, &str)]| Descriptor {
            labels: Labels::new(labels),
            ..Descriptor::new(name, Kind::Counter, Unit::NONE)
        };
        let mut dictionary = Dictionary::default();
        for (id, descriptor) in (0u32..).zip([
            with("a.b", &[("x", "1")]),
            with("a.b", &[("x", "2")]),
            with("a.b", &[("x", "1")]),
            with("a", &[]),
            with("a.b.c", &[]),
            with("a-b", &[]),
            with("a.bc", &[]),
        ]) {
            let body = id.to_le_bytes();
            dictionary.describe(id, Arc::new(Entry::new(&body, Some(&descriptor)).unwrap()));
        }
        let found: Vec<_> = screen(&dictionary).into_iter().collect();
        let expected = [
            (2, Quarantine::Duplicate),
            (3, Quarantine::LeafIsBranch),
            (4, Quarantine::LeafIsBranch),
        ];
        assert_eq!(found, expected);
    }
}
