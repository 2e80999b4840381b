//! A verifier that asks no authority.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::der;
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
        let (kind, key) = der::key(key_info(certificate)?).ok_or(CertificateError::BadEncoding)?;
        // A scheme of TLS 1.2 leaves open on which curve a key is.
        let of_scheme = |(scheme, _): &&(_, _)| *scheme == signature.scheme;
        let found = self.algorithms.mapping.iter().find(of_scheme);
        let mut algorithms = found.into_iter().flat_map(|(_, algorithms)| *algorithms);
        let fits = algorithms.find(|algorithm| algorithm.public_key_alg_id().as_ref() == kind);
        let verified = fits.is_some_and(|algorithm| {
            let verified = algorithm.verify_signature(key, message, signature.signature());
            verified.is_ok()
        });
        if !verified {
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
        let key = SubjectPublicKeyInfoDer::from(key_info(certificate)?);
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Returns the `SubjectPublicKeyInfo` of a certificate.
fn key_info<'a>(certificate: &'a CertificateDer<'_>) -> Result<&'a [u8], Error> {
    let certificate = der::Certificate::read(certificate);
    let certificate = certificate.ok_or(CertificateError::BadEncoding)?;
    Ok(certificate.key)
}
