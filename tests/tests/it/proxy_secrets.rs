//! Whatever a request has of credentials, and wherever it goes: the server is told nothing
//! that is for a proxy, a proxy nothing that is for the server or another proxy, and nobody
//! who looks is shown any of it.

use std::error::Error;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aio_client::{
    AddressFamily, BasicAuth, BoxFuture, ClientError, ClientResponse, ClientSession, ClientTimeout,
    Environment, Resolved, Resolver, TcpConnector,
};
use aio_tests::http_server::{Request, Response, TestServer};
use aio_tests::tls::Authority;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

use crate::netrc::Netrc;
use crate::peer::soon;
use crate::secrets::Log;

/// A request, where it leads, and who is told what.
#[derive(Debug, Clone)]
struct Case {
    /// Where it goes, and where redirects lead.
    hops: Vec<Hop>,
    last_status: u16,
    raises: bool,
    origin_auth: OriginAuth,
    cookie: Option<Place>,
    via: Via,
    /// That of a proxy that is named by a URL.
    scheme: &'static str,
    proxy_auth: ProxyAuth,
    proxy_header: Option<Place>,
    /// Where a `Proxy-Authorization` is that is no proxy's.
    stray: Option<Place>,
    manner: Manner,
}

#[derive(Debug, Clone, Copy)]
struct Hop {
    is_tls: bool,
    /// The last one is in `no_proxy`.
    host: &'static str,
    /// Whether the `Location` of its URL has credentials.
    has_userinfo: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Session,
    Request,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum OriginAuth {
    None,
    Header(Place),
    Basic(Place),
    Netrc,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Via {
    Nothing,
    Url(Place),
    /// One for `http`, the other for `https`.
    Environment,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum ProxyAuth {
    None,
    Userinfo,
    Auth(Place),
    Header(Place),
    Netrc,
}

/// How proxies behave.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Good,
    /// They repeat what they were asked.
    Refusing,
    Garbling,
    Leaving,
    Silent,
    /// They say yes, and leave.
    Tunnelling,
    Unreachable,
    /// The server's certificate is of an authority that nobody trusts.
    Untrusted,
}

fn cases() -> impl Strategy<Value = Case> {
    use Place::{Request, Session};
    let place = || option::of(select(vec![Session, Request]));
    let hop = (
        any::<bool>(),
        select(vec!["a.test", "b.test", "n.test"]),
        any::<bool>(),
    );
    let hop = hop.prop_map(|(is_tls, host, has_userinfo)| Hop {
        is_tls,
        host,
        has_userinfo,
    });
    let origin_auth = select(vec![
        OriginAuth::None,
        OriginAuth::Header(Session),
        OriginAuth::Header(Request),
        OriginAuth::Basic(Session),
        OriginAuth::Basic(Request),
        OriginAuth::Netrc,
    ]);
    let via = select(vec![
        Via::Nothing,
        Via::Url(Session),
        Via::Url(Request),
        Via::Environment,
        Via::Environment,
    ]);
    let proxy_auth = select(vec![
        ProxyAuth::None,
        ProxyAuth::Userinfo,
        ProxyAuth::Auth(Session),
        ProxyAuth::Auth(Request),
        ProxyAuth::Header(Session),
        ProxyAuth::Header(Request),
        ProxyAuth::Netrc,
    ]);
    let manner = prop_oneof![
        3 => Just(Manner::Good),
        2 => select(vec![
            Manner::Refusing,
            Manner::Garbling,
            Manner::Leaving,
            Manner::Silent,
            Manner::Tunnelling,
            Manner::Unreachable,
            Manner::Untrusted,
        ]),
    ];
    let origin = (
        vec(hop, 1..4),
        select(vec![200, 401, 407]),
        any::<bool>(),
        origin_auth,
        place(),
    );
    let scheme = select(vec!["http", "https", "socks5h", "socks4a"]);
    let proxy = (via, scheme, proxy_auth, place(), place(), manner);
    (origin, proxy).prop_map(|(origin, proxy)| {
        let (hops, last_status, raises, origin_auth, cookie) = origin;
        let (via, scheme, proxy_auth, proxy_header, stray, manner) = proxy;
        Case {
            hops,
            last_status,
            raises,
            origin_auth,
            cookie,
            via,
            scheme,
            proxy_auth,
            proxy_header,
            stray,
            manner,
        }
    })
}

/// What the servers and proxies of a case were told, and what they answer.
#[derive(Debug)]
struct Told {
    manner: Manner,
    /// The answers, by the path.
    answers: Vec<(u16, Option<String>)>,
    servers: Vec<String>,
    /// Requests for tunnels, and others, of each proxy.
    tunnels: [Vec<String>; 2],
    plain: [Vec<String>; 2],
}

type Shared = Arc<Mutex<Told>>;

fn lock(told: &Shared) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Told {
    fn answer(&self, target: &str) -> (u16, Option<String>) {
        let path = target.split('?').next().unwrap_or_default();
        let hop = path.rsplit('/').next().and_then(|hop| hop.parse().ok());
        let answer = hop.and_then(|hop: usize| self.answers.get(hop));
        answer.cloned().unwrap_or((404, None))
    }
}

/// A plain server, one with TLS, one with TLS that nobody trusts, and two proxies, the second
/// with TLS, the first of SOCKS, too.
struct World {
    authority: Authority,
    told: Shared,
    servers: [TestServer; 3],
    proxies: [SocketAddr; 2],
    _acceptors: JoinSet<()>,
}

impl World {
    async fn new() -> Self {
        let told = Arc::new(Mutex::new(Told {
            manner: Manner::Good,
            answers: Vec::new(),
            servers: Vec::new(),
            tunnels: Default::default(),
            plain: Default::default(),
        }));
        let names = ["a.test", "b.test", "n.test", "proxy.test"];
        let (authority, stranger) = (Authority::new(), Authority::new());
        let answer = || {
            let told = Arc::clone(&told);
            move |request: Request| {
                let mut told = lock(&told);
                let (status, location) = told.answer(&request.target);
                told.servers.push(format!("{request:?}"));
                let response = Response::new(status).header("Set-Cookie", "id=SecretSetCookie");
                std::future::ready(match location {
                    Some(location) => response.header("Location", &location),
                    None => response,
                })
            }
        };
        let servers = [
            TestServer::start(answer()).await.expect("a server"),
            TestServer::start_tls(authority.server(&names), answer())
                .await
                .expect("a server"),
            TestServer::start_tls(stranger.server(&names), answer())
                .await
                .expect("a server"),
        ];
        let mut acceptors = JoinSet::new();
        let mut proxies = [SocketAddr::from(([127, 0, 0, 1], 0)); 2];
        for (index, address) in proxies.iter_mut().enumerate() {
            let listener = TcpListener::bind(*address).await.expect("a port");
            *address = listener.local_addr().expect("bound");
            let tls = TlsAcceptor::from(authority.server(&names));
            let told = Arc::clone(&told);
            acceptors.spawn(async move {
                let mut proxied = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let (told, tls) = (Arc::clone(&told), tls.clone());
                    proxied.spawn(async move {
                        // What goes wrong is for the client to notice.
                        _ = match index {
                            0 => proxy(stream, index, &told).await,
                            _ => match tls.accept(stream).await {
                                Ok(stream) => proxy(stream, index, &told).await,
                                Err(error) => Err(error),
                            },
                        };
                    });
                }
            });
        }
        Self {
            authority,
            told,
            servers,
            proxies,
            _acceptors: acceptors,
        }
    }
}

async fn proxy<S>(mut stream: S, index: usize, told: &Shared) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let mut head = vec![stream.read_u8().await?];
        if matches!(head[0], 4 | 5) {
            return socks(stream, head[0], told).await;
        }
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let is_tunnel = head.starts_with("CONNECT ");
        let (manner, (status, location)) = {
            let mut told = lock(told);
            let log = if is_tunnel {
                &mut told.tunnels
            } else {
                &mut told.plain
            };
            log[index].push(head.clone());
            (told.manner, told.answer(&target))
        };
        match manner {
            Manner::Garbling => stream.write_all(b"garbage\r\n\r\n").await?,
            Manner::Leaving => return Ok(()),
            Manner::Silent => _ = stream.read_u8().await?,
            Manner::Refusing => {
                let length = head.len();
                let answer = format!(
                    "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\
                     Content-Length: {length}\r\n\r\n{head}"
                );
                stream.write_all(answer.as_bytes()).await?;
            }
            Manner::Tunnelling if is_tunnel => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                return stream.shutdown().await;
            }
            _ if is_tunnel => {
                let port = target.rsplit(':').next().and_then(|port| port.parse().ok());
                let port: u16 = port.unwrap_or_default();
                let mut far = TcpStream::connect(("127.0.0.1", port)).await?;
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                stream.flush().await?;
                copy_bidirectional(&mut stream, &mut far).await?;
                return Ok(());
            }
            _ => {
                let location = location.map(|to| format!("Location: {to}\r\n"));
                let location = location.unwrap_or_default();
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nSet-Cookie: id=SecretSetCookie\r\n{location}\
                     Content-Length: 0\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).await?;
            }
        }
        stream.flush().await?;
    }
}

