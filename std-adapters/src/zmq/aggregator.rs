//! What many processes, devices and other receivers report to.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use super::courier::SenderStats;
use super::endpoint::Endpoint;
use super::hub::Hub;
use super::keys::{AllowList, KeyError};
use super::link::SenderThread;
use super::omq::OmqInbox;
use super::records::Records;
use super::settings::{ClientKeys, ServerKeys, SocketError, check};
use super::transport::Inbox as _;
use crate::fleet::SharedFleet;
use crate::input::Stop;

/// Longest time until a thread sees that it is asked to stop.
const SLICE: Duration = Duration::from_millis(50);

/// Time between two reports to the next receiver, unless told otherwise.
const FORWARD_INTERVAL: Duration = Duration::from_secs(1);

/// A receiver for registries, gateways, devices and other aggregators.
///
/// What it receives is in a [`SharedFleet`], which every adapter shows: an HTTP server, a JSON
/// stream, a reporter. Nothing that one sender does touches another: each has its own input, and
/// what cannot be used is counted by reason.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tapes_core::Registry;
/// use tapes_std::clock::SystemTimeSource;
/// use tapes_std::fleet::{Fleet, Limits, SharedFleet, store::new_node};
/// use tapes_std::zmq::{Aggregator, DistributedRegistry};
///
/// static REGISTRY: Registry<16, 256> = Registry::new();
///
/// let fleet = Fleet::new(new_node(), Limits::default());
/// let fleet = SharedFleet::new(fleet, Arc::new(SystemTimeSource::new()));
/// let aggregator = Aggregator::new(fleet.clone()).with_bind("tcp://127.0.0.1:0".parse()?).spawn()?;
///
/// let endpoint = aggregator.endpoints()[0].clone();
/// let mut metrics = DistributedRegistry::new(&REGISTRY, endpoint);
/// metrics.connect()?;
/// metrics.counter("jobs.done")?.add(3);
/// assert!(metrics.close(Duration::from_secs(60)), "acknowledged");
///
/// let series = fleet.snapshot().devices[0].series[0].clone();
/// assert_eq!((&*series.key.name, series.total.value().count()), ("jobs.done", Some(3)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Limits
///
/// Those of the fleet. A thread, and those of the library, for each endpoint.
#[derive(Debug)]
#[must_use = "an aggregator receives nothing before it is spawned"]
pub struct Aggregator {
    fleet: SharedFleet,
    /// Endpoints, and whether senders are answered there.
    endpoints: Vec<(Endpoint, bool)>,
    forward: Vec<(Endpoint, Option<ClientKeys>)>,
    forward_interval: Duration,
    rollup: bool,
    keys: Option<ServerKeys>,
    plaintext: bool,
}

impl Aggregator {
    /// Returns an aggregator that is bound nowhere.
    pub const fn new(fleet: SharedFleet) -> Self {
        Self {
            fleet,
            endpoints: Vec::new(),
            forward: Vec::new(),
            forward_interval: FORWARD_INTERVAL,
            rollup: false,
            keys: None,
            plaintext: false,
        }
    }

    /// Binds an endpoint (ROUTER) whose senders are told what is kept.
    pub fn with_bind(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push((endpoint, true));
        self
    }

    /// Binds an endpoint (PULL) for senders that do not listen: microcontrollers, foreign programs.
    /// What is lost on the way is made good by their next keyframe, and by nothing after their last.
    pub fn with_pull(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push((endpoint, false));
        self
    }

    /// Reports to another aggregator, too, device by device: what reaches it on several ways counts
    /// once.
    pub fn with_forward(mut self, endpoint: Endpoint, keys: Option<ClientKeys>) -> Self {
        self.forward.push((endpoint, keys));
        self
    }

    /// Sets the time from one acknowledged report to the next receiver to the next.
    ///
    /// Defaults to 1 s.
    pub const fn with_forward_interval(mut self, interval: Duration) -> Self {
        self.forward_interval = interval;
        self
    }

    /// Sets whether the next receivers get sums over all sources instead of the sources.
    ///
    /// The sums are a source of their own, with the fleet's [`NodeId`](crate::fleet::NodeId) as
    /// origin: counters, meters and histograms, of which each source's counts since this fleet's
    /// state began, as in [`Fleet::merged`](crate::fleet::Fleet::merged). Gauges stay here. They
    /// need a state that is kept, and a tree: each source has one way to each receiver of sums.
    ///
    /// Defaults to no.
    pub const fn with_rollup(mut self, is_sum: bool) -> Self {
        self.rollup = is_sum;
        self
    }

