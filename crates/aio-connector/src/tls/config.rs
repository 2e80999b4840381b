//! How TLS is spoken: whom to trust, and what is remembered of whom.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::sync::OnceCell;

use super::TlsConfigBuilder;
use super::client::client_config;
use super::errors;
use super::facts::LastChain;
use super::fingerprint::Fingerprint;
use super::settings::{Settings, Trust};
use crate::error::Refusal;

/// How TLS is spoken; what aiohttp takes as `ssl`.
///
/// By default a server is trusted as the operating system trusts it, and TLS 1.3 and 1.2
/// are spoken. A handle: clones are the same settings, and connections made with the same
/// settings share what resumes a session without a full handshake. Settings made apart
/// are different ones, whatever they say: connections of one are not used for another. But
/// [`pinned`](Self::pinned) makes the same settings of the same fingerprint each time, and
/// [`danger_accept_any_certificate`](Self::danger_accept_any_certificate) always does.
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
    settings: Settings,
    likeness: Likeness,
    /// Made when it is first needed: reading the system's roots takes a while.
    client: OnceCell<Arc<ClientConfig>>,
    pub(super) last_chain: LastChain,
}

/// Which settings are the same.
#[derive(Clone, Copy)]
enum Likeness {
    /// Those that pin the same certificate, or none, and say nothing else.
    Pinned(Option<Fingerprint>),
    /// Clones only.
    Clones,
}

impl TlsConfig {
    /// Makes the default settings: whoever the operating system trusts.
    ///
    /// What the system trusts is read with the first connection; if that fails, so does
    /// the connection, and the next one tries again. Where certificates are files, as on
    /// Linux, `SSL_CERT_FILE` and `SSL_CERT_DIR` may name others.
    pub fn new() -> Self {
        Self::with(Settings::default(), None)
    }

    /// Makes settings that trust the server with this certificate, whoever signed it and
    /// whatever names and dates it has; aiohttp's `ssl=Fingerprint(…)`.
    ///
    /// It is checked before a byte of a request leaves. Set for a connector it is also
    /// checked where a request has settings without a fingerprint of its own, as in aiohttp.
    ///
    /// The server must prove that it has the certificate's key, of which one of RSA must have
    /// 2048 bits or more.
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
        Self::asking_nobody(Some(fingerprint))
    }

    /// Makes settings that trust anyone; aiohttp's `ssl=False`.
    ///
    /// Whoever is between here and the server can read and change all that is sent. To talk
    /// to a server of one's own, [`pinned`](Self::pinned) or
    /// [its authority](TlsConfigBuilder::root_certificate_pem) does as well, and is safe.
    /// The server must prove that it has the certificate's key, as for those.
    pub fn danger_accept_any_certificate() -> Self {
        Self::asking_nobody(None)
    }

    /// Returns the default settings, to make others of.
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder::new()
    }

    fn asking_nobody(fingerprint: Option<Fingerprint>) -> Self {
        let settings = Settings {
            trust: Trust::Anyone,
            fingerprint,
            ..Settings::default()
        };
        Self::alike(settings, Likeness::Pinned(fingerprint), None)
    }

    /// Makes one of settings; `client` is what rustls is told, if that is known.
    pub(super) fn with(settings: Settings, client: Option<Arc<ClientConfig>>) -> Self {
        Self::alike(settings, Likeness::Clones, client)
    }

    fn alike(settings: Settings, likeness: Likeness, client: Option<Arc<ClientConfig>>) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                likeness,
                client: OnceCell::new_with(client),
                last_chain: LastChain::default(),
            }),
        }
    }

    /// Gives what rustls needs; whoever comes while it is made waits, so that the system's
    /// roots are read once.
    pub(crate) async fn client(&self) -> Result<Arc<ClientConfig>, Refusal> {
        let make = async || match self.shared.settings.trust {
            // Files are read, which no timeout of ours could interrupt.
            Trust::System | Trust::SystemAnd(_) => {
                let shared = Arc::clone(&self.shared);
                tokio::task::spawn_blocking(move || client_config(&shared.settings))
                    .await
                    .map_err(|error| errors::before_tls(io::Error::from(error)))?
                    .map_err(errors::of_settings)
            }
            Trust::Roots(_) | Trust::Anyone => {
                client_config(&self.shared.settings).map_err(errors::of_settings)
            }
        };
        let client = self.shared.client.get_or_try_init(make).await;
        client.map(Arc::clone)
    }

    /// Returns that of the certificate that the server must have, if it is known.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        self.shared.settings.fingerprint
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for TlsConfig {
    fn eq(&self, other: &Self) -> bool {
        match (self.shared.likeness, other.shared.likeness) {
            (Likeness::Pinned(this), Likeness::Pinned(that)) => this == that,
            _ => Arc::ptr_eq(&self.shared, &other.shared),
        }
    }
}

impl Eq for TlsConfig {}

impl Hash for TlsConfig {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.shared.likeness {
            Likeness::Pinned(fingerprint) => fingerprint.hash(state),
            Likeness::Clones => Arc::as_ptr(&self.shared).hash(state),
        }
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared
            .settings
            .describe(&mut f.debug_struct("TlsConfig"))
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    use super::*;

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
