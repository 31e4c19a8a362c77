//! Recordings: files, pipes and standard input.

use std::io::{self, ErrorKind, Read};

use crate::fleet::FrameReader;

/// Bytes read at once.
const CHUNK_LEN: usize = 8_192;

/// Feeds everything that `input` has to `frames`, until it ends.
///
/// Blocks while there is nothing. Returns the number of frames that were used.
///
/// # Errors
///
/// Those of `input`; what was read before is used.
pub fn read_to_end(mut input: impl Read, frames: &mut FrameReader) -> io::Result<u64> {
    let mut chunk = [0; CHUNK_LEN];
    let mut used = 0u64;
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return Ok(used),
            Ok(len) => {
                let new = frames.feed(chunk.get(..len).unwrap_or(&chunk));
                used = used.saturating_add(new as u64);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
