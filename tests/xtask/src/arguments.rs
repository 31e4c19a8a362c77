//! Command lines: `--name value`, `--name=value`, switches, and everything after `--`.

use crate::problem::{Outcome, Problem};

/// The arguments of one command, taken apart piece by piece; `finish` rejects what is left.
#[derive(Debug)]
pub(crate) struct Arguments {
    rest: Vec<String>,
    after_dashes: Vec<String>,
}

impl Arguments {
    pub(crate) fn new(all: impl IntoIterator<Item = String>) -> Self {
        let mut rest: Vec<String> = all.into_iter().collect();
        let after_dashes = match rest.iter().position(|argument| argument == "--") {
            Some(at) => rest.split_off(at).split_off(1),
            None => Vec::new(),
        };
        Self { rest, after_dashes }
    }

    /// Whether the switch is there.
    pub(crate) fn switch(&mut self, name: &str) -> bool {
        let before = self.rest.len();
        self.rest.retain(|argument| argument != name);
        self.rest.len() < before
    }

    /// The value of an option, from `--name value` or `--name=value`.
    pub(crate) fn value(&mut self, name: &str) -> Outcome<Option<String>> {
        let joined = format!("{name}=");
        if let Some(at) = self.rest.iter().position(|argument| argument.starts_with(&joined)) {
            let argument = self.rest.remove(at);
            return Ok(argument.strip_prefix(&joined).map(str::to_owned));
        }
        let Some(at) = self.rest.iter().position(|argument| argument == name) else {
            return Ok(None);
        };
        if self.rest.get(at + 1).is_none_or(|value| value.starts_with("--")) {
            return Err(Problem::new(format!("{name} needs a value")));
        }
        self.rest.remove(at);
        Ok(Some(self.rest.remove(at)))
    }

    /// The value of an option that is a number of seconds.
    pub(crate) fn seconds(&mut self, name: &str) -> Outcome<Option<f64>> {
        let Some(text) = self.value(name)? else {
            return Ok(None);
        };
        match text.parse::<f64>() {
            Ok(seconds) if seconds > 0.0 && seconds.is_finite() => Ok(Some(seconds)),
            _ => Err(Problem::new(format!(
                "{name} takes a number of seconds above 0, not \"{text}\""
            ))),
        }
    }

    /// The next argument that is not an option.
    pub(crate) fn positional(&mut self) -> Option<String> {
        let at = self.rest.iter().position(|argument| !argument.starts_with('-'))?;
        Some(self.rest.remove(at))
    }

    /// What came after `--`; everything else must have been taken by now.
    pub(crate) fn finish(self, command: &str) -> Outcome<Vec<String>> {
        match self.rest.first() {
            None => Ok(self.after_dashes),
            Some(unknown) => Err(Problem::new(format!(
                "{command} does not know \"{unknown}\"; see: cargo xtask help {command}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn arguments(line: &str) -> Arguments {
        Arguments::new(line.split_whitespace().map(str::to_owned))
    }

    /// Both spellings of an option would not mean the same if this failed.
    #[test]
    fn options_take_either_spelling() {
        for line in ["BIN --seconds 2.5", "--seconds=2.5 BIN"] {
            let mut arguments = arguments(line);
            assert_eq!(arguments.seconds("--seconds").unwrap(), Some(2.5), "{line}");
            assert_eq!(arguments.positional().as_deref(), Some("BIN"), "{line}");
            assert!(arguments.finish("x").unwrap().is_empty(), "{line}");
        }
    }

    /// A typing mistake would be ignored silently if this failed.
    #[test]
    fn unknown_missing_and_bad_values_are_refused() {
        assert!(arguments("--secnods 2").finish("x").is_err());
        for bad in ["--seconds", "--seconds --list", "--seconds=0", "--seconds x", "--seconds inf"]
        {
            assert!(arguments(bad).seconds("--seconds").is_err(), "{bad}");
        }
    }

    /// Options meant for the emulator would be eaten here if this failed.
    #[test]
    fn what_follows_two_dashes_is_left_alone() {
        let mut arguments = arguments("BIN -- --reset warm@2 --seconds 9");
        assert_eq!(arguments.seconds("--seconds").unwrap(), None);
        assert_eq!(arguments.positional().as_deref(), Some("BIN"));
        assert_eq!(arguments.finish("x").unwrap(), ["--reset", "warm@2", "--seconds", "9"]);
    }
}
