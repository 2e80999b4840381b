//! What settings of TLS say.

use std::fmt::{self, DebugStruct};
use std::ops::RangeInclusive;
use std::sync::Arc;

use rustls::sign::CertifiedKey;

use super::client::HTTP11;
use super::fingerprint::Fingerprint;
use super::key_log::KeyLogFile;
use super::named::Named;
use crate::info::TlsVersion;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) trust: Trust,
    /// Of the certificate that the server must have, trusted or not.
    pub(super) fingerprint: Option<Fingerprint>,
    /// Whether a server may have a certificate of any name.
    pub(super) any_hostname: bool,
    /// What the client shows if it is asked.
    pub(super) identity: Option<Arc<CertifiedKey>>,
    pub(super) versions: RangeInclusive<TlsVersion>,
    pub(super) alpn: Vec<Vec<u8>>,
    /// Whether the server is told its name before it shows a certificate.
    pub(super) sni: bool,
    pub(super) resumption: bool,
    pub(super) key_log: Option<Arc<KeyLogFile>>,
}

/// Which servers are trusted.
#[derive(Clone)]
pub(super) enum Trust {
    /// Whoever the system trusts.
    System,
    /// Whom one of these has signed for.
    Roots(Arc<Named>),
    /// Either of the two.
    SystemAnd(Arc<Named>),
    /// Anyone; with a fingerprint, whoever has that certificate.
    Anyone,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trust: Trust::System,
            fingerprint: None,
            any_hostname: false,
            identity: None,
            versions: TlsVersion::Tls12..=TlsVersion::Tls13,
            // CON-71.
            alpn: vec![HTTP11.to_vec()],
            sni: true,
            resumption: true,
            key_log: None,
        }
    }
}

impl Settings {
    /// Shows whom they trust, and nothing that is secret.
    pub(super) fn describe(&self, f: &mut DebugStruct<'_, '_>) -> fmt::Result {
        if let Some(fingerprint) = &self.fingerprint {
            f.field("fingerprint", fingerprint);
        } else if let Trust::Anyone = self.trust {
            f.field("accepts", &"any certificate");
        }
        f.finish_non_exhaustive()
    }
}
