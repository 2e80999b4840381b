//! Requests through SOCKS proxies: who is asked for whom, and what is told to whom.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aio_client::{
    AddressFilter, BasicAuth, ClientError, ClientSession, ClientSessionBuilder, ClientTimeout,
    ConnectError, ConnectErrorKind, ConnectionError, Environment, FixedResolver, Phase, SocksError,
    SocksReply, TcpConnector, TcpConnectorBuilder,
};
use aio_tests::http_server::{Request, Response, TestServer};
use aio_tests::socks::{Rules, SocksProxy};
use aio_tests::tls::Authority;

use crate::netrc::Netrc;
use crate::peer::{Listener, Peer, soon};
use crate::tls::ok;

const SCHEMES: [&str; 4] = ["socks4", "socks4a", "socks5", "socks5h"];

/// What the names of these tests stand for here; nothing of it is ever dialled.
fn names() -> FixedResolver {
    let v4 = IpAddr::from([192, 0, 2, 7]);
    let v6: IpAddr = "2001:db8::7".parse().expect("an address");
    FixedResolver::new()
        .name("a.test", [v4])
        .name("b.test", [v4])
        .name("v6.test", [v6])
        .name("inside.test", [IpAddr::from([10, 0, 0, 7])])
        .name("both.test", [v6, v4, IpAddr::from([192, 0, 2, 8])])
}

fn connector() -> TcpConnectorBuilder {
    TcpConnector::builder().resolver(Arc::new(names()))
}

fn session(builder: ClientSessionBuilder) -> ClientSession {
    builder.build().expect("valid")
}

/// Begins a session that knows the names, and goes through a proxy.
fn through(proxy: &str) -> ClientSessionBuilder {
    let connector = connector().build().expect("valid");
    ClientSession::builder().connector(connector).proxy(proxy)
}

/// Answers with what it was asked.
async fn echo(request: Request) -> Response {
    if request.target == "/away" {
        return Response::new(302).header("Location", "http://b.test/there");
    }
    let fields = request.headers.iter();
    let fields = fields.map(|(name, value)| format!("{name}: {value}\n"));
    let (method, target) = (&request.method, &request.target);
    Response::ok(format!("{method} {target}\n{}", fields.collect::<String>()))
}

async fn server() -> TestServer {
    TestServer::start(echo).await.expect("a server")
}

async fn proxy(server: &TestServer, rules: Rules) -> SocksProxy {
    let proxy = SocksProxy::start(server.address(), rules).await;
    proxy.expect("a proxy")
}

async fn text(session: &ClientSession, url: &str) -> String {
    let read = async { session.get(url).await?.text().await };
    soon("the response", read).await.expect("a response")
}

async fn failed(session: &ClientSession, url: &str) -> ClientError {
    let error = soon("the error", session.get(url).send()).await;
    let error = error.expect_err("it must fail");
    let cause = error.source().map(ToString::to_string);
    assert!(!format!("{error} {error:?} {cause:?}").contains("s3cret"));
    assert_eq!(session.connector().stats().open, 0);
    error
}

#[track_caller]
fn connect_error(error: &ClientError) -> &ConnectError {
    let ClientError::Connection(ConnectionError::Connect(error)) = error else {
        panic!("{error:?}");
    };
    error
}

/// Gives what the proxy says, for an error that is one of a proxy there.
#[track_caller]
fn said(error: &ClientError, host: &str) -> SocksError {
    assert_eq!(error.aiohttp_class(), "ClientProxyConnectionError");
    let error = connect_error(error);
    assert_eq!(error.kind(), &ConnectErrorKind::Proxy);
    assert_eq!(format!("{}:{}", error.host(), error.port()), host);
    assert_eq!(error.attempt().phase, Phase::Tunnel);
    assert!(!error.attempt().sent);
    let said = error.cause().and_then(|cause| cause.downcast_ref());
    SocksError::clone(said.unwrap_or_else(|| panic!("{error:?}")))
}

