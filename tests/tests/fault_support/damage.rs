//! Frames that something happened to.

use tapes_tests::noise::Noise;

/// Returns a damaged copy of a frame, with parts of another; it may come out as it was.
pub(crate) fn damaged(frame: &[u8], other: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    let flip = |bytes: &mut [u8], bit: usize| bytes[bit / 8] ^= 1 << (bit % 8);
    let bits = bytes.len() * 8;
    match noise.below(7) {
        // Single bits, few or many.
        0 => (0..=noise.below(5)).for_each(|_| flip(&mut bytes, noise.index(bits))),
        1 => (0..=noise.below(200)).for_each(|_| flip(&mut bytes, noise.index(bits))),
        // A burst.
        2 => {
            let (from, len) = (noise.index(bits), noise.index(64) + 1);
            for bit in from..(from + len).min(bits) {
                if bit == from || noise.percent(50) {
                    flip(&mut bytes, bit);
                }
            }
        }
        // Bytes lost, at the end or in the middle.
        3 => bytes.truncate(noise.index(bytes.len())),
        4 => {
            let from = noise.index(bytes.len());
            let end = (from + noise.index(16) + 1).min(bytes.len());
            bytes.drain(from..end);
        }
        // Two frames in one.
        5 => {
            let (at, from) = (noise.index(bytes.len()), noise.index(other.len()));
            bytes.truncate(at);
            bytes.extend(&other[from..]);
        }
        // Noise.
        _ => {
            let from = noise.index(bytes.len());
            let len = noise.index(bytes.len() - from) + 1;
            bytes.splice(from..from + len, noise.bytes(len));
        }
    }
    bytes
}
