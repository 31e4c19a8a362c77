//! collectd's StatsD plugin.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use super::{Known, Running, Server, folder, program};

/// collectd, which prints what it knows several times a second.
#[derive(Debug)]
pub(crate) struct Collectd {
    address: SocketAddr,
    known: Arc<Mutex<Known>>,
    _running: Running,
}

impl Server for Collectd {
    fn start_at(address: SocketAddr) -> Self {
        let program = program("collectd", "collectd-core");
        let folder = folder("collectd");
        let configuration = folder.join("collectd.conf");
        let text = format!(
            r#"
            BaseDir "{folder}"
            PIDFile "{folder}/pid"
            Hostname "host"
            FQDNLookup false
            Interval 0.2
            LoadPlugin statsd
            LoadPlugin csv
            <Plugin statsd>
                Host "127.0.0.1"
                Port "{port}"
            </Plugin>
            <Plugin csv>
                DataDir "stdout"
            </Plugin>
            "#,
            folder = folder.display(),
            port = address.port()
        );
        std::fs::write(&configuration, text).expect("a file");
        // Line by line, not when it has printed some thousand bytes.
        let mut command = Command::new("stdbuf");
        command.arg("-oL").arg(program).arg("-f").arg("-C").arg(configuration);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running::start(&mut command, &folder);
        let stdout = running.child.stdout.take().expect("it is piped");
        let known = Arc::new(Mutex::new(Known::default()));
        let heard = Arc::clone(&known);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                note(&line, &mut heard.lock().expect("no panic"));
            }
        });
        let server = Self { address, known, _running: running };
        server.wait_until_it_counts();
        server
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn known(&self) -> Known {
        self.known.lock().expect("no panic").clone()
    }
}

/// Notes a line: `PUTVAL host/statsd/derive-NAME interval=0.200 TIME:VALUE`.
fn note(line: &str, known: &mut Known) {
    let mut words = line.strip_prefix("PUTVAL host/statsd/").unwrap_or_default().split(' ');
    let (Some(name), Some(value)) = (words.next(), words.next_back()) else { return };
    let Some((_, value)) = value.split_once(':') else { return };
    let value = value.parse().expect("a number");
    if let Some(name) = name.strip_prefix("derive-") {
        known.counters.insert(name.to_owned(), value);
    } else if let Some(name) = name.strip_prefix("gauge-") {
        known.gauges.insert(name.to_owned(), value);
    }
}
