//! Opening a state file with 100,000 series.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tapes_core::metric::{Kind, Value};
use tapes_std::fleet::Fleet;
use tapes_std::fleet::store::{DiskDirectory, Store, StoreOptions};

use super::memory::fill;
use super::{NOW, fleet};
use crate::Options;
use crate::table::{Limit, Table};
use crate::timing::median_s;

const BOARDS: u64 = 1_000;

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn open(folder: &Path) -> (Store, Fleet) {
    let directory = DiskDirectory::open(folder).expect("it can be used");
    let (store, saved) = Store::open(directory, &StoreOptions::new()).expect("it can be read");
    let limits = *fleet().0.limits();
    let fleet = Fleet::restored(store.node(), limits, saved, NOW, SystemTime::now());
    (store, fleet)
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let name = format!("tapes-bench-state-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    {
        let (mut store, mut fleet) = open(&folder.0);
        let link = fleet.open_link("bench", tapes_std::fleet::LinkKind::Capture).expect("one");
        fill(&mut fleet, link, BOARDS, Kind::Counter, &Value::Unsigned(123_456));
        store.save(&mut fleet, NOW, SystemTime::now()).expect("the disk has room");
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let megabytes = store.stats().file_bytes as f64 / 1e6;
        table.push("state file, 100,000 series", megabytes, "MB", Limit::None);
    }
    let seconds = median_s("restart", options, || (), |()| open(&folder.0));
    table.push("until all is known again, 100,000 series", seconds, "s", Limit::Most(1.0));
    let shown = median_s(
        "first snapshot",
        options,
        || open(&folder.0),
        |(_store, fleet)| fleet.snapshot(NOW),
    );
    table.push("first snapshot of them", shown, "s", Limit::None);
}
