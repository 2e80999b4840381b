//! A resolver that asks name servers itself, by hickory.

mod connections;
#[cfg(feature = "__tls")]
mod encryption;
#[cfg(not(feature = "__tls"))]
#[path = "encryption/absent.rs"]
mod encryption;
mod error;
mod server;

use std::fmt;
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, MAX_TTL, system_conf};
use tokio::runtime::{Handle, Id};
use tokio::sync::watch;

use self::connections::Connections;
use self::encryption::Encryption;
pub use self::server::NameServer;
use super::{AddressFamily, BoxFuture, Resolved, Resolver};
#[cfg(feature = "__tls")]
use crate::tls::TlsConfig;

/// Asks name servers itself, as hickory does it; aiohttp's `AsyncResolver`.
///
/// It needs no thread, tells how long addresses hold (a day at most), and speaks DNS over
/// UDP (TCP where an answer is too long), over TLS, and over HTTPS. It keeps no answers: the
/// connector's cache does. A server has one connection, which is made anew when it has
/// ended; up to 32 questions are under way on it, or 256 by UDP, and more wait.
///
/// Both families are asked for at once where either will do, and IPv6 addresses come first;
/// if one family is not answered, the other's addresses are there when its time is over.
/// `localhost` and names below it are 127.0.0.1 and `::1` unless the hosts file knows them
/// otherwise, and no server is asked (RFC 6761). A name that ends with a dot is looked up as
/// it is; any other with the search domains of the system too, if those are used: before
/// them if it has as many dots as `ndots` says (1), else behind them.
///
/// Connections to name servers belong to the tokio runtime they were made on: on another
/// runtime a resolver begins anew.
///
/// An error's kind says what is wrong: [`NotFound`](io::ErrorKind::NotFound) where the name
/// or the address does not exist, [`TimedOut`](io::ErrorKind::TimedOut) where nobody answers
/// in time, [`PermissionDenied`](io::ErrorKind::PermissionDenied) where the server refuses,
/// that of the connection where there is none, else [`Other`](io::ErrorKind::Other).
///
/// ```
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use std::time::Duration;
/// use aio_connector::{HickoryResolver, NameServer, TcpConnector};
///
/// let servers = [NameServer::udp("192.0.2.1:53".parse()?)];
/// let resolver = HickoryResolver::new(servers).timeout(Duration::from_secs(2));
/// let connector = TcpConnector::builder().resolver(Arc::new(resolver)).build()?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct HickoryResolver {
    config: ResolverConfig,
    options: ResolverOpts,
    hosts: Hosts,
    encryption: Encryption,
    running: Mutex<Option<Running>>,
}

const DAY: Duration = Duration::from_secs(MAX_TTL as u64);

/// What runs on one runtime.
#[derive(Clone)]
struct Running {
    runtime: Id,
    resolver: hickory_resolver::Resolver<Connections>,
    connections: Connections,
    #[expect(dead_code, reason = "tasks end when it is dropped")]
    kept: watch::Sender<()>,
}

impl HickoryResolver {
    /// Asks these name servers, two at a time, the quick ones first.
    ///
    /// The hosts file and search domains of the system are not used.
    pub fn new(servers: impl IntoIterator<Item = NameServer>) -> Self {
        let servers = servers.into_iter().map(|server| server.config).collect();
        let config = ResolverConfig::from_name_servers(servers);
        Self::with(config, ResolverOpts::default(), Hosts::default())
    }

    /// Asks as the system is set up to: on Unix by `/etc/resolv.conf` and `/etc/hosts`.
    ///
    /// Both are read now, and not again.
    ///
    /// # Errors
    /// If the settings cannot be read, or name no server.
    pub fn from_system() -> io::Result<Self> {
        let (config, options) = system_conf::read_system_conf().map_err(io::Error::other)?;
        // A system without the file has no hosts to tell.
        let hosts = Hosts::from_system().unwrap_or_default();
        let tries = options.attempts;
        Ok(Self::with(config, options, hosts).attempts(tries))
    }

    fn with(config: ResolverConfig, mut options: ResolverOpts, hosts: Hosts) -> Self {
        options.cache_size = 0;
        // Their TTLs count, too.
        options.preserve_intermediates = true;
        // They are asked here: one that knows a name for one family must not make servers be
        // asked for the other.
        options.use_hosts_file = ResolveHosts::Never;
        // Where both fail, the error of the second is dropped: names without an IPv6 address
        // are many.
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.attempts = 1;
        Self {
            config,
            options,
            hosts,
            encryption: Encryption::default(),
            running: Mutex::new(None),
        }
    }

