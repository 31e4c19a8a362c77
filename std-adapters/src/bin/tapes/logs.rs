//! Messages on standard error: which are written, and how.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::os::unix::fs::MetadataExt as _;
use std::time::Instant;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::terminal::{shown, takes_colours};

/// Says what is written, unless `-v` or `-q` does.
const VARIABLE: &str = "TAPES_LOG";

/// What is written unless told otherwise.
const DEFAULT: &str = "warn,tapes=info";

/// Set by systemd to the device and inode of the journal's end of standard error.
const JOURNAL: &str = "JOURNAL_STREAM";

/// Modules of the command itself; messages of others name where they are from.
const OWN: &str = "tapes";

/// Options of every command, on its messages.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct Verbosity {
    /// Say more on standard error: devices that come, restart and fall silent; with -vv, what
    /// arrives each second, and what libraries say.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say only what goes wrong; with -qq, only what ends the command.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "verbose")]
    quiet: u8,
}

impl Verbosity {
    /// Returns what is written, in the language of the variable; `None` if nothing was said.
    const fn directives(&self) -> Option<&'static str> {
        match (self.quiet, self.verbose) {
            (0, 0) => None,
            (0, 1) => Some("info,tapes=debug"),
            (0, _) => Some("debug,tapes=trace"),
            (1, _) => Some("warn"),
            _ => Some("error"),
        }
    }

    /// Begins to write messages: those that the options ask for, else those of the variable.
    pub(crate) fn start(&self) -> Result<(), String> {
        let given = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
        let directives = self.directives().or(given.as_deref()).unwrap_or(DEFAULT);
        let wanted = directives.parse::<Targets>().map_err(|error| {
            format!("{VARIABLE}: {error}; give a level such as debug, or TARGET=LEVEL,TARGET=LEVEL")
        })?;
        let has_times = self.verbose > 0 && io::stderr().is_terminal();
        let lines = Lines { look: Look::of_stderr(), begun: has_times.then(Instant::now) };
        let lines = tracing_subscriber::fmt::layer().event_format(lines).with_writer(io::stderr);
        let started = tracing_subscriber::registry().with(lines.with_filter(wanted)).try_init();
        started.map_err(|error| format!("cannot write messages: {error}"))
    }
}

/// Writes what ends the command, whatever else is written.
pub(crate) fn failed(message: &str) {
    eprintln!("{}", Look::of_stderr().line(Level::ERROR, message));
}

/// How a line says of what kind its message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// By a word.
    Plain,
    /// By a word in a colour.
    Coloured,
    /// By the number that the journal takes off the line and keeps beside it.
    Journal,
}

impl Look {
    fn of_stderr() -> Self {
        let journal = std::env::var(JOURNAL).ok();
        // Whoever is started by a service inherits the variable, but may write elsewhere.
        let is_journal = journal.is_some_and(|journal| {
            std::fs::metadata("/proc/self/fd/2")
                .is_ok_and(|stderr| journal == format!("{}:{}", stderr.dev(), stderr.ino()))
        });
        match is_journal {
            true => Self::Journal,
            false if takes_colours(&io::stderr()) => Self::Coloured,
            false => Self::Plain,
        }
    }

    /// Returns a message as a line, without the end of it.
    fn line(self, level: Level, message: &str) -> String {
        let message = shown(message);
        let (number, word, colour) = match level {
            Level::ERROR => (3, "tapes: ", "\u{1b}[1;31m"),
            Level::WARN => (4, "warning: ", "\u{1b}[33m"),
            Level::INFO => (6, "", ""),
            Level::DEBUG => (7, "debug: ", "\u{1b}[2m"),
            Level::TRACE => (7, "trace: ", "\u{1b}[2m"),
        };
        match self {
            Self::Journal => format!("<{number}>{message}"),
            Self::Coloured if !word.is_empty() => format!("{colour}{word}\u{1b}[0m{message}"),
            Self::Coloured | Self::Plain => format!("{word}{message}"),
        }
    }
}

/// Writes each message as one line.
#[derive(Debug)]
struct Lines {
    look: Look,
    /// Since when lines count their time; `None` where something else notes it, or nobody asked.
    begun: Option<Instant>,
}

impl<S, F> FormatEvent<S, F> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, F>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut message = String::new();
        let target = event.metadata().target();
        if target.split("::").next() != Some(OWN) {
            message.push_str(target);
            message.push_str(": ");
        }
        context.field_format().format_fields(Writer::new(&mut message), event)?;
        if let Some(begun) = self.begun {
            write!(out, "{:>9.3} ", begun.elapsed().as_secs_f64())?;
        }
        writeln!(out, "{}", self.look.line(*event.metadata().level(), &message))
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::Look;

    /// A message of a device could act on a terminal; one without its kind is read as good news.
    #[test]
    fn lines_say_their_kind_where_it_is_read() {
        for (look, level, expected) in [
            (Look::Plain, Level::INFO, "so \\u{1b}[2J"),
            (Look::Plain, Level::WARN, "warning: so \\u{1b}[2J"),
            (Look::Plain, Level::ERROR, "tapes: so \\u{1b}[2J"),
            (Look::Coloured, Level::INFO, "so \\u{1b}[2J"),
            (Look::Coloured, Level::WARN, "\u{1b}[33mwarning: \u{1b}[0mso \\u{1b}[2J"),
            (Look::Journal, Level::ERROR, "<3>so \\u{1b}[2J"),
            (Look::Journal, Level::INFO, "<6>so \\u{1b}[2J"),
            (Look::Journal, Level::TRACE, "<7>so \\u{1b}[2J"),
        ] {
            assert_eq!(look.line(level, "so \u{1b}[2J"), expected, "{look:?} {level}");
        }
    }
}
