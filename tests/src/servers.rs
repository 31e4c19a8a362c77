//! Servers that scrape: the real Prometheus and `VictoriaMetrics` of the system, on loopback.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::web;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at whether something has come: politeness to the processor.
const PAUSE: Duration = Duration::from_millis(20);

/// Calls `look` until it returns something.
///
/// # Panics
///
/// After a minute without; `what` says what did not come.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(PAUSE);
    }
}

/// Returns a port that nobody listens on just now.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn free_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it has an address")
}

/// A directory of its own, removed when dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a directory.
    ///
    /// # Panics
    ///
    /// If that is not possible.
    #[must_use]
    pub fn new(name: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let n = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tapes-{name}-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).expect("temporary directories can be made");
        Self(path)
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is scraped.
#[derive(Debug, Clone)]
pub struct Job {
    /// Value of the label `job`.
    pub name: &'static str,
    /// Where.
    pub address: SocketAddr,
    /// Which page.
    pub path: &'static str,
    /// The format that the URL asks for; empty to negotiate.
    pub format: &'static str,
    /// Whether the page is a service-discovery document.
    pub is_discovery: bool,
}

impl Job {
    /// Returns a job that negotiates the format of `/metrics`.
    #[must_use]
    pub const fn new(name: &'static str, address: SocketAddr) -> Self {
        Self { name, address, path: "/metrics", format: "", is_discovery: false }
    }

    fn yaml(&self) -> String {
        let Self { name, address, path, format, is_discovery } = self;
        if *is_discovery {
            return format!(
                "- job_name: {name}\n  http_sd_configs:\n  - url: http://{address}{path}\n"
            );
        }
        let mut yaml = format!(
            "- job_name: {name}\n  metrics_path: {path}\n  static_configs:\n  \
             - targets: ['{address}']\n"
        );
        if !format.is_empty() {
            let _ = writeln!(yaml, "  params: {{format: [{format}]}}");
        }
        yaml
    }
}

/// A server that scrapes; killed when dropped.
#[derive(Debug)]
pub struct Scraper {
    child: Child,
    address: SocketAddr,
    _scratch: Scratch,
}

/// Returns whether a program of Debian's is there.
///
/// # Panics
///
/// If not: the tests need it.
fn required(program: &str, package: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    assert!(found, "{program} is missing: run `cargo xtask test`, or install Debian's {package}");
}

impl Scraper {
    /// Starts Prometheus, with native histograms, on these jobs.
    ///
    /// # Panics
    ///
    /// If it does not get ready.
    #[must_use]
    pub fn prometheus(jobs: &[Job]) -> Self {
        Self::prometheus_at(None, jobs)
    }

    /// Starts Prometheus at an address, a free one if none is given, with native histograms and as
    /// a receiver of remote write.
    ///
    /// # Panics
    ///
    /// If it does not get ready.
    #[must_use]
    pub fn prometheus_at(at: Option<SocketAddr>, jobs: &[Job]) -> Self {
        required("prometheus", "prometheus");
        Self::start("prometheus", at, jobs, "/-/ready", |command, config, data, address| {
            command
                .arg(format!("--config.file={config}"))
                .arg(format!("--storage.tsdb.path={data}"))
                .arg(format!("--web.listen-address={address}"))
                .args(["--enable-feature=native-histograms", "--log.level=warn"])
                .arg("--web.enable-remote-write-receiver");
        })
    }

    /// Starts `VictoriaMetrics` on these jobs.
    ///
    /// # Panics
    ///
    /// If it does not get ready.
    #[must_use]
    pub fn victoria_metrics(jobs: &[Job]) -> Self {
        required("victoria-metrics", "victoria-metrics");
        Self::start("victoria-metrics", None, jobs, "/health", |command, config, data, address| {
            command
                .arg(format!("-promscrape.config={config}"))
                .arg(format!("-storageDataPath={data}"))
                .arg(format!("-httpListenAddr={address}"))
                .args(["-retentionPeriod=1", "-loggerLevel=ERROR", "-memory.allowedPercent=5"]);
        })
    }

