//! The settings of a session that are about proxies.

use aio_connector::IntoProxy;
use aio_core::BasicAuth;

use super::ClientSessionBuilder;
use crate::error::UsageError;
use crate::proxy::ProxyChoice;

impl ClientSessionBuilder {
    /// Sends requests through a proxy, in place of those of the environment: the URL of an
    /// HTTP proxy, `http` or `https`, with the feature `socks` `socks5h`, `socks5`, `socks4a`
    /// or `socks4`, or a [`Proxy`](aio_connector::Proxy); default none.
    ///
    /// ```
    /// use aio_client::ClientSession;
    ///
    /// let session = ClientSession::builder().proxy("http://127.0.0.1:3128").build()?;
    /// assert!(ClientSession::builder().proxy("127.0.0.1:3128").build().is_err());
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn proxy(mut self, proxy: impl IntoProxy) -> Self {
        match proxy.into_proxy() {
            Ok(proxy) => self.options().proxy_mut().choice = ProxyChoice::Through(proxy),
            Err(error) => self.fail(error.into()),
        }
        self
    }

    /// Sends requests through no proxy, though [`trust_env`](Self::trust_env) may be set.
    pub fn no_proxy(mut self) -> Self {
        self.options().proxy_mut().choice = ProxyChoice::Direct;
        self
    }

    /// Tells the proxy that the session or a request names these credentials, in place of
    /// those in its URL; proxies of the environment have their own.
    pub fn proxy_auth(mut self, auth: BasicAuth) -> Self {
        self.options().proxy_mut().auth = Some(auth);
        self
    }

    /// Sends the proxy that the session or a request names a header with requests for a
    /// tunnel, as [`RequestBuilder::proxy_header`](crate::RequestBuilder::proxy_header).
    pub fn proxy_header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        if let Err(error) = self.options().proxy_mut().headers.insert(name, value) {
            self.fail(UsageError::from(error).into());
        }
        self
    }

    /// Sends it several headers so.
    pub fn proxy_headers<N: AsRef<str>, V: AsRef<[u8]>>(
        self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        headers.into_iter().fold(self, |builder, (name, value)| {
            builder.proxy_header(name, value)
        })
    }
}
