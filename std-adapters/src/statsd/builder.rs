//! What a StatsD reporter is made from.

use std::sync::Arc;
use std::time::Duration;

use tapes_core::text::statsd::{Dialect, PREFIX_LEN_MAX};

use super::engine::{Engine, Settings};
use super::link::{Link, Resolve};
use super::packet::PacketSize;
use super::reporter::StatsdReporter;
use super::target::Target;
use super::{BuildError, StatsHandle};
use crate::clock::{SystemTimeSource, TimeSource};
use crate::readings::Readings;

/// What a StatsD reporter is made from; [the module](super) has an example.
#[must_use = "it does nothing until a reporter is built from it"]
pub struct StatsdBuilder {
    target: String,
    settings: Settings,
    packet: Option<PacketSize>,
    pub(super) lookup_interval: Option<Duration>,
    pub(super) resolve: Option<Resolve>,
    pub(super) time: Arc<dyn TimeSource>,
}

impl std::fmt::Debug for StatsdBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatsdBuilder")
            .field("target", &self.target)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl StatsdBuilder {
    /// Begins with a server: `host:port`, `unix:///path` or `unixstream:///path`.
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            settings: Settings {
                dialect: Dialect::Etsy,
                prefix: String::new(),
                tags: Vec::new(),
                totals: false,
                distributions: false,
                label_values: true,
                packet: PacketSize::ETHERNET,
            },
            packet: None,
            lookup_interval: None,
            resolve: None,
            time: Arc::new(SystemTimeSource::new()),
        }
    }

    /// Sets which StatsD to speak.
    ///
    /// Defaults to [`Dialect::Etsy`].
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.settings.dialect = dialect;
        self
    }

    /// Sets what comes before every name, joined by a dot.
    ///
    /// Defaults to nothing.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = prefix.into();
        self
    }

    /// Adds a tag to every line of DogStatsD.
    ///
    /// Defaults to none.
    pub fn with_tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.tags.push((name.into(), value.into()));
        self
    }

    /// Sets whether lifetime totals are sent as gauges, `N.total`, instead of growth as counters: a
    /// lost datagram then loses nothing, and no server has to add up. The tapes dialect has its own
    /// rule.
    ///
    /// Defaults to no.
    pub fn with_totals(mut self, totals: bool) -> Self {
        self.settings.totals = totals;
        self
    }

    /// Sets whether histograms and timers are sent as distributions of DogStatsD, which the agent
    /// merges over all hosts, instead of statistics of this process: one line for each bucket that
    /// has grown, with the value that stands for the bucket.
    ///
    /// Defaults to no.
    pub fn with_distributions(mut self, distributions: bool) -> Self {
        self.settings.distributions = distributions;
        self
    }

    /// Sets whether the values of constant labels follow the name, as those of families do, where
    /// there are no tags. Without them, metrics that differ in labels only have one name.
    ///
    /// Defaults to yes.
    pub fn with_label_values(mut self, label_values: bool) -> Self {
        self.settings.label_values = label_values;
        self
    }

    /// Sets the longest datagram.
    ///
    /// Defaults to [`PacketSize::ETHERNET`] for UDP and [`PacketSize::UNIX`] for Unix sockets.
    pub fn with_packet(mut self, packet: PacketSize) -> Self {
        self.packet = Some(packet);
        self
    }

    /// Sets how often the server's name is looked up again; it is also after an error.
    ///
    /// Defaults to once a minute.
    pub fn with_lookup_interval(mut self, interval: Duration) -> Self {
        self.lookup_interval = Some(interval);
        self
    }

    /// Sets what looks the server's name up: a function from `host:port` to addresses.
    ///
    /// Defaults to the system.
    pub fn with_resolver<F>(mut self, resolve: F) -> Self
    where
        F: FnMut(&str) -> std::io::Result<Vec<std::net::SocketAddr>> + Send + 'static,
    {
        self.resolve = Some(Box::new(resolve));
        self
    }

    /// Sets the clock, which says when to look the name up.
    ///
    /// Defaults to the clock of the system.
    pub fn with_time(mut self, time: Arc<dyn TimeSource>) -> Self {
        self.time = time;
        self
    }

    /// Returns the reporter. Nothing is looked up or opened before the first report.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: what the settings cannot mean.
    pub fn build(self, readings: Arc<dyn Readings>) -> Result<StatsdReporter, BuildError> {
        let (target, engine) = self.checked()?;
        let link = Link::new(target, self.lookup_interval, self.resolve);
        let (time, stats) = (self.time, StatsHandle::default());
        Ok(StatsdReporter { readings, engine, link, time, stats })
    }

    pub(super) fn checked(&self) -> Result<(Target, Engine), BuildError> {
        let target: Target = self.target.parse()?;
        let mut settings = self.settings.clone();
        if settings.prefix.len() > PREFIX_LEN_MAX {
            return Err(BuildError::Prefix(settings.prefix));
        }
        let is_dog = settings.dialect == Dialect::DogStatsd;
        for (wanted, what) in [
            (!settings.tags.is_empty(), "tags"),
            (settings.distributions, "distributions"),
            (matches!(target, Target::UnixStream(_)), "Unix streams"),
        ] {
            if wanted && !is_dog {
                return Err(BuildError::Dialect(what));
            }
        }
        settings.packet = self.packet.unwrap_or(match target {
            Target::Udp(_) => PacketSize::ETHERNET,
            Target::Unix(_) | Target::UnixStream(_) => PacketSize::UNIX,
        });
        Ok((target, Engine::new(settings)))
    }
}
