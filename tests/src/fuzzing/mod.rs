//! What the fuzz targets do with their input: the same code under cargo-fuzz and in the tests.
//!
//! Each body panics if something it was given breaks a promise. `tests/fuzz` feeds it what a
//! coverage-guided fuzzer finds; the test `fuzz_replay` feeds it the committed corpora and random
//! changes to them, with any compiler.

pub mod fleet;
pub mod frame;
pub mod state;

use std::path::{Path, PathBuf};

use crate::noise::Noise;

/// A fuzz target: its name, which is also the folder of its corpus, and its body.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the binary in `tests/fuzz`.
    pub name: &'static str,
    /// Does something with an input, and panics if the outcome is wrong.
    pub body: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 3] = [
    Target { name: "frame", body: frame::body },
    Target { name: "fleet", body: fleet::body },
    Target { name: "state", body: state::body },
];

impl Target {
    /// Returns the inputs of the committed corpus, by name.
    ///
    /// # Panics
    ///
    /// If the corpus cannot be read.
    #[must_use]
    pub fn corpus(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(self.name);
        let entries = std::fs::read_dir(&folder).expect("the corpus is there");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        let read = |path: PathBuf| {
            let bytes = std::fs::read(&path).expect("the file can be read");
            (path, bytes)
        };
        paths.into_iter().map(read).collect()
    }
}

/// Numbers that are on some edge.
const EDGES: [u8; 8] = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x10, 0x12, 0x30];

/// Longest input that is made.
const MUTATED_LEN_MAX: usize = 4_096;

/// Returns a changed copy of one input, with parts of another.
#[must_use]
pub fn mutated(input: &[u8], other: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=noise.below(4) {
        let at = noise.index(bytes.len() + 1);
        match noise.below(7) {
            0 => bytes.insert(at, noise.next().to_le_bytes()[0]),
            1 => bytes.insert(at, EDGES[noise.index(EDGES.len())]),
            2 => bytes.truncate(at),
            3 => {
                let from = noise.index(other.len() + 1);
                let len = noise.index(other.len() - from + 1);
                let end = (at + len).min(bytes.len());
                bytes.splice(at..end, other[from..from + len].iter().copied());
            }
            4 => {
                let end = at + noise.index(bytes.len() - at + 1);
                bytes.drain(at..end);
            }
            5 => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << noise.below(8)),
            _ => bytes
                .get_mut(at)
                .into_iter()
                .for_each(|byte| *byte = EDGES[noise.index(EDGES.len())]),
        }
    }
    bytes.truncate(MUTATED_LEN_MAX);
    bytes
}

/// Returns a frame with its checksum, from bytes that have none: a fuzzer finds no checksums.
#[must_use]
pub fn sealed(content: &[u8]) -> Vec<u8> {
    const CASTAGNOLI: crc::Crc<u32, crc::Table<16>> =
        crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISCSI);
    [content, &CASTAGNOLI.checksum(content).to_le_bytes()].concat()
}