#[tokio::test]
async fn each_version_is_asked_for_names_and_addresses() {
    let authority = Authority::new();
    let hosts = ["a.test", "192.0.2.9", "2001:db8::9"];
    let (plain, tls) = (server().await, authority.server(&hosts));
    let tls = TestServer::start_tls(tls, echo).await.expect("a server");
    for scheme in SCHEMES {
        for login in [false, true] {
            let version = &scheme[5..].replace('h', "");
            let (userinfo, told) = match (login, version.as_str()) {
                (false, _) => ("", String::new()),
                (true, "5") => ("ada:s3cret", "ada:s3cret ".to_owned()),
                // Passwords it knows none.
                (true, _) => ("ada:s3cret", "ada ".to_owned()),
            };
            let looks_up = scheme.ends_with(['a', 'h']);
            let name = if looks_up { "a.test" } else { "192.0.2.7" };
            let shown = if looks_up {
                version
            } else {
                &version.replace('a', "")
            };
            for (host, asked) in [
                ("a.test", Some((shown.as_str(), name))),
                // An address needs no 4a.
                ("192.0.2.9", Some((&version[..1], "192.0.2.9"))),
                (
                    "[2001:db8::9]",
                    (version == "5").then_some(("5", "[2001:db8::9]")),
                ),
            ] {
                for (server, port, over) in [(&plain, 80, "http"), (&tls, 443, "https")] {
                    let login = login && version == "5";
                    let login = login.then_some(("ada", "s3cret"));
                    let rules = Rules {
                        login,
                        ..Rules::default()
                    };
                    let proxy = proxy(server, rules).await;
                    let connector = connector().tls(authority.client());
                    let builder = through(&proxy.url(scheme, userinfo));
                    let session = session(builder.connector(connector.build().expect("valid")));
                    let url = format!("{over}://{host}/x?y");
                    let Some((version, peer)) = asked else {
                        let error = failed(&session, &url).await;
                        let host = proxy.address().to_string();
                        let want = SocksError::NoIpv4 {
                            host: "2001:db8::9".into(),
                        };
                        assert_eq!(said(&error, &host), want);
                        assert!(proxy.asked().is_empty());
                        continue;
                    };
                    for _ in 0..2 {
                        // The server is asked as by who comes directly, and is told nothing.
                        let seen = text(&session, &url).await;
                        assert!(
                            seen.starts_with(&format!("GET /x?y\nHost: {host}\n")),
                            "{seen}"
                        );
                        assert!(
                            !seen.to_ascii_lowercase().contains("authorization"),
                            "{seen}"
                        );
                    }
                    // The second request found the tunnel of the first.
                    let want = format!("{version} {told}{peer}:{port}");
                    assert_eq!(proxy.asked(), [want], "{scheme} {url}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_told_of_the_connection() {
    let authority = Authority::new();
    let server = TestServer::start_tls(authority.server(&["a.test"]), echo).await;
    let server = server.expect("a server");
    let proxy = proxy(&server, Rules::default()).await;
    let connector = connector().tls(authority.client()).build().expect("valid");
    let builder = through(&proxy.url("socks5h", ""));
    let session = session(builder.connector(connector));
    let response = soon("the response", session.get("https://a.test/").send()).await;
    let response = response.expect("a response");
    let info = response.connection_info();
    // TLS is the server's, the socket the proxy's.
    assert_eq!(info.tls().expect("TLS").server_name(), "a.test");
    assert_eq!(info.peer_addr(), Some(proxy.address()));
}

#[tokio::test]
async fn redirects_and_uploads_go_through() {
    let server = server().await;
    let proxy = proxy(&server, Rules::default()).await;
    let session = session(through(&proxy.url("socks5h", "")));
    let seen = text(&session, "http://a.test/away").await;
    assert!(seen.starts_with("GET /there\nHost: b.test\n"), "{seen}");
    assert_eq!(proxy.asked(), ["5 a.test:80", "5 b.test:80"]);
    let body = "x".repeat(1 << 20);
    let request = session.post("http://a.test/").body(body).send();
    let response = soon("the response", request).await.expect("a response");
    assert_eq!(response.status(), 200);
    // ws is as http.
    assert!(
        text(&session, "ws://a.test:81/")
            .await
            .starts_with("GET /\nHost: a.test:81\n")
    );
}

#[tokio::test]
async fn a_connection_is_for_one_login_and_one_way_of_looking_up() {
    let server = server().await;
    let proxy = proxy(&server, Rules::default()).await;
    let session = session(through(&proxy.url("socks5", "")));
    let urls = [
        ("socks5", ""),
        ("socks5h", ""),
        ("socks5", "ada:pw"),
        ("socks5", "ada:p2"),
    ];
    for (scheme, userinfo) in urls.into_iter().chain(urls) {
        let request = session
            .get("http://a.test/")
            .proxy(proxy.url(scheme, userinfo));
        let response = soon("the response", request.send())
            .await
            .expect("a response");
        drop(response);
    }
    let (address, name) = ("5 192.0.2.7:80", "5 a.test:80");
    assert_eq!(proxy.asked(), [address, name, address, address]);
    assert_eq!(session.connector().stats().idle, 4);
}

#[tokio::test]
async fn credentials_come_from_where_those_of_any_proxy_do() {
    let server = server().await;
    let rules = Rules {
        login: Some(("ada", "s3cret")),
        ..Rules::default()
    };
    let proxy = proxy(&server, rules).await;
    let (url, wrong) = (
        proxy.url("socks5h", ""),
        proxy.url("socks5h", "ada:s3cret2"),
    );
    let ada = || BasicAuth::new("ada", "s3cret");
    let host = proxy.address().to_string();

    // Headers are for other proxies, the right login is for this one.
    let headers = [
        ("Proxy-Authorization", "Bearer s3cret"),
        ("X-Proxy", "s3cret"),
    ];
    let builder = through(&url).proxy_auth(ada()).proxy_headers(headers);
    let seen = text(&session(builder), "http://a.test/").await;
    assert!(!seen.contains("s3cret") && !seen.contains("roxy"), "{seen}");
    let session_of = |url: &str| session(through(url));
    let request = session_of(&wrong).get("http://a.test/").proxy_auth(ada());
    assert!(soon("the response", request.send()).await.is_ok());

    let error = failed(&session_of(&url), "http://a.test/").await;
    assert_eq!(said(&error, &host), SocksError::LoginWanted);
    let error = failed(&session_of(&wrong), "https://a.test/").await;
    assert_eq!(said(&error, &host), SocksError::LoginRefused);
    // Nobody need try again.
    assert!(!error.is_retryable());
    assert_eq!(proxy.asked().len(), 2);

    // CON-95.
    let netrc = Netrc::new("machine 127.0.0.1 login ada password s3cret");
    let environment = |proxy: &str| {
        let pairs = [
            ("ALL_PROXY", proxy),
            ("NO_PROXY", "b.test"),
            ("NETRC", netrc.path()),
        ];
        let environment = Environment::from_pairs(pairs);
        let builder = ClientSession::builder().trust_env(true);
        session(builder.environment(environment))
    };
    text(&environment(&url), "http://a.test/").await;
    assert_eq!(
        proxy.asked().last().map(String::as_str),
        Some("5 ada:s3cret a.test:80")
    );
    // What the URL has goes first.
    let error = failed(&environment(&wrong), "http://a.test/").await;
    assert_eq!(said(&error, &host), SocksError::LoginRefused);
    let error = failed(&environment(&url), "http://b.test/").await;
    assert_eq!(error.aiohttp_class(), "ClientConnectorDNSError");
}

#[tokio::test]
async fn proxies_that_cannot_be_are_refused() {
    for (url, class) in [
        ("socks://s3cret:s3cret@h", "ValueError"),
        ("socks5://:s3cret@h", "ValueError"),
        ("socks4://s3cret%00@h", "ValueError"),
        ("socks5://s3cret:s3cret@", "InvalidURL"),
        ("socks5://s3cret:s3cret@h:0", "InvalidURL"),
    ] {
        let session = ClientSession::new();
        let error = soon("the error", session.get("http://a.test/").proxy(url).send()).await;
        let error = error.expect_err("it must fail");
        assert_eq!(error.aiohttp_class(), class, "{url}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
    let error = ClientSession::builder().proxy("socks5://:pw@h").build();
    let error = error.expect_err("no login");
    assert!(matches!(error, ClientError::Proxy(_)));
    let text = "invalid credentials of a SOCKS proxy: \
                SOCKS5 takes a login of 1 to 255 bytes, and at most 255 of a password";
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn refusals_name_whom_the_proxy_was_asked_for() {
    let server = server().await;
    for (scheme, code, target, reply) in [
        ("socks5", 1, "192.0.2.7:80", SocksReply::GeneralFailure),
        ("socks5h", 2, "a.test:80", SocksReply::NotAllowed),
        ("socks5h", 3, "a.test:80", SocksReply::NetworkUnreachable),
        ("socks5h", 4, "a.test:80", SocksReply::HostUnreachable),
        ("socks5h", 5, "a.test:80", SocksReply::ConnectionRefused),
        ("socks5h", 6, "a.test:80", SocksReply::TtlExpired),
        ("socks5h", 7, "a.test:80", SocksReply::CommandNotSupported),
        (
            "socks5h",
            8,
            "a.test:80",
            SocksReply::AddressTypeNotSupported,
        ),
        ("socks5h", 9, "a.test:80", SocksReply::Other(9)),
        ("socks4", 91, "192.0.2.7:80", SocksReply::Rejected),
        ("socks4a", 92, "a.test:80", SocksReply::NoIdentd),
        ("socks4a", 93, "a.test:80", SocksReply::OtherUser),
        ("socks4a", 0, "a.test:80", SocksReply::Other(0)),
    ] {
        let rules = Rules {
            refusals: vec![code],
            ..Rules::default()
        };
        let proxy = proxy(&server, rules).await;
        let session = session(through(&proxy.url(scheme, "s3cret:s3cret")));
        let error = failed(&session, "http://a.test/?s3cret").await;
        let want = SocksError::Refused {
            target: target.into(),
            reply,
        };
        assert_eq!(said(&error, &proxy.address().to_string()), want);
        let lasts = [2, 7, 92, 93].contains(&code);
        assert_eq!(error.is_retryable(), !lasts);
        // Nobody was asked twice; another time it may be granted.
        assert_eq!(proxy.asked().len(), 1);
        text(&session, "http://a.test/").await;
    }
}

/// Checks whom a proxy is asked for that refuses with these codes first.
async fn check_in_turn(scheme: &str, refusals: &[u8], want: &[&str], granted: bool) {
    let server = server().await;
    let rules = Rules {
        refusals: refusals.to_vec(),
        ..Rules::default()
    };
    let proxy = proxy(&server, rules).await;
    let session = session(through(&proxy.url(scheme, "")));
    if granted {
        text(&session, "http://both.test/").await;
    } else {
        let error = failed(&session, "http://both.test/").await;
        said(&error, &proxy.address().to_string());
        // Each time the proxy was dialled.
        assert_eq!(connect_error(&error).attempt().dials.len(), want.len());
    }
    assert_eq!(proxy.asked(), want, "{scheme} {refusals:?}");
}

#[tokio::test]
async fn the_addresses_of_a_name_are_asked_for_in_turn() {
    const ALL: [&str; 3] = ["5 [2001:db8::7]:80", "5 192.0.2.7:80", "5 192.0.2.8:80"];
    check_in_turn("socks5", &[], &ALL[..1], true).await;
    check_in_turn("socks5", &[8, 4], &ALL, true).await;
    check_in_turn("socks5", &[3, 5, 1], &ALL, false).await;
    // What is not about the address, no other one mends.
    check_in_turn("socks5", &[4, 2], &ALL[..2], false).await;
    check_in_turn("socks5h", &[4], &["5 both.test:80"], false).await;
    let four = ["4 192.0.2.7:80", "4 192.0.2.8:80"];
    check_in_turn("socks4", &[91], &four, true).await;
    check_in_turn("socks4", &[92], &four[..1], false).await;
}

#[tokio::test]
async fn a_name_that_is_not_found_here_is_not_asked_for() {
    let server = server().await;
    let proxy = proxy(&server, Rules::default()).await;
    for scheme in ["socks4", "socks5"] {
        let session = session(through(&proxy.url(scheme, "")));
        let error = failed(&session, "http://nowhere.test/").await;
        assert_eq!(error.aiohttp_class(), "ClientConnectorDNSError");
        assert_eq!(connect_error(&error).host(), "nowhere.test");
    }
    let session_of = |scheme| session(through(&proxy.url(scheme, "")));
    let error = failed(&session_of("socks4"), "http://v6.test/").await;
    let want = SocksError::NoIpv4 {
        host: "v6.test".into(),
    };
    assert_eq!(said(&error, &proxy.address().to_string()), want);
    let long = format!("http://{}.test/", ["x"; 126].join("."));
    let error = failed(&session_of("socks5h"), &long).await;
    let want = SocksError::NameTooLong { length: 256 };
    assert_eq!(said(&error, &proxy.address().to_string()), want);
    assert!(proxy.asked().is_empty());
}

#[tokio::test]
async fn a_filter_is_asked_about_what_the_proxy_is_asked_for() {
    let server = server().await;
    let proxy = proxy(&server, Rules::default()).await;
    // The proxy itself is dialled as anybody is.
    let here = AddressFilter::public().allowing([[127, 0, 0, 1]]);
    let filtered = |scheme| {
        let connector = connector().address_filter(here.clone()).build();
        let builder = through(&proxy.url(scheme, ""));
        session(builder.connector(connector.expect("valid")))
    };
    for (scheme, url) in [
        ("socks4", "http://inside.test/"),
        ("socks5", "https://inside.test/"),
        ("socks4a", "http://10.0.0.7/"),
        ("socks5h", "http://10.0.0.7/"),
        ("socks5h", "http://[::ffff:10.0.0.7]/"),
    ] {
        let error = failed(&filtered(scheme), url).await;
        let address = [10, 0, 0, 7].into();
        let kind = connect_error(&error).kind();
        let ConnectErrorKind::Forbidden { address: found } = kind else {
            panic!("{scheme} {url}: {error:?}");
        };
        assert_eq!(found.to_canonical(), IpAddr::V4(address));
    }
    assert!(proxy.asked().is_empty());
    // Of a name that the proxy looks up there is nothing to ask about.
    text(&filtered("socks5h"), "http://inside.test/").await;
    assert_eq!(proxy.asked(), ["5 inside.test:80"]);

    let connector = connector().address_filter(AddressFilter::public());
    let builder = through(&proxy.url("socks5h", ""));
    let session = session(builder.connector(connector.build().expect("valid")));
    let error = failed(&session, "http://9.9.9.9/").await;
    assert_eq!(connect_error(&error).host(), "127.0.0.1");
}

/// Plays a proxy of SOCKS5 for one request, which says so byte by byte, and then closes.
async fn check_hostile(scheme: &str, answer: &[u8], want: impl Fn(&SocksError) -> bool) {
    let listener = Listener::new().await;
    let proxy = format!("{scheme}://s3cret:s3cret@{}", listener.host());
    let session = session(through(&proxy));
    let play = async {
        let mut peer = listener.accept().await;
        for byte in answer {
            // The client may have left.
            if tokio::io::AsyncWriteExt::write_all(&mut peer.0, &[*byte])
                .await
                .is_err()
            {
                return;
            }
            tokio::task::yield_now().await;
        }
        peer.end().await;
        peer.drain().await;
    };
    let (error, ()) = tokio::join!(failed(&session, "http://a.test/"), play);
    let said = said(&error, &listener.host());
    assert!(want(&said), "{answer:?}: {said:?}");
}

#[tokio::test]
async fn half_an_answer_is_none() {
    let five = [5, 2, 1, 0, 5, 0, 0, 3, 2, b'h', b'i', 0, 80];
    let four = [0, 90, 0, 80, 192, 0, 2, 7];
    for (scheme, answer) in [("socks5h", &five[..]), ("socks4a", &four[..])] {
        for length in 0..answer.len() {
            check_hostile(scheme, &answer[..length], |said| {
                *said == SocksError::Closed
            })
            .await;
        }
    }
}

#[tokio::test]
async fn answers_that_are_no_socks_are_named() {
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    for (scheme, version) in [("socks5", 5), ("socks4", 4)] {
        let want = SocksError::Http { version };
        check_hostile(scheme, http, |said| *said == want).await;
        let garbage = vec![0xaa; 100_000];
        let want = SocksError::Malformed {
            version,
            answer: [0xaa; 2],
        };
        check_hostile(scheme, &garbage, |said| *said == want).await;
    }
}

/// Answers a request for a tunnel of SOCKS5, without a login.
async fn granted(listener: &Listener, behind: &[u8]) -> Peer {
    let mut peer = listener.accept().await;
    assert_eq!(peer.exactly(3).await, [5, 1, 0]);
    peer.send([5, 0]).await;
    peer.exactly(13).await;
    peer.send([&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0], behind].concat())
        .await;
    peer
}

#[tokio::test]
async fn what_comes_behind_the_answer_is_the_servers() {
    let listener = Listener::new().await;
    let session = session(through(&format!("socks5h://{}", listener.host())));
    let early = ok("early");
    let served = async {
        let mut peer = granted(&listener, early.as_bytes()).await;
        peer.head().await;
        peer
    };
    // As without a proxy.
    let (read, _peer) = tokio::join!(text(&session, "http://a.test/"), served);
    assert_eq!(read, "early");
}

#[tokio::test]
async fn the_proxy_has_sock_connect_to_answer() {
    let listener = Listener::new().await;
    let limit = Some(Duration::from_millis(200));
    let timeouts = [
        ClientTimeout {
            total: limit,
            ..ClientTimeout::none()
        },
        ClientTimeout {
            connect: limit,
            ..ClientTimeout::none()
        },
        ClientTimeout {
            sock_connect: limit,
            ..ClientTimeout::none()
        },
    ];
    let classes = [
        "TimeoutError",
        "ConnectionTimeoutError",
        "ConnectionTimeoutError",
    ];
    for (timeout, class) in timeouts.into_iter().zip(classes) {
        for said in [&[][..], &[5], &[5, 0], &[5, 0, 5, 0, 0, 1, 9]] {
            let builder = through(&format!("socks5h://{}", listener.host()));
            let session = session(builder.timeout(timeout));
            let silent = async {
                let mut peer = listener.accept().await;
                peer.send(said).await;
                peer.drain().await;
            };
            // No https: to read what the system trusts may take longer on a busy machine.
            let both = async { tokio::join!(failed(&session, "http://a.test/"), silent) };
            let (error, ()) = soon("both ends", both).await;
            assert_eq!(error.aiohttp_class(), class);
            assert_eq!(error.attempt().expect("under way").phase, Phase::Tunnel);
        }
    }
}

#[tokio::test]
async fn a_dead_tunnel_is_replaced() {
    let listener = Listener::new().await;
    let session = session(through(&format!("socks5h://{}", listener.host())));
    let served = async {
        let mut first = granted(&listener, b"").await;
        first.head().await;
        first.send(ok("one")).await;
        assert!(first.head().await.starts_with("GET /2 HTTP/1.1\r\n"));
        drop(first);
        let mut second = granted(&listener, b"").await;
        assert!(second.head().await.starts_with("GET /2 HTTP/1.1\r\n"));
        second.send(ok("two")).await;
        second
    };
    let asked = async {
        assert_eq!(text(&session, "http://a.test/1").await, "one");
        assert_eq!(text(&session, "http://a.test/2").await, "two");
    };
    drop(soon("both", async { tokio::join!(served, asked) }).await);
}

#[tokio::test]
async fn the_error_of_a_proxy_that_nobody_serves_is_about_it() {
    let listener = Listener::new().await;
    let host = listener.host();
    drop(listener);
    let session = session(through(&format!("socks5://ada:s3cret@{host}")));
    let error = failed(&session, "http://a.test/").await;
    assert_eq!(error.aiohttp_class(), "ClientProxyConnectionError");
    let error = connect_error(&error);
    assert_eq!(format!("{}:{}", error.host(), error.port()), host);
    assert_eq!(error.attempt().phase, Phase::Connect);
}
