//! Batches that wait to be sent: bounded, in memory or on disk.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crc::{CRC_32_ISCSI, Crc, Table};

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// Bytes of a file before the batch: its checksum.
const HEAD_LEN: usize = 4;

/// Batches that are kept at most, whatever their size: a directory with more is slow.
const BATCHES_MAX: usize = 100_000;

/// Batches that wait to be sent, the oldest first. When they are too many the oldest are dropped.
///
/// On disk each batch is a file of its own behind a checksum, complete before it has its name: a
/// kill loses nothing that was queued. After a power cut what the system had not written is
/// missing, and what it had written in part is dropped.
#[derive(Debug)]
pub struct Queue {
    place: Place,
    /// Number and length of each batch.
    index: VecDeque<(u64, u64)>,
    bytes: u64,
    bytes_max: u64,
    next: u64,
    /// What is kept beside the batches, as it was when the queue was opened.
    noted: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Place {
    Memory(VecDeque<Vec<u8>>),
    Disk {
        directory: PathBuf,
        /// Locked while this queue is there.
        _lock: File,
    },
}

impl Queue {
    /// Returns an empty queue of `bytes_max` bytes at most that ends with the process.
    #[must_use]
    pub const fn in_memory(bytes_max: u64) -> Self {
        let place = Place::Memory(VecDeque::new());
        Self { place, index: VecDeque::new(), bytes: 0, bytes_max, next: 0, noted: None }
    }

    /// Opens the queue in a directory, with what waits there; makes the directory if it is not
    /// there, for its owner only. It takes `bytes_max` bytes of files at most.
    ///
    /// # Errors
    ///
    /// Those of the system; [`io::ErrorKind::WouldBlock`] if another process uses it.
    pub fn on_disk(directory: impl AsRef<Path>, bytes_max: u64) -> io::Result<Self> {
        let directory = directory.as_ref().to_owned();
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(&directory)?;
        let lock = options().create(true).open(directory.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
            fs::TryLockError::Error(error) => error,
        })?;
        let mut index = Vec::new();
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.ends_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            } else if let Some(number) = number_of(name) {
                index.push((number, entry.metadata()?.len()));
            }
        }
        index.sort_unstable();
        let next = index.last().map_or(0, |(number, _)| number.saturating_add(1));
        let bytes = index.iter().map(|(_, len)| len).sum();
        let noted = read(&directory, NOTE, NOTE_LEN_MAX);
        let place = Place::Disk { directory, _lock: lock };
        Ok(Self { place, index: index.into(), bytes, bytes_max, next, noted })
    }

    /// Returns the number of batches that wait, and their bytes.
    #[must_use]
    pub fn len(&self) -> (u64, u64) {
        (self.index.len() as u64, self.bytes)
    }

    /// Returns whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Returns whether a batch finds room without another one being dropped.
    #[must_use]
    pub fn has_room(&self, batch: &[u8]) -> bool {
        let len = (batch.len() + HEAD_LEN) as u64;
        self.bytes.saturating_add(len) <= self.bytes_max && self.index.len() < BATCHES_MAX
    }

    /// Keeps something of the sender's beside the batches, in place of what was kept before.
    pub(super) fn note(&mut self, note: &[u8]) -> io::Result<()> {
        match &self.place {
            Place::Memory(_) => Ok(()),
            Place::Disk { directory, .. } => write(directory, NOTE, note),
        }
    }

    /// Returns what was kept beside the batches when the queue was opened.
    pub(super) fn noted(&self) -> Option<&[u8]> {
        self.noted.as_deref()
    }

    /// Adds a batch, and drops the oldest while there are too many. Returns how many were dropped;
    /// a batch that alone is too large is one of them.
    ///
    /// # Errors
    ///
    /// Those of the disk; the batch is not in the queue then.
    pub fn push(&mut self, batch: Vec<u8>) -> io::Result<u64> {
        let len = (batch.len() + HEAD_LEN) as u64;
        if len > self.bytes_max {
            return Ok(1);
        }
        let mut dropped = 0;
        while self.bytes + len > self.bytes_max || self.index.len() >= BATCHES_MAX {
            let Some((number, _)) = self.index.front().copied() else { break };
            self.remove(number);
            dropped += 1;
        }
        let number = self.next;
        match &mut self.place {
            Place::Memory(batches) => batches.push_back(batch),
            Place::Disk { directory, .. } => write(directory, &name_of(number), &batch)?,
        }
        self.next += 1;
        self.index.push_back((number, len));
        self.bytes += len;
        Ok(dropped)
    }

    /// Returns the oldest batch and its number, `None` if there is none. The first value is how many
    /// were dropped because they are damaged or cannot be read.
    pub fn front(&mut self) -> (u64, Option<(u64, Vec<u8>)>) {
        let mut damaged = 0;
        while let Some((number, _)) = self.index.front().copied() {
            let batch = match &self.place {
                Place::Memory(batches) => batches.front().cloned(),
                Place::Disk { directory, .. } => read(directory, &name_of(number), self.bytes_max),
            };
            if let Some(batch) = batch {
                return (damaged, Some((number, batch)));
            }
            self.remove(number);
            damaged += 1;
        }
        (damaged, None)
    }

    /// Removes the oldest batch if it still has this number.
    pub fn remove(&mut self, number: u64) {
        let Some((_, len)) = self.index.pop_front_if(|(front, _)| *front == number) else { return };
        self.bytes = self.bytes.saturating_sub(len);
        match &mut self.place {
            Place::Memory(batches) => drop(batches.pop_front()),
            // One that stays is sent again after a restart, which does no harm.
            Place::Disk { directory, .. } => {
                drop(fs::remove_file(directory.join(name_of(number))));
            }
        }
    }
}

