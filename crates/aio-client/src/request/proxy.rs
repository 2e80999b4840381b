//! The settings of a request that are about proxies.

use std::sync::Arc;

use aio_connector::IntoProxy;
use aio_core::BasicAuth;

use super::{RequestBuilder, usage};
use crate::proxy::ProxyChoice;

impl RequestBuilder {
    /// Sends the request through a proxy, in place of the session's and those of the
    /// environment: the URL of an HTTP proxy, `http` or `https`, with the feature `socks`
    /// `socks5h`, `socks5`, `socks4a` or `socks4`, or a [`Proxy`](aio_connector::Proxy).
    ///
    /// Its redirects go through the same one. Credentials in its URL are told to it, and to
    /// nobody else. What is no proxy is a [`ClientError::Proxy`](crate::ClientError::Proxy).
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// session.get("http://example.org/").proxy("http://ada:s3cret@127.0.0.1:3128").await?;
    /// # #[cfg(feature = "socks")]
    /// session.get("http://example.org/").proxy("socks5h://127.0.0.1:1080").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn proxy(self, proxy: impl IntoProxy) -> Self {
        self.with(|request| {
            let proxy = proxy.into_proxy()?;
            let options = Arc::make_mut(&mut request.parts.options).proxy_mut();
            options.choice = ProxyChoice::Through(proxy);
            Ok(())
        })
    }

    /// Sends the request through no proxy, whatever the session and the environment say;
    /// nor its redirects.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// session.get("http://127.0.0.1:8080/").no_proxy().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn no_proxy(self) -> Self {
        self.with_options(|options| options.proxy_mut().choice = ProxyChoice::Direct)
    }

    /// Tells the proxy that the request or the session names these credentials, in place of
    /// the session's and of those in its URL.
    pub fn proxy_auth(self, auth: BasicAuth) -> Self {
        self.with_options(|options| options.proxy_mut().auth = Some(auth))
    }

    /// Sends the proxy a header with the request for a tunnel, which `https` and `wss` ask
    /// for, in place of the session's of that name; aiohttp's `proxy_headers`.
    ///
    /// Nothing else of the request or the session gets there. `http` and `ws` requests take
    /// but `Proxy-Authorization` of these along. SOCKS proxies are told none.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// let request = session.get("https://example.org/").proxy("http://127.0.0.1:3128");
    /// request.proxy_header("Proxy-Authorization", "Bearer t0ken").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn proxy_header(self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.with(|request| {
            let options = Arc::make_mut(&mut request.parts.options).proxy_mut();
            options.headers.insert(name, value).map_err(usage)
        })
    }

    /// Sends the proxy several headers so.
    pub fn proxy_headers<N: AsRef<str>, V: AsRef<[u8]>>(
        self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        headers.into_iter().fold(self, |request, (name, value)| {
            request.proxy_header(name, value)
        })
    }
}
