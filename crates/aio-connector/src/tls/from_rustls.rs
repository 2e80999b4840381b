//! Settings made with rustls itself.

use std::sync::Arc;

use rustls::ClientConfig;

use super::client::may_be_http11;
use super::config::TlsConfig;
use super::settings::Settings;

impl TlsConfig {
    /// Takes over settings of rustls.
    ///
    /// Of the protocols they offer by ALPN other versions of HTTP, as `h2`, are left out:
    /// HTTP/1.1 is spoken, whatever the server chooses.
    ///
    /// ```
    /// # fn run(config: rustls::ClientConfig) {
    /// let tls = aio_connector::TlsConfig::from_rustls(config);
    /// # }
    /// ```
    pub fn from_rustls(config: impl Into<Arc<ClientConfig>>) -> Self {
        let mut config = Arc::unwrap_or_clone(config.into());
        config.alpn_protocols.retain(|name| may_be_http11(name));
        Self::with(Settings::default(), Some(Arc::new(config)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::client_config;
    use super::super::settings::Trust;
    use super::*;

    #[tokio::test]
    async fn names_of_ones_own_for_http11_are_offered() {
        let settings = Settings {
            trust: Trust::Anyone,
            ..Settings::default()
        };
        let config = client_config(&settings).expect("valid settings");
        let mut config = Arc::unwrap_or_clone(config);
        let names = ["h2", "x-amzn-http-ca", "http/1.1", "http/1.0"];
        config.alpn_protocols = names.map(|name| name.as_bytes().to_vec()).into();
        let made = TlsConfig::from_rustls(config).client().await;
        let offered = made.expect("it is made").alpn_protocols.clone();
        assert_eq!(
            offered,
            names[1..3]
                .iter()
                .map(|name| name.as_bytes())
                .collect::<Vec<_>>()
        );
    }
}
