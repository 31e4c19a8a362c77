//! Serial ports: opened, read, lost, and opened again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::ask::{Asker, REQUESTS};
use super::stop::Stop;
use crate::fleet::rules::is_match;
use crate::fleet::{FrameReader, LinkKind, SharedFleet};

/// Rate unless told otherwise.
const BAUD_DEFAULT: u32 = 115_200;

/// Many boards take a line at this rate for a request to reset into their bootloader.
const BAUD_RESET: u32 = 1_200;

/// Longest wait for bytes before looking whether to stop.
const READ_TIMEOUT: Duration = Duration::from_millis(200);

/// Pauses between attempts to open a port: from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Bytes read at once.
const CHUNK_LEN: usize = 4_096;

/// Ports that are read at the same time for one pattern.
const PORTS_MAX: usize = 64;

/// Which port to read, and how: `PATH[:BAUD][,dtr=on|off][,rts=on|off]`.
///
/// In the last part of the path, `*` stands for anything: every port that matches is read, from
/// when it appears to when it goes.
///
/// Without `dtr` and `rts` the lines are what opening a port makes them, which is on. Most boards
/// with USB of their own send only while `dtr` is on. Many with a serial chip restart when a line
/// changes: for these, say `off`; Linux raises both for some microseconds even so.
///
/// ```
/// use tapes_std::input::SerialSpec;
/// let spec: SerialSpec = "/dev/ttyACM0:921600".parse()?;
/// assert_eq!((spec.path(), spec.baud()), ("/dev/ttyACM0", 921_600));
/// assert!("/dev/ttyACM0:1200".parse::<SerialSpec>().is_err());
/// let spec: SerialSpec = "/dev/serial/by-id/usb-1a86*,dtr=off,rts=off".parse()?;
/// assert!(spec.is_pattern() && spec.baud() == 115_200);
/// # Ok::<(), tapes_std::input::ParseSerialError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialSpec {
    path: String,
    /// Never [`BAUD_RESET`].
    baud: u32,
    dtr: Option<bool>,
    rts: Option<bool>,
    asks: bool,
}

impl SerialSpec {
    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Says whether the board is asked for names that are missing, as a board can do without.
    ///
    /// Defaults to false: nothing is ever written to the port. If true, the bytes `DK` are, after a
    /// frame with a right checksum and once a second at most, until the names are there.
    #[must_use]
    pub const fn with_requests(mut self, asks: bool) -> Self {
        self.asks = asks;
        self
    }

    /// Returns whether the path stands for every port that matches it.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.path.contains('*')
    }

    /// Returns the rate, in bits a second.
    #[must_use]
    pub const fn baud(&self) -> u32 {
        self.baud
    }
}

/// Why a text names no serial port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseSerialError {
    /// There is no path: give one, such as `/dev/ttyACM0`.
    NoPath,
    /// The rate is 0 or no number of 32 bits.
    Baud,
    /// The rate is 1200, at which many boards reset into their bootloader: use another one.
    Resets,
    /// What follows a comma is none of `dtr=on`, `dtr=off`, `rts=on` and `rts=off`.
    Line,
    /// A `*` is not in the last part of the path.
    Pattern,
}

impl fmt::Display for ParseSerialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPath => "no path; give one such as /dev/ttyACM0 or /dev/ttyUSB0:921600",
            Self::Baud => "not a baud rate",
            Self::Line => "behind a comma, give dtr=on, dtr=off, rts=on or rts=off",
            Self::Pattern => "a * may be in the last part of the path only",
            Self::Resets => {
                "1200 baud makes many boards reset into their bootloader; use another rate"
            }
        })
    }
}

impl std::error::Error for ParseSerialError {}

impl FromStr for SerialSpec {
    type Err = ParseSerialError;

    fn from_str(text: &str) -> Result<Self, ParseSerialError> {
        let (mut text, mut dtr, mut rts) = (text, None, None);
        while let Some((before, line)) = text.rsplit_once(',') {
            match line {
                "dtr=on" | "dtr=off" => dtr = Some(line == "dtr=on"),
                "rts=on" | "rts=off" => rts = Some(line == "rts=on"),
                _ => return Err(ParseSerialError::Line),
            }
            text = before;
        }
        // Paths by bus contain colons, but no part of them is all digits behind the last one.
        let with_baud = text
            .rsplit_once(':')
            .filter(|(_, baud)| !baud.is_empty() && baud.bytes().all(|byte| byte.is_ascii_digit()));
        let (path, baud) = match with_baud {
            Some((path, baud)) => (path, baud.parse().map_err(|_| ParseSerialError::Baud)?),
            None => (text, BAUD_DEFAULT),
        };
        match (path, baud) {
            ("", _) => Err(ParseSerialError::NoPath),
            (_, 0) => Err(ParseSerialError::Baud),
            (_, BAUD_RESET) => Err(ParseSerialError::Resets),
            (path, _) if path.rsplit_once('/').is_some_and(|(folder, _)| folder.contains('*')) => {
                Err(ParseSerialError::Pattern)
            }
            (path, baud) => Ok(Self { path: path.to_owned(), baud, dtr, rts, asks: false }),
        }
    }
}

