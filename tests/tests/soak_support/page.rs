//! What the gateway shows of the devices, compared with what they counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tapes_tests::web;

use super::board::{Counts, uid};
use super::driver::World;

/// The numbers of all devices, by uid.
pub(crate) type Page = BTreeMap<String, Counts>;

/// Reads the page that Prometheus reads.
pub(crate) fn scrape(http: SocketAddr) -> Page {
    let answer = web::get(http, "/metrics");
    assert_eq!(answer.status, 200, "{}", answer.head);
    let mut page = Page::new();
    for line in answer.text().lines().filter(|line| line.starts_with("soak_")) {
        let (name, rest) = line.split_once('{').unwrap();
        let (labels, value) = rest.rsplit_once("} ").unwrap();
        let Some(device) = labels.strip_prefix("device=\"").and_then(|l| l.strip_suffix('"'))
        else {
            continue;
        };
        let counts = page.entry(device.to_owned()).or_default();
        match name {
            "soak_loops_total" => counts.loops = value.parse().unwrap(),
            "soak_time_seconds_count" => counts.times = value.parse().unwrap(),
            "soak_time_seconds_sum" => counts.time_us = micros(value),
            _ => {}
        }
    }
    page
}

/// Returns whole microseconds of a sum in seconds; below 2^53 of them every one can be told apart.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is rounded")]
fn micros(seconds: &str) -> u64 {
    (seconds.parse::<f64>().unwrap() * 1e6).round() as u64
}

/// Fails if a total went back since `before`, or is above the truth.
pub(crate) fn check(page: &Page, before: &Page, world: &World) {
    for (number, shared) in (0..).zip(&world.devices) {
        let uid = uid(number);
        // After the page was made: the truth only grows.
        let truth = *shared.truth.lock().unwrap();
        let shown = page.get(&uid).copied().unwrap_or_default();
        let before = before.get(&uid).copied().unwrap_or_default();
        for (what, before, shown, truth) in [
            ("loops", before.loops, shown.loops, truth.loops),
            ("times", before.times, shown.times, truth.times),
            ("time", before.time_us, shown.time_us, truth.time_us),
        ] {
            assert!(shown >= before, "{uid}: {what} went back from {before} to {shown}");
            assert!(shown <= truth, "{uid}: {what} shows {shown}, but {truth} were counted");
        }
    }
}

/// Returns the devices that are not shown as they are.
pub(crate) fn inexact(page: &Page, world: &World) -> Vec<(String, Option<Counts>, Counts)> {
    let devices = (0..).zip(&world.devices);
    let differs = devices.filter_map(|(number, shared)| {
        let (uid, truth) = (uid(number), *shared.truth.lock().unwrap());
        let shown = page.get(&uid).copied();
        (shown != Some(truth)).then_some((uid, shown, truth))
    });
    differs.collect()
}
