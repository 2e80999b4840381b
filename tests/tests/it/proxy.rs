//! Requests through proxies: absolute form, tunnels, the environment, and who is told what.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aio_client::{
    BasicAuth, ClientError, ClientRequest, ClientSession, ClientSessionBuilder, ClientTimeout,
    ConnectErrorKind, ConnectionError, Environment, Next, Phase, Proxy, RequestUrl,
    ResponseErrorKind, TcpConnector, TlsConfig,
};
use aio_tests::http_server::{Request, Response, TestServer};
use aio_tests::tls::Authority;
use aio_tests::tunnel::TunnelProxy;
use tokio::sync::Notify;

use crate::peer::{Listener, soon};
use crate::seams::Log;
use crate::site::Site;
use crate::tls::{TlsListener, ok};

/// `ada:pw`, as it is told.
pub(crate) const ADA: &str = "Basic YWRhOnB3";

pub(crate) async fn site() -> Site {
    Site::new(|_| Response::ok("ok")).await
}

pub(crate) fn session(builder: ClientSessionBuilder) -> ClientSession {
    builder.build().expect("valid")
}

pub(crate) fn proxied(site: &Site) -> ClientSession {
    session(ClientSession::builder().proxy(site.url("")))
}

pub(crate) fn from_environment(pairs: &[(&str, &str)]) -> ClientSessionBuilder {
    let environment = Environment::from_pairs(pairs.iter().copied());
    ClientSession::builder()
        .trust_env(true)
        .environment(environment)
}

pub(crate) fn trusting(tls: TlsConfig) -> ClientSessionBuilder {
    let connector = TcpConnector::builder().tls(tls).build().expect("valid");
    ClientSession::builder().connector(connector)
}

/// A server for `a.test` that answers what it was asked.
pub(crate) async fn target(authority: &Authority) -> TestServer {
    let echo = async |request: Request| {
        let fields = request.headers.iter();
        let fields = fields.map(|(name, value)| format!("{name}: {value}\n"));
        let (method, target) = (&request.method, &request.target);
        Response::ok(format!("{method} {target}\n{}", fields.collect::<String>()))
    };
    let server = TestServer::start_tls(authority.server(&["a.test"]), echo).await;
    server.expect("a server")
}

pub(crate) async fn text(request: aio_client::RequestBuilder) -> String {
    let read = async { request.await?.text().await };
    soon("the response", read).await.expect("a response")
}

pub(crate) async fn failed(request: aio_client::RequestBuilder) -> ClientError {
    soon("the error", request.send())
        .await
        .expect_err("it must fail")
}

#[tokio::test]
async fn a_plain_request_is_in_absolute_form() {
    // CON-84, REQ-30; EDGE-027: what is the session's is for the server only.
    let site = site().await;
    let builder = ClientSession::builder()
        .proxy(site.url(""))
        .header("Authorization", "Bearer x");
    let session = session(builder);
    let request = session.post("http://u:w@ex.test:8080/p a?q=1#f").body("hi");
    // The URL's credentials are the server's as well.
    assert!(request.await.is_err(), "two of them");
    let request = session.post("http://ex.test:8080/p a?q=1#f").body("hi");
    let request = request.proxy_header("X-Proxy", "1").header("X-Own", "2");
    assert_eq!(text(request).await, "ok");
    let seen = site.last();
    assert_eq!(seen.target, "http://ex.test:8080/p%20a?q=1");
    assert_eq!(seen.header("host"), Some("ex.test:8080"));
    assert_eq!(seen.header("authorization"), Some("Bearer x"));
    assert_eq!(seen.header("x-own"), Some("2"));
    for name in ["proxy-authorization", "x-proxy"] {
        assert_eq!(seen.header(name), None);
    }
    // Neither credentials, nor a zone, which means something on this machine only (RFC 6874).
    for (url, want) in [
        ("http://[fe80::1%25lo]:81/x", "http://[fe80::1]:81/x"),
        ("http://[fe80::1%25lo]?q", "http://[fe80::1]/?q"),
        ("http://[::1]:80/x", "http://[::1]/x"),
        ("http://b\u{fc}cher.test/#f", "http://xn--bcher-kva.test/"),
        ("ws://a.test./x", "ws://a.test./x"),
    ] {
        assert_eq!(text(session.get(url)).await, "ok");
        assert_eq!(site.last().target, want);
    }
    let plain = proxied(&site);
    assert_eq!(text(plain.get("http://u:w@ex.test/x")).await, "ok");
    assert_eq!(site.last().target, "http://ex.test/x");
    assert_eq!(site.last().header("authorization"), Some("Basic dTp3"));
    let seen = session.request("CONNECT", "http://ex.test/").await;
    drop(seen);
    assert_eq!(site.last().target, "ex.test:80");
    let seen = session.request("CONNECT", "http://ex.test.:99/").await;
    drop(seen);
    assert_eq!(site.last().target, "ex.test.:99");
    assert_eq!(site.last().header("host"), Some("ex.test:99"));
}

