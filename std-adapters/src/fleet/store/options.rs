//! How a state is kept, and what that cost so far.

use super::machine;

/// How a state is opened and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreOptions {
    pub(super) durable: bool,
    pub(super) salvage: bool,
    pub(super) moved: bool,
    pub(super) machine: u64,
}

impl StoreOptions {
    /// Returns the defaults: what is shown survives a kill; a damaged file is refused, and the
    /// machine is not looked at.
    #[must_use]
    pub const fn new() -> Self {
        Self { durable: false, salvage: false, moved: false, machine: 0 }
    }

    /// Sets whether each save waits for the disk, so that what is shown survives a loss of power.
    ///
    /// Defaults to false.
    #[must_use]
    pub const fn with_durable(self, durable: bool) -> Self {
        Self { durable, ..self }
    }

    /// Sets whether what is before a damage is used, and the damaged file set aside as
    /// `state.damaged-1` and so on.
    ///
    /// Defaults to false.
    #[must_use]
    pub const fn with_salvage(self, salvage: bool) -> Self {
        Self { salvage, ..self }
    }

    /// Sets whether a state of another machine is taken over.
    ///
    /// Defaults to false.
    #[must_use]
    pub const fn with_moved(self, moved: bool) -> Self {
        Self { moved, ..self }
    }

    /// Sets the identity of this machine, 0 if it has none.
    ///
    /// Defaults to 0.
    #[must_use]
    pub const fn with_machine(self, machine: u64) -> Self {
        Self { machine, ..self }
    }

    /// Sets the identity of this machine to what the operating system says.
    #[must_use]
    pub fn with_this_machine(self) -> Self {
        self.with_machine(machine::id())
    }
}

/// What keeping a state did since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StoreStats {
    /// Writes of changes.
    pub writes: u64,
    /// Times the whole state was written.
    pub rewrites: u64,
    /// Bytes written, of both.
    pub bytes: u64,
    /// Writes that failed.
    pub failures: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes that were cut off at the start: what was under way when the process ended.
    pub cut_bytes: u64,
    /// Whether everything that was to be saved is.
    pub is_saved: bool,
}
