//! Where `tapes top` looks: a gateway's page, or frames that it takes in by itself.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tapes_std::clock::SystemTimeSource;
use tapes_std::fleet::store::new_node;
use tapes_std::fleet::{Fleet, Limits, LinkKind, SharedFleet};
use tapes_std::http::respond;
use tapes_std::input::{SerialInput, SerialSpec, read_to_end};

use super::look::{Look, read};
use crate::address;
use crate::terminal::shown;

/// From one look to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a gateway may take to be reached, and to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answer that is read, in bytes.
const ANSWER_LEN_MAX: u64 = 64 << 20;

const STATE: &str = "/live/state";

/// What to look at.
#[derive(Debug)]
pub(super) enum Source {
    /// A gateway or reporter: its authority.
    Page(String),
    Serial(SerialSpec),
    Connection(SocketAddr),
    File(String),
    StandardInput,
}

impl Source {
    /// Finds out what a text names.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("http://") {
            let authority = rest.split('/').next().unwrap_or("");
            let has_port =
                authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            return Ok(Self::Page(if has_port {
                authority.into()
            } else {
                format!("{authority}:80")
            }));
        }
        if text.starts_with("https://") {
            return Err("https is not spoken here; look from where http is".to_owned());
        }
        if let Some(address) = text.strip_prefix("tcp://") {
            let address = address::parse(address);
            return address.map(Self::Connection).map_err(|e| format!("{}: {e}", shown(text)));
        }
        if text == "-" {
            return Ok(Self::StandardInput);
        }
        match std::fs::metadata(text) {
            Ok(meta) if meta.file_type().is_char_device() => serial(text),
            Ok(meta) if meta.is_dir() => Err(format!("{} is a directory", shown(text))),
            Ok(_) => Ok(Self::File(text.to_owned())),
            Err(_) if text.starts_with("/dev/") => serial(text),
            Err(error) if text.contains('/') => {
                Err(format!("cannot open {}: {error}", shown(text)))
            }
            Err(_) => match address::parse(text) {
                Ok(address) => Ok(Self::Page(address.to_string())),
                Err(_) => Err(format!(
                    "{} is no file, and no address; give http://ADDRESS:PORT, tcp://ADDRESS:PORT, \
                     a serial port such as /dev/ttyACM0, a recording, or -",
                    shown(text)
                )),
            },
        }
    }
}

fn serial(text: &str) -> Result<Source, String> {
    text.parse().map(Source::Serial).map_err(|error| format!("{}: {error}", shown(text)))
}

/// Asks for the document once.
pub(super) type Ask = Box<dyn FnMut() -> Result<String, String> + Send>;

/// What keeps frames coming in.
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) ask: Ask,
    /// Whether it is expected to end: a recording, a pipe.
    pub(super) is_finite: bool,
    /// Says that all frames have come, if they ever have.
    pub(super) ended: Option<Receiver<Option<String>>>,
    _serial: Option<SerialInput>,
}

/// Opens a source; messages about it go to `tell`.
pub(super) fn open(source: Source, tell: Sender<String>) -> Result<Opened, String> {
    if let Source::Page(authority) = source {
        let name = format!("http://{}", shown(&authority));
        let ask = Box::new(move || get(&authority));
        return Ok(Opened { name, ask, is_finite: false, ended: None, _serial: None });
    }
    let time = Arc::new(SystemTimeSource::new());
    let fleet = SharedFleet::new(Fleet::new(new_node(), Limits::default()), time);
    let (mut ended, mut port) = (None, None);
    let is_finite = matches!(source, Source::File(_) | Source::StandardInput);
    let name = match source {
        Source::Page(_) => String::new(),
        Source::Serial(spec) => {
            let name = spec.path().to_owned();
            let said = move |event| drop(tell.send(format!("{event}")));
            let input = SerialInput::spawn(spec, fleet.clone(), said);
            port = Some(input.map_err(|error| format!("cannot start a thread: {error}"))?);
            name
        }
        Source::Connection(address) => {
            let stream = TcpStream::connect_timeout(&address, TIMEOUT);
            let stream = stream.map_err(|error| format!("cannot connect to {address}: {error}"))?;
            ended = Some(feed(stream, LinkKind::Socket, &fleet)?);
            format!("tcp://{address}")
        }
        Source::File(path) => {
            let file = File::open(Path::new(&path));
            let file = file.map_err(|error| format!("cannot open {}: {error}", shown(&path)))?;
            ended = Some(feed(file, LinkKind::Capture, &fleet)?);
            path
        }
        Source::StandardInput => {
            ended = Some(feed(io::stdin(), LinkKind::Capture, &fleet)?);
            "standard input".to_owned()
        }
    };
    let ask = Box::new(move || {
        let answer = respond(Arc::new(fleet.clone()), None, STATE);
        String::from_utf8(answer.body.to_vec()).map_err(|error| error.to_string())
    });
    Ok(Opened { name: shown(&name), ask, is_finite, ended, _serial: port })
}

