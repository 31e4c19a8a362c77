//! What the hooks of executors cost on an RP2040, in the emulator.

use std::collections::BTreeMap;

use tapes_tests::programs::{emulate, firmware};

/// Cycles that the documentation of `trace_executors!` states.
const LIMITS: [(&str, u64); 4] = [
    ("_embassy_trace_poll_start", 230),
    ("_embassy_trace_executor_idle", 140),
    ("_embassy_trace_task_exec_begin", 120),
    ("_embassy_trace_task_exec_end", 210),
];

/// If this fails, tracing disturbs what it observes more than the documentation says.
#[test]
fn hooks_take_no_more_cycles_than_documented() {
    let image = firmware("executor_load");
    let run = emulate(&image, &["--seconds", "0.5", "--dump", "executor_load::_::TRACER"]);
    let words = run.report["symbols"]["executor_load::_::TRACER"].as_array().expect("words");
    let words = words.iter().filter_map(serde_json::Value::as_u64);
    // The slots hold ids, which are addresses in RAM; which is whose does not matter, as a hook that
    // knows neither returns at once.
    let mut ids: Vec<u64> =
        words.filter(|word| (0x2000_0000..0x2004_2000).contains(word)).collect();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() >= 5, "two executors and three tasks: {ids:x?}");
    let mut calls = Vec::new();
    for (hook, _) in LIMITS {
        for executor in &ids {
            if hook.contains("task") {
                calls.extend(ids.iter().map(|task| format!("{hook}({executor},{task})")));
            } else {
                calls.push(format!("{hook}({executor})"));
            }
        }
    }
    let mut options = vec!["--seconds", "0.5"];
    options.extend(calls.iter().flat_map(|call| ["--cycles", call]));
    let report = emulate(&image, &options).report;
    let mut worst = BTreeMap::<&str, u64>::new();
    for (call, cycles) in report["cycles"].as_object().expect("cycles") {
        let hook = call.split('(').next().expect("a name");
        let most = worst.entry(hook).or_default();
        *most = (*most).max(cycles["max"].as_u64().expect("a number"));
    }
    println!("{worst:?}");
    let poll = worst["_embassy_trace_task_exec_begin"] + worst["_embassy_trace_task_exec_end"];
    assert!(poll <= 330, "a poll takes {poll} cycles more, documented are 330");
    for (hook, limit) in LIMITS {
        let cycles = worst[hook];
        assert!(cycles <= limit, "{hook}: {cycles} cycles, documented are {limit}");
        assert!(cycles > limit / 4, "{hook}: {cycles} cycles, too few to have done anything");
    }
}

/// If this fails, a firmware that does not trace its executors pays for it: the examples' workspace has the adapter
/// among its dependencies, and this example does not use it.
#[test]
fn what_is_not_traced_has_nothing_of_the_adapter() {
    let names = ["13tapes_embassy", "_embassy_trace_"];
    let inside = |name: &str| {
        let image = std::fs::read(firmware(name)).expect("the image is there");
        names.map(|name| image.windows(name.len()).filter(|at| *at == name.as_bytes()).count())
    };
    assert_eq!(inside("timing_loop"), [0, 0], "of {names:?} in its symbols");
    assert!(inside("executor_load").iter().all(|count| *count > 0), "traced, it has them");
}
