//! WebSockets over all that a session connects by: TLS, proxies, Unix sockets.

use std::sync::Arc;

use aio_client::{
    BasicAuth, ClientError, ClientSession, Environment, ResponseErrorKind, TcpConnector,
    UnixConnector,
};
use aio_tests::daemon::Scratch;
use aio_tests::http_server::{Request, Response, TestServer};
use aio_tests::socks::{Rules, SocksProxy};
use aio_tests::tls::Authority;
use aio_tests::tunnel::TunnelProxy;

use crate::peer::soon;
use crate::proxy::{ADA, session, trusting};
use crate::site::Site;
use crate::ws::{check_echo, close, counts, echo, open};

async fn answer(request: Request) -> Response {
    Response::websocket(&request)
}

/// A server for `a.test` that also speaks another protocol than HTTP/1.1, by ALPN.
async fn secure(authority: &Authority) -> TestServer {
    let mut tls = Arc::unwrap_or_clone(authority.server(&["a.test", "127.0.0.1"]));
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let server = TestServer::start_tls(Arc::new(tls), answer).await;
    server.expect("a server")
}

/// The URL of a WebSocket at the server.
fn wss(server: &TestServer) -> String {
    server.url("/").replace("https", "wss")
}

#[tokio::test]
async fn wss_is_tls_with_http_1() {
    let authority = Authority::new();
    let server = secure(&authority).await;
    let session = session(trusting(authority.client()));
    for url in [wss(&server), server.url("/")] {
        let mut ws = open(session.ws_connect(url)).await;
        let tls = ws.connection_info().tls().expect("TLS");
        assert_eq!(tls.alpn(), Some(&b"http/1.1"[..]));
        check_echo(&mut ws, &"x".repeat(200_000)).await;
        close(&mut ws).await;
        assert_eq!(counts(&session), (0, 0));
    }
    // Whoever is not trusted gets no handshake.
    let stranger = ClientSession::new();
    let error = stranger.ws_connect(wss(&server)).await;
    let error = error.expect_err("not trusted");
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
    let request = stranger.ws_connect(wss(&server)).tls(authority.client());
    close(&mut open(request).await).await;
    let request = stranger.ws_connect(wss(&server)).tls(authority.client());
    let mut ws = open(request.server_hostname("a.test")).await;
    let tls = ws.connection_info().tls().expect("TLS");
    assert_eq!(tls.server_name(), "a.test");
    close(&mut ws).await;
}

#[tokio::test]
async fn wss_goes_through_a_tunnel() {
    let authority = Authority::new();
    let server = secure(&authority).await;
    let address = server.address();
    let tls = authority.server(&["127.0.0.1"]);
    for proxy in [
        TunnelProxy::start(address).await,
        TunnelProxy::start_tls(address, tls).await,
    ] {
        let proxy = proxy.expect("a proxy");
        let session = session(trusting(authority.client()));
        let request = session.ws_connect("wss://a.test/").proxy(proxy.url());
        let mut ws = open(request).await;
        check_echo(&mut ws, &"x".repeat(100_000)).await;
        close(&mut ws).await;
        soon("the end", proxy.wait_for_open(0)).await;
        let asked = proxy.asked();
        assert!(asked[0].starts_with("CONNECT a.test:443 "), "{asked:?}");
        assert!(!asked[0].contains("Sec-WebSocket"), "{asked:?}");
    }
}

#[tokio::test]
async fn the_environment_names_proxies_for_websockets() {
    // CON-92.
    let authority = Authority::new();
    let server = secure(&authority).await;
    let proxy = TunnelProxy::start(server.address()).await.expect("a proxy");
    let (plain, http) = (echo().await, Site::new(|_| Response::new(500)).await);
    let pairs = [
        ("WSS_PROXY", proxy.url()),
        ("ws_proxy", plain.url("")),
        ("http_proxy", http.url("")),
        ("https_proxy", http.url("")),
        ("no_proxy", "b.test".into()),
    ];
    let builder = trusting(authority.client()).trust_env(true);
    let session = session(builder.environment(Environment::from_pairs(pairs)));
    close(&mut open(session.ws_connect("wss://a.test/")).await).await;
    assert_eq!(proxy.asked().len(), 1);
    close(&mut open(session.ws_connect("ws://a.test:81/p")).await).await;
    assert_eq!(plain.last().target, "ws://a.test:81/p");
    let error = session.ws_connect("ws://b.test/").await;
    assert!(error.expect_err("no such host").is_connector());
    assert!(http.asked().is_empty());
}

