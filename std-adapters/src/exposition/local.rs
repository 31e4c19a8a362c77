//! The families of a source of this process.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::ControlFlow;
use std::time::SystemTime;

use tapes_core::Source;
use tapes_core::metric::{Descriptor, Sample};
use tapes_core::text::prometheus::{Family, LabelName};

use super::{FamilyWriter, names_of};

/// Writes all families of a source in the order of their names; `start` is when its counts began.
///
/// Of metrics whose names are one to Prometheus and that do not differ in labels, the first is
/// shown.
pub(crate) fn write_source(
    source: &(impl Source + ?Sized),
    start: SystemTime,
    out: &mut dyn FamilyWriter,
) -> fmt::Result {
    let mut families = Families::default();
    let _ = source.visit(0, &mut |sample| {
        families.add(sample);
        ControlFlow::Continue(())
    });
    for samples in families.by_name.values() {
        // Of several texts, the first.
        let described = samples.iter().find(|sample| !sample.descriptor().help.is_empty());
        if let Some(first) = described.or(samples.first()) {
            out.family(&first.descriptor())?;
        }
        out.start(Some(start));
        for sample in samples {
            out.sample(&[], &sample.descriptor(), sample.cell, &sample.value)?;
        }
    }
    Ok(())
}

/// The families of a source in the order of their names.
#[derive(Debug, Default)]
struct Families<'s> {
    by_name: BTreeMap<String, Vec<Sample<'s>>>,
    /// Names that belong to somebody.
    taken: HashSet<String>,
    /// Series that are there already.
    seen: HashSet<String>,
}

impl<'s> Families<'s> {
    /// Adds a metric unless another one has its name.
    fn add(&mut self, sample: Sample<'s>) {
        let descriptor = &sample.descriptor();
        let name = Family::of(descriptor).to_string();
        if let Some(members) = self.by_name.get(&name) {
            let is_alike =
                members.first().is_some_and(|first| is_alike(&first.descriptor(), descriptor));
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
        if self.seen.insert(series_name(&name, descriptor, sample.cell)) {
            self.by_name.entry(name).or_default().push(sample);
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
