//! The thread that sends what is in the queue.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::otlp::Otlp;
use super::{Protocol, PushError, PushHandle, Queue};
use crate::clock::{Alarm, TimeSource};

/// Pauses after failures: from the first to the longest, unless the receiver asks for more.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Longest pause that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// How long one attempt may take.
pub(super) const ATTEMPT_MAX: Duration = Duration::from_secs(10);

/// Bytes of an answer that are looked at.
const ANSWER_LEN_MAX: u64 = 16 << 10;

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    /// It may be taken later, after this pause if the receiver asked for one.
    Later(String, Option<Duration>),
    /// It will never be taken.
    Refused(String),
}

/// What is told to whoever wants to log it.
pub(super) type OnTrouble = Box<dyn FnMut(&str) + Send>;

/// What the thread, and those who fill the queue, use.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Mutex<Queue>,
    pub(super) stats: PushHandle,
    pub(super) alarm: Arc<Alarm>,
    pub(super) is_stopping: AtomicBool,
}

impl Shared {
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        // Each change is one call.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count_queue(&self, queue: &Queue) {
        let (queued, queued_bytes) = queue.len();
        self.stats.change(|stats| (stats.queued, stats.queued_bytes) = (queued, queued_bytes));
    }
}

/// Sends the batches of a queue.
pub(super) struct Sender {
    pub(super) protocol: Protocol,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) linger: Duration,
    pub(super) time: Arc<dyn TimeSource>,
    pub(super) shared: Arc<Shared>,
    pub(super) on_trouble: OnTrouble,
}

impl Sender {
    pub(super) fn spawn(self) -> Result<JoinHandle<()>, PushError> {
        let thread = std::thread::Builder::new().name("tapes-push".into());
        thread.spawn(move || self.run()).map_err(PushError::Thread)
    }

    fn run(mut self) {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(ATTEMPT_MAX))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("tapes/", env!("CARGO_PKG_VERSION")));
        let agent = ureq::Agent::new_with_config(config.build());
        let (mut pause, mut until, mut last) = (PAUSES.0, None, String::new());
        let mut deadline = None;
        loop {
            let now = self.time.monotonic();
            if self.shared.is_stopping.load(Ordering::Acquire) {
                let deadline = *deadline.get_or_insert(now.saturating_add(self.linger));
                if now >= deadline || self.shared.queue().is_empty() {
                    return;
                }
                until = until.map(|until: Duration| until.min(deadline));
            }
            if let Some(until) = until.filter(|until| now < *until) {
                self.time.wait(until, &self.shared.alarm);
                continue;
            }
            let Some((number, batch)) = self.front() else {
                self.shared.alarm.wait();
                continue;
            };
            let len = batch.len() as u64;
            match self.post(&agent, batch) {
                Fate::Taken => {
                    (pause, until) = (PAUSES.0, None);
                    last.clear();
                    self.shared.stats.change(|stats| {
                        stats.sent = stats.sent.saturating_add(1);
                        stats.sent_bytes = stats.sent_bytes.saturating_add(len);
                    });
                    self.remove(number);
                }
                Fate::Refused(why) => {
                    (self.on_trouble)(&format!("{why}; a batch is lost"));
                    self.shared.stats.change(|s| s.rejected = s.rejected.saturating_add(1));
                    self.remove(number);
                }
                Fate::Later(why, wanted) => {
                    // An outage of a night is one line, not thousands.
                    if why != last {
                        (self.on_trouble)(&format!("{why}; batches wait, trying again"));
                        last = why;
                    }
                    self.shared.stats.change(|s| s.failures = s.failures.saturating_add(1));
                    let now = self.time.monotonic();
                    until = Some(now.saturating_add(wanted.unwrap_or(pause)));
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    fn front(&self) -> Option<(u64, Vec<u8>)> {
        let mut queue = self.shared.queue();
        let (damaged, front) = queue.front();
        if damaged > 0 {
            let lost = |stats: &mut super::PushStats| {
                stats.dropped = stats.dropped.saturating_add(damaged);
            };
            self.shared.stats.change(lost);
            self.shared.count_queue(&queue);
        }
        front
    }

    fn remove(&self, number: u64) {
        let mut queue = self.shared.queue();
        queue.remove(number);
        self.shared.count_queue(&queue);
    }

    fn post(&mut self, agent: &ureq::Agent, batch: Vec<u8>) -> Fate {
        let mut request = agent.post(&self.url).header("Content-Type", "application/x-protobuf");
        if self.protocol == Protocol::RemoteWrite {
            request = request
                .header("Content-Encoding", "snappy")
                .header("X-Prometheus-Remote-Write-Version", "0.1.0");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut response = match request.send(batch) {
            Ok(response) => response,
            Err(error) => return Fate::Later(format!("cannot be reached: {error}"), None),
        };
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after").and_then(|v| v.to_str().ok());
        let wanted = header.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let wanted = wanted.map(|wanted| wanted.min(RETRY_AFTER_MAX));
        let body = response.body_mut().with_config().limit(ANSWER_LEN_MAX).read_to_vec();
        let body = body.unwrap_or_default();
        let fate = fate(self.protocol, status, &body, wanted);
        if let (Fate::Taken, Protocol::Otlp) = (&fate, self.protocol)
            && let Some((rejected, why)) = Otlp::complaint(&body)
        {
            let why = shown(why.as_bytes());
            (self.on_trouble)(&format!("took a batch, but for {rejected} points: {why}"));
        }
        fate
    }
}

/// Returns what an answer means.
fn fate(protocol: Protocol, status: u16, body: &[u8], wanted: Option<Duration>) -> Fate {
    let why = || format!("answered {status} {}", shown(body)).trim_end().to_owned();
    match status {
        200..=299 => Fate::Taken,
        // Whoever runs it can mend that, as an outage.
        401 | 403 | 404 | 405 | 408 | 429 | 502..=504 => Fate::Later(why(), wanted),
        // OTLP says which errors pass; of remote write all errors of the server may.
        500..=599 if protocol == Protocol::RemoteWrite => Fate::Later(why(), wanted),
        _ => Fate::Refused(why()),
    }
}

/// Returns the beginning of what a receiver says, without what a terminal would obey.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Fate, fate};
    use crate::push::Protocol::{Otlp, RemoteWrite};

    /// A batch that is refused for good and sent again for ever holds up all behind it; one that is
    /// given up too early is lost in an outage that the queue is for.
    #[test]
    fn what_passes_is_sent_again_and_what_does_not_is_given_up() {
        for (protocol, status, expected) in [
            (Otlp, 200, "taken"),
            (RemoteWrite, 204, "taken"),
            (Otlp, 400, "refused"),
            (RemoteWrite, 400, "refused"),
            (Otlp, 500, "refused"),
            (RemoteWrite, 500, "later"),
            (Otlp, 503, "later"),
            (Otlp, 429, "later"),
            (RemoteWrite, 404, "later"),
            (RemoteWrite, 301, "refused"),
        ] {
            let got = match fate(protocol, status, b"out\x1b[2Jside\nmore", None) {
                Fate::Taken => "taken",
                Fate::Later(why, _) | Fate::Refused(why) if why.contains('\x1b') => "unsafe",
                Fate::Later(..) => "later",
                Fate::Refused(_) => "refused",
            };
            assert_eq!(got, expected, "{protocol:?} {status}");
        }
    }
}
