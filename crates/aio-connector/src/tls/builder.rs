//! What users say of TLS.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::client::may_be_http11;
use super::config::TlsConfig;
use super::fingerprint::Fingerprint;
use super::identity::identity;
use super::key_log::KeyLogFile;
use super::pem::Pem;
use super::roots::Roots;
use super::settings::{Settings, Trust};
use crate::error::TlsConfigError;
use crate::info::TlsVersion;

/// Settings to make a [`TlsConfig`] with.
///
/// Files are read when they are named. The first error is kept, and [`build`](Self::build)
/// tells it.
///
/// ```no_run
/// use aio_connector::{TlsConfig, TlsVersion};
///
/// let tls = TlsConfig::builder()
///     .root_certificate_file("/etc/app/ca.pem")
///     .client_certificate_files("/etc/app/client.pem", "/etc/app/client.key")
///     .min_version(TlsVersion::Tls13)
///     .build()?;
/// # Ok::<(), aio_connector::TlsConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct TlsConfigBuilder {
    settings: Settings,
    roots: Roots,
    with_system: bool,
    accepts_anyone: bool,
    error: Option<TlsConfigError>,
}

impl TlsConfigBuilder {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings::default(),
            roots: Roots::none(),
            with_system: false,
            accepts_anyone: false,
            error: None,
        }
    }

    /// Trusts whom the certificates of a PEM text have signed for.
    ///
    /// What is named takes the place of the system's, as with Python's
    /// `ssl.create_default_context(cadata=…)`; with [`system_roots`](Self::system_roots) it
    /// stands beside them. All that is named adds up. A certificate that a server made for
    /// itself, as `openssl req -x509` does, is named here too.
    ///
    /// ```
    /// # fn run(pem: &[u8]) -> Result<(), aio_connector::TlsConfigError> {
    /// use aio_connector::TlsConfig;
    ///
    /// let alone = TlsConfig::builder().root_certificate_pem(pem).build()?;
    /// let besides = TlsConfig::builder().root_certificate_pem(pem).system_roots().build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn root_certificate_pem(self, pem: impl AsRef<[u8]>) -> Self {
        self.set(|it| it.roots.add(&Pem::text(pem.as_ref())))
    }

    /// Does so with a PEM file; Python's `ssl.create_default_context(cafile=…)`.
    ///
    /// ```no_run
    /// use aio_connector::TlsConfig;
    ///
    /// let tls = TlsConfig::builder().root_certificate_file("/etc/app/ca.pem").build()?;
    /// # Ok::<(), aio_connector::TlsConfigError>(())
    /// ```
    pub fn root_certificate_file(self, path: impl AsRef<Path>) -> Self {
        self.set(|it| it.roots.add(&Pem::file(path.as_ref())?))
    }

    /// Trusts whom the operating system trusts, besides others that are named.
    ///
    /// Where nobody is named that is the default.
    pub fn system_roots(mut self) -> Self {
        self.with_system = true;
        self
    }

    /// Trusts whose certificates the system has, and judges by them alone: with
    /// [`system_roots`](Self::system_roots) the operating system judges itself.
    ///
    /// They are read once and now, from their files or the system's store; on every
    /// platform `SSL_CERT_FILE` and `SSL_CERT_DIR` take their place, if they are set. Those
    /// that cannot be read are left out.
    ///
    /// ```no_run
    /// use aio_connector::TlsConfig;
    ///
    /// let tls = TlsConfig::builder().native_roots().build()?;
    /// # Ok::<(), aio_connector::TlsConfigError>(())
    /// ```
    #[cfg(feature = "native-roots")]
    pub fn native_roots(self) -> Self {
        self.set(|it| it.roots.add_native())
    }

    /// Trusts the authorities that Mozilla trusts, as they were when the crate
    /// `webpki-roots` was released: for machines that have no certificates of their own.
    ///
    /// ```
    /// use aio_connector::TlsConfig;
    ///
    /// let tls = TlsConfig::builder().bundled_roots().build()?;
    /// # Ok::<(), aio_connector::TlsConfigError>(())
    /// ```
    #[cfg(feature = "bundled-roots")]
    pub fn bundled_roots(mut self) -> Self {
        self.roots.add_bundled();
        self
    }

    /// Shows a certificate to servers that ask for one; Python's `load_cert_chain`.
    ///
    /// `chain` has the client's own certificate first, then those between it and the
    /// authority, if there are any; `key` its private key, as PKCS#8, PKCS#1 or SEC1, and
    /// not encrypted. Both may be the same text.
    ///
    /// ```
    /// # fn run(pem: &str) -> Result<(), aio_connector::TlsConfigError> {
    /// use aio_connector::TlsConfig;
    ///
    /// let tls = TlsConfig::builder().client_certificate_pem(pem, pem).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn client_certificate_pem(self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.set(|it| {
            let (chain, key) = (Pem::text(chain.as_ref()), Pem::text(key.as_ref()));
            it.settings.identity = Some(identity(&chain, &key)?);
            Ok(())
        })
    }

    /// Does so with PEM files, which may be one and the same.
    ///
    /// ```no_run
    /// use aio_connector::TlsConfig;
    ///
    /// let tls = TlsConfig::builder()
    ///     .client_certificate_files("/etc/app/client.pem", "/etc/app/client.key")
    ///     .build()?;
    /// # Ok::<(), aio_connector::TlsConfigError>(())
    /// ```
    pub fn client_certificate_files(self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.set(|it| {
            let (chain, key) = (Pem::file(chain.as_ref())?, Pem::file(key.as_ref())?);
            it.settings.identity = Some(identity(&chain, &key)?);
            Ok(())
        })
    }

    /// Demands the certificate with this fingerprint.
    ///
    /// Where roots are named, the system's among them, one of these must have signed for it
    /// too; else no authority is asked, as with [`TlsConfig::pinned`].
    ///
    /// ```
    /// # fn run(pem: &[u8], certificate: &[u8]) -> Result<(), aio_connector::TlsConfigError> {
    /// use aio_connector::{Fingerprint, TlsConfig};
    ///
    /// let tls = TlsConfig::builder()
    ///     .root_certificate_pem(pem)
    ///     .fingerprint(Fingerprint::of(certificate))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn fingerprint(mut self, fingerprint: Fingerprint) -> Self {
        self.settings.fingerprint = Some(fingerprint);
        self
    }

    /// Trusts anyone, as [`TlsConfig::danger_accept_any_certificate`] does; to name roots
    /// besides is an error.
    pub fn danger_accept_any_certificate(mut self) -> Self {
        self.accepts_anyone = true;
        self
    }

    /// Trusts anyone for whom one of the roots has signed, whatever the name in the
    /// certificate; Python's `check_hostname = False`.
    ///
    /// Whoever has any certificate of these authorities can read and change all that is
    /// sent: it is for authorities of one's own. It needs roots that are named, as the system
    /// has its own judgement of names; beside
    /// [`danger_accept_any_certificate`](Self::danger_accept_any_certificate), which includes
    /// it, it needs none. A server that is asked for by another name than its certificate has
    /// is better told by `server_hostname`.
    ///
    /// ```
    /// # fn run(pem: &[u8]) -> Result<(), aio_connector::TlsConfigError> {
    /// use aio_connector::TlsConfig;
    ///
    /// let tls = TlsConfig::builder()
    ///     .root_certificate_pem(pem)
    ///     .danger_accept_any_hostname()
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn danger_accept_any_hostname(mut self) -> Self {
        self.settings.any_hostname = true;
        self
    }

    /// Refuses certificates that a revocation list in a PEM text names; Python's
    /// `VERIFY_CRL_CHECK_LEAF`.
    ///
    /// Of a chain the server's own certificate is looked up, and refused also where no list
    /// of its issuer is given, or only one that has expired. It needs roots that are named,
    /// for the system has its own judgement of what is revoked.
    ///
    /// ```
    /// # fn run(ca: &[u8], revoked: &[u8]) -> Result<(), aio_connector::TlsConfigError> {
    /// use aio_connector::TlsConfig;
    ///
    /// let tls = TlsConfig::builder()
    ///     .root_certificate_pem(ca)
    ///     .certificate_revocation_list_pem(revoked)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn certificate_revocation_list_pem(self, pem: impl AsRef<[u8]>) -> Self {
        self.set(|it| it.roots.revoke(&Pem::text(pem.as_ref())))
    }

    /// Does so with a PEM file.
    pub fn certificate_revocation_list_file(self, path: impl AsRef<Path>) -> Self {
        self.set(|it| it.roots.revoke(&Pem::file(path.as_ref())?))
    }

    /// Sets the oldest version of TLS that is spoken; by default 1.2.
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.settings.versions = version..=*self.settings.versions.end();
        self
    }

    /// Sets the newest version of TLS that is spoken; by default 1.3.
    pub fn max_version(mut self, version: TlsVersion) -> Self {
        self.settings.versions = *self.settings.versions.start()..=version;
        self
    }

    /// Sets the protocols that are offered by ALPN, the preferred one first; by default
    /// `http/1.1`. Without any, ALPN is not used.
    ///
    /// HTTP/1.1 is spoken whatever the server chooses, for some servers have names of their
    /// own for it; so other versions of HTTP, as `h2`, are an error.
    ///
    /// ```
    /// use aio_connector::TlsConfig;
    ///
    /// let none = TlsConfig::builder().alpn(&[]).build()?;
    /// let aws_iot = TlsConfig::builder().alpn(&["x-amzn-http-ca"]).build()?;
    /// # Ok::<(), aio_connector::TlsConfigError>(())
    /// ```
    pub fn alpn(self, protocols: &[&str]) -> Self {
        self.set(|it| {
            for protocol in protocols {
                check_protocol(protocol)?;
            }
            let protocols = protocols.iter().map(|it| it.as_bytes().to_vec());
            it.settings.alpn = protocols.collect();
            Ok(())
        })
    }

    /// Sets whether a server is told the name that is asked for, before anything is
    /// encrypted; by default it is. Its certificate must have that name either way.
    ///
    /// ```
    /// use aio_connector::TlsConfig;
    ///
    /// let tls = TlsConfig::builder().server_name_indication(false).build()?;
    /// # Ok::<(), aio_connector::TlsConfigError>(())
    /// ```
    pub fn server_name_indication(mut self, is_sent: bool) -> Self {
        self.settings.sni = is_sent;
        self
    }

    /// Sets whether a new connection may resume the session of an earlier one, which saves
    /// most of the handshake; by default it may. Without that no server can tell by its
    /// tickets that two connections are of one client.
    pub fn resumption(mut self, is_allowed: bool) -> Self {
        self.settings.resumption = is_allowed;
        self
    }

    /// Appends the secrets of each connection to a file, for programs such as Wireshark to
    /// decrypt what they captured; Python's `keylog_filename`.
    ///
    /// **Whoever can read the file can read all that is sent.** A new one is made for its
    /// owner only. The variable `SSLKEYLOGFILE` is not asked.
    ///
    /// ```no_run
    /// use aio_connector::TlsConfig;
    ///
    /// let mut tls = TlsConfig::builder();
    /// if let Some(path) = std::env::var_os("SSLKEYLOGFILE") {
    ///     tls = tls.key_log_file(path);
    /// }
    /// let tls = tls.build()?;
    /// # Ok::<(), aio_connector::TlsConfigError>(())
    /// ```
    pub fn key_log_file(self, path: impl AsRef<Path>) -> Self {
        self.set(|it| {
            it.settings.key_log = Some(Arc::new(KeyLogFile::open(path.as_ref())?));
            Ok(())
        })
    }

    /// Makes the settings.
    ///
    /// # Errors
    /// If a file cannot be read, or a text has not in it what it should have; if a private
    /// key is encrypted or belongs to another certificate; or if settings contradict each
    /// other.
    pub fn build(mut self) -> Result<TlsConfig, TlsConfigError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let (min, max) = self.settings.versions.clone().into_inner();
        if min > max {
            return Err(TlsConfigError::Versions { min, max });
        }
        let is_named = !self.roots.is_empty();
        if self.accepts_anyone && (is_named || self.with_system) {
            return Err(TlsConfigError::RootsForAnyone);
        }
        if let Some(setting) = self.for_roots_alone()
            && (!is_named || self.with_system)
        {
            return Err(TlsConfigError::NeedsRoots { setting });
        }
        let asks_nobody = self.accepts_anyone || self.settings.fingerprint.is_some();
        self.settings.trust = match (is_named, self.with_system) {
            (true, false) => Trust::Roots(self.roots.verifier()?),
            (true, true) => Trust::SystemAnd(self.roots.verifier()?),
            (false, false) if asks_nobody => Trust::Anyone,
            (false, _) => Trust::System,
        };
        Ok(TlsConfig::with(self.settings, None))
    }

    /// Names a setting that only roots that are named can keep.
    fn for_roots_alone(&self) -> Option<&'static str> {
        if self.roots.has_revoked() {
            return Some("a revocation list");
        }
        let any_hostname = self.settings.any_hostname && !self.accepts_anyone;
        any_hostname.then_some("`danger_accept_any_hostname`")
    }

    /// Does what may fail, unless something did before.
    fn set(mut self, set: impl FnOnce(&mut Self) -> Result<(), TlsConfigError>) -> Self {
        if self.error.is_none() {
            self.error = set(&mut self).err();
        }
        self
    }
}

