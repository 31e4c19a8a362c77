//! `tapes keygen`, and the options with keys.

use std::path::PathBuf;

use tapes_std::zmq::{AllowList, ClientKeys, KeyPair, PublicKey, ServerKeys};

const AFTER_HELP: &str = "\
Examples:
  tapes keygen /etc/tapes/aggregator.key
      new keys in a file that only you can read; prints the public one
  tapes keygen --show /etc/tapes/aggregator.key
      prints the public key of a file

The list of --curve-allow has one public key a line, then * or the devices that it may speak
for, in hexadecimal and joined by commas. SIGHUP makes an aggregator read it again.

Exit codes: 0 done; 2 wrong usage, or a file that cannot be used.";

/// Makes keys for CURVE, which encrypts ZeroMQ and says who speaks.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// File of the keys; one that is there already is not overwritten.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Make no keys, but show the public one that is there.
    #[arg(long)]
    show: bool,
}

/// Runs the command. Returns the exit code.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, String> {
    let keys = if arguments.show {
        KeyPair::load(&arguments.path).map_err(|error| error.to_string())?
    } else {
        let keys = KeyPair::generate();
        keys.save(&arguments.path).map_err(|error| error.to_string())?;
        let path = crate::terminal::shown(&arguments.path.display().to_string());
        tracing::debug!("{path}: written, for its owner only");
        keys
    };
    crate::output::print(&format!("{}\n", keys.public())).map(|()| crate::DONE)
}

/// Options of what sends.
#[derive(Debug, clap::Args)]
pub(crate) struct ClientOptions {
    /// Encrypt what is sent, with the keys of this file.
    #[arg(long, value_name = "PATH", requires = "curve_server_key")]
    curve_key: Option<PathBuf>,
    /// The public key of the aggregator that is sent to.
    #[arg(long, value_name = "KEY", requires = "curve_key", value_parser = public_key)]
    curve_server_key: Option<PublicKey>,
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::parse(text).ok_or_else(|| "a public key has 40 characters of Z85".to_owned())
}

impl ClientOptions {
    /// Reads the keys that were asked for.
    pub(crate) fn load(&self) -> Result<Option<ClientKeys>, String> {
        let (Some(path), Some(server)) = (&self.curve_key, self.curve_server_key) else {
            return Ok(None);
        };
        let own = KeyPair::load(path).map_err(|error| error.to_string())?;
        Ok(Some(ClientKeys { own, server }))
    }
}

/// Options of what receives.
#[derive(Debug, clap::Args)]
pub(crate) struct ServerOptions {
    /// Let in only senders that encrypt, with the keys of this file at this end.
    #[arg(long, value_name = "PATH", requires = "curve_allow")]
    curve_bind_key: Option<PathBuf>,
    /// File of the public keys that are let in, and for which devices each may speak.
    #[arg(long, value_name = "PATH", requires = "curve_bind_key")]
    curve_allow: Option<PathBuf>,
}

impl ServerOptions {
    /// Reads the keys that were asked for.
    pub(crate) fn load(&self) -> Result<Option<ServerKeys>, String> {
        let (Some(path), Some(allowed)) = (&self.curve_bind_key, &self.curve_allow) else {
            return Ok(None);
        };
        let own = KeyPair::load(path).map_err(|error| error.to_string())?;
        let allowed = AllowList::load(allowed).map_err(|error| error.to_string())?;
        Ok(Some(ServerKeys { own, allowed }))
    }
}
