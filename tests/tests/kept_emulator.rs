//! Counts that survive resets: firmware that crashes in the emulator → gateway → HTTP, exactly.
//!
//! `crash_survivor` works for a fraction of each second and then reports, so at 0.8 s into any
//! second of a boot the words hold what was sent, and can be compared with what the gateway shows.

use std::path::Path;

use serde_json::Value;
use tapes_tests::programs::{Emulated, Gateway, emulate, firmware, sample};
use tapes_tests::servers::Scratch;

/// The words of `jobs` in the firmware: `begun | sum (low, ahead, behind) min max zero buckets…
/// overflow | panics`.
const WORDS: &str = "crash_survivor::JOB_WORDS";

/// What there is of each metric; the sum is in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Totals {
    begun: f64,
    timed: f64,
    time_us: f64,
    panics: f64,
}

impl Totals {
    fn and(self, other: Self) -> Self {
        Self {
            begun: self.begun + other.begun,
            timed: self.timed + other.timed,
            time_us: self.time_us + other.time_us,
            panics: self.panics + other.panics,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn held(run: &Emulated) -> Totals {
    let symbols = run.report["symbols"].as_object().expect("an object");
    let (_, words) = symbols.iter().next().expect("the words were dumped");
    let words = words.as_array().expect("a list").iter();
    let words: Vec<u64> = words.map(|word| word.as_u64().expect("a word")).collect();
    let [begun, histogram @ .., panics] = &words[..] else { panic!("{words:?}") };
    Totals {
        begun: *begun as f64,
        timed: histogram[5..].iter().sum::<u64>() as f64,
        time_us: histogram[0] as f64,
        panics: *panics as f64,
    }
}

fn shown(text: &str) -> Totals {
    Totals {
        begun: sample(text, "jobs_begun_total{"),
        timed: sample(text, "jobs_time_seconds_count{"),
        time_us: (sample(text, "jobs_time_seconds_sum{") * 1e6).round(),
        panics: sample(text, "jobs_panics_total{"),
    }
}

/// Returns how each boot began: when, and by what.
fn boots(run: &Emulated) -> Vec<(f64, String)> {
    let boots = run.report["boots"].as_array().expect("a list");
    let text = |boot: &Value| format!("{} {}", boot["kind"], boot["why"]).replace('"', "");
    let seconds = |boot: &Value| boot["seconds"].as_f64().expect("a number");
    boots.iter().map(|boot| (seconds(boot), text(boot))).collect()
}

fn run(image: &Path, seconds: f64, options: &[&str]) -> Emulated {
    let seconds = seconds.to_string();
    emulate(image, &[&["--seconds", &seconds, "--dump", WORDS], options].concat())
}

/// Runs until at most `limit` seconds, to a moment at which all that was counted was sent.
fn run_to_rest(image: &Path, limit: f64, options: &[&str]) -> Emulated {
    let (last, _) = boots(&run(image, limit, options)).pop().expect("it booted");
    assert!(limit - last > 1.8, "the last boot, at {last} s, must have reported more than once");
    run(image, last + (limit - last - 0.8).floor() + 0.8, options)
}

/// Gives a capture to a gateway and returns what it shows then.
fn gateway(bytes: &[u8]) -> String {
    let folder = Scratch::new("kept");
    let mut gateway = Gateway::keeping(folder.path());
    gateway.feed(bytes);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let all = bytes.len() as f64;
    gateway.metrics_when(|text| sample(text, "tapes_received_bytes_total{") >= all)
}

/// If this fails, a crash takes counts with it, or counts them twice, or makes a new epoch of them.
#[test]
fn what_was_counted_before_a_crash_is_reported_after_it() {
    let image = firmware("crash_survivor");
    let run = run_to_rest(&image, 12.5, &[]);
    let boots = boots(&run);
    let ways: Vec<&str> = boots.iter().map(|(_, way)| way.as_str()).collect();
    // A panic, a hang that the watchdog ends, a panic.
    assert_eq!(ways, ["cold power on", "warm watchdog", "warm watchdog", "warm watchdog"]);
    let text = gateway(&run.bytes);
    let (held, shown) = (held(&run), shown(&text));
    assert_eq!(shown, held);
    // Each panic and each hang took one time, and nothing else.
    assert_eq!((held.panics, held.begun - held.timed), (2.0, 3.0));
    assert!(held.begun > 300.0, "{held:?}");
    assert_eq!(sample(&text, "tapes_device_boots_total{"), 1.0, "one life of the values");
    assert_eq!(sample(&text, "tapes_device_starts{"), 4.0);
    assert!(text.contains("reset_reason=\"software\""), "the last one asked for it:\n{text}");
    assert_eq!(sample(&text, "tapes_device_problems_total{"), 0.0);
}

/// If this fails, garbage in RAM is taken for counts, or a reset that keeps RAM loses some.
#[test]
fn garbage_is_refused_and_kept_words_are_believed() {
    let image = firmware("crash_survivor");
    for seed in ["1", "2", "77"] {
        // A hand on the board while it works, with counts that were not sent; then the power.
        let hands = ["--seed", seed, "--reset", "warm@2.03", "--reset", "run@3.045"];
        let first = run(&image, 6.87, &hands);
        let all = run_to_rest(&image, 10.7, &[&hands[..], &["--reset", "cold@6.87"]].concat());
        let ways: Vec<String> = boots(&all).into_iter().map(|(_, way)| way).collect();
        let same = ["cold power on", "warm asked for", "run asked for", "warm watchdog"];
        assert_eq!(ways[..4], same, "{ways:?}");
        assert_eq!(ways[4], "cold asked for", "{ways:?}");
        assert!(first.bytes.len() < all.bytes.len() && all.bytes.starts_with(&first.bytes));
        let text = gateway(&all.bytes);
        let (before, after) = (held(&first), held(&all));
        assert!(before.begun > 150.0 && after.begun > 100.0, "{before:?} {after:?}");
        assert_eq!(shown(&text), before.and(after), "seed {seed}");
        assert_eq!(sample(&text, "tapes_device_boots_total{"), 2.0, "seed {seed}");
        let starts = ways[4..].len();
        assert_eq!(sample(&text, "tapes_device_starts{"), starts as f64, "counted anew");
    }
}
