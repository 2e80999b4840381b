//! What a handshake fails for.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};

use super::fingerprint::Mismatch;
use super::problem;
use super::witness::Seen;
use crate::error::{ConnectErrorKind, Refusal, TlsProblem};

/// Names what a handshake with `host` failed for, in which this was seen.
///
/// A connection that breaks is not a failure of TLS, as in aiohttp (CON-66).
pub(super) fn refusal(error: io::Error, seen: &Seen, host: &str) -> Refusal {
    match rustls_error(&error) {
        Some(tls) => of_tls(tls.clone(), seen, host),
        None => (ConnectErrorKind::Lost, Arc::new(error)),
    }
}

/// Names what a connection failed for behind its handshake, if it is a matter of TLS.
pub(crate) fn problem_of(error: &io::Error) -> Option<TlsProblem> {
    rustls_error(error).map(problem::of_tls)
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

pub(super) fn of_tls(error: rustls::Error, seen: &Seen, host: &str) -> Refusal {
    let kind = match &error {
        rustls::Error::AlertReceived(alert)
            if seen.asked_in_vain && problem::may_miss_a_certificate(*alert) =>
        {
            ConnectErrorKind::Tls(TlsProblem::ClientCertificateMissing)
        }
        rustls::Error::InvalidCertificate(reason) => match mismatch(reason) {
            Some(Mismatch { expected, got }) => ConnectErrorKind::Fingerprint {
                expected: *expected.as_bytes(),
                got: *got.as_bytes(),
            },
            None => {
                ConnectErrorKind::Certificate(problem::of_certificate(reason, &seen.refused, host))
            }
        },
        other => ConnectErrorKind::Tls(problem::of_tls(other)),
    };
    (kind, Arc::new(error))
}

fn mismatch(reason: &CertificateError) -> Option<&Mismatch> {
    match reason {
        CertificateError::Other(OtherError(other)) => other.downcast_ref(),
        _ => None,
    }
}

/// Names what is wrong with settings.
pub(super) fn of_settings(error: rustls::Error) -> Refusal {
    (
        ConnectErrorKind::Tls(problem::of_tls(&error)),
        Arc::new(error),
    )
}

/// Names any other reason why TLS cannot begin.
pub(super) fn before_tls(error: impl Error + Send + Sync + 'static) -> Refusal {
    let reason = error.to_string().into();
    let kind = ConnectErrorKind::Tls(TlsProblem::Other { reason });
    (kind, Arc::new(error))
}
