//! The live page: its files, the document that it shows, and the stream of changes to it.

mod document;
mod events;
mod feed;
mod files;

pub(super) use self::document::document;
pub(super) use self::events::{EventBody, Streams};
pub(super) use self::files::file;
