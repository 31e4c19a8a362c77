//! The tables of names in the documentation, compared with what there is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gateway_support::Gateway;
use serde_json::Value;
use tapes_tests::servers::Scratch;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns what stands in backticks in the first cells of all tables below a heading.
fn named(page: &str, heading: &str) -> BTreeSet<String> {
    let (_, section) = page.split_once(&format!("\n{heading}\n")).expect(heading);
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    cells.flat_map(|cell| cell.trim_matches('`').split("`, `").map(str::to_owned)).collect()
}

/// Returns the names in the metrics of a file's macro, below its group.
fn declared(path: &str, group: &str) -> BTreeSet<String> {
    let source = read(path);
    let (_, body) = source.split_once(&format!(" = \"{group}\" {{\n")).expect(group);
    let body = body.split("\n    }\n").next().unwrap();
    let lines = body.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let names = lines.filter_map(|line| line.split_once(": "));
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let names = names.filter(|(name, _)| is_name(name));
    names.map(|(name, _)| format!("{group}.{name}")).collect()
}

/// If this fails, somebody waits for a metric of the gateway that is called something else.
#[test]
fn the_gateways_own_names_are_all_described() {
    let gateway = Gateway::start(&["--stdin"]);
    let page = gateway.get("/metrics").body;
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let shown = types.filter_map(|line| line.split(' ').next()).map(str::to_owned);
    let shown: BTreeSet<String> = shown.filter(|name| name.starts_with("tapes_")).collect();
    assert!(shown.len() > 30, "{shown:?}");
    let described = named(&read("std-adapters/docs/fleet.md"), "## Exports");
    let described: BTreeSet<String> =
        described.into_iter().filter(|name| name.starts_with("tapes_")).collect();
    assert_eq!(described, shown);
}

/// Adds the keys of all metrics in a tree of `/stats`.
fn add_keys(tree: &Value, keys: &mut BTreeSet<String>) {
    for (key, value) in tree.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => add_keys(value, keys),
            _ => drop(keys.insert(key.clone())),
        }
    }
}

/// If this fails, a program reads a key that is not there, or misses one that is.
#[test]
fn keys_of_stats_are_all_described() {
    let described = named(&read("std-adapters/docs/guide/reference.md"), "## Keys of `/stats`");
    let scratch = Scratch::new("keys");
    let file = scratch.path().join("board.bin");
    let board = gateway_support::run(&["simulate", "--seconds", "2", "--seed", "1"], b"");
    fs::write(&file, board.stdout).unwrap();
    let gateway = Gateway::start(&["--file", file.to_str().unwrap(), "--stay"]);
    gateway.wait_until("motor_loops_total{device=\"39d653beb23a195d\"}", 2_000.0);
    let mut keys = BTreeSet::new();
    add_keys(&serde_json::from_str(&gateway.get("/stats").body).unwrap(), &mut keys);
    assert!(keys.len() > 20, "{keys:?}");
    assert_eq!(described, keys);
}

/// If this fails, what boards say of themselves is described under names that it does not have.
#[test]
fn metrics_of_boards_are_all_described() {
    let page = read("std-adapters/docs/guide/reference.md");
    let embassy = declared("core/embassy/src/trace_macro.rs", "embassy");
    assert!(embassy.len() >= 8, "{embassy:?}");
    assert_eq!(named(&page, "## Metrics of embassy's executors"), embassy);
    let system = declared("core/rp2040/src/system.rs", "system");
    assert!(system.len() >= 7, "{system:?}");
    assert_eq!(named(&page, "## Metrics of the RP2040"), system);
}
