//! What things cost on a host: `cargo xtask bench` runs this and writes `tests/benches/results.md`.
//!
//! A group measures one subject and gives rows of the table of limits; those with a limit fail the
//! run when they exceed it. Groups that compare give a table of their own as well.
#![deny(unsafe_code)]

mod allocator;
mod fleet;
mod machine;
mod peers;
mod plot;
mod table;
mod timing;

use std::path::Path;
use std::process::ExitCode;

use allocator::Counting;
use table::Table;

/// Counts memory in use.
#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// One subject: its name, what it is about, and what measures it.
struct Group {
    name: &'static str,
    about: &'static str,
    run: fn(&Options, &mut Table),
}

const fn group(name: &'static str, about: &'static str, run: fn(&Options, &mut Table)) -> Group {
    Group { name, about, run }
}

const GROUPS: [Group; 15] = [
    group("counter", "one more, beside others", peers::counter::run),
    group("gauge", "set, beside others", peers::gauge::run),
    group("histogram", "one more value, beside others", peers::histogram::run),
    group("timer", "start and stop, beside others", peers::timer::run),
    group("threads", "many threads, and threads that come and go", peers::threads::run),
    group("library", "in a shared library, beside others", peers::library::run),
    group("lookup", "a metric by its name, beside others", peers::lookup::run),
    group("text", "Prometheus text, beside others", peers::text::run),
    group("reports", "all values: read, StatsD packets, JSON, frames", peers::reports::run),
    group("ingest", "decoding frames and applying them to a fleet", fleet::ingest::run),
    group("memory", "memory of a fleet for each series", fleet::memory::run),
    group("merge", "adding up and showing many series", fleet::merge::run),
    group("restart", "going on from a state file", fleet::restart::run),
    group("disk", "what a gateway writes in a day", fleet::disk::run),
    group("aggregate", "reports of many processes, beside StatsD", fleet::aggregate::run),
];

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Less exactly, in seconds instead of minutes.
    pub(crate) quick: bool,
}

fn main() -> ExitCode {
    if fleet::aggregate::serve_if_asked() {
        return ExitCode::SUCCESS;
    }
    let mut arguments = std::env::args().skip(1);
    let (mut options, mut into, mut wanted) = (Options { quick: false }, None, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--into" => into = arguments.next(),
            _ => wanted.push(argument),
        }
    }
    if let Some(unknown) = wanted.iter().find(|name| GROUPS.iter().all(|g| g.name != **name)) {
        eprintln!("there is no group {unknown}; there are:");
        GROUPS.iter().for_each(|group| eprintln!("  {:<10} {}", group.name, group.about));
        return ExitCode::FAILURE;
    }
    let mut table = Table::default();
    for group in GROUPS.iter().filter(|g| wanted.is_empty() || wanted.iter().any(|w| *w == g.name))
    {
        eprintln!("{}: {}", group.name, group.about);
        table.begin(group.name, group.about);
        (group.run)(&options, &mut table);
    }
    let text = table.to_markdown(&machine::describe(&options));
    print!("\n{text}");
    if let Some(into) = into {
        let save = |name: &str, text: &str| {
            std::fs::write(Path::new(&into).join(name), text).expect("the folder can be written");
        };
        save("results.md", &text);
        save("results.svg", &plot::to_svg(table.comparisons()));
    }
    if table.exceeds() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
