//! Certificates, and who may read: options, files, and reading them again.

use std::path::{Path, PathBuf};

use tapes_std::http::HttpServerBuilder;
use tapes_std::tls::{Tls, TlsFiles};

use crate::terminal::shown;

/// Names in one file, at most.
const USERS_MAX: usize = 64;

/// Options of encryption, and of who may read.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Encryption and access")]
pub(crate) struct TlsArguments {
    /// Certificate for --listen-tls and --http-tls, in PEM, those between it and its authority
    /// after it; read again with SIGHUP.
    #[arg(long, value_name = "PATH", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, in PEM, which only you should read; read again with SIGHUP.
    #[arg(long, value_name = "PATH", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Let devices send to --listen-tls only with a certificate of an authority in this file.
    #[arg(long, value_name = "PATH", requires = "listen_tls")]
    listen_client_ca: Option<PathBuf>,
    /// Serve the pages over TLS, at https://.
    #[arg(long, requires = "tls_cert", conflicts_with = "no_http")]
    http_tls: bool,
    /// Show the pages only to clients with a certificate of an authority in this file.
    #[arg(long, value_name = "PATH", requires = "http_tls")]
    http_client_ca: Option<PathBuf>,
    /// Ask for `Authorization: Bearer` with the token in this file, which only you should read.
    #[arg(long, value_name = "PATH")]
    http_token_file: Option<PathBuf>,
    /// Ask for a name and a password: a `name:password` on each line of this file, which only you
    /// should read.
    #[arg(long, value_name = "PATH")]
    http_users_file: Option<PathBuf>,
}

/// What was read of the certificates.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    pub(crate) listen: Option<Tls>,
    pub(crate) http: Option<Tls>,
}

impl TlsArguments {
    /// Reads the certificates.
    pub(crate) fn load(&self, listens: bool) -> Result<Certificates, String> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(Certificates::default());
        };
        if !listens && !self.http_tls {
            return Err("--tls-cert is for --listen-tls or --http-tls; give one of them".to_owned());
        }
        let load = |is_used: bool, authorities: &Option<PathBuf>| {
            let files = TlsFiles::new(certificate, key);
            let files = match authorities {
                Some(authorities) => files.with_client_ca(authorities),
                None => files,
            };
            let load = || Tls::load(files).map_err(|error| shown(&error.to_string()));
            is_used.then(load).transpose()
        };
        Ok(Certificates {
            listen: load(listens, &self.listen_client_ca)?,
            http: load(self.http_tls, &self.http_client_ca)?,
        })
    }

    /// Sets up who may read the pages, and how.
    pub(crate) fn guard(
        &self,
        mut builder: HttpServerBuilder,
        certificates: &Certificates,
    ) -> Result<HttpServerBuilder, String> {
        if let Some(path) = &self.http_token_file {
            builder = builder.with_bearer_token(&read_token(path)?);
        }
        if let Some(path) = &self.http_users_file {
            for (name, password) in read_users(path)? {
                builder = builder.with_user(&name, &password);
            }
        }
        if let Some(tls) = &certificates.http {
            builder = builder.with_tls(tls.clone());
        }
        Ok(builder)
    }
}

impl Certificates {
    /// Returns the scheme of the pages' address.
    pub(crate) const fn scheme(&self) -> &'static str {
        if self.http.is_some() { "https" } else { "http" }
    }

    /// Reads the files again with each SIGHUP; for ever. Call it within a runtime.
    #[cfg(unix)]
    pub(crate) fn reload_when_asked(self) -> Result<(), String> {
        use tokio::signal::unix::{SignalKind, signal};
        let all: Vec<Tls> = self.listen.into_iter().chain(self.http).collect();
        if all.is_empty() {
            return Ok(());
        }
        let hangup = signal(SignalKind::hangup());
        let mut hangup = hangup.map_err(|error| format!("cannot wait for signals: {error}"))?;
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                match all.iter().try_for_each(Tls::reload) {
                    Ok(()) => tracing::info!("certificates: read again"),
                    Err(why) => {
                        let why = shown(&why.to_string());
                        tracing::warn!("{why}; the certificates before stay in use");
                    }
                }
            }
        });
        Ok(())
    }

    /// There is no such signal elsewhere.
    #[cfg(not(unix))]
    pub(crate) fn reload_when_asked(self) -> Result<(), String> {
        Ok(())
    }
}

/// Reads a file, and returns it with its name for people.
fn read(path: &Path) -> Result<(String, String), String> {
    let name = shown(&path.display().to_string());
    let text = std::fs::read_to_string(path);
    text.map(|text| (text, name.clone())).map_err(|error| format!("cannot read {name}: {error}"))
}

/// Reads a token, without the white space around it.
fn read_token(path: &Path) -> Result<String, String> {
    let (token, name) = read(path)?;
    match token.trim() {
        "" => Err(format!("{name} is empty; it must hold a token")),
        token => Ok(token.to_owned()),
    }
}

/// Reads `name:password` lines; empty ones do not count.
fn read_users(path: &Path) -> Result<Vec<(String, String)>, String> {
    let (text, file) = read(path)?;
    let mut users = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = || format!("{file}, line {number}: give name:password");
        let (name, password) = line.split_once(':').ok_or_else(wrong)?;
        if name.is_empty() || password.is_empty() {
            return Err(wrong());
        }
        users.push((name.to_owned(), password.to_owned()));
    }
    match users.len() {
        1..=USERS_MAX => Ok(users),
        _ => Err(format!("{file} must hold 1 to {USERS_MAX} lines name:password")),
    }
}
