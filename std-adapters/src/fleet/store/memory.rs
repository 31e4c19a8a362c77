//! A directory in memory, for tests: it fills up, is cut, and is looked at.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::directory::{Directory, StateFile};

type Bytes = Arc<Mutex<Vec<u8>>>;

#[derive(Debug, Default)]
struct Disk {
    files: BTreeMap<String, Bytes>,
    /// Bytes that can still be written, `None` for any number.
    room: Option<usize>,
    /// Whether nothing can be changed.
    read_only: bool,
    written: u64,
    syncs: u64,
}

/// A directory in memory; clones share it, so a store can be dropped as a killed process drops
/// everything, and its files opened again.
///
/// ```
/// use tapes_std::fleet::store::{Directory, MemoryDirectory};
///
/// let mut disk = MemoryDirectory::new();
/// disk.clone().create("state")?.append(b"12345")?;
/// disk.set_room(Some(2));
/// let mut file = disk.open("state")?.expect("it is there");
/// assert!(file.append(b"678").is_err(), "full after two bytes");
/// assert_eq!(disk.contents("state").as_deref(), Some(&b"1234567"[..]));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryDirectory {
    disk: Arc<Mutex<Disk>>,
}

impl MemoryDirectory {
    /// Returns an empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many more bytes can be written: then the disk is full. An append that does not fit
    /// writes what does.
    pub fn set_room(&self, room: Option<usize>) {
        self.disk().room = room;
    }

    /// Sets whether every change fails.
    pub fn set_read_only(&self, read_only: bool) {
        self.disk().read_only = read_only;
    }

    /// Returns the bytes of a file, `None` if there is none.
    #[must_use]
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        self.disk().files.get(name).map(|bytes| lock(bytes).clone())
    }

    /// Puts a file there.
    pub fn set_contents(&self, name: &str, bytes: &[u8]) {
        self.disk().files.insert(name.to_owned(), Arc::new(Mutex::new(bytes.to_vec())));
    }

    /// Returns the names of all files.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.disk().files.keys().cloned().collect()
    }

    /// Returns the number of bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.disk().written
    }

    /// Returns how often somebody waited for the disk.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.disk().syncs
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        lock(&self.disk)
    }

    fn change(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.disk();
        if disk.read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(disk) }
    }
}

impl Directory for MemoryDirectory {
    fn open(&mut self, name: &str) -> io::Result<Option<Box<dyn StateFile>>> {
        let file = self.disk().files.get(name).cloned();
        Ok(file.map(|bytes| -> Box<dyn StateFile> {
            Box::new(MemoryFile { directory: self.clone(), bytes })
        }))
    }

    fn create(&mut self, name: &str) -> io::Result<Box<dyn StateFile>> {
        let bytes = Bytes::default();
        self.change()?.files.insert(name.to_owned(), Arc::clone(&bytes));
        Ok(Box::new(MemoryFile { directory: self.clone(), bytes }))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.change()?;
        let file = disk.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn shown(&self, name: &str) -> String {
        name.to_owned()
    }
}

#[derive(Debug)]
struct MemoryFile {
    directory: MemoryDirectory,
    bytes: Bytes,
}

impl StateFile for MemoryFile {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(lock(&self.bytes).clone())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.directory.change()?;
        let len = disk.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        disk.room = disk.room.map(|room| room - len);
        disk.written += len as u64;
        lock(&self.bytes).extend(bytes.iter().take(len));
        if len < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let _disk = self.directory.change()?;
        lock(&self.bytes).truncate(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.directory.change()?.syncs += 1;
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