    /// Sets the keys for CURVE of all endpoints that are bound.
    ///
    /// Defaults to none: plaintext, on this machine only.
    pub fn with_keys(mut self, keys: ServerKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Sets whether endpoints that other machines reach may go without encryption.
    ///
    /// Defaults to no.
    pub const fn with_plaintext_allowed(mut self, allowed: bool) -> Self {
        self.plaintext = allowed;
        self
    }

    /// Binds everything and begins to receive, on threads of its own.
    ///
    /// # Errors
    ///
    /// [`SocketError`]: an endpoint cannot be bound, or is open to others without keys; or sums are
    /// to be forwarded of a fleet without a store. Nothing is bound then.
    pub fn spawn(self) -> Result<RunningAggregator, SocketError> {
        for (endpoint, _) in &self.endpoints {
            check(endpoint, self.keys.is_some(), self.plaintext)?;
        }
        for (endpoint, keys) in &self.forward {
            check(endpoint, keys.is_some(), self.plaintext)?;
        }
        if self.rollup && !self.fleet.has_store() {
            return Err(SocketError::NoState);
        }
        let mut running = RunningAggregator {
            stop: Stop::new(),
            reloads: Arc::new(AtomicU64::new(0)),
            threads: Vec::new(),
            endpoints: Vec::new(),
            forwards: Vec::new(),
            allowed: self.keys.as_ref().map(|keys| keys.allowed.clone()),
        };
        for (endpoint, answers) in self.endpoints {
            running.bind(&self.fleet, endpoint, answers, self.keys.as_ref())?;
        }
        for (endpoint, keys) in self.forward {
            let rollup = self.rollup.then_some(self.forward_interval);
            let records = Records::new(self.fleet.clone(), rollup);
            let sender = SenderThread::spawn(records, &endpoint, keys, self.forward_interval)?;
            running.forwards.push(sender);
        }
        Ok(running)
    }

    /// As [`spawn`](Self::spawn), and blocks until `stop` is asked for.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn).
    pub fn run(self, stop: &Stop, linger: Duration) -> Result<(), SocketError> {
        let running = self.spawn()?;
        while !stop.wait(Duration::from_secs(3_600)) {}
        running.close(linger);
        Ok(())
    }
}

/// An aggregator that receives; stops when dropped.
pub struct RunningAggregator {
    stop: Stop,
    /// Times that the allow-list was read again.
    reloads: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
    endpoints: Vec<Endpoint>,
    forwards: Vec<SenderThread>,
    allowed: Option<AllowList>,
}

/// Makes a change of the allow-list count at once; see [`RunningAggregator::reloader`].
#[derive(Debug, Clone)]
pub struct Reloader {
    allowed: AllowList,
    reloads: Arc<AtomicU64>,
}

impl Reloader {
    /// Reads the allow-list again, and ends connections of senders that are not in it any more.
    ///
    /// # Errors
    ///
    /// Those of [`AllowList::reload`]; everything stays as it was then.
    pub fn reload(&self) -> Result<(), KeyError> {
        self.allowed.reload()?;
        self.reloads.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl fmt::Debug for RunningAggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningAggregator")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

impl RunningAggregator {
    /// Returns the endpoints in the order in which they were given, with the ports that were taken.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Returns what was sent to each next receiver.
    #[must_use]
    pub fn forward_stats(&self) -> Vec<SenderStats> {
        self.forwards.iter().map(SenderThread::stats).collect()
    }

    /// Returns what reads the allow-list again, `None` without keys.
    #[must_use]
    pub fn reloader(&self) -> Option<Reloader> {
        let allowed = self.allowed.clone()?;
        Some(Reloader { allowed, reloads: Arc::clone(&self.reloads) })
    }

    /// Stops: takes in and answers what has come, reports to the next receivers a last time, and
    /// waits until they say that they keep it, for at most `linger` each. Returns whether they did.
    #[expect(clippy::must_use_candidate, reason = "it stops, whatever it says")]
    pub fn close(mut self, linger: Duration) -> bool {
        self.stop_receiving();
        let forwards = std::mem::take(&mut self.forwards);
        let kept: Vec<bool> = forwards.into_iter().map(|f| f.close(linger).0).collect();
        kept.into_iter().all(|kept| kept)
    }

    fn stop_receiving(&mut self) {
        self.stop.stop();
        for thread in self.threads.drain(..) {
            // A panic was reported by the thread.
            let _ = thread.join();
        }
    }

    /// Binds an endpoint on a thread of its own, which then receives there.
    fn bind(
        &mut self,
        fleet: &SharedFleet,
        endpoint: Endpoint,
        answers: bool,
        keys: Option<&ServerKeys>,
    ) -> Result<(), SocketError> {
        let (sender, bound) = mpsc::sync_channel(1);
        let (stop, reloads) = (self.stop.clone(), Arc::clone(&self.reloads));
        let (fleet, keys) = (fleet.clone(), keys.cloned());
        let work = move || {
            let mut inbox = match OmqInbox::bind(&endpoint, answers, keys.as_ref()) {
                Ok((inbox, bound)) => {
                    // Whoever spawned this waits for it.
                    let _ = sender.send(Ok(bound));
                    inbox
                }
                Err(error) => return drop(sender.send(Err(error))),
            };
            let allowed = keys.map(|keys| keys.allowed);
            let mut hub = Hub::new(fleet, allowed.clone());
            let mut seen = reloads.load(Ordering::Relaxed);
            while !stop.is_stopped() {
                hub.turn(&mut inbox, SLICE);
                let reloaded = reloads.load(Ordering::Relaxed);
                if let (true, Some(allowed)) = (reloaded != seen, &allowed) {
                    inbox.disconnect_unless(&|key| {
                        key.is_some_and(|key| {
                            if answers { allowed.admits(key) } else { allowed.admits_for_all(key) }
                        })
                    });
                }
                seen = reloaded;
            }
            hub.turn(&mut inbox, Duration::ZERO);
        };
        let thread = std::thread::Builder::new().name("tapes-zmq".into()).spawn(work);
        self.threads.push(thread.map_err(|error| SocketError::Thread(error.to_string()))?);
        let bound = bound.recv();
        let bound = bound.map_err(|_| SocketError::Thread("it ended at once".to_owned()))?;
        self.endpoints.push(bound?);
        Ok(())
    }
}

impl Drop for RunningAggregator {
    fn drop(&mut self) {
        self.stop_receiving();
    }
}
