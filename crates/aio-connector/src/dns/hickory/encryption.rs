//! TLS with name servers.

use std::io;

use hickory_resolver::config::NameServerConfig;

use crate::tls::TlsConfig;

/// Whom to trust that is asked by TLS or HTTPS.
#[derive(Default)]
pub(super) struct Encryption(TlsConfig);

impl From<TlsConfig> for Encryption {
    fn from(tls: TlsConfig) -> Self {
        Self(tls)
    }
}

impl Encryption {
    /// Makes hickory's settings for these servers; those of nobody if none of them is asked
    /// that way, for reading the system's roots takes a while.
    pub(super) async fn with(
        &self,
        servers: &[NameServerConfig],
    ) -> io::Result<hickory_resolver::TlsConfig> {
        let mut made = hickory_resolver::TlsConfig::new().map_err(io::Error::other)?;
        let mut ways = servers.iter().flat_map(|server| &server.connections);
        if ways.any(|way| way.protocol.to_protocol().is_encrypted()) {
            let config = self.0.client().await;
            let config = config.map_err(|(_, error)| io::Error::other(error))?;
            made.config = (*config).clone();
            // HTTP/1.1 is none of theirs; hickory adds HTTP/2 where it is to be spoken.
            made.config.alpn_protocols.clear();
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::super::server::NameServer;
    use super::*;

    /// Also where there are two providers, of which rustls would not know which to take.
    #[tokio::test]
    async fn settings_are_made_with_any_provider() {
        let address = SocketAddr::from(([127, 0, 0, 1], 853));
        let server = NameServer::tls(address, "dns.test").config;
        let encryption = Encryption::from(TlsConfig::danger_accept_any_certificate());
        let made = encryption.with(&[server]).await.expect("valid settings");
        assert!(made.config.alpn_protocols.is_empty());
        assert!(rustls::crypto::CryptoProvider::get_default().is_none());
    }
}
