//! A ZeroMQ PUSH peer without sockets: what a board with a TCP stack needs to feed an aggregator.
//!
//! ZMTP 3 without encryption (RFC 23), one way: bytes that come from the peer are fed to a
//! [`ZmtpPush`], which says what to answer; then frames go out, each behind its
//! [header](ZmtpPush::message_header). What is said once and lost is made good by the next
//! keyframe: PUSH has no acknowledgements.
//!
//! ```
//! use tapes_core::wire::{ZmtpError, ZmtpPush};
//!
//! /// Reads and writes stand for those of a TCP socket.
//! fn handshake(
//!     mut read: impl FnMut(&mut [u8]) -> usize,
//!     mut write: impl FnMut(&[u8]),
//! ) -> Result<ZmtpPush, ZmtpError> {
//!     let mut peer = ZmtpPush::new();
//!     write(ZmtpPush::GREETING);
//!     while !peer.is_ready() {
//!         let mut buffer = [0; 64];
//!         let len = read(&mut buffer);
//!         let mut input = buffer.get(..len).unwrap_or_default();
//!         while !input.is_empty() {
//!             let (answer, rest) = peer.feed(input)?;
//!             write(answer);
//!             input = rest;
//!         }
//!     }
//!     Ok(peer) // goes on being fed: it answers heartbeats
//! }
//! # let mut peer = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
//! # peer.resize(64, 0);
//! # peer.extend(b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL");
//! # let mut written = Vec::new();
//! # let mut at = 0;
//! # let read = |buffer: &mut [u8]| {
//! #     let len = buffer.len().min(peer.len() - at).min(7);
//! #     buffer[..len].copy_from_slice(&peer[at..at + len]);
//! #     at += len;
//! #     len
//! # };
//! # assert!(handshake(read, |bytes| written.extend_from_slice(bytes))?.is_ready());
//! # assert_eq!(written.len(), 64 + 28);
//! # Ok::<(), ZmtpError>(())
//! ```

use core::fmt;

/// Bytes of a greeting.
const GREETING_LEN: usize = 64;

/// Longest context of a heartbeat, which its answer repeats.
const CONTEXT_LEN_MAX: usize = 16;

/// Bytes of a command that are kept: name, time to live and context of a heartbeat.
const COMMAND_LEN: usize = 5 + 2 + CONTEXT_LEN_MAX;

/// Bytes of an answer: flags, length, name and context.
const ANSWER_LEN: usize = 2 + 5 + CONTEXT_LEN_MAX;

/// Flag of a length in eight bytes instead of one.
const LONG: u8 = 0x02;

/// Flag of a command.
const COMMAND: u8 = 0x04;

/// What a PUSH socket says of itself.
const READY: &[u8; 28] = b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH";

/// Why a peer cannot be talked to; close the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ZmtpError {
    /// It does not greet as ZMTP does: something else listens there.
    Greeting,
    /// It speaks a version below 3.
    Version,
    /// It wants another mechanism than NULL, such as CURVE.
    Mechanism,
    /// It refused the handshake.
    Refused,
}

impl fmt::Display for ZmtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "no greeting of ZeroMQ",
            Self::Version => "older than ZMTP 3",
            Self::Mechanism => "peer wants encryption or a password",
            Self::Refused => "peer refused the handshake",
        })
    }
}

impl core::error::Error for ZmtpError {}

/// Where the bytes of the peer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Place {
    /// In its greeting, of which so many bytes came.
    Greeting(u8),
    Flags,
    /// In a length, of which so many bytes are to come.
    Length {
        is_command: bool,
        left: u8,
    },
    /// In a body, of which so many bytes are to come.
    Body {
        is_command: bool,
    },
}

/// One connection of a PUSH socket.
///
/// # Footprint
///
/// 72 bytes. No heap; each byte fed costs a few instructions.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ZmtpPush {
    /// Bytes of a body that are to come, or of a length so far.
    left: u64,
    place: Place,
    ready: bool,
    /// Bytes of the command under way that are kept.
    len: u8,
    command: [u8; COMMAND_LEN],
    answer: [u8; ANSWER_LEN],
}

impl Default for ZmtpPush {
    fn default() -> Self {
        Self::new()
    }
}