    /// Sets how long one attempt may take, a day at most; default 5 seconds, or what the
    /// system says.
    ///
    /// [`ClientTimeout::dns`](aio_core::ClientTimeout::dns) bounds a look-up as a whole.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        // hickory adds it to the time of day, and must not overflow.
        self.options.timeout = timeout.min(DAY);
        self
    }

    /// Sets how often a question is asked while no answer comes in time; default 2, or what
    /// the system says. 0 is taken for 1.
    pub fn attempts(mut self, attempts: usize) -> Self {
        self.options.attempts = attempts.saturating_sub(1);
        self
    }

    /// Takes names from a file like `/etc/hosts` before servers are asked, in the place of
    /// those from before; it is read now, and not again.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn hosts_file(mut self, path: impl AsRef<Path>) -> io::Result<Self> {
        self.hosts = Hosts::default();
        self.hosts.read_hosts_conf(File::open(path)?)?;
        Ok(self)
    }

    /// Sets which name servers are trusted that are asked by TLS or HTTPS; default whom the
    /// operating system trusts.
    #[cfg(feature = "__tls")]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.encryption = tls.into();
        self
    }

    /// Finds what the hosts file has, if it knows the name at all.
    fn in_hosts(&self, name: &Name, family: AddressFamily) -> Option<Vec<IpAddr>> {
        let known = [RecordType::AAAA, RecordType::A].map(|kind| {
            let query = Query::query(name.clone(), kind);
            self.hosts.lookup_static_host(&query)
        });
        if known.iter().all(Option::is_none) {
            return None;
        }
        let known = known.iter().flatten().flat_map(Lookup::answers);
        let addresses = known.filter_map(|record| record.data.ip_addr());
        Some(addresses.filter(|address| family.has(address)).collect())
    }

    /// Asks the name servers.
    async fn ask(&self, name: Name, family: AddressFamily) -> io::Result<Lookup> {
        let running = self.running().await?;
        let resolver = &running.resolver;
        let found = match family {
            AddressFamily::Any => resolver.lookup_ip(name).await.map(Lookup::from),
            AddressFamily::V4 => resolver.ipv4_lookup(name).await,
            AddressFamily::V6 => resolver.ipv6_lookup(name).await,
        };
        found.map_err(|error| error::of_lookup(error, running.connections.failure()))
    }

    /// Gives what runs on this runtime.
    async fn running(&self) -> io::Result<Running> {
        let runtime = Handle::try_current().map_err(io::Error::other)?.id();
        if let Some(running) = self.made_on(runtime) {
            return Ok(running);
        }
        let (config, options) = (self.config.clone(), self.options.clone());
        let tls = self.encryption.with(config.name_servers()).await?;
        let (kept, end) = watch::channel(());
        let connections = Connections::new(options.clone(), tls, end);
        let mut builder =
            hickory_resolver::Resolver::builder_with_config(config, connections.clone());
        *builder.options_mut() = options;
        let resolver = builder.build().map_err(io::Error::other)?;
        // Another look-up may have been quicker; they are to share its connections.
        if let Some(running) = self.made_on(runtime) {
            return Ok(running);
        }
        let running = Running {
            runtime,
            resolver,
            connections,
            kept,
        };
        let before = self.lock().replace(running.clone());
        drop(before);
        Ok(running)
    }

    fn made_on(&self, runtime: Id) -> Option<Running> {
        let running = self.lock();
        running
            .as_ref()
            .filter(|running| running.runtime == runtime)
            .cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HickoryResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = self.config.name_servers();
        f.debug_struct("HickoryResolver")
            .field("servers", &servers)
            .finish_non_exhaustive()
    }
}

impl Resolver for HickoryResolver {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        family: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        Box::pin(async move {
            // Underscores are no part of a host's name, and are used all the same.
            let name = Name::from_str_relaxed(host).map_err(error::of_name)?;
            let with_port = |address| SocketAddr::new(address, port);
            if let Some(known) = self.in_hosts(&name, family) {
                return Ok(known.into_iter().map(with_port).collect::<Vec<_>>().into());
            }
            let found = self.ask(name, family).await?;
            let records = found.answers().iter();
            let ttl = records.clone().map(|record| record.ttl).min();
            let addresses = records.filter_map(|record| record.data.ip_addr());
            let mut addresses: Vec<SocketAddr> = addresses.map(with_port).collect();
            // RFC 8305 4: IPv6 first.
            addresses.sort_by_key(SocketAddr::is_ipv4);
            // As long as hickory would keep them: a day.
            let ttl = ttl.map(|seconds| Duration::from_secs(seconds.into()).min(DAY));
            Ok(Resolved { addresses, ttl })
        })
    }
}
