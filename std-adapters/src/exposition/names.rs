//! The names that a family takes from all others.

use tapes_core::metric::{Descriptor, Kind};
use tapes_core::text::prometheus::Family;

/// Returns every name that a family takes: its own and those of its series, in any format.
pub(crate) fn names_of(descriptor: &Descriptor<'_>) -> Vec<String> {
    let family = Family::of(descriptor).to_string();
    let suffixed = |base: &str, suffixes: &[&str]| -> Vec<String> {
        suffixes.iter().map(|suffix| format!("{base}{suffix}")).collect()
    };
    match descriptor.kind {
        Kind::Counter | Kind::Meter => {
            let base = family.strip_suffix("_total").unwrap_or(&family);
            suffixed(base, &["", "_total", "_created"])
        }
        Kind::Histogram(_) | Kind::Timer(_) => {
            suffixed(&family, &["", "_bucket", "_count", "_sum", "_created"])
        }
        _ => vec![family],
    }
}
