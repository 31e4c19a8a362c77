//! Options from the environment: `TAPES_HTTP=:9200` is as good as `--http :9200`.
//!
//! What is on the command line counts more: its options leave out the variables of the same option,
//! and of those that exclude it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use clap::builder::FalseyValueParser;
use clap::{Arg, ArgAction, Command};

/// What the names of all variables begin with.
const PREFIX: &str = "TAPES_";

/// Returns the name of the variable of an option.
fn variable(long: &str) -> String {
    format!("{PREFIX}{}", long.to_uppercase().replace('-', "_"))
}

/// Returns the variables that are set and would be options, as a list for people.
pub(crate) fn in_use() -> String {
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    let names: BTreeSet<String> = names.filter(|name| name.starts_with(PREFIX)).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Lets all options of all commands be variables, too.
///
/// `line` is the command line, with the program's name; options of several values, which stand in
/// their variable with spaces between them, are added to it. `lookup` returns a variable.
pub(crate) fn read(
    command: Command,
    line: &mut Vec<OsString>,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Command {
    let given: Vec<OsString> = line.iter().take_while(|word| *word != "--").cloned().collect();
    let at = given.iter().skip(1).position(|word| !word.as_bytes().starts_with(b"-"));
    let at = at.map(|at| at + 1);
    let mut added = Vec::new();
    let command = command.mut_subcommands(|subcommand| {
        let is_chosen = at.is_some_and(|at| given[at] == subcommand.get_name());
        let excluded = if is_chosen { excluded(&subcommand, &given) } else { BTreeSet::new() };
        subcommand.mut_args(|arg| {
            let Some(name) = arg.get_long().map(variable) else { return arg };
            let value = lookup(&name).filter(|_| is_chosen);
            let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
            let Some(value) = value else { return shown(arg, name, is_flag) };
            let is_said = !excluded.contains(arg.get_id().as_str());
            if is_said && matches!(arg.get_action(), ArgAction::Append) {
                added.extend(values(&arg, &value));
            }
            match arg.get_action() {
                ArgAction::Append => arg,
                ArgAction::SetTrue if !is_said || !is_true(&value) => arg,
                _ if !is_said || value.is_empty() => arg,
                _ => shown(arg, name, is_flag),
            }
        })
    });
    let at = at.unwrap_or(0) + 1;
    line.splice(at.min(line.len())..at.min(line.len()), added);
    command
}

/// An option that clap looks up in the environment, and whose help says so.
fn shown(arg: Arg, name: String, is_flag: bool) -> Arg {
    let arg = arg.env(name).hide_env_values(true);
    if is_flag { arg.value_parser(FalseyValueParser::new()) } else { arg }
}

/// Returns whether a variable switches a flag on, as clap takes it.
fn is_true(value: &OsStr) -> bool {
    let value = value.to_string_lossy().to_lowercase();
    !["", "0", "f", "false", "n", "no", "off"].contains(&value.as_str())
}

/// Returns the values of a variable as arguments.
fn values(arg: &Arg, value: &OsStr) -> Vec<OsString> {
    let long = arg.get_long().unwrap_or_default();
    let words = value.as_bytes().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let argument = |word: &[u8]| {
        let mut argument = OsString::from(format!("--{long}="));
        argument.push(OsStr::from_bytes(word));
        argument
    };
    words.map(argument).collect()
}

/// Returns the options whose variables do not count, for what is on the command line.
fn excluded(command: &Command, given: &[OsString]) -> BTreeSet<String> {
    let mut excluded = BTreeSet::new();
    let id = |arg: &Arg| arg.get_id().as_str().to_owned();
    for arg in command.get_arguments() {
        let is_given = is_given(arg, given);
        if is_given {
            excluded.insert(id(arg));
        }
        for other in command.get_arg_conflicts_with(arg) {
            if is_given {
                excluded.insert(id(other));
            }
            if self::is_given(other, given) {
                excluded.insert(id(arg));
            }
        }
    }
    excluded
}

/// Returns whether an option is on the command line.
fn is_given(arg: &Arg, given: &[OsString]) -> bool {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    arg.get_long().into_iter().chain(aliases).any(|long| {
        given.iter().any(|word| {
            let name = word.as_bytes().strip_prefix(b"--");
            let rest = name.and_then(|name| name.strip_prefix(long.as_bytes()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
        })
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::{Arg, ArgAction, Command};

    use super::read;

    fn command() -> Command {
        let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
        let count = Arg::new("v").short('v').action(ArgAction::Count);
        Command::new("tapes").arg(count).subcommand(
            Command::new("gateway")
                .arg(Arg::new("http").long("http").default_value("9100"))
                .arg(flag("no-http").conflicts_with("http"))
                .arg(Arg::new("file").long("file").alias("read").action(ArgAction::Append)),
        )
    }

    /// Returns what a command line with variables means: http, no-http, and all files.
    fn meant(line: &str, variables: &[(&str, &str)]) -> (String, bool, Vec<String>) {
        let mut line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let lookup = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let command = read(command(), &mut line, lookup);
        let matches = command.try_get_matches_from(line).unwrap();
        let gateway = matches.subcommand_matches("gateway").unwrap();
        let files = gateway.get_many::<String>("file").into_iter().flatten().cloned();
        let http = gateway.get_one::<String>("http").unwrap().clone();
        (http, gateway.get_flag("no-http"), files.collect())
    }

    /// A variable of a whole machine that beats what somebody types surprises at the worst time.
    #[test]
    fn the_command_line_counts_more() {
        let files = ("TAPES_FILE", " a  b=c ");
        for (line, variables, http, no_http, all) in [
            ("tapes gateway", &[][..], "9100", false, &[][..]),
            ("tapes gateway", &[files], "9100", false, &["a", "b=c"]),
            ("tapes -v gateway", &[files], "9100", false, &["a", "b=c"]),
            ("tapes gateway --file d", &[files], "9100", false, &["d"]),
            ("tapes gateway --read=d", &[files], "9100", false, &["d"]),
            ("tapes gateway --http 1", &[("TAPES_NO_HTTP", "1")], "1", false, &[]),
            ("tapes gateway", &[("TAPES_NO_HTTP", "off")], "9100", false, &[]),
            ("tapes gateway", &[("TAPES_NO_HTTP", "")], "9100", false, &[]),
            ("tapes gateway", &[("TAPES_FILE", "")], "9100", false, &[]),
        ] {
            let expected =
                (http.to_owned(), no_http, all.iter().map(ToString::to_string).collect());
            assert_eq!(meant(line, variables), expected, "{line} {variables:?}");
        }
    }
}
