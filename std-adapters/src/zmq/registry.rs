//! A registry whose metrics an aggregator has, too.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::time::{Duration, Instant};

use tapes_core::Source;
use tapes_core::wire::{Epoch, Identity, Origin, ResetReason};

use super::courier::SenderStats;
use super::endpoint::Endpoint;
use super::frames::{Frames, Life, TICK_HZ};
use super::link::SenderThread;
use super::origin::of_this_process;
use super::settings::{ClientKeys, SocketError, check};

/// Time between reports, unless told otherwise.
const INTERVAL: Duration = Duration::from_secs(1);

/// A registry, or any other [`Source`], that reports to an [`Aggregator`](super::Aggregator).
///
/// Recording is what it is without: it never waits, allocates or knows of the connection. A thread
/// reads the source once in an interval and sends what changed. It keeps no queue: while nobody
/// answers, values go on growing where they are, and are sent as they are then.
///
/// What is recorded before [`connect`](Self::connect) is reported, too.
///
/// ```
/// use std::time::Duration;
/// use tapes_core::Registry;
/// use tapes_std::zmq::DistributedRegistry;
///
/// static REGISTRY: Registry<16, 256> = Registry::new();
///
/// let mut metrics = DistributedRegistry::new(&REGISTRY, "ipc:///run/app/metrics".parse()?);
/// metrics.counter("jobs.done")?.increment(); // goes out when there is a connection
/// # let directory = std::env::temp_dir().join(format!("tapes-doc-{}", std::process::id()));
/// # let mut metrics =
/// #     metrics.with_endpoint(format!("ipc://{}/x", directory.display()).parse()?);
/// metrics.connect()?;
/// // …
/// let kept = metrics.close(Duration::from_millis(10));
/// assert!(!kept, "nobody listens there");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Limits
///
/// A thread, the threads of the library, and about 1 MiB. Of more than 1,024 metrics those beyond
/// are in every report. What a process that is killed recorded after its last acknowledged report
/// is lost: an interval and a round trip, usually.
pub struct DistributedRegistry<S: 'static> {
    source: &'static S,
    endpoint: Endpoint,
    origin: Option<Origin>,
    build_id: u64,
    keys: Option<ClientKeys>,
    plaintext: bool,
    interval: Duration,
    running: Option<(u32, SenderThread)>,
    /// The life of the values in this process, once it was connected.
    life: Option<ProcessLife>,
    forked: u64,
}

/// What stays the same as long as the values do.
#[derive(Debug, Clone, Copy)]
struct ProcessLife {
    pid: u32,
    epoch: Epoch,
    /// Above all numbers that were used.
    next_seq: u64,
    began: Instant,
}

impl<S> fmt::Debug for DistributedRegistry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DistributedRegistry")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl<S: 'static> DistributedRegistry<S> {
    /// Returns a registry that reports to this endpoint once it is connected.
    #[must_use]
    pub fn new(source: &'static S, endpoint: Endpoint) -> Self {
        Self {
            source,
            endpoint,
            origin: None,
            build_id: 0,
            keys: None,
            plaintext: false,
            interval: INTERVAL,
            running: None,
            life: None,
            forked: 0,
        }
    }

    /// Sets another endpoint, for the next [`connect`](Self::connect).
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// Sets the name under which the aggregator keeps the process apart from others.
    ///
    /// Processes that replace each other, as worker 3 of a pool, should have one name each: then
    /// the aggregator has one source for all lives of worker 3, and adds them up. No two processes
    /// may have one name at the same time.
    ///
    /// Defaults to one made of machine, host name and process id.
    #[must_use]
    pub const fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Sets a number that identifies the program, shown as `build` of `tapes_device_info`.
    ///
    /// Defaults to 0.
    #[must_use]
    pub const fn with_build_id(mut self, build_id: u64) -> Self {
        self.build_id = build_id;
        self
    }

    /// Sets the keys for CURVE.
    ///
    /// Defaults to none: plaintext, on this machine only.
    #[must_use]
    pub fn with_keys(mut self, keys: ClientKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Sets whether metrics may go to other machines without encryption.
    ///
    /// Defaults to no.
    #[must_use]
    pub const fn with_plaintext_allowed(mut self, allowed: bool) -> Self {
        self.plaintext = allowed;
        self
    }

    /// Sets the time from one acknowledged report to the next.
    ///
    /// Defaults to 1 s.
    #[must_use]
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Returns whether it was connected in this process and not closed.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.as_ref().is_some_and(|(pid, _)| *pid == std::process::id())
    }

    /// Returns what was sent since the last [`connect`](Self::connect); zeros before the first.
    #[must_use]
    pub fn stats(&self) -> SenderStats {
        let running = self.running.as_ref().filter(|_| self.is_running());
        let stats = running.map_or(SenderStats::default(), |(_, thread)| thread.stats());
        SenderStats { forked: self.forked, ..stats }
    }

    /// Closes the connection, after a last report; waits until the aggregator says that it keeps
    /// that, for at most `linger`. Returns whether it said so.
    ///
    /// Metrics go on; it can be connected again. In a process that was forked since it was
    /// connected, nothing is done, and it is counted.
    pub fn close(&mut self, linger: Duration) -> bool {
        match self.running.take() {
            Some((pid, thread)) if pid == std::process::id() => {
                let (kept, stats) = thread.close(linger);
                if let Some(life) = &mut self.life {
                    // Each report may have made one frame that was not handed over.
                    life.next_seq += stats.messages + stats.reports + 1;
                }
                kept
            }
            Some((_, thread)) => {
                // The thread stayed with the parent; its half of the socket must not be closed.
                std::mem::forget(thread);
                self.forked += 1;
                false
            }
            None => false,
        }
    }
}

