//! Where commands of a page run: a clone to look at, a home, boards at serial ports, a broker.
//!
//! What a page says of a machine that is not this one is replaced, and nothing else: addresses by free ones of
//! loopback, directories of the system and serial ports by some of the scratch directory, the broker's
//! name by that of one that runs here. `cargo` runs in the real tree, so that nothing is built twice.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tapes_tests::broker::Mosquitto;
use tapes_tests::servers::{Scratch, wait_for};

use super::board::Board;
use super::found::{Found, root};
use super::serving::Server;
use crate::gateway_support::tapes;

/// Serial ports that pages name, each with the seed of the board that is there.
const PORTS: [(&str, &str); 3] = [
    ("/dev/ttyACM0", "1"),
    ("/dev/ttyUSB0", "2"),
    ("/dev/serial/by-id/usb-Raspberry_Pi_Pico_E661-if00", "3"),
];

/// Directories of the system.
const FOLDERS: [&str; 6] = [
    "/dev/serial/",
    "/dev/tty",
    "/etc/tapes",
    "/run/app",
    "/usr/local/share/man/man1",
    "/var/lib/tapes",
];

/// Commands that wait for a person: what they show, and what is typed then, again and again.
type Typing = &'static [(&'static str, &'static str)];

/// Returns what a person types into a command that waits for it.
fn typing(command: &str) -> Option<Typing> {
    let last = command.rsplit("| ").next().unwrap_or(command);
    if last.starts_with("tapes top") && !last.contains("--once") {
        return Some(&[("motor.loops", "q")]);
    }
    let is_console = command.ends_with("-- --stdin --realtime");
    is_console.then_some(&[("", "help\r"), ("commands: ", "\u{3}")])
}

/// Where the commands of one page run, one after another.
#[derive(Debug)]
pub(crate) struct Place {
    scratch: Scratch,
    /// Where the next command runs.
    folder: PathBuf,
    /// What stands in pages, and what is here in its place.
    replaced: BTreeMap<String, String>,
    block: usize,
    servers: Vec<Server>,
    boards: Vec<Board>,
    broker: Option<Mosquitto>,
}

