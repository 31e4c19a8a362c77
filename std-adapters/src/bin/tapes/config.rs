//! The configuration file: names, labels and choices, and `tapes check`.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tapes_std::fleet::rules::{RuleError, Rules, Which};
use toml::Spanned;

use crate::terminal::shown;

/// Longest file, in bytes.
const LEN_MAX: u64 = 4 << 20;

const AFTER_HELP: &str = "\
A configuration gives devices names and labels, and says which metrics are shown:

  [[device]]
  uid = \"e66164084373532b\"            # as in the label device; or:
  # serial = \"/dev/ttyACM0\"           # what was last heard on this port
  name = \"lathe-1\"
  labels = { site = \"lab\" }

  [metrics]
  allow = [\"motor.*\", \"chip.*\"]     # nothing else is shown
  drop = [\"*.debug\"]
  rename = { \"motor.loops\" = \"spindle.loops\" }

Examples:
  tapes check /etc/tapes/tapes.toml && systemctl reload tapes

Exit codes: 0 it can be used; 2 it cannot, and why.";

/// Says whether a configuration can be used, and if not where the fault is.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The configuration, as for `tapes gateway --config`.
    #[arg(value_name = "CONFIG")]
    file: PathBuf,
}

/// Checks a configuration. Returns the exit code.
pub(crate) fn check(arguments: &Arguments) -> Result<u8, String> {
    load(&arguments.file)?;
    crate::output::print(&format!("{}: ok\n", shown(&arguments.file.display().to_string())))?;
    Ok(crate::DONE)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    device: Vec<Spanned<Device>>,
    #[serde(default)]
    metrics: Metrics,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    uid: Option<Spanned<String>>,
    serial: Option<Spanned<String>>,
    name: Option<Spanned<String>>,
    #[serde(default)]
    labels: BTreeMap<String, Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metrics {
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    #[serde(default)]
    drop: Vec<Spanned<String>>,
    #[serde(default)]
    rename: BTreeMap<String, Spanned<String>>,
}

/// What is wrong, where, and in which key.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    at: Range<usize>,
    what: String,
}

impl Fault {
    fn new(at: Range<usize>, key: &str, what: &impl ToString) -> Self {
        Self { at, what: format!("{key}: {}", what.to_string()) }
    }
}

/// Reads the rules of a file.
pub(crate) fn load(path: &Path) -> Result<Rules, String> {
    let name = shown(&path.display().to_string());
    let cannot = |error: std::io::Error| format!("cannot read {name}: {error}");
    let len = fs::metadata(path).map_err(cannot)?.len();
    if len > LEN_MAX {
        return Err(format!("{name}: longer than 4 MiB"));
    }
    let text = fs::read_to_string(path).map_err(cannot)?;
    tracing::debug!("{name}: read, {len} bytes");
    parse(&text).map_err(|fault| {
        let before = text.get(..fault.at.start).unwrap_or(&text);
        let line = before.matches('\n').count() + 1;
        format!("{name}, line {line}: {}", shown(&fault.what))
    })
}

fn parse(text: &str) -> Result<Rules, Fault> {
    let config: Config = toml::from_str(text).map_err(|error| {
        let (at, what) = (error.span().unwrap_or(0..0), error.message().replace('\n', "; "));
        // What is unknown or missing is named; of what is of another type the parser says no key.
        let key = key_before(text, at.start).filter(|_| what.starts_with("invalid"));
        Fault { at, what: key.map_or(what.clone(), |key| format!("{key}: {what}")) }
    })?;
    let mut rules = Rules::new();
    for device in &config.device {
        add_device(&mut rules, device)?;
    }
    let Metrics { allow, drop, rename } = &config.metrics;
    for pattern in allow {
        let fault = |error| Fault::new(pattern.span(), "metrics.allow", &error);
        rules.allow(pattern.get_ref()).map_err(fault)?;
    }
    for pattern in drop {
        let fault = |error| Fault::new(pattern.span(), "metrics.drop", &error);
        rules.drop(pattern.get_ref()).map_err(fault)?;
    }
    for (old, new) in rename {
        let key = format!("metrics.rename.{old:?}");
        rules.rename(old, new.get_ref()).map_err(|error| Fault::new(new.span(), &key, &error))?;
    }
    Ok(rules)
}

/// Returns the key whose value is, or is around, what begins at `start`.
fn key_before(text: &str, start: usize) -> Option<&str> {
    let (before, _) = text.get(..start)?.rsplit_once('=')?;
    let key = before.trim_end().rsplit(['\n', '{', ',', ' ']).next()?;
    (!key.is_empty()).then_some(key)
}

fn add_device(rules: &mut Rules, device: &Spanned<Device>) -> Result<(), Fault> {
    let Device { uid, serial, name, labels } = device.get_ref();
    let (which, at) = match (uid, serial) {
        (Some(uid), None) => (Which::Uid(uid.get_ref().clone()), ("device.uid", uid.span())),
        (None, Some(path)) => {
            (Which::Serial(path.get_ref().clone()), ("device.serial", path.span()))
        }
        _ => {
            return Err(Fault::new(device.span(), "device", &"give either uid or serial"));
        }
    };
    let pairs = labels.iter().map(|(name, value)| (name.clone(), value.get_ref().clone()));
    let called = name.as_ref().map(|name| name.get_ref().clone());
    rules.call(which, called, pairs.collect()).map_err(|error| {
        let (key, span) = match (error, name) {
            (RuleError::Name | RuleError::NameIsUid | RuleError::NameTaken, Some(name)) => {
                ("device.name", name.span())
            }
            (RuleError::Label | RuleError::LabelReserved | RuleError::LabelValue, _) => {
                let first = labels.values().map(Spanned::span).min_by_key(|span| span.start);
                ("device.labels", first.unwrap_or(at.1))
            }
            _ => at,
        };
        Fault::new(span, key, &error)
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    const GOOD: &str = "\
[[device]]
uid = \"e601\"
name = \"lathe-1\"
labels = { site = \"lab\" }

[[device]]
serial = \"/dev/ttyACM0\"
name = \"mill\"

[metrics]
allow = [\"motor.*\"]
drop = [\"*.debug\"]
rename = { \"motor.loops\" = \"spindle.loops\" }
";

    /// A fault that is told without its place is searched for at night.
    #[test]
    fn faults_name_the_line_and_the_key() {
        assert!(!parse(GOOD).unwrap().is_empty());
        assert!(parse("").unwrap().is_empty());
        for (from, to, line, key) in [
            ("uid = \"e601\"", "uid = \"xyz\"", 2, "device.uid: not a uid"),
            ("uid = \"e601\"", "uit = \"e601\"", 2, "uit"),
            ("name = \"mill\"", "name = \"lathe-1\"", 8, "device.name: another device"),
            ("name = \"mill\"", "name = 7", 8, "name: invalid type"),
            ("[\"motor.*\"]", "\"motor.*\"", 11, "allow: invalid type"),
            ("[\"motor.*\"]", "[\n7]", 12, "allow: invalid type"),
            ("site = \"lab\"", "site = 7", 4, "site: invalid type"),
            ("site = \"lab\"", "job = \"lab\"", 4, "device.labels: this label"),
            ("serial = \"/dev/ttyACM0\"", "", 6, "device: give either"),
            ("serial = \"/dev/ttyACM0\"", "uid = \"e601\"", 7, "device.uid: there is a rule"),
            ("[\"motor.*\"]", "[\n\"motor.*\",\n\"mo tor\"]", 13, "metrics.allow: not a pattern"),
            ("\"spindle.loops\"", "\"spindle..loops\"", 13, "metrics.rename.\"motor.loops\": not"),
            ("[metrics]", "[metric]", 10, "metric"),
            ("[metrics]", "[metrics", 10, "]"),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            let fault = parse(&bad).expect_err(to);
            let at = bad[..fault.at.start].matches('\n').count() + 1;
            assert_eq!(at, line, "{to}: {fault:?}");
            assert!(fault.what.contains(key), "{to}: {fault:?}");
        }
    }
}