impl<S: Source + Sync> DistributedRegistry<S> {
    /// Begins to report from a child after `fork()`, if its parent did at that moment.
    ///
    /// The child is a source of its own: without a call of this it sends nothing, since the thread
    /// stayed with the parent. Values that the parent had by then are in the child's reports, too,
    /// so fork before anything is recorded; and with an [origin](Self::with_origin) that was set,
    /// set another one, or the two are shown apart as two devices with one name.
    ///
    /// ```
    /// use tapes_core::Registry;
    /// use tapes_std::zmq::DistributedRegistry;
    ///
    /// static REGISTRY: Registry<16, 256> = Registry::new();
    ///
    /// let mut metrics = DistributedRegistry::new(&REGISTRY, "ipc:///run/app/metrics".parse()?);
    /// // fork(), and in the child:
    /// metrics.after_fork()?;
    /// assert!(!metrics.is_running(), "nor was the parent");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn after_fork(&mut self) -> Result<(), SocketError> {
        if self.running.is_some() { self.connect() } else { Ok(()) }
    }

    /// Begins to report, from a thread of its own; it need not be possible to connect yet.
    ///
    /// After [`close`](Self::close) it goes on where it was. Does nothing if it runs. Children of a
    /// fork call [`after_fork`](Self::after_fork).
    ///
    /// # Errors
    ///
    /// [`SocketError`]: the endpoint is elsewhere and there are no keys, or there is no thread.
    pub fn connect(&mut self) -> Result<(), SocketError> {
        if self.is_running() {
            return Ok(());
        }
        if let Some((_, thread)) = self.running.take() {
            std::mem::forget(thread);
        }
        check(&self.endpoint, self.keys.is_some(), self.plaintext)?;
        let pid = std::process::id();
        let life = self.life.filter(|life| life.pid == pid).unwrap_or_else(|| ProcessLife {
            pid,
            epoch: Epoch::new(0, nonce()),
            next_seq: 0,
            began: Instant::now(),
        });
        self.life = Some(life);
        let origin = self.origin.unwrap_or_else(of_this_process);
        let mut identity = Identity::new(origin, life.epoch, TICK_HZ);
        identity.build_id = self.build_id;
        identity.reset_reason = ResetReason::Software;
        let (first_seq, age) = (life.next_seq, life.began.elapsed());
        let life = Life { identity, first_seq, age };
        let frames = Frames::new(self.source, life, self.interval);
        let keys = self.keys.clone();
        let thread = SenderThread::spawn(frames, &self.endpoint, keys, self.interval)?;
        self.running = Some((pid, thread));
        Ok(())
    }
}

impl<S> Deref for DistributedRegistry<S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.source
    }
}

/// Returns a random number that is not 0.
fn nonce() -> u32 {
    let bits = RandomState::new().hash_one(std::process::id());
    #[expect(clippy::cast_possible_truncation, reason = "32 bits of it suffice")]
    let nonce = bits as u32;
    nonce.max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tapes_core::Registry;
    use tapes_core::wire::Origin;

    use super::DistributedRegistry;
    use crate::clock::SystemTimeSource;
    use crate::fleet::store::new_node;
    use crate::fleet::{Fleet, Limits, SharedFleet};
    use crate::zmq::Aggregator;

    static REGISTRY: Registry<8, 64> = Registry::new();

    const PATIENCE: Duration = Duration::from_secs(60);

    /// If this fails, a forked child speaks for its parent, or never gets a word in.
    #[test]
    fn a_forked_child_is_silent_until_told_and_then_a_life_of_its_own() {
        let fleet = Fleet::new(new_node(), Limits::default());
        let fleet = SharedFleet::new(fleet, Arc::new(SystemTimeSource::new()));
        let endpoint = "tcp://127.0.0.1:0".parse().unwrap();
        let aggregator = Aggregator::new(fleet.clone()).with_bind(endpoint).spawn().unwrap();
        let endpoint = aggregator.endpoints()[0].clone();
        let mut metrics = DistributedRegistry::new(&REGISTRY, endpoint)
            .with_origin(Origin::from_array(*b"parent"));
        metrics.after_fork().unwrap();
        assert!(!metrics.is_running(), "the parent was not connected");
        metrics.connect().unwrap();
        let epoch = metrics.life.unwrap().epoch;
        metrics.counter("jobs").unwrap().add(5);
        // What a child finds after fork(): a connection of another process.
        let pretend = |metrics: &mut DistributedRegistry<_>| {
            let other = std::process::id().wrapping_add(1);
            metrics.running.as_mut().unwrap().0 = other;
            metrics.life.as_mut().unwrap().pid = other;
        };
        pretend(&mut metrics);
        assert!(!metrics.is_running());
        metrics = metrics.with_origin(Origin::from_array(*b"child"));
        metrics.after_fork().unwrap();
        assert!(metrics.is_running());
        assert_ne!(metrics.life.unwrap().epoch, epoch, "the same life in two processes");
        assert!(metrics.close(PATIENCE), "acknowledged");
        metrics.connect().unwrap();
        pretend(&mut metrics);
        assert!(!metrics.close(PATIENCE), "the thread stayed with the parent");
        assert_eq!(metrics.stats().forked, 1);
        let snapshot = fleet.snapshot();
        let child = snapshot.devices.iter().find(|device| device.name == "6368696c64").unwrap();
        assert_eq!(child.series[0].total.value().count(), Some(5));
    }
}
