//! Requests through proxies that others wrote.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aio_client::{
    AddressFamily, BasicAuth, BoxFuture, ClientError, ClientResponse, ClientResponseError,
    ClientSession, ClientSessionBuilder, Environment, Phase, Proxy, RequestBuilder, Resolved,
    Resolver, ResponseErrorKind, TcpConnector, TlsConfig,
};
use aio_tests::http_server::{self, Request, Response, TestServer};
use aio_tests::real_proxy::{
    Kind, MITMPROXY_OPEN, RealProxy, SQUID_BASIC, SQUID_DIGEST, SQUID_OPEN, TINYPROXY_BASIC,
    TINYPROXY_OPEN,
};
use aio_tests::tls::Authority;
use bytes::Bytes;

use crate::peer::soon;
use crate::uploads::fed;

/// More than any buffer on the way holds.
const LARGE: usize = 3_000_000;

/// `ada:s3cret`, as it is told.
pub(crate) const ADA: &str = "YWRhOnMzY3JldA==";

/// The servers behind a proxy, which remember what they were asked.
pub(crate) struct Origin {
    pub(crate) authority: Authority,
    pub(crate) plain: TestServer,
    pub(crate) tls: TestServer,
    pub(crate) seen: Arc<Mutex<Vec<Request>>>,
}

impl Origin {
    pub(crate) async fn new() -> Self {
        let authority = Authority::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let handler = move |request: Request| {
            log.lock().expect("no panic").push(request.clone());
            std::future::ready(answer(request))
        };
        let tls = authority.server(&["127.0.0.1", "localhost"]);
        Self {
            plain: TestServer::start(handler.clone()).await.expect("a port"),
            tls: TestServer::start_tls(tls, handler).await.expect("a port"),
            authority,
            seen,
        }
    }

    fn last(&self) -> Request {
        let seen = self.seen.lock().expect("no panic");
        seen.last().expect("a request").clone()
    }

    /// Tells all that the servers were told.
    pub(crate) fn told(&self) -> String {
        format!("{:?}", self.seen.lock().expect("no panic"))
    }

    /// Begins a session that trusts the authority.
    pub(crate) fn builder(&self) -> ClientSessionBuilder {
        trusting(self.authority.client())
    }

    fn session(&self, proxy: &RealProxy) -> ClientSession {
        let builder = self.builder().proxy(format!("http://{}", proxy.host()));
        builder.build().expect("valid")
    }
}

fn answer(request: Request) -> Response {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    match path {
        "/echo" => Response::ok(request.body),
        "/large" => Response::new(200).body(http_server::Body::Repeat {
            block: Bytes::from_static(b"0123456789"),
            length: LARGE as u64,
        }),
        "/endless" => Response::new(200).body(http_server::Body::Repeat {
            block: vec![b'x'; 16 * 1024].into(),
            length: 1 << 40,
        }),
        "/chunked" => Response::new(200).body(http_server::Body::Chunked(vec![
            Bytes::from_static(b"one "),
            Bytes::from_static(b"two"),
        ])),
        "/moved" => Response::new(302).header("Location", "/echo"),
        "/away" => Response::new(302).header("Location", query),
        "/none" => Response::new(404).body(http_server::Body::Bytes("no such page".into())),
        _ => Response::ok("hello"),
    }
}

fn trusting(tls: TlsConfig) -> ClientSessionBuilder {
    // A busy machine may take its time between two requests.
    let connector = TcpConnector::builder().tls(tls).keepalive_timeout(None);
    ClientSession::builder().connector(connector.build().expect("valid"))
}

pub(crate) fn start(kind: &Kind) -> Option<RealProxy> {
    RealProxy::start(kind).expect("it starts")
}

pub(crate) async fn send(request: RequestBuilder) -> Result<(ClientResponse, String), ClientError> {
    soon("the response", async {
        let mut response = request.send().await?;
        let text = response.text().await?;
        Ok((response, text))
    })
    .await
}

