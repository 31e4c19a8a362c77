//! Firmware in the emulator → bytes → gateway → HTTP, with exact counts.

use serde_json::Value;
use tapes_core::wire::{Body, Deframer, Feed, Flags, Frame};
use tapes_tests::programs::{Gateway, emulate, firmware, sample};
use tapes_tests::python;
use tapes_tests::servers::Scratch;

/// The words of `motor` in the firmware: five metrics, of which `loop_time` is a histogram.
const WORDS: &str = "timing_loop::MOTOR::WORDS";

/// Uptimes in microseconds of the frames in a capture.
fn uptimes(bytes: &[u8]) -> Vec<u64> {
    let mut deframer = Deframer::<4096>::new();
    let (mut rest, mut uptimes) = (bytes, Vec::new());
    loop {
        match deframer.feed(rest) {
            Feed::Frame { frame, rest: tail } => {
                uptimes.push(Frame::parse(frame).expect("a whole frame").header.uptime);
                rest = tail;
            }
            Feed::Consumed => return uptimes,
            other => panic!("the capture is clean, but: {other:?}"),
        }
    }
}

/// Reads the words of `motor` out of the symbols of a report.
fn words(symbols: &Value) -> Vec<u64> {
    let words = symbols[WORDS].as_array().expect("the words were dumped");
    words.iter().map(|word| word.as_u64().expect("a word")).collect()
}

