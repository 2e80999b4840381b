//! Addresses that may not be dialled are not, however they are spelled and wherever they
//! come from.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aio_client::{
    AddressFamily, AddressFilter, BoxFuture, ClientError, ClientSession, ConnectErrorKind,
    ConnectionError, Phase, RequestUrl, Resolved, Resolver, TcpConnector, TcpConnectorBuilder,
};
use aio_tests::http_server::{Request, Response, TestServer};
use socket2::{Domain, Socket, Type};

use crate::peer::soon;
use crate::sockets::session;

/// URLs whose host is a forbidden address. `PORT` is one where somebody listens who is not
/// to be reached.
const ADDRESSES: &[&str] = &[
    // This machine.
    "http://127.0.0.1:PORT/",
    "http://127.0.0.2:PORT/",
    "http://127.255.255.254:PORT/",
    "http://0.0.0.0:PORT/",
    "http://0.0.0.1:PORT/",
    "HTTP://127.0.0.1:PORT/",
    "  http://127.0.0.1:PORT/",
    "http://\t127.0.0.1:PORT/",
    "http://127.0.0.1\t:PORT/",
    "https://127.0.0.1:PORT/",
    "ws://127.0.0.1:PORT/",
    "http://[::1]:PORT/",
    "http://[::]:PORT/",
    "http://[0:0:0:0:0:0:0:1]:PORT/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]:PORT/",
    "http://[::0.0.0.1]:PORT/",
    "http://[::1%251]:PORT/",
    // In hexadecimal: names for a URL, an address for the operating system.
    "http://0x7f000001:PORT/",
    "http://0X7F000001:PORT/",
    "http://0x7f.1:PORT/",
    "http://0x7f.0.0x1:PORT/",
    "http://0x7f.0.0.1:PORT/",
    "http://0x7f.0x0.0x0.0x1:PORT/",
    "http://0x0:PORT/",
    "http://0xA9FEA9FE/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    // In other scripts' digits and dots.
    "http://１２７.０.０.１:PORT/",
    "http://127。0。0。1:PORT/",
    "http://127．0．0．1:PORT/",
    "http://127｡0｡0｡1:PORT/",
    "http://①②⑦.⓪.⓪.①:PORT/",
    "http://０x７f.１:PORT/",
    // Names.
    "http://localhost:PORT/",
    "https://localhost:PORT/",
    "http://LocalHost:PORT/",
    "http://ｌｏｃａｌｈｏｓｔ:PORT/",
    "http://ⓛocalhost:PORT/",
    // Behind what looks like another host.
    "http://example.com@127.0.0.1:PORT/",
    "http://example.com:80@127.0.0.1:PORT/",
    "http://example.com%2f@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT@localhost:PORT/",
    "http://127.0.0.1:PORT#@example.com/",
    "http://127.0.0.1:PORT?@example.com/",
    // IPv4 inside IPv6: mapped, compatible, translated, 6to4, Teredo, ISATAP.
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://[::FFFF:127.0.0.1]:PORT/",
    "http://[::ffff:7f00:1]:PORT/",
    "http://[0:0:0:0:0:ffff:7f00:0001]:PORT/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/",
    "http://[::ffff:127.0.0.1%251]:PORT/",
    "http://[::ffff:0.0.0.0]:PORT/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::127.0.0.1]:PORT/",
    "http://[::7f00:1]:PORT/",
    "http://[::ffff:0:127.0.0.1]:PORT/",
    "http://[64:ff9b::127.0.0.1]:PORT/",
    "http://[64:ff9b::7f00:1]:PORT/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::127.0.0.1]:PORT/",
    "http://[2002:7f00:1::]:PORT/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:7f00:1::]:PORT/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "http://[2a00:1450::5efe:127.0.0.1]:PORT/",
    "http://[2a00:1450::200:5efe:a00:1]/",
    // Near by.
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://[fe80::1]:PORT/",
    "http://[fe80::1%251]:PORT/",
    "http://[fc00::1]/",
    "http://[fec0::1]/",
    // What clouds keep there.
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://168.63.129.16/",
    "http://[fd00:ec2::254]/",
    "http://[fd20:ce::254]/",
    "http://[fe80::a9fe:a9fe%251]/",
    // Nobody's.
    "http://192.0.2.1/",
    "http://192.88.99.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[ff02::1]/",
    "http://[100::1]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
];