/// Checks what a proxy is told in `Proxy-Authorization`.
async fn check_told(
    with: impl FnOnce(ClientSessionBuilder, &Site) -> aio_client::RequestBuilder,
    want: &[&str],
) {
    let site = site().await;
    text(with(ClientSession::builder(), &site)).await;
    assert_eq!(site.last_values("proxy-authorization"), want);
    assert!(site.last_values("authorization").is_empty());
}

#[tokio::test]
async fn credentials_are_told_to_the_proxy() {
    // CON-83, as probed.
    const URL: &str = "http://a.test/";
    let at = |site: &Site, userinfo: &str| format!("http://{userinfo}@{}", site.host());
    let get = |builder| session(builder).get(URL);
    let auth = || BasicAuth::new("ada", "pw");
    check_told(|of, site| get(of).proxy(at(site, "ada:pw")), &[ADA]).await;
    check_told(|of, site| get(of.proxy(at(site, "ada:pw"))), &[ADA]).await;
    check_told(
        |of, site| get(of).proxy(at(site, "u:w")).proxy_auth(auth()),
        &[ADA],
    )
    .await;
    check_told(
        |of, site| get(of.proxy_auth(auth())).proxy(at(site, "u:w")),
        &[ADA],
    )
    .await;
    // A proxy of the request's own is not told what the session's is told by its URL.
    check_told(
        |of, site| get(of.proxy(at(site, "u:w"))).proxy(site.url("")),
        &[],
    )
    .await;
    // The fields of a plain request are told to nobody, but this one (CON-84).
    let bearer = ("Proxy-Authorization", "Bearer t");
    check_told(
        |of, site| get(of).proxy(site.url("")).proxy_header(bearer.0, bearer.1),
        &["Bearer t"],
    )
    .await;
    check_told(
        |of, site| {
            get(of)
                .proxy(at(site, "u:w"))
                .header("proxy-authorization", "own")
        },
        &["Basic dTp3"],
    )
    .await;
    check_told(
        |of, site| {
            get(of)
                .proxy(site.url(""))
                .header("proxy-authorization", "own")
        },
        &["own"],
    )
    .await;
    // As from variables that are not set, `http://$LOGIN:$PASSWORD@proxy`.
    check_told(|of, site| get(of).proxy(at(site, ":")), &[]).await;
    check_told(|of, site| get(of).proxy(at(site, ":w")), &["Basic Onc="]).await;
    // EDGE-204.
    let euro = "Basic dXM6cOKCrA==";
    check_told(|of, site| get(of).proxy(at(site, "us:p%E2%82%AC")), &[euro]).await;
}

