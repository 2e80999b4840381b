//! Sessions over Unix sockets.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aio_client::{
    ClientError, ClientSession, ClientTimeout, ConnectErrorKind, ConnectionError, CookieJar, Phase,
    UnixConnector, UrlErrorKind,
};
use aio_tests::daemon::Scratch;
use aio_tests::http_server::{Request, Response, TestServer};
use aio_tests::nginx::Nginx;
use aio_tests::tls::Authority;
use bytes::Bytes;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use tokio::net::{UnixListener, UnixStream};

use crate::peer::{Peer, soon};
use crate::servers::check_pool;

/// A server on a Unix socket in a directory of its own.
struct Server {
    server: TestServer<std::path::PathBuf>,
    _scratch: Scratch,
}

impl Server {
    fn start(tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let scratch = Scratch::new().expect("a directory");
        let path = scratch.path().join("socket");
        let server = TestServer::start_unix(path, tls, answer);
        Self {
            server: server.expect("a socket"),
            _scratch: scratch,
        }
    }

    fn session(&self) -> ClientSession {
        over(UnixConnector::new(self.server.path()))
    }
}

fn over(connector: UnixConnector) -> ClientSession {
    let session = ClientSession::builder().connector(connector);
    session.build().expect("valid settings")
}

async fn answer(request: Request) -> Response {
    let redirect = |to: &str| Response::new(302).header("Location", to);
    let seen = |name: &str| request.header(name).unwrap_or("none").to_owned();
    match request.target.as_str() {
        "/near" => redirect("/seen").header("Set-Cookie", "id=7"),
        "/far" => redirect("http://b.test:81/seen").header("Set-Cookie", "id=7"),
        "/unix" => redirect("unix://a.test/seen"),
        "/echo" => Response::ok(request.body),
        "/told" => Response::ok(seen("proxy-authorization")),
        target => {
            let (host, cookie) = (seen("host"), seen("cookie"));
            Response::ok(format!("{} {target} {host} {cookie}", request.method))
        }
    }
}

/// Gets `url`, and checks what the server has seen.
async fn check(session: &ClientSession, url: &str, want: &str) {
    let get = async { session.get(url).await?.text().await };
    let text = soon(url, get).await.expect("a response");
    assert_eq!(text, want, "{url}");
}

#[tokio::test]
async fn a_session_works_as_over_tcp() {
    let server = Server::start(None);
    let session = ClientSession::builder()
        .connector(UnixConnector::new(server.server.path()))
        .cookie_jar(Arc::new(CookieJar::default()))
        .build()
        .expect("valid settings");
    check(&session, "http://a.test/x?y", "GET /x?y a.test none").await;
    check(&session, "http://a.test/near", "GET /seen a.test id=7").await;
    // The other host has no cookies, and is on the same socket.
    check(&session, "http://a.test/far", "GET /seen b.test:81 none").await;
    check(&session, "http://a.test/", "GET / a.test id=7").await;
    let large = Bytes::from(vec![b'x'; 4 << 20]);
    let post = session.post("http://a.test/echo").body(large.clone());
    let echo = async { post.await?.read().await };
    let echo = soon("an echo", echo).await.expect("a response");
    assert!(echo == large, "{} bytes", echo.len());
    // One to each host.
    assert_eq!(server.server.connections(), 2);
    check_pool(&session, 2, "behind the last");
    session.close().await;
    server.server.wait_for_open(0).await;
}

#[tokio::test]
async fn connections_that_are_not_kept_are_closed() {
    let server = Server::start(None);
    let connector = UnixConnector::builder(server.server.path()).force_close(true);
    let session = over(connector.build().expect("valid settings"));
    for _ in 0..3 {
        check(&session, "http://a.test/", "GET / a.test none").await;
        check_pool(&session, 0, "behind one");
    }
    assert_eq!(server.server.connections(), 3);
}

#[tokio::test]
async fn a_url_may_have_the_scheme_of_its_connector() {
    // CON-06, REQ-06, CON-100.
    let server = Server::start(None);
    let session = server.session();
    check(&session, "unix://A.test/x?y", "GET /x?y a.test none").await;
    check(&session, "UNIX://a.test:81/", "GET / a.test:81 none").await;
    check(&session, "ws://a.test/x", "GET /x a.test none").await;
    // aiohttp does not find the way from here: its URLs know no such scheme.
    check(&session, "unix://a.test/near", "GET /seen a.test id=7").await;
    check(&session, "unix://a.test/far", "GET /seen b.test:81 none").await;

    let tcp = TestServer::start(answer).await.expect("a server");
    let host = tcp.address();
    let url = format!("tcp://{host}/x");
    check(&ClientSession::new(), &url, &format!("GET /x {host} none")).await;
}

