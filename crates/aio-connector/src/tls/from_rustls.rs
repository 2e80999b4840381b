//! Settings made with rustls itself.

use std::sync::Arc;

use rustls::ClientConfig;

use super::client::HTTP11;
use super::config::TlsConfig;
use super::settings::Settings;

impl TlsConfig {
    /// Takes over settings of rustls.
    ///
    /// Of the protocols they offer by ALPN those that this client does not speak are left
    /// out.
    ///
    /// ```
    /// # fn run(config: rustls::ClientConfig) {
    /// let tls = aio_connector::TlsConfig::from_rustls(config);
    /// # }
    /// ```
    pub fn from_rustls(config: impl Into<Arc<ClientConfig>>) -> Self {
        let mut config = Arc::unwrap_or_clone(config.into());
        config.alpn_protocols.retain(|protocol| protocol == HTTP11);
        Self::with(Settings::default(), Some(Arc::new(config)))
    }
}
