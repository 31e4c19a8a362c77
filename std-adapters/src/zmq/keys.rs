//! CURVE keys in files, and who may speak for which devices.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use omq_tokio::{CurveKeypair, CurvePublicKey, CurveSecretKey};
use tapes_core::wire::Origin;

/// A public key of CURVE; written in the 40 characters of Z85.
///
/// ```
/// use tapes_std::zmq::PublicKey;
///
/// let text = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
/// assert_eq!(PublicKey::parse(text).expect("a key").to_string(), text);
/// assert!(PublicKey::parse("too short").is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Returns the key of its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the 40 characters of Z85; `None` if they are no key.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        CurvePublicKey::from_z85(text).ok().map(|key| Self(key.0))
    }

    pub(super) const fn curve(self) -> CurvePublicKey {
        CurvePublicKey(self.0)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.curve().to_z85())
    }
}

/// A pair of CURVE keys.
///
/// In a file it is two lines, `public` and `secret`, each with a key in Z85. The file must be one
/// that only its owner can read.
#[derive(Clone)]
pub struct KeyPair {
    pair: CurveKeypair,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public()).finish_non_exhaustive()
    }
}

/// Why keys or an allow-list cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// A file cannot be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others can read the file with the secret key: `chmod 600`.
    Exposed(PathBuf),
    /// The file is none of its kind; the number of the line, from 1.
    Malformed(PathBuf, usize),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "cannot use {}: {source}", path.display()),
            Self::Exposed(path) => {
                write!(f, "others can read the secret key; chmod 600 {}", path.display())
            }
            Self::Malformed(path, line) => write!(f, "{}: line {line} is wrong", path.display()),
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    move |source| KeyError::Io { path: path.to_owned(), source }
}

impl KeyPair {
    /// Returns new keys, from the random numbers of the system.
    #[must_use]
    pub fn generate() -> Self {
        Self { pair: CurveKeypair::generate() }
    }

    /// Returns the public key, for others to know.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.pair.public.0)
    }

    /// Writes the keys to a new file that only its owner can read.
    ///
    /// # Errors
    ///
    /// [`KeyError::Io`]; a file that is there already is left alone.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(io_error(path))?;
        let text = format!("public {}\nsecret {}\n", self.public(), self.pair.secret.to_z85());
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io_error(path))
    }

    /// Reads the keys of a file.
    ///
    /// # Errors
    ///
    /// [`KeyError`]: it cannot be read, others can read it too, or it holds no keys.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let known = std::fs::metadata(path).map_err(io_error(path))?;
            if known.permissions().mode() & 0o077 != 0 {
                return Err(KeyError::Exposed(path.to_owned()));
            }
        }
        let text = std::fs::read_to_string(path).map_err(io_error(path))?;
        let malformed = |line| KeyError::Malformed(path.to_owned(), line);
        let secret = text.lines().enumerate().find_map(|(i, line)| {
            let key = line.strip_prefix("secret ")?;
            Some(CurveSecretKey::from_z85(key.trim()).map_err(|_| malformed(i + 1)))
        });
        let secret = secret.unwrap_or_else(|| Err(malformed(1)))?;
        Ok(Self { pair: CurveKeypair { public: secret.derive_public(), secret } })
    }

    pub(super) fn curve(&self) -> CurveKeypair {
        self.pair.clone()
    }
}

/// For whom a key may speak.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Anyone,
    Origins(Vec<Origin>),
}

/// Which public keys are let in, and for which devices each may speak.
///
/// One key a line, then `*` or origins in hexadecimal, joined by commas; `#` begins a comment.
/// Clones share the list, so that [`reload`](Self::reload) changes it for all.
///
/// ```text
/// rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 *            # a gateway, for all its boards
/// Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID 77656231     # one process
/// ```
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    path: PathBuf,
    keys: Arc<RwLock<BTreeMap<PublicKey, Scope>>>,
}

