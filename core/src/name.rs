//! Names: what a metric and a label may be called.
//!
//! A metric name is one or more *segments* joined by dots, `motor.loop_time`; each segment is made
//! of ASCII letters, digits, `_` and `-`. Declared names are checked at compile time, dynamic ones
//! at registration, received ones when a dictionary arrives: by the same functions.

use core::fmt;

/// Longest name of a metric, in bytes.
///
/// A dictionary entry must fit a device's frame, and 200 is what the narrowest receiver
/// (`DogStatsD`) takes with a prefix.
pub const NAME_LEN_MAX: usize = 128;

/// Longest name of a label, in bytes.
pub const LABEL_NAME_LEN_MAX: usize = 64;

/// Longest value of a label, in bytes.
pub const LABEL_VALUE_LEN_MAX: usize = 128;

/// Longest help text, in bytes.
pub const HELP_LEN_MAX: usize = 256;

/// Why a name cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty; give it at least one segment.
    Empty,
    /// The name is longer than its limit; shorten it.
    TooLong,
    /// A segment is empty (`a..b`, a leading or trailing dot); remove the dot.
    EmptySegment,
    /// A character is not allowed; use ASCII letters, digits, `_` and (in metric names) `-`.
    Character,
    /// The name begins with a digit, which Prometheus would change; begin it with a letter.
    LeadingDigit,
    /// The name begins with `__` or is one that exporters need for themselves; choose another.
    Reserved,
    /// The template has no `{}`, or more than one; give it exactly one.
    Template,
}

impl NameError {
    /// Returns the reason in a few words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Empty => "name is empty",
            Self::TooLong => "name is too long",
            Self::EmptySegment => "name has an empty segment",
            Self::Character => "name has a character that is not allowed",
            Self::LeadingDigit => "name begins with a digit",
            Self::Reserved => "name is reserved",
            Self::Template => "template needs exactly one {}",
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for NameError {}

/// Label names that exporters add or interpret; a metric may not carry them itself.
pub const RESERVED_LABELS: [&str; 5] = ["device", "le", "quantile", "job", "instance"];

/// Checks the name of a metric; loops over its bytes once.
///
/// ```
/// use tapes_core::name::{NameError, check_metric_name};
/// assert_eq!(check_metric_name("motor.loop_time"), Ok(()));
/// assert_eq!(check_metric_name("motor..loop_time"), Err(NameError::EmptySegment));
/// ```
///
/// # Errors
///
/// See [`NameError`].
pub const fn check_metric_name(name: &str) -> Result<(), NameError> {
    check(name.as_bytes(), NAME_LEN_MAX, true)
}

/// Checks the name of a label, reserved names included; loops over its bytes once.
///
/// ```
/// use tapes_core::name::{NameError, check_label_name};
///
/// assert_eq!(check_label_name("axis"), Ok(()));
/// assert_eq!(check_label_name(""), Err(NameError::Empty));
/// assert!(check_label_name("le").is_err()); // Prometheus' own
/// ```
///
/// # Errors
///
/// See [`NameError`].
pub const fn check_label_name(name: &str) -> Result<(), NameError> {
    let mut i = 0;
    while i < RESERVED_LABELS.len() {
        if same(name.as_bytes(), RESERVED_LABELS[i].as_bytes()) {
            return Err(NameError::Reserved);
        }
        i += 1;
    }
    check(name.as_bytes(), LABEL_NAME_LEN_MAX, false)
}

const fn check(name: &[u8], len_max: usize, metric: bool) -> Result<(), NameError> {
    let Some((first, rest)) = name.split_first() else { return Err(NameError::Empty) };
    if name.len() > len_max {
        return Err(NameError::TooLong);
    }
    if first.is_ascii_digit() {
        return Err(NameError::LeadingDigit);
    }
    if *first == b'_' && matches!(rest.first(), Some(b'_')) {
        return Err(NameError::Reserved);
    }
    let mut bytes = name;
    let mut segment_is_empty = true;
    while let Some((byte, tail)) = bytes.split_first() {
        match *byte {
            b'.' if metric && segment_is_empty => return Err(NameError::EmptySegment),
            b'.' if metric => segment_is_empty = true,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => segment_is_empty = false,
            b'-' if metric => segment_is_empty = false,
            _ => return Err(NameError::Character),
        }
        bytes = tail;
    }
    if segment_is_empty { Err(NameError::EmptySegment) } else { Ok(()) }
}

/// Compares bytes at compile time too.
pub(crate) const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let (mut a, mut b) = (a, b);
    while let (Some((x, a_tail)), Some((y, b_tail))) = (a.split_first(), b.split_first()) {
        if *x != *y {
            return false;
        }
        (a, b) = (a_tail, b_tail);
    }
    true
}

/// Returns whether `branch` is a proper ancestor of `name`: `a` of `a.b`.
pub(crate) fn is_branch_of(branch: &str, name: &str) -> bool {
    name.strip_prefix(branch).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::{NameError, check_label_name, check_metric_name, is_branch_of};

    /// A name that slips through here breaks an exporter for every other metric.
    #[test]
    fn metric_names_are_checked_character_by_character() {
        let long = "a".repeat(128);
        for (name, expected) in [
            ("a", Ok(())),
            ("motor.loop_time", Ok(())),
            ("Motor.loop-time.2", Ok(())),
            ("_a", Ok(())),
            (long.as_str(), Ok(())),
            ("", Err(NameError::Empty)),
            (".", Err(NameError::EmptySegment)),
            (".a", Err(NameError::EmptySegment)),
            ("a.", Err(NameError::EmptySegment)),
            ("a..b", Err(NameError::EmptySegment)),
            ("9a", Err(NameError::LeadingDigit)),
            ("__name__", Err(NameError::Reserved)),
            ("a b", Err(NameError::Character)),
            ("a:b", Err(NameError::Character)),
            ("µs", Err(NameError::Character)),
            ("a\n", Err(NameError::Character)),
        ] {
            assert_eq!(check_metric_name(name), expected, "{name:?}");
        }
        assert_eq!(check_metric_name(&"a".repeat(129)), Err(NameError::TooLong));
    }

    /// A device that could set `device` would speak for another one.
    #[test]
    fn reserved_labels_are_refused() {
        assert_eq!(check_label_name("axis"), Ok(()));
        assert_eq!(check_label_name("axis-x"), Err(NameError::Character));
        assert_eq!(check_label_name("a.b"), Err(NameError::Character));
        for name in ["device", "le", "quantile", "job", "instance", "__x"] {
            assert_eq!(check_label_name(name), Err(NameError::Reserved), "{name}");
        }
    }

    /// `ab` is no child of `a`.
    #[test]
    fn branches_end_at_dots() {
        assert!(is_branch_of("a", "a.b"));
        assert!(!is_branch_of("a", "ab"));
        assert!(!is_branch_of("a", "a"));
    }
}
