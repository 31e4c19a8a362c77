//! Metrics over a network that the board itself is on.
//!
//! ```
//! use embassy_net::udp::{PacketMetadata, UdpSocket};
//! use embassy_net::{IpAddress, Stack};
//! use tapes_core::report::{Statsd, TextReporter};
//! use tapes_core::text::statsd::Dialect;
//! use tapes_embassy::net::{Buffers, send_statsd, serve};
//!
//! tapes_core::metrics! {
//!     static MOTOR: MotorMetrics = "motor" { loops: Counter }
//! }
//!
//! /// `http://BOARD/metrics` and `http://BOARD/metrics.json`.
//! async fn pages(stack: Stack<'static>) {
//!     let (mut receive, mut send, mut head) = ([0; 512], [0; 1_024], [0; 1_024]);
//!     let buffers = Buffers { receive: &mut receive, send: &mut send, head: &mut head };
//!     serve::<{ MotorMetrics::BUCKETS as usize }>(stack, 80, &MOTOR, buffers).await;
//! }
//!
//! /// Datagrams to a StatsD server; a task calls it every ten seconds or so.
//! async fn datagrams(socket: &UdpSocket<'_>, server: IpAddress) {
//!     let mut reporter = TextReporter::<_, 0, 1_432>::new(Statsd::new(Dialect::Etsy));
//!     let _ = send_statsd(&mut reporter, &MOTOR, socket, (server, 8_125)).await;
//! }
//! ```
//!
//! # Interrupts and cores
//!
//! Everything runs in the task that awaits it. Metrics may be recorded anywhere meanwhile.
//!
//! # Limits
//!
//! There is neither encryption nor a password: whoever reaches the port reads the metrics. A task serves one client at
//! a time; one that says nothing for 5 seconds, or takes nothing for 10, is let go.

use core::fmt::{self, Debug, Formatter};

use embassy_net::Stack;
use embassy_net::udp::{SendError, UdpMetadata, UdpSocket};
use embassy_time::Duration;
use picoserve::response::chunked::{ChunkWriter, ChunkedResponse, Chunks, ChunksWritten};
use picoserve::routing::get;
use picoserve::{Config, Router, Server, Timeouts};
use tapes_core::Source;
use tapes_core::report::{Json, Prometheus, Statsd, Syntax, TextReporter};
use tapes_core::text::prometheus::Format;

/// The body of a response of `picoserve`: all metrics as text, made while it is being sent.
///
/// `BUCKETS` is the number of buckets of the longest histogram, as for [`TextReporter`], `CHUNK` how much is sent at
/// once. It takes the memory of such a reporter, in the future of the task that serves.
///
/// ```
/// use picoserve::Router;
/// use picoserve::response::chunked::ChunkedResponse;
/// use picoserve::routing::{PathRouter, get};
/// use tapes_core::text::prometheus::Format;
/// use tapes_embassy::net::Page;
///
/// tapes_core::metrics! {
///     static MOTOR: MotorMetrics = "motor" { loops: Counter }
/// }
///
/// /// A page among others of the application.
/// fn pages() -> Router<impl PathRouter> {
///     Router::new().route("/", get(async || "hello")).route(
///         "/metrics",
///         get(async || ChunkedResponse::new(Page::<_, 0, 256>::prometheus(&MOTOR, Format::Prometheus))),
///     )
/// }
/// # let _ = pages();
/// ```
#[must_use = "a page is sent by a server"]
pub struct Page<'s, S, const BUCKETS: usize, const CHUNK: usize> {
    source: &'s dyn Source,
    reporter: TextReporter<S, BUCKETS, CHUNK>,
    content_type: &'static str,
}

impl<S, const BUCKETS: usize, const CHUNK: usize> Debug for Page<'_, S, BUCKETS, CHUNK> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

impl<'s, const BUCKETS: usize, const CHUNK: usize> Page<'s, Prometheus, BUCKETS, CHUNK> {
    /// Returns an exposition for Prometheus and others.
    pub const fn prometheus(source: &'s dyn Source, format: Format) -> Self {
        let reporter = TextReporter::new(Prometheus::new(format));
        Self { source, reporter, content_type: format.content_type() }
    }
}