/// Goes on with a client of SOCKS4A or of SOCKS5, which must say who it is if it can.
async fn socks<S>(mut stream: S, version: u8, told: &Shared) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut asked = Vec::new();
    if version == 5 {
        let methods = counted(&mut stream).await?;
        let method = *methods.iter().max().expect("one at least");
        stream.write_all(&[5, method]).await?;
        if method == 2 {
            let _version = stream.read_u8().await?;
            for _ in 0..2 {
                asked.extend(counted(&mut stream).await?);
            }
            stream.write_all(&[1, 0]).await?;
        }
        stream.read_exact(&mut [0; 4]).await?;
        asked.extend(counted(&mut stream).await?);
    }
    let port = match version {
        5 => stream.read_u16().await?,
        _ => {
            let _command = stream.read_u8().await?;
            let port = stream.read_u16().await?;
            let _ip = stream.read_u32().await?;
            // The login and the name.
            for _ in 0..2 {
                while let byte @ 1.. = stream.read_u8().await? {
                    asked.push(byte);
                }
            }
            port
        }
    };
    let manner = {
        let mut told = lock(told);
        let asked = String::from_utf8_lossy(&asked).into_owned();
        told.tunnels[0].push(asked);
        told.manner
    };
    let (granted, refused): (&[u8], &[u8]) = match version {
        5 => (&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0], &[5, 2]),
        _ => (&[0, 90, 0, 0, 0, 0, 0, 0], &[0, 91]),
    };
    match manner {
        Manner::Garbling => stream.write_all(b"garbage").await,
        Manner::Leaving => Ok(()),
        Manner::Silent => stream.read_u8().await.map(drop),
        Manner::Refusing => stream.write_all(refused).await,
        Manner::Tunnelling => stream.write_all(granted).await,
        Manner::Good | Manner::Unreachable | Manner::Untrusted => {
            let mut far = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.write_all(granted).await?;
            copy_bidirectional(&mut stream, &mut far).await.map(drop)
        }
    }
}

