//! What a command line calls: programs with their options.

use std::collections::BTreeSet;

/// A call of one program: what it is told to do, and by which options.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// The program and, where the next words say what it is to do, those too.
    what: Vec<String>,
    options: BTreeSet<String>,
}

/// Whether a word stands for another one: `FILE`, `…`.
fn is_placeholder(word: &str) -> bool {
    let is_capital = |c: char| c.is_ascii_uppercase() || "_:=.".contains(c);
    word.contains('…') || (word.chars().all(is_capital) && !word.is_empty())
}

impl Call {
    fn new(words: &[&str]) -> Option<Self> {
        let is_variable =
            |word: &&&str| word.split_once('=').is_some_and(|(name, _)| is_placeholder(name));
        let words: Vec<&str> = words.iter().skip_while(is_variable).copied().collect();
        let (program, rest) = words.split_first()?;
        let is_action = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        };
        // What is behind is for somebody else, or no option of its own.
        let own = rest.iter().take_while(|word| **word != "--");
        let names = rest.iter().take_while(|word| is_action(word) || is_placeholder(word));
        let depth = match (*program, rest.first()) {
            ("cargo", Some(&"xtask")) if rest.get(1) == Some(&"emulate") => 3,
            ("cargo", Some(&"xtask")) => 2,
            _ => 1,
        };
        let mut what = vec![(*program).to_owned()];
        what.extend(names.take(depth).map(|word| (*word).to_owned()));
        if let Some(at) = rest.iter().position(|word| *word == "--example") {
            what.extend(rest.get(at + 1).map(|name| (*name).to_owned()));
        }
        let options = own.filter(|word| word.starts_with('-') && word.len() > 1);
        let options = options.map(|word| word.split('=').next().unwrap_or(word).to_owned());
        Some(Self { what, options: options.collect() })
    }

    /// Whether this does what `mentioned` says, with its options and perhaps more.
    pub(crate) fn covers(&self, mentioned: &Self) -> bool {
        let is_same = |(own, other): (&String, &String)| own == other || is_placeholder(other);
        let len = mentioned.what.len();
        self.what.len() >= len
            && self.what.iter().zip(&mentioned.what).all(is_same)
            && mentioned.options.is_subset(&self.options)
    }
}

/// Returns the calls of a command line, those in `$(…)` too.
pub(crate) fn calls(line: &str) -> Vec<Call> {
    let line = line.replace("$(", "|").replace([')', '\'', '"'], " ").replace("&&", "|");
    let words = |part: &str| {
        let part = part.split(['<', '>', '#']).next().unwrap_or(part).to_owned();
        let words: Vec<&str> = part.split_whitespace().collect();
        Call::new(&words)
    };
    line.split(['|', ';']).filter_map(words).collect()
}