#[tokio::test]
async fn urls_that_are_no_proxy_are_refused() {
    // CON-81, CON-82, EDGE-203.
    let session = ClientSession::new();
    for (url, class) in [
        ("http://:bad", "InvalidURL"),
        ("h:1", "InvalidURL"),
        ("127.0.0.1:1", "InvalidURL"),
        ("http://", "InvalidURL"),
        ("u:s3cret@h:1", "InvalidURL"),
        ("http://u:s3cret@h:p", "InvalidURL"),
        ("http://u:s3cret@[::1", "InvalidURL"),
        ("http://u:s3cret@1.2.3.4.5", "InvalidUrlClientError"),
        ("socks://u:s3cret@h:1", "ValueError"),
        ("http://a%3As3cret:s3cret@h", "ValueError"),
    ] {
        let error = failed(session.get("http://a.test/").proxy(url)).await;
        assert_eq!(error.aiohttp_class(), class, "{url}");
        assert_eq!(error.is_invalid_url(), class != "ValueError");
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        assert!(!format!("{error} {error:?} {cause:?}").contains("s3cret"));
        assert!(ClientSession::builder().proxy(url).build().is_err());
    }
}

#[tokio::test]
async fn a_tunnel_leads_to_the_server() {
    // EDGE-200, CON-85: nobody else looks up the name.
    let authority = Authority::new();
    let listener = TlsListener::new(authority.server_with(&["a.test"], rustls::ALL_VERSIONS)).await;
    let address = RequestUrl::parse(&listener.url()).expect("a URL");
    let address: SocketAddr = address.authority().parse().expect("an address");
    let proxy = TunnelProxy::start(address).await.expect("a proxy");
    let session = session(trusting(authority.client()).proxy(proxy.url()));
    let served = async {
        let mut peer = listener.accept().await;
        for body in ["one", "two"] {
            let head = peer.head().await;
            assert!(
                head.starts_with("GET /x?y HTTP/1.1\r\nHost: a.test\r\n"),
                "{head}"
            );
            peer.send(ok(body)).await;
        }
        peer.0.get_ref().1.server_name().map(str::to_owned)
    };
    let asked = async {
        for want in ["one", "two"] {
            assert_eq!(text(session.get("https://a.test/x?y")).await, want);
        }
    };
    let (name, ()) = soon("both", async { tokio::join!(served, asked) }).await;
    assert_eq!(name.as_deref(), Some("a.test"));
    // CON-37: one tunnel, which is used again; of the way there nothing is in the pool.
    assert_eq!(
        proxy.asked(),
        ["CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n"]
    );
    let stats = session.connector().stats();
    assert_eq!((stats.open, stats.idle), (1, 1));
}

#[tokio::test]
async fn neither_side_is_told_what_is_for_the_other() {
    // REQ-39, CON-86, EDGE-027.
    let authority = Authority::new();
    let server = target(&authority).await;
    let proxy = TunnelProxy::start(server.address()).await.expect("a proxy");
    let builder = trusting(authority.client())
        .proxy(proxy.url_for("ada:pw"))
        .proxy_header("X-Proxy", "for-the-proxy")
        .header("Authorization", "Bearer for-the-server")
        .header("X-Session", "for-the-server")
        .cookie("id", "for-the-server");
    let session = session(builder);
    let request = session.get("https://a.test/").header("Host", "b.test");
    let seen = text(
        request
            .header("Proxy-Authorization", "for-the-proxy")
            .header("X-Own", "for-the-server")
            .cookie("c", "for-the-server"),
    )
    .await;
    assert_eq!(seen.matches("for-the-server").count(), 5, "{seen}");
    for secret in ["YWRhOnB3", "for-the-proxy", "roxy"] {
        assert!(!seen.contains(secret), "{seen}");
    }
    let want = format!(
        "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\nX-Proxy: for-the-proxy\r\n\
         Proxy-Authorization: {ADA}\r\n\r\n"
    );
    assert_eq!(proxy.asked(), [want]);
}

