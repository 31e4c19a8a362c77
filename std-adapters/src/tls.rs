//! TLS for what listens here, with certificates from files that can be read again.
//!
//! ```no_run
//! use tapes_std::tls::{Tls, TlsFiles};
//!
//! let files = TlsFiles::new("gateway.pem", "gateway.key").with_client_ca("devices.pem");
//! let tls = Tls::load(files)?;
//! // Clones share what is in use: a new certificate serves whoever connects from now on.
//! let (for_devices, for_signals) = (tls.clone(), tls);
//! if let Err(why) = for_signals.reload() {
//!     eprintln!("{why}; the certificate before stays in use");
//! }
//! # drop(for_devices);
//! # Ok::<(), tapes_std::tls::TlsError>(())
//! ```
//!
//! # Limits
//!
//! TLS 1.2 and 1.3. Lists of revoked certificates are not read: give clients certificates that end
//! soon, or an authority of their own. The names in a client's certificate decide nothing: whoever
//! has one of the authority may speak for any device.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

/// Certificates in one file, at most: no chain and no set of authorities is that long.
const CERTIFICATES_MAX: usize = 256;

/// Which files say who this is, and who may connect; all are PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// Names the certificate, with those between it and its authority after it, and its key.
    #[must_use]
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), key: key.into(), client_ca: None }
    }

    /// Asks every client for a certificate that one of the authorities in this file has signed.
    ///
    /// Defaults to none: whoever reaches the port may connect.
    #[must_use]
    pub fn with_client_ca(self, authorities: impl Into<PathBuf>) -> Self {
        Self { client_ca: Some(authorities.into()), ..self }
    }
}

/// Why files cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// It cannot be read, or is not PEM.
    Read {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// It holds no certificate, or more than 256.
    Certificates(PathBuf),
    /// The certificate is broken, or the key is not the certificate's.
    Certificate {
        /// The file of the certificate.
        file: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// An authority cannot be one.
    Authority {
        /// The file of the authorities.
        file: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// Nobody could be checked against these authorities.
    Verifier(VerifierBuilderError),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { file, source: pem::Error::NoItemsFound } => {
                write!(f, "{}: no private key in it", file.display())
            }
            Self::Read { file, source: pem::Error::Io(source) } => {
                write!(f, "cannot read {}: {source}", file.display())
            }
            Self::Read { file, source } => write!(f, "{}: not PEM: {source}", file.display()),
            Self::Certificates(file) => {
                write!(f, "{}: it must hold 1 to {CERTIFICATES_MAX} certificates", file.display())
            }
            Self::Certificate { file, source } | Self::Authority { file, source } => {
                write!(f, "{}: {source}", file.display())
            }
            Self::Verifier(source) => write!(f, "clients cannot be checked: {source}"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Certificates(_) => None,
            Self::Certificate { source, .. } | Self::Authority { source, .. } => Some(source),
            Self::Verifier(source) => Some(source),
        }
    }
}

/// Certificate and key as they are in use; clones share them.
#[derive(Debug, Clone)]
pub struct Tls {
    files: Arc<TlsFiles>,
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// [`TlsError`]: one cannot be read, or they do not belong together.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let config = Arc::new(RwLock::new(Arc::new(config(&files)?)));
        Ok(Self { files: Arc::new(files), config })
    }

    /// Reads the files again, for whoever connects from now on; connections that are open stay.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); then what was read before stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = Arc::new(config(&self.files)?);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Does the server's part of a handshake, for so long at most.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        patience: Duration,
    ) -> io::Result<TlsStream<S>> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        let handshake = TlsAcceptor::from(config).accept(stream);
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        tokio::time::timeout(patience, handshake).await.map_err(late)?
    }
}

fn config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let TlsFiles { certificate, key, client_ca } = files;
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|source| TlsError::Read { file: key.clone(), source })?;
    let provider = Arc::new(ring::default_provider());
    let broken = |source| TlsError::Certificate { file: certificate.clone(), source };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(broken)?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut authorities = RootCertStore::empty();
            for authority in certificates(file)? {
                let wrong = |source| TlsError::Authority { file: file.clone(), source };
                authorities.add(authority).map_err(wrong)?;
            }
            let authorities = Arc::new(authorities);
            let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider);
            builder.with_client_cert_verifier(verifier.build().map_err(TlsError::Verifier)?)
        }
    };
    builder.with_single_cert(chain, key).map_err(broken)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |source| TlsError::Read { file: file.to_owned(), source };
    let read = CertificateDer::pem_file_iter(file).map_err(wrong)?;
    let read = read.take(CERTIFICATES_MAX + 1).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    if (1..=CERTIFICATES_MAX).contains(&read.len()) {
        return Ok(read);
    }
    Err(TlsError::Certificates(file.to_owned()))
}
