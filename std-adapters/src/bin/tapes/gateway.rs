//! `tapes gateway`: frames in, metrics out.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tapes_std::exposition::ClassicBuckets;
use tapes_std::fleet::store::StoreOptions;
use tapes_std::fleet::{LinkKind, SharedFleet};
use tapes_std::http::{HttpServer, RunningServer};
use tapes_std::input::{SerialEvent, SerialInput, SerialSpec, read_to_end};
use tokio::sync::{mpsc, watch};

use crate::news::News;
use crate::service::Stop;
use crate::simulate::seconds;
use crate::stream::Stream;
use crate::{
    address, config, listen, mqtt, output, push, service, sockets, state, statsd, table, tls,
};

const AFTER_HELP: &str = "\
Examples:
  tapes gateway --serial /dev/ttyACM0
      a board on USB; its metrics at http://127.0.0.1:9100
  tapes gateway --serial /dev/ttyUSB0:921600 --serial /dev/ttyACM0 --http 0.0.0.0:9100
      two boards; the pages for everybody on the network
  tapes gateway --serial /dev/ttyACM0 --classic-buckets 0.001,0.01,0.1,1
      histograms with a few buckets only, for servers without native ones
  tapes gateway --listen 7070 --stream
      boards through programs on this machine; JSON lines out
  tapes gateway --listen-tls 0.0.0.0:7071 --listen-client-ca devices.pem \\
      --tls-cert gateway.pem --tls-key gateway.key --http 0.0.0.0:9100 --http-tls
      boards of others, encrypted, each with a certificate
  tapes gateway --serial /dev/ttyACM0 --mqtt-publish mqtt://broker
  tapes gateway --mqtt mqtt://broker
      to a broker, and from it: at another gateway, or from boards that publish
  tapes gateway --serial /dev/ttyACM0 --statsd localhost:8125 --statsd-dialect dogstatsd
      to an agent of Datadog too, every 10 s
  tapes gateway --listen 7070 --state /var/lib/tapes --remote-write https://host/api/v1/write
      out from behind NAT, through outages
  tapes simulate --seconds 60 | tapes gateway --stdin --no-http
      a table at the end
  tapes gateway --serial /dev/ttyACM0 --state /var/lib/tapes
      totals go on when the gateway is restarted, killed or updated
  tapes gateway --file monday.bin --file tuesday.bin --stay

Serial ports that are not there, or go away, are opened again when they are back.
Without --stay the gateway ends when all files and standard input have ended and
there is no port or listener; Ctrl-C and SIGTERM end it always. At the end a table
of all metrics is printed, on standard output, with --stream on standard error.

With --state, whatever was shown is in the directory's file before it is shown. A file
that is damaged is refused, with what can be done about it. On one disk write for each
scrape, 20 boards scraped every 15 s write less than 50 MB a day. Under systemd,
StateDirectory=tapes is all that is needed.

Beyond loopback, encrypt and ask for certificates, or use a network that you trust:
frames of --listen are not authenticated, and pages are open to all unless told so.

Exit codes: 0 done; 2 wrong usage, or a file, state or address that cannot be used.";

/// Receives frames of devices and shows their metrics to Prometheus, browsers and pipes.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
#[command(group = clap::ArgGroup::new("inputs").required(true).multiple(true)
    .args(["stdin", "serial", "listen", "listen_tls", "mqtt", "file", "bind", "pull"]))]