/// How names of files end that are not complete.
const UNFINISHED: &str = ".new";

/// Name of the file beside the batches.
const NOTE: &str = "sent";

/// Bytes of that file that are read.
const NOTE_LEN_MAX: u64 = 256 << 20;

fn name_of(number: u64) -> String {
    format!("{number:016x}")
}

fn number_of(name: &str) -> Option<u64> {
    let is_number = name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u64::from_str_radix(name, 16).ok()).flatten()
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn write(directory: &Path, name: &str, batch: &[u8]) -> io::Result<()> {
    let unfinished = directory.join(format!("{name}{UNFINISHED}"));
    let mut file = options().create(true).truncate(true).open(&unfinished)?;
    let written = file
        .write_all(&CRC.checksum(batch).to_le_bytes())
        .and_then(|()| file.write_all(batch))
        .and_then(|()| fs::rename(&unfinished, directory.join(name)));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Returns a batch, `None` if it cannot be read or is damaged.
fn read(directory: &Path, name: &str, len_max: u64) -> Option<Vec<u8>> {
    let file = File::open(directory.join(name)).ok()?;
    let mut bytes = Vec::new();
    file.take(len_max).read_to_end(&mut bytes).ok()?;
    let (crc, batch) = bytes.split_first_chunk::<HEAD_LEN>()?;
    (u32::from_le_bytes(*crc) == CRC.checksum(batch)).then(|| batch.to_vec())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::Queue;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("tapes-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn take(queue: &mut Queue) -> Option<Vec<u8>> {
        let (_, front) = queue.front();
        let (number, batch) = front?;
        queue.remove(number);
        Some(batch)
    }

    /// A disk that fills up while the receiver is away ends more than metrics.
    #[test]
    fn the_oldest_give_way_and_are_counted() {
        let scratch = Scratch::new("queue-bound");
        for mut queue in [Queue::in_memory(30), Queue::on_disk(&scratch.0, 30).unwrap()] {
            assert_eq!(queue.push(vec![1; 6]).unwrap(), 0);
            assert_eq!(queue.push(vec![2; 6]).unwrap(), 0);
            assert_eq!(queue.len(), (2, 20));
            assert_eq!(queue.push(vec![3; 26]).unwrap(), 2, "it takes all of the room");
            assert_eq!(queue.push(vec![4; 27]).unwrap(), 1, "it never fits");
            assert_eq!(take(&mut queue), Some(vec![3; 26]));
            assert_eq!((take(&mut queue), queue.len()), (None, (0, 0)));
        }
    }

    /// What waits when the process ends is what an outage was about.
    #[test]
    fn what_waits_outlives_the_process_and_damage_stays_alone() {
        let scratch = Scratch::new("queue-restart");
        let mut queue = Queue::on_disk(&scratch.0, 1_000).unwrap();
        for n in 0..5u8 {
            queue.push(vec![n; 10]).unwrap();
        }
        assert!(Queue::on_disk(&scratch.0, 1_000).is_err(), "another process uses it");
        assert_eq!(take(&mut queue), Some(vec![0; 10]));
        drop(queue);
        fs::write(scratch.0.join("0000000000000009.new"), b"half").unwrap();
        fs::write(scratch.0.join("0000000000000002"), b"1234damaged").unwrap();
        fs::write(scratch.0.join("0000000000000003"), b"12").unwrap();
        let mut queue = Queue::on_disk(&scratch.0, 1_000).unwrap();
        assert_eq!(queue.len().0, 4);
        assert_eq!(take(&mut queue), Some(vec![1; 10]));
        let (damaged, front) = queue.front();
        assert_eq!((damaged, front.map(|(_, batch)| batch)), (2, Some(vec![4; 10])));
        assert_eq!(queue.push(vec![5; 10]).unwrap(), 0);
        assert_eq!((take(&mut queue), take(&mut queue)), (Some(vec![4; 10]), Some(vec![5; 10])));
        let left: Vec<_> = fs::read_dir(&scratch.0).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "the lock alone: {left:?}");
    }

    /// A batch cut at any byte must never be sent.
    #[test]
    fn a_cut_file_is_no_batch() {
        let scratch = Scratch::new("queue-cut");
        let mut queue = Queue::on_disk(&scratch.0, 1_000).unwrap();
        queue.push((0..40).collect()).unwrap();
        drop(queue);
        let file = scratch.0.join("0000000000000000");
        let whole = fs::read(&file).unwrap();
        for cut in 0..whole.len() {
            fs::write(&file, &whole[..cut]).unwrap();
            let mut queue = Queue::on_disk(&scratch.0, 1_000).unwrap();
            assert_eq!(queue.front(), (1, None), "cut at {cut}");
        }
    }
}