#[tokio::test]
async fn a_proxy_is_not_asked_and_what_is_for_it_not_told() {
    // CON-102.
    let server = Server::start(None);
    let session = ClientSession::builder()
        .connector(UnixConnector::new(server.server.path()))
        .proxy("http://ada:pw@127.0.0.1:1");
    let session = session.build().expect("valid settings");
    // The second goes over the connection of the first.
    for _ in 0..2 {
        check(&session, "http://a.test/told", "none").await;
    }
    let get = async { session.get("http://a.test/").no_proxy().await?.text().await };
    let text = soon("a response", get).await.expect("a response");
    assert_eq!(text, "GET / a.test none");
    assert_eq!(
        server.server.connections(),
        1,
        "a proxy tells nothing apart"
    );
}

/// Gets `url`, which must fail for this class.
async fn check_refused(session: &ClientSession, url: &str, want: &str) -> ClientError {
    let got = soon(url, session.get(url).send()).await;
    let error = got.map(drop).expect_err("it is refused");
    assert_eq!(error.aiohttp_class(), want, "{url}: {error}");
    error
}

#[tokio::test]
async fn a_url_may_have_no_scheme_of_another_connector() {
    let (server, tcp) = (Server::start(None), ClientSession::new());
    let session = server.session();
    for url in ["tcp://a.test/", "npipe://a.test/", "http+unix://a.test/"] {
        check_refused(&session, url, "NonHttpUrlClientError").await;
    }
    for url in ["unix://a.test/", "npipe://a.test/", "unix:///run/x"] {
        check_refused(&tcp, url, "NonHttpUrlClientError").await;
    }
    for url in ["unix:///run/x", "UNIX:///run/x", "unix:/run/x", "unix://"] {
        let error = check_refused(&session, url, "InvalidUrlClientError").await;
        let is_without_host =
            matches!(&error, ClientError::Url(error) if error.kind() == UrlErrorKind::NoHost);
        assert!(is_without_host, "{url}: {error}");
    }
    // RED-20.
    let leads_away = "NonHttpUrlRedirectClientError";
    check_refused(&session, "http://a.test/unix", leads_away).await;
    check_refused(&session, "unix://a.test/unix", leads_away).await;
    assert_eq!(
        server.server.connections(),
        1 + 1,
        "to the two that redirect"
    );
}

#[tokio::test]
async fn https_speaks_tls_over_the_socket() {
    // CON-100: aiohttp sends it in the clear.
    let authority = Authority::new();
    let server = Server::start(Some(authority.server(&["a.test"])));
    let connector = UnixConnector::builder(server.server.path());
    let connector = connector.tls(authority.client()).build();
    let session = over(connector.expect("valid settings"));
    for _ in 0..2 {
        let get = session.get("https://a.test/x").send();
        let mut response = soon("a response", get).await.expect("a response");
        let tls = response.connection_info().tls().expect("TLS").server_name();
        assert_eq!(tls, "a.test");
        let text = response.text().await.expect("a body");
        assert_eq!(text, "GET /x a.test none");
    }
    assert_eq!(server.server.connections(), 1);
    let by_name = session.get("https://b.test/").server_hostname("a.test");
    let by_name = soon("a response", by_name.send()).await;
    assert_eq!(by_name.expect("a response").status(), 200);

    let class = "ClientConnectorCertificateError";
    let error = check_refused(&session, "https://b.test/", class).await;
    assert!(error.is_tls(), "{error}");
    check_pool(&session, 2, "behind the last");
}

/// A server on a Unix socket that the test itself plays.
struct Played {
    listener: UnixListener,
    scratch: Scratch,
}

impl Played {
    fn new() -> Self {
        let scratch = Scratch::new().expect("a directory");
        let listener = UnixListener::bind(scratch.path().join("socket"));
        Self {
            listener: listener.expect("a socket"),
            scratch,
        }
    }

    fn session(&self, timeout: ClientTimeout) -> ClientSession {
        let connector = UnixConnector::builder(self.scratch.path().join("socket"));
        // The roots of the system take their time to be read.
        let connector = connector.tls(Authority::new().client()).build();
        let session = ClientSession::builder().connector(connector.expect("valid settings"));
        session.timeout(timeout).build().expect("valid settings")
    }

    async fn accept(&self) -> Peer<UnixStream> {
        let accepted = soon("a connection", self.listener.accept()).await;
        Peer(accepted.expect("a connection").0)
    }
}

