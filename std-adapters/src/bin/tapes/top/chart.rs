//! Charts out of characters.

use super::look::Counts;
use super::past::Moment;

const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const SHADES: [char; 4] = ['░', '▒', '▓', '█'];

/// Returns the last points of a line as bars between the smallest and the largest of them.
pub(super) fn bars(points: &[Option<f64>], width: usize) -> String {
    let shown = points.get(points.len().saturating_sub(width)..).unwrap_or(points);
    let numbers = || shown.iter().copied().flatten();
    let (low, high) = (numbers().fold(f64::MAX, f64::min), numbers().fold(f64::MIN, f64::max));
    let bar = |point: &Option<f64>| {
        let Some(number) = point else { return ' ' };
        let share = if high > low { (number - low) / (high - low) } else { 0.0 };
        step(&EIGHTHS, share)
    };
    let bars: String = shown.iter().map(bar).collect();
    format!("{bars:>width$}")
}

/// Returns the step of a scale for a share of the whole.
fn step(scale: &[char], share: f64) -> char {
    let most = scale.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "0 to a handful"
    )]
    let at = (share.clamp(0.0, 1.0) * most as f64).round() as usize;
    scale.get(at).copied().unwrap_or(' ')
}

/// A distribution over time: for each row of buckets its bounds and its cells.
#[derive(Debug, Default)]
pub(super) struct HeatMap {
    /// From the largest values down: bounds in the base unit, and a character for each moment.
    pub(super) rows: Vec<(f64, f64, String)>,
}

/// Returns which buckets have something, first and last.
fn used(all: &[&Counts]) -> Option<(usize, usize)> {
    let mut range: Option<(usize, usize)> = None;
    for counts in all {
        for (i, _) in counts.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (low, high) = range.unwrap_or((i, i));
            range = Some((low.min(i), high.max(i)));
        }
    }
    range
}

/// Returns groups of neighbouring buckets, `rows` at most, from the largest values down.
fn groups((low, high): (usize, usize), rows: usize) -> Vec<(usize, usize)> {
    let size = (high - low + 1).div_ceil(rows.max(1));
    let starts = (low..=high).step_by(size);
    let mut groups: Vec<_> = starts.map(|start| (start, (start + size - 1).min(high))).collect();
    groups.reverse();
    groups
}

fn sum(counts: &Counts, (first, last): (usize, usize)) -> u64 {
    counts.buckets.get(first..=last).unwrap_or(&[]).iter().fold(0, |a, b| a.saturating_add(*b))
}

fn bounds(counts: &Counts, (first, last): (usize, usize)) -> (f64, f64) {
    let index = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
    (counts.geometry.lower(index(first)), counts.geometry.upper(index(last)))
}

/// Returns the heat map of what was added from moment to moment.
pub(super) fn heat_map(moments: &[&Moment], rows: usize, width: usize) -> HeatMap {
    let added: Vec<_> = moments
        .windows(2)
        .map(|pair| match pair {
            [a, b] => b.counts.as_ref()?.since(a.counts.as_ref()?),
            _ => None,
        })
        .collect();
    let added = added.get(added.len().saturating_sub(width)..).unwrap_or(&added);
    let counts = || added.iter().flatten();
    let Some(range) = used(&counts().collect::<Vec<_>>()) else { return HeatMap::default() };
    let groups = groups(range, rows);
    let most = counts().flat_map(|counts| groups.iter().map(|group| sum(counts, *group))).max();
    let most = logarithm(most.unwrap_or(0));
    let cell = |counts: &Option<Counts>, group| match counts
        .as_ref()
        .map_or(0, |counts| sum(counts, group))
    {
        0 => ' ',
        count => step(&SHADES, logarithm(count) / most),
    };
    let row = |group: &(usize, usize)| {
        let (low, high) = counts().next().map_or((0.0, 0.0), |counts| bounds(counts, *group));
        let cells: String = added.iter().map(|counts| cell(counts, *group)).collect();
        (low, high, format!("{cells:>width$}"))
    };
    HeatMap { rows: groups.iter().map(row).collect() }
}

/// Returns a number that grows with a count, and tells 1 from 2 as 1,000 from 2,000.
fn logarithm(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a shade")]
    let count = count as f64;
    count.ln_1p()
}

/// Returns the buckets of a distribution: bounds, count, and its share of the largest.
pub(super) fn buckets(counts: &Counts, rows: usize) -> Vec<(f64, f64, u64, f64)> {
    let Some(range) = used(&[counts]) else { return Vec::new() };
    let groups = groups(range, rows);
    let most = groups.iter().map(|group| sum(counts, *group)).max().unwrap_or(1).max(1);
    let row = |group: &(usize, usize)| {
        let (low, high) = bounds(counts, *group);
        let count = sum(counts, *group);
        #[expect(clippy::cast_precision_loss, reason = "a length")]
        let share = count as f64 / most as f64;
        (low, high, count, share)
    };
    groups.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::{bars, buckets, groups, heat_map};
    use crate::top::look::tests::look;
    use crate::top::past::Pasts;

    /// A line upside down, or a gap that looks like a value, misleads.
    #[test]
    fn lines_have_bars_and_gaps() {
        for (points, width, expected) in [
            (&[Some(1.0), None, Some(2.0), Some(1.5)][..], 4, "▁ █▅"),
            (&[Some(5.0), Some(5.0)], 4, "  ▁▁"),
            (&[Some(9.0), Some(0.0), Some(1.0)], 2, "▁█"),
            (&[None], 1, " "),
            (&[], 2, "  "),
        ] {
            assert_eq!(bars(points, width), expected, "{points:?}");
        }
    }

    /// Buckets that fall between two rows would be lost.
    #[test]
    fn every_bucket_is_in_one_row() {
        assert_eq!(groups((3, 7), 10), [(7, 7), (6, 6), (5, 5), (4, 4), (3, 3)]);
        assert_eq!(groups((3, 7), 2), [(6, 7), (3, 5)]);
        assert_eq!(groups((0, 0), 0), [(0, 0)]);
        let look_now = look(4);
        let timer = look_now.metrics.iter().find(|metric| metric.counts.is_some()).unwrap();
        let counts = timer.counts.as_ref().unwrap();
        let rows = buckets(counts, 5);
        assert_eq!(rows.iter().map(|row| row.2).sum::<u64>(), 4_004);
        let mut pasts = Pasts::default();
        (0..4).for_each(|seconds| pasts.take(&look(seconds)));
        let map = heat_map(&pasts.of(timer), 30, 5);
        assert_eq!(map.rows.len(), 21);
        assert_eq!((map.rows[0].2.as_str(), map.rows[20].2.as_str()), ("  ░░░", "  ███"));
    }
}