/// Reads bytes behind their number.
async fn counted(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; stream.read_u8().await?.into()];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Finds each host here.
#[derive(Debug)]
pub(crate) struct Here;

impl Resolver for Here {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        port: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        Box::pin(async move { Ok(vec![([127, 0, 0, 1], port).into()].into()) })
    }
}

/// Writes all events and spans down.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<Mutex<String>>);

pub(crate) struct Fields<'a>(pub(crate) MutexGuard<'a, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        _ = writeln!(self.0, "{}={value:?}", field.name());
    }
}

impl Events {
    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Subscriber for Events {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.fields());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.fields());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.fields());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn basic(secret: &str) -> BasicAuth {
    BasicAuth::new("ada", secret)
}

/// The forms in which a secret may be told or shown.
fn forms(secret: &str) -> [String; 3] {
    let encoded = basic(secret).encode().expect("no colon");
    let bytes: Vec<_> = secret.bytes().map(|byte| byte.to_string()).collect();
    [
        secret.to_owned(),
        encoded.replace("Basic ", ""),
        bytes.join(", "),
    ]
}

#[track_caller]
fn check_lacks<'a>(what: &str, text: &str, secrets: impl IntoIterator<Item = &'a str>) {
    for secret in secrets {
        for form in forms(secret) {
            assert!(!text.contains(&form), "{what} has {secret}: {text}");
        }
    }
}

/// What is for the servers alone.
const ORIGIN: [&str; 6] = [
    "SecretUserinfo",
    "SecretQuery",
    "SecretAuthorization",
    "SecretNetrc",
    "SecretCookie",
    "SecretSetCookie",
];

/// What is for the proxies alone, by which of them may know it; the last is in the request's
/// own headers.
const PROXY: [(&str, [bool; 2]); 5] = [
    ("ProxySecretHttp", [true, false]),
    ("ProxySecretHttps", [false, true]),
    ("ProxySecretAuth", [true, true]),
    ("ProxySecretHeader", [true, true]),
    ("ProxySecretNetrc", [true, true]),
];
const STRAY: &str = "StraySecret";

pub(crate) fn errors(error: &dyn Error) -> String {
    let cause = error.source().map(errors).unwrap_or_default();
    format!("{error} {error:?} {error:#?} {cause}")
}