/// What happened to a port; the texts are for people.
#[derive(Debug)]
#[non_exhaustive]
pub enum SerialEvent {
    /// The port is open.
    Opened(SerialSpec),
    /// The port cannot be opened; it is tried again until it can.
    Unavailable(SerialSpec, io::Error),
    /// The port was open and is gone; it is opened again as soon as it is back.
    Lost(SerialSpec, io::Error),
}

impl fmt::Display for SerialEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened(spec) => {
                write!(f, "serial port {}: open at {} baud", spec.path, spec.baud)
            }
            Self::Lost(spec, error) => {
                write!(f, "serial port {}: lost ({error}); waiting for it to come back", spec.path)
            }
            Self::Unavailable(spec, error) => {
                let advice = match error.kind() {
                    ErrorKind::NotFound => {
                        "plug the device in, or look for its name with: ls /dev/serial/by-id"
                    }
                    ErrorKind::PermissionDenied => {
                        "allow yourself to use it with: sudo usermod -aG dialout $USER, and log \
                         in again"
                    }
                    _ => "is another program using it?",
                };
                let path = &spec.path;
                write!(f, "serial port {path}: cannot open ({error}); {advice}; trying again")
            }
        }
    }
}

/// Reads a serial port on a thread of its own; stops when dropped.
#[derive(Debug)]
#[must_use = "the port is closed when this is dropped"]
pub struct SerialInput {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl SerialInput {
    /// Reads a port into a fleet for as long as it is there, and again whenever it is back; for a
    /// pattern every port that matches, 64 at most at the same time.
    ///
    /// `on_event` is called on the threads, once for each change.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    pub fn spawn(
        spec: SerialSpec,
        fleet: SharedFleet,
        on_event: impl FnMut(SerialEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Stop::new();
        let on_event: OnEvent = Arc::new(Mutex::new(on_event));
        let line = Line { spec, fleet, stop: stop.clone(), on_event };
        let thread = std::thread::Builder::new().name("tapes-serial".into());
        let thread =
            thread.spawn(move || if line.spec.is_pattern() { line.watch() } else { line.run() })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for SerialInput {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by the thread.
            let _ = thread.join();
        }
    }
}

/// Told of what happens, by one thread at a time.
type OnEvent = Arc<Mutex<dyn FnMut(SerialEvent) + Send>>;

/// A port and what its thread needs.
#[derive(Clone)]
struct Line {
    spec: SerialSpec,
    fleet: SharedFleet,
    stop: Stop,
    on_event: OnEvent,
}

impl Line {
    fn tell(&self, event: SerialEvent) {
        (self.on_event.lock().unwrap_or_else(PoisonError::into_inner))(event);
    }

    /// Reads every port that matches, each on a thread of its own.
    fn watch(&self) {
        let mut reading: BTreeMap<String, JoinHandle<bool>> = BTreeMap::new();
        // Those that are there and of which it was told that they cannot be opened.
        let mut failed = BTreeSet::new();
        loop {
            let matching = matching(&self.spec.path);
            let (ended, going): (BTreeMap<_, _>, _) =
                reading.into_iter().partition(|(_, thread)| thread.is_finished());
            reading = going;
            for (path, thread) in ended {
                if thread.join().is_ok_and(|opened| opened) {
                    failed.remove(&path);
                } else {
                    failed.insert(path);
                }
            }
            failed.retain(|path| matching.contains(path));
            for path in matching {
                if reading.len() >= PORTS_MAX || reading.contains_key(&path) {
                    continue;
                }
                let spec = SerialSpec { path: path.clone(), ..self.spec.clone() };
                let (line, is_told) = (Self { spec, ..self.clone() }, failed.contains(&path));
                let thread = std::thread::Builder::new().name("tapes-serial".into());
                // Out of threads: it is tried again.
                if let Ok(thread) = thread.spawn(move || line.once(is_told)) {
                    reading.insert(path, thread);
                }
            }
            if self.stop.wait(PAUSES.0) {
                break;
            }
        }
        for thread in reading.into_values() {
            let _ = thread.join();
        }
    }