#[tokio::test]
async fn ws_goes_through_a_proxy_in_absolute_form() {
    // CON-84.
    let site = echo().await;
    let session = ClientSession::new();
    let request = session.ws_connect("ws://a.test:81/p").proxy(site.url(""));
    let mut ws = open(request.proxy_auth(BasicAuth::new("ada", "pw"))).await;
    let seen = site.last();
    assert_eq!(seen.target, "ws://a.test:81/p");
    assert_eq!(seen.header("host"), Some("a.test:81"));
    assert_eq!(seen.header("proxy-authorization"), Some(ADA));
    check_echo(&mut ws, "through it").await;
    close(&mut ws).await;
    assert_eq!(counts(&session), (0, 0));
    let session = self::session(ClientSession::builder().proxy("http://127.0.0.1:1"));
    let url = site.url("/direct");
    close(&mut open(session.ws_connect(url).no_proxy()).await).await;
    assert_eq!(site.last().target, "/direct");
}

#[tokio::test]
async fn a_proxy_that_gives_no_tunnel_is_an_error_of_its_own() {
    let site = Site::new(|_| Response::new(407)).await;
    let session = ClientSession::new();
    let request = session.ws_connect("wss://a.test/").proxy(site.url(""));
    let request = request.proxy_header("X-Own", "1");
    let error = soon("the error", request.send()).await;
    let Err(ClientError::Response(error)) = error else {
        panic!("{error:?}");
    };
    assert_eq!((error.kind, error.status), (ResponseErrorKind::Proxy, 407));
    assert_eq!(site.last_values("x-own"), ["1"]);
    assert_eq!(counts(&session), (0, 0));
}

#[tokio::test]
async fn ws_and_wss_go_through_socks() {
    let authority = Authority::new();
    let (server, plain) = (secure(&authority).await, TestServer::start(answer).await);
    let plain = plain.expect("a server");
    let session = session(trusting(authority.client()));
    for (server, url) in [(&server, "wss://a.test/"), (&plain, "ws://a.test/")] {
        let rules = Rules {
            login: None,
            refusals: Vec::new(),
        };
        let proxy = SocksProxy::start(server.address(), rules).await;
        let proxy = proxy.expect("a proxy");
        let request = session.ws_connect(url).proxy(proxy.url("socks5h", ""));
        let mut ws = open(request).await;
        check_echo(&mut ws, "through it").await;
        close(&mut ws).await;
    }
}

#[tokio::test]
async fn ws_goes_over_a_unix_socket() {
    // EDGE-292.
    let scratch = Scratch::new().expect("a directory");
    let path = scratch.path().join("socket");
    let server = TestServer::start_unix(&path, None, answer).expect("a server");
    let session = session(ClientSession::builder().connector(UnixConnector::new(&path)));
    for url in ["ws://a.test/", "http://a.test/", "unix://a.test/"] {
        let mut ws = open(session.ws_connect(url)).await;
        check_echo(&mut ws, &"x".repeat(100_000)).await;
        close(&mut ws).await;
        soon("the end", server.wait_for_open(0)).await;
    }
}

#[tokio::test]
async fn hosts_have_limits_of_their_own() {
    // CON-12: ws and http are one origin.
    let site = echo().await;
    let connector = TcpConnector::builder().limit_per_host(1).build();
    let builder = ClientSession::builder().connector(connector.expect("valid"));
    let session = session(builder);
    let ws_url = site.url("/").replace("http", "ws");
    let mut ws = open(session.ws_connect(ws_url)).await;
    let get = crate::peer::begin(session.get(site.url("/")).send()).await;
    assert_eq!(session.connector().stats().waiting, 1);
    close(&mut ws).await;
    soon("the slot", get)
        .await
        .expect("no panic")
        .expect("a response");
}
