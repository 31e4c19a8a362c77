//! Text from devices on a terminal: shown, not obeyed.

use std::fmt::Write as _;
use std::io::IsTerminal;

/// Returns whether colours are wanted on what is written here: on terminals, and unless `NO_COLOR`
/// is set to something.
pub(crate) fn takes_colours(out: &impl IsTerminal) -> bool {
    let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    out.is_terminal() && !is_unwanted && !is_dumb
}

/// Returns whether a terminal would act on a character, or show others in another order.
pub(crate) fn acts(c: char) -> bool {
    let reorders = matches!(c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() || reorders
}

/// Returns the text with escapes in place of what a terminal would act on.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Returns JSON with escapes in place of what a terminal would act on: inside strings, where
/// everything of that kind is, they mean the same.
pub(crate) fn shown_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if acts(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{shown, shown_json};

    /// A label value could clear the screen, or make one device look like another.
    #[test]
    fn controls_and_overrides_are_shown() {
        for (text, expected) in [
            ("plain µ €", "plain µ €"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\u{9b}b", "a\\u{9b}b"),
            ("\u{202e}olleh", "\\u{202e}olleh"),
            ("a\r\nb", "a\\u{d}\\u{a}b"),
        ] {
            assert_eq!(shown(text), expected);
        }
        assert_eq!(shown_json("\"\u{202e}\u{e0001}\u{7f}\""), "\"\\u202e\\udb40\\udc01\\u007f\"");
    }
}