pub(crate) fn look(response: &ClientResponse) -> String {
    let info = response.request_info();
    format!(
        "{response:?} {response:#?} {:?} {info:?} {:?} {:?} {:?} {:?}",
        response.head(),
        info.url(),
        info.headers(),
        response.headers(),
        response.history(),
    )
}

impl Case {
    fn url(&self, world: &World, index: usize) -> String {
        let hop = &self.hops[index];
        let server = match (hop.is_tls, self.manner) {
            (false, _) => 0,
            (true, Manner::Untrusted) => 2,
            (true, _) => 1,
        };
        let scheme = if hop.is_tls { "https" } else { "http" };
        // One thing said twice is refused before anything is sent.
        let may_have =
            index > 0 || matches!(self.origin_auth, OriginAuth::None | OriginAuth::Netrc);
        let userinfo = match hop.has_userinfo && may_have {
            true => "ada:SecretUserinfo@",
            false => "",
        };
        let port = world.servers[server].address().port();
        format!(
            "{scheme}://{userinfo}{}:{port}/{index}?token=SecretQuery",
            hop.host
        )
    }

    fn proxy_url(&self, world: &World, scheme: &str) -> String {
        let index = usize::from(scheme == "https");
        let userinfo = match (self.proxy_auth, scheme) {
            (ProxyAuth::Userinfo, "https") => "ada:ProxySecretHttps@",
            // Of SOCKS4 it is the login that is told.
            (ProxyAuth::Userinfo, "socks4a") => "ProxySecretHttp:ada@",
            (ProxyAuth::Userinfo, _) => "ada:ProxySecretHttp@",
            _ => "",
        };
        let port = match self.manner {
            Manner::Unreachable => 1,
            _ => world.proxies[index].port(),
        };
        format!("{scheme}://{userinfo}proxy.test:{port}")
    }

    async fn run(&self, world: &World) -> Result<(), ()> {
        let answer = |index| match index + 1 < self.hops.len() {
            true => (302, Some(self.url(world, index + 1))),
            false => (self.last_status, None),
        };
        {
            let mut told = lock(&world.told);
            told.manner = self.manner;
            told.answers = (0..self.hops.len()).map(answer).collect();
            told.servers.clear();
            told.tunnels = Default::default();
            told.plain = Default::default();
        }
        let (events, log) = (Events::default(), Log::default());
        let watching = tracing::subscriber::set_default(events.clone());
        let netrc = Netrc::new(&self.netrc());
        let session = self.session(world, &netrc, &log);
        let mut request = session.get(self.url(world, 0));
        if self.origin_auth == OriginAuth::Header(Place::Request) {
            request = request.header("Authorization", "Bearer SecretAuthorization");
        }
        if self.origin_auth == OriginAuth::Basic(Place::Request) {
            request = request.basic_auth(basic("SecretAuthorization"));
        }
        if self.cookie == Some(Place::Request) {
            request = request.header("Cookie", "own=SecretCookie");
        }
        if self.via == Via::Url(Place::Request) {
            request = request.proxy(self.proxy_url(world, self.scheme));
        }
        if self.proxy_auth == ProxyAuth::Auth(Place::Request) {
            request = request.proxy_auth(basic("ProxySecretAuth"));
        }
        if self.proxy_auth == ProxyAuth::Header(Place::Request) {
            request = request.proxy_header("Proxy-Authorization", "Bearer ProxySecretHeader");
        }
        if self.proxy_header == Some(Place::Request) {
            request = request.proxy_header("X-Proxy", "ProxySecretHeader");
        }
        if self.stray == Some(Place::Request) {
            request = request.header("Proxy-Authorization", STRAY);
        }
        let mut shown = format!("{session:?} {request:?}");
        let sent: Result<ClientResponse, ClientError> = soon("an end", request.send()).await;
        let outcome = sent.as_ref().map(drop).map_err(drop);
        match sent {
            Ok(response) => shown.push_str(&look(&response)),
            Err(error) => shown.push_str(&errors(&error)),
        }
        let keys = session.connector().stats_by_key();
        let stats = session.connector().stats();
        assert_eq!((stats.waiting, stats.open), (0, stats.idle), "{self:?}");
        _ = write!(shown, "{keys:?} {keys:#?} {stats:?}");
        shown.push_str(&log.shown());
        session.close().await;
        drop(watching);
        shown.push_str(&events.fields().0);
        self.check(&shown, &lock(&world.told));
        outcome
    }