/// URLs that other programs take for a forbidden address, and that are none here (REQ-08).
const NO_URLS: &[&str] = &[
    "http://127.1:PORT/",
    "http://127.0.1:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://127.0.0.1..:PORT/",
    "http://127.0.0.01:PORT/",
    "http://127.000.000.001:PORT/",
    "http://127.0.0.257:PORT/",
    "http://2130706433:PORT/",
    "http://4294967297:PORT/",
    "http://2130706433.:PORT/",
    "http://017700000001:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://0177.1:PORT/",
    "http://00000177.0.0.1:PORT/",
    "http://0:PORT/",
    "http://00.0:PORT/",
    "http://2852039166/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://256.256.256.256:PORT/",
    "http://%31%32%37.0.0.1:PORT/",
    "http://127%2e0%2e0%2e1:PORT/",
    "http://%30x7f.1:PORT/",
    "http://loc%61lhost:PORT/",
    "http://local\u{ad}host:PORT/",
    "http://127.0.0.1:PORT\\@example.com/",
    "http:\\\\127.0.0.1:PORT/",
];

/// Names that somebody might resolve to an address here.
const NAMES: &[&str] = &[
    "http://localhost.:PORT/",
    "http://localhost..:PORT/",
    "http://localhost。:PORT/",
    "http://a.localhost:PORT/",
    "http://0x7f.1.:PORT/",
    "http://127.0.0.1.example.com:PORT/",
    "http://example.com:PORT/",
];

/// Somebody on all addresses of this machine who is not to be reached.
struct Inside(TcpListener);

impl Inside {
    fn new() -> Self {
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let listen = || {
            let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
            socket.set_only_v6(false)?;
            socket.bind(&any.into())?;
            socket.listen(128)?;
            io::Result::Ok(TcpListener::from(socket))
        };
        // Where there is no IPv6 nobody can be reached by it.
        let listener = listen().or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)));
        Self::at(listener.expect("a port"))
    }

    /// Takes a server's port on 127.0.0.2.
    fn beside(server: &TestServer) -> Self {
        let host = Ipv4Addr::new(127, 0, 0, 2);
        let listener = TcpListener::bind((host, port(server)));
        Self::at(listener.expect("nobody has it"))
    }

    fn at(listener: TcpListener) -> Self {
        listener.set_nonblocking(true).expect("a socket");
        Self(listener)
    }

    fn url(&self, url: &str) -> String {
        let port = self.0.local_addr().expect("it is bound").port();
        url.replace("PORT", &port.to_string())
    }

    /// Fails if anybody came.
    #[track_caller]
    fn was_not_reached(&self) {
        match self.0.accept() {
            Ok((_, from)) => panic!("{from} came"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        // Whoever had come would be here.
        let address = self.0.local_addr().expect("it is bound");
        let _own = TcpStream::connect(address).expect("it listens");
        self.0.accept().expect("a connection");
    }
}

fn port(server: &TestServer) -> u16 {
    let url = RequestUrl::parse(&server.url("/"));
    url.expect("a URL").port()
}

fn public() -> TcpConnectorBuilder {
    TcpConnector::builder().address_filter(AddressFilter::public())
}

/// Gets a URL whose address is forbidden, and says which.
async fn forbidden(session: &ClientSession, url: &str) -> IpAddr {
    let sent = soon(url, session.get(url).send()).await;
    let error = sent.expect_err(url);
    assert_eq!(error.aiohttp_class(), "ClientConnectorError", "{url}");
    assert!(!error.is_timeout(), "{url}");
    let ClientError::Connection(error) = error else {
        panic!("{url}: {error:?}");
    };
    let attempt = error.attempt();
    assert!(!error.is_retryable() && attempt.dials.is_empty(), "{url}");
    assert!(
        matches!(attempt.phase, Phase::Resolve | Phase::Connect),
        "{url}"
    );
    match error {
        ConnectionError::Connect(error) => match error.kind() {
            ConnectErrorKind::Forbidden { address } => *address,
            kind => panic!("{url}: {kind:?}"),
        },
        error => panic!("{url}: {error:?}"),
    }
}

async fn is_no_url(session: &ClientSession, url: &str) {
    let sent = soon(url, session.get(url).send()).await;
    let error = sent.expect_err(url);
    assert!(matches!(error, ClientError::Url(_)), "{url}: {error:?}");
}

#[tokio::test]
async fn a_forbidden_address_is_not_reached_however_it_is_spelled() {
    let (inside, session) = (Inside::new(), session(public()));
    for url in ADDRESSES {
        forbidden(&session, &inside.url(url)).await;
    }
    for url in NO_URLS {
        is_no_url(&session, &inside.url(url)).await;
    }
    inside.was_not_reached();
    assert_eq!(session.connector().stats().created, 0);
}

/// Resolves every name, with the first list, then the next; the last one stays.
#[derive(Debug)]
struct Turns(Vec<Vec<IpAddr>>, AtomicUsize);

impl Turns {
    fn new<const N: usize>(turns: [&str; N]) -> Arc<Self> {
        let parse = |address: &str| address.parse().expect("an address");
        let turns = turns.map(|turn| turn.split_whitespace().map(parse).collect());
        Arc::new(Self(turns.into(), AtomicUsize::new(0)))
    }

    fn asked(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }
}

impl Resolver for Turns {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        port: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        let turn = self.1.fetch_add(1, Ordering::Relaxed);
        let found = self.0.get(turn).or(self.0.last()).into_iter().flatten();
        let found: Vec<_> = found.map(|ip| SocketAddr::new(*ip, port)).collect();
        Box::pin(async { Ok(found.into()) })
    }
}

