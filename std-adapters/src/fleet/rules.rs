//! Names, labels and choices of an operator: what devices are called, and which metrics are shown.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use tapes_core::name::{RESERVED_LABELS, check_label_name, check_metric_name};
use tapes_core::text::prometheus::Family;

use super::merged::Merged;
use super::own;
use super::series::SeriesKey;
use super::snapshot::{DeviceSnapshot, Snapshot};
use crate::exposition::names_of;

/// Longest name of a device, in bytes.
const NAME_LEN_MAX: usize = 64;

/// Longest value of a label, in bytes.
const LABEL_VALUE_LEN_MAX: usize = 256;

/// Labels of `tapes_device_info`.
const INFO_LABELS: [&str; 3] = ["uid", "build", "reset_reason"];

/// What a metric's own label gets before it where the operator's has the name.
const EXPORTED: &str = "exported_";

/// Most rules of each kind.
const RULES_MAX: usize = 10_000;

/// Which device a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// The one with this origin, in hexadecimal.
    Uid(String),
    /// The one that was last heard on this serial port, as it was opened.
    Serial(String),
}

/// What a device is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Called {
    name: Option<String>,
    labels: Vec<(String, String)>,
}

/// What an operator wants shown, and how; changes nothing that is counted or kept.
///
/// ```
/// use tapes_std::fleet::rules::{Rules, Which};
/// let mut rules = Rules::new();
/// let labels = vec![("site".to_owned(), "lab".to_owned())];
/// rules.call(Which::Uid("e601".into()), Some("lathe".into()), labels)?;
/// rules.drop("motor.debug.*")?;
/// rules.rename("motor.loops", "spindle.loops")?;
/// assert!(rules.call(Which::Uid("e602".into()), Some("lathe".into()), vec![]).is_err());
/// # Ok::<(), tapes_std::fleet::rules::RuleError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    called: BTreeMap<Which, Called>,
    names: BTreeSet<String>,
    allowed: Vec<String>,
    dropped: Vec<String>,
    renamed: BTreeMap<String, String>,
}

/// Why something is no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleError {
    /// The uid is not 1 to 16 bytes in hexadecimal, in lower case.
    Uid,
    /// There is a rule for this device already.
    Twice,
    /// The name is empty, longer than 64 bytes, or has other characters than letters, digits and
    /// `-_.`
    Name,
    /// The name could be the uid of another device: it has hexadecimal digits only.
    NameIsUid,
    /// Another device has this name.
    NameTaken,
    /// The name of the label is not allowed.
    Label,
    /// The label has a meaning of its own.
    LabelReserved,
    /// The value of the label is empty or longer than 256 bytes.
    LabelValue,
    /// The pattern is empty, or has other characters than names of metrics and `*`.
    Pattern,
    /// The name of the metric is not allowed.
    Metric,
    /// Another metric is renamed to this name, or is renamed itself.
    MetricTaken,
    /// There are more than 10,000 rules.
    TooMany,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uid => "not a uid; give 1 to 16 bytes in hexadecimal, as in the label device",
            Self::Twice => "there is a rule for this device already",
            Self::Name => "not a name; give 1 to 64 letters, digits, and any of -_.",
            Self::NameIsUid => "a name of hexadecimal digits could be a uid; add another letter",
            Self::NameTaken => "another device has this name",
            Self::Label => "not a name of a label; give letters, digits and _",
            Self::LabelReserved => "this label has a meaning of its own; use another name",
            Self::LabelValue => "not a value of a label; give 1 to 256 bytes",
            Self::Pattern => "not a pattern; give a name of metrics, with * for any part of it",
            Self::Metric => "not a name of a metric; give segments joined by dots",
            Self::MetricTaken => "another metric is renamed to this, or it is renamed itself",
            Self::TooMany => "more than 10000 rules",
        })
    }
}

impl std::error::Error for RuleError {}

