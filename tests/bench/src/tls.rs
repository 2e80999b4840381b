//! TLS, alike for all: rustls with ring, HTTP/1.1, a certificate for this run alone.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        server::NoServerSessionStorage,
    },
};

use crate::Fallible;

const ALPN: &[u8] = b"http/1.1";

pub(crate) struct Acceptors {
    /// The certificate, which is its own root, in PEM.
    pub(crate) certificate: String,
    pub(crate) resuming: TlsAcceptor,
    pub(crate) forgetful: TlsAcceptor,
}

impl Acceptors {
    pub(crate) fn new() -> Fallible<Self> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::try_from(signing_key.serialize_der())?;
        let mut resuming = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)?;
        resuming.alpn_protocols = vec![ALPN.to_vec()];
        let mut forgetful = resuming.clone();
        forgetful.session_storage = Arc::new(NoServerSessionStorage {});
        forgetful.send_tls13_tickets = 0;
        Ok(Self {
            certificate: cert.pem(),
            resuming: Arc::new(resuming).into(),
            forgetful: Arc::new(forgetful).into(),
        })
    }
}

/// Returns what raw sockets and rivals connect with; sessions are resumed, by default.
pub(crate) fn client_config(certificate: &str) -> Fallible<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes())?)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}
