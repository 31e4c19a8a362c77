//! What recording costs on the RP2040: the limits are those of `cargo xtask cycles`.

use tapes_tests::programs::xtask;

/// If this fails, recording or reporting has become slower than the documentation says.
#[test]
fn recording_takes_no_more_cycles_than_documented() {
    println!("{}", xtask(&["cycles"]));
}