pub(crate) async fn got(request: RequestBuilder) -> (u16, String) {
    let (response, text) = send(request).await.expect("a response");
    (response.status().as_u16(), text)
}

/// Asks for a tunnel that is refused.
async fn refused(request: RequestBuilder) -> Box<ClientResponseError> {
    let error = send(request).await.expect_err("it is refused");
    assert_eq!(error.aiohttp_class(), "ClientHttpProxyError", "{error:?}");
    let ClientError::Response(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.kind, ResponseErrorKind::Proxy);
    assert_eq!(error.attempt.phase, Phase::Tunnel);
    error
}

/// Sends a session's requests of all kinds to one server.
async fn exchange(session: &ClientSession, origin: &Origin, server: &TestServer) {
    let url = |path: &str| server.url(path);
    let hello = (200, "hello".to_owned());
    assert_eq!(got(session.get(url("/?a=b%20c"))).await, hello);
    assert_eq!(origin.last().target, "/?a=b%20c");

    let sized = session.post(url("/echo")).body("sized");
    assert_eq!(got(sized).await, (200, "sized".into()));
    assert_eq!(origin.last().header("content-length"), Some("5"));

    let (feed, body) = fed();
    feed.send("in ").expect("it is read");
    feed.send("pieces").expect("it is read");
    drop(feed);
    let chunked = session.put(url("/echo")).body(body);
    assert_eq!(got(chunked).await, (200, "in pieces".into()));
    assert_eq!(origin.last().method, "PUT");

    assert_eq!(
        got(session.get(url("/chunked"))).await,
        (200, "one two".into())
    );
    assert_eq!(
        got(session.get(url("/none"))).await,
        (404, "no such page".into())
    );

    let (head, text) = send(session.head(url("/large"))).await.expect("a response");
    assert_eq!((head.status().as_u16(), &*text), (200, ""));
    assert_eq!(head.content_length(), Some(LARGE as u64));

    let (moved, _) = send(session.post(url("/moved")).body("gone"))
        .await
        .expect("a response");
    assert_eq!((moved.status().as_u16(), moved.history().len()), (200, 1));
    assert_eq!(origin.last().method, "GET");

    let (status, text) = got(session.get(url("/large"))).await;
    assert_eq!((status, text.len()), (200, LARGE));
    assert!(
        text.as_bytes()
            .chunks(10)
            .all(|block| block == b"0123456789")
    );
    let body: Vec<u8> = (0..LARGE).map(|at| b'a' + (at % 23) as u8).collect();
    let (status, text) = got(session.post(url("/echo")).body(body.clone())).await;
    assert_eq!(status, 200);
    assert!(text.as_bytes() == body, "the body is another");
}

/// Sends requests of all kinds through a proxy, to a server without TLS, to one with it, and
/// from one to the other.
pub(crate) async fn exchange_through(session: &ClientSession, origin: &Origin) {
    exchange(session, origin, &origin.plain).await;
    exchange(session, origin, &origin.tls).await;
    for (from, to) in [(&origin.plain, &origin.tls), (&origin.tls, &origin.plain)] {
        let away = from.url(&format!("/away?{}", to.url("/")));
        let (response, text) = send(session.get(away)).await.expect("a response");
        assert_eq!((response.url().as_str(), &*text), (&*to.url("/"), "hello"));
        assert_eq!(response.history().len(), 1);
    }
    // Whatever the proxy keeps, each tunnel is one connection, and nothing is left over.
    let stats = session.connector().stats();
    assert_eq!(stats.open, stats.idle);
}

