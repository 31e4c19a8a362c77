//! Loss of power: what the gateway makes of a state directory whose files end anywhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use gateway_support::{Device, Gateway, Noise, tapes};
use tapes_core::metric::{Descriptor, Kind, Unit, Value};
use tapes_tests::servers::Scratch;

const METRICS: [Descriptor<'static>; 1] =
    [Descriptor::new("motor.loops", Kind::Counter, Unit::NONE)];

const LOOPS: &str = "motor_loops_total{device=\"e601\"}";

/// How often the power fails.
const CUTS: usize = 16;

/// Writes a copy of every file below a directory, each cut at a random length, or not at all.
fn copy_cut(from: &Path, to: &Path, noise: &mut Noise) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_cut(&from, &to, noise);
            continue;
        }
        let bytes = fs::read(&from).unwrap();
        let len = usize::try_from(noise.below(bytes.len() as u64 + 1)).unwrap();
        let len = if noise.below(4) == 0 { bytes.len() } else { len };
        fs::write(&to, &bytes[..len]).unwrap();
    }
}

/// Starts a gateway on a directory, and returns it, or why it does not start.
fn start(state: &Path, more: &[&str]) -> Result<Gateway, String> {
    let mut check = Command::new(tapes());
    check.args(["gateway", "--stdin", "--no-http", "--state"]).arg(state).args(more);
    // One without input says at once whether the directory can be used.
    let output = check.stdin(Stdio::null()).output().unwrap();
    if output.status.code() == Some(0) {
        let path = state.to_str().unwrap();
        return Ok(Gateway::start(&["--stdin", "--state", path]));
    }
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    Err(String::from_utf8(output.stderr).unwrap())
}

/// If this fails, a gateway does not come back after a loss of power, does not say how to go on, or
/// counts what never was.
#[test]
fn a_directory_cut_anywhere_is_used_or_refused_with_what_to_do() {
    let scratch = Scratch::new("power");
    let whole = scratch.path().join("whole");
    let path = whole.to_str().unwrap();
    let mut gateway = Gateway::start(&["--stdin", "--state", path]);
    let (mut total, mut last) = (0, Device::new(&[0xe6, 1], 1));
    for life in 1..=4 {
        last = Device::new(&[0xe6, 1], life);
        let device = &mut last;
        gateway.feed(&[device.dict(&METRICS), device.hello()].concat());
        for loops in 1..=5 {
            total += 1;
            gateway.feed(&device.data(&[(0, Value::Unsigned(loops))]));
            // Looking saves.
            gateway.wait_until(LOOPS, f64::from(total));
        }
    }
    drop(gateway);

    let mut noise = Noise(1);
    let (mut used, mut refused) = (0, 0);
    for cut in 0..CUTS {
        let state = scratch.path().join(format!("cut-{cut}"));
        copy_cut(&whole, &state, &mut noise);
        let gateway = start(&state, &[]).or_else(|why| {
            refused += 1;
            assert!(why.contains("--state-salvage"), "cut {cut}: {why}");
            start(&state, &["--state-salvage"])
        });
        let mut gateway = gateway.unwrap_or_else(|why| panic!("cut {cut}: {why}"));
        used += 1;
        let shown = gateway.metric(LOOPS).unwrap_or(0.0);
        assert!(shown <= f64::from(total), "cut {cut}: {shown} of {total}");
        // The last life goes on where it is, and is counted once.
        let mut device = last.clone();
        gateway.feed(&[device.dict(&METRICS), device.hello()].concat());
        (5..20).for_each(|loops| gateway.feed(&device.data(&[(0, Value::Unsigned(loops))])));
        gateway.wait_until("tapes_device_up{device=\"e601\"}", 1.0);
        let shown = gateway.metric(LOOPS).unwrap_or(0.0);
        assert!(shown <= f64::from(total) + 14.0, "cut {cut}: {shown}, then {total} and 14");
    }
    assert_eq!(used, CUTS);
    println!("{used} used, {refused} of them after what they asked for");
}
