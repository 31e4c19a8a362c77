//! What `tapes gateway` pushes: OTLP and Prometheus remote write.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tapes_std::exposition::ClassicBuckets;
use tapes_std::fleet::{OutputCounts, SharedFleet};
use tapes_std::push::{Protocol, Push, PushBuilder, PushHandle, Queue, Temporality};

use crate::simulate::seconds;
use crate::terminal::shown;

/// Options of pushes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Pushing")]
pub(crate) struct PushArguments {
    /// Push to an OTLP receiver, over HTTP in protobuf; `http://HOST:4318/v1/metrics` mostly.
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// What counts in OTLP say: everything since the start, or growth since the batch before, for
    /// receivers that add up.
    #[arg(long, value_name = "TEMPORALITY", default_value = "cumulative", requires = "otlp")]
    otlp_temporality: Wanted,
    /// Push to Prometheus remote write; `http://HOST:9090/api/v1/write` of a Prometheus.
    #[arg(long, value_name = "URL")]
    remote_write: Option<String>,
    /// Send classic buckets to remote write, for receivers without native histograms.
    #[arg(long, requires = "remote_write")]
    remote_write_classic: bool,
    /// Seconds between two batches.
    #[arg(long, value_name = "N", value_parser = seconds, default_value = "15")]
    push_interval: f64,
    /// Send these headers too, a `Name: value` on each line of a file that only you should read.
    #[arg(long, value_name = "PATH")]
    push_headers_file: Option<PathBuf>,
    /// Add a label to all that is pushed; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    push_label: Vec<(String, String)>,
    /// Keep what waits for a receiver in this directory; without it, in the state directory, or in
    /// memory if there is none.
    #[arg(long, value_name = "DIR")]
    push_queue: Option<PathBuf>,
    /// MiB that may wait for each receiver; beyond, the oldest is dropped.
    #[arg(long, value_name = "MIB", default_value = "64")]
    push_queue_size: u32,
}

/// A temporality as it is asked for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Wanted {
    Cumulative,
    Delta,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give NAME=VALUE")?;
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_name = name.starts_with(is_start)
        && !name.starts_with("__")
        && name.chars().all(|c| is_start(c) || c.is_ascii_digit());
    if !is_name {
        return Err("a name has letters, digits and _, and begins with a letter".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

impl PushArguments {
    /// Starts what was asked for; it ends when it is dropped.
    pub(crate) fn start(
        &self,
        fleet: &SharedFleet,
        state: Option<&Path>,
    ) -> Result<Vec<Push>, String> {
        let headers = match &self.push_headers_file {
            Some(path) => read_headers(path)?,
            None => Vec::new(),
        };
        let mut pushes = Vec::new();
        for (name, url, protocol) in [
            ("otlp", &self.otlp, Protocol::Otlp),
            ("remote-write", &self.remote_write, Protocol::RemoteWrite),
        ] {
            let Some(url) = url else { continue };
            let mut builder = Push::builder(protocol, url)
                .with_interval(Duration::from_secs_f64(self.push_interval))
                .with_queue(self.queue(name, state)?)
                .with_trouble_hook(move |what| tracing::warn!("{name}: {what}"));
            for (name, value) in &headers {
                builder = builder.with_header(name, value);
            }
            for (name, value) in &self.push_label {
                builder = builder.with_label(name, value);
            }
            if let Wanted::Delta = self.otlp_temporality {
                builder = builder.with_temporality(Temporality::Delta);
            }
            if self.remote_write_classic {
                builder = builder.with_classic_buckets(ClassicBuckets::default());
            }
            pushes.push(started(name, builder, fleet)?);
        }
        Ok(pushes)
    }

    fn queue(&self, name: &str, state: Option<&Path>) -> Result<Queue, String> {
        let bytes = u64::from(self.push_queue_size) << 20;
        let given = self.push_queue.as_ref().map(|directory| directory.join(name));
        let directory = given.or_else(|| Some(state?.join(format!("queue-{name}"))));
        let Some(directory) = directory else {
            tracing::info!("{name}: what waits is in memory only; --push-queue DIR keeps it");
            return Ok(Queue::in_memory(bytes));
        };
        let queue = Queue::on_disk(&directory, bytes);
        queue.map_err(|error| {
            let directory = shown(&directory.display().to_string());
            format!("cannot keep a queue in {directory}: {error}")
        })
    }
}

fn started(name: &str, builder: PushBuilder, fleet: &SharedFleet) -> Result<Push, String> {
    let push = builder.start(Arc::new(fleet.clone())).map_err(|error| error.to_string())?;
    let stats = push.stats();
    fleet.show_output(name, move || counts(&stats));
    tracing::info!("{name}: pushing; batches from before: {}", push.stats().get().queued);
    Ok(push)
}

fn counts(stats: &PushHandle) -> OutputCounts {
    let stats = stats.get();
    OutputCounts {
        sent: stats.sent,
        dropped: stats.dropped.saturating_add(stats.rejected),
        failures: stats.failures,
        queued: stats.queued,
        queued_bytes: stats.queued_bytes,
    }
}

/// Reads `Name: value` lines; empty ones do not count.
fn read_headers(path: &Path) -> Result<Vec<(String, String)>, String> {
    let name = shown(&path.display().to_string());
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("cannot read {name}: {error}"))?;
    let mut headers = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let (header, value) = line
            .split_once(':')
            .ok_or_else(|| format!("{name}, line {number}: not a header; give Name: value"))?;
        headers.push((header.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(headers)
}