#[tokio::test]
async fn closing_the_session_ends_its_tunnels() {
    // EDGE-199: one is idle, and another waits for its response.
    let authority = Authority::new();
    let asked = Arc::new(Notify::new());
    let told = Arc::clone(&asked);
    let server = TestServer::start_tls(
        authority.server(&["a.test", "b.test"]),
        move |request: Request| {
            let told = Arc::clone(&told);
            async move {
                if request.header("Host") == Some("b.test") {
                    told.notify_one();
                    std::future::pending::<()>().await;
                }
                Response::ok("")
            }
        },
    );
    let server = server.await.expect("a server");
    let proxy = TunnelProxy::start(server.address()).await.expect("a proxy");
    let session = session(trusting(authority.client()).proxy(proxy.url()));
    text(session.get("https://a.test/")).await;
    let close = async {
        asked.notified().await;
        assert_eq!(session.connector().stats().open, 2);
        session.close().await;
    };
    let both = async { tokio::join!(failed(session.get("https://b.test/")), close) };
    let (error, ()) = soon("the end", both).await;
    assert!(error.is_connection(), "{error}");
    assert_eq!(session.connector().stats().open, 0);
}

#[tokio::test]
async fn a_refused_tunnel_shows_what_the_proxy_says() {
    // EDGE-202, CON-87.
    let listener = Listener::new().await;
    let session =
        session(ClientSession::builder().proxy(format!("http://ada:s3cret@{}", listener.host())));
    let answer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send(
            "HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm=x\r\n\
             Content-Length: 6\r\n\r\ndenied",
        )
        .await;
        peer
    };
    let request = session
        .get("https://a.test/x?token=s3cret")
        .header("Cookie", "id=s3cret");
    let (error, _peer) = tokio::join!(failed(request), answer);
    assert_eq!(error.aiohttp_class(), "ClientHttpProxyError");
    assert!(error.is_a("ClientResponseError") && !error.is_connection());
    assert!(
        !format!("{error} {error:?}").contains("s3cret"),
        "{error:?}"
    );
    let ClientError::Response(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.kind, ResponseErrorKind::Proxy);
    assert_eq!(
        (error.status, &*error.message, &error.body[..]),
        (407, "Who are you", &b"denied"[..])
    );
    assert_eq!(error.attempt.phase, Phase::Tunnel);
    let head = error.head.as_ref().expect("a head");
    let told = head
        .headers()
        .get("proxy-authenticate")
        .expect("a challenge");
    assert_eq!(told.as_bytes(), b"Basic realm=x");
    assert_eq!(head.method(), "CONNECT");
    assert_eq!(head.url().host(), "a.test");
    assert_eq!(session.connector().stats().open, 0);
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_a_malformed_response() {
    let listener = Listener::new().await;
    let session = session(ClientSession::builder().proxy(listener.url("")));
    let answer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send("SSH-2.0-OpenSSH\r\n").await;
        peer
    };
    let (error, _peer) = tokio::join!(failed(session.get("https://a.test/")), answer);
    assert_eq!(
        (error.aiohttp_class(), error.status()),
        ("ClientResponseError", Some(400))
    );
}

#[tokio::test]
async fn a_tunnel_that_breaks_before_its_answer_is_asked_for_again() {
    // RTY-01; not twice.
    let listener = Listener::new().await;
    let session = session(ClientSession::builder().proxy(listener.url("")));
    let leave = async {
        for _ in 0..2 {
            listener.accept().await.head().await;
        }
    };
    let (error, ()) = tokio::join!(failed(session.get("https://a.test/")), leave);
    assert_eq!(error.aiohttp_class(), "ServerDisconnectedError");
}

