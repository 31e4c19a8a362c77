//! Declared groups: metrics whose names, offsets and descriptions are computed at compile time.

use core::ops::ControlFlow;

use super::bytes::Writer;
use super::description::{self, Description, Entries};
use super::descriptor::{BITS_ABSOLUTE, Descriptor, Labels};
use super::dimension::{CELLS_MAX, DIMENSIONS_MAX, Dimension, Dimensions};
use super::distribution::{Distribution, histogram_words};
use super::gauge::stored_value;
use super::kind::Kind;
use super::sample::{Sample, Value};
use super::storage::Run;

/// Returns the words that a metric of `kind` takes, for one lane.
pub(crate) const fn words_of(kind: Kind) -> usize {
    match kind.buckets() {
        Some(buckets) => histogram_words(buckets.len),
        None => 1,
    }
}

/// Reads the live value of a metric.
pub(crate) fn live_value<'r>(kind: Kind, run: Run<'r>) -> Value<'r> {
    if let Some(buckets) = kind.buckets() {
        return Value::Distribution(Distribution::live(buckets, run));
    }
    let adds_up = matches!(kind, Kind::Counter | Kind::Meter | Kind::UpDown);
    stored_value(kind, if adds_up { run.total(0) } else { run.set() })
}

/// A view of a declared group: its entries in flash and its words.
///
/// [`metrics!`](crate::metrics) makes these; they are small and `Copy`, and readers take them as
/// they are or in arrays: `static SOURCES: [Group; 2] = [MOTOR.group(), RADIO.group()];`.
///
/// ```
/// use tapes_core::{Group, metrics};
///
/// metrics! {
///     static MOTOR: MotorMetrics = "motor" { loops: Counter, queue: UpDown }
/// }
/// metrics! {
///     static RADIO: RadioMetrics = "radio" { sent: Counter }
/// }
/// // A source without a registry in the image.
/// static SOURCES: [Group<'static>; 2] = [MOTOR.group(), RADIO.group()];
/// assert_eq!((SOURCES[0].metrics(), SOURCES[0].words()), (2, 2));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Group<'r> {
    declaration: &'static Declaration,
    /// The words of all metrics, in the order of the entries, without gaps.
    run: Run<'r>,
}

/// What is constant of a group: its entries, and how to read them.
#[doc(hidden)]
#[derive(Debug)]
pub struct Declaration {
    /// The bytes that DICT frames send, made by [`encode`].
    entries: &'static [u8],
    /// Number of entries.
    metrics: u32,
    /// Reads the number of metrics of a family; `None` if there are no families. A pointer, so that
    /// an image without any is linked without it.
    family: Option<fn(&[u8]) -> u32>,
    /// Writes entries without their help; `None` if there is no help.
    #[cfg(feature = "wire")]
    write: Option<description::Write>,
}

impl Declaration {
    /// Returns what describes a group with these entries, as [`encode`] makes them.
    #[must_use]
    pub const fn new(entries: &'static [u8], declared: &[Declared]) -> Self {
        let (mut families, mut help) = (false, false);
        let mut i = 0;
        while i < declared.len() {
            families |= !declared[i].dimensions.is_empty();
            help |= !trim_start(declared[i].help).is_empty();
            i += 1;
        }
        #[cfg(not(feature = "wire"))]
        let _ = help;
        Self {
            entries,
            metrics: metrics(declared),
            family: if families { Some(description::family) } else { None },
            #[cfg(feature = "wire")]
            write: if help { Some(description::write_encoded) } else { None },
        }
    }

    /// Reads the number of metrics of a family, 0 for a single one, in the body of an entry.
    fn family(&self, body: &[u8]) -> u32 {
        self.family.map_or(0, |read| read(body))
    }
}

