//! The state on disk: a receiver that is killed goes on where it was.
//!
//! A [`Store`] owns one file in a [`Directory`] of its own. What a fleet learned is appended to it
//! before anything that depends on it is shown, so whatever was shown is known after a kill at any
//! moment, and no total goes back. When the file has grown it is written anew, beside, and put in
//! place at once. `docs/state.md` describes the bytes, the promises and what to do with damage.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use tapes_std::fleet::store::{MemoryDirectory, Store, StoreOptions};
//! use tapes_std::fleet::{Fleet, Limits};
//!
//! let disk = MemoryDirectory::new();
//! let (now, wall) = (Duration::ZERO, SystemTime::UNIX_EPOCH);
//! let (mut store, saved) = Store::open(disk.clone(), &StoreOptions::new())?;
//! let mut fleet = Fleet::restored(store.node(), Limits::default(), saved, now, wall);
//! // Frames come in, then something is to be shown:
//! store.save(&mut fleet, now, wall)?;
//! # drop(store);
//! let (store, saved) = Store::open(disk, &StoreOptions::new())?;
//! assert!(saved.state().is_empty());
//! # Ok::<(), tapes_std::fleet::store::StoreError>(())
//! ```
//!
//! # Limits
//!
//! One process for each directory. The file takes at most twice what the state does, and 4 MiB;
//! it is read as a whole at the start.

mod codec;
mod directory;
mod error;
mod file;
mod line;
mod machine;
mod memory;
mod options;
mod read;
mod rewrite;
mod write;

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

pub use self::directory::{Directory, DiskDirectory, StateFile};
pub use self::error::StoreError;
pub use self::memory::MemoryDirectory;
pub use self::options::{StoreOptions, StoreStats};
pub use self::read::Saved;

pub(super) use self::write::BatchWriter;

use self::rewrite::Rewrite;

use super::Fleet;
use super::identity::NodeId;
use super::persist::Batch;

use self::file::{BadHeader, Batches, End, HEADER_LEN, Header};

/// Name of the file.
pub const STATE_NAME: &str = "state";

/// Bytes of changes after which the file is written anew, if the state itself is smaller.
const CHANGES_MIN: u64 = 4 << 20;

/// Bytes of changes that are kept while they cannot be written; then the whole state is.
const UNWRITTEN_MAX: usize = 4 << 20;

/// The state file, open.
#[derive(Debug)]
pub struct Store {
    directory: Box<dyn Directory>,
    file: Box<dyn StateFile>,
    header: Header,
    /// Identity of this machine; may differ from the file's until it is written anew.
    machine: u64,
    /// Number of the next batch.
    next: u64,
    /// Bytes of the file that are whole.
    len: u64,
    /// Bytes of the header and the first batch.
    whole_len: u64,
    /// Whether there may be something behind the whole bytes.
    torn: bool,
    /// Contents of batches that could not be written yet.
    unwritten: Vec<Vec<u8>>,
    /// Whether only the whole state tells everything.
    incomplete: bool,
    /// The rewrite under way, by its nonce, and the contents of batches since it began.
    since: Option<(u64, Vec<Vec<u8>>)>,
    /// Why the last write failed.
    trouble: Option<String>,
    durable: bool,
    /// See [`CHANGES_MIN`].
    changes_min: u64,
    /// See [`UNWRITTEN_MAX`].
    unwritten_max: usize,
    stats: StoreStats,
}

impl Store {
    /// Opens the state of a directory, or begins one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`], [`StoreError::Newer`] and [`StoreError::OtherMachine`] if the file
    /// cannot be used, which then is as it was; [`StoreError::Io`].
    pub fn open(
        directory: impl Directory + 'static,
        options: &StoreOptions,
    ) -> Result<(Self, Saved), StoreError> {
        Self::open_boxed(Box::new(directory), options)
    }

