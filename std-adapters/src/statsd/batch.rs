//! The datagrams of one report: whole lines, packed as they come.

use std::ops::Range;

use super::baselines::Commit;

/// The datagrams of a report, and which counts each brings up to date.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// All of them end to end.
    bytes: Vec<u8>,
    commits: Vec<Commit>,
    datagrams: Vec<Datagram>,
    /// Longest datagram.
    len_max: usize,
}

#[derive(Debug, Clone)]
struct Datagram {
    bytes: Range<usize>,
    commits: Range<usize>,
}

impl Batch {
    pub(super) fn new(len_max: usize) -> Self {
        Self { len_max, ..Self::default() }
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.commits.clear();
        self.datagrams.clear();
    }

    /// Appends a line, no longer than a datagram, to the last datagram or a new one.
    pub(super) fn push(&mut self, line: &str, commit: Option<Commit>) {
        let start = self.bytes.len();
        match self.datagrams.last_mut() {
            Some(last) if last.bytes.len() + 1 + line.len() <= self.len_max => {
                self.bytes.push(b'\n');
                last.bytes.end = start + 1 + line.len();
            }
            _ => {
                let commits = self.commits.len()..self.commits.len();
                self.datagrams.push(Datagram { bytes: start..start + line.len(), commits });
            }
        }
        self.bytes.extend_from_slice(line.as_bytes());
        if let (Some(commit), Some(last)) = (commit, self.datagrams.last_mut()) {
            self.commits.push(commit);
            last.commits.end += 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.datagrams.len()
    }

    pub(super) fn payload(&self, i: usize) -> &[u8] {
        self.datagrams.get(i).and_then(|it| self.bytes.get(it.bytes.clone())).unwrap_or_default()
    }

    pub(super) fn commits(&self, i: usize) -> &[Commit] {
        let commits = self.datagrams.get(i).and_then(|it| self.commits.get(it.commits.clone()));
        commits.unwrap_or_default()
    }

    /// Returns the bytes of the datagrams from `i` on.
    pub(super) fn bytes_from(&self, i: usize) -> usize {
        let start = self.datagrams.get(i).map_or(self.bytes.len(), |it| it.bytes.start);
        self.bytes.len() - start
    }
}

#[cfg(test)]
mod tests {
    use super::super::baselines::Baselines;
    use super::Batch;

    /// A line that is cut, or a datagram that is too long, is lost; a commit in the wrong datagram
    /// loses or doubles counts.
    #[test]
    fn lines_are_packed_whole_and_commits_stay_with_them() {
        let mut batch = Batch::new(10);
        let commit = |n| Some(Baselines::pending(n, 0, 1));
        for (line, commit) in [
            ("aaaa", commit(1)),
            ("bbbbb", None),
            ("c", commit(2)),
            ("dddddddddd", commit(3)),
            ("e:0\ne:-1", None),
            ("f", commit(4)),
        ] {
            batch.push(line, commit);
        }
        let got: Vec<_> = (0..batch.len())
            .map(|i| (std::str::from_utf8(batch.payload(i)).unwrap(), batch.commits(i).to_vec()))
            .collect();
        let list = |numbers: &[usize]| numbers.iter().filter_map(|n| commit(*n)).collect();
        let expected: [(&str, Vec<_>); 4] = [
            ("aaaa\nbbbbb", list(&[1])),
            ("c", list(&[2])),
            ("dddddddddd", list(&[3])),
            ("e:0\ne:-1\nf", list(&[4])),
        ];
        assert_eq!(got, expected);
        assert_eq!((batch.bytes_from(2), batch.bytes_from(4)), (20, 0));
        batch.clear();
        assert_eq!(batch.len(), 0);
    }
}