impl Rules {
    /// Returns rules that change nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a device a name, and labels that all of its metrics get.
    ///
    /// # Errors
    ///
    /// [`RuleError`]; nothing has changed then.
    pub fn call(
        &mut self,
        which: Which,
        name: Option<String>,
        labels: Vec<(String, String)>,
    ) -> Result<(), RuleError> {
        if let Which::Uid(uid) = &which
            && !is_uid(uid)
        {
            return Err(RuleError::Uid);
        }
        if self.called.contains_key(&which) {
            return Err(RuleError::Twice);
        }
        if self.called.len() >= RULES_MAX {
            return Err(RuleError::TooMany);
        }
        if let Some(name) = &name {
            check_device_name(name)?;
            if self.names.contains(name) {
                return Err(RuleError::NameTaken);
            }
        }
        labels.iter().try_for_each(|(name, value)| check_label(name, value))?;
        self.names.extend(name.clone());
        self.called.insert(which, Called { name, labels });
        Ok(())
    }

    /// Shows metrics whose dotted names match the pattern, and of all others only those that
    /// another such pattern matches. `*` stands for any part of a name.
    ///
    /// # Errors
    ///
    /// [`RuleError::Pattern`], [`RuleError::TooMany`].
    pub fn allow(&mut self, pattern: &str) -> Result<(), RuleError> {
        add_pattern(&mut self.allowed, pattern)
    }

    /// Hides metrics whose dotted names match the pattern, whatever is allowed.
    ///
    /// # Errors
    ///
    /// [`RuleError::Pattern`], [`RuleError::TooMany`].
    pub fn drop(&mut self, pattern: &str) -> Result<(), RuleError> {
        add_pattern(&mut self.dropped, pattern)
    }

    /// Shows a metric under another dotted name, of any device. Where that is not free, it keeps
    /// its own, and `tapes_names_withheld` counts it.
    ///
    /// # Errors
    ///
    /// [`RuleError::Metric`], [`RuleError::MetricTaken`], [`RuleError::TooMany`].
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), RuleError> {
        if [old, new].iter().any(|name| check_metric_name(name).is_err()) {
            return Err(RuleError::Metric);
        }
        let is_taken = self.renamed.contains_key(old)
            || self.renamed.contains_key(new)
            || self.renamed.values().any(|name| name == new || name == old);
        if is_taken || old == new {
            return Err(RuleError::MetricTaken);
        }
        if self.renamed.len() >= RULES_MAX {
            return Err(RuleError::TooMany);
        }
        self.renamed.insert(old.to_owned(), new.to_owned());
        Ok(())
    }

    /// Returns whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn is_shown(&self, metric: &str) -> bool {
        let matches = |patterns: &[String]| patterns.iter().any(|p| is_match(p, metric));
        (self.allowed.is_empty() || matches(&self.allowed)) && !matches(&self.dropped)
    }

    fn called(&self, device: &DeviceSnapshot) -> Option<&Called> {
        let uid = device.uid.split('#').next().unwrap_or_default();
        let by_uid = self.called.get(&Which::Uid(uid.to_owned()));
        by_uid.or_else(|| {
            let port = device.link.as_deref()?.strip_prefix("serial:")?;
            self.called.get(&Which::Serial(port.to_owned()))
        })
    }

    /// Makes a snapshot what it is to be shown as.
    pub(super) fn apply(&self, snapshot: &mut Snapshot) {
        if self.is_empty() {
            return;
        }
        let mut named = HashSet::new();
        for device in &mut snapshot.devices {
            device.series.retain(|series| self.is_shown(&series.key.name));
            let Some(called) = self.called(device) else { continue };
            device.labels.clone_from(&called.labels);
            snapshot.names_withheld += withhold_twice_labelled(device);
            let Some(name) = &called.name else { continue };
            let epoch = device.uid.split_once('#').map(|(_, epoch)| epoch);
            let name = epoch.map_or_else(|| name.clone(), |epoch| format!("{name}#{epoch}"));
            // Two devices that were heard on one port, one after the other: the first has it.
            if named.insert(name.clone()) {
                device.name = name;
            }
        }
        let keys =
            snapshot.devices.iter().flat_map(|d| d.series.iter().map(|s| without_labels(&s.key)));
        let renames = Renames::of(self, keys.collect());
        for device in &mut snapshot.devices {
            for series in &mut device.series {
                let free = renames.of_key(&series.key, self);
                if let Some((name, family)) = free {
                    Arc::make_mut(&mut series.key).name = name.into();
                    series.family = series.family.take().map(|_| family.into());
                }
            }
            device.series.sort_by(|a, b| a.key.cmp(&b.key));
        }
        snapshot.names_withheld += renames.refused;
    }

    /// The same for sums over devices.
    pub(super) fn apply_merged(&self, merged: &mut Vec<Merged>) {
        if self.is_empty() {
            return;
        }
        merged.retain(|series| self.is_shown(&series.key.name));
        let renames =
            Renames::of(self, merged.iter().map(|series| without_labels(&series.key)).collect());
        for series in merged.iter_mut() {
            if let Some((name, family)) = renames.of_key(&series.key, self) {
                Arc::make_mut(&mut series.key).name = name.into();
                series.family = series.family.take().map(|_| family.into());
            }
        }
    }
}

