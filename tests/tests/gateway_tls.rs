//! Encrypted frames and pages, and who may read: with clients that are not ours, and with strangers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gateway_support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use gateway_support::{Device, Gateway, Noise, PATIENCE};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tapes_core::metric::{Descriptor, Kind, Unit, Value};
use tapes_tests::servers::Scratch;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const METRICS: [Descriptor<'static>; 1] =
    [Descriptor::new("motor.loops", Kind::Counter, Unit::NONE)];

const LOOPS: &str = "motor_loops_total{device=\"e601\"}";

const REFUSED: &str = "tapes_frames_rejected_total{link=\"tls\",reason=\"handshake\"}";

/// Certificates of this run, in files.
struct Files(Scratch);

impl Files {
    /// Makes authorities `ca` and `other`, with certificates of this machine, of a device of each,
    /// and of this machine by the other one.
    fn new() -> Self {
        let files = Self(Scratch::new("tls"));
        let (ca, other) = (files.authority("ca"), files.authority("other"));
        files.signed("server", &ca);
        files.signed("device", &ca);
        files.signed("stranger", &other);
        files.signed("next", &other);
        files
    }

    fn authority(&self, name: &str) -> Issuer<'static, KeyPair> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        self.write(&format!("{name}.pem"), &params.self_signed(&key).unwrap().pem());
        Issuer::new(params, key)
    }

    fn signed(&self, name: &str, authority: &Issuer<'static, KeyPair>) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, authority).unwrap();
        self.write(&format!("{name}.pem"), &certificate.pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// A life of the device, in which it counted so much; another number is another life.
fn frames(loops: u32) -> Vec<u8> {
    let mut device = Device::new(&[0xe6, 1], loops);
    let dict = device.dict(&METRICS);
    [dict, device.hello(), device.data(&[(0, Value::Unsigned(loops.into()))])].concat()
}

/// A gateway that takes encrypted frames of devices with a certificate, and where it does.
fn listening(files: &Files) -> (Gateway, SocketAddr) {
    let [certificate, key, ca] =
        ["server.pem", "server.key", "ca.pem"].map(|name| files.shown(name));
    let gateway = Gateway::start(&[
        "--listen-tls",
        "127.0.0.1:0",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--listen-client-ca",
        &ca,
    ]);
    let line = gateway.wait_for("accepting frames at tls://");
    let address = line.split_once("tls://").unwrap().1.parse().unwrap();
    (gateway, address)
}

/// Sends bytes with OpenSSL's own client, which shows `who`'s certificate.
fn openssl(files: &Files, to: SocketAddr, who: Option<&str>, bytes: &[u8]) {
    let mut client = Command::new("openssl");
    client.args([
        "s_client",
        "-quiet",
        "-no_ign_eof",
        "-verify_return_error",
        "-connect",
        &to.to_string(),
    ]);
    client.arg("-CAfile").arg(files.path("ca.pem"));
    if let Some(who) = who {
        client.arg("-cert").arg(files.path(&format!("{who}.pem")));
        client.arg("-key").arg(files.path(&format!("{who}.key")));
    }
    client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut client = client.spawn().expect("OpenSSL is there");
    let mut stdin = client.stdin.take().unwrap();
    // One that is refused may be gone before it has read everything.
    let _ = stdin.write_all(bytes);
    drop(stdin);
    let _ = client.wait();
}

/// Connects with rustls, which shows `who`'s certificate.
fn rustls(files: &Files, to: SocketAddr, who: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let read = |name: &str| CertificateDer::from_pem_file(files.path(name)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(read("ca.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(files.path(&format!("{who}.key"))).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![read(&format!("{who}.pem"))], key)
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(client, TcpStream::connect(to).unwrap())
}

/// If this fails, devices cannot send encrypted, or somebody without a certificate can.
#[test]
fn only_devices_with_a_certificate_of_the_authority_are_heard() {
    let files = Files::new();
    let (gateway, address) = listening(&files);
    openssl(&files, address, Some("device"), &frames(7));
    gateway.wait_until(LOOPS, 7.0);
    let mut device = rustls(&files, address, "device");
    device.write_all(&frames(8)).unwrap();
    gateway.wait_until(LOOPS, 8.0);

    openssl(&files, address, None, &frames(9));
    gateway.wait_until(REFUSED, 1.0);
    openssl(&files, address, Some("stranger"), &frames(10));
    gateway.wait_until(REFUSED, 2.0);
    let mut plain = TcpStream::connect(address).unwrap();
    plain.write_all(&frames(11)).unwrap();
    gateway.wait_until(REFUSED, 3.0);
    assert_eq!(gateway.metric(LOOPS), Some(8.0), "none of them counted");
}

/// If this fails, whoever opens connections and says nothing, or nonsense, keeps devices out.
#[test]
fn hostile_handshakes_do_not_stop_others() {
    let files = Files::new();
    let (gateway, address) = listening(&files);
    let mut noise = Noise(1);
    // More than may shake hands at once: the oldest gives way at once, not when its time is over.
    let mut silent: Vec<_> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
    let first = &mut silent[0];
    first.set_read_timeout(Some(PATIENCE)).unwrap();
    let ended = first.read(&mut [0; 16]);
    assert!(!matches!(ended, Ok(1..)), "{ended:?}");
    for n in 0..100 {
        let mut stream = TcpStream::connect(address).unwrap();
        // A record of a handshake that is longer than it says, or than it may be.
        let start: &[u8] = if n % 2 == 0 { &[0x16, 3, 1, 0x3f, 0xff, 1, 0xff] } else { &[] };
        let _ = stream.write_all(start).and_then(|()| stream.write_all(&noise.bytes(600)));
        silent.push(stream);
    }
    let mut device = rustls(&files, address, "device");
    device.write_all(&frames(7)).unwrap();
    gateway.wait_until(LOOPS, 7.0);
    drop(silent);
    device.write_all(&frames(9)).unwrap();
    gateway.wait_until(LOOPS, 9.0);
}

/// Gets a page with curl, which trusts `ca` and shows `who`'s certificate; the status, and why there
/// is none.
fn curl(files: &Files, gateway: &Gateway, ca: &str, who: Option<&str>, user: &str) -> Output {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "30", "-o", "/dev/null", "-w", "%{http_code}"]);
    curl.arg("--cacert").arg(files.path(&format!("{ca}.pem"))).args(["-u", user]);
    if let Some(who) = who {
        curl.arg("--cert").arg(files.path(&format!("{who}.pem")));
        curl.arg("--key").arg(files.path(&format!("{who}.key")));
    }
    let output = curl.arg(format!("https://{}/metrics", gateway.http)).output();
    output.expect("curl is there")
}

/// If this fails, pages are open to others, or a certificate that ends takes the gateway with it.
#[test]
fn pages_are_encrypted_and_certificates_are_read_again_unless_they_are_wrong() {
    let files = Files::new();
    for end in ["pem", "key"] {
        fs::copy(files.path(&format!("server.{end}")), files.path(&format!("own.{end}"))).unwrap();
    }
    files.write("users", "ann:s3:cret\n\nbob:pass\n");
    let [certificate, key, ca, users] =
        ["own.pem", "own.key", "ca.pem", "users"].map(|name| files.shown(name));
    let gateway = Gateway::start(&[
        "--stdin",
        "--http-tls",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--http-client-ca",
        &ca,
        "--http-users-file",
        &users,
    ]);
    let status = |ca: &str, who: Option<&str>, user: &str| {
        let Output { status, stdout, stderr } = curl(&files, &gateway, ca, who, user);
        let said = String::from_utf8_lossy(&stderr).into_owned();
        if status.success() { Ok(String::from_utf8(stdout).unwrap()) } else { Err(said) }
    };
    assert_eq!(status("ca", Some("device"), "ann:s3:cret").as_deref(), Ok("200"));
    assert_eq!(status("ca", Some("device"), "bob:pass").as_deref(), Ok("200"));
    assert_eq!(status("ca", Some("device"), "ann:pass").as_deref(), Ok("401"));
    assert!(status("ca", None, "ann:s3:cret").is_err());
    assert!(status("ca", Some("stranger"), "ann:s3:cret").is_err());
    assert!(status("other", Some("device"), "ann:s3:cret").is_err(), "another server");

    let reload = || kill(Pid::from_raw(i32::try_from(gateway.id()).unwrap()), Signal::SIGHUP);
    // The key is not there yet: half of a renewal.
    fs::copy(files.path("next.pem"), &certificate).unwrap();
    reload().unwrap();
    let why = gateway.wait_for("stay in use");
    assert!(why.contains("own.pem"), "{why}");
    assert_eq!(status("ca", Some("device"), "bob:pass").as_deref(), Ok("200"));
    fs::copy(files.path("next.key"), &key).unwrap();
    reload().unwrap();
    gateway.wait_for("certificates: read again");
    assert_eq!(status("other", Some("device"), "bob:pass").as_deref(), Ok("200"));
    assert!(status("ca", Some("device"), "bob:pass").is_err(), "the certificate before");

    // One that sends nothing is closed, and keeps nobody out.
    let mut silent = TcpStream::connect(gateway.http).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(silent.read(&mut [0; 16]), Ok(0)));
}

/// If this fails, a password opens nothing, or a file with a slip in it lets everybody in.
#[test]
fn a_password_stands_beside_a_token() {
    let files = Files::new();
    files.write("users", "ann:s3:cret\n");
    files.write("token", "t0ken\n");
    let (users, token) = (files.shown("users"), files.shown("token"));
    let both = ["--stdin", "--http-users-file", &users, "--http-token-file", &token];
    let gateway = Gateway::start(&both);
    for (headers, expected) in [
        // ann:s3:cret
        ("Authorization: Basic YW5uOnMzOmNyZXQ=\r\n", 200),
        ("Authorization: Bearer t0ken\r\n", 200),
        ("Authorization: Basic YW5uOnMzOmNyZQ==\r\n", 401),
        ("Authorization: Bearer s3:cret\r\n", 401),
        ("", 401),
    ] {
        for path in ["/metrics", "/", "/health"] {
            assert_eq!(gateway.get_with(path, headers).status, expected, "{path} {headers}");
        }
    }
    assert_eq!(gateway.get("/metrics").header("www-authenticate"), Some("bearer"));
    for (text, why) in [("", "1 to 64"), ("ann\n", "line 1"), ("\nann:\n", "line 2")] {
        files.write("users", text);
        let refused = gateway_support::run(&[&["gateway"], &both[..]].concat(), b"");
        assert_eq!(refused.status.code(), Some(2), "{text:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(why), "{refused:?}");
    }
}

/// If this fails, a wrong file is found when the first device connects, or not at all.
#[test]
fn files_that_cannot_be_used_are_named_at_the_start() {
    let files = Files::new();
    files.write("empty", "");
    files.write("broken", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    let path = |name: &str| files.shown(name);
    for (certificate, key, ca, why) in [
        ("none", "server.key", "ca.pem", "none"),
        ("empty", "server.key", "ca.pem", "empty"),
        ("broken", "server.key", "ca.pem", "broken"),
        ("server.pem", "empty", "ca.pem", "no private key"),
        ("server.pem", "device.key", "ca.pem", "server.pem"),
        ("server.pem", "server.key", "empty", "empty"),
    ] {
        let output = gateway_support::run(
            &[
                "gateway",
                "--no-http",
                "--listen-tls",
                "127.0.0.1:0",
                "--tls-cert",
                &path(certificate),
                "--tls-key",
                &path(key),
                "--listen-client-ca",
                &path(ca),
            ],
            b"",
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{certificate} {key} {ca}: {said}");
        assert!(said.contains(why), "{certificate} {key} {ca}: {said}");
    }
    let alone = ["gateway", "--stdin", "--tls-cert", &path("server.pem")];
    assert_eq!(gateway_support::run(&alone, b"").status.code(), Some(2));
}