    fn open_boxed(
        mut directory: Box<dyn Directory>,
        options: &StoreOptions,
    ) -> Result<(Self, Saved), StoreError> {
        let path = directory.shown(STATE_NAME);
        let io = |action| {
            let path = path.clone();
            move |source| StoreError::Io { action, path, source }
        };
        let Some(mut file) = directory.open(STATE_NAME).map_err(io("open"))? else {
            return Self::begin(directory, new_node(), options, Saved::default());
        };
        let bytes = file.read().map_err(io("read"))?;
        let (header, opened) = match open_bytes(&bytes, &path) {
            Ok(opened) => opened,
            Err(damaged @ StoreError::Damaged { .. }) if !options.salvage => return Err(damaged),
            Err(StoreError::Damaged { .. }) => {
                set_aside(directory.as_mut(), &bytes).map_err(io("copy"))?;
                let saved = Saved::default();
                return Self::begin(directory, new_node(), options, saved);
            }
            Err(error) => return Err(error),
        };
        let is_moved =
            header.machine != 0 && options.machine != 0 && header.machine != options.machine;
        if is_moved && !options.moved {
            return Err(StoreError::OtherMachine { path });
        }
        if let Some(at) = opened.damaged_at {
            if !options.salvage {
                return Err(StoreError::Damaged { path, at });
            }
            set_aside(directory.as_mut(), &bytes).map_err(io("copy"))?;
            return Self::begin(directory, header.node, options, opened.saved);
        }
        let cut = (bytes.len() as u64).saturating_sub(opened.len);
        if cut > 0 {
            file.truncate(opened.len).map_err(io("cut"))?;
        }
        let store = Self {
            directory,
            file,
            header,
            machine: options.machine,
            next: opened.next,
            len: opened.len,
            whole_len: opened.whole_len,
            torn: false,
            unwritten: Vec::new(),
            incomplete: is_moved || (header.machine == 0 && options.machine != 0),
            since: None,
            trouble: None,
            durable: options.durable,
            changes_min: CHANGES_MIN,
            unwritten_max: UNWRITTEN_MAX,
            stats: StoreStats { cut_bytes: cut, ..StoreStats::default() },
        };
        Ok((store, opened.saved))
    }

    /// Writes a file with what is known, and opens it.
    fn begin(
        mut directory: Box<dyn Directory>,
        node: NodeId,
        options: &StoreOptions,
        saved: Saved,
    ) -> Result<(Self, Saved), StoreError> {
        let header = Header { node, machine: options.machine, nonce: random() };
        let mut rewrite = Rewrite::new(directory.as_mut(), header, saved.to_bytes(node))?;
        rewrite.write()?;
        rewrite.put_in_place(directory.as_mut())?;
        let store = Self {
            directory,
            machine: options.machine,
            next: 1,
            len: rewrite.len(),
            whole_len: rewrite.len(),
            torn: false,
            unwritten: Vec::new(),
            incomplete: false,
            since: None,
            trouble: None,
            durable: options.durable,
            changes_min: CHANGES_MIN,
            unwritten_max: UNWRITTEN_MAX,
            stats: StoreStats { rewrites: 1, bytes: rewrite.len(), ..StoreStats::default() },
            header,
            file: rewrite.into_file(),
        };
        Ok((store, saved))
    }