impl Place {
    /// Makes a home with a clone in it, which is where a person begins.
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new("guide");
        let (home, programs) = (scratch.path(), scratch.path().join("programs"));
        let clone = home.join("tapes");
        fs::create_dir_all(&clone).unwrap();
        for entry in fs::read_dir(root()).unwrap().map(|entry| entry.unwrap()) {
            let name = entry.file_name();
            if !["target", ".git"].iter().any(|left_out| name == *left_out) {
                symlink(entry.path(), clone.join(&name)).unwrap();
            }
        }
        fs::create_dir_all(&programs).unwrap();
        symlink(tapes(), programs.join("tapes")).unwrap();
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        // Without what cargo tells tests of their package, or build scripts that ask for it would run again.
        let script = format!(
            "#!/bin/bash\nunset ${{!CARGO_PKG_*}} ${{!CARGO_MANIFEST_*}}\ncd '{}' && exec '{cargo}' \"$@\"\n",
            root().display()
        );
        let wrapper = programs.join("cargo");
        fs::write(&wrapper, script).unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
        let here = FOLDERS.map(|folder| (folder.to_owned(), format!("{}{folder}", home.display())));
        for (_, folder) in here.iter().filter(|(folder, _)| !folder.starts_with("/dev")) {
            fs::create_dir_all(folder).unwrap();
        }
        let replaced = BTreeMap::from(here);
        let (folder, servers, boards) = (clone, Vec::new(), Vec::new());
        Self { scratch, folder, replaced, block: 0, servers, boards, broker: None }
    }

    /// Says what is here in place of what stands there.
    pub(crate) fn put(&mut self, there: &str, here: &str) {
        self.replaced.insert(there.to_owned(), here.to_owned());
    }

    /// Returns a shell with a command in it.
    pub(crate) fn bash(&self, script: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let tools = root().join("target/tools/bin");
        let path = format!("{}/programs:{}:{path}", self.scratch.path().display(), tools.display());
        let mut bash = Command::new("bash");
        bash.current_dir(&self.folder).env("PATH", path).env("HOME", self.scratch.path());
        // Cargo's own are not in this home.
        for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if let (None, Some(home)) = (std::env::var_os(name), std::env::home_dir()) {
                bash.env(name, home.join(folder));
            }
        }
        bash.env("TERM", "xterm-256color").args(["-o", "pipefail", "-c", script]);
        bash.stdin(Stdio::null());
        bash
    }

    /// Plugs in boards at the ports of a command, each time new ones.
    fn plug_in(&mut self, command: &str) {
        let named = |(port, _): &&(&str, &str)| {
            command.contains(port) || (command.contains("/dev/serial/") && port.contains("by-id"))
        };
        for (port, seed) in PORTS.iter().filter(named) {
            let path = self.scratch.path().join(port.trim_start_matches('/'));
            self.boards.push(Board::plug_in(&path, seed));
        }
    }

    /// Returns a command with what is here in place of what the page says.
    fn here(&mut self, command: &str) -> String {
        if command.contains("mqtt://broker") {
            let url = self.broker.get_or_insert_with(Mosquitto::start).url();
            self.put("mqtt://broker", &url);
        }
        self.replaced
            .iter()
            .fold(command.to_owned(), |text, (there, here)| text.replace(there, here))
    }

    /// Ends what serves, so that it says how it ended.
    pub(crate) fn end_block(&mut self) {
        for server in self.servers.drain(..) {
            server.end();
        }
        self.boards.clear();
    }

    /// Runs a command of the page, and checks that it prints what the page says.
    pub(crate) fn run(&mut self, found: &Found) {
        if self.block != found.block {
            self.end_block();
            self.block = found.block;
        }
        self.plug_in(&found.text);
        let command = self.here(&found.text);
        if Server::is(&found.text) {
            let (server, addresses) =
                Server::start(|script| self.bash(script), &command, &found.text);
            self.replaced.extend(addresses);
            self.servers.push(server);
        } else if let Some(typing) = typing(&found.text) {
            self.type_into(&command, typing);
        } else {
            self.run_to_its_end(&command, found);
        }
    }

    fn run_to_its_end(&mut self, command: &str, found: &Found) {
        let folder = self.scratch.path().join("folder");
        let script = format!("{command}\ncode=$?; pwd > {}; exit $code", folder.display());
        // What is asked of a server may take until the first report has come.
        let asks = command.starts_with("curl ");
        wait_for(&found.text, || {
            let output = self.bash(&script).output().unwrap();
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            let is_said = said(&printed, &found.said, asks);
            if !output.status.success() || (!is_said && !asks) {
                let errors = String::from_utf8_lossy(&output.stderr).into_owned();
                let expected = &found.said;
                assert!(
                    asks,
                    "{}: {command}: {}, {expected:?}: {printed}{errors}",
                    found.file, output.status
                );
            }
            (is_said && output.status.success()).then_some(())
        });
        self.folder = PathBuf::from(fs::read_to_string(folder).unwrap().trim());
    }

    /// Runs a command in a terminal, as a person does.
    fn type_into(&self, command: &str, typing: Typing) {
        let command = command.replace('\'', "'\\''");
        let script = format!("script -qfec 'stty rows 30 cols 110; {command}' /dev/null");
        let mut child = self
            .bash(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (mut person, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (mut seen, mut chunk) = (String::new(), [0; 4_096]);
        for (shown, keys) in typing {
            while !seen.contains(shown) {
                let len = screen.read(&mut chunk).unwrap();
                assert!(len > 0, "{command}: no {shown:?} in {seen}");
                seen.push_str(&String::from_utf8_lossy(&chunk[..len]));
            }
            person.write_all(keys.as_bytes()).unwrap();
        }
        let mut rest = Vec::new();
        screen.read_to_end(&mut rest).unwrap();
        let status = child.wait().unwrap();
        // What goes on until Ctrl-C is ended by it.
        let is_done = status.success() || (status.code() == Some(130) && typing.len() > 1);
        assert!(is_done, "{command}: {status}: {}", String::from_utf8_lossy(&rest));
    }
}

/// Whether all lines that a page shows are there. Values that a server gives may be others.
fn said(printed: &str, said: &[String], is_asked: bool) -> bool {
    let series = |line: &str| match line.rsplit_once(' ') {
        Some((series, _)) if is_asked => series.to_owned(),
        _ => line.to_owned(),
    };
    let printed: Vec<String> = printed.lines().map(series).collect();
    said.iter().filter(|line| *line != "…").all(|line| printed.contains(&series(line)))
}
