//! Where a state is kept: what a store needs of a file system.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// An open file of a state.
pub trait StateFile: fmt::Debug + Send {
    /// Returns all of it.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn read(&mut self) -> io::Result<Vec<u8>>;

    /// Appends bytes. After this returns they survive the end of the process, not of the machine.
    ///
    /// # Errors
    ///
    /// Those of the system; any part of the bytes may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to its first `len` bytes.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Waits until all of it survives a loss of power.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn sync(&mut self) -> io::Result<()>;
}

/// A directory for one state, in use by one process.
pub trait Directory: fmt::Debug + Send {
    /// Opens a file, `None` if there is none.
    ///
    /// # Errors
    ///
    /// Those of the system, and that it is no plain file.
    fn open(&mut self, name: &str) -> io::Result<Option<Box<dyn StateFile>>>;

    /// Makes an empty file; one of that name is gone then.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn create(&mut self, name: &str) -> io::Result<Box<dyn StateFile>>;

    /// Gives a file another name at once; one that had it is gone then. The name survives a loss
    /// of power when this returns.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Returns the path of a file, for people.
    fn shown(&self, name: &str) -> String;
}

/// A directory of the file system, locked for this process until dropped.
///
/// Made with mode 0700 if it is not there, files with 0600. A file that is a link is refused, and
/// so is a directory that others can write to; the directory itself may be a link, as service
/// managers make them.
#[derive(Debug)]
pub struct DiskDirectory {
    path: PathBuf,
    /// Locked as long as this is open.
    _lock: File,
}

/// The file that is locked; always empty.
const LOCK_NAME: &str = "lock";

impl DiskDirectory {
    /// Opens a directory, which is made if it is not there, and locks it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`], [`StoreError::Unsafe`] and [`StoreError::Io`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let shown = |path: &Path| path.display().to_string();
        let io = |action, at: &Path| {
            let path = shown(at);
            move |source| StoreError::Io { action, path, source }
        };
        make(path).map_err(io("make the directory", path))?;
        let metadata = fs::metadata(path).map_err(io("look at", path))?;
        if !metadata.is_dir() {
            return Err(StoreError::Unsafe { path: shown(path), reason: "it is no directory" });
        }
        if is_open_to_others(&metadata) {
            let reason = "others can write to the directory; close it with: chmod go-w";
            return Err(StoreError::Unsafe { path: shown(path), reason });
        }
        let lock_path = path.join(LOCK_NAME);
        let lock =
            open_plain(&lock_path, options().create(true)).map_err(io("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::Locked { path: shown(path) }),
            Err(fs::TryLockError::Error(source)) => Err(io("lock", &lock_path)(source)),
        }
    }
}

impl Directory for DiskDirectory {
    fn open(&mut self, name: &str) -> io::Result<Option<Box<dyn StateFile>>> {
        match open_plain(&self.path.join(name), &mut options()) {
            Ok(file) => Ok(Some(Box::new(DiskFile(file)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&mut self, name: &str) -> io::Result<Box<dyn StateFile>> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = open_plain(&path, options().create_new(true))?;
        Ok(Box::new(DiskFile(file)))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))?;
        sync_directory(&self.path)
    }

    fn shown(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }
}

/// A file of a [`DiskDirectory`].
#[derive(Debug)]
struct DiskFile(File);

impl StateFile for DiskFile {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.seek(SeekFrom::Start(0))?;
        self.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::End(0))?;
        self.0.write_all(bytes)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

fn options() -> OpenOptions {
    let mut options = File::options();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Opens what is no link.
fn open_plain(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let refuse = || io::Error::other("it is a link or no plain file; remove it, or move it away");
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(refuse());
    }
    let file = options.open(path)?;
    // What was opened is what lies there: nothing came in between.
    if !is_same(&file.metadata()?, &fs::symlink_metadata(path)?) {
        return Err(refuse());
    }
    Ok(file)
}

#[cfg(unix)]
fn is_same(opened: &fs::Metadata, there: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (opened.dev(), opened.ino()) == (there.dev(), there.ino())
}

#[cfg(not(unix))]
fn is_same(opened: &fs::Metadata, there: &fs::Metadata) -> bool {
    opened.is_file() && there.is_file()
}

fn make(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // The parents have the usual mode: they are not ours.
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            builder.create(path)
        }
        result => result,
    }
}

#[cfg(unix)]
fn is_open_to_others(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o022 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &fs::Metadata) -> bool {
    false
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
