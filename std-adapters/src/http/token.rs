//! The bearer token: who may read at all.

use std::fmt;

use subtle::ConstantTimeEq as _;

/// A secret that a client shows in its `Authorization` header.
#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    pub(super) fn new(secret: &str) -> Self {
        Self(secret.to_owned())
    }

    /// Returns whether a header shows this token; how long that takes says its length at most.
    pub(super) fn admits(&self, authorization: Option<&str>) -> bool {
        let Some((scheme, shown)) = authorization.and_then(|header| header.split_once(' ')) else {
            return false;
        };
        let is_same = shown.trim().as_bytes().ct_eq(self.0.as_bytes());
        scheme.eq_ignore_ascii_case("bearer") && is_same.into()
    }
}

/// Never shows the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    /// A token that lets others in, or shows itself in a log, is none.
    #[test]
    fn only_the_token_is_admitted() {
        let token = Token::new("s3cret");
        for (header, expected) in [
            (Some("Bearer s3cret"), true),
            (Some("bearer  s3cret"), true),
            (Some("Bearer s3cre"), false),
            (Some("Bearer s3cret2"), false),
            (Some("Bearer "), false),
            (Some("Basic s3cret"), false),
            (Some("s3cret"), false),
            (None, false),
        ] {
            assert_eq!(token.admits(header), expected, "{header:?}");
        }
        assert!(!format!("{token:?}").contains("s3cret"));
    }
}
