//! How sockets are made, and what may be missing for one.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use crate::error::{ConnectErrorKind, DialError, Refusal, is_file_limit};

/// How a connector makes its sockets.
pub(crate) struct SocketOptions {
    pub(crate) local: LocalAddresses,
    pub(crate) nodelay: bool,
    pub(crate) keepalive: Option<TcpKeepalive>,
    pub(crate) send_buffer: Option<usize>,
    pub(crate) recv_buffer: Option<usize>,
    #[cfg(any(target_os = "android", target_os = "linux"))]
    pub(crate) interface: Option<Box<str>>,
    pub(crate) factory: Option<Arc<SocketFactory>>,
}

pub(crate) type SocketFactory = dyn Fn(SocketAddr) -> io::Result<std::net::TcpStream> + Send + Sync;

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            local: LocalAddresses::default(),
            // CON-36: a small request must not wait for the answer to the one before.
            nodelay: true,
            keepalive: None,
            send_buffer: None,
            recv_buffer: None,
            #[cfg(any(target_os = "android", target_os = "linux"))]
            interface: None,
            factory: None,
        }
    }
}

impl SocketOptions {
    /// Connects a new socket, from the local address whose turn it is; where that has no
    /// free port or is not to be had, from the next.
    pub(crate) async fn connect(&self, peer: SocketAddr) -> Result<TcpStream, Refusal> {
        if self.local.is_empty() {
            return self.connect_from(None, peer).await;
        }
        let mut last = no_local_address(peer);
        for local in self.local.towards(peer) {
            match self.connect_from(Some(local), peer).await {
                Err(refusal) if is_local(&refusal.0) => last = refusal,
                done => return done,
            }
        }
        Err(last)
    }

    async fn connect_from(
        &self,
        local: Option<SocketAddr>,
        peer: SocketAddr,
    ) -> Result<TcpStream, Refusal> {
        let socket = self
            .socket(peer)
            .map_err(|error| refusal(Step::Make, error))?;
        if let Some(local) = local {
            let bound = socket.bind(local);
            bound.map_err(|error| refusal(Step::Bind(local), error))?;
        }
        let connected = socket.connect(peer).await;
        connected.map_err(|error| refusal(Step::Connect { local, peer }, error))
    }

    /// Makes a socket with all that is set but its address.
    fn socket(&self, peer: SocketAddr) -> io::Result<TcpSocket> {
        let socket = match &self.factory {
            Some(factory) => {
                let made = factory(peer)?;
                made.set_nonblocking(true)?;
                TcpSocket::from_std_stream(made)
            }
            None if peer.is_ipv4() => TcpSocket::new_v4()?,
            None => TcpSocket::new_v6()?,
        };
        if self.nodelay {
            socket.set_nodelay(true)?;
        }
        if let Some(keepalive) = &self.keepalive {
            SockRef::from(&socket).set_tcp_keepalive(&keepalive.to_system())?;
        }
        if let Some(size) = self.send_buffer {
            SockRef::from(&socket).set_send_buffer_size(size)?;
        }
        if let Some(size) = self.recv_buffer {
            SockRef::from(&socket).set_recv_buffer_size(size)?;
        }
        self.bind_to_interface(&socket)?;
        Ok(socket)
    }

    #[cfg(any(target_os = "android", target_os = "linux"))]
    fn bind_to_interface(&self, socket: &TcpSocket) -> io::Result<()> {
        // The longest name there is; see `IFNAMSIZ`.
        const LONGEST: usize = 15;
        let Some(name) = &self.interface else {
            return Ok(());
        };
        // Linux takes an empty name for any interface, and cuts one that is too long.
        if name.is_empty() || name.len() > LONGEST || name.contains('\0') {
            let none = format!("there can be no interface {name:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, none));
        }
        socket.bind_device(Some(name.as_bytes()))
    }

    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    fn bind_to_interface(&self, _: &TcpSocket) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for SocketOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketOptions")
            .field("local", &self.local)
            .field("nodelay", &self.nodelay)
            .field("keepalive", &self.keepalive)
            .field("has_factory", &self.factory.is_some())
            .finish_non_exhaustive()
    }
}

/// The addresses to connect from; those of a family take turns.
#[derive(Debug, Default)]
pub(crate) struct LocalAddresses {
    v4: Turns,
    v6: Turns,
}

#[derive(Debug, Default)]
struct Turns {
    addresses: Vec<SocketAddr>,
    taken: AtomicUsize,
}

impl FromIterator<SocketAddr> for LocalAddresses {
    fn from_iter<I: IntoIterator<Item = SocketAddr>>(addresses: I) -> Self {
        let mut local = Self::default();
        (local.v4.addresses, local.v6.addresses) =
            addresses.into_iter().partition(SocketAddr::is_ipv4);
        local
    }
}

