//! What metrics cost the example `timing_loop`: the limits are those of `cargo xtask overhead`.

use std::fs;
use std::path::Path;

use tapes_tests::programs::xtask;

/// If this fails, metrics disturb the loop that they measure, or the README says what is not true any more.
#[test]
fn metrics_cost_what_the_readme_says() {
    println!("{}", xtask(&["overhead"]));
}

/// The lines of a program, less comments, attributes of the file and imports.
fn code(file: &str) -> Vec<String> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples-rp2040/src");
    let text = fs::read_to_string(examples.join(file)).expect("the program is there");
    let lines = text.lines().map(|line| line.trim().to_owned());
    lines
        .filter(|line| {
            !["", "//", "#![", "use "].iter().any(|start| match *start {
                "" => line.is_empty(),
                start => line.starts_with(start),
            })
        })
        .collect()
}

/// If this fails, the overhead is that of something else: the two programs differ by more than metrics.
#[test]
fn the_program_without_metrics_is_the_example_with_lines_left_out() {
    let example = code("bin/timing_loop.rs");
    let mut rest = example.iter();
    for line in code("overhead/timing_loop_bare.rs") {
        assert!(rest.any(|other| *other == line), "{line:?} is not in the example, in this order");
    }
}
