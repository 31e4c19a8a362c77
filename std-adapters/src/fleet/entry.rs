//! Dictionary entries as received: checked one by one, kept owned, quarantined alone.
//!
//! A metric reaches an exporter only if its entry passes the same checks as a registration on the
//! device would. One bad entry costs one metric, never the scrape.

use std::fmt;
use std::mem::size_of;
use std::sync::Arc;

use tapes_core::metric::{BaseUnit, CELLS_MAX, Descriptor, Kind, UNIT_NAME_LEN_MAX, Unit};
use tapes_core::name::{
    HELP_LEN_MAX, LABEL_VALUE_LEN_MAX, NameError, RESERVED_LABELS, check_label_name,
    check_metric_name,
};

use super::series::{Class, SeriesKey};

/// Longest body of an entry that is kept, in bytes: what a frame can carry.
pub const ENTRY_LEN_MAX: usize = 16_384;

/// Why a metric is kept but not exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quarantine {
    /// The entry cannot be read, or its kind, unit or text is of no known form.
    Malformed,
    /// The metric's name breaks a rule.
    Name(NameError),
    /// The name of a label breaks a rule.
    LabelName(NameError),
    /// The value of a label is too long, or a family has it twice.
    LabelValue,
    /// Two labels have one name.
    DuplicateLabel,
    /// The unit's name is empty, too long, or not made of lower-case letters, digits and `_`.
    Unit,
    /// The help is too long.
    Help,
    /// An earlier entry of the device has the same name and labels.
    Duplicate,
    /// An earlier metric of the device is in the way: `a` beside `a.b`.
    LeafIsBranch,
}

impl Quarantine {
    /// Returns the reason as a label value: lower case, words joined by `_`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Name(_) => "metric_name",
            Self::LabelName(_) => "label_name",
            Self::LabelValue => "label_value",
            Self::DuplicateLabel => "duplicate_label",
            Self::Unit => "unit",
            Self::Help => "help",
            Self::Duplicate => "duplicate",
            Self::LeafIsBranch => "leaf_is_branch",
        }
    }
}

impl fmt::Display for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// Names and values of labels.
pub type OwnedLabels = Vec<(Box<str>, Box<str>)>;

/// Names of labels, and the values that each can have.
pub type OwnedDimensions = Vec<(Box<str>, Vec<Box<str>>)>;

/// What a valid entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Bits after which the values wrap; 64 if they do not.
    pub bits: u8,
    /// Kind, with the bucket geometry.
    pub kind: Kind,
    /// What tells the series apart; of a family, without the labels that tell its metrics apart.
    /// Reserved names of labels carry the prefix `exported_`.
    key: Arc<SeriesKey>,
    /// One sentence for people; may be empty.
    pub help: Box<str>,
    /// Labels of a family and their values, outermost first; none for a single metric.
    dimensions: OwnedDimensions,
    /// Unit, except for the name of one that core does not know.
    unit: Unit<'static>,
    /// Name of a unit that core does not know.
    other_unit: Option<Box<str>>,
}

