//! The `tapes` command.
fn main() {}
