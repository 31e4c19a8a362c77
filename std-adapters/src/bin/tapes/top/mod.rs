//! `tapes top`: the metrics of devices or of a gateway, live in a terminal.

mod app;
mod chart;
mod detail;
mod ending;
mod look;
mod once;
mod past;
mod source;
mod view;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyEventKind};

use self::app::{App, Next};
use self::source::{Source, Watch};

const AFTER_HELP: &str = "\
Examples:
  tapes top
      the gateway at http://127.0.0.1:9100
  tapes top http://192.168.7.2:9100
  tapes top /dev/ttyACM0
      a board on USB, without a gateway
  tapes top tcp://127.0.0.1:7070
      frames from whoever listens there
  tapes simulate --realtime | tapes top -
  tapes top --once monday.bin
  tapes top --once http://127.0.0.1:9100 | grep loop_time

SOURCE is the address of a gateway or of a program that reports by HTTP, a serial
port with :BAUD if it is not 115200, tcp://ADDRESS:PORT, a recording, or - for frames
on standard input. A gateway that asks for a token is not shown.

Keys: arrows choose a metric and a device, Enter shows its chart or buckets, / filters,
s sorts, q ends; ? shows all of them.

NO_COLOR=1 leaves colours out.

Exit codes: 0 done; 1 with --once, no metric was heard; 2 wrong usage, or the source
or the terminal cannot be used.";

/// Longest wait for a key before looking for numbers.
const WAIT: Duration = Duration::from_millis(100);

/// What writing to a terminal that has gone away says: `EIO`, of the same number on every Unix.
const GONE: i32 = 5;

/// Shows metrics live in the terminal.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// URL of a gateway, serial port, tcp://ADDRESS:PORT, recording, or - for standard input.
    #[arg(value_name = "SOURCE", default_value = "http://127.0.0.1:9100")]
    source: String,
    /// Print one table and end: of a recording when all is read, of a port or connection after a
    /// report.
    #[arg(long)]
    once: bool,
}

impl Arguments {
    /// Returns whether it is a view, not a table.
    pub(crate) const fn is_view(&self) -> bool {
        !self.once
    }
}

/// Shows metrics until somebody ends it. Returns the exit code.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, String> {
    let source = Source::parse(&arguments.source)?;
    if arguments.once {
        return once::run(source);
    }
    if !io::stdout().is_terminal() {
        return Err("standard output is no terminal; --once prints a table".to_owned());
    }
    let watch = Watch::start(source)?;
    let stop = Arc::new(AtomicBool::new(false));
    ending::listen(Arc::clone(&stop))?;
    // Also puts the terminal back when something panics.
    let mut terminal = ratatui::try_init().map_err(|error| trouble(&error))?;
    let result = show(&mut terminal, &watch, &stop);
    let _ = ratatui::try_restore();
    match result {
        // Not by returning: what is dropped then would complain to the terminal that is gone.
        Err(error) if error.raw_os_error() == Some(GONE) => {
            std::process::exit(i32::from(crate::DONE))
        }
        Err(error) => Err(trouble(&error)),
        Ok(()) => Ok(crate::DONE),
    }
}

fn trouble(error: &io::Error) -> String {
    format!("cannot use the terminal: {error}")
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    watch: &Watch,
    stop: &AtomicBool,
) -> io::Result<()> {
    let mut app = App::new(watch.name());
    let mut is_changed = true;
    // Relaxed: nothing else is read by what it says.
    while !stop.load(Ordering::Relaxed) {
        while let Some(look) = watch.next() {
            app.take(look);
            is_changed = true;
        }
        if std::mem::take(&mut is_changed) {
            terminal.draw(|frame| view::draw(frame, &mut app))?;
        }
        if !event::poll(WAIT)? {
            continue;
        }
        is_changed = true;
        if let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
            && app.key(key) == Next::End
        {
            return Ok(());
        }
    }
    Ok(())
}