pub(crate) struct Arguments {
    /// Read frames from standard input.
    #[arg(long)]
    stdin: bool,
    /// Read frames from a serial port, at 115200 baud unless told otherwise; may be repeated.
    #[arg(long, value_name = "PATH[:BAUD][,dtr=on|off][,rts=on|off]")]
    serial: Vec<SerialSpec>,
    /// Ask boards on serial ports for names that are missing, instead of waiting up to 30 s until
    /// they come round; off, nothing is written to the ports.
    #[arg(long, requires = "serial")]
    ask: bool,
    #[command(flatten)]
    listen: listen::ListenArguments,
    /// Read frames from a file, in the order given; may be repeated.
    #[arg(long, value_name = "PATH")]
    file: Vec<PathBuf>,
    /// Serve /metrics, /sd, /stats, /health and / at this address; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", value_parser = address::parse, default_value = "127.0.0.1:9100")]
    http: SocketAddr,
    /// Answer to this name too, besides localhost and IP addresses; may be repeated.
    #[arg(long, value_name = "NAME")]
    http_host: Vec<String>,
    /// Classic buckets an octave of histograms in text, as a power of two.
    #[arg(long, value_name = "0-4", value_parser = clap::value_parser!(u8).range(0..=4))]
    classic_scale: Option<u8>,
    /// Upper bounds of classic buckets in base units, each moved up to the next bound there is.
    #[arg(long, value_name = "A,B,..", conflicts_with = "classic_scale")]
    classic_buckets: Option<ClassicBuckets>,
    /// Serve nothing.
    #[arg(long, conflicts_with = "http")]
    no_http: bool,
    /// Write all metrics to standard output, as one JSON object a line.
    #[arg(long)]
    stream: bool,
    /// Seconds between two lines of --stream.
    #[arg(long, value_name = "N", value_parser = seconds, default_value = "1")]
    stream_interval: f64,
    /// Names and labels of devices, and which metrics are shown, from a TOML file; read again with
    /// SIGHUP. `tapes check --help` describes it.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Seconds that quantiles in /stats and --stream look back; 0 for all times.
    #[arg(long, value_name = "N", value_parser = seconds, default_value = "60")]
    window: f64,
    #[command(flatten)]
    statsd: statsd::StatsdArguments,
    #[command(flatten)]
    push: push::PushArguments,
    /// Keep the totals in this directory, so that they go on after a restart of the gateway; unless
    /// given, in the one that `$STATE_DIRECTORY` names.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Wait for the disk before anything is shown, so that totals survive a loss of power too.
    #[arg(long)]
    durable: bool,
    /// Of a damaged state, use what is before the damage, and set the damaged file aside.
    #[arg(long)]
    state_salvage: bool,
    /// Take over a state that was written on another machine, which no longer uses it.
    #[arg(long)]
    state_moved: bool,
    /// Go on serving when all input has ended.
    #[arg(long)]
    stay: bool,
    #[command(flatten)]
    tls: tls::TlsArguments,
    #[command(flatten)]
    mqtt: mqtt::MqttArguments,
    #[command(flatten)]
    sockets: sockets::SocketArguments,
}