/// Reads frames on a thread. Returns what says that they have ended, and why if it was an error.
fn feed(
    input: impl Read + Send + 'static,
    kind: LinkKind,
    fleet: &SharedFleet,
) -> Result<Receiver<Option<String>>, String> {
    let mut frames = fleet.reader("input", kind).ok_or("too many inputs are open")?;
    let (sender, ended) = channel();
    let work = move || {
        let result = read_to_end(input, &mut frames);
        let _ = sender.send(result.err().map(|error| error.to_string()));
    };
    let thread = std::thread::Builder::new().name("tapes-input".into()).spawn(work);
    thread.map_err(|error| format!("cannot start a thread: {error}"))?;
    Ok(ended)
}

/// Gets the document of a gateway.
fn get(authority: &str) -> Result<String, String> {
    let trouble = |error: io::Error| format!("no answer from http://{}: {error}", shown(authority));
    let mut last = io::Error::other("the name has no address");
    let addresses = std::net::ToSocketAddrs::to_socket_addrs(authority).map_err(trouble)?;
    for address in addresses {
        match ask(&address, authority) {
            Ok(answer) => return document(&answer, authority),
            Err(error) => last = error,
        }
    }
    Err(trouble(last))
}

fn ask(address: &SocketAddr, authority: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {STATE} HTTP/1.0\r\nHost: {authority}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_LEN_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

fn document(answer: &str, authority: &str) -> Result<String, String> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        Some("401") => Err(format!("http://{} asks for a token", shown(authority))),
        Some("404") => Err(format!("http://{} is no gateway of this version", shown(authority))),
        _ => Err(format!(
            "http://{} answers: {}",
            shown(authority),
            shown(head.lines().next().unwrap_or("nothing"))
        )),
    }
}

/// A look, or why there is none.
pub(super) type Answer = Result<Look, String>;

/// Looks once a second, on a thread.
pub(super) struct Watch {
    name: String,
    looks: Receiver<Answer>,
    told: Receiver<String>,
    /// Ends the thread when dropped.
    _stop: Sender<()>,
}

impl Watch {
    pub(super) fn start(source: Source) -> Result<Self, String> {
        let (tell, told) = channel();
        let mut opened = open(source, tell)?;
        let name = std::mem::take(&mut opened.name);
        let (sender, looks) = channel();
        let (stop, stopped) = channel::<()>();
        let work = move || {
            // All of it: a closure takes along what it names only, and the port is open as long as it is kept.
            let mut opened = opened;
            loop {
                let answer = (opened.ask)();
                let look = answer.and_then(|text| read(&text).ok_or_else(unreadable));
                let is_over = sender.send(look).is_err();
                if is_over || stopped.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("tapes-top".into()).spawn(work);
        thread.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Self { name, looks, told, _stop: stop })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns what came since it was asked last.
    pub(super) fn next(&self) -> Option<Answer> {
        self.looks
            .try_recv()
            .ok()
            .or_else(|| self.told.try_recv().ok().map(|text| Err(shown(&text))))
    }
}

pub(super) fn unreadable() -> String {
    "what it answers is of another version".to_owned()
}

#[cfg(test)]
mod tests {
    use super::Source;

    /// A port that is taken for a file shows nothing.
    #[test]
    fn sources_are_told_apart() {
        for (text, expected) in [
            ("http://127.0.0.1:9100", "Page(\"127.0.0.1:9100\")"),
            ("http://gateway.lan/x", "Page(\"gateway.lan:80\")"),
            ("9100", "Page(\"127.0.0.1:9100\")"),
            ("127.0.0.1:9100", "Page(\"127.0.0.1:9100\")"),
            ("tcp://127.0.0.1:7070", "Connection(127.0.0.1:7070)"),
            ("-", "StandardInput"),
            ("/dev/ttyACM77", "Serial("),
            ("/dev/null", "Serial("),
            (file!(), "no"),
        ] {
            let shown = Source::parse(text).map_or_else(|_| "no".to_owned(), |s| format!("{s:?}"));
            assert!(shown.starts_with(expected), "{text}: {shown}");
        }
        for text in ["https://127.0.0.1", "tcp://x", "/", "/nowhere/at-all", "/dev/ttyACM0:1200"] {
            assert!(Source::parse(text).is_err(), "{text}");
        }
    }
}
