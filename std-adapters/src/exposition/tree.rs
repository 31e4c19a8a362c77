//! Parts of a JSON tree, from leaves in the order of their names.

use std::fmt::{self, Write as _};

use tapes_core::text::json::TreeWriter;

/// One metric at its place in a tree.
pub(crate) trait Leaf {
    /// Returns the place: segments joined by dots.
    fn path(&self) -> &str;

    /// Writes the metric at another place.
    fn write<'n>(&'n self, tree: &mut TreeWriter<'_, 'n>, path: &'n str) -> fmt::Result;
}

/// Appends the part of the tree below `path`, all of it for an empty path. Returns false, and
/// appends nothing, if there is none. The leaves are in the order of a tree.
pub(crate) fn write_part<L: Leaf>(
    leaves: &[L],
    path: &[&str],
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let Some((last, parents)) = path.split_last() else {
        let mut tree = TreeWriter::new(out)?;
        leaves.iter().try_for_each(|leaf| leaf.write(&mut tree, leaf.path()))?;
        tree.finish()?;
        return Ok(true);
    };
    let mut prefix = String::new();
    parents.iter().try_for_each(|parent| write!(prefix, "{parent}."))?;
    // Names below the last segment, which stays, so that the wanted part is under one key.
    let wanted: Vec<_> = leaves
        .iter()
        .filter_map(|leaf| Some((leaf, leaf.path().strip_prefix(&prefix)?)))
        .filter(|(_, rest)| rest.split('.').next() == Some(*last))
        .collect();
    if wanted.is_empty() {
        return Ok(false);
    }
    let mut whole = String::new();
    let mut tree = TreeWriter::new(&mut whole)?;
    wanted.iter().try_for_each(|(leaf, rest)| leaf.write(&mut tree, rest))?;
    tree.finish()?;
    // `{"last":` … `}`; the key is looked for behind its closing quote, since it may need escapes.
    let mut key = String::new();
    TreeWriter::new(&mut key).and_then(|mut tree| tree.open(last))?;
    let begin = key.len().saturating_sub(1);
    let part = whole.get(begin..whole.len().saturating_sub(1)).ok_or(fmt::Error)?;
    out.push_str(part);
    Ok(true)
}