impl LocalAddresses {
    fn is_empty(&self) -> bool {
        self.v4.addresses.is_empty() && self.v6.addresses.is_empty()
    }

    /// Gives each address of the peer's family once, that whose turn it is in front.
    fn towards(&self, peer: SocketAddr) -> impl Iterator<Item = SocketAddr> {
        let turns = if peer.is_ipv4() { &self.v4 } else { &self.v6 };
        let count = turns.addresses.len();
        let turn = turns.taken.fetch_add(1, Ordering::Relaxed);
        let first = turn.checked_rem(count).unwrap_or_default();
        turns
            .addresses
            .iter()
            .copied()
            .cycle()
            .skip(first)
            .take(count)
    }
}

/// When the operating system asks a silent peer for a sign of life; what is `None` is as the
/// operating system has it.
///
/// ```
/// use std::time::Duration;
/// use aio_connector::{TcpConnector, TcpKeepalive};
///
/// let keepalive = TcpKeepalive {
///     interval: Some(Duration::from_secs(10)),
///     ..TcpKeepalive::after(Duration::from_secs(60))
/// };
/// let connector = TcpConnector::builder().tcp_keepalive(keepalive).build()?;
/// # Ok::<(), aio_connector::SettingsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpKeepalive {
    /// How long a connection is silent before the first probe, rounded up to whole seconds;
    /// Linux: 2 h.
    pub idle: Option<Duration>,
    /// How long until the next probe, rounded up to whole seconds; Linux: 75 s.
    ///
    /// OpenBSD, Solaris and rarer systems have no such setting, and none for `retries`.
    pub interval: Option<Duration>,
    /// How many probes without an answer end the connection; Linux: 9.
    pub retries: Option<u32>,
}

impl TcpKeepalive {
    /// Makes one whose first probe is sent after `idle`.
    pub fn after(idle: Duration) -> Self {
        Self {
            idle: Some(idle),
            ..Self::default()
        }
    }

    fn to_system(self) -> socket2::TcpKeepalive {
        let mut system = socket2::TcpKeepalive::new();
        if let Some(idle) = self.idle {
            system = system.with_time(whole_seconds(idle));
        }
        self.with_probes(system)
    }

    #[cfg(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "windows",
    ))]
    fn with_probes(self, mut system: socket2::TcpKeepalive) -> socket2::TcpKeepalive {
        if let Some(interval) = self.interval {
            system = system.with_interval(whole_seconds(interval));
        }
        if let Some(retries) = self.retries {
            system = system.with_retries(retries);
        }
        system
    }

    #[cfg(not(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "windows",
    )))]
    fn with_probes(self, system: socket2::TcpKeepalive) -> socket2::TcpKeepalive {
        system
    }
}

/// Rounds up: what is shorter than a second is none to most systems, which refuse it.
fn whole_seconds(time: Duration) -> Duration {
    let more = u64::from(time.subsec_nanos() > 0);
    Duration::from_secs(time.as_secs().saturating_add(more))
}

/// What was done with a socket.
#[derive(Debug, Clone, Copy)]
enum Step {
    Make,
    Bind(SocketAddr),
    Connect {
        local: Option<SocketAddr>,
        peer: SocketAddr,
    },
}

/// Names what a step failed for.
fn refusal(step: Step, error: io::Error) -> Refusal {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable};
    if is_file_limit(&error) {
        return (ConnectErrorKind::FileLimit, Arc::new(error));
    }
    let kind = match (step, error.kind()) {
        // A `socket_factory` may bind, too.
        (_, AddrInUse) => ConnectErrorKind::NoLocalPort,
        (Step::Connect { local, peer }, AddrNotAvailable) if has_address(local, peer) => {
            ConnectErrorKind::NoLocalPort
        }
        (Step::Connect { .. }, _) => ConnectErrorKind::Refused,
        (Step::Make | Step::Bind(_), _) => ConnectErrorKind::Socket,
    };
    match step {
        Step::Bind(address) => (kind, Arc::new(BindError { address, error })),
        Step::Make | Step::Connect { .. } => (kind, Arc::new(error)),
    }
}

/// Tells whether the operating system has an address to reach `peer` from: then it is a
/// port that is missing. `EADDRNOTAVAIL` says either.
fn has_address(local: Option<SocketAddr>, peer: SocketAddr) -> bool {
    let mut local = local.unwrap_or(match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    });
    local.set_port(0);
    // Nothing is sent: to connect a socket for UDP is to choose its address.
    UdpSocket::bind(local).is_ok_and(|socket| socket.connect(peer).is_ok())
}