    fn start(
        program: &str,
        at: Option<SocketAddr>,
        jobs: &[Job],
        ready: &str,
        arguments: impl Fn(&mut Command, &str, &str, SocketAddr),
    ) -> Self {
        let scratch = Scratch::new(program);
        let config = scratch.path().join("config.yml");
        let jobs: String = jobs.iter().map(Job::yaml).collect();
        let global = "global: {scrape_interval: 250ms}\nscrape_configs:\n";
        fs::write(&config, format!("{global}{jobs}")).expect("the directory can be written");
        let data = scratch.path().join("data");
        let shown = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        // Somebody may take the port between the look and the start.
        for _ in 0..5 {
            let address = at.unwrap_or_else(free_port);
            let mut command = Command::new(program);
            arguments(&mut command, &shown(&config), &shown(&data), address);
            let mut child = command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::inherit())
                .spawn()
                .expect("the server starts");
            let is_ready = wait_for(program, || {
                if child.try_wait().expect("it can be asked").is_some() {
                    return Some(false);
                }
                (web::get(address, ready).status == 200).then_some(true)
            });
            if is_ready {
                return Self { child, address, _scratch: scratch };
            }
        }
        panic!("{program} does not run");
    }

    /// Returns the answer of a path of the API as JSON; null if there is none.
    #[must_use]
    pub fn api(&self, path: &str) -> Value {
        let answer = web::get(self.address, path);
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
    }

    /// Returns the results of a query: for each series its labels and its value or values.
    ///
    /// # Panics
    ///
    /// If the query is refused.
    #[must_use]
    pub fn query(&self, query: &str) -> Vec<Value> {
        let answer = self.api(&format!("/api/v1/query?query={}", web::encoded(query)));
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// Returns the value of the one series that a query gives, `None` if there is none.
    ///
    /// # Panics
    ///
    /// If there are several.
    #[must_use]
    pub fn value(&self, query: &str) -> Option<f64> {
        let results = self.query(query);
        assert!(results.len() <= 1, "{query}: {results:?}");
        results.first()?["value"][1].as_str()?.parse().ok()
    }

    /// Waits until a query gives this value.
    ///
    /// # Panics
    ///
    /// After a minute without.
    pub fn wait_until(&self, query: &str, value: f64) {
        let mut last = None;
        let deadline = Instant::now() + PATIENCE;
        while last != Some(value) {
            assert!(Instant::now() < deadline, "{query} is {last:?}, not {value}");
            std::thread::sleep(PAUSE);
            last = self.value(query);
        }
    }

    /// Returns the values that were scraped of the one series with this selector, in order.
    ///
    /// # Panics
    ///
    /// If there is not exactly one.
    #[must_use]
    pub fn scraped(&self, selector: &str) -> Vec<f64> {
        let results = self.query(&format!("{selector}[10m]"));
        assert_eq!(results.len(), 1, "{selector}: {results:?}");
        let values = results[0]["values"].as_array().expect("a matrix");
        let number = |value: &Value| value[1].as_str().and_then(|text| text.parse().ok());
        values.iter().map(|value| number(value).expect("a number")).collect()
    }

    /// Returns the errors of all targets; an empty text for each that has none.
    #[must_use]
    pub fn target_errors(&self) -> Vec<String> {
        let targets = self.api("/api/v1/targets?state=active");
        let targets = targets["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
        let error = |target: &Value| target["lastError"].as_str().unwrap_or("?").to_owned();
        targets.iter().map(error).collect()
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `promtool check metrics` on a text.
///
/// # Errors
///
/// What it finds fault with.
///
/// # Panics
///
/// If it does not run.
pub fn promtool(text: &str) -> Result<(), String> {
    use std::io::Write as _;
    required("promtool", "prometheus");
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let text = text.to_owned();
    // Beside reading, or both would wait once the pipes are full.
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("promtool ends");
    writer.join().expect("no panic").expect("promtool reads");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.success() && said.trim().is_empty() { Ok(()) } else { Err(said) }
}
