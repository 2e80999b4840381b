//! What a handshake fails for.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};

use super::fingerprint::Mismatch;
use crate::error::{ConnectErrorKind, Refusal};

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
