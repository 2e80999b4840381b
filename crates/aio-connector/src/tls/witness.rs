//! A verifier that keeps what another one refuses, for its error.

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// The certificates that a server shows, its own first.
pub(super) type Chain = Vec<CertificateDer<'static>>;

tokio::task_local! {
    /// What was refused in the handshake under way. The settings, and so their verifier, are
    /// shared by handshakes; an error of its own would tell the server less than rustls's.
    static REFUSED: RefCell<Chain>;
}

/// Makes a handshake; one that fails comes with the certificates that were refused, if that
/// is what it failed for.
pub(super) async fn witnessed<T>(
    handshake: impl Future<Output = io::Result<T>>,
) -> Result<T, (io::Error, Chain)> {
    let mut handshake = pin!(REFUSED.scope(RefCell::default(), handshake));
    handshake.as_mut().await.map_err(|error| {
        let refused = handshake.take_value().unwrap_or_default();
        (error, refused.into_inner())
    })
}

/// Keeps the certificates that the verifier within refuses.
#[derive(Debug)]
pub(super) struct Witness(pub(super) Arc<dyn ServerCertVerifier>);

fn keep(certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>]) {
    let chain = std::iter::once(certificate).chain(others);
    let chain = chain.map(|one| one.clone().into_owned()).collect();
    // Without a handshake of ours nobody asks for it.
    _ = REFUSED.try_with(|refused| refused.replace(chain));
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