#[tokio::test]
async fn what_differs_is_not_shared() {
    // EDGE-178, CON-10.
    let site = site().await;
    let session = proxied(&site);
    let get = || session.get("http://a.test/");
    let connections = async |request: aio_client::RequestBuilder| {
        text(request).await;
        session.connector().stats().open
    };
    assert_eq!(connections(get()).await, 1);
    assert_eq!(connections(get()).await, 1);
    assert_eq!(connections(get().proxy_header("X", "1")).await, 2);
    assert_eq!(connections(get().proxy_header("X", "1")).await, 2);
    assert_eq!(connections(get().proxy_header("X", "2")).await, 3);
    assert_eq!(
        connections(get().proxy_auth(BasicAuth::new("ada", "pw"))).await,
        4
    );
    assert_eq!(connections(get().proxy(site.url("/other/path"))).await, 4);
    assert_eq!(connections(session.get("http://b.test/")).await, 5);
    assert_eq!(connections(session.get(site.url("/")).no_proxy()).await, 6);
}

#[tokio::test]
async fn peers_behind_one_proxy_share_the_limit() {
    // EDGE-205.
    let site = site().await;
    let connector = TcpConnector::builder().limit(1).build().expect("valid");
    let builder = ClientSession::builder()
        .connector(connector)
        .proxy(site.url(""));
    let session = session(builder);
    let requests: Vec<_> = (0..5)
        .map(|host| tokio::spawn(text(session.get(format!("http://h{host}.test/")))))
        .collect();
    for request in requests {
        assert_eq!(soon("each", request).await.expect("no panic"), "ok");
        assert!(session.connector().stats().open <= 1);
    }
    let mut asked = site.asked();
    asked.sort();
    let want = (0..5).map(|host| format!("GET http://h{host}.test/"));
    assert_eq!(asked, want.collect::<Vec<_>>());
}

#[tokio::test]
async fn redirects_stay_on_the_proxy() {
    // RED-33.
    let site = Site::new(|request| match request.target.as_str() {
        "http://a.test/" => Response::new(302).header("Location", "http://b.test/next"),
        _ => Response::ok("end"),
    })
    .await;
    let session = session(ClientSession::builder().proxy(format!("http://ada:pw@{}", site.host())));
    assert_eq!(text(session.get("http://a.test/")).await, "end");
    assert_eq!(
        site.asked(),
        ["GET http://a.test/", "GET http://b.test/next"]
    );
    assert_eq!(site.last_values("proxy-authorization"), [ADA]);
}

#[tokio::test]
async fn credentials_of_one_proxy_go_to_no_other() {
    // EDGE-101.
    let authority = Authority::new();
    let server = target(&authority).await;
    let one = Site::new(|_| Response::new(302).header("Location", "https://a.test/")).await;
    let other = TunnelProxy::start(server.address()).await.expect("a proxy");
    let (http, https) = (format!("http://ada:pw@{}", one.host()), other.url());
    let environment = Environment::from_pairs([("http_proxy", &http), ("https_proxy", &https)]);
    let builder = trusting(authority.client())
        .trust_env(true)
        .environment(environment);
    let seen = text(session(builder).get("http://a.test/")).await;
    assert!(
        !seen.to_ascii_lowercase().contains("authorization"),
        "{seen}"
    );
    assert_eq!(one.last_values("proxy-authorization"), [ADA]);
    assert_eq!(
        other.asked(),
        ["CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n"]
    );
}

#[tokio::test]
async fn a_dead_connection_to_a_proxy_is_replaced() {
    let listener = Listener::new().await;
    let session = session(ClientSession::builder().proxy(listener.url("")));
    let served = async {
        let mut first = listener.accept().await;
        first.head().await;
        first.send(ok("one")).await;
        assert!(first.head().await.starts_with("GET http://a.test/2 "));
        drop(first);
        let mut second = listener.accept().await;
        assert!(second.head().await.starts_with("GET http://a.test/2 "));
        second.send(ok("two")).await;
        second
    };
    let asked = async {
        assert_eq!(text(session.get("http://a.test/1")).await, "one");
        assert_eq!(text(session.get("http://a.test/2")).await, "two");
    };
    let both = async { tokio::join!(served, asked) };
    drop(soon("both", both).await);
}