/// Names why a name has no address: for want of a file to ask with, the operating system's
/// resolver says that there is no such name.
pub(crate) fn not_found(error: DialError) -> DialError {
    match (error, UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))) {
        (DialError::Failed(_), Err(full)) if is_file_limit(&full) => {
            DialError::failed(ConnectErrorKind::FileLimit, full)
        }
        (error, _) => error,
    }
}

/// Tells whether another local address may do.
fn is_local(kind: &ConnectErrorKind) -> bool {
    matches!(
        kind,
        ConnectErrorKind::Socket | ConnectErrorKind::NoLocalPort
    )
}

/// CON-63.
fn no_local_address(peer: SocketAddr) -> Refusal {
    let family = if peer.is_ipv4() { "IPv4" } else { "IPv6" };
    let text = format!("no matching local address with family={family} found");
    let none = io::Error::new(io::ErrorKind::AddrNotAvailable, text);
    (ConnectErrorKind::Socket, Arc::new(none))
}

/// A local address that could not be had.
#[derive(Debug)]
pub(crate) struct BindError {
    address: SocketAddr,
    pub(crate) error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // CON-63.
        write!(
            f,
            "error while attempting to bind on address {}",
            self.address
        )
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::TcpListener;

    use socket2::{Domain, Protocol, Socket, Type};

