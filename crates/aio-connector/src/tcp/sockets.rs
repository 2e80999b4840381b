//! How a connector for TCP makes its sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::TcpConnectorBuilder;
use crate::socket::TcpKeepalive;

impl TcpConnectorBuilder {
    /// Connects from this address of this machine; default whichever the operating system
    /// takes. aiohttp's `local_addr`, with a port of 0 for any that is free.
    ///
    /// Peers of the other family cannot be reached then, see [`local_addrs`].
    ///
    /// [`local_addrs`]: Self::local_addrs
    pub fn local_addr(self, address: impl Into<SocketAddr>) -> Self {
        self.local_addrs([address])
    }

    /// Connects from these addresses of this machine, those of the peer's family in turn;
    /// default whichever the operating system takes.
    ///
    /// One address has ports for some 28,000 connections on Linux
    /// (`net.ipv4.ip_local_port_range`), several have as many each. Linux gives a bound
    /// socket a port that is taken for all peers, not for its own alone; a
    /// [`socket_factory`] that sets `IP_BIND_ADDRESS_NO_PORT` changes that.
    ///
    /// Where an address has no free port left, or is not to be had, the next is tried; where
    /// none is left, the kind of the error is
    /// [`NoLocalPort`](crate::ConnectErrorKind::NoLocalPort) or
    /// [`Socket`](crate::ConnectErrorKind::Socket), as for peers of a family that none of
    /// them has.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use aio_connector::TcpConnector;
    ///
    /// let addresses = [10, 11, 12].map(|host| (Ipv4Addr::new(192, 0, 2, host), 0));
    /// let connector = TcpConnector::builder().limit(None).local_addrs(addresses).build()?;
    /// # Ok::<(), aio_connector::SettingsError>(())
    /// ```
    ///
    /// [`socket_factory`]: Self::socket_factory
    pub fn local_addrs<A: Into<SocketAddr>>(
        mut self,
        addresses: impl IntoIterator<Item = A>,
    ) -> Self {
        self.dialer.sockets.local = addresses.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether a small piece is sent without waiting for the peer to have the one
    /// before (`TCP_NODELAY`); default true.
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.dialer.sockets.nodelay = nodelay;
        self
    }

    /// Has the operating system ask silent peers for a sign of life (`SO_KEEPALIVE`);
    /// default `None`: it does not, as in aiohttp's client.
    ///
    /// It finds peers that went without a word, and keeps the memory of routers fresh. It
    /// is not [`keepalive_timeout`](Self::keepalive_timeout), which bounds how long an idle
    /// connection is kept.
    pub fn tcp_keepalive(mut self, keepalive: impl Into<Option<TcpKeepalive>>) -> Self {
        self.dialer.sockets.keepalive = keepalive.into();
        self
    }

    /// Sets how many bytes the operating system holds of what is to be sent (`SO_SNDBUF`);
    /// default as it chooses.
    ///
    /// Linux doubles the number, takes at most `net.core.wmem_max`, and stops to fit the
    /// size to the connection by itself.
    pub fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.dialer.sockets.send_buffer = Some(bytes);
        self
    }

    /// Sets how many bytes the operating system holds of what has come (`SO_RCVBUF`);
    /// default as it chooses.
    ///
    /// Linux doubles the number, takes at most `net.core.rmem_max`, and stops to fit the
    /// size to the connection by itself.
    pub fn recv_buffer_size(mut self, bytes: usize) -> Self {
        self.dialer.sockets.recv_buffer = Some(bytes);
        self
    }

    /// Sends and receives by this network interface only (`SO_BINDTODEVICE`), such as
    /// `eth0`; default any. On Linux and Android alone.
    ///
    /// Linux before 5.7 wants the capability `CAP_NET_RAW` for it.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    pub fn interface(mut self, name: &str) -> Self {
        self.dialer.sockets.interface = Some(name.into());
        self
    }

    /// Makes sockets with `factory`, which is told the address that each is for; default
    /// sockets for TCP without options. aiohttp's `socket_factory`.
    ///
    /// The socket must not be connected. It is made non-blocking and bound, gets what else
    /// is set here ([`nodelay`](Self::nodelay) too) and is connected; the factory itself
    /// must not block. Any crate's sockets will do that become a [`TcpStream`] of the
    /// standard library, on Unix any `OwnedFd`.
    ///
    /// ```
    /// use aio_connector::TcpConnector;
    /// use socket2::{Domain, Protocol, Socket, Type};
    ///
    /// let connector = TcpConnector::builder().socket_factory(|peer| {
    ///     let domain = Domain::for_address(peer);
    ///     let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    ///     socket.set_linger(None)?;
    ///     Ok(socket.into())
    /// });
    /// # connector.build()?;
    /// # Ok::<(), aio_connector::SettingsError>(())
    /// ```
    ///
    /// [`TcpStream`]: std::net::TcpStream
    pub fn socket_factory(
        mut self,
        factory: impl Fn(SocketAddr) -> io::Result<std::net::TcpStream> + Send + Sync + 'static,
    ) -> Self {
        self.dialer.sockets.factory = Some(Arc::new(factory));
        self
    }
}