impl ZmtpPush {
    /// What to send first, before the peer has said anything.
    pub const GREETING: &'static [u8; GREETING_LEN] = &{
        let mut greeting = [0; GREETING_LEN];
        (greeting[0], greeting[8], greeting[9], greeting[10]) = (0xff, 1, 0x7f, 3);
        (greeting[12], greeting[13], greeting[14], greeting[15]) = (b'N', b'U', b'L', b'L');
        greeting
    };

    /// Returns a connection that has just been made.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            left: 0,
            place: Place::Greeting(0),
            ready: false,
            len: 0,
            command: [0; COMMAND_LEN],
            answer: [0; ANSWER_LEN],
        }
    }

    /// Returns whether messages can be sent.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.ready
    }

    /// Returns what goes before a message of one part with `len` bytes, and its length: 2 bytes up
    /// to 255, else 9.
    ///
    /// ```
    /// use tapes_core::wire::ZmtpPush;
    ///
    /// let (header, len) = ZmtpPush::message_header(300);
    /// assert_eq!(header.get(..len), Some(&[2, 0, 0, 0, 0, 0, 0, 1, 44][..]));
    /// let (header, len) = ZmtpPush::message_header(7);
    /// assert_eq!(header.get(..len), Some(&[0, 7][..]));
    /// ```
    #[must_use]
    pub const fn message_header(len: usize) -> ([u8; 9], usize) {
        let [a, b, c, d, e, f, g, h] = (len as u64).to_be_bytes();
        if len > 0xff {
            ([LONG, a, b, c, d, e, f, g, h], 9)
        } else {
            ([0, h, 0, 0, 0, 0, 0, 0, 0], 2)
        }
    }

    /// Takes in bytes of the peer. Returns what to send now, which may be nothing, and the bytes
    /// that are to be fed after that.
    ///
    /// Messages of the peer, who should send none, are skipped, however long they are.
    ///
    /// # Errors
    ///
    /// [`ZmtpError`]: close the connection. What is fed after that means nothing.
    pub fn feed<'i>(&mut self, input: &'i [u8]) -> Result<(&[u8], &'i [u8]), ZmtpError> {
        let mut rest = input;
        while let Some((byte, more)) = rest.split_first() {
            // A long body is skipped at once.
            if let Place::Body { is_command: false } = self.place {
                let skipped = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
                self.left = self.left.wrapping_sub(skipped as u64);
                rest = rest.get(skipped..).unwrap_or_default();
                if self.left == 0 {
                    self.place = Place::Flags;
                }
                continue;
            }
            rest = more;
            let len = self.take(*byte)?;
            if len > 0 {
                return Ok((self.answer_of(len), rest));
            }
        }
        Ok((&[], &[]))
    }

    /// Returns an answer of `len` bytes: READY is the only one that is longer than its buffer.
    fn answer_of(&self, len: usize) -> &[u8] {
        if len == READY.len() { READY } else { self.answer.get(..len).unwrap_or_default() }
    }

    /// Takes a byte; returns the length of the answer to what it ends.
    fn take(&mut self, byte: u8) -> Result<usize, ZmtpError> {
        match self.place {
            Place::Greeting(at) => return self.greet(at, byte),
            Place::Flags => {
                let left = if byte & LONG == 0 { 1 } else { 8 };
                (self.left, self.len) = (0, 0);
                self.place = Place::Length { is_command: byte & COMMAND != 0, left };
            }
            Place::Length { is_command, left } => {
                self.left = self.left << 8 | u64::from(byte);
                self.place = match (left, self.left) {
                    (1, 0) if is_command => return self.end_command(),
                    (1, 0) => Place::Flags,
                    (1, _) => Place::Body { is_command },
                    _ => Place::Length { is_command, left: left.wrapping_sub(1) },
                };
            }
            Place::Body { .. } => {
                if let Some(kept) = self.command.get_mut(usize::from(self.len)) {
                    *kept = byte;
                    self.len = self.len.wrapping_add(1);
                }
                self.left = self.left.wrapping_sub(1);
                if self.left == 0 {
                    return self.end_command();
                }
            }
        }
        Ok(0)
    }

    fn greet(&mut self, at: u8, byte: u8) -> Result<usize, ZmtpError> {
        let is_right = match at {
            0 => byte == 0xff,
            9 => byte & 1 == 1,
            _ => true,
        };
        if !is_right {
            return Err(ZmtpError::Greeting);
        }
        if at == 10 && byte < 3 {
            return Err(ZmtpError::Version);
        }
        let wanted = Self::GREETING.get(usize::from(at)).copied();
        if (12..32).contains(&at) && wanted != Some(byte) {
            return Err(ZmtpError::Mechanism);
        }
        if usize::from(at) < GREETING_LEN - 1 {
            self.place = Place::Greeting(at.wrapping_add(1));
            return Ok(0);
        }
        self.place = Place::Flags;
        // Not before the whole greeting came: libzmq 4.3.5 stalls otherwise.
        Ok(READY.len())
    }

    fn end_command(&mut self) -> Result<usize, ZmtpError> {
        self.place = Place::Flags;
        let command = self.command.get(..usize::from(self.len)).unwrap_or_default();
        if command.starts_with(b"\x05READY") {
            self.ready = true;
        } else if command.starts_with(b"\x05ERROR") {
            return Err(ZmtpError::Refused);
        } else if let Some(context) = command.strip_prefix(b"\x04PING").and_then(|t| t.get(2..)) {
            let len = context.len();
            let body = 5_usize.wrapping_add(len);
            self.answer = [0; ANSWER_LEN];
            if let Some((head, tail)) = self.answer.split_first_chunk_mut::<7>() {
                // At most 21.
                let [_, _, name @ ..] = head;
                *name = *b"\x04PONG";
                tail.iter_mut().zip(context).for_each(|(to, from)| *to = *from);
                let [flags, length, ..] = head;
                #[expect(clippy::cast_possible_truncation, reason = "at most 21")]
                {
                    (*flags, *length) = (COMMAND, body as u8);
                }
            }
            return Ok(body.wrapping_add(2));
        }
        Ok(0)
    }
}