#[tokio::test]
async fn timeouts_span_the_tunnel() {
    let listener = Listener::new().await;
    // To read what the system trusts may take longer on a busy machine.
    let builder = trusting(Authority::new().client());
    let session = session(builder.proxy(listener.url("")));
    let limit = Some(Duration::from_millis(200));
    for (timeout, class) in [
        (
            ClientTimeout {
                total: limit,
                ..ClientTimeout::none()
            },
            "TimeoutError",
        ),
        (
            ClientTimeout {
                connect: limit,
                ..ClientTimeout::none()
            },
            "ConnectionTimeoutError",
        ),
        (
            ClientTimeout {
                sock_connect: limit,
                ..ClientTimeout::none()
            },
            "ConnectionTimeoutError",
        ),
    ] {
        let silent = async {
            let mut peer = listener.accept().await;
            peer.head().await;
            peer.drain().await;
        };
        let request = session.get("https://a.test/").timeout(timeout);
        let (error, ()) = tokio::join!(failed(request), silent);
        assert_eq!(error.aiohttp_class(), class);
        assert_eq!(error.attempt().expect("under way").phase, Phase::Tunnel);
        assert_eq!(session.connector().stats().open, 0);
    }
}

#[tokio::test]
async fn a_middleware_sees_and_sets_the_proxy() {
    let (one, other) = (site().await, site().await);
    let there = Proxy::new(other.url("")).expect("a proxy");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let set = move |mut request: ClientRequest, next: Next| {
        log.lock()
            .expect("no panic")
            .push(request.proxy().map(|proxy| proxy.url().to_string()));
        request.set_proxy(there.clone());
        next.run(request)
    };
    let session = session(ClientSession::builder().proxy(one.url("/")).middleware(set));
    text(session.get("http://a.test/")).await;
    assert_eq!((one.asked().len(), other.asked().len()), (0, 1));
    assert_eq!(*seen.lock().expect("no panic"), [Some(one.url("/"))]);
}

#[tokio::test]
async fn the_error_of_a_proxy_that_nobody_serves_is_about_it() {
    // CON-88.
    let listener = Listener::new().await;
    let host = listener.host();
    drop(listener);
    let session = session(ClientSession::builder().proxy(format!("http://ada:s3cret@{host}")));
    for url in ["http://a.test/", "https://a.test/"] {
        let error = failed(session.get(url)).await;
        assert_eq!(error.aiohttp_class(), "ClientProxyConnectionError");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
        let ClientError::Connection(ConnectionError::Connect(error)) = error else {
            panic!("{error:?}");
        };
        assert_eq!(error.kind(), &ConnectErrorKind::Proxy);
        assert_eq!(format!("{}:{}", error.host(), error.port()), host);
    }
}

#[tokio::test]
async fn nothing_shows_what_a_proxy_is_told() {
    let log = Log::default();
    let site = site().await;
    let url = format!("http://s3cret:s3cret@{}", site.host());
    let builder = ClientSession::builder()
        .proxy(url.as_str())
        .proxy_auth(BasicAuth::new("s3cret", "s3cret"))
        .proxy_header("X", "s3cret")
        .trace_config(log.clone());
    assert!(!format!("{builder:?}").contains("s3cret"));
    let session = session(builder);
    let request = session
        .get("http://a.test/")
        .proxy(url.as_str())
        .proxy_header("Y", "s3cret");
    assert!(!format!("{session:?} {request:?}").contains("s3cret"));
    let response = request.await.expect("a response");
    let info = response.request_info();
    assert!(!format!("{response:?} {info:?} {:?}", info.headers()).contains("s3cret"));
    drop(response);
    let keys = session.connector().stats_by_key();
    assert!(!keys.is_empty() && !format!("{keys:?}").contains("s3cret"));
    assert!(!format!("{log:?}").contains("s3cret"));
}
