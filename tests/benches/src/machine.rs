//! On what it was measured.

use std::process::Command;

use crate::Options;

/// Returns a sentence about processor, compiler and effort.
pub(crate) fn describe(options: &Options) -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let version = Command::new("rustc").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let compiler = version.unwrap_or_else(|_| "an unknown compiler".to_owned());
    let effort = if options.quick { ", in a hurry (`--quick`)" } else { "" };
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    format!(
        "Measured on {cores} cores of {model}, {compiler}, opt-level 3 with fat LTO{effort}. Times are medians of processor time: what an operation takes of a core. What another \
         core's cache costs shows only while both run; waiting shows never.\n"
    )
}
