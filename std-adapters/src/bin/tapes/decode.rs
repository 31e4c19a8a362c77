//! `tapes decode`: what is in a recording, frame by frame.

mod frames;
mod spans;

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::PathBuf;

use self::frames::Describer;
use self::spans::Spans;
use crate::output::is_closed;
use crate::progress::Progress;
use crate::terminal::{shown, shown_json};

const AFTER_HELP: &str = "\
Examples:
  tapes decode capture.bin
  tapes simulate --seconds 2 | tapes decode
  tapes decode capture.bin | grep '\"error\"'
      what could not be read, and where

Each line is a JSON object with the offset and length of a frame in the recording,
its 0x00 included, and what it says; or of bytes that are no frame, with the reason
under \"error\". Names of metrics are shown once the recording has had their
dictionary.

Exit codes: 0 everything was read; 1 something could not be read; 2 wrong usage, or
the file cannot be used.";

/// Shows the frames of a recording as JSON lines.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The recording, frames with 0x00 between them; standard input if it is - or missing.
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

/// Shows a recording. Returns the exit code.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, String> {
    let name = shown(&arguments.file.display().to_string());
    let mut len = None;
    let input: Box<dyn Read> = if name == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&arguments.file);
        let file = file.map_err(|error| format!("cannot open {name}: {error}"))?;
        len = file.metadata().ok().map(|meta| meta.len()).filter(|len| *len > 0);
        Box::new(file)
    };
    let mut progress = Progress::new();
    let mut out = io::stdout().lock();
    let mut describer = Describer::default();
    let mut unreadable = 0u64;
    let mut lines = 0u64;
    for span in Spans::new(BufReader::new(input)) {
        let span = span.map_err(|error| format!("cannot read {name}: {error}"))?;
        let line = describer.describe(&span);
        if line.error.is_some() {
            unreadable += 1;
        }
        lines += 1;
        progress.at(|| how_far(&name, span.offset, len));
        let json = serde_json::to_string(&line).map_err(|error| error.to_string())?;
        match writeln!(out, "{}", shown_json(&json)).and_then(|()| out.flush()) {
            Ok(()) => {}
            Err(error) if is_closed(&error) => break,
            Err(error) => return Err(format!("cannot write to standard output: {error}")),
        }
    }
    drop(progress);
    tracing::debug!("{name}: {lines} lines, {unreadable} of them of what could not be read");
    Ok(if unreadable == 0 { crate::DONE } else { crate::UNREADABLE })
}

/// Says how far a recording is read.
fn how_far(name: &str, done: u64, len: Option<u64>) -> String {
    let mebibytes = done >> 20;
    match len {
        Some(len) => {
            format!("{name}: {} %, {mebibytes} MiB", done.saturating_mul(100) / len.max(1))
        }
        None => format!("{name}: {mebibytes} MiB"),
    }
}
