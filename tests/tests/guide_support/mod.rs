//! The commands that are written somewhere for people to type, and how tests run them.

mod board;
pub(crate) mod found;
pub(crate) mod help;
pub(crate) mod listed;
pub(crate) mod place;
mod serving;
mod words;

pub(crate) use words::calls;
