//! Roots that were named, and whom they make trusted.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::certificate::Certificate;
use super::fingerprint::Fingerprint;
use super::problem;

/// Believes whom an authority has signed for, and a server that shows a root as its own.
#[derive(Debug)]
pub(super) struct Named {
    /// That of the authorities, if there are any.
    pub(super) verifier: Option<Arc<WebPkiServerVerifier>>,
    /// The roots that a server may show.
    pub(super) own: Vec<Fingerprint>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = match &self.verifier {
            Some(them) => them.verify_server_cert(certificate, intermediates, name, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        match verified {
            // `openssl req -x509` makes such ones, and OpenSSL takes them, so Python does.
            Err(Error::InvalidCertificate(reason))
                if (reason == CertificateError::UnknownIssuer
                    || problem::is_authority(&reason))
                    && self.own.contains(&Fingerprint::of(certificate)) =>
            {
                verify_own(certificate, name, now, reason)
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Looks at what there is to see of a certificate that is itself trusted: its time, its
/// purpose, and last its name.
fn verify_own(
    der: &CertificateDer<'_>,
    name: &ServerName<'_>,
    time: UnixTime,
    reason: CertificateError,
) -> Result<ServerCertVerified, Error> {
    let Some(certificate) = Certificate::read(der) else {
        return Err(reason.into());
    };
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if time < not_before {
        return Err(CertificateError::NotValidYetContext { time, not_before }.into());
    }
    if time > not_after {
        return Err(CertificateError::ExpiredContext { time, not_after }.into());
    }
    if !certificate.is_for_servers() {
        return Err(CertificateError::InvalidPurpose.into());
    }
    verify_server_name(&ParsedCertificate::try_from(der)?, name)?;
    Ok(ServerCertVerified::assertion())
}
