//! Reading and writing the primitives of the wire encoding, in `const` and at run time.
//!
//! The encoding is postcard's: unsigned integers are little-endian base-128 varints, signed ones
//! are zigzag-mapped first, strings and byte strings carry a varint length. One implementation
//! serves the compile-time dictionary of [`metrics!`](crate::metrics) and the run-time frames.

#![expect(
    clippy::cast_possible_truncation,
    reason = "bytes are cut from wider numbers on purpose; lengths are checked before"
)]

/// Longest varint of a `u64`, in bytes.
pub(crate) const VARINT_LEN_MAX: usize = 10;

/// Returns the number of bytes that `value` takes as a varint, 1 to 10.
pub(crate) const fn uvarint_len(value: u64) -> usize {
    let mut rest = value >> 7;
    let mut len = 1;
    while rest > 0 {
        rest >>= 7;
        len += 1;
    }
    len
}

/// Maps a signed value to an unsigned one so that small magnitudes stay small.
pub(crate) const fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

/// Undoes [`zigzag`].
pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// A bounded writer over a borrowed buffer; what does not fit is remembered, not written.
///
/// On devices its functions are kept apart: inlined they would be a third of an encoder.
#[derive(Debug)]
pub(crate) struct Writer<'b> {
    buffer: &'b mut [u8],
    /// Bytes asked for so far; larger than the buffer once something did not fit.
    len: usize,
}

impl<'b> Writer<'b> {
    pub(crate) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// Returns the bytes written, or `None` if they did not fit.
    pub(crate) const fn finish(self) -> Option<usize> {
        if self.len <= self.buffer.len() { Some(self.len) } else { None }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Goes back to an earlier length, dropping what came after it.
    pub(crate) const fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.len = len;
        }
    }

    /// Returns the bytes written, or `None` if they did not fit.
    pub(crate) fn written(&self) -> Option<&[u8]> {
        self.buffer.get(..self.len)
    }

    /// Returns the bytes written for as long as the buffer lives, or `None` if they did not fit.
    pub(crate) fn into_written(self) -> Option<&'b [u8]> {
        self.buffer.get(..self.len)
    }

    /// Changes a byte that was written before.
    pub(crate) fn patch(&mut self, at: usize, f: impl FnOnce(u8) -> u8) {
        if let Some(place) = self.buffer.get_mut(at) {
            *place = f(*place);
        }
    }

    /// Returns whether what was written leaves room for `spare` bytes.
    #[cfg(feature = "wire")]
    pub(crate) const fn fits(&self, spare: usize) -> bool {
        match self.buffer.len().checked_sub(self.len) {
            Some(room) => spare <= room,
            None => false,
        }
    }

    /// Appends one byte.
    #[cfg_attr(not(feature = "std"), inline(never))]
    pub(crate) const fn u8(&mut self, byte: u8) {
        if self.len < self.buffer.len() {
            self.buffer[self.len] = byte;
        }
        self.len = self.len.saturating_add(1);
    }

    /// Appends a varint.
    #[cfg_attr(not(feature = "std"), inline(never))]
    pub(crate) const fn uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    /// Appends a varint of 32 bits.
    #[cfg(feature = "wire")]
    #[cfg_attr(not(feature = "std"), inline(never))]
    pub(crate) const fn uvarint32(&mut self, value: u32) {
        self.uvarint(value as u64);
    }

    /// Puts a varint in front of what was written from `at` on, which moves on.
    #[cfg(feature = "wire")]
    #[cfg_attr(not(feature = "std"), inline(never))]
    pub(crate) fn insert(&mut self, at: usize, value: u32) {
        let mut byte = value as u8;
        if value >= 0x80 {
            self.insert(at, value >> 7);
            byte |= 0x80;
        }
        self.u8(0);
        if let Some(moving) = self.buffer.get_mut(at..self.len) {
            for place in moving {
                core::mem::swap(place, &mut byte);
            }
        }
    }

    /// Appends four bytes, least significant first.
    #[cfg(feature = "wire")]
    #[cfg_attr(not(feature = "std"), inline(never))]
    pub(crate) const fn u32le(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    /// Appends eight bytes, least significant first.
    #[cfg(feature = "wire")]
    pub(crate) const fn u64le(&mut self, value: u64) {
        self.u32le(value as u32);
        self.u32le((value >> 32) as u32);
    }

    /// Appends bytes as they are.
    #[cfg_attr(not(feature = "std"), inline(never))]
    pub(crate) const fn raw(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((first, tail)) = rest.split_first() {
            self.u8(*first);
            rest = tail;
        }
    }

    /// Appends a byte string with its length.
    pub(crate) const fn bytes(&mut self, bytes: &[u8]) {
        self.uvarint(bytes.len() as u64);
        self.raw(bytes);
    }
}

/// A reader that never goes past its end; every method returns `None` on malformed input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns what has not been read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn u8(&mut self) -> Option<u8> {
        match self.rest.split_first() {
            Some((first, tail)) => {
                self.rest = tail;
                Some(*first)
            }
            None => None,
        }
    }

    /// Reads a varint of at most 64 bits; longer ones are malformed.
    pub(crate) const fn uvarint(&mut self) -> Option<u64> {
        // Most are one byte. Not on devices, which read little and have to hold the code.
        #[cfg(feature = "std")]
        if let Some((first, tail)) = self.rest.split_first()
            && *first < 0x80
        {
            self.rest = tail;
            return Some(*first as u64);
        }
        let mut value = 0u64;
        let mut shift = 0;
        while shift < 64 {
            let Some(byte) = self.u8() else { return None };
            let bits = (byte & 0x7f) as u64;
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
            shift += 7;
        }
        None
    }

    /// Reads a varint that must fit 32 bits.
    pub(crate) const fn uvarint32(&mut self) -> Option<u32> {
        // By itself, because 64-bit shifts are long on 32-bit targets.
        let mut value = 0u32;
        let mut shift = 0;
        while shift < 64 {
            let Some(byte) = self.u8() else { return None };
            let bits = (byte & 0x7f) as u32;
            if bits != 0 {
                if shift > 28 || (bits << shift) >> shift != bits {
                    return None;
                }
                value |= bits << shift;
            }
            if byte < 0x80 {
                return Some(value);
            }
            shift += 7;
        }
        None
    }

    pub(crate) const fn zigzag(&mut self) -> Option<i64> {
        match self.uvarint() {
            Some(value) => Some(unzigzag(value)),
            None => None,
        }
    }

    /// Takes exactly `len` bytes.
    pub(crate) const fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Some(taken)
            }
            None => None,
        }
    }

    /// Reads a byte string with its length.
    pub(crate) const fn bytes(&mut self) -> Option<&'a [u8]> {
        // Nothing is as long as 4 GiB.
        match self.uvarint32() {
            Some(len) => self.take(len as usize),
            None => None,
        }
    }

    /// Reads a UTF-8 string with its length.
    pub(crate) const fn str(&mut self) -> Option<&'a str> {
        match self.bytes() {
            Some(bytes) => match core::str::from_utf8(bytes) {
                Ok(text) => Some(text),
                Err(_) => None,
            },
            None => None,
        }
    }

    /// Takes an array of `N` bytes.
    pub(crate) const fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((chunk, rest)) => {
                self.rest = rest;
                Some(*chunk)
            }
            None => None,
        }
    }
}
