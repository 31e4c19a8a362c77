//! The live page in a browser: Debian's Chromium, driven from `tests/page`.

use crate::node;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::toolchain;

/// Makes sure that the browser and what drives it are there.
pub(crate) fn set_up() -> Outcome {
    node::set_up("tests/page")?;
    let there = || places::on_path("chromium").is_some();
    if there() || (toolchain::install_if_root(&["chromium"]) && there()) {
        return Ok(());
    }
    Err(Problem::new(
        "Chromium is missing; on Debian: sudo apt-get install --no-install-recommends chromium",
    ))
}
