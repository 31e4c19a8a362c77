//! Serial ports: opened, read, lost, and opened again.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::str::FromStr;
use std::thread::JoinHandle;
use std::time::Duration;

use super::ask::{Asker, REQUESTS};
use super::stop::Stop;
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

/// Which port to read, and how fast: `PATH` or `PATH:BAUD`.
///
/// ```
/// use tapes_std::input::SerialSpec;
/// let spec: SerialSpec = "/dev/ttyACM0:921600".parse()?;
/// assert_eq!((spec.path(), spec.baud()), ("/dev/ttyACM0", 921_600));
/// assert!("/dev/ttyACM0:1200".parse::<SerialSpec>().is_err());
/// # Ok::<(), tapes_std::input::ParseSerialError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialSpec {
    path: String,
    /// Never [`BAUD_RESET`].
    baud: u32,
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
}

impl fmt::Display for ParseSerialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPath => "no path; give one such as /dev/ttyACM0 or /dev/ttyUSB0:921600",
            Self::Baud => "not a baud rate",
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
            (path, baud) => Ok(Self { path: path.to_owned(), baud, asks: false }),
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
    /// Reads a port into a fleet for as long as it is there, and again whenever it is back.
    ///
    /// `on_event` is called on the thread, once for each change.
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
        let line = Line { spec, fleet, stop: stop.clone(), on_event: Box::new(on_event) };
        let thread = std::thread::Builder::new().name("tapes-serial".into());
        let thread = thread.spawn(move || line.run())?;
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

/// A port and what its thread needs.
struct Line {
    spec: SerialSpec,
    fleet: SharedFleet,
    stop: Stop,
    on_event: Box<dyn FnMut(SerialEvent) + Send>,
}

impl Line {
    fn run(mut self) {
        let mut pause = PAUSES.0;
        let mut is_told = false;
        while !self.stop.is_stopped() {
            match self.open() {
                Ok((port, frames)) => {
                    (self.on_event)(SerialEvent::Opened(self.spec.clone()));
                    if let Err(error) = self.read(port, frames) {
                        (self.on_event)(SerialEvent::Lost(self.spec.clone(), error));
                    }
                    (pause, is_told) = (PAUSES.0, true);
                }
                Err(error) => {
                    if !is_told {
                        (self.on_event)(SerialEvent::Unavailable(self.spec.clone(), error));
                        is_told = true;
                    }
                    if self.stop.wait(pause) {
                        return;
                    }
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    fn open(&self) -> io::Result<(Box<dyn serialport::SerialPort>, FrameReader)> {
        let builder = serialport::new(&self.spec.path, self.spec.baud).timeout(READ_TIMEOUT);
        let port = builder.open().map_err(io::Error::from)?;
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
                asks: false,
            });
            assert_eq!(text.parse(), expected, "{text}");
        }
    }
}
