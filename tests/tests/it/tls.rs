//! TLS: whom to trust, handshakes that fail, sessions that are resumed, and who may share
//! a connection.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use aio_client::{
    AddressFamily, BoxFuture, ClientError, ClientSession, ConnectErrorKind, ConnectionError, Phase,
    Resolved, Resolver, TcpConnector, TlsConfig,
};
use aio_tests::http_server::{Body, Request, Response, TestServer};
use aio_tests::tls::Authority;
use bytes::Bytes;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::peer::{Listener, Peer, begin, soon};

const LOCALHOST: &[&str] = &["127.0.0.1"];

pub(crate) fn session(tls: TlsConfig) -> ClientSession {
    let connector = TcpConnector::builder().tls(tls).build();
    let connector = connector.expect("valid settings");
    let session = ClientSession::builder().connector(connector).build();
    session.expect("valid settings")
}

/// A server that the test itself plays, over TLS.
pub(crate) struct TlsListener {
    listener: Listener,
    acceptor: TlsAcceptor,
}

impl TlsListener {
    pub(crate) async fn new(tls: rustls::ServerConfig) -> Self {
        Self {
            listener: Listener::new().await,
            acceptor: TlsAcceptor::from(Arc::new(tls)),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}/", self.listener.host())
    }

    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        self.listener.accept().await.0
    }

    pub(crate) async fn accept(&self) -> Peer<TlsStream<TcpStream>> {
        let stream = self.accept_tcp().await;
        let accepted = self.acceptor.accept(stream).await;
        Peer(accepted.expect("the client agrees"))
    }

    /// Accepts a connection, and answers a request on it with `body`.
    pub(crate) async fn serve(&self, body: &str) -> Peer<TlsStream<TcpStream>> {
        let mut peer = self.accept().await;
        peer.head().await;
        peer.send(ok(body)).await;
        peer
    }
}

pub(crate) fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
}

pub(crate) async fn text(session: &ClientSession, url: String) -> Result<String, ClientError> {
    soon("the response", async {
        session.get(url).await?.text().await
    })
    .await
}

async fn echo(request: Request) -> Response {
    Response::ok(request.body)
}

/// Answers with the number of a request's connection, and closes it.
async fn close(_: Request) -> Response {
    Response::ok("bye").header("Connection", "close")
}

async fn server(authority: &Authority) -> TestServer {
    let server = TestServer::start_tls(authority.server(LOCALHOST), echo).await;
    server.expect("a server")
}

/// The texts of an error and of its causes.
fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

#[track_caller]
fn check_certificate(outcome: Result<String, ClientError>, text: &str) {
    let error = outcome.expect_err("it must fail");
    let shown = chain(&error);
    let ClientError::Connection(ConnectionError::Connect(connect)) = &error else {
        panic!("{shown}");
    };
    assert!(
        matches!(connect.kind(), ConnectErrorKind::Certificate(_)),
        "{shown}"
    );
    let class = error.aiohttp_class();
    assert_eq!(class, "ClientConnectorCertificateError", "{shown}");
    assert_eq!(connect.attempt().phase, Phase::Tls, "{shown}");
    assert!(shown.contains(text), "{shown}");
}