impl Description {
    /// Returns the unit of the raw values.
    #[must_use]
    pub fn unit(&self) -> Unit<'_> {
        match &self.other_unit {
            Some(name) => Unit::new(BaseUnit::Other(name), self.unit.per()),
            None => self.unit,
        }
    }

    /// Returns the number of metrics of the family, 1 for a single metric.
    #[must_use]
    pub fn cells(&self) -> u32 {
        self.dimensions.iter().fold(1, |cells, (_, values)| {
            cells.saturating_mul(u32::try_from(values.len()).unwrap_or(u32::MAX))
        })
    }

    /// Returns whether a label tells the metrics of the family apart.
    #[must_use]
    pub fn is_dimension(&self, label: &str) -> bool {
        self.dimensions().any(|name| name == label)
    }

    /// Returns the names of the labels that tell the metrics of the family apart, outermost first.
    pub fn dimensions(&self) -> impl Iterator<Item = &str> {
        self.dimensions.iter().map(|(name, _)| &**name)
    }

    /// Returns the name, segments joined by dots.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.key.name
    }

    /// Returns the constant labels, sorted by name.
    #[must_use]
    pub fn labels(&self) -> &OwnedLabels {
        &self.key.labels
    }

    /// Returns what tells one metric of the family apart, `None` if there is no such cell.
    ///
    /// A single metric has one for all devices that describe it alike.
    #[must_use]
    pub fn key_of(&self, cell: u32) -> Option<Arc<SeriesKey>> {
        if self.dimensions.is_empty() {
            return (cell == 0).then(|| Arc::clone(&self.key));
        }
        let labels = self.labels_of(cell)?;
        Some(Arc::new(SeriesKey { labels, ..SeriesKey::clone(&self.key) }))
    }

    /// Returns all labels of one metric of the family, sorted; `None` if there is no such cell.
    #[must_use]
    pub fn labels_of(&self, cell: u32) -> Option<OwnedLabels> {
        if cell >= self.cells() {
            return None;
        }
        let mut labels = self.key.labels.clone();
        let mut rest = usize::try_from(cell).ok()?;
        for (name, values) in self.dimensions.iter().rev() {
            let value = values.get(rest % values.len().max(1))?;
            rest /= values.len().max(1);
            labels.push((name.clone(), value.clone()));
        }
        labels.sort();
        Some(labels)
    }

    fn check(descriptor: &Descriptor<'_>) -> Result<Self, Quarantine> {
        check_metric_name(descriptor.name).map_err(Quarantine::Name)?;
        if descriptor.help.len() > HELP_LEN_MAX {
            return Err(Quarantine::Help);
        }
        let (unit, other_unit) = owned_unit(descriptor.unit)?;
        let labels = owned_labels(descriptor)?;
        let dimensions = owned_dimensions(descriptor)?;
        let names = labels.iter().map(|(name, _)| name);
        let mut names: Vec<_> = names.chain(dimensions.iter().map(|(name, _)| name)).collect();
        names.sort();
        if names.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(Quarantine::DuplicateLabel);
        }
        let key = SeriesKey {
            name: descriptor.name.into(),
            labels,
            class: Class::of(descriptor.kind),
            unit: other_unit.as_deref().unwrap_or(unit.name()).into(),
        };
        Ok(Self {
            bits: descriptor.bits,
            kind: descriptor.kind,
            key: Arc::new(key),
            help: descriptor.help.into(),
            dimensions,
            unit,
            other_unit,
        })
    }

    fn size_bytes(&self) -> usize {
        let labels = self.key.labels.iter().map(|(name, value)| 32 + name.len() + value.len());
        let values = self.dimensions.iter().flat_map(|(_, values)| values);
        let values = values.map(|value| 16 + value.len()).sum::<usize>();
        let key = size_of::<SeriesKey>() + self.key.name.len() + self.key.unit.len();
        size_of::<Self>() + key + self.help.len() + labels.sum::<usize>() + values
    }
}

fn owned_unit(unit: Unit<'_>) -> Result<(Unit<'static>, Option<Box<str>>), Quarantine> {
    let base = match unit.base() {
        BaseUnit::None => BaseUnit::None,
        BaseUnit::Seconds => BaseUnit::Seconds,
        BaseUnit::Bytes => BaseUnit::Bytes,
        BaseUnit::Celsius => BaseUnit::Celsius,
        BaseUnit::Ratio => BaseUnit::Ratio,
        BaseUnit::Volts => BaseUnit::Volts,
        BaseUnit::Amperes => BaseUnit::Amperes,
        BaseUnit::Watts => BaseUnit::Watts,
        BaseUnit::Joules => BaseUnit::Joules,
        BaseUnit::Hertz => BaseUnit::Hertz,
        BaseUnit::Meters => BaseUnit::Meters,
        BaseUnit::Grams => BaseUnit::Grams,
        BaseUnit::Other(name) => {
            check_unit_name(name)?;
            return Ok((Unit::new(BaseUnit::None, unit.per()), Some(name.into())));
        }
        _ => return Err(Quarantine::Unit),
    };
    Ok((Unit::new(base, unit.per()), None))
}

/// Checks that a unit can end the name of a family.
fn check_unit_name(name: &str) -> Result<(), Quarantine> {
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    // These endings have a meaning of their own in the exposition formats.
    let is_suffix =
        matches!(name, "total" | "created" | "bucket" | "sum" | "count" | "info" | "gcount");
    let bad = name.is_empty()
        || name.len() > UNIT_NAME_LEN_MAX
        || !name.bytes().all(is_plain)
        || name.starts_with('_')
        || is_suffix;
    if bad { Err(Quarantine::Unit) } else { Ok(()) }
}

fn owned_labels(descriptor: &Descriptor<'_>) -> Result<OwnedLabels, Quarantine> {
    let mut labels = Vec::with_capacity(descriptor.labels.len());
    for (name, value) in descriptor.labels.iter() {
        labels.push((label_name(name)?, label_value(value)?));
    }
    labels.sort();
    Ok(labels)
}

fn owned_dimensions(descriptor: &Descriptor<'_>) -> Result<OwnedDimensions, Quarantine> {
    let mut dimensions = Vec::with_capacity(descriptor.dimensions.len());
    for i in 0..descriptor.dimensions.len() {
        let (name, len) = descriptor.dimensions.dimension(i).ok_or(Quarantine::Malformed)?;
        let mut values = Vec::new();
        for index in 0..len.min(CELLS_MAX) {
            let value = descriptor.dimensions.value(i, index).ok_or(Quarantine::Malformed)?;
            values.push(label_value(value)?);
        }
        let mut sorted: Vec<_> = values.iter().collect();
        sorted.sort();
        if sorted.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(Quarantine::LabelValue);
        }
        dimensions.push((label_name(name)?, values));
    }
    Ok(dimensions)
}

