//! Connecting through a proxy.

use super::TcpDialer;
use crate::connector::ConnectRequest;
use crate::error::{ConnectErrorKind, ConnectionError, DialError, Phase};
use crate::key::ConnectionKey;
use crate::proxy::{self, Proxy};
use crate::transport::Transport;

impl TcpDialer {
    /// Connects to the proxy; to a peer that it does not forward requests to, through it.
    pub(super) async fn connect_through(
        &self,
        proxy: &Proxy,
        key: &ConnectionKey,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Transport, ConnectionError> {
        if !key.is_tls() {
            return self.reach(proxy, key, request).await;
        }
        let prepared = request.within(Phase::Tls, self.tls.prepare(key)).await?;
        let failed = |request: &ConnectRequest<'_>, refusal| {
            request.dial_failed(key, DialError::Failed(refusal))
        };
        let handshake = prepared.map_err(|refusal| failed(request, refusal))?;
        let tunnel = self.reach(proxy, key, request).await?;
        let agreed = request.within(Phase::Tls, handshake.agree(tunnel)).await?;
        agreed.map_err(|refusal| failed(request, refusal))
    }

    /// Connects to who reads what is said to the peer.
    async fn reach(
        &self,
        proxy: &Proxy,
        key: &ConnectionKey,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Transport, ConnectionError> {
        if let Some(socks) = proxy.socks() {
            return self.connect_by_socks(socks, proxy, key, request).await;
        }
        let stream = self.connect_to_proxy(proxy, request).await?;
        match key.forwarded_by() {
            Some(_) => Ok(stream.untold()),
            None => proxy::open(proxy, stream, key, request).await,
        }
    }

    pub(super) async fn connect_to_proxy(
        &self,
        proxy: &Proxy,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Transport, ConnectionError> {
        // CON-91: of a proxy's name nobody is told.
        let observer = request.observer.take();
        let key = proxy.key();
        // What the connector pins is not asked of who has settings of its own.
        let tls = key.tls().unwrap_or(&self.tls);
        let connected = self.connect(key, tls, request).await;
        request.observer = observer;
        connected.map_err(|error| {
            // CON-54, CON-66, CON-88: names and TLS fail as they do with any host.
            let error = match error {
                DialError::Failed((ConnectErrorKind::Refused | ConnectErrorKind::Lost, source)) => {
                    DialError::Failed((ConnectErrorKind::Proxy, source))
                }
                error => error,
            };
            request.dial_failed(proxy.key(), error)
        })
    }
}
