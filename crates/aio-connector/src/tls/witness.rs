//! What happens in a handshake, kept for its error.

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// The certificates that a server shows, its own first.
pub(super) type Chain = Vec<CertificateDer<'static>>;

/// What was seen in a handshake.
#[derive(Default)]
pub(super) struct Seen {
    /// The certificates that were refused.
    pub(super) refused: Chain,
    /// The server has asked for a certificate of the client, and there is none.
    pub(super) asked_in_vain: bool,
}

tokio::task_local! {
    /// What was seen in the handshake under way. The settings, and so their verifier, are
    /// shared by handshakes; an error of its own would tell the server less than rustls's.
    static SEEN: RefCell<Seen>;
}

/// Makes a handshake; one that fails comes with what was seen.
pub(super) async fn witnessed<T>(
    handshake: impl Future<Output = io::Result<T>>,
) -> Result<T, (io::Error, Seen)> {
    let mut handshake = pin!(SEEN.scope(RefCell::default(), handshake));
    handshake.as_mut().await.map_err(|error| {
        let seen = handshake.take_value().unwrap_or_default();
        (error, seen.into_inner())
    })
}

/// Has no certificate of the client, and knows who asks for one.
#[derive(Debug)]
pub(super) struct NoIdentity;

impl ResolvesClientCert for NoIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        _ = SEEN.try_with(|seen| seen.borrow_mut().asked_in_vain = true);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Keeps the certificates that the verifier within refuses.
#[derive(Debug)]
pub(super) struct Witness(pub(super) Arc<dyn ServerCertVerifier>);

fn keep(certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>]) {
    let chain = std::iter::once(certificate).chain(others);
    let chain = chain.map(|one| one.clone().into_owned()).collect();
    // Without a handshake of ours nobody asks for it.
    _ = SEEN.try_with(|seen| seen.borrow_mut().refused = chain);
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        server: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self
            .0
            .verify_server_cert(certificate, others, server, ocsp, now);
        verified.inspect_err(|_| keep(certificate, others))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = self
            .0
            .verify_tls12_signature(message, certificate, signature);
        verified.inspect_err(|_| keep(certificate, &[]))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = self
            .0
            .verify_tls13_signature(message, certificate, signature);
        verified.inspect_err(|_| keep(certificate, &[]))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.0.requires_raw_public_keys()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.0.root_hint_subjects()
    }
}