/// The new names that are free, fleet-wide.
#[derive(Debug, Default)]
struct Renames {
    /// Old keys, without labels, and their families.
    free: BTreeMap<SeriesKey, String>,
    refused: usize,
}

impl Renames {
    fn of(rules: &Rules, keys: BTreeSet<SeriesKey>) -> Self {
        if rules.renamed.is_empty() {
            return Self::default();
        }
        let mut taken: HashSet<String> = HashSet::new();
        own::FAMILIES.iter().for_each(|own| taken.extend(names_of(&own.descriptor())));
        keys.iter().for_each(|key| taken.extend(names_of(&key.descriptor())));
        let mut paths: BTreeSet<String> = keys.iter().map(|key| key.name.to_string()).collect();
        let mut renames = Self::default();
        for key in keys {
            let Some(new) = rules.renamed.get(&*key.name) else { continue };
            let renamed = SeriesKey { name: new.as_str().into(), ..key.clone() };
            let (names, own) = (names_of(&renamed.descriptor()), names_of(&key.descriptor()));
            let is_free = |name: &String| !taken.contains(name) || own.contains(name);
            if is_free_path(&paths, new) && names.iter().all(is_free) {
                taken.extend(names);
                paths.insert(new.clone());
                let family = Family::of(&renamed.descriptor()).to_string();
                renames.free.insert(key, family);
            } else {
                renames.refused += 1;
            }
        }
        renames
    }

    fn of_key<'r>(&'r self, key: &SeriesKey, rules: &'r Rules) -> Option<(&'r str, &'r str)> {
        let new = rules.renamed.get(&*key.name)?;
        Some((new, self.free.get(&without_labels(key))?))
    }
}

/// Shows no series that would have a label twice, which spoils a whole page: one whose own label has
/// the name of an operator's, and another that this one is moved to. Returns how many there are.
fn withhold_twice_labelled(device: &mut DeviceSnapshot) -> usize {
    let mut withheld = 0;
    for series in &mut device.series {
        let has = |label: &str| series.key.labels.iter().any(|(name, _)| &**name == label);
        let is_twice =
            |(name, _): &(String, String)| has(name) && has(&format!("{EXPORTED}{name}"));
        if device.labels.iter().any(is_twice) && series.family.take().is_some() {
            withheld += 1;
        }
    }
    withheld
}

fn without_labels(key: &SeriesKey) -> SeriesKey {
    SeriesKey { labels: Vec::new(), ..key.clone() }
}

/// Returns whether a name is neither a leaf nor a branch of the tree that the others are.
fn is_free_path(paths: &BTreeSet<String>, name: &str) -> bool {
    let below = format!("{name}.");
    let is_branch =
        paths.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below));
    let parents = name.match_indices('.').filter_map(|(dot, _)| name.get(..dot));
    !is_branch && !paths.contains(name) && parents.into_iter().all(|p| !paths.contains(p))
}

fn is_uid(text: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len().is_multiple_of(2) && (2..=32).contains(&text.len()) && text.bytes().all(is_hex)
}

fn check_device_name(name: &str) -> Result<(), RuleError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > NAME_LEN_MAX || !name.bytes().all(is_allowed) {
        return Err(RuleError::Name);
    }
    if is_uid(&name.to_ascii_lowercase()) { Err(RuleError::NameIsUid) } else { Ok(()) }
}

fn check_label(name: &str, value: &str) -> Result<(), RuleError> {
    let is_ours = RESERVED_LABELS.contains(&name) || INFO_LABELS.contains(&name);
    // What a metric's own label of the same name is shown as.
    let is_moved = name.starts_with(EXPORTED);
    if name.starts_with("__") || is_ours || is_moved {
        return Err(RuleError::LabelReserved);
    }
    check_label_name(name).map_err(|_| RuleError::Label)?;
    if value.is_empty() || value.len() > LABEL_VALUE_LEN_MAX {
        return Err(RuleError::LabelValue);
    }
    Ok(())
}

