//! A broker of MQTT: the real mosquitto of the system, on loopback, and its clients.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::servers::{Scratch, free_port, wait_for};

/// A broker that keeps, as Debian's does, what it knows when it is ended in order; killed when
/// dropped.
#[derive(Debug)]
pub struct Mosquitto {
    child: Child,
    address: SocketAddr,
    scratch: Scratch,
}

/// Returns where a program of mosquitto is.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where only root's search path leads.
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = places.map(|place| place.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} is missing: run `cargo xtask test`, or install Debian's mosquitto")
    })
}

impl Mosquitto {
    /// Starts a broker on a free port.
    ///
    /// # Panics
    ///
    /// If it does not get ready.
    #[must_use]
    pub fn start() -> Self {
        Self::with_access("allow_anonymous true\n")
    }

    /// Starts a broker on a free port, with lines of configuration that say who may connect.
    ///
    /// # Panics
    ///
    /// If it does not get ready.
    #[must_use]
    pub fn with_access(access: &str) -> Self {
        // Somebody may take the port between the look and the start.
        for _ in 0..5 {
            let (address, scratch) = (free_port(), Scratch::new("mosquitto"));
            let text = format!(
                "listener {} {}\n{access}persistence true\npersistence_location {}/\n\
                 user root\nlog_type error\n",
                address.port(),
                address.ip(),
                scratch.path().display()
            );
            let config = scratch.path().join("mosquitto.conf");
            fs::write(&config, text).expect("the directory can be written");
            let mut broker = Self { child: Self::spawn(&config), address, scratch };
            if broker.is_ready() {
                return broker;
            }
        }
        panic!("mosquitto does not run");
    }

    /// Waits until it listens. Returns false if it ended.
    fn is_ready(&mut self) -> bool {
        wait_for("mosquitto", || {
            if self.child.try_wait().expect("it can be asked").is_some() {
                return Some(false);
            }
            TcpStream::connect(self.address).is_ok().then_some(true)
        })
    }

    /// Ends it in order, and starts it again at the same address after `meanwhile`.
    ///
    /// # Panics
    ///
    /// If it does not get ready again.
    pub fn restart(&mut self, meanwhile: impl FnOnce()) {
        let kill = format!("kill -TERM {}", self.child.id());
        let asked = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        assert!(asked.success(), "it is there");
        self.child.wait().expect("it ends");
        meanwhile();
        self.child = Self::spawn(&self.scratch.path().join("mosquitto.conf"));
        assert!(self.is_ready(), "mosquitto does not run again");
    }

    fn spawn(config: &Path) -> Child {
        Command::new(program("mosquitto"))
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the broker starts")
    }

    /// Returns where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    /// Publishes a message with mosquitto's own client, and waits until the broker has it.
    ///
    /// # Panics
    ///
    /// If it cannot.
    pub fn publish(&self, topic: &str, payload: &[u8], more: &[&str]) {
        let mut child = self
            .client("mosquitto_pub")
            .args(["-q", "1", "-t", topic, "-s"])
            .args(more)
            .stdin(Stdio::piped())
            .spawn()
            .expect("the client starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(payload).expect("the client reads");
        drop(stdin);
        assert!(child.wait().expect("the client ends").success(), "{topic}");
    }

    /// Returns the first message that mosquitto's own client receives on a topic.
    ///
    /// # Panics
    ///
    /// If there is none within half a minute.
    #[must_use]
    pub fn receive(&self, topic: &str) -> Vec<u8> {
        let mut client = self.client("mosquitto_sub");
        client.args(["-q", "1", "-t", topic, "-C", "1", "-N", "-W", "30"]);
        let mut child = client.stdout(Stdio::piped()).spawn().expect("the client starts");
        let mut payload = Vec::new();
        let mut stdout = child.stdout.take().expect("it is piped");
        stdout.read_to_end(&mut payload).expect("the client writes");
        assert!(child.wait().expect("the client ends").success(), "nothing on {topic}");
        payload
    }

    /// Starts a client that stays, with a will; the broker publishes it when the client is killed.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn with_will(&self, topic: &str, will: &str) -> Child {
        let mut client = self.client("mosquitto_sub");
        client.args(["-t", "here/there", "-v", "--will-topic", topic, "--will-payload", will]);
        let mut child = client.stdout(Stdio::piped()).spawn().expect("the client starts");
        // It has connected when it hears something.
        self.publish("here/there", b"1", &["-r"]);
        let mut first = [0; 1];
        let stdout = child.stdout.as_mut().expect("it is piped");
        stdout.read_exact(&mut first).expect("the client hears");
        child
    }

    fn client(&self, name: &str) -> Command {
        let mut client = Command::new(program(name));
        client.args(["-h", &self.address.ip().to_string(), "-V", "mqttv5"]);
        client.args(["-p", &self.address.port().to_string()]);
        client
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