impl<'r> Group<'r> {
    /// Returns a group from its description and the words that it describes.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(declaration: &'static Declaration, run: Run<'r>) -> Self {
        Self { declaration, run }
    }

    /// Returns the number of metrics.
    #[must_use]
    pub const fn metrics(&self) -> u32 {
        self.declaration.metrics
    }

    /// Returns the number of storage words, of one lane.
    #[must_use]
    pub const fn words(&self) -> usize {
        self.run.len()
    }

    /// Returns the words of all metrics.
    #[doc(hidden)]
    #[must_use]
    pub const fn run(&self) -> Run<'r> {
        self.run
    }

    /// Returns whether this is a view of the same words.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.run.is(&other.run)
    }

    #[cfg(feature = "wire")]
    /// Returns a hash of the entries: groups of the same names, kinds and buckets have the same.
    pub(crate) fn layout_hash(&self) -> u32 {
        // FNV-1a.
        self.declaration
            .entries
            .iter()
            .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
    }

    #[cfg(feature = "wire")]
    /// Sets all words to zero; nobody may record meanwhile.
    pub(crate) fn clear(&self) {
        self.run.clear();
    }

    #[cfg(feature = "wire")]
    /// Repairs sums that a reset caught in the middle of a carry; nobody may record meanwhile.
    pub(crate) fn repair(&self) {
        let mut rest = self.run;
        for body in Entries::new(self.declaration.entries) {
            let kind = description::kind(body);
            for _ in 0..self.declaration.family(body).max(1) {
                let run;
                (run, rest) = rest.split(words_of(kind));
                if kind.buckets().is_some() {
                    run.repair_sum();
                }
            }
        }
    }

    /// Calls `visitor` for every metric.
    pub(crate) fn visit_all<'s>(
        &self,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()>
    where
        'r: 's,
    {
        self.visit_from(0, &mut Place::default(), visitor)
    }

    /// Calls `visitor` for every metric from `from` on, where the first of the group is at `place`,
    /// and moves that behind the group.
    #[expect(clippy::cast_possible_truncation, reason = "storage is far below 2^32")]
    pub(crate) fn visit_from<'s>(
        &self,
        from: u32,
        place: &mut Place,
        visitor: &mut dyn FnMut(Sample<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()>
    where
        'r: 's,
    {
        let behind = place.id.wrapping_add(self.metrics());
        if from >= behind {
            place.id = behind;
            place.word = place.word.wrapping_add(self.words() as u32);
            return ControlFlow::Continue(());
        }
        let mut rest = self.run;
        for body in Entries::new(self.declaration.entries) {
            let kind = description::kind(body);
            let family = self.declaration.family(body);
            let words = words_of(kind);
            for cell in 0..family.max(1) {
                let run;
                (run, rest) = rest.split(words);
                if place.id >= from {
                    visitor(Sample {
                        id: place.id,
                        cell,
                        family,
                        word: place.word,
                        kind,
                        description: Description::encoded(
                            body,
                            #[cfg(feature = "wire")]
                            self.declaration.write,
                        ),
                        value: live_value(kind, run),
                    })?;
                }
                place.word = place.word.wrapping_add(words as u32);
            }
            place.id = place.id.wrapping_add(1);
        }
        ControlFlow::Continue(())
    }
}

/// Where a metric is in its source.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) id: u32,
    /// Words before it, of one lane.
    pub(crate) word: u32,
}

/// A declared group as its struct: implemented by [`metrics!`](crate::metrics).
pub trait Metrics {
    /// Returns the view that readers take.
    fn group(&self) -> Group<'static>;
}

/// What a metric of a declared group is, while everything is still being computed.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    pub name: &'static str,
    pub help: &'static str,
    pub spec: super::spec::Spec,
    pub dimensions: &'static [Dimension<'static>],
}

