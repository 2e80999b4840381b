//! The certificate that a client shows.

use std::sync::Arc;

use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

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
    match identity.keys_match() {
        // Whom one cannot ask is believed.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(identity)),
        Err(Error::InconsistentKeys(_)) => Err(TlsConfigError::KeyMismatch {
            file: chain.file.clone(),
            key_file: key.file.clone(),
        }),
        // One of X.509 version 1 is not for rustls to read, but servers take it.
        Err(_) if has_key(&identity) => Ok(Arc::new(identity)),
        Err(error) => Err(TlsConfigError::Certificate {
            file: chain.file.clone(),
            position: 1,
            reason: error.to_string().into(),
        }),
    }
}

/// Tells whether the first certificate has the public key, wherever in it.
fn has_key(identity: &CertifiedKey) -> bool {
    let (first, key) = (identity.cert.first(), identity.key.public_key());
    first.zip(key).is_some_and(|(certificate, key)| {
        certificate
            .windows(key.len())
            .any(|bytes| bytes == key.as_ref())
    })
}
