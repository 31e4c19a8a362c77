//! An aggregator as a task of tokio.

use std::time::Duration;

use tokio::runtime::Handle;

use super::aggregator::{Aggregator, RunningAggregator};
use super::endpoint::Endpoint;
use super::settings::SocketError;

/// An aggregator that is stopped without holding up the runtime.
struct Guard(Option<RunningAggregator>);

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(running) = self.0.take() else { return };
        match Handle::try_current() {
            // A task that was aborted: whoever polls next must not wait for threads.
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(running))),
            Err(_) => drop(running),
        }
    }
}

impl Aggregator {
    /// Receives until `stop` is ready, then as [`RunningAggregator::close`]; returns what that does.
    /// `ready` is given the endpoints, with the ports that were taken, once they are bound.
    ///
    /// Sockets are served by threads of their own, so a task that keeps the runtime busy delays
    /// nobody. A future that is dropped stops, too, without a last report.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use tapes_std::clock::SystemTimeSource;
    /// use tapes_std::fleet::{Fleet, Limits, SharedFleet, store::new_node};
    /// use tapes_std::zmq::Aggregator;
    /// use tokio::sync::oneshot;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let fleet = Fleet::new(new_node(), Limits::default());
    /// let fleet = SharedFleet::new(fleet, Arc::new(SystemTimeSource::new()));
    /// let aggregator = Aggregator::new(fleet).with_bind("tcp://127.0.0.1:0".parse()?);
    /// let (stop, stopped) = oneshot::channel::<()>();
    /// let (sender, bound) = oneshot::channel();
    /// let ready = |endpoints: &[_]| drop(sender.send(endpoints.to_vec()));
    /// let linger = Duration::from_secs(2);
    /// let task = tokio::spawn(aggregator.run_until(async { drop(stopped.await) }, linger, ready));
    /// assert_eq!(bound.await?.len(), 1);
    /// drop(stop);
    /// assert!(task.await??);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn).
    ///
    /// # Panics
    ///
    /// Outside of a runtime of tokio.
    pub async fn run_until(
        self,
        stop: impl Future<Output = ()>,
        linger: Duration,
        ready: impl FnOnce(&[Endpoint]),
    ) -> Result<bool, SocketError> {
        let failed = |error: tokio::task::JoinError| SocketError::Thread(error.to_string());
        let runtime = Handle::current();
        let running = runtime.spawn_blocking(move || self.spawn()).await.map_err(failed)??;
        ready(running.endpoints());
        let mut guard = Guard(Some(running));
        stop.await;
        let Some(running) = guard.0.take() else { return Ok(true) };
        runtime.spawn_blocking(move || running.close(linger)).await.map_err(failed)
    }
}