    /// Returns the name of the receiver whose state this is.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.header.node
    }

    /// Returns what was written so far.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        StoreStats {
            file_bytes: self.len,
            is_saved: self.unwritten.is_empty() && !self.incomplete,
            ..self.stats
        }
    }

    /// Saves what a fleet learned since this was called last, and writes the file anew when it is
    /// time to.
    ///
    /// Once this returned, what the fleet shows survives a kill of the process; with
    /// [`with_durable`](StoreOptions::with_durable) a loss of power too. `now` is the fleet's
    /// monotonic time, `wall` the time of day.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`]; what was not written is kept and tried again next time.
    pub fn save(
        &mut self,
        fleet: &mut Fleet,
        now: Duration,
        wall: SystemTime,
    ) -> Result<(), StoreError> {
        let batch = fleet.take_batch(now, wall);
        let whole = self.whole_if_needed(&batch, || fleet.whole(now, wall));
        self.write(batch, whole)?;
        if !self.wants_rewrite() {
            return Ok(());
        }
        let result = self.rewrite(fleet.whole(now, wall));
        self.note(&result);
        result
    }

    /// Returns the whole state if a batch alone does not say everything.
    pub(in crate::fleet) fn whole_if_needed(
        &self,
        batch: &Batch,
        whole: impl FnOnce() -> Vec<u8>,
    ) -> Option<Vec<u8>> {
        (self.incomplete || !batch.is_complete).then(whole)
    }

    /// Writes a batch, or the whole state if that is needed.
    pub(in crate::fleet) fn write(
        &mut self,
        batch: Batch,
        whole: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let result = match whole {
            Some(whole) => {
                self.incomplete = true;
                self.unwritten.clear();
                self.rewrite(whole)
            }
            None => self.append(batch.content, false),
        };
        self.note(&result);
        result
    }

    /// Returns why the last write failed, `None` if it did not.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    pub(in crate::fleet) fn note(&mut self, result: &Result<(), StoreError>) {
        self.stats.failures += u64::from(result.is_err());
        self.trouble = result.as_ref().err().map(ToString::to_string);
    }

    /// Appends a batch and those before it that could not be written; nothing if there is nothing
    /// to say, unless it is a mark.
    fn append(&mut self, content: Vec<u8>, is_mark: bool) -> Result<(), StoreError> {
        if content.is_empty() && !is_mark {
            if self.unwritten.is_empty() {
                return Ok(());
            }
            return self.write_unwritten();
        }
        if let Some((_, since)) = &mut self.since {
            since.push(content.clone());
        }
        self.unwritten.push(content);
        self.write_unwritten()
    }

    fn write_unwritten(&mut self) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        for (number, content) in (self.next..).zip(&self.unwritten) {
            // None is longer than 4 GiB, which is more than the state may take.
            let _ = self.header.put_batch(&mut bytes, number, content);
        }
        if let Err(source) = self.append_bytes(&bytes) {
            if bytes.len() > self.unwritten_max {
                self.unwritten.clear();
                self.incomplete = true;
            }
            let path = self.directory.shown(STATE_NAME);
            return Err(StoreError::Io { action: "write", path, source });
        }
        self.next += self.unwritten.len() as u64;
        self.unwritten.clear();
        Ok(())
    }

    fn append_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.torn {
            self.file.truncate(self.len)?;
            self.torn = false;
        }
        self.torn = true;
        self.file.append(bytes)?;
        if self.durable {
            self.file.sync()?;
        }
        self.torn = false;
        self.len += bytes.len() as u64;
        self.stats.writes += 1;
        self.stats.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Marks an orderly end and waits for the disk: what is behind damage before the mark is known
    /// to be missing.
    ///
    /// A failure is noted like any other.
    pub fn close(&mut self) {
        let mut result = Ok(());
        if self.unwritten.is_empty() && !self.incomplete && self.len > self.whole_len {
            result = self.append(Vec::new(), true);
        }
        let synced = self.file.sync().map_err(|source| {
            let path = self.directory.shown(STATE_NAME);
            StoreError::Io { action: "sync", path, source }
        });
        self.note(&result.and(synced));
    }

    fn rewrite(&mut self, whole: Vec<u8>) -> Result<(), StoreError> {
        let mut rewrite = self.begin_rewrite(whole)?;
        let written = rewrite.write();
        self.end_rewrite(rewrite, written)
    }

    /// Returns whether the file has grown so much that it should be written anew.
    #[must_use]
    pub fn wants_rewrite(&self) -> bool {
        let changes = self.len.saturating_sub(self.whole_len);
        self.since.is_none() && (self.incomplete || changes > self.whole_len.max(self.changes_min))
    }

    /// Begins to write the file anew. Batches go on being appended to the present one meanwhile.
    pub(in crate::fleet) fn begin_rewrite(
        &mut self,
        whole: Vec<u8>,
    ) -> Result<Rewrite, StoreError> {
        let header = Header { machine: self.machine, nonce: random(), ..self.header };
        let rewrite = Rewrite::new(self.directory.as_mut(), header, whole)?;
        // One that is under way is given up: its file is gone, and it will not be put in place.
        self.since = Some((header.nonce, Vec::new()));
        Ok(rewrite)
    }

    /// Puts a file that was written anew in the place of the present one, with the batches that
    /// came meanwhile; or goes on with the present one.
    pub(in crate::fleet) fn end_rewrite(
        &mut self,
        mut rewrite: Rewrite,
        written: Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let nonce = rewrite.header().nonce;
        let Some((_, since)) = self.since.take_if(|(under_way, _)| *under_way == nonce) else {
            return Ok(());
        };
        written?;
        let whole_len = rewrite.len();
        rewrite.append(1, &since, self.durable)?;
        rewrite.put_in_place(self.directory.as_mut())?;
        self.header = rewrite.header();
        self.next = 1 + since.len() as u64;
        (self.len, self.whole_len, self.torn) = (rewrite.len(), whole_len, false);
        self.unwritten.clear();
        self.incomplete = false;
        self.stats.rewrites += 1;
        self.stats.bytes += rewrite.len();
        self.file = rewrite.into_file();
        Ok(())
    }
}

