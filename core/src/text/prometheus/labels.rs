//! Labels as an exposition has them.

use core::fmt::{Display, Formatter, Result, Write};

use super::output::Sink;
use crate::metric::exposed::{begins_reserved, is_same_name, write_mangled};

/// Label names that only the exporter and the server may use.
const RESERVED_LABELS: [&str; 2] = ["le", "quantile"];

/// The name of a label as an exposition has it.
///
/// A name that is `le` or `quantile`, begins with `__` or is that of an extra label gets
/// `exported_` before it; characters that it may not have become `_`.
///
/// ```
/// use tapes_core::text::prometheus::LabelName;
/// assert_eq!(LabelName::new(&[("device", "left")], "device").to_string(), "exported_device");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct LabelName<'a> {
    prefix: &'static str,
    name: &'a str,
}

impl<'a> LabelName<'a> {
    /// Returns the name of a metric's own label beside `extra` ones.
    #[must_use]
    pub fn new(extra: &[(&str, &str)], name: &'a str) -> Self {
        let taken = extra.iter().any(|(extra, _)| is_same_name(extra, name));
        let is_ours = RESERVED_LABELS.contains(&name) || begins_reserved(name);
        Self { prefix: if taken || is_ours { "exported_" } else { "" }, name }
    }

    /// Returns the name of an extra label.
    pub(super) const fn extra(name: &'a str) -> Self {
        Self { prefix: "", name }
    }

    fn write(self, out: &mut dyn Write) -> Result {
        out.write_str(self.prefix)?;
        if self.name.starts_with(|first: char| first.is_ascii_digit()) || self.name.is_empty() {
            out.write_str("_")?;
        }
        write_mangled(out, self.name)
    }
}

impl Display for LabelName<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.write(f)
    }
}

pub(super) fn write_label<W: Sink + ?Sized>(
    out: &mut W,
    before: &mut &'static str,
    name: LabelName<'_>,
    value: &str,
) -> Result {
    out.write_str(before)?;
    *before = ",";
    name.write(out.as_write())?;
    out.write_str("=\"")?;
    write_escaped(out, value, true)?;
    out.write_str("\"")
}

/// Writes text with backslashes, line feeds and, if asked, quotes escaped.
pub(super) fn write_escaped<W: Sink + ?Sized>(out: &mut W, text: &str, quotes: bool) -> Result {
    let is_special = |byte| matches!(byte, b'\\' | b'\n') || (quotes && byte == b'"');
    // All at once, where the code for it does not count.
    #[cfg(feature = "std")]
    if !super::special::has_special(text) {
        return out.write_str(text);
    }
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.bytes().position(is_special).unwrap_or(rest.len());
        let Some((plain, tail)) = rest.split_at_checked(end) else { break };
        out.write_str(plain)?;
        let mut tail = tail.chars();
        match tail.next() {
            Some('\\') => out.write_str("\\\\")?,
            Some('\n') => out.write_str("\\n")?,
            Some(_) => out.write_str("\\\"")?,
            None => break,
        }
        rest = tail.as_str();
    }
    Ok(())
}
