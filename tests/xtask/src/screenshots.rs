//! `cargo xtask screenshots`: the pictures in the documentation, taken from the demo.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::arguments::Arguments;
use crate::demo;
use crate::page;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::process;

pub(crate) const HELP: &str = "\
Runs the demo for two minutes, and takes the pictures in std-adapters/docs/images of its live page and of
`tapes top`. Needs what the demo needs, Chromium and tmux.

usage: cargo xtask screenshots [--device emulated|simulated]

examples:
  cargo xtask screenshots
  cargo xtask screenshots --device simulated";

/// How long the demo runs: longer than the pictures take.
const SECONDS: &str = "100";

/// What the demo prints behind the address of the page.
const PAGE: &str = "a live page";

pub(crate) fn screenshots(mut arguments: Arguments) -> Outcome {
    let device = arguments.value("--device")?;
    arguments.finish("screenshots")?;
    page::set_up()?;
    if places::on_path("tmux").is_none() {
        return Err(Problem::new("tmux is missing; on Debian: sudo apt-get install tmux"));
    }
    let folder = places::root().join("std-adapters/docs/images");
    fs::create_dir_all(&folder)
        .map_err(Problem::io(format!("cannot make {}", folder.display())))?;
    let program = env::current_exe().map_err(Problem::io("cannot find this program"))?;
    let mut demo = Command::new(program);
    demo.args(["demo", "--http", "127.0.0.1:0", "--seconds", SECONDS]);
    demo.args(device.iter().flat_map(|device| ["--device", device]));
    let running = demo.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut running = running.map_err(Problem::io("cannot start the demo"))?;
    let said = running.stderr.take().map(BufReader::new);
    let mut lines = said.into_iter().flat_map(|said| said.lines().map_while(Result::ok));
    let url = lines.by_ref().inspect(|line| eprintln!("demo: {line}")).find_map(|line| {
        line.contains(PAGE).then(|| line.split_whitespace().next().map(str::to_owned)).flatten()
    });
    // Read to the end, or the demo would wait for its reader.
    let reader = std::thread::scope(|scope| {
        scope.spawn(|| lines.for_each(drop));
        let url = url.ok_or_else(|| Problem::new("the demo does not tell its address"))?;
        let tapes = demo::gateway();
        let mut node = Command::new("node");
        node.current_dir(places::root().join("tests/page"));
        node.args(["screenshots.mjs", &url]).arg(tapes).arg(&folder);
        eprintln!("taking pictures of {url}, for a minute …");
        process::run(&mut node)
    });
    // It ends by itself.
    let ended = running.wait().map_err(Problem::io("cannot wait for the demo"))?;
    reader?;
    if !ended.success() {
        return Err(Problem::new("the demo failed"));
    }
    eprintln!("pictures are in {}", folder.display());
    Ok(())
}