#[tokio::test]
async fn requests_over_tls_share_a_connection() {
    let authority = Authority::new();
    let (server, session) = (server(&authority).await, session(authority.client()));
    for _ in 0..3 {
        let mut response = session
            .post(server.url("/"))
            .body("hello")
            .await
            .expect("an answer");
        assert_eq!(response.text().await.expect("a body"), "hello");
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(session.connector().stats().idle, 1);
}

async fn check_resumed(version: &'static SupportedProtocolVersion) {
    let authority = Authority::new();
    let tls = authority.server_with(LOCALHOST, &[version]);
    let server = TestServer::start_tls(Arc::new(tls), close).await;
    let (server, tls) = (server.expect("a server"), authority.client());
    let session = session(tls.clone());
    for _ in 0..3 {
        assert_eq!(text(&session, server.url("/")).await.expect("bye"), "bye");
    }
    let counts = (server.connections(), server.resumed());
    assert_eq!(counts, (3, 2), "{version:?}");

    // What was learnt stays with the settings, not with a connector.
    let other = self::session(tls);
    assert_eq!(text(&other, server.url("/")).await.expect("bye"), "bye");
    assert_eq!(server.resumed(), 3, "{version:?}");
    let apart = self::session(authority.client());
    assert_eq!(text(&apart, server.url("/")).await.expect("bye"), "bye");
    assert_eq!(
        server.resumed(),
        3,
        "{version:?}: other settings know nothing"
    );
}

#[tokio::test]
async fn the_next_connection_resumes_the_session() {
    check_resumed(&TLS13).await;
    check_resumed(&TLS12).await;
}

/// EDGE-195.
#[tokio::test]
async fn an_unknown_authority_is_not_trusted() {
    let server = server(&Authority::new()).await;
    let session = session(Authority::new().client());
    let outcome = text(&session, server.url("/")).await;
    if let Err(ClientError::Connection(ConnectionError::Connect(error))) = &outcome {
        let peer = (error.host(), error.port());
        assert_eq!(peer, ("127.0.0.1", server.address().port()));
        let certificate_error = error.cause().expect("what is wrong with it");
        assert!(certificate_error.to_string().contains("UnknownIssuer"));
    }
    check_certificate(outcome, "UnknownIssuer");
    assert_eq!(session.connector().stats().open, 0);
}

#[tokio::test]
async fn the_system_does_not_trust_a_throw_away_authority() {
    let server = server(&Authority::new()).await;
    let outcome = text(&session(TlsConfig::new()), server.url("/")).await;
    let error = chain(&outcome.expect_err("nobody knows it"));
    // A system without any authority says so.
    let known = ["UnknownIssuer", "there are no certificates of authorities"];
    assert!(known.iter().any(|text| error.contains(text)), "{error}");
}

#[tokio::test]
async fn the_certificate_must_have_the_name_of_the_host() {
    let authority = Authority::new();
    let server = TestServer::start_tls(authority.server(&["a.test"]), echo).await;
    let (server, session) = (server.expect("a server"), session(authority.client()));
    check_certificate(text(&session, server.url("/")).await, "a.test");

    // Or the one that was asked for, dots or not.
    for name in ["a.test", "a.test."] {
        let response = session.get(server.url("/")).server_hostname(name).await;
        assert_eq!(response.expect("the name").status(), 200);
    }
    let response = session.get(server.url("/")).server_hostname("b.test").await;
    let error = response.expect_err("another name");
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
}

#[tokio::test]
async fn a_name_that_is_none_is_refused() {
    let authority = Authority::new();
    let (server, session) = (server(&authority).await, session(authority.client()));
    let request = session.get(server.url("/")).server_hostname("not a name");
    let outcome = soon("the error", request.send()).await;
    let error = outcome.expect_err("no name");
    assert_eq!(error.aiohttp_class(), "ClientConnectorSSLError");
    assert!(
        chain(&error).contains("invalid dns name"),
        "{}",
        chain(&error)
    );
}

/// Settings of rustls itself.
fn rustls_client(
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
) -> rustls::ClientConfig {
    let provider = rustls::crypto::ring::default_provider();
    rustls::ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(versions)
        .expect("ring speaks them")
        .with_root_certificates(authority.roots())
        .with_no_client_auth()
}

#[tokio::test]
async fn protocols_that_are_not_spoken_are_not_offered() {
    let authority = Authority::new();
    let protocols = || vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut tls = authority.server_with(LOCALHOST, rustls::ALL_VERSIONS);
    tls.alpn_protocols = protocols();
    let mut client = rustls_client(&authority, rustls::ALL_VERSIONS);
    client.alpn_protocols = protocols();
    let (listener, session) = (
        TlsListener::new(tls).await,
        session(TlsConfig::from_rustls(client)),
    );
    let url = listener.url();
    let (body, mut peer) = tokio::join!(text(&session, url), listener.serve("hello"));
    assert_eq!(body.expect("a body"), "hello");
    let chosen = peer.0.get_mut().1.alpn_protocol();
    assert_eq!(chosen, Some(b"http/1.1".as_slice()));
}

/// Gives these addresses for any name.
#[derive(Debug)]
pub(crate) struct Fixed(pub(crate) Vec<SocketAddr>);

impl Resolver for Fixed {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        _: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, std::io::Result<Resolved>> {
        Box::pin(async { Ok(self.0.clone().into()) })
    }
}

#[tokio::test]
async fn where_tls_fails_the_next_address_is_tried() {
    let authority = Authority::new();
    let strange = server(&Authority::new()).await;
    let good = TestServer::start_tls(authority.server(&["a.test"]), echo).await;
    let good = good.expect("a server");
    let connector = TcpConnector::builder()
        .tls(authority.client())
        .resolver(Arc::new(Fixed(vec![strange.address(), good.address()])))
        .build();
    let session = ClientSession::builder()
        .connector(connector.expect("valid settings"))
        .build()
        .expect("valid settings");
    let body = text(&session, "https://a.test/".to_owned()).await;
    assert_eq!(body.expect("the second address is good"), "");
    assert_eq!((strange.connections(), good.connections()), (1, 1));
}

/// EDGE-177, CON-11.
#[tokio::test]
async fn who_asks_otherwise_gets_another_connection() {
    let authority = Authority::new();
    let names = ["127.0.0.1", "a.test", "b.test"];
    let server = TestServer::start_tls(authority.server(&names), echo).await;
    let server = server.expect("a server");
    let (session, other) = (session(authority.client()), authority.client());
    let plain = || session.get(server.url("/"));
    let requests = [
        plain(),
        plain().server_hostname("a.test"),
        plain().server_hostname("b.test"),
        plain().tls(other.clone()),
        plain().tls(other.clone()).server_hostname("a.test"),
    ];
    for request in requests {
        request
            .await
            .expect("it is trusted")
            .read()
            .await
            .expect("a body");
    }
    assert_eq!(server.connections(), 5);

    // And who asks the same gets the same.
    let again = [
        plain(),
        plain().server_hostname("b.test"),
        plain().tls(other.clone()),
    ];
    for request in again {
        request
            .await
            .expect("it is trusted")
            .read()
            .await
            .expect("a body");
    }
    assert_eq!(server.connections(), 5);
}

#[tokio::test]
async fn settings_of_a_request_count_on_a_connector_that_trusts_nobody_here() {
    let authority = Authority::new();
    let stranger = Authority::new().client();
    let (server, session) = (server(&authority).await, session(stranger));
    check_certificate(text(&session, server.url("/")).await, "UnknownIssuer");
    let response = session.get(server.url("/")).tls(authority.client()).await;
    assert_eq!(response.expect("it is trusted").status(), 200);
    check_certificate(text(&session, server.url("/")).await, "UnknownIssuer");
}

const LARGE: usize = 8 * 1024 * 1024 + 12_345;

/// Bytes of which no two places look alike.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let step = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..LARGE).map(step).collect()
}

