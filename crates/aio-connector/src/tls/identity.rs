//! The certificate that a client shows.

use std::sync::Arc;

use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::certificate::Certificate;
use super::pem::Pem;
use super::provider::provider;
use crate::error::TlsConfigError;

/// Reads a chain of certificates, the client's own first, and its key.
pub(super) fn identity(
    chain: &Pem<'_>,
    key: &Pem<'_>,
) -> Result<Arc<CertifiedKey>, TlsConfigError> {
    let certificates = chain.certificates()?;
    let signing = provider().key_provider.load_private_key(key.private_key()?);
    let signing = signing.map_err(|error| TlsConfigError::PrivateKey {
        file: key.file.clone(),
        reason: error.to_string().into(),
    })?;
    let identity = CertifiedKey::new(certificates, signing);
    let error = match identity.keys_match() {
        // Whom one cannot ask is believed.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
            return Ok(Arc::new(identity));
        }
        Err(error) => error,
    };
    // One of X.509 version 1 is not for rustls to read, but servers take it.
    let read = identity.cert.first().and_then(|own| Certificate::read(own));
    match read.map(|own| own.key()) {
        Some(key) if key.is_some() && key == identity.key.public_key() => Ok(Arc::new(identity)),
        Some(_) => Err(TlsConfigError::KeyMismatch {
            file: chain.file.clone(),
            key_file: key.file.clone(),
        }),
        None => Err(chain.malformed_certificate(0, &error)),
    }
}
