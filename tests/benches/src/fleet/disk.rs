//! Bytes written in a day.

use std::time::{Duration, SystemTime};

use tapes_core::wire::{Deframer, FRAME_LEN_MAX, Feed};
use tapes_std::fleet::store::{MemoryDirectory, Store, StoreOptions};
use tapes_std::fleet::{Fleet, Limits, LinkKind};

use super::board::{Board, SAMPLES};
use crate::Options;
use crate::table::{Limit, Table};

const BOARDS: u32 = 20;
/// Between scrapes, each of which saves before it shows.
const SCRAPE_S: u64 = 15;
const DAY_S: u64 = 24 * 3_600;

/// Returns the bytes written in so many seconds.
fn written(changed: u32, seconds: u64) -> u64 {
    let disk = MemoryDirectory::new();
    let (mut store, saved) = Store::open(disk.clone(), &StoreOptions::new()).expect("memory");
    let wall = |now| SystemTime::UNIX_EPOCH + now;
    let mut now = Duration::from_secs(1_000);
    let mut fleet = Fleet::restored(store.node(), Limits::default(), saved, now, wall(now));
    let link = fleet.open_link("bench", LinkKind::Socket).expect("the only one");
    let mut boards: Vec<_> = (1..=BOARDS).map(Board::new).collect();
    let mut deframer = Box::new(Deframer::<FRAME_LEN_MAX>::new());
    let mut bytes = Vec::new();
    for second in 0..seconds {
        now += Duration::from_secs(1);
        for board in &mut boards {
            board.work(changed);
            bytes.clear();
            board.report(&mut bytes);
            let mut rest = bytes.as_slice();
            while let Feed::Frame { frame, rest: more } = deframer.feed(rest) {
                fleet.ingest(link, frame, now).expect("it is good");
                rest = more;
            }
        }
        if second % SCRAPE_S == 0 {
            store.save(&mut fleet, now, wall(now)).expect("memory is not full");
        }
    }
    disk.written()
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let seconds = if options.quick { DAY_S / 96 } else { DAY_S / 12 };
    for (label, changed, limit) in [
        ("20 boards, 10 % changed each second", SAMPLES.div_ceil(10), Limit::Most(50.0)),
        ("20 boards, 100 % changed each second", SAMPLES, Limit::None),
    ] {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let megabytes = (written(changed, seconds) * (DAY_S / seconds)) as f64 / 1e6;
        table.push(label, megabytes, "MB/day", limit);
    }
}