    fn netrc(&self) -> String {
        let mut text = String::new();
        if self.origin_auth == OriginAuth::Netrc {
            for host in ["a.test", "b.test", "n.test"] {
                _ = writeln!(text, "machine {host} login ada password SecretNetrc");
            }
        }
        if self.proxy_auth == ProxyAuth::Netrc {
            _ = writeln!(
                text,
                "machine proxy.test login ada password ProxySecretNetrc"
            );
        }
        text
    }

    fn session(&self, world: &World, netrc: &Netrc, log: &Log) -> ClientSession {
        let connector = TcpConnector::builder()
            .resolver(Arc::new(Here))
            .tls(world.authority.client())
            .build()
            .expect("valid");
        let (http, https) = (
            self.proxy_url(world, "http"),
            self.proxy_url(world, "https"),
        );
        let mut pairs = vec![("NETRC", netrc.path()), ("no_proxy", "n.test")];
        if self.via == Via::Environment {
            pairs.extend([("http_proxy", http.as_str()), ("https_proxy", &https)]);
        }
        let timeout = match self.manner {
            Manner::Silent => Duration::from_millis(100),
            _ => Duration::from_secs(60),
        };
        let mut builder = ClientSession::builder()
            .connector(connector)
            .trust_env(true)
            .environment(Environment::from_pairs(pairs))
            .timeout(ClientTimeout::total(timeout))
            .raise_for_status(self.raises)
            .trace_config(log.clone());
        if self.origin_auth == OriginAuth::Header(Place::Session) {
            builder = builder.header("Authorization", "Bearer SecretAuthorization");
        }
        if self.origin_auth == OriginAuth::Basic(Place::Session) {
            builder = builder.basic_auth(basic("SecretAuthorization"));
        }
        if self.cookie == Some(Place::Session) {
            builder = builder.cookie("own", "SecretCookie");
        }
        if self.via == Via::Url(Place::Session) {
            builder = builder.proxy(self.proxy_url(world, self.scheme));
        }
        if self.proxy_auth == ProxyAuth::Auth(Place::Session) {
            builder = builder.proxy_auth(basic("ProxySecretAuth"));
        }
        if self.proxy_auth == ProxyAuth::Header(Place::Session) {
            builder = builder.proxy_header("Proxy-Authorization", "Bearer ProxySecretHeader");
        }
        if self.proxy_header == Some(Place::Session) {
            builder = builder.proxy_header("X-Proxy", "ProxySecretHeader");
        }
        if self.stray == Some(Place::Session) {
            builder = builder.header("Proxy-Authorization", STRAY);
        }
        builder.build().expect("valid")
    }

    fn check(&self, shown: &str, told: &Told) {
        let proxy = PROXY.map(|(secret, _)| secret);
        let all = ORIGIN.into_iter().chain(proxy).chain([STRAY]);
        check_lacks("what is shown", shown, all);
        for seen in &told.servers {
            check_lacks("a server", seen, proxy);
            // Where no proxy is, the field is the user's word to the server.
            let is_direct = self.via != Via::Url(Place::Session)
                && self.via != Via::Url(Place::Request)
                && (self.via == Via::Nothing || self.hops[0].host == "n.test");
            if !is_direct {
                check_lacks("a server", seen, [STRAY]);
            }
        }
        for index in [0, 1] {
            let others = PROXY.iter().filter(|(_, may_know)| !may_know[index]);
            let others: Vec<_> = others.map(|(secret, _)| *secret).collect();
            for seen in &told.tunnels[index] {
                let not_for_it = ORIGIN.into_iter().chain([STRAY]);
                check_lacks("a request for a tunnel", seen, not_for_it);
                check_lacks("a request for a tunnel", seen, others.iter().copied());
            }
            for seen in &told.plain[index] {
                check_lacks("a request by a proxy", seen, others.iter().copied());
            }
        }
    }
}

#[test]
fn nobody_is_told_or_shown_what_is_for_somebody_else() {
    // REQ-39, CON-86, RED-33, EDGE-101.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let world = runtime.block_on(World::new());
    // A few each time, more when asked for.
    let default = ProptestConfig::default();
    let cases_to_run = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default.cases,
        None => 64,
    };
    let mut runner = TestRunner::new(ProptestConfig {
        cases: cases_to_run,
        failure_persistence: None,
        ..default
    });
    let outcomes = Mutex::new([0, 0]);
    let ran = runner.run(&cases(), |case| {
        let outcome = runtime.block_on(case.run(&world));
        outcomes.lock().expect("no panic")[usize::from(outcome.is_err())] += 1;
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    let [answered, failed] = *outcomes.lock().expect("no panic");
    assert!(
        answered > 0 && failed > 0,
        "{answered} answered, {failed} failed"
    );
}
