//! `tapes decode` and `tapes simulate`: what a recording holds, and where it is damaged.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use gateway_support::run;
use serde_json::Value;

fn lines(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A recording that cannot be made again cannot be compared.
#[test]
fn the_same_seed_gives_the_same_bytes() {
    let simulate = |seed| run(&["simulate", "--seconds", "3", "--seed", seed], b"").stdout;
    assert_eq!(simulate("1"), simulate("1"));
    assert_ne!(simulate("1"), simulate("2"));
}

/// Every byte of a recording is in one line, or is a 0x00 between two.
#[test]
fn decoding_shows_every_frame_and_where_it_is() {
    let recording = run(&["simulate", "--seconds", "30", "--seed", "1"], b"").stdout;
    let output = run(&["decode"], &recording);
    assert_eq!(output.status.code(), Some(0));
    let lines = lines(&output.stdout);
    assert_eq!(
        (&lines[0]["frame"], &lines[0]["hello"]["tick_hz"]),
        (&"hello".into(), &1_000_000.into())
    );
    let mut at = 1;
    for (line, seq) in lines.iter().zip(0u64..) {
        assert_eq!((&line["offset"], &line["seq"]), (&at.into(), &seq.into()));
        at += line["length"].as_u64().unwrap();
        // Reports begin with a 0x00 of their own.
        while recording.get(usize::try_from(at).unwrap()) == Some(&0) {
            at += 1;
        }
    }
    assert_eq!(at, recording.len() as u64);
    let last = lines.last().unwrap();
    assert_eq!(last["values"][0]["name"], "motor.loops");
}

/// Whoever looks for damage needs the place and the reason, and a script the exit code.
#[test]
fn garbage_is_shown_with_place_and_reason() {
    let frames = run(&["simulate", "--seconds", "0", "--seed", "1"], b"").stdout;
    for (label, damage, reason) in [
        ("noise", b"\x05noise\0".to_vec(), "cobs"),
        ("a wrong checksum", b"\x06noise\0".to_vec(), "crc"),
        ("too short", b"\x02a\0".to_vec(), "truncated"),
        ("no end", vec![1; 20_000], "oversize"),
        ("cut off", b"\x06noi".to_vec(), "unfinished"),
    ] {
        let output = run(&["decode", "-"], &[frames.clone(), damage.clone()].concat());
        assert_eq!(output.status.code(), Some(1), "{label}");
        let lines = lines(&output.stdout);
        let last = lines.last().unwrap();
        assert_eq!(last["error"], reason, "{label}");
        assert_eq!(
            (&last["offset"], &last["length"]),
            (&frames.len().into(), &damage.len().into())
        );
        assert!(lines.iter().rev().skip(1).all(|line| line["error"].is_null()), "{label}");
    }
}

/// The demonstration is these two commands.
#[test]
fn a_simulated_board_is_summed_up_in_a_table() {
    let recording = run(&["simulate", "--seconds", "20", "--seed", "1"], b"").stdout;
    let output = run(&["gateway", "--stdin", "--no-http"], &recording);
    assert_eq!(output.status.code(), Some(0));
    let table = String::from_utf8(output.stdout).unwrap();
    let row = |metric: &str| -> Vec<String> {
        let line =
            table.lines().find(|line| line.contains(metric)).unwrap_or_else(|| panic!("{table}"));
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(row("motor.loop_time")[2], "timer");
    assert!(row("motor.loop_time").contains(&"µs".to_owned()), "{table}");
    let passes: u64 = row("motor.loops")[3].parse().unwrap();
    assert!((19_900..=20_000).contains(&passes), "{table}");
    assert_eq!(row("motor.loop_time")[3], passes.to_string());
}