impl AllowList {
    /// Reads a list.
    ///
    /// # Errors
    ///
    /// [`KeyError`]: it cannot be read, or a line is wrong.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let list = Self { path: path.to_owned(), ..Self::default() };
        list.reload()?;
        Ok(list)
    }

    /// Reads the list again.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); the list stays as it was then.
    pub fn reload(&self) -> Result<(), KeyError> {
        let text = std::fs::read_to_string(&self.path).map_err(io_error(&self.path))?;
        let mut keys: BTreeMap<PublicKey, Scope> = BTreeMap::new();
        for (i, line) in text.lines().enumerate() {
            // Z85 has # among its characters: a comment begins a line or follows a space.
            let line = line.split(" #").next().unwrap_or_default().trim();
            if line.is_empty() || line.starts_with("# ") || line == "#" {
                continue;
            }
            let (key, scope) =
                parse_line(line).ok_or_else(|| KeyError::Malformed(self.path.clone(), i + 1))?;
            keys.insert(key, scope);
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Returns whether a key is let in.
    #[must_use]
    pub fn admits(&self, key: PublicKey) -> bool {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).contains_key(&key)
    }

    /// Returns whether a key may speak for every device.
    #[must_use]
    pub fn admits_for_all(&self, key: PublicKey) -> bool {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&key) == Some(&Scope::Anyone)
    }

    /// Returns whether a key may speak for a device.
    #[must_use]
    pub fn may_speak_for(&self, key: PublicKey, origin: Origin) -> bool {
        match self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            None => false,
            Some(Scope::Anyone) => true,
            Some(Scope::Origins(origins)) => origins.contains(&origin),
        }
    }
}

fn parse_line(line: &str) -> Option<(PublicKey, Scope)> {
    let (key, scope) = line.split_once(char::is_whitespace)?;
    let key = PublicKey::parse(key)?;
    let scope = scope.trim();
    if scope == "*" {
        return Some((key, Scope::Anyone));
    }
    let origins = scope.split(',').map(|origin| parse_origin(origin.trim()));
    Some((key, Scope::Origins(origins.collect::<Option<_>>()?)))
}

/// Reads an origin in hexadecimal.
fn parse_origin(text: &str) -> Option<Origin> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let digits = |at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(digits).collect();
    Origin::new(&bytes?).ok()
}

#[cfg(test)]
mod tests {
    use tapes_core::wire::Origin;

    use super::{AllowList, KeyError, KeyPair, PublicKey};

    fn scratch(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("tapes-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    /// If this fails, a secret key lies open, is overwritten, or does not come back.
    #[test]
    fn key_files_are_private_and_not_overwritten() {
        let path = scratch("keys");
        let keys = KeyPair::generate();
        keys.save(&path).unwrap();
        assert!(matches!(KeyPair::generate().save(&path), Err(KeyError::Io { .. })));
        assert_eq!(KeyPair::load(&path).unwrap().public(), keys.public());
        assert!(!format!("{keys:?}").contains(&keys.pair.secret.to_z85()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            assert!(matches!(KeyPair::load(&path), Err(KeyError::Exposed(_))));
        }
        std::fs::remove_file(path).unwrap();
    }

    /// If this fails, a key speaks for devices that are not its own, or a typing error empties the
    /// list.
    #[test]
    fn a_list_says_who_speaks_for_whom() {
        let path = scratch("allowed");
        let keys: Vec<PublicKey> = (0..3).map(|_| KeyPair::generate().public()).collect();
        let text = format!("# comment\n\n{} * # all\n{} 01,0aff\n", keys[0], keys[1]);
        std::fs::write(&path, text).unwrap();
        let list = AllowList::load(&path).unwrap();
        let (own, other) = (Origin::from_array([0x0a, 0xff]), Origin::from_array([2]));
        let speaks = |key, origin| list.may_speak_for(key, origin);
        assert!(speaks(keys[0], other) && list.admits_for_all(keys[0]));
        assert!(speaks(keys[1], own) && !speaks(keys[1], other) && !list.admits_for_all(keys[1]));
        assert!(!list.admits(keys[2]) && !speaks(keys[2], own));
        for wrong in ["short *", &format!("{}", keys[0]), &format!("{} 0x", keys[0])] {
            std::fs::write(&path, wrong).unwrap();
            assert!(matches!(list.reload(), Err(KeyError::Malformed(_, 1))), "{wrong}");
            assert!(list.admits(keys[0]), "the list stays");
        }
        std::fs::write(&path, format!("{} *\n", keys[2])).unwrap();
        list.clone().reload().unwrap();
        assert!(!list.admits(keys[0]) && list.admits(keys[2]));
        std::fs::remove_file(path).unwrap();
    }
}
