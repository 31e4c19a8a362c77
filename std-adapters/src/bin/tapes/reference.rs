//! The tables of options in `docs/guide/reference.md`: compared with what the command takes, and
//! written if `TAPES_BLESS` is set.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::{Arg, ArgAction, Command};

const BEGIN: &str = "<!-- options: written by the command's tests if TAPES_BLESS is set -->\n";
const END: &str = "<!-- end of options -->\n";

/// Returns the tables of all commands.
fn tables(command: &Command) -> String {
    let mut text = "\nOf every command:\n\n".to_owned();
    text.push_str(&table(command));
    let mut known: Vec<(String, String)> = Vec::new();
    for subcommand in command.get_subcommands().filter(|one| one.get_name() != "help") {
        let name = subcommand.get_name();
        let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
        let table = table(subcommand);
        let _ = write!(text, "\n### `tapes {name}`\n\n{about}.\n\n");
        match known.iter().find(|(_, other)| *other == table) {
            Some((other, _)) => _ = writeln!(text, "Options: those of `tapes {other}`."),
            None => text.push_str(&table),
        }
        known.push((name.to_owned(), table));
    }
    text
}

fn table(command: &Command) -> String {
    let mut text = "| option | variable | default | does |\n|---|---|---|---|\n".to_owned();
    let own = |arg: &&Arg| !["help", "version"].contains(&arg.get_id().as_str());
    for arg in command.get_arguments().filter(own) {
        let variable = arg.get_env().map(|name| format!("`{}`", name.to_string_lossy()));
        let defaults = arg.get_default_values().iter().filter(|value| !value.is_empty());
        let defaults: Vec<_> = defaults.map(|value| format!("`{}`", value.display())).collect();
        let has_default = !matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count);
        let default = if has_default { defaults.join(" ") } else { String::new() };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            cell(&usage(arg)),
            variable.unwrap_or_default(),
            cell(&default),
            cell(&does(arg))
        );
    }
    text
}

/// Returns how an option is written.
fn usage(arg: &Arg) -> String {
    let names: Vec<_> =
        arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let names = names.join(" ");
    let short = arg.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    match arg.get_long() {
        Some(long) if matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count) => {
            format!("{short}--{long}")
        }
        Some(long) => format!("{short}--{long} {names}"),
        None => names,
    }
}

fn does(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    text.push('.');
    let values = arg.get_possible_values();
    if arg.get_action().takes_values() && !values.is_empty() {
        let names: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        let _ = write!(text, " One of {}.", names.join(", "));
    }
    let aliases = arg.get_visible_aliases().unwrap_or_default();
    for alias in aliases {
        let _ = write!(text, " Also `--{alias}`.");
    }
    text
}

/// Returns a text that does not end a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// An option that is in no reference is found by nobody; one that is gone is tried in vain.
#[test]
fn the_reference_has_all_options() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/reference.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page says where options begin");
    let (written, after) = rest.split_once(END).expect("the page says where options end");
    let tables = tables(&super::options(&mut Vec::new()));
    assert!(tables.lines().count() > 60, "{tables}");
    if std::env::var_os("TAPES_BLESS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{tables}{END}{after}")).unwrap();
    } else {
        assert_eq!(written, tables, "run this test with TAPES_BLESS=1 to write the tables");
    }
}