fn label_name(name: &str) -> Result<Box<str>, Quarantine> {
    match check_label_name(name) {
        Ok(()) => Ok(name.into()),
        Err(NameError::Reserved) => exported(name),
        Err(error) => Err(Quarantine::LabelName(error)),
    }
}

fn label_value(value: &str) -> Result<Box<str>, Quarantine> {
    if value.len() > LABEL_VALUE_LEN_MAX { Err(Quarantine::LabelValue) } else { Ok(value.into()) }
}

/// Renames a label that exporters need for themselves, as Prometheus does on a scrape.
fn exported(name: &str) -> Result<Box<str>, Quarantine> {
    debug_assert!(RESERVED_LABELS.contains(&name) || name.starts_with("__"));
    let renamed = format!("exported_{}", name.trim_start_matches('_'));
    check_label_name(&renamed).map_err(Quarantine::LabelName)?;
    Ok(renamed.into())
}

/// One entry of a dictionary: its bytes, and what they say if they pass the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The body as received; what is forwarded, compared and hashed.
    body: Box<[u8]>,
    meaning: Result<Arc<Description>, Quarantine>,
}

impl Entry {
    /// Checks a received entry; `None` if it is too long to keep.
    #[must_use]
    pub fn new(body: &[u8], descriptor: Option<&Descriptor<'_>>) -> Option<Self> {
        if body.len() > ENTRY_LEN_MAX {
            return None;
        }
        let meaning = match descriptor {
            Some(descriptor) => Description::check(descriptor).map(Arc::new),
            None => Err(Quarantine::Malformed),
        };
        Some(Self { body: body.into(), meaning })
    }

    /// Returns the body as received.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns what the entry says.
    ///
    /// # Errors
    ///
    /// Why the metric is in quarantine.
    pub fn description(&self) -> Result<&Arc<Description>, Quarantine> {
        self.meaning.as_ref().map_err(|reason| *reason)
    }

    /// Returns the memory this entry takes, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.body.len()
            + self.meaning.as_ref().map_or(0, |description| description.size_bytes())
    }
}

#[cfg(test)]
mod tests {
    use tapes_core::metric::{BaseUnit, Descriptor, Kind, Labels, Unit};

    use super::{Entry, Quarantine};

    fn meaning(descriptor: &Descriptor<'_>) -> Result<Vec<String>, Quarantine> {
        let entry = Entry::new(b"body", Some(descriptor)).expect("short enough");
        entry.description().map(|d| d.labels().iter().map(|(n, v)| format!("{n}={v}")).collect())
    }

    /// One duplicate or bad label makes Prometheus drop the scrape of every device.
    #[test]
    fn hostile_entries_are_quarantined_with_a_reason() {
        let long = "x".repeat(300);
        let plain = Descriptor::new("a.b", Kind::Counter, Unit::NONE);
        let bad_unit = |name| Descriptor { unit: Unit::new(BaseUnit::Other(name), 1), ..plain };
        let same = [("a", "1"), ("a", "2")];
        let twice = [("device", "1"), ("exported_device", "2")];
        let space = [("a b", "1")];
        let lengthy = [("a", long.as_str())];
        for (label, descriptor, reason) in [
            ("name", Descriptor { name: "a b", ..plain }, "metric_name"),
            ("dunder", Descriptor { name: "__name__", ..plain }, "metric_name"),
            ("help", Descriptor { help: &long, ..plain }, "help"),
            ("unit", bad_unit("Se conds"), "unit"),
            ("unit suffix", bad_unit("total"), "unit"),
            ("label twice", Descriptor { labels: Labels::new(&same), ..plain }, "duplicate_label"),
            ("renamed", Descriptor { labels: Labels::new(&twice), ..plain }, "duplicate_label"),
            ("label name", Descriptor { labels: Labels::new(&space), ..plain }, "label_name"),
            ("value", Descriptor { labels: Labels::new(&lengthy), ..plain }, "label_value"),
        ] {
            let result = meaning(&descriptor).map_err(Quarantine::reason);
            assert_eq!(result, Err(reason), "{label}");
        }
        assert_eq!(Entry::new(b"?", None).unwrap().description(), Err(Quarantine::Malformed));
        assert_eq!(Entry::new(&[0; 16_385], None), None);
    }

    /// A device that set `device` would speak for another one.
    #[test]
    fn reserved_labels_are_renamed_and_sorted() {
        let labels = [("le", "0.5"), ("axis", "x"), ("device", "e601"), ("__x", "y")];
        let descriptor = Descriptor {
            labels: Labels::new(&labels),
            ..Descriptor::new("a", Kind::Counter, Unit::NONE)
        };
        let expected = ["axis=x", "exported_device=e601", "exported_le=0.5", "exported_x=y"];
        assert_eq!(meaning(&descriptor).unwrap(), expected);
    }
}
