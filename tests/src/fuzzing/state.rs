//! The state file: damaged bytes, and whole batches with any content.

use std::time::{Duration, UNIX_EPOCH};

use tapes_std::exposition::Format;
use tapes_std::fleet::store::{MemoryDirectory, STATE_NAME, Store, StoreError, StoreOptions};
use tapes_std::fleet::{Fleet, Limits};

use super::sealed;

/// Random bits of the file, which its batches carry.
const NONCE: [u8; 8] = *b"\xa7\xb3\xc5\xd9fuzz";

const NOW: Duration = Duration::from_secs(1_000);

/// What is exported is looked at for one input in so many.
const TEXT_TURNS: u8 = 4;

/// An input is batches, each `length ‖ content` with two bytes of length. The same bytes are also
/// taken for a file.
///
/// # Panics
///
/// If a file stops the program, or is another one after it was opened and saved.
pub fn body(data: &[u8]) {
    let _ = opened(data);
    let mut file = header();
    let whole = file.len();
    let (mut rest, mut number) = (data, 0);
    while let Some((len, more)) = rest.split_first_chunk::<2>() {
        let (content, more) = more.split_at(usize::from(u16::from_le_bytes(*len)).min(more.len()));
        file.extend(batch(number, content));
        (rest, number) = (more, number + 1);
    }
    let state = opened(&file);
    // What was under way when the process was killed is cut off.
    let cut = file.len() - data.len() % (file.len() - whole + 1);
    let _ = opened(&file[..cut]);
    let Ok((once, twice)) = state else { return };
    let sum = data.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    if sum.is_multiple_of(TEXT_TURNS) {
        assert_eq!(text(&once), text(&twice), "written and read again");
    }
}

/// Opens a file and writes it anew; then again. What contradicts itself is settled once.
fn opened(file: &[u8]) -> Result<(Fleet, Fleet), StoreError> {
    let disk = MemoryDirectory::new();
    disk.set_contents(STATE_NAME, file);
    rewritten(&disk, 1)?;
    let (_, once) = open(&disk, 1).expect("what was written can be read");
    rewritten(&disk, 2).expect("as above");
    let (_, twice) = open(&disk, 2).expect("as above");
    Ok((once, twice))
}

/// Moves the file to another machine, which writes everything anew.
fn rewritten(disk: &MemoryDirectory, machine: u64) -> Result<(), StoreError> {
    let (mut store, mut fleet) = open(disk, machine)?;
    store.save(&mut fleet, NOW, UNIX_EPOCH)
}

fn open(disk: &MemoryDirectory, machine: u64) -> Result<(Store, Fleet), StoreError> {
    let options = StoreOptions::new().with_machine(machine).with_moved(true);
    let (store, saved) = Store::open(disk.clone(), &options)?;
    let fleet = Fleet::restored(store.node(), Limits::default(), saved, NOW, UNIX_EPOCH);
    Ok((store, fleet))
}

/// Returns what is exported, but for when each device was heard: a file may leave that open.
fn text(fleet: &Fleet) -> Vec<String> {
    let mut text = String::new();
    let snapshot = fleet.snapshot(NOW);
    snapshot.write_metrics(Format::OpenMetrics, UNIX_EPOCH, &mut text).expect("strings grow");
    let heard = "tapes_device_last_seen_timestamp_seconds";
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with(heard));
    lines.map(str::to_owned).collect()
}

fn header() -> Vec<u8> {
    let machine = 7u64.to_le_bytes();
    sealed(&[b"tapes\0st", &1u32.to_le_bytes()[..], &[3; 16], &machine, &NONCE].concat())
}

fn batch(number: u64, content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(content.len()).expect("at most 65,535").to_le_bytes();
    let number = number.to_le_bytes();
    let covered = sealed(&[&NONCE[..], &number, &len, content].concat());
    let (_, crc) = covered.split_at(covered.len() - 4);
    [&NONCE[..4], &number, &len, crc, content].concat()
}
