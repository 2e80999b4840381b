//! Which authorities are trusted: sources add up.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::ParsedCertificate;
use rustls::{Error, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::certificate::Certificate;
use super::fingerprint::Fingerprint;
use super::named::Named;
use super::pem::Pem;
use super::provider::provider;
use crate::error::TlsConfigError;

/// Authorities that were named, and what they have taken back.
#[derive(Clone)]
pub(super) struct Roots {
    authorities: RootCertStore,
    /// Those of texts and files, of which some may be no authorities.
    own: Vec<Fingerprint>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
}

impl Roots {
    pub(super) fn none() -> Self {
        Self {
            authorities: RootCertStore::empty(),
            own: Vec::new(),
            revoked: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.authorities.is_empty() && self.own.is_empty()
    }

    pub(super) fn has_revoked(&self) -> bool {
        !self.revoked.is_empty()
    }

    /// Adds all of a text; one that cannot be read is an error.
    pub(super) fn add(&mut self, pem: &Pem<'_>) -> Result<(), TlsConfigError> {
        for (place, certificate) in pem.certificates()?.into_iter().enumerate() {
            self.own.push(Fingerprint::of(&certificate));
            // webpki would let any root sign for others.
            let added = if Certificate::read(&certificate).is_some_and(|it| !it.is_authority()) {
                ParsedCertificate::try_from(&certificate).map(drop)
            } else {
                self.authorities.add(certificate)
            };
            added.map_err(|error| pem.malformed_certificate(place, &error))?;
        }
        Ok(())
    }

    /// Adds those that the system has, as far as they can be read.
    #[cfg(feature = "native-roots")]
    pub(super) fn add_native(&mut self) -> Result<(), TlsConfigError> {
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = self.authorities.add_parsable_certificates(found.certs);
        if added == 0 {
            let reason = why_there_are_none().into();
            return Err(TlsConfigError::NoNativeRoots { reason });
        }
        Ok(())
    }

    /// Adds those of Mozilla.
    #[cfg(feature = "bundled-roots")]
    pub(super) fn add_bundled(&mut self) {
        self.authorities
            .extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }

    /// Adds revocation lists.
    pub(super) fn revoke(&mut self, pem: &Pem<'_>) -> Result<(), TlsConfigError> {
        self.revoked.extend(pem.revocation_lists()?);
        Ok(())
    }

    /// Makes what judges certificates by these.
    pub(super) fn verifier(mut self) -> Result<Arc<Named>, TlsConfigError> {
        if self.has_revoked() {
            // Nobody lists those that none has signed for.
            self.own.clear();
        }
        let (provider, own) = (provider(), self.own);
        let algorithms = provider.signature_verification_algorithms;
        let mut verifier = None;
        if !self.authorities.is_empty() {
            let roots = Arc::new(self.authorities);
            let mut builder = WebPkiServerVerifier::builder_with_provider(roots, provider);
            if !self.revoked.is_empty() {
                // As Python's `VERIFY_CRL_CHECK_LEAF`: whom no list tells of, or only one that
                // has expired, is refused.
                builder = builder
                    .with_crls(self.revoked)
                    .only_check_end_entity_revocation()
                    .enforce_revocation_expiration();
            }
            // Nothing else can be wrong with it.
            let made = builder.build();
            let made = made.map_err(|error| TlsConfigError::RevocationList {
                reason: error.to_string().into(),
            })?;
            verifier = Some(made);
        }
        Ok(Arc::new(Named {
            verifier,
            own,
            algorithms,
        }))
    }
}

/// Makes what judges certificates as the system does.
pub(super) fn system() -> Result<Verifier, Error> {
    Verifier::new(provider()).map_err(|error| match error {
        // Where certificates are files, they are logged, and not told of.
        Error::General(text) if text.starts_with("No CA certificates") => {
            Error::General(why_there_are_none())
        }
        error => error,
    })
}

fn why_there_are_none() -> String {
    let (file, directory) = (env::var_os("SSL_CERT_FILE"), env::var_os("SSL_CERT_DIR"));
    let why = why_none(file.as_deref(), directory.as_deref());
    format!("there are no certificates of authorities to trust: {why}")
}

/// Tells why nothing was found where these variables lead to.
fn why_none(file: Option<&OsStr>, directory: Option<&OsStr>) -> String {
    let file = file.map(|file| format!("SSL_CERT_FILE names {}", why_none_in(Path::new(file))));
    let directory = directory.filter(|directory| !directory.is_empty());
    let directory =
        directory.map(|it| format!("SSL_CERT_DIR names {}, which has none", it.display()));
    let named: Vec<String> = file.into_iter().chain(directory).collect();
    if named.is_empty() {
        return "the system has none installed (many name the package `ca-certificates`), \
                and SSL_CERT_FILE is not set"
            .to_owned();
    }
    named.join("; ")
}

fn why_none_in(file: &Path) -> String {
    let why = match fs::read(file) {
        Err(error) => return format!("{}: {error}", file.display()),
        Ok(text) if CertificateDer::from_pem_slice(&text).is_err() => "which has none",
        Ok(_) => "of which none can be read",
    };
    format!("{}, {why}", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: Option<&str>, directory: Option<&str>, want: &str) {
        let why = why_none(file.map(OsStr::new), directory.map(OsStr::new));
        assert_eq!(why, want);
    }

    #[test]
    fn what_led_nowhere_is_named() {
        let missing = "/nowhere/ca.pem";
        check(
            Some(missing),
            None,
            "SSL_CERT_FILE names /nowhere/ca.pem: No such file or directory (os error 2)",
        );
        let this = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let directory = Some("/nowhere");
        let want = format!(
            "SSL_CERT_FILE names {this}, which has none; SSL_CERT_DIR names /nowhere, which has none"
        );
        check(Some(this), directory, &want);
        let nothing = "the system has none installed (many name the package `ca-certificates`), \
                       and SSL_CERT_FILE is not set";
        check(None, None, nothing);
        check(None, Some(""), nothing);
    }
}
