//! The frames of the defmt reporter on a device; `examples.rs` looks at what they say.

use tapes_tests::programs::{defmt_print, emulate, firmware};

/// If this fails, logging a metric masks interrupts for longer than the documentation says.
#[test]
fn each_metric_is_a_short_frame() {
    let image = firmware("defmt_report");
    let run = emulate(&image, &["--seconds", "2.9"]);
    let text = defmt_print(&image, &run.bytes);
    let lines: Vec<&str> = text.lines().collect();
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
