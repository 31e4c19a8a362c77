//! netdata's StatsD server.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use super::{Known, PATIENCE, Running, Server, folder, free_tcp_port, program};

/// netdata, with nothing but its StatsD server.
#[derive(Debug)]
pub(crate) struct Netdata {
    address: SocketAddr,
    web: SocketAddr,
    _running: Running,
}

impl Server for Netdata {
    fn start_at(address: SocketAddr) -> Self {
        let program = program("netdata", "netdata-core");
        let web = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()));
        let folder = folder("netdata");
        for name in ["etc", "cache", "lib", "log", "lock"] {
            std::fs::create_dir_all(folder.join(name)).expect("a folder");
        }
        let user = Command::new("id").arg("-un").output().expect("id runs").stdout;
        let user = String::from_utf8(user).expect("UTF-8");
        let off: String = [
            "enable running new plugins",
            "proc",
            "diskspace",
            "cgroups",
            "tc",
            "idlejitter",
            "timex",
            "checks",
            "apps",
            "netdata monitoring",
            "netdata monitoring extended",
        ]
        .map(|plugin| format!("{plugin} = no\n"))
        .concat();
        let text = format!(
            "[global]\nrun as user = {user}\n\
             [directories]\nconfig = {0}/etc\ncache = {0}/cache\nlib = {0}/lib\nlog = {0}/log\n\
             lock = {0}/lock\n\
             [db]\nmode = ram\nupdate every = 1\n\
             [web]\nbind to = {web}\n\
             [plugins]\n{off}statsd = yes\n\
             [statsd]\nbind to = udp:{address}\n\
             [health]\nenabled = no\n[ml]\nenabled = no\n[cloud]\nenabled = no\n",
            folder.display()
        );
        let configuration = folder.join("netdata.conf");
        std::fs::write(&configuration, text).expect("a file");
        let mut command = Command::new(program);
        command.arg("-D").arg("-c").arg(configuration).arg("-P").arg(folder.join("pid"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { address, web, _running: Running::start(&mut command, &folder) };
        server.wait_until_it_counts();
        server
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn known(&self) -> Known {
        let mut known = Known::default();
        for line in self.page().lines() {
            note(line, &mut known);
        }
        known
    }
}

impl Netdata {
    /// Returns what was collected, as it was collected; nothing before somebody listens.
    fn page(&self) -> String {
        let Ok(mut stream) = TcpStream::connect(self.web) else { return String::new() };
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let path = "/api/v1/allmetrics?format=prometheus&source=as-collected";
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut reply = Vec::new();
        // A server that is starting may close at once.
        let _ = stream
            .write_all(request.as_bytes())
            .and_then(|()| stream.read_to_end(&mut reply).map(drop));
        String::from_utf8_lossy(&reply).into_owned()
    }
}

/// Notes a line: `netdata_statsd_NAME_counter_total{chart="statsd_NAME_counter",…} VALUE TIME`.
///
/// Gauges are collected in thousandths.
fn note(line: &str, known: &mut Known) {
    let Some((chart, rest)) =
        line.split_once("chart=\"statsd_").and_then(|(_, rest)| rest.split_once('"'))
    else {
        return;
    };
    let value = rest.split("} ").nth(1).and_then(|rest| rest.split(' ').next());
    let value: f64 = value.and_then(|value| value.parse().ok()).expect("a number");
    if let Some(name) = chart.strip_suffix("counter") {
        known.counters.insert(name[..name.len() - 1].to_owned(), value);
    } else if let Some(name) = chart.strip_suffix("gauge") {
        known.gauges.insert(name[..name.len() - 1].to_owned(), value / 1_000.0);
    }
}
