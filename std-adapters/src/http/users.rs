//! Basic authentication: names and passwords of who may read.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use subtle::{Choice, ConstantTimeEq as _};

/// Who may read, each as `name:password`.
#[derive(Clone, Default)]
pub(super) struct Users(Vec<String>);

impl Users {
    /// Adds somebody. A name ends before its first colon, so one in it would be the password's.
    pub(super) fn add(&mut self, name: &str, password: &str) {
        self.0.push(format!("{name}:{password}"));
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether a header shows one of them; how long that takes says lengths at most.
    pub(super) fn admits(&self, authorization: Option<&str>) -> bool {
        let Some((scheme, shown)) = authorization.and_then(|header| header.split_once(' ')) else {
            return false;
        };
        if !scheme.eq_ignore_ascii_case("basic") {
            return false;
        }
        let Ok(shown) = BASE64_STANDARD.decode(shown.trim()) else { return false };
        let mut is_known = Choice::from(0);
        // All of them: who stops at the first would tell which one it is.
        for user in &self.0 {
            is_known |= user.as_bytes().ct_eq(&shown);
        }
        is_known.into()
    }
}

/// Never shows the passwords.
impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Users;

    /// A password that lets others in, or shows itself in a log, is none.
    #[test]
    fn only_who_is_named_is_admitted() {
        let mut users = Users::default();
        assert!(users.is_empty() && !users.admits(Some("Basic Og==")));
        users.add("ann", "s3:cret");
        users.add("bob", "pass");
        for (header, expected) in [
            // ann:s3:cret, bob:pass
            (Some("Basic YW5uOnMzOmNyZXQ="), true),
            (Some("basic  Ym9iOnBhc3M="), true),
            // ann:pass, ann:s3:cre, ann:, :, and nothing
            (Some("Basic YW5uOnBhc3M="), false),
            (Some("Basic YW5uOnMzOmNyZQ=="), false),
            (Some("Basic YW5uOg=="), false),
            (Some("Basic Og=="), false),
            (Some("Basic "), false),
            (Some("Basic YW5uOnMzOmNyZXQ"), false),
            (Some("Basic ann:s3:cret"), false),
            (Some("Bearer YW5uOnMzOmNyZXQ="), false),
            (None, false),
        ] {
            assert_eq!(users.admits(header), expected, "{header:?}");
        }
        assert!(!format!("{users:?}").contains("pass"));
    }
}
