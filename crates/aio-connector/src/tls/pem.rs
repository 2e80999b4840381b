//! Certificates and keys in PEM.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use rustls::Error;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::error::TlsConfigError;

/// A text, and the file that it came from.
pub(super) struct Pem<'a> {
    text: Cow<'a, [u8]>,
    pub(super) file: Option<PathBuf>,
}

impl<'a> Pem<'a> {
    pub(super) fn text(text: &'a [u8]) -> Self {
        let text = Cow::Borrowed(text);
        Self { text, file: None }
    }

    pub(super) fn file(path: &Path) -> Result<Self, TlsConfigError> {
        let text = fs::read(path).map_err(|error| TlsConfigError::File {
            file: path.to_owned(),
            reason: error.to_string().into(),
        })?;
        Ok(Self {
            text: text.into(),
            file: Some(path.to_owned()),
        })
    }

    /// Reads the certificates in it, of which there is at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
        let certificates = self.all()?;
        if certificates.is_empty() {
            let file = self.file.clone();
            return Err(TlsConfigError::NoCertificate { file });
        }
        Ok(certificates)
    }

    /// Reads the revocation lists in it, of which there is at least one.
    pub(super) fn revocation_lists(
        &self,
    ) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsConfigError> {
        let lists = self.all()?;
        if lists.is_empty() {
            let file = self.file.clone();
            return Err(TlsConfigError::NoRevocationList { file });
        }
        Ok(lists)
    }

    /// Reads the first private key in it.
    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
        PrivateKeyDer::from_pem_slice(&self.text).map_err(|error| {
            let file = self.file.clone();
            // The one of PKCS#8 is a section of its own, the one of OpenSSL has a header.
            if self.has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
                || self.has(b"Proc-Type: 4,ENCRYPTED")
            {
                return TlsConfigError::EncryptedKey { file };
            }
            match error {
                pem::Error::NoItemsFound => TlsConfigError::NoPrivateKey { file },
                error => self.malformed(&error),
            }
        })
    }

    fn all<T: PemObject>(&self) -> Result<Vec<T>, TlsConfigError> {
        let found: Result<_, _> = T::pem_slice_iter(&self.text).collect();
        found.map_err(|error| self.malformed(&error))
    }

    /// Says that the certificate at this place, from 0, is not for rustls to read.
    pub(super) fn malformed_certificate(&self, place: usize, error: &Error) -> TlsConfigError {
        let reason = match error {
            // It is no peer's, as the whole text has it.
            Error::InvalidCertificate(reason) => reason.to_string(),
            other => other.to_string(),
        };
        TlsConfigError::Certificate {
            file: self.file.clone(),
            position: place + 1,
            reason: reason.into(),
        }
    }

    fn malformed(&self, error: &pem::Error) -> TlsConfigError {
        let reason = match error {
            pem::Error::Base64Decode(_) | pem::Error::SectionTooLarge => error.to_string(),
            // It would quote the line, which is all of a private key where no line ends.
            _ => "a section has no end, or its `BEGIN` no line to itself".to_owned(),
        };
        TlsConfigError::Pem {
            file: self.file.clone(),
            reason: reason.into(),
        }
    }

    fn has(&self, line: &[u8]) -> bool {
        self.text.windows(line.len()).any(|bytes| bytes == line)
    }
}
