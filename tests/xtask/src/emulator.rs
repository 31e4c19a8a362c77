//! The RP2040 emulator: a Node.js program in `tests/emulator`.

use std::path::Path;
use std::process::Command;

use crate::node;
use crate::places;
use crate::problem::Outcome;

/// Makes sure that the emulator's package is installed as its lock file says.
pub(crate) fn set_up() -> Outcome {
    node::set_up("tests/emulator")
}

/// The emulator with an image; options are the caller's.
pub(crate) fn command(image: &Path) -> Command {
    let mut command = Command::new("node");
    command.arg(places::emulator().join("run.mjs")).arg("--elf").arg(image);
    command
}
