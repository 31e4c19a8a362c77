//! The defmt reporter on a device, decoded by defmt's own program.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tapes_tests::programs::{emulate, firmware};

/// Returns `defmt-print`, which the set-up of the tests installs.
fn defmt_print() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(tools)
        .chain(env::split_paths(&path))
        .map(|directory| directory.join("defmt-print"))
        .find(|file| file.is_file())
        .expect(
            "defmt-print is missing: run `cargo xtask test`, or \
             `cargo install defmt-print --version 1.2.0 --locked --root target/tools`",
        )
}

/// Decodes a capture with the strings of an image.
fn decode(image: &Path, bytes: &[u8]) -> String {
    let mut child = Command::new(defmt_print())
        .arg("-e")
        .arg(image)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(bytes).expect("a capture fits a pipe");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "defmt-print failed: {}", output.status);
    String::from_utf8(output.stdout).expect("it writes UTF-8")
}

/// Returns the numbers of a line where the pattern has `#`, or `None` if it does not match.
fn numbers(line: &str, pattern: &str) -> Option<Vec<u64>> {
    let mut rest = line;
    let mut numbers = Vec::new();
    let mut parts = pattern.split('#');
    rest = rest.strip_prefix(parts.next()?)?;
    for part in parts {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        numbers.push(rest[..end].parse().ok()?);
        rest = rest[end..].strip_prefix(part)?;
    }
    rest.is_empty().then_some(numbers)
}

/// If this fails, what a board logs is not what it counted, or masks interrupts for longer than
/// the documentation says.
#[test]
fn a_board_logs_its_metrics() {
    let image = firmware("defmt_report");
    let run = emulate(&image, &["--seconds", "2.9"]);
    let text = decode(&image, &run.bytes);
    let expected = include_str!("report_defmt.out");
    let (lines, patterns) = (text.lines().collect::<Vec<_>>(), expected.lines());
    assert_eq!(lines.len(), patterns.clone().count(), "{text}");
    for (line, pattern) in lines.iter().zip(patterns) {
        let Some(numbers) = numbers(line, pattern) else {
            panic!("{line:?} does not match {pattern:?}");
        };
        if let [sum, min, max, q50, q99] = numbers[..] {
            assert!(min <= q50 && q50 <= q99 && q99 <= max, "{line}");
            assert!(72 * 100 <= sum && max < 400, "{line}: passes take 72 µs and more");
        }
    }

    // Every metric is a frame of its own, and a short one.
    let frames: Vec<&[u8]> = run.bytes.split(|byte| *byte == 0).filter(|f| !f.is_empty()).collect();
    assert_eq!(frames.len(), lines.len());
    for (line, frame) in lines.iter().zip(frames) {
        let limit = if line.contains("count=") {
            60
        } else if line.contains("fault=") || line.starts_with("log.") {
            40 // labels, and names of a source, are text
        } else {
            20
        };
        assert!(frame.len() <= limit, "{line}: {} bytes", frame.len());
        assert!(!frame.windows(5).any(|bytes| bytes == b"motor"), "{line}: the name is text");
    }
}
