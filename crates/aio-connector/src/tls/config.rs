//! How TLS is spoken: whom to trust, and what is remembered of whom.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::sync::OnceCell;

use super::errors::{self, TlsConfigError};
use super::facts::LastChain;
use crate::error::Refusal;

/// How TLS is spoken; what aiohttp takes as `ssl`.
///
/// By default a server is trusted as the operating system trusts it, and TLS 1.3 and 1.2
/// are spoken. A handle: clones are the same settings, and connections made with the same
/// settings share what resumes a session without a full handshake. Settings made apart
/// are different ones, whatever they say: connections of one are not used for another.
///
/// ```
/// # fn run(pem: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// use aio_connector::{TcpConnector, TlsConfig};
///
/// let tls = TlsConfig::builder().root_certificate_pem(pem).build()?;
/// let connector = TcpConnector::builder().tls(tls).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TlsConfig {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    /// Whom to trust, if not those the system trusts.
    pub(super) roots: Option<Arc<RootCertStore>>,
    /// Made when it is first needed: reading the system's roots takes a while.
    pub(super) client: OnceCell<Arc<ClientConfig>>,
    pub(super) last_chain: LastChain,
}

impl TlsConfig {
    /// Makes the default settings: whoever the operating system trusts.
    ///
    /// What the system trusts is read with the first connection; if that fails, so does
    /// the connection, and the next one tries again.
    pub fn new() -> Self {
        Self::trusting(None)
    }

    /// Returns the settings to make others with.
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder {
            roots: RootCertStore::empty(),
            error: None,
        }
    }

    fn trusting(roots: Option<Arc<RootCertStore>>) -> Self {
        let client = OnceCell::new();
        Self {
            shared: Arc::new(Shared {
                roots,
                client,
                last_chain: LastChain::default(),
            }),
        }
    }

    /// Gives what rustls needs; whoever comes while it is made waits, so that the system's
    /// roots are read once.
    pub(crate) async fn client(&self) -> Result<Arc<ClientConfig>, Refusal> {
        let Shared { roots, client, .. } = &*self.shared;
        let make = async || match roots {
            Some(roots) => client_config(Some(roots)).map_err(errors::of_tls),
            // Files are read, which no timeout of ours could interrupt.
            None => tokio::task::spawn_blocking(|| client_config(None))
                .await
                .map_err(|error| errors::before_tls(io::Error::from(error)))?
                .map_err(errors::of_tls),
        };
        client.get_or_try_init(make).await.map(Arc::clone)
    }
}

fn client_config(roots: Option<&Arc<RootCertStore>>) -> Result<Arc<ClientConfig>, rustls::Error> {
    // The provider is given, never that of the process: others may have set another.
    let provider: Arc<CryptoProvider> = ring::default_provider().into();
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let trusting = match roots {
        Some(roots) => versions.with_root_certificates(Arc::clone(roots)),
        None => versions.with_platform_verifier()?,
    };
    let mut made = trusting.with_no_client_auth();
    // CON-71.
    made.alpn_protocols = vec![HTTP11.to_vec()];
    Ok(Arc::new(made))
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for TlsConfig {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for TlsConfig {}

impl Hash for TlsConfig {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.shared).hash(state);
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").finish_non_exhaustive()
    }
}

/// Settings to make a [`TlsConfig`] with.
#[derive(Debug, Clone)]
#[must_use]
pub struct TlsConfigBuilder {
    roots: RootCertStore,
    error: Option<TlsConfigError>,
}

impl TlsConfigBuilder {
    /// Trusts the certificates of a PEM text, and nobody else: the system's are left out,
    /// as with Python's `ssl.create_default_context(cafile=…)`. More than one text may be
    /// given.
    pub fn root_certificate_pem(mut self, pem: &[u8]) -> Self {
        if let Err(error) = add_roots(&mut self.roots, pem) {
            self.error.get_or_insert(error);
        }
        self
    }

    /// Makes the settings.
    ///
    /// # Errors
    /// If a PEM text has no certificate, or one that cannot be read.
    pub fn build(self) -> Result<TlsConfig, TlsConfigError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let roots = (!self.roots.is_empty()).then(|| Arc::new(self.roots));
        Ok(TlsConfig::trusting(roots))
    }
}

fn add_roots(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), TlsConfigError> {
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| TlsConfigError::Pem {
            reason: error.to_string().into(),
        })?;
        found += 1;
        roots
            .add(certificate)
            .map_err(|error| TlsConfigError::Certificate {
                position: found,
                reason: error.to_string().into(),
            })?;
    }
    if found == 0 {
        return Err(TlsConfigError::NoCertificate);
    }
    Ok(())
}

/// The protocol that is spoken, as ALPN names it.
pub(super) const HTTP11: &[u8] = b"http/1.1";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pem: &str, want: &str) {
        let builder = TlsConfig::builder().root_certificate_pem(pem.as_bytes());
        let error = builder.build().expect_err("it has no certificate");
        assert_eq!(error.to_string(), want);
    }

    #[test]
    fn what_is_wrong_with_a_text_is_told() {
        let none = "no certificate in the PEM text";
        check("", none);
        check("once upon a time", none);
        check("-----BEGIN X-----\naGVsbG8=\n-----END X-----\n", none);
        let certificate =
            |base64| format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        check(
            &certificate("aGVsbG8="),
            "certificate 1 of the PEM text is malformed: invalid peer certificate: BadEncoding",
        );
        check(
            &certificate("%%%"),
            "malformed PEM text: base64 decode error: InvalidCharacter(37)",
        );
    }

    #[test]
    fn settings_are_equal_to_their_clones_only() {
        let tls = TlsConfig::new();
        assert_eq!(tls, tls.clone());
        assert_ne!(tls, TlsConfig::new());
    }
}
