//! An aggregator in a child process.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::aggregator::Aggregator;
use super::endpoint::Endpoint;
use super::settings::SocketError;

/// What the child writes before each endpoint.
const RECEIVING: &str = "tapes: receiving at ";

/// What the child writes behind the last one.
const READY: &str = "tapes: ready";

impl Aggregator {
    /// Does as a child of an [`AggregatorProcess`] does: binds everything, says on standard output
    /// where, and receives until standard input ends, because the parent closes it or dies.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn).
    pub fn run_as_child(self, linger: Duration) -> Result<(), SocketError> {
        let running = self.spawn()?;
        let mut said: String =
            running.endpoints().iter().map(|endpoint| format!("{RECEIVING}{endpoint}\n")).collect();
        said.push_str(READY);
        said.push('\n');
        let mut out = io::stdout().lock();
        // A parent that does not read has its end of the pipe closed: then so is standard input.
        let _ = out.write_all(said.as_bytes()).and_then(|()| out.flush());
        drop(out);
        let mut buffer = [0; 64];
        let mut input = io::stdin().lock();
        while input.read(&mut buffer).is_ok_and(|len| len > 0) {}
        running.close(linger);
        Ok(())
    }
}

/// A child process that aggregates; ends when this is dropped, or when this process dies.
///
/// ```
/// use std::process::Command;
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tapes_std::clock::SystemTimeSource;
/// use tapes_std::fleet::{Fleet, Limits, SharedFleet, store::new_node};
/// use tapes_std::zmq::{Aggregator, AggregatorProcess};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     if std::env::args().any(|argument| argument == "aggregate") {
///         let fleet = Fleet::new(new_node(), Limits::default());
///         let fleet = SharedFleet::new(fleet, Arc::new(SystemTimeSource::new()));
///         let aggregator = Aggregator::new(fleet).with_bind("tcp://127.0.0.1:0".parse()?);
///         return Ok(aggregator.run_as_child(Duration::from_secs(2))?);
///     }
///     // The same program once more, as a child.
///     let program = std::env::current_exe()?;
///     let aggregator = AggregatorProcess::spawn(Command::new(program).arg("aggregate"))?;
///     assert_eq!(aggregator.endpoints().len(), 1);
///     assert!(aggregator.close()?.success());
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct AggregatorProcess {
    child: Child,
    /// Closed to end the child.
    stdin: Option<ChildStdin>,
    endpoints: Vec<Endpoint>,
}

impl AggregatorProcess {
    /// Starts a program that calls [`Aggregator::run_as_child`], and waits until it receives.
    ///
    /// Its standard input and output are used; what it writes to standard error is not.
    ///
    /// # Errors
    ///
    /// The program cannot be started, or ends before it receives.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut process = Self { child, stdin, endpoints: Vec::new() };
        let mut lines = BufReader::new(stdout.ok_or(io::ErrorKind::BrokenPipe)?);
        let mut line = String::new();
        loop {
            line.clear();
            // Bounded: what is no such line is not kept.
            if lines.by_ref().take(4_096).read_line(&mut line)? == 0 {
                let status = process.end()?;
                return Err(io::Error::other(format!("the aggregator ended: {status}")));
            }
            let line = line.trim_end();
            // Something else may have begun the line.
            if line.ends_with(READY) {
                break;
            }
            if let Some((_, endpoint)) = line.split_once(RECEIVING) {
                process.endpoints.push(endpoint.parse().map_err(io::Error::other)?);
            }
        }
        // Whatever it writes later must not block it.
        std::thread::Builder::new().name("tapes-child".into()).spawn(move || {
            // It ends with the child.
            let _ = io::copy(&mut lines, &mut io::sink());
        })?;
        Ok(process)
    }

    /// Returns the endpoints in the order in which they were bound, with the ports that were taken.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Returns the process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the child to end, as [`RunningAggregator::close`](super::RunningAggregator::close)
    /// does, and waits for it.
    ///
    /// # Errors
    ///
    /// The system cannot wait for it.
    pub fn close(mut self) -> io::Result<ExitStatus> {
        self.end()
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.child.wait()
    }
}

impl Drop for AggregatorProcess {
    fn drop(&mut self) {
        // One that was waited for says so again.
        let _ = self.end();
    }
}
