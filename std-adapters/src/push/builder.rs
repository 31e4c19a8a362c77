//! What a push is made from, and the push that runs.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tapes_core::report::Reporter;

use super::otlp::Otlp;
use super::remote_write::RemoteWrite;
use super::sender::{OnTrouble, Sender, Shared};
use super::{Protocol, PushError, PushHandle, Queue, Temporality};
use crate::clock::{Alarm, SystemTimeSource, TimeSource};
use crate::exposition::{ClassicBuckets, Exposition};
use crate::schedule::{StartError, ThreadScheduler};

/// Bytes of the queue in memory that is used unless another one is given.
const QUEUE_BYTES: u64 = 16 << 20;

/// What a push is made from; [the module](super) has an example.
#[must_use = "nothing is pushed until it is started"]
pub struct PushBuilder {
    protocol: Protocol,
    url: String,
    interval: Duration,
    queue: Option<Queue>,
    headers: Vec<(String, String)>,
    labels: Vec<(String, String)>,
    service: String,
    classic: Option<ClassicBuckets>,
    temporality: Temporality,
    linger: Duration,
    time: Arc<dyn TimeSource>,
    on_trouble: OnTrouble,
}

impl fmt::Debug for PushBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold secrets.
        let mut debug = f.debug_struct("PushBuilder");
        debug.field("protocol", &self.protocol).field("url", &self.url).finish_non_exhaustive()
    }
}

impl PushBuilder {
    /// Sets the time from one batch to the next; 10 ms at least.
    ///
    /// Defaults to 15 s.
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(10));
        self
    }

    /// Sets where batches wait.
    ///
    /// Defaults to 16 MiB in memory.
    pub fn with_queue(mut self, queue: Queue) -> Self {
        self.queue = Some(queue);
        self
    }

    /// Adds a header to every request, such as `Authorization`.
    ///
    /// Defaults to none.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a label to every series, or an attribute to every resource.
    ///
    /// Defaults to none.
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// Sets what everything is from: the label `job`, or the attribute `service.name`.
    ///
    /// Defaults to `tapes`.
    pub fn with_service(mut self, service: impl Into<String>) -> Self {
        self.service = service.into();
        self
    }

    /// Sets what counts in OTLP say: all since the start, or growth.
    ///
    /// Defaults to [`Temporality::Cumulative`].
    pub fn with_temporality(mut self, temporality: Temporality) -> Self {
        self.temporality = temporality;
        self
    }

    /// Sends classic buckets to remote write instead of native histograms.
    ///
    /// Defaults to native ones.
    pub fn with_classic_buckets(mut self, buckets: ClassicBuckets) -> Self {
        self.classic = Some(buckets);
        self
    }

    /// Sets how long the end waits for what can still be sent.
    ///
    /// Defaults to 5 s; an attempt under way may take 10 s more.
    pub fn with_linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sets the clocks.
    ///
    /// Defaults to those of the system.
    pub fn with_time(mut self, time: Arc<dyn TimeSource>) -> Self {
        self.time = time;
        self
    }

    /// Sets what gets a line for people when something goes wrong, once for each reason. It runs on
    /// the thread that sends.
    ///
    /// Defaults to nothing; it is counted all the same.
    pub fn with_trouble_hook(mut self, hook: impl FnMut(&str) + Send + 'static) -> Self {
        self.on_trouble = Box::new(hook);
        self
    }

    /// Starts to push; the first batch is made at once.
    ///
    /// # Errors
    ///
    /// [`PushError`]: the URL or a header cannot be used, or the system gives no thread.
    pub fn start(self, exposition: Arc<dyn Exposition>) -> Result<Push, PushError> {
        check(&self.url, &self.headers)?;
        let mut labels = self.labels;
        let name = match self.protocol {
            Protocol::Otlp => "service.name",
            Protocol::RemoteWrite => "job",
        };
        labels.push((name.to_owned(), self.service));
        let queue = self.queue.unwrap_or_else(|| Queue::in_memory(QUEUE_BYTES));
        let encoder = match self.protocol {
            Protocol::Otlp => {
                let mut otlp = Otlp::new();
                otlp.attributes = labels;
                if self.temporality == Temporality::Delta {
                    otlp.tell_growth(queue.noted(), self.time.wall());
                }
                Encoder::Otlp(otlp)
            }
            Protocol::RemoteWrite => {
                let mut write = RemoteWrite::default();
                (write.labels, write.classic) = (labels, self.classic);
                Encoder::RemoteWrite(write)
            }
        };
        let stats = PushHandle::default();
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            stats,
            alarm: Arc::new(Alarm::new()),
            is_stopping: AtomicBool::new(false),
        });
        shared.count_queue(&shared.queue());
        let sender = Sender {
            protocol: self.protocol,
            url: self.url,
            headers: self.headers,
            linger: self.linger,
            time: Arc::clone(&self.time),
            shared: Arc::clone(&shared),
            on_trouble: self.on_trouble,
        };
        let time = Arc::clone(&self.time);
        let batches = Batches { exposition, encoder, time, shared: Arc::clone(&shared) };
        let mut scheduler = ThreadScheduler::every(self.interval, batches)
            .with_time(self.time)
            .with_name("tapes-batches");
        scheduler.start().map_err(|error| match error {
            StartError::Thread(error) => PushError::Thread(error),
            other => PushError::Thread(io::Error::other(other.to_string())),
        })?;
        let thread = Some(sender.spawn()?);
        Ok(Push { scheduler, shared, thread })
    }
}