#[tokio::test]
async fn a_name_of_a_forbidden_address_is_refused_whoever_resolves_it() {
    let inside = Inside::new();
    for found in [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0 10.0.0.1",
        "fe80::1",
    ] {
        let session = session(public().resolver(Turns::new([found])));
        for url in NAMES {
            let address = forbidden(&session, &inside.url(url)).await;
            assert!(found.contains(&address.to_string()), "{address}");
        }
    }
    inside.was_not_reached();
}

/// A server on 127.0.0.1, which alone is allowed then.
async fn allowed(answer: impl Fn(Request) -> Response + Send + Sync + 'static) -> TestServer {
    let server = TestServer::start(move |request| std::future::ready(answer(request))).await;
    server.expect("a server")
}

fn allowing_one() -> TcpConnectorBuilder {
    let filter = AddressFilter::public().allowing([Ipv4Addr::LOCALHOST]);
    TcpConnector::builder().address_filter(filter)
}

/// Where a redirect may not lead to; the last three are no URLs.
const AWAY: &[&str] = &[
    "http://127.0.0.2:PORT/",
    "//127.0.0.2:PORT/",
    "http://0.0.0.0:PORT/",
    "http://[::1]:PORT/",
    "http://[::ffff:127.0.0.2]:PORT/",
    "http://[64:ff9b::7f00:2]:PORT/",
    "http://0x7f.2:PORT/",
    "http://127。0。0。2:PORT/",
    "http://example.com@127.0.0.2:PORT/",
    "http://169.254.169.254/latest/meta-data/",
    "https://127.0.0.2:PORT/",
    "http://127.2:PORT/",
    "http://2130706434:PORT/",
    "http://%31%32%37.0.0.2:PORT/",
];

#[tokio::test]
async fn a_redirect_does_not_lead_to_a_forbidden_address() {
    let inside = Inside::new();
    let away: Vec<_> = AWAY.iter().map(|url| inside.url(url)).collect();
    // `/2/7` leads to the seventh behind two other redirects.
    let outside = allowed(move |request| {
        let mut parts = request.target.split('/').skip(1);
        let mut part = || parts.next().and_then(|part| part.parse::<usize>().ok());
        let (Some(hops), Some(index)) = (part(), part()) else {
            return Response::ok("hello");
        };
        let location = match hops.checked_sub(1) {
            Some(left) => format!("/{left}/{index}"),
            None => away.get(index).map_or("/", String::as_str).to_owned(),
        };
        Response::new(302).header("Location", location)
    })
    .await;
    let session = session(allowing_one());
    for hops in [0, 2] {
        for (index, away) in AWAY.iter().enumerate() {
            let url = outside.url(&format!("/{hops}/{index}"));
            if index < AWAY.len() - 3 {
                forbidden(&session, &url).await;
            } else {
                let error = soon(away, session.get(&*url).send()).await.expect_err(away);
                assert_eq!(
                    error.aiohttp_class(),
                    "InvalidUrlRedirectClientError",
                    "{away}"
                );
            }
        }
    }
    inside.was_not_reached();
    // The way there is open.
    let response = session
        .get(outside.url(&format!("/2/{}", AWAY.len())))
        .await;
    assert_eq!(response.expect("a response").history().len(), 3);
}

