//! What was agreed on in a handshake, as it is told.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConnection, ProtocolVersion};

use super::TlsConfig;
use crate::info::{TlsInfo, TlsVersion};

impl TlsConfig {
    /// Tells what was agreed on with `server`.
    pub(super) fn info(&self, session: &ClientConnection, server: &ServerName<'_>) -> TlsInfo {
        let version = match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
            // rustls speaks these two only.
            _ => TlsVersion::Tls13,
        };
        let suite = session.negotiated_cipher_suite();
        let suite = suite.and_then(|suite| suite.suite().as_str());
        // rustls has names of its own for those of TLS 1.3.
        let suite = suite.unwrap_or_default().replacen("TLS13_", "TLS_", 1);
        let chain = session.peer_certificates().unwrap_or_default();
        TlsInfo {
            version,
            cipher_suite: suite.into(),
            alpn: session.alpn_protocol().map(Box::from),
            certificates: self.shared.last_chain.share(chain),
            server_name: server.to_str().into(),
        }
    }
}

/// The certificates that were shown last: each connection keeps them, and those to the same
/// server need one copy only.
#[derive(Default)]
pub(super) struct LastChain(Mutex<Arc<[Bytes]>>);

impl LastChain {
    fn share(&self, chain: &[CertificateDer<'_>]) -> Arc<[Bytes]> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !last
            .iter()
            .eq(chain.iter().map(|certificate| &**certificate))
        {
            let copied = chain.iter().map(|one| Bytes::copy_from_slice(one));
            *last = copied.collect();
        }
        Arc::clone(&last)
    }
}
