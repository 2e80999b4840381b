//! What rustls is told of settings.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls_platform_verifier::Verifier;

use super::config::Trust;
use super::verifier::NoAuthority;

/// The protocol that is spoken, as ALPN names it.
pub(super) const HTTP11: &[u8] = b"http/1.1";

pub(super) fn client_config(trust: &Trust) -> Result<Arc<ClientConfig>, rustls::Error> {
    // The provider is given, never that of the process: others may have set another.
    let provider: Arc<CryptoProvider> = ring::default_provider().into();
    let mut made = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier(trust, provider)?)
        .with_no_client_auth();
    // CON-71.
    made.alpn_protocols = vec![HTTP11.to_vec()];
    Ok(Arc::new(made))
}

fn verifier(
    trust: &Trust,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    Ok(match trust {
        Trust::Default => Arc::new(Verifier::new(provider)?),
        Trust::Roots(roots) => {
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider);
            let built = builder.build();
            built.map_err(|error| rustls::Error::General(error.to_string()))?
        }
        // CON-74: whose fingerprint is known needs no authority.
        Trust::Pinned(fingerprint) => Arc::new(NoAuthority::new(Some(*fingerprint), &provider)),
        Trust::Anyone => Arc::new(NoAuthority::new(None, &provider)),
    })
}