#[tokio::test]
async fn a_handshake_that_breaks_is_the_sockets_fault() {
    let played = Played::new();
    let session = played.session(ClientTimeout::default());
    let get = check_refused(&session, "https://a.test/", "UnixClientConnectorError");
    let (error, ()) = tokio::join!(get, async { drop(played.accept().await) });
    let attempt = error.attempt().expect("it was under way");
    assert_eq!(attempt.phase, Phase::Tls);
    check_pool(&session, 0, "behind it");
}

#[tokio::test]
async fn a_handshake_has_its_time() {
    let played = Played::new();
    let limits = [
        ClientTimeout {
            tls: Some(Duration::from_millis(30)),
            ..ClientTimeout::none()
        },
        ClientTimeout {
            sock_connect: Some(Duration::from_millis(30)),
            ..ClientTimeout::none()
        },
    ];
    for limits in limits {
        let session = played.session(limits);
        let error = check_refused(&session, "https://a.test/", "ConnectionTimeoutError").await;
        let attempt = error.attempt().expect("it was under way");
        assert_eq!(attempt.phase, Phase::Tls);
        check_pool(&session, 0, "behind it");
        played.accept().await.drain().await;
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_closes_its_socket() {
    let played = Played::new();
    for url in ["https://a.test/", "http://a.test/"] {
        let session = played.session(ClientTimeout::default());
        let mut peer = tokio::select! {
            _ = session.get(url).send() => panic!("nobody answers"),
            peer = played.accept() => peer,
        };
        check_pool(&session, 0, url);
        soon("the end", peer.drain()).await;
    }
}

fn check_unix_error(error: &ClientError, path: &Path, os: i32) {
    assert!(error.is_os() && error.is_connector(), "{error}");
    let ClientError::Connection(ConnectionError::Connect(error)) = error else {
        panic!("{error}");
    };
    let path = path.to_string_lossy().into();
    assert_eq!(error.kind(), &ConnectErrorKind::Unix { path });
    let cause = error.os_error().and_then(std::io::Error::raw_os_error);
    assert_eq!(cause, Some(os), "{error}");
}

#[tokio::test]
async fn a_socket_that_is_not_there_or_not_ours_is_named() {
    // EDGE-192, CON-67.
    let scratch = Scratch::new().expect("a directory");
    let (closed, path) = (scratch.path().join("closed"), "closed/socket");
    std::fs::create_dir(&closed).expect("a directory");
    let path = scratch.path().join(path);
    let session = over(UnixConnector::new(&path));
    let class = "UnixClientConnectorError";
    let error = check_refused(&session, "http://a.test/", class).await;
    check_unix_error(&error, &path, rustix::io::Errno::NOENT.raw_os_error());

    let listener = UnixListener::bind(&path).expect("a socket");
    std::fs::set_permissions(&closed, Permissions::from_mode(0o0)).expect("ours");
    // Of this thread alone: permissions do not bind who may pass them over, as root does.
    let mut sets = capabilities(None).expect("a thread has them");
    sets.effective -= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    set_capabilities(None, sets).expect("less than it has");
    let error = check_refused(&session, "http://a.test/", class).await;
    check_unix_error(&error, &path, rustix::io::Errno::ACCESS.raw_os_error());
    std::fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("ours");
    std::fs::set_permissions(&path, Permissions::from_mode(0o0)).expect("ours");
    let error = check_refused(&session, "http://a.test/", class).await;
    check_unix_error(&error, &path, rustix::io::Errno::ACCESS.raw_os_error());
    drop(listener);
}

#[tokio::test]
async fn nginx_serves_over_its_socket() {
    let settings = "location /old { return 302 /new; } keepalive_requests 4;";
    let Some(nginx) = Nginx::start_unix(settings).expect("nginx starts") else {
        return;
    };
    let session = over(UnixConnector::new(nginx.socket()));
    let mut served = Vec::new();
    let requests = [
        session.get("http://a.test/"),
        session.post("http://a.test/").body(vec![b'x'; 256 * 1024]),
        session.get("unix://a.test/old"),
        session.get("http://a.test/old"),
        session.get("http://a.test/"),
    ];
    for request in requests {
        let mut response = soon("a response", request.send())
            .await
            .expect("a response");
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.expect("a body"), "nginx\n");
        let requests = response.headers().get("x-requests").expect("nginx tells");
        served.push((
            response.url().path().to_owned(),
            requests.to_str().expect("ASCII").to_owned(),
        ));
    }
    // nginx closes behind the fourth, and its redirect says http.
    let want = [
        ("/", "1"),
        ("/", "2"),
        ("/new", "3"),
        ("/new", "1"),
        ("/", "2"),
    ];
    let want = want.map(|(path, requests)| (path.to_owned(), requests.to_owned()));
    assert_eq!(served, want);
    check_pool(&session, 2, "behind the last");
}
