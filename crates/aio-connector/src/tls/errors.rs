//! What can go wrong with TLS.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};

use super::fingerprint::Mismatch;
use crate::error::{ConnectErrorKind, Refusal};

/// Settings that no [`TlsConfig`](super::TlsConfig) can be made of; aiohttp's `ValueError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// The text has no section `BEGIN CERTIFICATE`.
    #[error("no certificate in the PEM text")]
    NoCertificate,
    /// The text is no PEM.
    #[error("malformed PEM text: {reason}")]
    Pem {
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// A certificate in the text cannot be read.
    #[error("certificate {position} of the PEM text is malformed: {reason}")]
    Certificate {
        /// Which one; the first is 1.
        position: usize,
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// A fingerprint has the length of MD5 or SHA-1.
    #[error("md5 and sha1 are insecure and not supported. Use sha256.")]
    WeakFingerprint,
    /// A fingerprint has not the length of SHA-256, 32 bytes.
    #[error("fingerprint has invalid length")]
    FingerprintLength {
        /// How many bytes it has.
        length: usize,
    },
    /// A fingerprint is not written in hexadecimal.
    #[error("fingerprint is not hexadecimal")]
    FingerprintDigits,
}

/// Names what a handshake failed for.
///
/// A connection that breaks is not a failure of TLS, as in aiohttp (CON-66).
pub(super) fn refusal(error: io::Error) -> Refusal {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    match tls {
        Some(tls) => of_tls(rustls::Error::clone(tls)),
        None => (ConnectErrorKind::Refused, Arc::new(error)),
    }
}

pub(super) fn of_tls(error: rustls::Error) -> Refusal {
    let kind = match &error {
        rustls::Error::InvalidCertificate(reason) => of_certificate(reason),
        _ => ConnectErrorKind::Tls,
    };
    (kind, Arc::new(error))
}

fn of_certificate(reason: &CertificateError) -> ConnectErrorKind {
    let CertificateError::Other(OtherError(other)) = reason else {
        return ConnectErrorKind::Certificate;
    };
    match other.downcast_ref::<Mismatch>() {
        Some(Mismatch { expected, got }) => ConnectErrorKind::Fingerprint {
            expected: *expected.as_bytes(),
            got: *got.as_bytes(),
        },
        None => ConnectErrorKind::Certificate,
    }
}

/// Names any other reason why TLS cannot begin.
pub(super) fn before_tls(error: impl Error + Send + Sync + 'static) -> Refusal {
    (ConnectErrorKind::Tls, Arc::new(error))
}
