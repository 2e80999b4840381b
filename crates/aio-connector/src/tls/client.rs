//! What rustls is told of settings.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};

use super::checks::{Checked, Either};
use super::key_log::KeyLogFile;
use super::named::Named;
use super::provider::provider;
use super::roots;
use super::settings::{Settings, Trust};
use super::verifier::NoAuthority;
use super::witness::{NoIdentity, Witness};
use crate::info::TlsVersion;

/// The protocol that is spoken, as ALPN names it.
pub(super) const HTTP11: &[u8] = b"http/1.1";

/// Tells whether a protocol may be that one by a name of a server's own: it is no other
/// version of HTTP.
pub(super) fn may_be_http11(name: &[u8]) -> bool {
    !matches!(name, b"h3" | b"h2" | b"http/1.0" | b"http/0.9")
}

pub(super) fn client_config(settings: &Settings) -> Result<Arc<ClientConfig>, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions(settings))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Witness(verifier(settings)?)));
    let identity: Arc<dyn ResolvesClientCert> = match &settings.identity {
        Some(identity) => Arc::new(SingleCertAndKey::from(Arc::clone(identity))),
        None => Arc::new(NoIdentity),
    };
    let mut made = builder.with_client_cert_resolver(identity);
    made.alpn_protocols.clone_from(&settings.alpn);
    made.enable_sni = settings.sni;
    if !settings.resumption {
        made.resumption = Resumption::disabled();
    }
    if let Some(log) = &settings.key_log {
        made.key_log = Arc::<KeyLogFile>::clone(log);
    }
    Ok(Arc::new(made))
}

fn versions(settings: &Settings) -> Vec<&'static SupportedProtocolVersion> {
    let known = [(TlsVersion::Tls13, &TLS13), (TlsVersion::Tls12, &TLS12)];
    let wanted = known
        .into_iter()
        .filter(|(version, _)| settings.versions.contains(version));
    wanted.map(|(_, version)| version).collect()
}

fn verifier(settings: &Settings) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    let (fingerprint, any_hostname) = (settings.fingerprint, settings.any_hostname);
    let verifier: Arc<dyn ServerCertVerifier> = match &settings.trust {
        Trust::System => Arc::new(roots::system()?),
        Trust::Roots(named) => Arc::<Named>::clone(named),
        Trust::SystemAnd(named) => Arc::new(Either {
            named: Arc::clone(named),
            system: roots::system()?,
        }),
        // CON-74: whose fingerprint is known needs no authority.
        Trust::Anyone => return Ok(Arc::new(NoAuthority::new(fingerprint, &provider()))),
    };
    if fingerprint.is_none() && !any_hostname {
        return Ok(verifier);
    }
    Ok(Arc::new(Checked {
        verifier,
        fingerprint,
        any_hostname,
    }))
}
