//! What firmware takes of flash and RAM: the budgets are those of `cargo xtask size`.

use tapes_tests::programs::xtask;

/// If this fails, the core takes more flash or RAM than the documentation says, has variables that
/// are not zero at first, or can panic.
#[test]
fn firmware_keeps_to_its_budgets() {
    println!("{}", xtask(&["size"]));
}
