//! A verifier that asks no authority.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use webpki::RawPublicKeyEntity;

use super::certificate::Certificate;
use super::fingerprint::Fingerprint;

/// Takes the pinned certificate, or any, from a server that has its key.
#[derive(Debug)]
pub(super) struct NoAuthority {
    pinned: Option<Fingerprint>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl NoAuthority {
    pub(super) fn new(pinned: Option<Fingerprint>, provider: &CryptoProvider) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        Self { pinned, algorithms }
    }
}

impl ServerCertVerifier for NoAuthority {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(pinned) = &self.pinned {
            pinned.check(certificate)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    // A certificate is public: without these two anyone could show a pinned one. What is
    // needed of it is its key: rustls reads certificates of version 3 only, and aiohttp takes
    // those of version 1 too.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(key) = key(certificate) else {
            return verify_tls12_signature(message, certificate, signature, &self.algorithms);
        };
        let key = RawPublicKeyEntity::try_from(&key).map_err(|_| CertificateError::BadEncoding)?;
        // A scheme of TLS 1.2 leaves open on which curve a key is.
        let of_scheme = |(scheme, _): &&(_, _)| *scheme == signature.scheme;
        let found = self.algorithms.mapping.iter().find(of_scheme);
        let mut algorithms = found.into_iter().flat_map(|(_, algorithms)| *algorithms);
        let fits = algorithms.any(|algorithm| {
            let verified = key.verify_signature(*algorithm, message, signature.signature());
            verified.is_ok()
        });
        if !fits {
            return Err(CertificateError::BadSignature.into());
        }
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(key) = key(certificate) else {
            return verify_tls13_signature(message, certificate, signature, &self.algorithms);
        };
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Returns the key in a certificate; rustls may read what cannot be read here.
fn key(certificate: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    Certificate::read(certificate)?.key()
}
