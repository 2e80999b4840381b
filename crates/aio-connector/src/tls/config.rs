//! How TLS is spoken: whom to trust, and what is remembered of whom.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use super::client::client_config;
use super::errors::{self, TlsConfigError};
use super::facts::LastChain;
use super::fingerprint::Fingerprint;
use crate::error::Refusal;

/// How TLS is spoken; what aiohttp takes as `ssl`.
///
/// By default a server is trusted as the operating system trusts it, and TLS 1.3 and 1.2
/// are spoken. A handle: clones are the same settings, and connections made with the same
/// settings share what resumes a session without a full handshake. Settings made apart
/// are different ones, whatever they say: connections of one are not used for another. But
/// where no authority is asked, the same fingerprint, or none, is the same settings.
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
    pub(super) trust: Trust,
    /// Made when it is first needed: reading the system's roots takes a while.
    pub(super) client: OnceCell<Arc<ClientConfig>>,
    pub(super) last_chain: LastChain,
}

/// Which servers are trusted.
pub(super) enum Trust {
    /// Whoever the system trusts, or as settings of rustls say.
    Default,
    /// Whom one of these has signed for.
    Roots(Arc<RootCertStore>),
    /// The one with this certificate.
    Pinned(Fingerprint),
    /// Anyone.
    Anyone,
}

impl TlsConfig {
    /// Makes the default settings: whoever the operating system trusts.
    ///
    /// What the system trusts is read with the first connection; if that fails, so does
    /// the connection, and the next one tries again.
    pub fn new() -> Self {
        Self::trusting(Trust::Default)
    }

    /// Makes settings that trust the server with this certificate, whoever signed it and
    /// whatever names and dates it has; aiohttp's `ssl=Fingerprint(…)`.
    ///
    /// It is checked before a byte of a request leaves. Set for a connector it is also
    /// checked where a request has settings without a fingerprint of its own, as in aiohttp.
    ///
    /// The server must prove that it has the certificate's key, which takes a certificate of
    /// X.509 version 3, and of RSA a key of 2048 bits or more.
    ///
    /// ```
    /// # fn run(certificate: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    /// use aio_connector::{Fingerprint, TcpConnector, TlsConfig};
    ///
    /// let fingerprint = Fingerprint::of(certificate);
    /// let connector = TcpConnector::builder().tls(TlsConfig::pinned(fingerprint)).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn pinned(fingerprint: Fingerprint) -> Self {
        Self::trusting(Trust::Pinned(fingerprint))
    }

    /// Makes settings that trust anyone; aiohttp's `ssl=False`.
    ///
    /// Whoever is between here and the server can read and change all that is sent. To talk
    /// to a server of one's own, [`pinned`](Self::pinned) or
    /// [its authority](TlsConfigBuilder::root_certificate_pem) does as well, and is safe.
    /// The server must prove that it has the certificate's key, as for those.
    pub fn danger_accept_any_certificate() -> Self {
        Self::trusting(Trust::Anyone)
    }

    /// Returns the settings to make others with.
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder {
            roots: RootCertStore::empty(),
            error: None,
        }
    }

    fn trusting(trust: Trust) -> Self {
        let client = OnceCell::new();
        Self {
            shared: Arc::new(Shared {
                trust,
                client,
                last_chain: LastChain::default(),
            }),
        }
    }

    /// Gives what rustls needs; whoever comes while it is made waits, so that the system's
    /// roots are read once.
    pub(crate) async fn client(&self) -> Result<Arc<ClientConfig>, Refusal> {
        let Shared { trust, client, .. } = &*self.shared;
        let make = async || match trust {
            // Files are read, which no timeout of ours could interrupt.
            Trust::Default => tokio::task::spawn_blocking(|| client_config(&Trust::Default))
                .await
                .map_err(|error| errors::before_tls(io::Error::from(error)))?
                .map_err(errors::of_tls),
            known => client_config(known).map_err(errors::of_tls),
        };
        client.get_or_try_init(make).await.map(Arc::clone)
    }

    /// Returns the certificate that the server must have, if it is known.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        match self.shared.trust {
            Trust::Pinned(fingerprint) => Some(fingerprint),
            _ => None,
        }
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for TlsConfig {
    fn eq(&self, other: &Self) -> bool {
        match (&self.shared.trust, &other.shared.trust) {
            (Trust::Pinned(this), Trust::Pinned(that)) => this == that,
            (Trust::Anyone, Trust::Anyone) => true,
            _ => Arc::ptr_eq(&self.shared, &other.shared),
        }
    }
}

impl Eq for TlsConfig {}

impl Hash for TlsConfig {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.shared.trust {
            Trust::Pinned(fingerprint) => fingerprint.hash(state),
            Trust::Anyone => {}
            Trust::Default | Trust::Roots(_) => Arc::as_ptr(&self.shared).hash(state),
        }
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut settings = f.debug_struct("TlsConfig");
        match &self.shared.trust {
            Trust::Pinned(fingerprint) => settings.field("fingerprint", fingerprint),
            Trust::Anyone => settings.field("accepts", &"any certificate"),
            Trust::Default | Trust::Roots(_) => &mut settings,
        };
        settings.finish_non_exhaustive()
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
        Ok(TlsConfig::trusting(if self.roots.is_empty() {
            Trust::Default
        } else {
            Trust::Roots(Arc::new(self.roots))
        }))
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

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

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

    #[test]
    fn settings_that_ask_no_authority_are_equal_by_what_they_say() {
        let pinned = |byte| TlsConfig::pinned(Fingerprint::from([byte; 32]));
        let anyone = TlsConfig::danger_accept_any_certificate;
        let all = [pinned(1), pinned(2), anyone(), TlsConfig::new()];
        for (place, tls) in all.iter().enumerate() {
            let same = |other: &TlsConfig| all.iter().position(|tls| tls == other);
            assert_eq!(same(tls), Some(place));
        }
        let hash = |tls: &TlsConfig| BuildHasherDefault::<DefaultHasher>::default().hash_one(tls);
        assert_eq!(pinned(1), pinned(1));
        assert_eq!(hash(&pinned(1)), hash(&pinned(1)));
        assert_eq!(anyone(), anyone());
        assert_eq!(hash(&anyone()), hash(&anyone()));
    }
}
