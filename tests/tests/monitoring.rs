//! The dashboard and the rules that come with the gateway, asked of the real Prometheus.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::path::{Path, PathBuf};
use std::process::Command;

use gateway_support::{Gateway, run};
use serde_json::Value;
use tapes_tests::servers::{Job, Scraper, Scratch, wait_for};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../std-adapters/docs/monitoring")
}

/// If this fails, an alert never comes, or always.
#[test]
fn the_rules_do_what_they_say() {
    for arguments in [["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]] {
        let mut promtool = Command::new("promtool");
        let output = promtool.current_dir(folder()).args(arguments).output();
        let output = output.expect("promtool runs; `cargo xtask test` sets it up");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
}

/// Returns the blocks of a page in a language.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let begin = format!("```{language}\n");
    page.split(&begin).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

/// If this fails, a server does not start with what was copied from the guide, or a gateway.
#[test]
fn configurations_in_the_documentation_are_taken() {
    let scratch = Scratch::new("copied");
    let documents = folder().join("..");
    let (mut servers, mut gateways) = (0, 0);
    for page in ["guide/gateway.md", "service.md"] {
        let page = std::fs::read_to_string(documents.join(page)).unwrap();
        for block in blocks(&page, "yaml") {
            let file = scratch.path().join("prometheus.yml");
            std::fs::write(&file, block).unwrap();
            let output = Command::new("promtool").args(["check", "config"]).arg(&file).output();
            let output = output.expect("promtool runs; `cargo xtask test` sets it up");
            assert!(output.status.success(), "{block}: {output:?}");
            servers += 1;
        }
        for block in blocks(&page, "toml") {
            let file = scratch.path().join("tapes.toml");
            std::fs::write(&file, block).unwrap();
            let output = run(&["check", file.to_str().unwrap()], b"");
            assert_eq!(output.status.code(), Some(0), "{block}: {output:?}");
            gateways += 1;
        }
    }
    assert!(servers >= 1 && gateways >= 1);
}

/// Returns every query in a part of a dashboard.
fn queries(part: &Value, found: &mut Vec<String>) {
    match part {
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| queries(field, found));
        }
        Value::Array(parts) => parts.iter().for_each(|part| queries(part, found)),
        _ => {}
    }
}

/// If this fails, a panel stays empty: the gateway calls its numbers something else.
#[test]
fn every_panel_has_something_to_show() {
    let text = std::fs::read_to_string(folder().join("dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut all = Vec::new();
    queries(&dashboard, &mut all);
    assert!(all.len() > 15, "{all:#?}");
    let rules = std::fs::read_to_string(folder().join("rules.yml")).unwrap();
    let recorded = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    all.extend(recorded.filter(|expr| expr.contains("rate(")).map(str::to_owned));

    let scratch = Scratch::new("monitoring");
    let state = scratch.path().join("state");
    let mut gateway = Gateway::start(&["--stdin", "--state", state.to_str().unwrap()]);
    gateway.feed(&run(&["simulate", "--seconds", "60", "--seed", "1"], b"").stdout);
    // What cannot be read has a series from then on.
    gateway.feed(b"\0noise\0");
    // As text, because the dashboard asks for classic buckets.
    let job = Job { format: "text", ..Job::new("tapes", gateway.http) };
    let prometheus = Scraper::prometheus(&[job]);
    for query in all {
        // What may be without a result as long as all is well.
        if query.starts_with("device:") || query.contains("> ") {
            continue;
        }
        let query = query.replace("$__rate_interval", "1m").replace("$device", ".*");
        wait_for(&query, || (!prometheus.query(&query).is_empty()).then_some(()));
    }
}
