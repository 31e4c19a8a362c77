//! The one error of this program: a sentence for the person at the terminal.

use std::{fmt, io};

/// What went wrong, and what to do about it, as one or a few sentences.
#[derive(Debug)]
pub(crate) struct Problem(String);

/// The result of everything that can go wrong here.
pub(crate) type Outcome<T = ()> = Result<T, Problem>;

impl Problem {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// A failure that has been told already.
    pub(crate) fn told() -> Self {
        Self(String::new())
    }

    /// Whether nothing needs to be said any more.
    pub(crate) fn is_told(&self) -> bool {
        self.0.is_empty()
    }

    /// Wraps an I/O error with what was being done: `Problem::io("cannot read X")`.
    pub(crate) fn io(doing: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self(format!("{doing}: {error}"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