impl<'s, const BUCKETS: usize, const CHUNK: usize> Page<'s, Json, BUCKETS, CHUNK> {
    /// Returns a JSON document.
    pub const fn json(source: &'s dyn Source) -> Self {
        let reporter = TextReporter::new(Json::new());
        Self { source, reporter, content_type: "application/json" }
    }
}

impl<S: Syntax, const BUCKETS: usize, const CHUNK: usize> Chunks for Page<'_, S, BUCKETS, CHUNK> {
    fn content_type(&self) -> &'static str {
        self.content_type
    }

    async fn write_chunks<W: picoserve::io::Write>(
        mut self,
        mut writer: ChunkWriter<W>,
    ) -> Result<ChunksWritten, W::Error> {
        self.reporter.begin();
        while let Some(chunk) = self.reporter.next_chunk(self.source, &|_, _| None) {
            writer.write_chunk(chunk).await?;
        }
        writer.finalize().await
    }
}

/// The memory of a connection.
///
/// ```
/// use tapes_embassy::net::Buffers;
///
/// let (mut receive, mut send, mut head) = ([0; 512], [0; 1_024], [0; 1_024]);
/// let buffers = Buffers { receive: &mut receive, send: &mut send, head: &mut head };
/// assert_eq!(buffers.head.len(), 1_024);
/// ```
#[derive(Debug)]
pub struct Buffers<'b> {
    /// Bytes that are received and not read yet.
    pub receive: &'b mut [u8],
    /// Bytes that are sent and not confirmed yet; more make it faster.
    pub send: &'b mut [u8],
    /// The first line and the headers of a request; a longer one is refused. 1,024 serve browsers and Prometheus.
    pub head: &'b mut [u8],
}

/// How long a client may keep others waiting. Losses of a radio cost TCP some seconds, which is no reason to give up.
const TIMEOUTS: Timeouts = Timeouts {
    start_read_request: Duration::from_secs(5),
    persistent_start_read_request: Duration::from_secs(1),
    read_request: Duration::from_secs(10),
    write: Duration::from_secs(10),
};

/// What is sent at once of a page.
const CHUNK: usize = 256;

/// Serves `/metrics`, the text of Prometheus, and `/metrics.json` for ever, one client at a time.
///
/// `BUCKETS` is the number of buckets of the longest histogram. More tasks of this kind, each with buffers and a socket
/// of the stack, serve more clients; an application that has pages of its own puts a [`Page`] among them.
pub async fn serve<const BUCKETS: usize>(
    stack: Stack<'_>,
    port: u16,
    source: &dyn Source,
    buffers: Buffers<'_>,
) {
    let text =
        || ChunkedResponse::new(Page::<_, BUCKETS, CHUNK>::prometheus(source, Format::Prometheus));
    let json = || ChunkedResponse::new(Page::<_, BUCKETS, CHUNK>::json(source));
    let pages = Router::new()
        .route("/metrics", get(async || text()))
        .route("/metrics.json", get(async || json()));
    let config = Config::new(TIMEOUTS);
    let Buffers { receive, send, head } = buffers;
    Server::new(&pages, &config, head)
        .listen_and_serve("metrics", stack, port, receive, send)
        .await;
}

/// Sends one report to a StatsD server, in as many datagrams as it takes, and returns how many these were.
///
/// Counts are lifetime totals, which lose nothing with a datagram. The size of a datagram is that of the reporter's
/// chunk: 1,432 bytes fit a frame of Ethernet. The socket's buffer must hold one.
///
/// # Errors
///
/// [`SendError`] if there is no way to the server yet, or a datagram does not fit the socket's buffer. The rest of the
/// report is left out; the next one has everything.
pub async fn send_statsd<const BUCKETS: usize, const PACKET: usize>(
    reporter: &mut TextReporter<Statsd, BUCKETS, PACKET>,
    source: &dyn Source,
    socket: &UdpSocket<'_>,
    server: impl Into<UdpMetadata>,
) -> Result<u32, SendError> {
    let server = server.into();
    let mut sent = 0;
    reporter.begin();
    while let Some(datagram) = reporter.next_packet(source, &|_, _| None) {
        socket.send_to(datagram, server).await?;
        sent += 1;
    }
    Ok(sent)
}
