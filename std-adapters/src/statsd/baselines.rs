//! What was reported of every count: servers add up, so they are sent what has grown since.

use std::collections::HashMap;

use crate::readings::Reading;

/// Series that may be kept beyond twice those of the last report, before what is gone is forgotten.
const SPARE: usize = 1_024;

/// The counts that were sent last, by series.
#[derive(Debug, Default)]
pub(super) struct Baselines {
    index: HashMap<Box<str>, usize>,
    series: Vec<Sent>,
    /// Number of the report under way.
    report: u64,
    /// Series with counts in the report under way.
    seen: usize,
    /// Kept for its capacity.
    key: String,
}

#[derive(Debug)]
struct Sent {
    counts: Vec<u64>,
    /// The last report that had it.
    report: u64,
}

/// One count that a line brings up to date, once the line is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Commit {
    series: usize,
    slot: usize,
    count: u64,
}

impl Baselines {
    /// Begins a report. No commit of an earlier one may follow.
    pub(super) fn begin(&mut self) {
        if self.series.len() > self.seen.saturating_mul(2).saturating_add(SPARE) {
            self.forget();
        }
        self.report = self.report.wrapping_add(1);
        self.seen = 0;
    }

    /// Drops what was not in the last report.
    fn forget(&mut self) {
        let last = self.report;
        let mut kept = Vec::with_capacity(self.seen);
        let series = std::mem::take(&mut self.series);
        let mut places: Vec<Option<usize>> = Vec::with_capacity(series.len());
        for sent in series {
            let is_kept = sent.report == last;
            places.push(is_kept.then_some(kept.len()));
            if is_kept {
                kept.push(sent);
            }
        }
        self.index.retain(|_, place| match places.get(*place) {
            Some(Some(new)) => {
                *place = *new;
                true
            }
            _ => false,
        });
        self.series = kept;
    }

    /// Returns the place of a series with `slots` counts. If it is new, or its counts have another
    /// number, `first` says what was sent before.
    pub(super) fn series(
        &mut self,
        reading: &Reading<'_>,
        slots: usize,
        first: impl Fn(usize) -> u64,
    ) -> usize {
        self.key.clear();
        for part in [reading.device, reading.descriptor.name] {
            self.key.push_str(part);
            self.key.push('\0');
        }
        for (name, value) in reading.labels() {
            self.key.push_str(name);
            self.key.push('\0');
            self.key.push_str(value);
            self.key.push('\0');
        }
        self.seen = self.seen.saturating_add(1);
        let counts = || (0..slots).map(&first).collect();
        let report = self.report;
        if let Some(place) = self.index.get(self.key.as_str()).copied() {
            if let Some(sent) = self.series.get_mut(place) {
                sent.report = report;
                if sent.counts.len() != slots {
                    sent.counts = counts();
                }
            }
            return place;
        }
        let place = self.series.len();
        self.index.insert(self.key.as_str().into(), place);
        self.series.push(Sent { counts: counts(), report });
        place
    }

    /// Returns what a count has grown by since it was sent. One that has shrunk began anew
    /// somewhere: what it counted unseen is left out.
    pub(super) fn growth(&mut self, series: usize, slot: usize, count: u64) -> u64 {
        let sent = self.series.get_mut(series).and_then(|sent| sent.counts.get_mut(slot));
        let Some(sent) = sent else { return 0 };
        if count < *sent {
            *sent = count;
        }
        count - *sent
    }

    /// Returns what is to be committed when the line with a count is sent.
    pub(super) const fn pending(series: usize, slot: usize, count: u64) -> Commit {
        Commit { series, slot, count }
    }

    /// Takes a count as sent.
    pub(super) fn commit(&mut self, commit: Commit) {
        let sent = self.series.get_mut(commit.series);
        if let Some(sent) = sent.and_then(|sent| sent.counts.get_mut(commit.slot)) {
            *sent = commit.count;
        }
    }
}