/// What a file says.
struct Opened {
    saved: Saved,
    next: u64,
    /// Bytes of the batches that were read.
    len: u64,
    whole_len: u64,
    damaged_at: Option<u64>,
}

fn open_bytes(bytes: &[u8], path: &str) -> Result<(Header, Opened), StoreError> {
    let path = || path.to_owned();
    let header = Header::read(bytes).map_err(|bad| match bad {
        BadHeader::Damaged => StoreError::Damaged { path: path(), at: 0 },
        BadHeader::Newer(version) => StoreError::Newer { path: path(), version },
    })?;
    let mut batches = Batches::new(header, bytes);
    let mut opened = Opened {
        saved: Saved::default(),
        next: 0,
        len: HEADER_LEN as u64,
        whole_len: 0,
        damaged_at: None,
    };
    while let Some(content) = batches.next() {
        if opened.saved.read(content, header.node).is_err() {
            opened.damaged_at = Some(opened.len);
            return Ok((header, opened));
        }
        opened.len = (bytes.len() - batches.left()) as u64;
        opened.next = batches.next_number();
        if opened.whole_len == 0 {
            opened.whole_len = opened.len;
        }
    }
    // The first batch was there before the file got its name.
    let is_damaged = opened.whole_len == 0 || batches.end() == End::Damaged;
    opened.damaged_at = is_damaged.then_some(opened.len);
    Ok((header, opened))
}

/// Keeps a copy of a damaged file.
fn set_aside(directory: &mut dyn Directory, bytes: &[u8]) -> std::io::Result<()> {
    for number in 1u32.. {
        let name = format!("{STATE_NAME}.damaged-{number}");
        if directory.open(&name)?.is_none() {
            let mut copy = directory.create(&name)?;
            copy.append(bytes)?;
            return copy.sync();
        }
    }
    Ok(())
}

pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Returns a state file of these batches, the first of which is the whole state, with right
/// checksums: for tests and fuzzers, which look at what a file says.
///
/// ```
/// use tapes_std::fleet::store::{MemoryDirectory, STATE_NAME, Store, StoreOptions, file_of};
///
/// let disk = MemoryDirectory::new();
/// disk.set_contents(STATE_NAME, &file_of(&[b"", b"\xff"]));
/// assert!(Store::open(disk, &StoreOptions::new()).is_err(), "there is no such line");
/// ```
#[must_use]
pub fn file_of(batches: &[&[u8]]) -> Vec<u8> {
    let header = Header { node: NodeId([1; 16]), machine: 0, nonce: 0x7461_7065_7321 };
    let mut file = header.to_bytes();
    for (number, content) in (0..).zip(batches) {
        // A slice of 4 GiB would be left out.
        let _ = header.put_batch(&mut file, number, content);
    }
    file
}

/// Returns a name for a receiver that no other one has.
#[must_use]
pub fn new_node() -> NodeId {
    let mut id = [0; 16];
    let (left, right) = id.split_at_mut(8);
    left.copy_from_slice(&random().to_be_bytes());
    right.copy_from_slice(&random().to_be_bytes());
    NodeId(id)
}

#[cfg(test)]
mod tests;
