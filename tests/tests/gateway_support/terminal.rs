//! Terminals that no person sits at.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

/// Returns the person's end of a new terminal, and the program's.
pub(crate) fn open() -> (File, OwnedFd) {
    // Nobody else, above all not the program itself, is to hold it open.
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).unwrap();
    grantpt(&master).and_then(|()| unlockpt(&master)).unwrap();
    let mut open = File::options();
    open.read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits());
    let slave = OwnedFd::from(open.open(ptsname_r(&master).unwrap()).unwrap());
    (File::from(OwnedFd::from(master)), slave)
}