/// What the firmware holds in its words: counters, and count and sum of the histogram.
#[derive(Debug)]
struct Held {
    loops: f64,
    time_count: f64,
    time_sum_us: f64,
    overruns: f64,
    commands: f64,
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn held(words: &[u64]) -> Held {
    // loops | sum (low, ahead, behind) min max zero buckets… overflow | overruns | temperature |
    // commands
    let histogram = &words[1..words.len() - 3];
    Held {
        loops: words[0] as f64,
        time_count: histogram[5..].iter().sum::<u64>() as f64,
        time_sum_us: histogram[0] as f64,
        overruns: words[words.len() - 3] as f64,
        commands: words[words.len() - 1] as f64,
    }
}

fn shown(text: &str) -> Held {
    Held {
        loops: sample(text, "motor_loops_total{"),
        time_count: sample(text, "motor_loop_time_seconds_count{"),
        time_sum_us: (sample(text, "motor_loop_time_seconds_sum{") * 1e6).round(),
        overruns: sample(text, "motor_overruns_total{"),
        commands: sample(text, "motor_commands_total{"),
    }
}

/// If this fails, what people read at the gateway is not what the firmware counted.
#[test]
fn the_gateway_shows_what_the_firmware_holds() {
    let image = firmware("timing_loop");
    let run = emulate(&image, &["--seconds", "5.5"]);
    let uptimes = uptimes(&run.bytes);
    let frames = uptimes.len();
    let last = *uptimes.last().unwrap();

    let mut gateway = Gateway::start(&[]);
    gateway.feed(&run.bytes);
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let arrived = |text: &str| sample(text, "tapes_frames_received_total{") == frames as f64;
    let text = gateway.metrics_when(arrived);
    let shown = shown(&text);
    assert!((4_900.0..=5_100.0).contains(&shown.loops), "1 kHz for 5 s: {shown:?}");
    // An interrupt may come between the reads of two metrics, not between their words.
    assert!((shown.loops - shown.time_count).abs() <= 1.0, "{shown:?}");
    assert!(shown.commands >= 5.0, "{shown:?}");
    assert_eq!(sample(&text, "tapes_device_frames_lost_total{"), 0.0);
    assert_eq!(sample(&text, "tapes_device_boots_total{"), 1.0);

    // The same run again, with looks into the RAM while the last report was encoded: each metric
    // holds at one of them what was sent. Which one differs, as the control loop goes on meanwhile.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let moments = (0..40).map(|step| ((last + step * 50) as f64 / 1e6).to_string());
    let moments = moments.flat_map(|moment| ["--dump-at".to_owned(), moment]);
    let moments: Vec<String> = moments.collect();
    let mut options = vec!["--seconds", "5.5", "--dump", WORDS];
    options.extend(moments.iter().map(String::as_str));
    let again = emulate(&image, &options);
    assert_eq!(again.bytes, run.bytes, "a look changes nothing");
    let moments = again.report["moments"].as_array().expect("moments");
    let held: Vec<Held> = moments.iter().map(|at| held(&words(&at["symbols"]))).collect();
    assert_eq!(held.len(), 40);
    let was_held = |value: fn(&Held) -> f64| held.iter().any(|held| value(held) == value(&shown));
    let same = was_held(|held| held.loops)
        && was_held(|held| held.time_count)
        && was_held(|held| held.time_sum_us)
        && was_held(|held| held.overruns)
        && was_held(|held| held.commands);
    assert!(same, "the gateway shows {shown:?}, the firmware held {held:#?}");
}

/// If this fails, a warm or cold reset, or bytes lost on the line, make totals wrong.
#[test]
fn resets_and_lost_bytes_leave_totals_exact() {
    let image = firmware("timing_loop");
    let options = ["--seconds", "40.5", "--reset", "warm@13.3", "--reset", "cold@25.2"];
    let whole = emulate(&image, &options);
    let lossy = emulate(&image, &[&options[..], &["--lose", "0.001", "--seed", "7"]].concat());
    let mut totals = Vec::new();
    for run in [&whole, &lossy] {
        let folder = Scratch::new("resets");
        let mut gateway = Gateway::keeping(folder.path());
        gateway.feed(&run.bytes);
        // Everything has come once the boots and the last epoch's uptime are seen.
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let bytes = run.bytes.len() as f64;
        let text =
            gateway.metrics_when(|text| sample(text, "tapes_received_bytes_total{") >= bytes);
        assert_eq!(sample(&text, "tapes_device_boots_total{"), 3.0, "{text}");
        let rejected = text
            .lines()
            .any(|l| l.starts_with("tapes_frames_rejected_total{") && !l.ends_with(" 0"));
        assert_eq!(rejected, !totals.is_empty(), "only the second run loses bytes: {text}");
        totals.push(shown(&text));
    }
    let [whole, lossy] = &totals[..] else { unreachable!() };
    // Three boots of 13.3, 11.9 and 15.3 s, each but its last second reported.
    assert!((37_500.0..=40_500.0).contains(&whole.loops), "{whole:?}");
    assert!(lossy.loops <= whole.loops, "more than there was: {lossy:?} of {whole:?}");
    assert!(lossy.loops > 0.8 * whole.loops, "{lossy:?} of {whole:?}");
}

/// If this fails, a Prometheus server or a strict parser refuses what the gateway serves.
#[test]
fn foreign_parsers_accept_what_the_gateway_serves() {
    let image = firmware("timing_loop");
    let run = emulate(&image, &["--seconds", "3.5"]);
    let mut gateway = Gateway::start(&[]);
    gateway.feed(&run.bytes);
    let prometheus = gateway.metrics_when(|text| sample(text, "motor_loops_total{") > 2_900.0);
    let (head, openmetrics) = gateway.get("/metrics", "application/openmetrics-text;version=1.0.0");
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    for (format, text) in [("prometheus", &prometheus), ("openmetrics", &openmetrics)] {
        let request = serde_json::json!({ "format": format, "texts": [text] });
        let read = python::run("exposition.py", &request.to_string());
        let read: Value = serde_json::from_str(&read).unwrap();
        let families = read[0]["families"].as_array().unwrap_or_else(|| panic!("{format}: {read}"));
        let times = families.iter().find(|family| family["name"] == "motor_loop_time_seconds");
        let times = times.unwrap_or_else(|| panic!("{format}: {families:#?}"));
        assert_eq!(times["type"], "histogram", "{format}");
    }
}

/// Frames carry what the firmware says about itself.
#[test]
fn the_device_is_its_flash_chip() {
    let image = firmware("timing_loop");
    let run = emulate(&image, &["--seconds", "1.5", "--uid", "0123456789abcdef"]);
    let mut deframer = Deframer::<4096>::new();
    let mut origin = None;
    if let Feed::Frame { frame, .. } = deframer.feed(&run.bytes)
        && let Ok(Body::Hello(hello)) = Frame::parse(frame).unwrap().body()
    {
        origin = Some(hello.origin.to_vec());
    }
    assert_eq!(origin.as_deref(), Some(&0x0123_4567_89ab_cdef_u64.to_be_bytes()[..]));
}

/// Returns the number of dictionary entries in each report of a capture.
fn entries_by_report(bytes: &[u8]) -> Vec<usize> {
    let mut deframer = Deframer::<4096>::new();
    let (mut rest, mut reports, mut entries) = (bytes, Vec::new(), 0);
    while let Feed::Frame { frame, rest: tail } = deframer.feed(rest) {
        rest = tail;
        let frame = Frame::parse(frame).expect("a whole frame");
        match frame.body().expect("a good body") {
            Body::Dict(dict) => entries += dict.into_iter().count(),
            Body::Data(_) if frame.header.flags.contains(Flags::LAST) => {
                reports.push(std::mem::take(&mut entries));
            }
            _ => {}
        }
    }
    reports
}

/// If this fails, a board does not hear what a gateway asks for on the way back, or mistakes noise
/// for it.
#[test]
fn a_board_sends_its_dictionary_when_asked() {
    let image = firmware("rp_hal_blocking");
    let run = |send: &str| emulate(&image, &["--seconds", "2.6", "--send", send]).bytes;
    let (noise, asked) = (entries_by_report(&run("noise@1")), entries_by_report(&run("DK@1")));
    let all = noise[0];
    assert!(all > 10 && noise[1..].iter().all(|entries| *entries < all), "{noise:?}");
    assert_eq!(asked.iter().filter(|entries| **entries == all).count(), 2, "{asked:?}, of {all}");
}
