//! Names and tags, with what a dialect does not take left out of them.

use core::fmt::{self, Write};

use super::{Dialect, Encoder};
use crate::metric::Descriptor;

impl Encoder<'_> {
    /// Writes prefix, name, suffix and the colon.
    pub(super) fn name(
        &mut self,
        suffix: &str,
        descriptor: &Descriptor<'_>,
        cell: u32,
    ) -> fmt::Result {
        let first = if self.prefix.is_empty() { descriptor.name } else { self.prefix };
        let is_letter = first.starts_with(|first: char| first.is_ascii_alphabetic());
        if self.dialect == Dialect::DogStatsd && !is_letter {
            self.line.write_str("m")?;
        }
        if !self.prefix.is_empty() {
            self.line.write_clean(self.prefix, self.is_name())?;
            self.line.write_str(".")?;
        }
        self.line.write_clean(descriptor.name, self.is_name())?;
        if self.dialect != Dialect::DogStatsd {
            for (_, value) in descriptor.dimensions.labels(cell) {
                self.line.write_str(".")?;
                self.line
                    .write_clean(value, |c| c.is_ascii_alphanumeric() || c == '_' || c == '-')?;
            }
        }
        if !suffix.is_empty() {
            self.line.write_str(".")?;
            self.line.write_str(suffix)?;
        }
        self.line.write_str(":")
    }

    /// Returns which characters a name may have.
    fn is_name(&self) -> fn(char) -> bool {
        if self.dialect == Dialect::DogStatsd {
            |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')
        } else {
            |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
        }
    }

    /// Writes the tags, in the dialect that has them.
    pub(super) fn all_tags(&mut self, descriptor: &Descriptor<'_>, cell: u32) -> fmt::Result {
        if self.dialect != Dialect::DogStatsd {
            return Ok(());
        }
        let mut before = "|#";
        for (key, value) in self
            .tags
            .iter()
            .copied()
            .chain(descriptor.dimensions.labels(cell))
            .chain(descriptor.labels.iter())
        {
            self.line.write_str(before)?;
            before = ",";
            self.line.write_clean(key, |c| is_tag(c) && c != ':')?;
            self.line.write_str(":")?;
            self.line.write_clean(value, is_tag)?;
        }
        Ok(())
    }
}

/// Returns whether a tag may have this character; there is no way to escape any.
fn is_tag(c: char) -> bool {
    !c.is_control() && !matches!(c, '|' | ',' | '#')
}