/// Waits until the proxy's list has so many lines with `word`, and returns them: tunnels are
/// listed when they have ended.
pub(crate) async fn listed(proxy: &RealProxy, word: &str, count: usize) -> Vec<String> {
    let lines = async {
        loop {
            let lines = proxy.listed(word).expect("a list");
            if lines.len() >= count {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let lines = soon("what the proxy lists", lines).await;
    assert_eq!(lines.len(), count, "{lines:?}");
    lines
}

/// Returns the ports of clients in lines of a list.
fn clients(lines: &[String]) -> BTreeSet<&str> {
    lines
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect()
}

#[tokio::test]
async fn all_kinds_of_requests_through_squid() {
    let Some(proxy) = start(&SQUID_OPEN) else {
        return;
    };
    let origin = Origin::new().await;
    let session = origin.session(&proxy);
    exchange_through(&session, &origin).await;
    // One connection to the proxy for each server, as it has seen too.
    assert_eq!(session.connector().stats().created, 2);
    session.close().await;
    assert_eq!(
        clients(&listed(&proxy, &origin.plain.url("/"), 12).await).len(),
        1
    );
    listed(&proxy, " CONNECT ", 1).await;
}

#[tokio::test]
async fn all_kinds_of_requests_through_mitmproxy() {
    let Some(proxy) = start(&MITMPROXY_OPEN) else {
        return;
    };
    let origin = Origin::new().await;
    // Its own certificates are what the client sees.
    let authority = fs::read(proxy.directory().join("mitmproxy-ca-cert.pem")).expect("it is made");
    let tls = TlsConfig::builder()
        .root_certificate_pem(&authority)
        .build();
    let builder = trusting(tls.expect("a certificate")).proxy(format!("http://{}", proxy.host()));
    let session = builder.build().expect("valid");
    exchange_through(&session, &origin).await;
    assert_eq!(session.connector().stats().created, 2);
    listed(&proxy, &origin.tls.url("/"), 13).await;
    // What is for the server's eyes is not for a proxy that is not trusted.
    let session = origin.session(&proxy);
    let secret = session.get(origin.tls.url("/")).header("X", "s3cret");
    let error = send(secret).await.expect_err("it is not trusted");
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
    assert_eq!(proxy.listed("s3cret").expect("a list"), [""; 0]);
}

#[tokio::test]
async fn all_kinds_of_requests_through_tls_before_squid() {
    // EDGE-201: TLS in TLS, each with an authority of its own.
    let Some(squid) = start(&SQUID_BASIC) else {
        return;
    };
    let (origin, company) = (Origin::new().await, Authority::new());
    let Some(proxy) = squid.behind_tls(&company).expect("it starts") else {
        return;
    };
    let there = Proxy::new(format!("https://ada:s3cret@{}", proxy.host())).expect("a proxy");
    let builder = origin.builder().proxy(there.clone());
    let session = builder.build().expect("valid");
    // The proxy's certificate is not to be trusted for the sake of the servers.
    let error = send(session.get(origin.plain.url("/")))
        .await
        .expect_err("unknown");
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
    let builder = origin.builder().proxy(there.tls(company.client()));
    let session = builder.build().expect("valid");
    exchange_through(&session, &origin).await;
    assert_eq!(session.connector().stats().created, 2);
    session.close().await;
    assert!(!origin.told().contains(ADA));
    let lines = listed(&squid, &origin.plain.url("/"), 12).await;
    assert_eq!(clients(&lines).len(), 1);
    listed(&squid, " CONNECT ", 1).await;
    // Nor the servers' for the sake of the proxy.
    let builder = trusting(company.client()).proxy(format!("https://{}", proxy.host()));
    let session = builder.build().expect("valid");
    let error = send(session.get(origin.tls.url("/")))
        .await
        .expect_err("refused");
    assert_eq!(
        error.aiohttp_class(),
        "ClientHttpProxyError",
        "no credentials"
    );
    let known = session
        .get(origin.tls.url("/"))
        .proxy_auth(BasicAuth::new("ada", "s3cret"));
    let error = send(known).await.expect_err("unknown");
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
}

#[tokio::test]
async fn all_kinds_of_requests_through_tinyproxy() {
    let Some(proxy) = start(&TINYPROXY_OPEN) else {
        return;
    };
    let origin = Origin::new().await;
    // It closes behind each response without having said so: what must not be sent twice is
    // for a connection of its own.
    let connector = TcpConnector::builder().tls(origin.authority.client());
    let connector = connector.force_close(true).build().expect("valid");
    let builder = ClientSession::builder().connector(connector);
    let builder = builder.proxy(format!("http://{}", proxy.host()));
    let session = builder.build().expect("valid");
    exchange_through(&session, &origin).await;
    assert_eq!(session.connector().stats().reused, 0);
    // Others find out, and its tunnels last.
    let session = origin.session(&proxy);
    for (server, connections) in [(&origin.plain, 2), (&origin.tls, 1)] {
        let before = session.connector().stats().created;
        for _ in 0..2 {
            let request = session.get(server.url("/"));
            assert_eq!(got(request).await, (200, "hello".into()));
        }
        let created = session.connector().stats().created - before;
        assert_eq!(created, connections);
    }
}

/// Checks who gets through a proxy that asks for credentials, and who is told them; `wrong`
/// is what a version of it may answer if they are.
async fn check_credentials(kind: &Kind, wrong: &[u16]) {
    let Some(proxy) = start(kind) else {
        return;
    };
    let origin = Origin::new().await;
    let by_url = |userinfo: &str| {
        let builder = origin
            .builder()
            .proxy(format!("http://{userinfo}{}", proxy.host()));
        builder.build().expect("valid")
    };
    let known = BasicAuth::new("ada", "s3cret");
    let theirs = BasicAuth::new("bob", "for-the-server");
    for server in [&origin.plain, &origin.tls] {
        let url = server.url("/");
        let hello = (200, "hello".to_owned());
        let with_theirs = by_url("ada:s3cret@").get(&*url).basic_auth(theirs.clone());
        assert_eq!(got(with_theirs).await, hello);
        assert_eq!(
            origin.last().header("authorization"),
            Some("Basic Ym9iOmZvci10aGUtc2VydmVy")
        );
        assert_eq!(
            got(by_url("").get(&*url).proxy_auth(known.clone())).await,
            hello
        );
        let over = by_url("ada:wrong@").get(&*url).proxy_auth(known.clone());
        assert_eq!(got(over).await, hello);
    }
    let told = origin.told().to_ascii_lowercase();
    assert!(
        !told.contains(&ADA.to_ascii_lowercase()) && !told.contains("proxy-auth"),
        "{told}"
    );

    for (userinfo, statuses) in [
        ("", &[407][..]),
        ("ada:wrong@", wrong),
        ("eve:s3cret@", wrong),
    ] {
        let session = by_url(userinfo);
        let (response, text) = send(session.get(origin.plain.url("/")))
            .await
            .expect("a response");
        assert!(text.contains("<html"), "{text}");
        let error = refused(session.get(origin.tls.url("/"))).await;
        assert!(error.body.starts_with(b"<"), "{:?}", error.body);
        assert!(!format!("{error} {error:?}").contains("s3cret"));
        let status = response.status().as_u16();
        assert!(statuses.contains(&status), "{status}");
        assert_eq!(error.status, status);
        let challenge = match status {
            407 => "proxy-authenticate",
            _ => "www-authenticate",
        };
        let head = error.head.as_ref().expect("a head");
        for headers in [response.headers(), head.headers()] {
            let challenge = headers.get(challenge).expect("a challenge");
            assert!(challenge.as_bytes().starts_with(b"Basic realm="));
        }
    }
    let count = origin.seen.lock().expect("no panic").len();
    assert_eq!(count, 6, "who is unknown does not get through");
}

#[tokio::test]
async fn squid_asks_for_credentials() {
    check_credentials(&SQUID_BASIC, &[407]).await;
}

#[tokio::test]
async fn tinyproxy_asks_for_credentials() {
    // 1.11.1 takes it for the server's question.
    check_credentials(&TINYPROXY_BASIC, &[401, 407]).await;
}

#[tokio::test]
async fn squid_asks_for_a_digest() {
    let Some(proxy) = start(&SQUID_DIGEST) else {
        return;
    };
    let origin = Origin::new().await;
    let session = origin.session(&proxy);
    let (response, _) = send(session.get(origin.plain.url("/")))
        .await
        .expect("a response");
    assert_eq!(response.status().as_u16(), 407);
    let error = refused(session.get(origin.tls.url("/"))).await;
    assert_eq!(error.status, 407);
    let head = error.head.as_ref().expect("a head");
    for headers in [response.headers(), head.headers()] {
        let challenge = headers.get("proxy-authenticate").expect("a challenge");
        assert!(
            challenge
                .as_bytes()
                .starts_with(b"Digest realm=\"proxy.test\", nonce=")
        );
    }
}

#[tokio::test]
async fn squid_sees_what_is_for_it() {
    // REQ-39, CON-86.
    let Some(proxy) = start(&SQUID_OPEN) else {
        return;
    };
    let origin = Origin::new().await;
    let builder = origin.builder().header("X-Session", "for-the-server");
    let builder = builder.cookie("id", "for-the-server");
    let builder = builder.proxy(format!("http://ada:s3cret@{}", proxy.host()));
    let session = builder
        .proxy_header("X-Proxy", "for-the-proxy")
        .build()
        .expect("valid");
    let request = session.get(origin.tls.url("/path?token=for-the-server"));
    let request = request.basic_auth(BasicAuth::new("bob", "for-the-server"));
    assert_eq!(got(request.header("X-Own", "for-the-server")).await.0, 200);
    let told = origin.told();
    assert_eq!(told.matches("\"for-the-server\"").count(), 2, "{told}");
    assert!(told.contains("id=for-the-server") && told.contains("token=for-the-server"));
    assert!(
        !told.contains("for-the-proxy") && !told.contains(ADA),
        "{told}"
    );
    session.close().await;
    let lines = listed(&proxy, " CONNECT ", 1).await;
    let (_, line) = lines[0].split_once(' ').expect("a port");
    let host = origin.tls.address();
    let want = format!(
        "CONNECT {host} 200 X-Proxy: for-the-proxy\\r\\n\
         Proxy-Authorization: Basic {ADA}\\r\\nHost: {host}\\r\\n"
    );
    assert_eq!(line, want);
}

#[tokio::test]
async fn the_environment_names_squid() {
    // CON-93
    let Some(proxy) = start(&SQUID_BASIC) else {
        return;
    };
    let origin = Origin::new().await;
    let url = format!("http://ada:s3cret@{}", proxy.host());
    let asked = async |environment: &[(&str, &str)]| {
        let environment = Environment::from_pairs(environment.iter().copied());
        let builder = origin.builder().trust_env(true).environment(environment);
        let session = builder.build().expect("valid");
        for server in [&origin.plain, &origin.tls] {
            assert_eq!(got(session.get(server.url("/"))).await.0, 200);
        }
        session.close().await;
    };
    asked(&[("all_proxy", &*url), ("no_proxy", "127.0.0.0/8")]).await;
    assert_eq!(proxy.listed(" 200 ").expect("a list"), [""; 0]);
    asked(&[
        ("http_proxy", &*url),
        ("HTTPS_PROXY", &*url),
        ("no_proxy", "a.test"),
    ])
    .await;
    listed(&proxy, " 200 ", 2).await;
    asked(&[("ALL_PROXY", &*url)]).await;
    listed(&proxy, " 200 ", 4).await;
    assert!(!origin.told().contains(ADA));
}

/// Checks how a proxy says that it will not, or cannot: for a server that is denied, for one
/// that does not listen, for a name that there is not.
async fn check_refusals(kind: &Kind, denied: u16, closed: u16, unknown: &[u16]) {
    let Some(proxy) = start(kind) else {
        return;
    };
    let origin = Origin::new().await;
    let session = origin.session(&proxy);
    for (host, status) in [("127.0.0.2", denied), ("127.0.0.1:1", closed)] {
        let (response, text) = send(session.get(format!("http://{host}/")))
            .await
            .expect("one");
        assert_eq!(response.status().as_u16(), status, "{host}: {text}");
        assert!(text.contains("<html"), "{text}");
        let error = refused(session.get(format!("https://{host}/"))).await;
        assert_eq!(error.status, status, "{host}");
        assert!(
            !error.body.is_empty() && !error.message.is_empty(),
            "{error:?}"
        );
    }
    let name = "no-such-name.invalid";
    let (status, _) = got(session.get(format!("http://{name}/"))).await;
    assert!(unknown.contains(&status), "{status}");
    let error = refused(session.get(format!("https://{name}/"))).await;
    assert!(unknown.contains(&error.status), "{error:?}");
    // It goes on.
    for server in [&origin.plain, &origin.tls] {
        assert_eq!(got(session.get(server.url("/"))).await.0, 200);
    }
}

#[tokio::test]
async fn squid_refuses() {
    check_refusals(&SQUID_OPEN, 403, 503, &[500, 502, 503]).await;
}

#[tokio::test]
async fn tinyproxy_refuses() {
    check_refusals(&TINYPROXY_OPEN, 403, 500, &[500, 502]).await;
}

#[tokio::test]
async fn mitmproxy_refuses() {
    let Some(proxy) = start(&MITMPROXY_OPEN) else {
        return;
    };
    let session = ClientSession::builder().proxy(format!("http://{}", proxy.host()));
    let session = session.build().expect("valid");
    for host in ["127.0.0.1:1", "no-such-name.invalid"] {
        let (status, text) = got(session.get(format!("http://{host}/"))).await;
        assert_eq!(status, 502, "{host}: {text}");
        let error = refused(session.get(format!("https://{host}/"))).await;
        assert_eq!(error.status, 502, "{host}");
        assert!(!error.body.is_empty(), "{error:?}");
    }
}

#[tokio::test]
async fn names_are_looked_up_by_squid() {
    // EDGE-200
    let Some(proxy) = start(&SQUID_OPEN) else {
        return;
    };
    let origin = Origin::new().await;
    let connector = TcpConnector::builder()
        .tls(origin.authority.client())
        .resolver(Arc::new(Nobody));
    let builder = ClientSession::builder().connector(connector.build().expect("valid"));
    let builder = builder.proxy(format!("http://{}", proxy.host()));
    let session = builder.build().expect("valid");
    for server in [&origin.plain, &origin.tls] {
        let url = server.url("/").replace("127.0.0.1", "localhost");
        assert_eq!(got(session.get(url)).await, (200, "hello".into()));
    }
}

/// Finds no name.
#[derive(Debug)]
pub(crate) struct Nobody;

impl Resolver for Nobody {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        _: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        Box::pin(async { Err(io::ErrorKind::NotFound.into()) })
    }
}

#[tokio::test]
async fn squid_may_restart() {
    let Some(mut proxy) = start(&SQUID_OPEN) else {
        return;
    };
    let origin = Origin::new().await;
    let session = origin.session(&proxy);
    for created in [2, 4] {
        // What must not be sent twice is not sent to who has left.
        for server in [&origin.plain, &origin.tls] {
            let request = session.post(server.url("/echo")).body("once");
            assert_eq!(got(request).await, (200, "once".into()));
        }
        assert_eq!(session.connector().stats().created, created);
        proxy.restart().expect("it starts");
    }
    drop(proxy);
    for server in [&origin.plain, &origin.tls] {
        let error = send(session.get(server.url("/")))
            .await
            .expect_err("nobody there");
        assert_eq!(error.aiohttp_class(), "ClientProxyConnectionError");
    }
    assert_eq!(origin.seen.lock().expect("no panic").len(), 4);
}

#[tokio::test]
async fn squid_may_die_in_mid_body() {
    let origin = Origin::new().await;
    for server in [&origin.plain, &origin.tls] {
        let Some(proxy) = start(&SQUID_OPEN) else {
            return;
        };
        let session = origin.session(&proxy);
        let request = session.get(server.url("/endless"));
        let response = soon("the response", request.send()).await;
        let mut response = response.expect("a response");
        let error = soon("the end", async {
            let mut proxy = Some(proxy);
            loop {
                match response.content().chunk().await {
                    // It is killed.
                    Ok(_) => drop(proxy.take()),
                    Err(error) => break error,
                }
            }
        });
        let error = error.await;
        assert!(error.is_a("ClientPayloadError"), "{error:?}");
        assert_eq!(session.connector().stats().open, 0);
    }
}

/// Sends a body that waits for leave, to a server without TLS and to one with it.
async fn check_100(kind: &Kind, patience: Option<Duration>) {
    let Some(proxy) = start(kind) else {
        return;
    };
    let origin = Origin::new().await;
    let session = origin.session(&proxy);
    for server in [&origin.plain, &origin.tls] {
        let request = session.post(server.url("/echo")).body("waits");
        let request = request.expect100(true).continue_timeout(patience);
        assert_eq!(got(request).await, (200, "waits".into()));
        let expect = origin.last().header("expect").map(str::to_ascii_lowercase);
        assert_eq!(expect.as_deref(), Some("100-continue"));
    }
}

#[tokio::test]
async fn a_body_waits_for_100_through_squid() {
    check_100(&SQUID_OPEN, None).await;
}

#[tokio::test]
async fn a_body_does_not_wait_for_ever_through_tinyproxy() {
    // It wants the body before it asks the server.
    check_100(&TINYPROXY_OPEN, Some(Duration::from_millis(50))).await;
}

#[tokio::test]
async fn an_upload_that_squid_refuses_early_shows_why() {
    let (Some(open), Some(basic)) = (start(&SQUID_OPEN), start(&SQUID_BASIC)) else {
        return;
    };
    let origin = Origin::new().await;
    for (proxy, length, want) in [(&open, 5 << 20, 413), (&basic, LARGE, 407)] {
        let session = origin.session(proxy);
        for waits in [false, true] {
            let request = session
                .post(origin.plain.url("/echo"))
                .body(vec![b'x'; length]);
            let (status, text) = got(request.expect100(waits)).await;
            assert_eq!(status, want);
            assert!(text.contains("</html>"), "{text}");
        }
    }
    assert!(origin.seen.lock().expect("no panic").is_empty());
    let session = origin.session(&open);
    assert_eq!(
        got(session.post(origin.plain.url("/echo")).body("small"))
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn many_requests_share_squid() {
    // EDGE-205
    let Some(proxy) = start(&SQUID_OPEN) else {
        return;
    };
    let origin = Origin::new().await;
    let connector = TcpConnector::builder()
        .tls(origin.authority.client())
        .limit(4);
    let builder = ClientSession::builder().connector(connector.build().expect("valid"));
    let builder = builder.proxy(format!("http://{}", proxy.host()));
    let session = builder.build().expect("valid");
    let requests = (0..40).map(|number| {
        let server = if number % 2 == 0 {
            &origin.plain
        } else {
            &origin.tls
        };
        let body = format!("number {number}");
        let request = session.post(server.url("/echo")).body(body.clone());
        tokio::spawn(async move { assert_eq!(got(request).await, (200, body)) })
    });
    for request in requests.collect::<Vec<_>>() {
        soon("each", request).await.expect("no panic");
        assert!(session.connector().stats().open <= 4);
    }
}