/// Refuses what would fail with every attempt.
fn check(url: &str, headers: &[(String, String)]) -> Result<(), PushError> {
    let parsed: Option<ureq::http::Uri> = url.parse().ok();
    let is_url = parsed.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    });
    if !is_url {
        return Err(PushError::Url(url.to_owned()));
    }
    for (name, value) in headers {
        let is_header = name.parse::<ureq::http::HeaderName>().is_ok()
            && value.parse::<ureq::http::HeaderValue>().is_ok();
        if !is_header {
            return Err(PushError::Header(name.clone()));
        }
    }
    Ok(())
}

/// Pushes until it is dropped: then it makes a last batch, and sends what it can.
#[derive(Debug)]
#[must_use = "pushing ends when this is dropped"]
pub struct Push {
    scheduler: ThreadScheduler<Batches>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Push {
    /// Begins with a protocol and the URL of a receiver, `http://…` or `https://…`.
    pub fn builder(protocol: Protocol, url: impl Into<String>) -> PushBuilder {
        PushBuilder {
            protocol,
            url: url.into(),
            interval: Duration::from_secs(15),
            queue: None,
            headers: Vec::new(),
            labels: Vec::new(),
            service: "tapes".to_owned(),
            classic: None,
            temporality: Temporality::default(),
            linger: Duration::from_secs(5),
            time: Arc::new(SystemTimeSource::new()),
            on_trouble: Box::new(|_| {}),
        }
    }

    /// Returns what was pushed so far, for as long as anybody wants to know.
    #[must_use]
    pub fn stats(&self) -> PushHandle {
        self.shared.stats.clone()
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        self.scheduler.stop();
        self.shared.is_stopping.store(true, Ordering::Release);
        self.shared.alarm.ring();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by the thread.
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
enum Encoder {
    Otlp(Otlp),
    RemoteWrite(RemoteWrite),
}

/// Makes batches, and queues them.
#[derive(Debug)]
struct Batches {
    exposition: Arc<dyn Exposition>,
    encoder: Encoder,
    time: Arc<dyn TimeSource>,
    shared: Arc<Shared>,
}

impl Reporter for Batches {
    type Error = io::Error;

    fn report(&mut self, _uptime: u64) -> io::Result<()> {
        let (exposition, wall) = (&*self.exposition, self.time.wall());
        let batches = match &mut self.encoder {
            Encoder::Otlp(otlp) => otlp.encode(exposition, wall).map(|batch| vec![batch]),
            Encoder::RemoteWrite(write) => write.encode(exposition, wall),
        };
        let batches = batches.map_err(|_| io::Error::other("metrics could not be rendered"))?;
        let mut queue = self.shared.queue();
        let batches = match &mut self.encoder {
            Encoder::Otlp(otlp) => queue_growth(otlp, &mut queue, batches)?,
            Encoder::RemoteWrite(_) => batches,
        };
        let mut result = Ok(());
        for batch in batches.into_iter().filter(|batch| !batch.is_empty()) {
            let dropped = queue.push(batch).unwrap_or_else(|error| {
                result = Err(error);
                1
            });
            self.shared.stats.change(|s| s.dropped = s.dropped.saturating_add(dropped));
        }
        self.shared.count_queue(&queue);
        drop(queue);
        self.shared.alarm.ring();
        result
    }
}

/// Queues a batch of growth, and returns batches that do not depend on others as they are.
///
/// What was told is noted before the batch is queued: a kill in between loses an interval, and
/// nothing is ever told twice.
pub(super) fn queue_growth(
    otlp: &mut Otlp,
    queue: &mut Queue,
    batches: Vec<Vec<u8>>,
) -> io::Result<Vec<Vec<u8>>> {
    let Some(note) = otlp.note(true) else { return Ok(batches) };
    for batch in batches {
        if !queue.has_room(&batch) {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "the queue is full; growth waits for the next batch",
            ));
        }
        queue.note(&note)?;
        if let Err(error) = queue.push(batch) {
            // It is told with the next one.
            let _ = otlp.note(false).map(|before| queue.note(&before));
            return Err(error);
        }
        otlp.commit();
    }
    Ok(Vec::new())
}