const _: () = assert!(READY.len() > ANSWER_LEN, "the length tells READY from a heartbeat");

#[cfg(test)]
mod tests {
    use super::{READY, ZmtpError, ZmtpPush};
    use std::vec::Vec;

    fn greeting() -> Vec<u8> {
        let mut greeting = ZmtpPush::GREETING.to_vec();
        greeting[11] = 1;
        greeting[32] = 1; // as a server
        greeting
    }

    /// Feeds in pieces and returns all answers.
    fn feed(peer: &mut ZmtpPush, bytes: &[u8], piece: usize) -> Result<Vec<u8>, ZmtpError> {
        let mut answers = Vec::new();
        for chunk in bytes.chunks(piece) {
            let mut input = chunk;
            while !input.is_empty() {
                let (answer, rest) = peer.feed(input)?;
                answers.extend_from_slice(answer);
                input = rest;
            }
        }
        Ok(answers)
    }

    /// However the bytes are cut, the answers are the same; else a slow link breaks the handshake.
    #[test]
    fn answers_do_not_depend_on_how_bytes_come() {
        let mut bytes = greeting();
        bytes.extend_from_slice(b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL");
        bytes.extend_from_slice(b"\x04\x0a\x04PING\0\x14abc");
        bytes.extend_from_slice(b"\x00\x05hello"); // a message, skipped
        bytes.extend_from_slice(b"\x02\0\0\0\0\0\0\x01\x00");
        bytes.extend_from_slice(&[7; 256]);
        bytes.extend_from_slice(b"\x06\0\0\0\0\0\0\0\x07\x04PING\0\0"); // a long command
        bytes.extend_from_slice(b"\x00\x00\x04\x00");
        let expected = [&READY[..], b"\x04\x08\x04PONGabc", b"\x04\x05\x04PONG"].concat();
        for piece in [1, 2, 3, 7, 64, 1_000] {
            let mut peer = ZmtpPush::new();
            assert!(!peer.is_ready());
            assert_eq!(feed(&mut peer, &bytes, piece), Ok(expected.clone()), "by {piece}");
            assert!(peer.is_ready());
        }
    }

    /// READY sent along with the greeting stalls libzmq.
    #[test]
    fn nothing_is_said_before_the_whole_greeting() {
        let mut peer = ZmtpPush::new();
        assert_eq!(feed(&mut peer, &greeting()[..63], 63), Ok(Vec::new()));
        assert_eq!(feed(&mut peer, &[0], 1), Ok(READY.to_vec()));
        assert!(!peer.is_ready(), "the peer is not yet");
    }

    /// Reports sent to something else are lost without a word.
    #[test]
    fn strangers_are_recognised() {
        let mut curve = greeting();
        curve[12..17].copy_from_slice(b"CURVE");
        let mut old = greeting();
        old[10] = 1;
        let mut refused = greeting();
        refused.extend_from_slice(b"\x04\x07\x05ERROR\0");
        for (label, bytes, error) in [
            ("HTTP", b"HTTP/1.1 400 Bad Request".to_vec(), ZmtpError::Greeting),
            ("no signature", [&[0xff][..], &[0; 63]].concat(), ZmtpError::Greeting),
            ("CURVE", curve, ZmtpError::Mechanism),
            ("ZMTP 2", old, ZmtpError::Version),
            ("refused", refused, ZmtpError::Refused),
        ] {
            assert_eq!(feed(&mut ZmtpPush::new(), &bytes, 5), Err(error), "{label}");
        }
    }

    /// A hostile peer that claims 2^64 bytes must neither panic nor be answered.
    #[test]
    fn any_bytes_are_survived() {
        let mut random = 1u32;
        for _ in 0..200 {
            let mut bytes = greeting();
            for _ in 0..300 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                bytes.push((random >> 24) as u8);
            }
            let _ = feed(&mut ZmtpPush::new(), &bytes, 11);
        }
        let mut peer = ZmtpPush::new();
        feed(&mut peer, &greeting(), 64).unwrap();
        let endless = [&[6][..], &[0xff; 8], &[1; 500]].concat();
        assert_eq!(feed(&mut peer, &endless, 13), Ok(Vec::new()));
    }
}
