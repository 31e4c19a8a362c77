//! Frames of a line with one sender, made fit for a carrier that many share.

use crc::{CRC_32_ISCSI, Crc, Table};
use tapes_core::wire::{Epoch, FRAME_LEN_MAX, Flags, Origin};

const CRC32C: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

/// Bytes before a short epoch: version and type, flags.
const BEFORE: usize = 2;

/// Bytes of a short epoch, and of the checksum.
const WORD: usize = 4;

/// Returns a whole frame with its full address in place of a short one, and a new checksum. `None`
/// if it would be longer than a frame may be, or is none.
pub(super) fn readdressed(frame: &[u8], origin: &Origin, epoch: Epoch) -> Option<Vec<u8>> {
    let (start, rest) = frame.split_at_checked(BEFORE)?;
    let (_, rest) = rest.split_at_checked(WORD)?;
    let rest = rest.get(..rest.len().checked_sub(WORD)?)?;
    let [kind, flags] = *start else { return None };
    let mut bytes = Vec::with_capacity(frame.len() + 24);
    bytes.push(kind);
    bytes.push(Flags::from_bits(flags).with(Flags::ADDRESSED).bits());
    bytes.push(u8::try_from(origin.as_bytes().len()).ok()?);
    bytes.extend_from_slice(origin.as_bytes());
    bytes.extend_from_slice(&epoch.to_u64().to_le_bytes());
    bytes.extend_from_slice(rest);
    bytes.extend_from_slice(&CRC32C.checksum(&bytes).to_le_bytes());
    (bytes.len() <= FRAME_LEN_MAX).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use tapes_core::Registry;
    use tapes_core::wire::{Encoder, Epoch, Identity, Origin};

    use super::readdressed;

    /// A frame that says something else under its full address makes up counts.
    #[test]
    fn a_frame_is_what_its_sender_would_have_made_for_a_shared_carrier() {
        let registry: Registry<4, 64> = Registry::new();
        let loops = registry.counter("motor.loops").unwrap();
        let (origin, epoch) = (Origin::from_array([0xe6, 1, 2]), Epoch::new(3, 0x5eed));
        let encoder = || Encoder::<4, 0>::new(Identity::new(origin, epoch, 1_000), 512);
        let (mut short, mut full) = (encoder(), encoder().with_full_address());
        let (mut a, mut b) = ([0; 512], [0; 512]);
        let mut frames = 0;
        for report in 0..40 {
            loops.add(7);
            short.begin(report * 1_000);
            full.begin(report * 1_000);
            while let Some(frame) = short.next_frame(&registry, &mut a) {
                let expected = full.next_frame(&registry, &mut b).unwrap();
                assert_eq!(readdressed(frame, &origin, epoch).as_deref(), Some(expected));
                short.sent();
                full.sent();
                frames += 1;
            }
        }
        assert!(frames > 40, "{frames}");
        for len in 0..10 {
            assert_eq!(readdressed(&[0; 10][..len], &origin, epoch), None, "{len}");
        }
    }
}
