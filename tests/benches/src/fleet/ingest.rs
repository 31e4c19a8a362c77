//! Frames and samples that one core takes in.

use tapes_core::wire::{Body, Deframer, FRAME_LEN_MAX, Feed, Frame};

use super::board::{Board, SAMPLES};
use super::{NOW, fleet};
use crate::Options;
use crate::table::{Limit, Table};
use crate::timing::median_s;

const BOARDS: u32 = 20;
const REPORTS: u64 = 200;

/// Bytes of a line, and what they hold.
struct Stream {
    bytes: Vec<u8>,
    frames: u64,
    samples: u64,
}

/// Returns what boards say that change so many of their metrics each second.
fn stream(changed: u32) -> Stream {
    let mut boards: Vec<_> = (1..=BOARDS).map(Board::new).collect();
    let (mut bytes, mut frames) = (Vec::new(), 0);
    for _ in 0..REPORTS {
        for board in &mut boards {
            board.work(changed);
            frames += board.report(&mut bytes);
        }
    }
    let mut samples = 0;
    each_frame(&bytes, |frame| {
        let frame = Frame::parse(frame).expect("a frame");
        if let Ok(Body::Data(values)) = frame.body() {
            samples += values.count() as u64;
        }
    });
    Stream { bytes, frames, samples }
}

fn each_frame(stream: &[u8], mut f: impl FnMut(&[u8])) {
    let mut deframer = Box::new(Deframer::<FRAME_LEN_MAX>::new());
    let mut rest = stream;
    loop {
        match deframer.feed(rest) {
            Feed::Frame { frame, rest: more } => {
                f(frame);
                rest = more;
            }
            Feed::Consumed => return,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    // The limit is for reports in which everything changed: there samples outweigh frames.
    let least = Limit::Least(5e6);
    for (label, changed, limit) in
        [("100 % changed", SAMPLES, least), ("10 % changed", SAMPLES.div_ceil(10), Limit::None)]
    {
        let Stream { bytes, frames, samples } = stream(changed);
        let seconds =
            median_s(&format!("ingest {changed}"), options, fleet, |(mut fleet, link)| {
                each_frame(&bytes, |frame| {
                    fleet.ingest(link, frame, NOW).expect("it is good");
                });
                fleet
            });
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let (frames, samples, len) = (frames as f64, samples as f64, bytes.len() as f64);
        table.push(&format!("{label}: samples"), samples / seconds, "/s", limit);
        table.push(&format!("{label}: frames"), frames / seconds, "/s", Limit::None);
        table.push(&format!("{label}: bytes"), len / seconds / 1e6, "MB/s", Limit::None);
        table.push(&format!("{label}: samples in a frame"), samples / frames, "", Limit::None);
    }
}