fn add_pattern(patterns: &mut Vec<String>, pattern: &str) -> Result<(), RuleError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte);
    if pattern.is_empty() || pattern.len() > 256 || !pattern.bytes().all(is_allowed) {
        return Err(RuleError::Pattern);
    }
    if patterns.len() >= RULES_MAX {
        return Err(RuleError::TooMany);
    }
    patterns.push(pattern.to_owned());
    Ok(())
}

/// Returns whether a name is what a pattern says; takes at most the product of their lengths.
pub(crate) fn is_match(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on if what follows the last star does not fit.
    let mut retry = None;
    loop {
        match (pattern.get(p), name.get(n)) {
            (Some(b'*'), _) => {
                retry = Some((p + 1, n));
                p += 1;
            }
            (Some(expected), Some(byte)) if expected == byte => (p, n) = (p + 1, n + 1),
            (None, None) => return true,
            (_, None) => return false,
            _ => {
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                (p, n) = (after_star, from + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tapes_core::metric::{Descriptor, Kind, Unit, Value};
    use tapes_core::text::prometheus::Format;

    use super::{RuleError, Rules, Which, is_match};
    use crate::clock::TimeSource as _;
    use crate::fleet::Limits;
    use crate::fleet::testing::{Bench, Board};

    fn uid(text: &str) -> Which {
        Which::Uid(text.to_owned())
    }

    /// A pattern that matches more than it says hides an alarm.
    #[test]
    fn stars_stand_for_any_part() {
        for (pattern, name, expected) in [
            ("motor.*", "motor.loops", true),
            ("motor.*", "motor", false),
            ("*", "a", true),
            ("*.time", "motor.loop.time", true),
            ("*.time", "motor.timer", false),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "a.c.b", false),
            ("a", "ab", false),
            ("a**b", "ab", true),
        ] {
            assert_eq!(is_match(pattern, name), expected, "{pattern} {name}");
        }
    }

    /// A name that two devices have merges them on every graph.
    #[test]
    fn rules_that_cannot_be_kept_are_refused() {
        let mut rules = Rules::new();
        let call = |rules: &mut Rules, which: &str, name: &str, label: &str| {
            let labels = vec![(label.to_owned(), "x".to_owned())];
            rules.call(uid(which), Some(name.to_owned()), labels)
        };
        for (which, name, label, expected) in [
            ("e601", "lathe-1", "site", Ok(())),
            ("e601", "other", "site", Err(RuleError::Twice)),
            ("e602", "lathe-1", "site", Err(RuleError::NameTaken)),
            ("E602", "lathe-2", "site", Err(RuleError::Uid)),
            ("e60", "lathe-2", "site", Err(RuleError::Uid)),
            ("e602", "cafe", "site", Err(RuleError::NameIsUid)),
            ("e602", "a/b", "site", Err(RuleError::Name)),
            ("e602", "lathe-2", "device", Err(RuleError::LabelReserved)),
            ("e602", "lathe-2", "__x", Err(RuleError::LabelReserved)),
            ("e602", "lathe-2", "build", Err(RuleError::LabelReserved)),
            ("e602", "lathe-2", "exported_site", Err(RuleError::LabelReserved)),
            ("e602", "lathe-2", "1x", Err(RuleError::Label)),
            ("e602", "lathe-2", "", Err(RuleError::Label)),
            ("e602", "lathe-2", "site", Ok(())),
        ] {
            assert_eq!(call(&mut rules, which, name, label), expected, "{which} {name} {label}");
        }
        assert_eq!(rules.rename("a.b", "c"), Ok(()));
        assert_eq!(rules.rename("x", "c"), Err(RuleError::MetricTaken));
        assert_eq!(rules.rename("c", "y"), Err(RuleError::MetricTaken));
        assert_eq!(rules.rename("a..b", "y"), Err(RuleError::Metric));
        assert_eq!(rules.drop("a b"), Err(RuleError::Pattern));
    }

    fn shown(rules: &Rules) -> (String, String, usize) {
        let mut bench = Bench::new(Limits::default());
        let mut board = Board::new(0xe6, 1);
        let counter = |name| Descriptor::new(name, Kind::Counter, Unit::NONE);
        board.dictionary = ["motor.loops", "motor.faults", "chip.resets"].map(counter).to_vec();
        let values = [0, 1, 2].map(|id| (id, Value::Unsigned(u64::from(id) + 1)));
        bench.feed_all(&[board.hello(), board.dict(), board.data(&values)]);
        let mut snapshot = bench.fleet.snapshot(bench.now);
        rules.apply(&mut snapshot);
        let (mut text, mut json) = (String::new(), String::new());
        let wall = crate::clock::ManualTime::new().wall();
        snapshot.write_metrics(Format::Prometheus, wall, &mut text).unwrap();
        snapshot.write_stats(&[], &mut json).unwrap();
        let ours: Vec<_> = text
            .lines()
            .filter(|line| line.contains("_total{") && !line.starts_with("tapes_"))
            .chain(text.lines().filter(|line| line.starts_with("tapes_device_info")))
            .collect();
        (ours.join("\n"), json, snapshot.names_withheld)
    }

    /// What an operator hides, names or renames must be so on every page.
    #[test]
    fn devices_and_metrics_are_shown_as_it_is_asked_for() {
        let mut rules = Rules::new();
        let labels = vec![("site".to_owned(), "lab \"1\"".to_owned())];
        rules.call(uid("e6"), Some("lathe".to_owned()), labels).unwrap();
        rules.allow("motor.*").unwrap();
        rules.drop("*.faults").unwrap();
        rules.rename("motor.loops", "spindle.turns").unwrap();
        let (text, json, withheld) = shown(&rules);
        assert_eq!(
            text,
            "spindle_turns_total{device=\"lathe\",site=\"lab \\\"1\\\"\"} 1\n\
             tapes_device_info{device=\"lathe\",uid=\"e6\",site=\"lab \\\"1\\\"\",\
             build=\"0000000000000007\",reset_reason=\"power_on\"} 1"
        );
        assert_eq!(json, r#"{"lathe":{"spindle":{"turns":{"value":1}}}}"#);
        assert_eq!(withheld, 0);
    }

    /// Prometheus drops a whole scrape for a label that is there twice, and a board chooses its own.
    #[test]
    fn a_boards_own_labels_never_make_an_operators_one_appear_twice() {
        let mut bench = Bench::new(Limits::default());
        let mut board = Board::new(0xe6, 1);
        let labelled = |name, labels| {
            let labels = tapes_core::metric::Labels::new(labels);
            Descriptor { labels, ..Descriptor::new(name, Kind::Counter, Unit::NONE) }
        };
        board.dictionary = vec![
            labelled("a", &[("site", "1")]),
            labelled("b", &[("exported_site", "2")]),
            labelled("c", &[("exported_site", "3"), ("site", "4")]),
        ];
        let values = [0, 1, 2].map(|id| (id, Value::Unsigned(1)));
        bench.feed_all(&[board.hello(), board.dict(), board.data(&values)]);
        let mut rules = Rules::new();
        rules.call(uid("e6"), None, vec![("site".to_owned(), "lab".to_owned())]).unwrap();
        let mut snapshot = bench.fleet.snapshot(bench.now);
        rules.apply(&mut snapshot);
        let mut text = String::new();
        let wall = crate::clock::ManualTime::new().wall();
        snapshot.write_metrics(Format::Prometheus, wall, &mut text).unwrap();
        let ours: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with('#') && line.contains("exported_site"))
            .collect();
        assert_eq!(
            ours,
            [
                "a_total{device=\"e6\",site=\"lab\",exported_site=\"1\"} 1",
                "b_total{device=\"e6\",site=\"lab\",exported_site=\"2\"} 1",
            ]
        );
        assert_eq!(snapshot.names_withheld, 1);
    }

    /// Prometheus drops a whole scrape for a family that is there twice.
    #[test]
    fn a_new_name_that_is_not_free_is_not_taken() {
        for new in ["chip.resets", "chip", "motor.faults.more", "tapes.device.boots", "chip_resets"]
        {
            let mut rules = Rules::new();
            rules.rename("motor.loops", new).unwrap();
            let (text, _, withheld) = shown(&rules);
            assert!(text.contains("motor_loops_total{device=\"e6\"} 1"), "{new}: {text}");
            assert_eq!((text.matches("chip_resets_total{").count(), withheld), (1, 1), "{new}");
        }
    }
}