fn check_protocol(protocol: &str) -> Result<(), TlsConfigError> {
    let length = protocol.len();
    if !(1..=255).contains(&length) {
        return Err(TlsConfigError::ProtocolLength { length });
    }
    if !may_be_http11(protocol.as_bytes()) {
        let protocol = protocol.into();
        return Err(TlsConfigError::UnknownProtocol { protocol });
    }
    Ok(())
}

impl fmt::Debug for TlsConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings
            .describe(&mut f.debug_struct("TlsConfigBuilder"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pem: &str, want: &str) {
        check_error(TlsConfig::builder().root_certificate_pem(pem), want);
    }

    #[track_caller]
    fn check_error(builder: TlsConfigBuilder, want: &str) {
        let error = builder.build().expect_err("something is wrong with it");
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
            "certificate 1 of the PEM text is malformed: BadEncoding",
        );
        check(
            &certificate("%%%"),
            "the PEM text is malformed: base64 decode error: InvalidCharacter(37)",
        );
    }

    /// Keys lose their line ends on the way through variables of the environment.
    #[test]
    fn a_text_without_line_ends_is_not_shown() {
        let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
        let want = "the PEM text is malformed: \
                    a section has no end, or its `BEGIN` no line to itself";
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]);
        let certificate = made.expect("a certificate").cert.pem();
        for end in ["", " ", "\\n"] {
            let key = key.replace('\n', end);
            check(&key, want);
            let builder = TlsConfig::builder().client_certificate_pem(&certificate, &key);
            check_error(builder, want);
        }
    }
}
