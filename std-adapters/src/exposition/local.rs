//! The families of a source of this process.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use tapes_core::Source;
use tapes_core::metric::{Descriptor, Sample};
use tapes_core::text::prometheus::{Family, LabelName, PageTemplates};

use super::{FamilyWriter, names_of};

/// Writes all families of a source in the order of their names; `start` is when its counts began.
///
/// Of metrics whose names are one to Prometheus and that do not differ in labels, the first is
/// shown. The order is kept in `plan` from one time to the next, and so are the text and the memory, so
/// that nothing is allocated while there are no new metrics; a source only ever gets more of them.
pub(crate) fn write_source(
    source: &(impl Source + ?Sized),
    start: SystemTime,
    plan: &Mutex<Plan>,
    out: &mut dyn FamilyWriter,
) -> fmt::Result {
    let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
    let mut samples: Vec<Sample<'_>> = std::mem::take(&mut plan.spare);
    let _ = source.visit(0, &mut |sample| {
        samples.push(sample);
        ControlFlow::Continue(())
    });
    let told = fingerprint(&samples);
    if plan.told != told || plan.samples != samples.len() {
        *plan = Plan::new(&samples, told);
    }
    let Plan { order, families, templates, .. } = &mut *plan;
    let all = || in_order(&samples, order, families);
    let by_template = out.fill(templates, &samples, &|template| {
        for (family, members) in all() {
            template.family(&family);
            for (place, Sample { cell, value, description, .. }) in members {
                template.sample(place, &[], &description.descriptor(), *cell, value);
            }
        }
    });
    let result = by_template.unwrap_or_else(|| {
        all().try_for_each(|(family, mut members)| {
            out.family(&family)?;
            out.start(Some(start));
            members.try_for_each(|(_, Sample { cell, value, description, .. })| {
                out.sample(&[], &description.descriptor(), *cell, value)
            })
        })
    });
    // Empty, the room lives on: collecting into what it came from takes no other.
    plan.spare = samples.into_iter().map_while(|_| None).collect();
    result
}

/// Returns all families by the descriptor that is shown of each, with the samples of each and their
/// places.
fn in_order<'a, 's>(
    samples: &'a [Sample<'s>],
    order: &'a [usize],
    families: &'a [Planned],
) -> impl Iterator<Item = (Descriptor<'s>, impl Iterator<Item = (usize, &'a Sample<'s>)>)> {
    let mut begin = 0;
    families.iter().filter_map(move |family| {
        let members = order.get(begin..family.end).unwrap_or_default();
        begin = family.end;
        let described = samples.get(family.described)?.descriptor();
        Some((described, members.iter().filter_map(|place| Some((*place, samples.get(*place)?)))))
    })
}

/// Returns a number that is another one, but for bad luck, when there are other metrics:
/// descriptions, which live as long as their metrics, are told by where they are.
fn fingerprint(samples: &[Sample<'_>]) -> u64 {
    samples.iter().fold(0, |told: u64, sample| {
        let name = sample.description.address() as u64;
        let place = (u64::from(sample.id) << 32) ^ u64::from(sample.cell);
        (told.rotate_left(5) ^ name ^ place).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// In which order the samples of a source are shown.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// What the samples were that it is for.
    told: u64,
    samples: usize,
    /// Positions of samples, family by family.
    order: Vec<usize>,
    families: Vec<Planned>,
    /// What all this makes of a text.
    templates: PageTemplates,
    /// Room for samples, kept so that nothing is allocated from one time to the next.
    spare: Vec<Sample<'static>>,
}

/// A family, whose samples in the order end somewhere.
#[derive(Debug)]
struct Planned {
    /// Position of the sample whose text is shown: of several, the first.
    described: usize,
    end: usize,
}

impl Plan {
    fn new(samples: &[Sample<'_>], told: u64) -> Self {
        let mut families = Families::default();
        for (place, sample) in samples.iter().enumerate() {
            families.add(place, &sample.descriptor(), sample.cell, samples);
        }
        let mut plan = Self { told, samples: samples.len(), ..Self::default() };
        for places in families.by_name.into_values() {
            let has_help = |place: &&usize| {
                samples.get(**place).is_some_and(|sample| !sample.descriptor().help.is_empty())
            };
            let described = places.iter().find(has_help).or(places.first()).copied();
            plan.order.extend(&places);
            let end = plan.order.len();
            plan.families.extend(described.map(|described| Planned { described, end }));
        }
        plan
    }
}

/// The families of a source in the order of their names.
#[derive(Debug, Default)]
struct Families {
    by_name: BTreeMap<String, Vec<usize>>,
    /// Names that belong to somebody.
    taken: HashSet<String>,
    /// Series that are there already.
    seen: HashSet<String>,
}

impl Families {
    /// Adds a metric unless another one has its name.
    fn add(
        &mut self,
        place: usize,
        descriptor: &Descriptor<'_>,
        cell: u32,
        samples: &[Sample<'_>],
    ) {
        let name = Family::of(descriptor).to_string();
        if let Some(members) = self.by_name.get(&name) {
            let first = members.first().and_then(|first| samples.get(*first));
            let is_alike = first.is_some_and(|first| is_alike(&first.descriptor(), descriptor));
            if !is_alike {
                return;
            }
        } else {
            let names = names_of(descriptor);
            if names.iter().any(|name| self.taken.contains(name)) {
                return;
            }
            self.taken.extend(names);
        }
        if self.seen.insert(series_name(&name, descriptor, cell)) {
            self.by_name.entry(name).or_default().push(place);
        }
    }
}

/// Returns whether two metrics of one name can be one family.
fn is_alike(a: &Descriptor<'_>, b: &Descriptor<'_>) -> bool {
    let same_type = Family::of(a).type_name() == Family::of(b).type_name();
    same_type && a.unit.name() == b.unit.name()
}

fn series_name(family: &str, descriptor: &Descriptor<'_>, cell: u32) -> String {
    let own = descriptor.dimensions.labels(cell);
    let mut labels: Vec<_> = own
        .chain(descriptor.labels.iter())
        .map(|(name, value)| format!("{}={value:?}", LabelName::new(&[], name)))
        .collect();
    labels.sort();
    format!("{family}{{{}}}", labels.join(","))
}
