//! Writing the file anew: beside the present one, without holding anybody up.

use super::STATE_NAME;
use super::directory::{Directory, StateFile};
use super::error::StoreError;
use super::file::Header;

/// Name of the file until it is whole.
const NEW_NAME: &str = "state.new";

/// A file that is being written, to take the place of the present one.
#[derive(Debug)]
pub(in crate::fleet) struct Rewrite {
    file: Box<dyn StateFile>,
    header: Header,
    /// The whole state, until it is written.
    whole: Vec<u8>,
    len: u64,
    path: String,
}

impl Rewrite {
    pub(super) fn new(
        directory: &mut dyn Directory,
        header: Header,
        whole: Vec<u8>,
    ) -> Result<Self, StoreError> {
        let path = directory.shown(NEW_NAME);
        match directory.create(NEW_NAME) {
            Ok(file) => Ok(Self { file, header, whole, len: 0, path }),
            Err(source) => Err(StoreError::Io { action: "make", path, source }),
        }
    }

    /// Writes the whole state and waits until it is on the disk.
    pub(in crate::fleet) fn write(&mut self) -> Result<(), StoreError> {
        let whole = std::mem::take(&mut self.whole);
        let mut bytes = self.header.to_bytes();
        let fits = self.header.put_batch(&mut bytes, 0, &whole).is_some();
        let written = if fits {
            self.append_bytes(&bytes).and_then(|()| self.file.sync())
        } else {
            Err(std::io::ErrorKind::FileTooLarge.into())
        };
        written.map_err(|source| self.error("write", source))
    }

    /// Appends batches.
    pub(super) fn append(
        &mut self,
        first: u64,
        contents: &[Vec<u8>],
        durable: bool,
    ) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        for (number, content) in (first..).zip(contents) {
            // A batch that was appended to the present file fits this one.
            let _ = self.header.put_batch(&mut bytes, number, content);
        }
        let mut written = self.append_bytes(&bytes);
        if durable && !contents.is_empty() {
            written = written.and_then(|()| self.file.sync());
        }
        written.map_err(|source| self.error("write", source))
    }

    fn append_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.append(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Makes this the present file.
    pub(super) fn put_in_place(&self, directory: &mut dyn Directory) -> Result<(), StoreError> {
        let renamed = directory.rename(NEW_NAME, STATE_NAME);
        renamed.map_err(|source| self.error("put in place", source))
    }

    pub(super) const fn header(&self) -> Header {
        self.header
    }

    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn into_file(self) -> Box<dyn StateFile> {
        self.file
    }

    fn error(&self, action: &'static str, source: std::io::Error) -> StoreError {
        StoreError::Io { action, path: self.path.clone(), source }
    }
}