#[tokio::test]
async fn a_name_that_moves_to_a_forbidden_address_is_not_followed() {
    let outside = allowed(|_| Response::ok("hello")).await;
    let url = outside.url("/").replace("127.0.0.1", "a.test");
    let inside = Inside::beside(&outside);
    let get = async |session: &ClientSession| {
        let mut response = session.get(&*url).await.expect("a response");
        assert_eq!(response.text().await.expect("a body"), "hello");
    };
    let moves = || Turns::new(["127.0.0.1", "127.0.0.2"]);
    let dialling_each = |resolver| allowing_one().resolver(resolver).force_close(true);

    // Each request looks the name up.
    let forgetful = session(dialling_each(moves()).use_dns_cache(false));
    get(&forgetful).await;
    let address = forbidden(&forgetful, &url).await;
    assert_eq!(address, IpAddr::from([127, 0, 0, 2]));
    inside.was_not_reached();

    // An address that is known is dialled until it is forgotten.
    let connector = dialling_each(moves()).build().expect("valid settings");
    let builder = ClientSession::builder().connector(connector.clone());
    let knowing = builder.build().expect("valid settings");
    get(&knowing).await;
    get(&knowing).await;
    connector.clear_dns_cache(None);
    // Nor is one that is known and forbidden, however often it is asked for.
    for _ in 0..2 {
        forbidden(&knowing, &url).await;
    }
    assert_eq!(connector.cached_hosts().len(), 1);
    inside.was_not_reached();

    // A connection that is kept leads where it led before.
    let resolver = moves();
    let keeping = session(
        allowing_one()
            .resolver(resolver.clone())
            .use_dns_cache(false),
    );
    get(&keeping).await;
    get(&keeping).await;
    assert_eq!(resolver.asked(), 1);
    inside.was_not_reached();
}

#[tokio::test]
async fn of_a_names_addresses_those_that_are_allowed_are_dialled() {
    let outside = allowed(|_| Response::ok("hello")).await;
    let (url, inside) = (
        outside.url("/").replace("127.0.0.1", "a.test"),
        Inside::beside(&outside),
    );
    for found in [
        "127.0.0.2 127.0.0.1",
        "127.0.0.1 127.0.0.2",
        "::1 127.0.0.2 127.0.0.1 ::",
    ] {
        let session = session(allowing_one().resolver(Turns::new([found])));
        let response = session.get(&*url).await.expect("a response");
        let peer = response.connection_info().peer_addr().expect("TCP");
        assert_eq!(peer.ip(), Ipv4Addr::LOCALHOST, "{found}");
    }
    inside.was_not_reached();
}

#[tokio::test]
async fn connections_made_ahead_are_filtered() {
    let (inside, connector) = (Inside::new(), public().build().expect("valid"));
    let url = RequestUrl::parse(&inside.url("http://127.0.0.1:PORT/")).expect("a URL");
    let error = connector.warm_up(&url, 2).await.expect_err("forbidden");
    assert!(
        error.to_string().contains("address 127.0.0.1 not allowed"),
        "{error}"
    );
    inside.was_not_reached();
}

#[tokio::test]
async fn without_a_filter_all_of_them_are_reached() {
    // Else the tests above would show nothing.
    let server = TestServer::start(async |_| Response::ok("inside")).await;
    let server = server.expect("a server");
    let port = port(&server);
    let session = session(TcpConnector::builder());
    let to = server.url("/").replace("127.0.0.1", "0x7f.1");
    let outside = allowed(move |_| Response::new(302).header("Location", to.clone())).await;
    for url in [
        "http://127.0.0.1:PORT/",
        "http://0.0.0.0:PORT/",
        "http://0x7f.1:PORT/",
        "http://127。0。0。1:PORT/",
        "http://localhost:PORT/",
        "http://example.com@127.0.0.1:PORT/",
        "http://[::ffff:127.0.0.1]:PORT/",
        &outside.url("/"),
    ] {
        let url = url.replace("PORT", &port.to_string());
        let mut response = soon(&url, session.get(&*url).send()).await.expect(&url);
        assert_eq!(response.text().await.expect("a body"), "inside", "{url}");
    }
}