/// Runs until the input ends or somebody stops it. Returns the exit code.
pub(crate) fn run(arguments: Arguments) -> Result<u8, String> {
    if arguments.stdin && io::stdin().is_terminal() {
        return Err("--stdin reads frames, and standard input is a terminal; pipe something into \
                    it, as in: tapes simulate --seconds 10 | tapes gateway --stdin"
            .to_owned());
    }
    let (fleet, saver) = state::open(&arguments.state_options())?;
    if let Some(file) = &arguments.config {
        fleet.set_rules(config::load(file)?);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let (stop, mqtt) = {
        let _runtime = runtime.enter();
        (Stop::new()?, arguments.mqtt.start(&fleet)?)
    };
    let files = open_files(&arguments.file)?;
    let certificates = arguments.tls.load(arguments.listen.wants_tls())?;
    let listeners = runtime.block_on(arguments.listen.open(certificates.listen.as_ref()))?;
    let http = serve(&arguments, &certificates, &fleet)?;
    let serial = open_serial(&arguments.serial, arguments.ask, &fleet)?;
    let ended = read_finite(files, arguments.stdin, &fleet)?;
    let statsd = arguments.statsd.start(&fleet)?;
    let pushes = arguments.push.start(&fleet, state::directory(&arguments.state).as_deref())?;
    let sockets = {
        let _runtime = runtime.enter();
        arguments.sockets.start(&fleet)?
    };
    let stream = if arguments.stream {
        Stream::start(Duration::from_secs_f64(arguments.stream_interval), &fleet)?
    } else {
        Stream::none()
    };
    let has_end = ended.is_some()
        && serial.is_empty()
        && arguments.listen.is_empty()
        && arguments.mqtt.is_empty()
        && !arguments.sockets.is_bound()
        && !arguments.stay;
    runtime.spawn(service::watch(fleet.clone()));
    let news = News::new(fleet.clone());
    runtime.spawn(news.clone().tell());
    runtime.spawn(service::reload(arguments.config.clone(), fleet.clone()));
    service::ready();
    {
        let _runtime = runtime.enter();
        listen::start(listeners, &fleet);
        certificates.reload_when_asked()?;
    }
    runtime.block_on(wait(ended.filter(|_| has_end), stream.closed(), stop))?;
    service::stopping();
    news.look();
    drop(serial);
    runtime.block_on(mqtt.close());
    sockets.close();
    let table = table::summary(&fleet.snapshot());
    stream.finish();
    drop((statsd, pushes));
    if let Some(http) = http {
        http.stop();
    }
    drop(saver);
    if arguments.stream {
        eprint!("{table}");
        return Ok(crate::DONE);
    }
    output::print(&table).map(|()| crate::DONE)
}

impl Arguments {
    fn state_options(&self) -> state::Options {
        let options = StoreOptions::new()
            .with_this_machine()
            .with_durable(self.durable)
            .with_salvage(self.state_salvage)
            .with_moved(self.state_moved);
        let mut limits = self.sockets.limits();
        self.listen.widen(&mut limits);
        limits.window = Duration::from_secs_f64(self.window);
        state::Options { directory: self.state.clone(), options, limits }
    }
}

fn open_files(paths: &[PathBuf]) -> Result<Vec<(String, File)>, String> {
    let open = |path: &PathBuf| {
        let name = shown_path(path);
        let file = File::open(path).map_err(|error| format!("cannot open {name}: {error}"))?;
        Ok((format!("file:{name}"), file))
    };
    paths.iter().map(open).collect()
}

fn shown_path(path: &Path) -> String {
    crate::terminal::shown(&path.display().to_string())
}

fn serve(
    arguments: &Arguments,
    certificates: &tls::Certificates,
    fleet: &SharedFleet,
) -> Result<Option<RunningServer>, String> {
    if arguments.no_http {
        return Ok(None);
    }
    let mut builder = HttpServer::builder().with_address(arguments.http);
    for host in &arguments.http_host {
        builder = builder.with_host(host);
    }
    builder = arguments.tls.guard(builder, certificates)?;
    let buckets = arguments.classic_scale.map(ClassicBuckets::Scale);
    if let Some(buckets) = buckets.or_else(|| arguments.classic_buckets.clone()) {
        builder = builder.with_classic_buckets(buckets);
    }
    // Whoever gets this answer has reached the process; more would blame it for its devices.
    let builder = builder.with_health_check("gateway", || Ok(()));
    let server = builder.build(Arc::new(fleet.clone())).and_then(HttpServer::spawn);
    let server = server
        .map_err(|error| format!("{error}; use another address with --http, or --no-http"))?;
    tracing::info!("listening on {}://{}", certificates.scheme(), server.address());
    Ok(Some(server))
}

fn open_serial(
    specs: &[SerialSpec],
    asks: bool,
    fleet: &SharedFleet,
) -> Result<Vec<SerialInput>, String> {
    let open = |spec: &SerialSpec| {
        let said = |event| match event {
            SerialEvent::Opened(_) => tracing::info!("{event}"),
            _ => tracing::warn!("{event}"),
        };
        let input = SerialInput::spawn(spec.clone().with_requests(asks), fleet.clone(), said);
        input.map_err(|error| format!("cannot start a thread: {error}"))
    };
    specs.iter().map(open).collect()
}

/// Reads files one after the other, and standard input beside them. Returns what becomes ready
/// when all of it has ended; `None` if there is nothing of that kind.
fn read_finite(
    files: Vec<(String, File)>,
    stdin: bool,
    fleet: &SharedFleet,
) -> Result<Option<mpsc::Receiver<()>>, String> {
    let (running, ended) = mpsc::channel::<()>(1);
    let has_any = stdin || !files.is_empty();
    let spawn = |work: Box<dyn FnOnce() + Send>| {
        let running = running.clone();
        let thread = std::thread::Builder::new().name("tapes-input".into());
        let work = move || {
            work();
            drop(running);
        };
        thread.spawn(work).map(drop).map_err(|error| format!("cannot start a thread: {error}"))
    };
    if stdin {
        let fleet = fleet.clone();
        spawn(Box::new(move || read("stdin", io::stdin().lock(), &fleet)))?;
    }
    if !files.is_empty() {
        let fleet = fleet.clone();
        spawn(Box::new(move || {
            files.into_iter().for_each(|(name, file)| read(&name, file, &fleet));
        }))?;
    }
    Ok(has_any.then_some(ended))
}

fn read(name: &str, input: impl io::Read, fleet: &SharedFleet) {
    let Some(mut frames) = fleet.reader(name, LinkKind::Capture) else {
        tracing::warn!("{name}: not read, too many inputs are open");
        return;
    };
    match read_to_end(input, &mut frames) {
        Ok(_) => tracing::debug!("{name}: read to its end"),
        Err(error) => tracing::warn!("{name}: {error}; what came before is used"),
    }
}

/// Waits for the first reason to end.
async fn wait(
    ended: Option<mpsc::Receiver<()>>,
    mut closed: watch::Receiver<bool>,
    stop: Stop,
) -> Result<(), String> {
    let inputs = async {
        match ended {
            // No input sends anything: this is ready when all of them are gone.
            Some(mut ended) => drop(ended.recv().await),
            None => std::future::pending().await,
        }
    };
    let reader = async {
        if closed.wait_for(|closed| *closed).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = inputs => Ok(()),
        () = reader => Ok(()),
        signal = stop.asked() => signal,
    }
}
