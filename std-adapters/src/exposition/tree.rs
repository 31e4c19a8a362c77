//! Parts of a JSON tree, from leaves in the order of their names.

use std::fmt::{self, Write as _};

use tapes_core::metric::{Descriptor, Distribution, Value};
use tapes_core::rates::RateReading;
use tapes_core::statistics::{Statistics, Summary};
use tapes_core::text::json::TreeWriter;

use crate::recent::RecentReading;

/// One metric at its place in a tree.
pub(crate) trait Leaf {
    /// Returns the place: segments joined by dots.
    fn path(&self) -> &str;

    /// Writes the metric at another place.
    fn write<'n>(&'n self, tree: &mut TreeWriter<'_, 'n>, path: &'n str) -> fmt::Result;
}

/// Writes a metric that the tree does not have yet. Quantiles of a histogram or timer that was
/// watched lately are those of its window; those of all values and the decayed ones are beside them.
pub(crate) fn write_lately<'n>(
    tree: &mut TreeWriter<'_, 'n>,
    descriptor: &Descriptor<'n>,
    value: &Value<'_>,
    rates: Option<RateReading>,
    recent: Option<&RecentReading>,
) -> fmt::Result {
    let (Value::Distribution(distribution), Some(recent)) = (value, recent) else {
        return tree.metric(descriptor, 0, value, rates);
    };
    let RecentReading { seconds, window, rate, decayed } = recent;
    write_without_quantiles(tree, descriptor, value, rates)?;
    write_quantiles(tree, "", window.as_ref())?;
    let of_window = |read: fn(&Summary) -> f64| window.as_ref().map_or(f64::NAN, read);
    tree.f64("window_seconds", *seconds)?;
    tree.u64("window_count", window.as_ref().map_or(0, |window| window.count))?;
    tree.f64("window_rate", if *seconds > 0.0 { *rate } else { f64::NAN })?;
    tree.f64("window_mean", of_window(|window| window.mean))?;
    tree.f64("window_max", of_window(|window| window.max))?;
    write_quantiles(tree, "decayed_", decayed.as_ref())?;
    write_lifetime(tree, distribution, descriptor)
}

/// As [`write_lately`], without what changes all the time and people do not look at: quantiles, and
/// the seconds that the window covers, whole.
#[cfg(feature = "http")]
pub(crate) fn write_watched<'n>(
    tree: &mut TreeWriter<'_, 'n>,
    descriptor: &Descriptor<'n>,
    value: &Value<'_>,
    rates: Option<RateReading>,
    recent: Option<&RecentReading>,
) -> fmt::Result {
    let (Value::Distribution(distribution), Some(recent)) = (value, recent) else {
        return tree.metric(descriptor, 0, value, rates);
    };
    write_without_quantiles(tree, descriptor, value, rates)?;
    write_quantiles(tree, "", recent.window.as_ref())?;
    tree.f64("window_seconds", recent.seconds.ceil())?;
    write_lifetime(tree, distribution, descriptor)
}

fn write_without_quantiles<'n>(
    tree: &mut TreeWriter<'_, 'n>,
    descriptor: &Descriptor<'n>,
    value: &Value<'_>,
    rates: Option<RateReading>,
) -> fmt::Result {
    tree.set_statistics(Statistics::ALL.without(Statistics::QUANTILES));
    let written = tree.metric(descriptor, 0, value, rates);
    tree.set_statistics(Statistics::ALL);
    written
}

fn write_lifetime(
    tree: &mut TreeWriter<'_, '_>,
    distribution: &Distribution<'_>,
    descriptor: &Descriptor<'_>,
) -> fmt::Result {
    let lifetime = Summary::of(distribution, descriptor.unit);
    write_quantiles(tree, "lifetime_", (lifetime.count > 0).then_some(&lifetime))
}

/// Writes quantiles, of nothing as `null`.
fn write_quantiles(
    tree: &mut TreeWriter<'_, '_>,
    prefix: &str,
    summary: Option<&Summary>,
) -> fmt::Result {
    let unknown = [f64::NAN; 6];
    let values = summary.map_or(unknown, |s| [s.q50, s.q75, s.q95, s.q98, s.q99, s.q999]);
    let keys = ["q50", "q75", "q95", "q98", "q99", "q999"];
    keys.iter().zip(values).try_for_each(|(key, value)| tree.f64(&format!("{prefix}{key}"), value))
}

/// Appends the part of the tree below `path`, all of it for an empty path. Returns false, and
/// appends nothing, if there is none. The leaves are in the order of a tree.
pub(crate) fn write_part<L: Leaf>(
    leaves: &[L],
    path: &[&str],
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let Some((last, parents)) = path.split_last() else {
        let mut tree = TreeWriter::new(out)?;
        leaves.iter().try_for_each(|leaf| leaf.write(&mut tree, leaf.path()))?;
        tree.finish()?;
        return Ok(true);
    };
    let mut prefix = String::new();
    parents.iter().try_for_each(|parent| write!(prefix, "{parent}."))?;
    // Names below the last segment, which stays, so that the wanted part is under one key.
    let wanted: Vec<_> = leaves
        .iter()
        .filter_map(|leaf| Some((leaf, leaf.path().strip_prefix(&prefix)?)))
        .filter(|(_, rest)| rest.split('.').next() == Some(*last))
        .collect();
    if wanted.is_empty() {
        return Ok(false);
    }
    let mut whole = String::new();
    let mut tree = TreeWriter::new(&mut whole)?;
    wanted.iter().try_for_each(|(leaf, rest)| leaf.write(&mut tree, rest))?;
    tree.finish()?;
    // `{"last":` … `}`; the key is looked for behind its closing quote, since it may need escapes.
    let mut key = String::new();
    TreeWriter::new(&mut key).and_then(|mut tree| tree.open(last))?;
    let begin = key.len().saturating_sub(1);
    let part = whole.get(begin..whole.len().saturating_sub(1)).ok_or(fmt::Error)?;
    out.push_str(part);
    Ok(true)
}