#[tokio::test]
async fn large_bodies_go_through_whole() {
    let authority = Authority::new();
    let answer = async |request: Request| match request.method.as_str() {
        "POST" => Response::ok(request.body),
        _ => {
            let pieces = noise()
                .chunks(100_000)
                .map(Bytes::copy_from_slice)
                .collect();
            Response::new(200).body(Body::Chunked(pieces))
        }
    };
    let server = TestServer::start_tls(authority.server(LOCALHOST), answer).await;
    let (server, session) = (server.expect("a server"), session(authority.client()));
    let noise = noise();

    let mut response = session.get(server.url("/")).await.expect("an answer");
    assert!(response.read().await.expect("a body") == noise);
    let upload = session.post(server.url("/")).body(noise.clone());
    let mut response = upload.await.expect("an answer");
    let mut read = Vec::new();
    while let Some(chunk) = response.content().chunk().await.expect("a body") {
        read.extend_from_slice(&chunk);
    }
    assert!(read == noise);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_body_up_to_the_end_needs_the_end_of_tls() {
    let authority = Authority::new();
    let tls = authority.server_with(LOCALHOST, rustls::ALL_VERSIONS);
    let (listener, session) = (TlsListener::new(tls).await, session(authority.client()));
    for says_so in [true, false] {
        let (url, session) = (listener.url(), session.clone());
        let request = begin(async move { text(&session, url).await }).await;
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\n\r\nhello").await;
        if says_so {
            let (_, tls) = peer.0.get_mut();
            tls.send_close_notify();
            peer.send("").await;
        }
        drop(peer);
        let outcome = soon("the request", request).await.expect("no panic");
        match outcome {
            Ok(body) => assert!(says_so && body == "hello"),
            Err(error) => assert!(
                !says_so && error.aiohttp_class() == "ClientPayloadError",
                "{error}"
            ),
        }
    }
}

#[tokio::test]
async fn a_server_that_leaves_without_a_word_is_disconnected() {
    let authority = Authority::new();
    let tls = authority.server_with(LOCALHOST, rustls::ALL_VERSIONS);
    let (listener, session) = (TlsListener::new(tls).await, session(authority.client()));
    let request = begin(session.post(listener.url()).body("once").send()).await;
    let mut peer = listener.accept().await;
    peer.until(b"once").await;
    drop(peer);
    let outcome = soon("the request", request).await.expect("no panic");
    let error = outcome.expect_err("there is no answer");
    assert_eq!(error.aiohttp_class(), "ServerDisconnectedError", "{error}");
}

#[tokio::test]
async fn closing_tells_the_server() {
    let authority = Authority::new();
    let tls = authority.server_with(LOCALHOST, rustls::ALL_VERSIONS);
    let (listener, session) = (TlsListener::new(tls).await, session(authority.client()));
    let url = listener.url();
    let (body, mut peer) = tokio::join!(text(&session, url), listener.serve("hello"));
    assert_eq!(body.expect("a body"), "hello");
    session.close().await;
    let mut rest = Vec::new();
    let end = peer.0.read_to_end(&mut rest);
    // An end without a word would be an error here.
    let read = soon("the end", end).await;
    assert_eq!(read.expect("the client says that it leaves"), 0);
}

#[tokio::test]
async fn a_name_that_is_none_is_found_before_anyone_is_dialled() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let url = format!("https://{}/", listener.local_addr().expect("it is bound"));
    let request = session(Authority::new().client()).get(url);
    let error = request.server_hostname("not a name").send().await;
    let error = error.expect_err("no server has that name");
    assert_eq!(error.aiohttp_class(), "ClientConnectorSSLError", "{error}");
    let dialled = listener.accept().expect_err("nobody was dialled");
    assert_eq!(dialled.kind(), std::io::ErrorKind::WouldBlock);
}
