//! StatsD lines in datagrams.

use super::text::TextReporter;
use super::text_syntax::{LINE_LEN, Statsd};
use crate::rates::RateReading;
use crate::snapshot::Source;

impl<const BUCKETS: usize, const CHUNK: usize> TextReporter<Statsd, BUCKETS, CHUNK> {
    /// Returns the next datagram of the report: whole lines, `CHUNK` bytes at most, no line feed at
    /// the end; `None` at the end of the report. Use the same source all the time.
    ///
    /// `CHUNK` is at least 513; 1,432 fit the frames of Ethernet, 8,932 jumbo frames. The two lines
    /// that set a negative gauge travel together. `rates` are as for
    /// [`next_chunk`](Self::next_chunk).
    ///
    /// ```
    /// use tapes_core::report::{Statsd, TextReporter};
    /// use tapes_core::text::statsd::Dialect;
    ///
    /// tapes_core::metrics! {
    ///     static RADIO: RadioMetrics = "radio" { sent: Counter, lost: Counter }
    /// }
    ///
    /// let mut reporter = TextReporter::<_, 0, 1_432>::new(Statsd::new(Dialect::Etsy));
    /// let mut datagrams = Vec::new(); // or a socket
    /// reporter.begin();
    /// while let Some(datagram) = reporter.next_packet(&RADIO, &|_, _| None) {
    ///     datagrams.push(datagram.to_vec());
    /// }
    /// assert_eq!(datagrams, [b"radio.sent.total:0|g\nradio.lost.total:0|g"]);
    /// ```
    ///
    /// Totals lose nothing with a datagram that is lost: the next report has them.
    pub fn next_packet(
        &mut self,
        source: &dyn Source,
        rates: &dyn Fn(u32, u32) -> Option<RateReading>,
    ) -> Option<&[u8]> {
        const { assert!(CHUNK > LINE_LEN, "a datagram needs room for the longest line") };
        loop {
            let (len, cut) = self.fill(source, rates);
            if len == 0 {
                return None;
            }
            let text = self.chunk.get(..len)?;
            // All that is cut off is of the piece that did not fit, and comes again.
            let whole = whole_lines(text, len.saturating_sub(cut));
            self.state.give_back(len.saturating_sub(whole));
            // The line feed that ends what is left of a report that was given up stands alone.
            let (mut from, mut to) = (0, whole);
            while from < to && text.get(from) == Some(&b'\n') {
                from = from.saturating_add(1);
            }
            while from < to && text.get(to.saturating_sub(1)) == Some(&b'\n') {
                to = to.saturating_sub(1);
            }
            if from < to {
                return self.chunk.get(from..to);
            }
        }
    }
}

/// Returns how much of a text is lines that may travel without what follows; from `piece` on it is of a metric that
/// goes on.
fn whole_lines(text: &[u8], piece: usize) -> usize {
    let end_of = |text: &[u8]| {
        text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at.saturating_add(1))
    };
    let end = end_of(text);
    let (whole, cut) = text.split_at_checked(end).unwrap_or((text, &[]));
    // `name:0|g` may be the first of two lines, if what comes next may begin like `name:-`.
    let last = whole.strip_suffix(b"\n").unwrap_or(whole);
    let start = end_of(last);
    let last = last.get(start..).unwrap_or_default();
    let Some(name) = last.strip_suffix(b"0|g") else { return end };
    let second = name.iter().chain(b"-");
    let belongs = cut.iter().zip(second).all(|(a, b)| a == b);
    if belongs && start > 0 && start >= piece { start } else { end }
}

#[cfg(test)]
mod tests {
    use super::whole_lines;

    /// A line would be cut in two, or a negative gauge be taken for a change, if this failed.
    #[test]
    fn what_may_travel_alone() {
        let rows: [(&str, &str); 9] = [
            ("a:1|g\n", "a:1|g\n"),
            ("a:1|g\nb:2", "a:1|g\n"),
            ("a:1|g\nb:0|g\n", "a:1|g\n"),
            ("a:1|g\nb:0|g\nb:-", "a:1|g\n"),
            ("a:1|g\nb:0|g\nb", "a:1|g\n"),
            ("a:1|g\nb:0|g\nb:-7", "a:1|g\n"),
            ("a:1|g\nb:0|g\nb:7", "a:1|g\nb:0|g\n"),
            ("a:1|g\nb:0|g\nbc:-7", "a:1|g\nb:0|g\n"),
            ("a:1|g\nb:10|g\nb:-7", "a:1|g\nb:10|g\n"),
        ];
        for (text, whole) in rows {
            assert_eq!(&text[..whole_lines(text.as_bytes(), 6)], whole, "{text:?}");
        }
        let other = "a:1|g\nb:0|g\nb";
        assert_eq!(whole_lines(other.as_bytes(), 12), 12, "what is whole must not come again");
    }
}