    /// Reads the port until it goes, or the request to stop. Returns whether it could be opened.
    fn once(&self, is_told: bool) -> bool {
        match self.open() {
            Ok((port, frames)) => {
                self.tell(SerialEvent::Opened(self.spec.clone()));
                if let Err(error) = self.read(port, frames) {
                    self.tell(SerialEvent::Lost(self.spec.clone(), error));
                }
                true
            }
            Err(error) => {
                if !is_told {
                    self.tell(SerialEvent::Unavailable(self.spec.clone(), error));
                }
                false
            }
        }
    }

    fn run(&self) {
        let mut pause = PAUSES.0;
        let mut is_told = false;
        while !self.stop.is_stopped() {
            let opened = self.once(is_told);
            is_told = true;
            if opened {
                pause = PAUSES.0;
                continue;
            }
            if self.stop.wait(pause) {
                return;
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn open(&self) -> io::Result<(Box<dyn serialport::SerialPort>, FrameReader)> {
        let builder = serialport::new(&self.spec.path, self.spec.baud).timeout(READ_TIMEOUT);
        let builder = match self.spec.dtr {
            Some(on) => builder.dtr_on_open(on),
            None => builder,
        };
        let mut port = builder.open().map_err(io::Error::from)?;
        if let Some(on) = self.spec.rts {
            port.write_request_to_send(on).map_err(io::Error::from)?;
        }
        let name = format!("serial:{}", self.spec.path);
        let frames = self.fleet.reader(&name, LinkKind::Serial);
        let frames = frames.ok_or_else(|| io::Error::other("too many inputs are open"))?;
        Ok((port, frames))
    }

    /// Reads until the port is gone, which is the error, or the request to stop.
    fn read(&self, mut port: impl Read + Write, mut frames: FrameReader) -> io::Result<()> {
        let mut chunk = [0; CHUNK_LEN];
        let mut asker = Asker::default();
        while !self.stop.is_stopped() {
            if self.spec.asks && asker.asks(frames.lacks_names(), frames.now()) {
                // A board that takes no bytes does not listen: what it sends comes all the same.
                let _ = port.write(&REQUESTS);
            }
            match port.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => {
                    frames.feed(chunk.get(..len).unwrap_or(&chunk));
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Returns the paths that match a pattern in the last part.
fn matching(pattern: &str) -> BTreeSet<String> {
    let pattern = Path::new(pattern);
    let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name()) else {
        return BTreeSet::new();
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // A folder that is not there has no ports: `/dev/serial` comes with the first one.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let matching = entries.filter_map(|entry| {
        let found = entry.file_name();
        is_match(name.to_str()?, found.to_str()?).then(|| folder.join(&found))
    });
    matching.filter_map(|path| path.to_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::{ParseSerialError, SerialSpec};

    /// A colon of a path that is taken for a rate opens another port, at a wrong rate.
    #[test]
    fn a_rate_is_what_is_all_digits_behind_the_last_colon() {
        use ParseSerialError::{Baud, NoPath, Resets};
        let by_path = "/dev/serial/by-path/pci-0000:01:00.0-usb-0:1.3:1.0";
        for (text, expected) in [
            ("/dev/ttyACM0", Ok(("/dev/ttyACM0", 115_200))),
            ("/dev/ttyACM0:9600", Ok(("/dev/ttyACM0", 9_600))),
            (by_path, Ok((by_path, 115_200))),
            ("/dev/ttyACM0:", Ok(("/dev/ttyACM0:", 115_200))),
            ("/dev/ttyACM0:0", Err(Baud)),
            ("/dev/ttyACM0:99999999999", Err(Baud)),
            ("/dev/ttyACM0:1200", Err(Resets)),
            ("/dev/ttyACM0:01200", Err(Resets)),
            ("", Err(NoPath)),
            (":9600", Err(NoPath)),
        ] {
            let expected = expected.map(|(path, baud)| SerialSpec {
                path: String::from(path),
                baud,
                ..AS_IT_IS
            });
            assert_eq!(text.parse(), expected, "{text}");
        }
    }

    const AS_IT_IS: SerialSpec =
        SerialSpec { path: String::new(), baud: 115_200, dtr: None, rts: None, asks: false };

    /// A line that is raised although it was to be off restarts the board at each start of the
    /// gateway.
    #[test]
    fn lines_and_patterns_are_part_of_a_port() {
        use ParseSerialError::{Line, Pattern};
        let port = |dtr, rts| Ok(SerialSpec { path: "/dev/tty*".into(), dtr, rts, ..AS_IT_IS });
        for (text, expected) in [
            ("/dev/tty*", port(None, None)),
            ("/dev/tty*,dtr=off", port(Some(false), None)),
            ("/dev/tty*:115200,rts=on,dtr=off", port(Some(false), Some(true))),
            ("/dev/tty*,dtr", Err(Line)),
            ("/dev/tty*,rts=0", Err(Line)),
            ("/dev/*/tty", Err(Pattern)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }
}