impl Declared {
    const fn descriptor(&self, labels: Labels<'static>) -> Descriptor<'static> {
        Descriptor {
            bits: BITS_ABSOLUTE,
            kind: self.spec.kind(),
            unit: self.spec.unit(),
            name: self.name,
            help: trim_start(self.help),
            labels,
            dimensions: Dimensions::new(self.dimensions),
        }
    }

    /// Returns the words of all cells, for one lane.
    const fn words(&self) -> usize {
        words_of(self.spec.kind()) * Dimensions::new(self.dimensions).cells() as usize
    }

    const fn check(&self) {
        if let Err(error) = crate::name::check_metric_name(self.name) {
            panic!("{}", error.reason());
        }
        assert!(self.help.len() <= crate::name::HELP_LEN_MAX, "help is longer than HELP_LEN_MAX");
        assert!(self.dimensions.len() <= DIMENSIONS_MAX, "more labels than DIMENSIONS_MAX");
        let cells = Dimensions::new(self.dimensions).cells();
        assert!(cells > 0, "a label needs at least one value");
        assert!(cells <= CELLS_MAX, "more combinations of labels than CELLS_MAX");
        let mut i = 0;
        while i < self.dimensions.len() {
            if let Err(error) = crate::name::check_label_name(self.dimensions[i].name) {
                panic!("{}", error.reason());
            }
            i += 1;
        }
    }
}

const fn trim_start(text: &str) -> &str {
    match text.as_bytes() {
        [b' ', ..] => text.split_at(1).1,
        _ => text,
    }
}

/// Returns the number of metrics.
#[expect(clippy::cast_possible_truncation, reason = "a group is written out in a program")]
const fn metrics(declared: &[Declared]) -> u32 {
    declared.len() as u32
}

/// Returns the words of all metrics together.
#[doc(hidden)]
#[must_use]
pub const fn total_words(declared: &[Declared]) -> usize {
    offset(declared, declared.len())
}

/// Returns the buckets of the longest histogram or timer; 0 without any.
#[doc(hidden)]
#[must_use]
pub const fn most_buckets(declared: &[Declared]) -> u32 {
    let (mut most, mut i) = (0, 0);
    while i < declared.len() {
        if let Some(buckets) = declared[i].spec.kind().buckets()
            && buckets.len > most
        {
            most = buckets.len;
        }
        i += 1;
    }
    most
}

/// Returns the words before metric `index`.
#[doc(hidden)]
#[must_use]
pub const fn offset(declared: &[Declared], index: usize) -> usize {
    let mut words = 0;
    let mut i = 0;
    while i < index {
        words += declared[i].words();
        i += 1;
    }
    words
}

/// Returns the run of the metric named `name`.
#[doc(hidden)]
#[must_use]
pub const fn run_of<'r>(declared: &[Declared], all: Run<'r>, name: &str) -> Run<'r> {
    let mut i = 0;
    while !crate::name::same(declared[i].name.as_bytes(), name.as_bytes()) {
        i += 1;
    }
    all.run(offset(declared, i), declared[i].words())
}

/// Returns the bytes of all entries together, and checks everything there is to check.
///
/// # Panics
///
/// At compile time, when used in a constant, for a name or label that is not allowed.
#[doc(hidden)]
#[must_use]
pub const fn entries_len(declared: &[Declared], labels: Labels<'static>) -> usize {
    let mut len = 0;
    let mut i = 0;
    while i < declared.len() {
        let metric = &declared[i];
        metric.check();
        len += metric.descriptor(labels).entry_len();
        i += 1;
    }
    len
}

/// Encodes all entries.
///
/// # Panics
///
/// At compile time, when used in a constant with an `N` that is not [`entries_len`].
#[doc(hidden)]
#[must_use]
pub const fn encode<const N: usize>(declared: &[Declared], labels: Labels<'static>) -> [u8; N] {
    let mut bytes = [0; N];
    let mut out = Writer::new(&mut bytes);
    let mut i = 0;
    while i < declared.len() {
        declared[i].descriptor(labels).write_entry(&mut out);
        i += 1;
    }
    assert!(matches!(out.finish(), Some(len) if len == N), "N must be entries_len");
    bytes
}

/// Checks the labels of a group.
///
/// # Panics
///
/// At compile time, when used in a constant, for a label that is not allowed.
#[doc(hidden)]
#[must_use]
pub const fn checked_labels(labels: &'static [(&'static str, &'static str)]) -> Labels<'static> {
    assert!(labels.len() <= super::descriptor::LABELS_MAX, "more labels than LABELS_MAX");
    let mut i = 0;
    while i < labels.len() {
        if let Err(error) = crate::name::check_label_name(labels[i].0) {
            panic!("{}", error.reason());
        }
        assert!(
            labels[i].1.len() <= crate::name::LABEL_VALUE_LEN_MAX,
            "a label's value is longer than LABEL_VALUE_LEN_MAX"
        );
        i += 1;
    }
    Labels::new(labels)
}
