//! Pushing: metrics to OTLP receivers and to Prometheus remote write, through outages.
//!
//! Every interval all metrics become one batch with the time of day, and go into a [queue](Queue);
//! a thread sends what is in it, the oldest first. While the receiver is away batches wait, on disk
//! if there is a directory; what does not fit any more is dropped, the oldest first, and counted.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//! use tapes_std::local::Local;
//! use tapes_std::push::{Protocol, Push, Queue};
//!
//! static REGISTRY: tapes_core::Registry<8, 64> = tapes_core::Registry::new();
//!
//! let queue = Queue::on_disk("/var/lib/my-service/queue", 64 << 20)?;
//! let push = Push::builder(Protocol::Otlp, "http://localhost:4318/v1/metrics")
//!     .with_interval(Duration::from_secs(15))
//!     .with_queue(queue)
//!     .start(Arc::new(Local::new(&REGISTRY)))?;
//! drop(push); // a last batch, and what can be sent within five seconds
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # OTLP
//!
//! Metrics keep their dotted names; units are those of UCUM where there is one. Counters and meters
//! are monotonic sums, up/down counters are not monotonic, gauges are gauges; histograms and timers
//! are *exponential histograms*, bucket by bucket as they were counted, with what is above their
//! range in the bucket just above it. Counts are cumulative unless [growth](Temporality) is asked for;
//! up/down counters always are. Each device is a resource with the
//! attribute `service.instance.id`; `service.name` is `tapes` unless told otherwise. A count whose
//! beginning nobody knows begins, as the specification wants, with its first point.
//!
//! # Remote write
//!
//! Version 1.0: the names, labels and values of `/metrics`, each with the label `job`. Histograms
//! are native, or classic if asked for. A series that is no longer shown ends with the marker that
//! Prometheus itself writes.
//!
//! # Limits
//!
//! At least once: a batch that was sent, but whose answer was lost, is sent again with the same
//! times, which receivers take for what it is. A batch is in memory while it is made and sent.

mod builder;
mod otlp;
mod queue;
mod remote_write;
mod sender;
mod stats;

use std::{fmt, io};

pub use self::builder::{Push, PushBuilder};
pub use self::queue::Queue;
pub use self::stats::{PushHandle, PushStats};

/// How batches are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// OTLP over HTTP, in protobuf: `http://HOST:4318/v1/metrics` in most places.
    Otlp,
    /// Prometheus remote write 1.0: `http://HOST:9090/api/v1/write` of a Prometheus with
    /// `--web.enable-remote-write-receiver`.
    RemoteWrite,
}

/// What a point of a count in OTLP says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Temporality {
    /// Everything since the series began. What is lost on the way is made good by the next point.
    #[default]
    Cumulative,
    /// What came since the point before, for receivers that add up. A batch that is sent again has
    /// the same times, so that it can be told from growth; while the queue is full no batch is made,
    /// and the next one has the growth of all that time.
    Delta,
}

/// Why pushing did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum PushError {
    /// The URL does not begin with `http://` or `https://`, or has no host.
    Url(String),
    /// A header has a name or value that HTTP does not allow.
    Header(String),
    /// The system gave no thread.
    Thread(io::Error),
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => {
                write!(f, "cannot push to {url:?}; give a URL such as http://HOST:4318/v1/metrics")
            }
            Self::Header(name) => write!(f, "the header {name:?} is not allowed in HTTP"),
            Self::Thread(source) => write!(f, "no thread to push from: {source}"),
        }
    }
}

impl std::error::Error for PushError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(source) => Some(source),
            Self::Url(_) | Self::Header(_) => None,
        }
    }
}
