//! DICT: descriptions of metrics.

use super::crc::Crc32c;
use super::header::METRICS_MAX;
use crate::metric::Descriptor;
use crate::metric::bytes::{Reader, Writer};

/// The body of a DICT frame: an iterator over `(id, body of the entry, what it says)`.
///
/// The description is `None` for an entry that is unreadable or of an unknown kind or unit; that
/// metric alone is to be ignored. The framing of the entries is checked beforehand.
///
/// ```
/// use tapes_core::metric::{Descriptor, Kind, Unit};
/// use tapes_core::wire::{Body, DictBody, DictWriter, Frame, Header};
///
/// /// Names by id, as far as they can be read.
/// fn names(entries: DictBody<'_>) -> Vec<(u32, String)> {
///     entries.filter_map(|(id, _, entry)| Some((id, entry?.name.to_owned()))).collect()
/// }
/// let mut buffer = [0; 64];
/// let mut dict = DictWriter::new(&mut buffer, &Header::short(7), 3);
/// dict.push_body(&[1, 2, 3]); // of a later version
/// dict.push(&Descriptor::new("radio.sent", Kind::Counter, Unit::NONE));
/// let Body::Dict(entries) = Frame::parse(dict.finish().unwrap())?.body()? else { unreachable!() };
/// assert_eq!(names(entries), [(4, "radio.sent".to_owned())]);
/// # Ok::<(), tapes_core::wire::FrameError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct DictBody<'a> {
    /// Id of the next entry.
    next: u32,
    /// Entries end to end; walked once already.
    entries: Reader<'a>,
}

impl<'a> DictBody<'a> {
    /// Reads the first id; `None` unless whole entries with valid ids fill the rest.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let mut input = Reader::new(body);
        let first = input.uvarint32()?;
        let mut room = METRICS_MAX.checked_sub(first)?;
        let mut walk = input;
        while !walk.is_empty() {
            room = room.checked_sub(1)?;
            walk.bytes()?;
        }
        Some(Self { next: first, entries: input })
    }
}

impl<'a> Iterator for DictBody<'a> {
    type Item = (u32, &'a [u8], Option<Descriptor<'a>>);

    fn next(&mut self) -> Option<Self::Item> {
        let body = self.entries.bytes()?;
        let id = self.next;
        self.next = id.wrapping_add(1);
        Some((id, body, Descriptor::read_body(body)))
    }
}

/// The hash of a dictionary, entry by entry: what [`Dictionary::hash`](super::Dictionary::hash)
/// must be once the first entries are known.
///
/// ```
/// use tapes_core::wire::DictionaryHash;
///
/// let mut hash = DictionaryHash::new();
/// assert_eq!(hash.value(), 0);
/// hash.push(b"123");
/// assert_eq!((hash.len(), hash.value()), (1, 0x5a5a_4e36));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DictionaryHash {
    len: u32,
    crc: Crc32c,
}

impl Default for DictionaryHash {
    fn default() -> Self {
        Self::new()
    }
}

impl DictionaryHash {
    /// Returns the hash of no entries.
    #[must_use]
    pub const fn new() -> Self {
        Self { len: 0, crc: Crc32c::EMPTY }
    }

    /// Takes in the body of the next entry, without its length prefix.
    pub const fn push(&mut self, body: &[u8]) {
        let mut prefix = [0; crate::metric::bytes::VARINT_LEN_MAX];
        let mut out = Writer::new(&mut prefix);
        out.uvarint(body.len() as u64);
        let len = out.len();
        if let Some((prefix, _)) = prefix.split_at_checked(len) {
            self.crc = self.crc.update(prefix).update(body);
        }
        self.len = self.len.wrapping_add(1);
    }

    /// Takes in the next entry as it is sent, with its length prefix.
    pub(super) const fn push_entry(&mut self, entry: &[u8]) {
        self.crc = self.crc.update(entry);
        self.len = self.len.wrapping_add(1);
    }

    /// Returns the number of entries taken in.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a hash, not a collection")]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Returns the hash of the entries taken in.
    #[must_use]
    pub const fn value(&self) -> u32 {
        self.crc.value()
    }
}
