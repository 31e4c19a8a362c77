//! The StatsD reports of `tapes gateway --statsd`.

use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use tapes_core::text::statsd::Dialect;
use tapes_std::fleet::{OutputCounts, SharedFleet};
use tapes_std::schedule::ThreadScheduler;
use tapes_std::statsd::StatsdReporter;

use crate::simulate::seconds;

/// Options of reports to a StatsD server.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "StatsD")]
pub(crate) struct StatsdArguments {
    /// Report to a StatsD server: `HOST:PORT`, `unix:///PATH` or `unixstream:///PATH`.
    #[arg(long, value_name = "ADDR")]
    statsd: Option<String>,
    /// The StatsD to speak; dogstatsd has tags for devices and labels, the others put them into the
    /// name.
    #[arg(long, value_name = "DIALECT", default_value = "etsy", requires = "statsd")]
    statsd_dialect: Wanted,
    /// What comes before every name, and a dot.
    #[arg(long, value_name = "TEXT", default_value = "", requires = "statsd")]
    statsd_prefix: String,
    /// Seconds between two reports.
    #[arg(long, value_name = "N", value_parser = seconds, default_value = "10", requires = "statsd")]
    statsd_interval: f64,
    /// Send totals as gauges, NAME.total, instead of growth as counters: nothing is lost with a
    /// datagram, and nothing with a restart of the gateway.
    #[arg(long, requires = "statsd")]
    statsd_totals: bool,
}

/// A dialect as it is asked for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Wanted {
    Etsy,
    Dogstatsd,
    Tapes,
}

/// Shortest pause between two reports.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// Reports, the last one when it is dropped.
pub(crate) type Reports = ThreadScheduler<StatsdReporter>;

impl StatsdArguments {
    /// Starts to report, if that was asked for.
    pub(crate) fn start(&self, fleet: &SharedFleet) -> Result<Option<Reports>, String> {
        let Some(target) = &self.statsd else { return Ok(None) };
        let shown = crate::terminal::shown(target);
        let dialect = match self.statsd_dialect {
            Wanted::Etsy => Dialect::Etsy,
            Wanted::Dogstatsd => Dialect::DogStatsd,
            Wanted::Tapes => Dialect::Tapes,
        };
        let reporter = StatsdReporter::builder(target)
            .with_dialect(dialect)
            .with_prefix(&self.statsd_prefix)
            .with_totals(self.statsd_totals)
            .build(Arc::new(fleet.clone()))
            .map_err(|error| format!("cannot report to {shown}: {error}"))?;
        let stats = reporter.stats();
        fleet.show_output("statsd", move || {
            let stats = stats.get();
            OutputCounts {
                sent: stats.datagrams_sent,
                dropped: stats.datagrams_refused,
                failures: stats.datagrams_dropped,
                ..OutputCounts::default()
            }
        });
        let interval = Duration::from_secs_f64(self.statsd_interval).max(INTERVAL_MIN);
        let mut last = String::new();
        let mut reports = ThreadScheduler::every(interval, reporter)
            .with_name("tapes-statsd")
            .with_error_hook(move |error| {
                let why = error.to_string();
                // An outage of a night is one line, not thousands.
                if why != last {
                    tracing::warn!("statsd: {why}; trying again with the next report");
                    last = why;
                }
            });
        reports.start().map_err(|error| error.to_string())?;
        tracing::info!("reporting to {shown}");
        Ok(Some(reports))
    }
}