    /// Something to connect to.
    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("it is bound");
        (listener, address)
    }

    #[cfg(target_os = "linux")]
    fn at(host: u8) -> SocketAddr {
        (Ipv4Addr::new(127, 0, 0, host), 0).into()
    }

    fn from(local: impl IntoIterator<Item = SocketAddr>) -> SocketOptions {
        SocketOptions {
            local: local.into_iter().collect(),
            ..SocketOptions::default()
        }
    }

    /// Connects, and says from where, or why not.
    async fn connect(options: &SocketOptions, peer: SocketAddr) -> Result<SocketAddr, String> {
        match options.connect(peer).await {
            Ok(stream) => Ok(stream.local_addr().expect("it is connected")),
            Err((kind, source)) => Err(format!("{kind:?}: {source}")),
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn settings_reach_the_socket() {
        let (_listener, peer) = listener();
        let plain = SocketOptions::default().connect(peer).await;
        let plain = plain.expect("a listener");
        let plain = SockRef::from(&plain);
        // CON-36, and aiohttp's client sends no probes.
        assert!(plain.tcp_nodelay().expect("TCP"));
        assert!(!plain.keepalive().expect("TCP"));

        let options = SocketOptions {
            nodelay: false,
            keepalive: Some(TcpKeepalive {
                // Rounded up.
                interval: Some(Duration::from_millis(300)),
                retries: Some(3),
                ..TcpKeepalive::after(Duration::from_secs(42))
            }),
            send_buffer: Some(20_000),
            recv_buffer: Some(30_000),
            ..SocketOptions::default()
        };
        let stream = options.connect(peer).await.expect("a listener");
        let socket = SockRef::from(&stream);
        assert!(!socket.tcp_nodelay().expect("TCP"));
        assert!(socket.keepalive().expect("TCP"));
        let idle = socket.tcp_keepalive_time().expect("TCP");
        let interval = socket.tcp_keepalive_interval().expect("TCP");
        assert_eq!((idle.as_secs(), interval.as_secs()), (42, 1));
        assert_eq!(socket.tcp_keepalive_retries().expect("TCP"), 3);
        let (send, receive) = (socket.send_buffer_size(), socket.recv_buffer_size());
        // Linux doubles what it is told.
        assert_eq!(send.expect("TCP"), 40_000);
        assert_eq!(receive.expect("TCP"), 60_000);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_interface_is_bound_to() {
        let (_listener, peer) = listener();
        let through = |name: &str| SocketOptions {
            interface: Some(name.into()),
            ..SocketOptions::default()
        };
        let stream = through("lo").connect(peer).await.expect("a listener");
        let bound = SockRef::from(&stream).device().expect("a socket");
        assert_eq!(bound.as_deref(), Some(&b"lo"[..]));
        let error = connect(&through("no-such-0"), peer).await;
        assert_eq!(error, Err("Socket: No such device (os error 19)".into()));
        // Linux would take these for any interface, for `lo`, and for one with a shorter name.
        for name in ["", "lo\0", "a-name-of-16-chr"] {
            let error = connect(&through(name), peer).await;
            let text = format!("Socket: there can be no interface {name:?}");
            assert_eq!(error, Err(text));
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn local_addresses_take_turns() {
        let (_listener, peer) = listener();
        let (v6, foreign) = (([0; 16], 0).into(), ([192, 0, 2, 1], 0).into());
        let options = from([v6, at(2), at(3), foreign]);
        let mut hosts = Vec::new();
        for _ in 0..6 {
            let local = connect(&options, peer).await.expect("a listener");
            hosts.push(local.ip());
        }
        // The one that is not of this machine is passed over.
        let want = [2, 3, 2, 2, 3, 2].map(|host| at(host).ip());
        assert_eq!(hosts, want);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_local_address_that_is_not_to_be_had_is_named() {
        // CON-63.
        let (_listener, peer) = listener();
        let v6 = (Ipv6Addr::LOCALHOST, 0).into();
        let error = connect(&from([v6]), peer).await;
        let none = "Socket: no matching local address with family=IPv4 found";
        assert_eq!(error, Err(none.into()));

        let foreign = from([([192, 0, 2, 1], 0).into()]);
        let (kind, source) = foreign
            .connect(peer)
            .await
            .expect_err("not of this machine");
        assert_eq!(kind, ConnectErrorKind::Socket);
        let text = "error while attempting to bind on address 192.0.2.1:0";
        assert_eq!(source.to_string(), text);
        let cause = source
            .source()
            .and_then(|cause| cause.downcast_ref::<io::Error>());
        let number = cause.and_then(io::Error::raw_os_error);
        assert_eq!(number, Some(99));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_port_that_is_taken_is_a_kind_of_its_own() {
        let (_listener, peer) = listener();
        let taken = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        taken.bind(&at(2).into()).expect("a port");
        let local = taken.local_addr().expect("it is bound");
        let local = local.as_socket().expect("it is TCP's");
        // Nobody else may bind it.
        let error = connect(&from([local]), peer).await;
        let text = format!("NoLocalPort: error while attempting to bind on address {local}");
        assert_eq!(error, Err(text));

        // With this option it may be bound again, but not towards the same peer.
        let reusing = |_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            Ok(socket.into())
        };
        let options = SocketOptions {
            factory: Some(Arc::new(reusing)),
            ..from([at(3)])
        };
        let first = options.connect(peer).await.expect("a listener");
        let local = first.local_addr().expect("it is connected");
        let again = SocketOptions {
            local: [local].into_iter().collect(),
            ..options
        };
        let error = connect(&again, peer).await;
        let text = "NoLocalPort: Cannot assign requested address (os error 99)";
        assert_eq!(error, Err(text.into()));
        // The next local address has ports.
        let again = SocketOptions {
            local: [local, at(4)].into_iter().collect(),
            ..again
        };
        let found = connect(&again, peer).await.expect("a listener");
        assert_eq!(found.ip(), at(4).ip());
    }

    #[tokio::test]
    async fn a_factory_is_told_the_address_and_its_socket_is_used() {
        // EDGE-193.
        let (listener, peer) = listener();
        let lingers = Duration::from_secs(5);
        let make = move |asked: SocketAddr| {
            assert_eq!(asked, peer);
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_linger(Some(lingers))?;
            Ok(socket.into())
        };
        let options = SocketOptions {
            factory: Some(Arc::new(make)),
            ..from([(Ipv4Addr::LOCALHOST, 0).into()])
        };
        let stream = options.connect(peer).await.expect("a listener");
        let socket = SockRef::from(&stream);
        assert_eq!(socket.linger().expect("TCP"), Some(lingers));
        // What else is set is done to it, as in aiohttp.
        assert!(socket.tcp_nodelay().expect("TCP"));
        let (_, from) = listener.accept().expect("a connection");
        assert_eq!(stream.local_addr().expect("it is connected"), from);
    }

    #[tokio::test]
    async fn a_factory_may_fail() {
        let (_listener, peer) = listener();
        let failing = |error: fn() -> io::Error| SocketOptions {
            factory: Some(Arc::new(move |_| Err(error()))),
            ..SocketOptions::default()
        };
        let error = connect(&failing(|| io::Error::other("no")), peer).await;
        assert_eq!(error, Err("Socket: no".into()));
        const FULL: i32 = if cfg!(windows) { 10024 } else { 24 };
        let taken = failing(|| io::ErrorKind::AddrInUse.into());
        let (kind, _) = taken.connect(peer).await.expect_err("it fails");
        assert_eq!(kind, ConnectErrorKind::NoLocalPort);
        let error = failing(|| io::Error::from_raw_os_error(FULL));
        let (kind, source) = error.connect(peer).await.expect_err("it fails");
        assert_eq!(kind, ConnectErrorKind::FileLimit);
        let source = source.downcast_ref::<io::Error>();
        assert_eq!(source.and_then(io::Error::raw_os_error), Some(FULL));
    }
}
