//! The template for firmware: copied somewhere else it builds, runs and reports.

use std::fs;
use std::path::Path;
use std::process::Command;

use tapes_tests::programs::{emulate, filter, tapes, xtask};
use tapes_tests::servers::Scratch;

/// The files of the template, as they lie in the repository.
const FILES: [&str; 6] =
    [".cargo/config.toml", "Cargo.lock", "Cargo.toml", "build.rs", "memory.x", "src/main.rs"];

/// Copies the template out of the repository, and says where tapes is, as a person would.
fn copy_to(there: &Path) {
    let root = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).expect("a root");
    let template = root.join("examples-rp2040/template");
    for file in FILES {
        let target = there.join(file);
        fs::create_dir_all(target.parent().expect("a folder")).expect("a temporary folder");
        let mut text = fs::read_to_string(template.join(file)).expect("a file of the template");
        if file == "Cargo.toml" {
            let core = format!("\"{}/core", root.display());
            assert_eq!(text.matches("\"../../core").count(), 2, "the paths to be changed");
            text = text.replace("\"../../core", &core);
        }
        fs::write(target, text).expect("a copy");
    }
}

/// If this fails, who begins with the template begins with an error.
#[test]
fn a_copy_of_the_template_works() {
    let there = Scratch::new("template");
    copy_to(there.path());
    let image = xtask(&["firmware", "my-firmware", "--in", &there.path().to_string_lossy()]);
    let bytes = emulate(Path::new(image.trim()), &["--seconds", "3"]).bytes;
    let mut gateway = Command::new(tapes());
    let shown = filter(gateway.args(["gateway", "--stdin", "--no-http"]), &bytes);
    let line = |name: &str| shown.lines().find(|line| line.contains(name)).map(str::to_owned);
    let blinks = line("app.blinks").expect("the counter is there");
    assert!(blinks.trim_end().ends_with('3'), "{blinks}");
    assert!(line("app.report_time").is_some_and(|line| line.contains("ms")), "{shown}");
    assert!(shown.contains("0 lost, 1 boot"), "{shown}");
}
