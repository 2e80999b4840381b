//! What can go wrong with TLS.

use std::error::Error;
use std::io;
use std::sync::Arc;

use crate::error::{ConnectErrorKind, Refusal};

/// Settings that no [`TlsConfig`](super::TlsConfig) can be made of.
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
    let kind = match error {
        rustls::Error::InvalidCertificate(_) => ConnectErrorKind::Certificate,
        _ => ConnectErrorKind::Tls,
    };
    (kind, Arc::new(error))
}

/// Names any other reason why TLS cannot begin.
pub(super) fn before_tls(error: impl Error + Send + Sync + 'static) -> Refusal {
    (ConnectErrorKind::Tls, Arc::new(error))
}
