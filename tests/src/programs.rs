//! Starts the project's own programs: the host command, firmware, the emulator, the gateway.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo tells tests of their package; build scripts that ask for it would run again.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo.current_dir(root());
    cargo
}

/// Runs a command and returns its standard output.
fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().expect("the command starts");
    assert!(output.status.success(), "{command:?} failed: {}", output.status);
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

/// Returns the path of the host command `tapes`, built as the tests are.
///
/// # Panics
///
/// If it does not build.
#[must_use]
pub fn tapes() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut build = cargo();
        build.args(["build", "--quiet", "--workspace", "--all-features", "--bin", "tapes"]);
        build.arg("--message-format=json-render-diagnostics");
        output(&mut build)
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
            .next_back()
            .expect("cargo names the executable")
    })
}

/// Builds a firmware example and returns its image.
///
/// # Panics
///
/// If it does not build.
#[must_use]
pub fn firmware(name: &str) -> PathBuf {
    let printed = output(cargo().args(["xtask", "firmware", name]));
    PathBuf::from(printed.trim())
}

/// Runs one of the project's commands and returns what it prints.
///
/// # Panics
///
/// If it fails.
#[must_use]
pub fn xtask(arguments: &[&str]) -> String {
    output(cargo().arg("xtask").args(arguments))
}

/// What a run in the emulator gave.
#[derive(Debug)]
pub struct Emulated {
    /// Bytes of UART0.
    pub bytes: Vec<u8>,
    /// The emulator's report.
    pub report: Value,
}

/// Runs an image in the emulator with the given options.
///
/// # Panics
///
/// If the emulator cannot run it, or the firmware stops.
#[must_use]
pub fn emulate(image: &Path, options: &[&str]) -> Emulated {
    static RUNS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let run = RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("emulated-{}-{run}.json", std::process::id());
    let report = std::env::temp_dir().join(name);
    let mut node = Command::new("node");
    node.arg(root().join("tests/emulator/run.mjs")).arg(image).args(options);
    node.arg("--quiet").arg("--report").arg(&report).stderr(Stdio::inherit());
    let output = node.output().expect("Node.js runs; `cargo xtask test` sets it up");
    assert!(output.status.success(), "{node:?} failed: {}", output.status);
    let text = std::fs::read_to_string(&report).expect("the emulator reports");
    let _ = std::fs::remove_file(&report);
    Emulated { bytes: output.stdout, report: serde_json::from_str(&text).expect("it is JSON") }
}

/// Returns what a program prints that is given `input`, colours and messages aside.
///
/// # Panics
///
/// If it does not start, or fails.
#[must_use]
pub fn filter(command: &mut Command, input: &[u8]) -> String {
    command.env("NO_COLOR", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("it reads"));
        child.wait_with_output().expect("it ends")
    });
    assert!(output.status.success(), "{command:?} failed: {}", output.status);
    String::from_utf8(output.stdout).expect("it writes UTF-8")
}

/// Decodes frames of defmt with the strings of an image, by defmt's own program.
///
/// # Panics
///
/// If the program is not installed, or the frames cannot be decoded.
#[must_use]
pub fn defmt_print(image: &Path, frames: &[u8]) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = std::iter::once(root().join("target/tools/bin"))
        .chain(std::env::split_paths(&path))
        .map(|directory| directory.join("defmt-print"))
        .find(|file| file.is_file())
        .expect(
            "defmt-print is missing: run `cargo xtask test`, or \
             `cargo install defmt-print --version 1.2.0 --locked --root target/tools`",
        );
    filter(Command::new(program).arg("-e").arg(image), frames)
}

/// A gateway that runs until it is dropped or its input ends.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    input: Option<ChildStdin>,
    /// Host and port of its pages.
    pub address: String,
    /// Lines of its standard error after the one that says where it listens.
    errors: std::sync::mpsc::Receiver<String>,
}

impl Gateway {
    /// Starts one that keeps its state in `folder`, and so exports sums over all lives of a device.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn keeping(folder: &Path) -> Self {
        Self::start(&["--state", folder.to_str().expect("its path is UTF-8")])
    }

    /// Starts `tapes gateway --stdin` with more options, on a free port.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(options: &[&str]) -> Self {
        let mut command = Command::new(tapes());
        command.args(["gateway", "--stdin", "--stay", "--http", "127.0.0.1:0"]).args(options);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the gateway starts");
        let input = child.stdin.take();
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("listening on http://")?.1.trim().to_owned()))
            .expect("the gateway says where it listens");
        let (sender, errors) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, input, address, errors }
    }

    /// Gives it bytes.
    ///
    /// # Panics
    ///
    /// If it does not take them.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.as_mut().expect("open").write_all(bytes).expect("it reads");
    }

    /// Gets a page: head and body.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    #[must_use]
    pub fn get(&self, path: &str, accept: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers in UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("there is a head");
        (head.to_owned(), body.to_owned())
    }

    /// Returns the Prometheus text.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.get("/metrics", "text/plain").1
    }

    /// Asks for the metrics until `done` says that what was fed has arrived.
    ///
    /// # Panics
    ///
    /// After 20,000 answers without it.
    #[must_use]
    pub fn metrics_when(&self, done: impl Fn(&str) -> bool) -> String {
        for _ in 0..20_000 {
            let text = self.metrics();
            if done(&text) {
                return text;
            }
        }
        panic!("it did not come: {}", self.metrics());
    }

    /// Returns the next line of its standard error.
    ///
    /// # Panics
    ///
    /// If there is none any more.
    #[must_use]
    pub fn next_error(&self) -> String {
        self.errors.recv().expect("it runs")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the value of the one sample that begins with `series`, or 0 if there is none.
///
/// # Panics
///
/// If several samples begin so, or the value is no number.
#[must_use]
pub fn sample(text: &str, series: &str) -> f64 {
    let mut found = text.lines().filter(|line| line.starts_with(series));
    let Some(line) = found.next() else { return 0.0 };
    assert!(found.next().is_none(), "several samples begin with {series}");
    line.rsplit_once(' ').and_then(|(_, value)| value.parse().ok()).expect("a number")
}
