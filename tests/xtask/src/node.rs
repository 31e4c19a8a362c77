//! Packages of Node.js, each in a folder with a lock file.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;

/// The oldest Node.js that runs the emulator.
const OLDEST_NODE: u32 = 18;

/// Makes sure that Node.js is there and that a package of this tree is installed as its lock file says.
pub(crate) fn set_up(package: &str) -> Outcome {
    let version = process::answer(Command::new("node").arg("--version"));
    let major =
        version.as_deref().and_then(major).ok_or_else(|| missing("Node.js is not installed"))?;
    if major < OLDEST_NODE {
        return Err(missing(&format!("Node.js {major} is too old, {OLDEST_NODE} is needed")));
    }
    let folder = places::root().join(package);
    if installed(&folder) {
        return Ok(());
    }
    if places::on_path("npm").is_none() {
        return Err(missing("npm is not installed"));
    }
    eprintln!("installing the package of {package} (npm ci, a few seconds) …");
    let mut install = Command::new("npm");
    // What is optional has to be compiled, and is not used.
    install.args(["ci", "--no-audit", "--no-fund", "--loglevel=error", "--omit=optional"]);
    install.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null());
    process::run(&mut install).map_err(|problem| {
        let advice = format!("run it again with a network: npm ci --prefix {package}");
        Problem::new(format!("{problem}; {advice}"))
    })
}

fn missing(what: &str) -> Problem {
    Problem::new(format!(
        "{what}; install Node.js {OLDEST_NODE} or newer, on Debian: sudo apt-get install nodejs npm"
    ))
}

/// The 20 of `v20.1.0`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// npm writes a lock file of its own last of all; it is there and as new as ours if the package is complete.
fn installed(package: &Path) -> bool {
    let modified = |file: &str| -> Option<SystemTime> {
        fs::metadata(package.join(file)).ok()?.modified().ok()
    };
    match (modified("node_modules/.package-lock.json"), modified("package-lock.json")) {
        (Some(installed), Some(wanted)) => installed >= wanted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::major;

    /// An old Node.js would be tried, and fail with a syntax error, if this failed.
    #[test]
    fn versions_are_read() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("20"), None);
    }
}
