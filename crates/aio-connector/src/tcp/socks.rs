//! Connecting by way of a SOCKS proxy.

use super::TcpDialer;
use crate::connector::ConnectRequest;
use crate::error::{ConnectErrorKind, ConnectionError, Phase};
use crate::key::ConnectionKey;
use crate::proxy::Proxy;
use crate::proxy::socks::{Failure, Socks, SocksError, Target};
use crate::transport::Transport;

impl TcpDialer {
    /// Connects to the proxy and asks it for a tunnel to the peer.
    ///
    /// If the peer is looked up here, its addresses are asked for in turn, each on a
    /// connection of its own: behind a refusal the proxy closes.
    pub(crate) async fn connect_by_socks(
        &self,
        socks: &Socks,
        proxy: &Proxy,
        key: &ConnectionKey,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Transport, ConnectionError> {
        let failed = |request: &mut ConnectRequest<'_>, failure: Failure| {
            request.phase = Phase::Tunnel;
            request.failed_for(proxy.key(), ConnectErrorKind::Proxy, failure.into())
        };
        let targets = match socks.by_name(key) {
            Ok(Some(name)) => vec![name],
            Ok(None) => self.looked_up(socks, key, request).await?,
            Err(error) => return Err(failed(request, error.into())),
        };
        let host = key.host().into();
        let mut last = Failure::Socks(SocksError::NoIpv4 { host });
        for target in &targets {
            let mut stream = self.connect_to_proxy(proxy, request).await?;
            let asking = socks.ask(&mut stream, target);
            last = match request.within(Phase::Tunnel, asking).await? {
                Ok(()) => return Ok(stream),
                Err(failure) if failure.is_about_the_address() => failure,
                Err(failure) => return Err(failed(request, failure)),
            };
        }
        Err(failed(request, last))
    }

    /// Looks up the peer as if it were dialled, and finds what the proxy can be asked for.
    async fn looked_up(
        &self,
        socks: &Socks,
        key: &ConnectionKey,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Vec<Target<'static>>, ConnectionError> {
        let found = self.addresses(key, request).await;
        let addresses = found.map_err(|error| request.dial_failed(key, error))?;
        Ok(socks.by_address(self.eyeballs.order(addresses)))
    }
}
