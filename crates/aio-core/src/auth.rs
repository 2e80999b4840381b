//! Credentials of the Basic scheme (RFC 7617).

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// Login and password of the Basic scheme.
///
/// ```
/// use aio_core::BasicAuth;
///
/// let auth = BasicAuth::new("Aladdin", "open sesame");
/// assert_eq!(auth.encode()?, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
/// assert_eq!(BasicAuth::decode("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")?, auth);
/// # Ok::<(), aio_core::BasicAuthError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BasicAuth {
    login: String,
    password: String,
    encoding: AuthEncoding,
}

/// How login and password become bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum AuthEncoding {
    /// ISO-8859-1, aiohttp's default.
    #[default]
    Latin1,
    /// UTF-8.
    Utf8,
}

/// Credentials that cannot be sent, or an `Authorization` value that is none of Basic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BasicAuthError {
    /// The login has a `:`, which would end it (RFC 7617 section 2).
    #[error("a ':' is not allowed in login")]
    ColonInLogin,
    /// Login or password has a character that ISO-8859-1 lacks.
    #[error("credentials cannot be encoded as latin-1")]
    NotLatin1,
    /// The value has no blank between scheme and credentials.
    #[error("could not parse authorization header")]
    NoScheme,
    /// The scheme is another one.
    #[error("unknown authorization method {0:?}")]
    OtherScheme(Box<str>),
    /// The credentials are no base64.
    #[error("invalid base64 encoding")]
    BadBase64,
    /// The decoded credentials have no `:`, or are no UTF-8 where UTF-8 was asked for.
    #[error("invalid credentials")]
    BadCredentials,
}

impl BasicAuth {
    /// Makes credentials that are sent as ISO-8859-1.
    pub fn new(login: impl Into<String>, password: impl Into<String>) -> Self {
        let encoding = AuthEncoding::Latin1;
        Self {
            login: login.into(),
            password: password.into(),
            encoding,
        }
    }

    /// Returns the same credentials, sent in `encoding`.
    #[must_use]
    pub fn with_encoding(self, encoding: AuthEncoding) -> Self {
        Self { encoding, ..self }
    }

    /// Returns the same credentials, sent in UTF-8 if ISO-8859-1 cannot hold them.
    #[must_use]
    pub fn or_utf8(self) -> Self {
        let fits = self
            .login
            .chars()
            .chain(self.password.chars())
            .all(|c| u8::try_from(c).is_ok());
        self.with_encoding(if fits {
            AuthEncoding::Latin1
        } else {
            AuthEncoding::Utf8
        })
    }

    /// Returns the login.
    pub fn login(&self) -> &str {
        &self.login
    }

    /// Returns the password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Returns the encoding that [`encode`](Self::encode) uses.
    pub fn encoding(&self) -> AuthEncoding {
        self.encoding
    }

    /// Returns the value of the `Authorization` header.
    ///
    /// # Errors
    /// [`BasicAuthError::ColonInLogin`] if the login has a `:`;
    /// [`BasicAuthError::NotLatin1`] if the encoding lacks a character.
    pub fn encode(&self) -> Result<String, BasicAuthError> {
        if self.login.contains(':') {
            return Err(BasicAuthError::ColonInLogin);
        }
        let pair = format!("{}:{}", self.login, self.password);
        let bytes = match self.encoding {
            AuthEncoding::Utf8 => pair.into_bytes(),
            AuthEncoding::Latin1 => pair
                .chars()
                .map(u8::try_from)
                .collect::<Result<_, _>>()
                .map_err(|_| BasicAuthError::NotLatin1)?,
        };
        Ok(format!("Basic {}", BASE64_STANDARD.encode(bytes)))
    }

    /// Reads an `Authorization` value as ISO-8859-1.
    ///
    /// # Errors
    /// If the value is not of the Basic scheme, no base64 or has no `:`.
    pub fn decode(header: &str) -> Result<Self, BasicAuthError> {
        Self::decode_as(header, AuthEncoding::Latin1)
    }

    /// Reads an `Authorization` value in `encoding`.
    ///
    /// # Errors
    /// If the value is not of the Basic scheme, no base64, not of `encoding` or has no `:`.
    pub fn decode_as(header: &str, encoding: AuthEncoding) -> Result<Self, BasicAuthError> {
        let (scheme, encoded) = header.split_once(' ').ok_or(BasicAuthError::NoScheme)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(BasicAuthError::OtherScheme(scheme.into()));
        }
        let bytes = BASE64_STANDARD
            .decode(encoded.trim())
            .map_err(|_| BasicAuthError::BadBase64)?;
        let pair = match encoding {
            AuthEncoding::Latin1 => bytes.into_iter().map(char::from).collect(),
            AuthEncoding::Utf8 => {
                String::from_utf8(bytes).map_err(|_| BasicAuthError::BadCredentials)?
            }
        };
        let (login, password) = pair.split_once(':').ok_or(BasicAuthError::BadCredentials)?;
        Ok(Self::new(login, password).with_encoding(encoding))
    }
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A login may be a key by itself.
        f.debug_struct("BasicAuth").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pair: (&str, &str), encoding: AuthEncoding, want: Result<&str, &BasicAuthError>) {
        let auth = BasicAuth::new(pair.0, pair.1).with_encoding(encoding);
        let encoded = auth.encode();
        assert_eq!(encoded.as_ref().map(String::as_str), want, "{pair:?}");
        if let Ok(header) = &encoded {
            assert_eq!(BasicAuth::decode_as(header, encoding), Ok(auth));
        }
    }

    #[test]
    fn credentials_are_encoded() {
        use AuthEncoding::{Latin1, Utf8};
        check(("us", "p\u{e9}"), Utf8, Ok("Basic dXM6cMOp"));
        check(("us", "p\u{e9}"), Latin1, Ok("Basic dXM6cOk="));
        check(("", ""), Latin1, Ok("Basic Og=="));
        check(
            ("user", "pass:word"),
            Latin1,
            Ok("Basic dXNlcjpwYXNzOndvcmQ="),
        );
        check(("u:s", ""), Latin1, Err(&BasicAuthError::ColonInLogin));
        check(("\u{20ac}", ""), Latin1, Err(&BasicAuthError::NotLatin1));
    }

    #[track_caller]
    fn check_refused(header: &str, want: BasicAuthError) {
        assert_eq!(BasicAuth::decode(header), Err(want), "{header:?}");
    }

    #[test]
    fn foreign_headers_are_refused() {
        check_refused("Basic", BasicAuthError::NoScheme);
        check_refused("Digest x", BasicAuthError::OtherScheme("Digest".into()));
        check_refused("Basic ???", BasicAuthError::BadBase64);
        check_refused("Basic dXM=", BasicAuthError::BadCredentials);
    }

    #[test]
    fn debug_hides_the_credentials() {
        let text = format!("{:?}", BasicAuth::new("ada", "s3cret"));
        assert!(!text.contains("ada") && !text.contains("s3cret"), "{text}");
    }
}
