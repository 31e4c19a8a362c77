//! Names and labels as this crate takes them.

use std::collections::BTreeMap;

use tapes_core::metric::LABELS_MAX;
use tapes_core::name::{
    LABEL_NAME_LEN_MAX, LABEL_VALUE_LEN_MAX, RESERVED_LABELS, check_label_name, check_metric_name,
};

/// A name with labels, in an order of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Labelled {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
}

/// Returns the name of a metric, `None` if nothing that can be used is left of it.
pub(super) fn metric_name(name: &str) -> Option<String> {
    let dotted = name.replace("::", ".").replace('/', ".");
    let mut clean = String::new();
    for segment in dotted.split('.').filter(|segment| !segment.is_empty()) {
        if !clean.is_empty() {
            clean.push('.');
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        clean.extend(segment.chars().map(|c| if allowed(c) { c } else { '_' }));
    }
    let clean = usable(clean);
    check_metric_name(&clean).is_ok().then_some(clean)
}

/// Returns a name that begins neither with a digit nor with two underscores.
fn usable(name: String) -> String {
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        return format!("_{name}");
    }
    match name.strip_prefix("__") {
        Some(rest) => format!("_{}", rest.trim_start_matches('_')),
        None => name,
    }
}

/// Returns the labels of a key by name; of two with one name, the first. `None` if there are too
/// many.
pub(super) fn label_set(key: &metrics::Key) -> Option<Vec<(String, String)>> {
    let mut labels = BTreeMap::new();
    for label in key.labels() {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let clean = label.key().chars().map(|c| if allowed(c) { c } else { '_' });
        let mut name = usable(clean.collect());
        if RESERVED_LABELS.contains(&name.as_str()) {
            name.insert_str(0, "exported_");
        }
        let name = cut(&name, LABEL_NAME_LEN_MAX);
        if check_label_name(name).is_ok() {
            let value = cut(label.value(), LABEL_VALUE_LEN_MAX).to_owned();
            labels.entry(name.to_owned()).or_insert(value);
        }
    }
    (labels.len() <= LABELS_MAX).then(|| labels.into_iter().collect())
}

/// Returns as many whole characters of a text as fit some bytes.
pub(super) fn cut(text: &str, len_max: usize) -> &str {
    text.get(..text.floor_char_boundary(len_max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::{cut, metric_name};

    /// A name that is refused is a metric that nobody sees.
    #[test]
    fn names_are_made_usable() {
        for (name, expected) in [
            ("http_requests_total", Some("http_requests_total")),
            ("tokio::runtime.workers", Some("tokio.runtime.workers")),
            ("a//b..c.", Some("a.b.c")),
            ("9 lives", Some("_9_lives")),
            ("___x", Some("_x")),
            ("größe", Some("gr__e")),
            ("::", None),
            ("", None),
            (&"x".repeat(129), None),
        ] {
            assert_eq!(metric_name(name).as_deref(), expected, "{name}");
        }
        assert_eq!((cut("aé", 2), cut("aé", 3), cut("", 9)), ("a", "aé", ""));
    }
}
