//! How long a datagram may be.

use tapes_core::text::statsd::LINE_LEN_MAX;

/// Longest payload of UDP over IPv4, in bytes.
const UDP_LEN_MAX: usize = 65_507;

/// Longest payload of a datagram, in bytes; every line without tags and label values fits.
///
/// ```
/// use tapes_std::statsd::PacketSize;
/// const LOOPBACK: PacketSize = PacketSize::of::<16_384>();
/// assert_eq!(LOOPBACK.len(), 16_384);
/// ```
///
/// A size that the longest line does not fit does not compile:
///
/// ```compile_fail
/// const TINY: tapes_std::statsd::PacketSize = tapes_std::statsd::PacketSize::of::<300>();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketSize(usize);

impl PacketSize {
    /// Not fragmented anywhere on the Internet.
    pub const INTERNET: Self = Self::of::<512>();
    /// Not fragmented on Ethernet.
    pub const ETHERNET: Self = Self::of::<1_432>();
    /// Not fragmented on Ethernet with jumbo frames.
    pub const JUMBO: Self = Self::of::<8_932>();
    /// What agents take from Unix sockets.
    pub const UNIX: Self = Self::of::<8_192>();

    /// Returns a size of one's own.
    #[must_use]
    pub const fn of<const LEN: usize>() -> Self {
        const {
            assert!(LEN >= LINE_LEN_MAX, "raise LEN: the longest line must fit a datagram");
            assert!(LEN <= UDP_LEN_MAX, "lower LEN: no datagram is longer than 65507 bytes");
        }
        Self(LEN)
    }

    /// Returns the number of bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub const fn len(self) -> usize {
        self.0
    }
}
