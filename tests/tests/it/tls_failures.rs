//! What TLS can fail for: each with aiohttp's class, in words, within bounds, and with nothing
//! of the request gone out; directly and through a tunnel.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aio_client::{
    CertificateProblem, ClientError, ClientSession, ClientTimeout, ConnectError, ConnectErrorKind,
    ConnectionError, Phase, TcpConnector, TlsConfig, TlsProblem, TlsVersion,
};
use aio_tests::tls::Authority;
use aio_tests::tunnel::TunnelProxy;
use rcgen::date_time_ymd;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig, ServerConnection, SupportedProtocolVersion};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::peer::soon;
use crate::tls::Fixed;

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);
pub(crate) const HERE: &[&str] = &["127.0.0.1"];

/// How a server plays its part.
#[derive(Clone)]
pub(crate) enum Play {
    /// It agrees on TLS, if the client does.
    Tls(Arc<ServerConfig>),
    /// It sends this when it was greeted, and goes.
    Say(&'static [u8]),
    /// It resets the connection when it was greeted.
    Reset,
    /// It sends this when it was greeted, and nothing more.
    Hang(&'static [u8]),
    /// It agrees on TLS 1.2 up to its last word, which is this alert.
    Refuse(Arc<ServerConfig>, u8),
}

/// A server, and what each of its clients has told it: how the handshake failed there, or
/// what came behind it.
struct Server {
    address: SocketAddr,
    told: mpsc::UnboundedReceiver<String>,
    acceptor: JoinHandle<()>,
}

impl Server {
    async fn start(play: Play) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let (tell, told) = mpsc::unbounded_channel();
        let acceptor = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (play, tell) = (play.clone(), tell.clone());
                tokio::spawn(async move {
                    _ = tell.send(serve(stream, play).await);
                });
            }
        });
        Self {
            address,
            told,
            acceptor,
        }
    }

    async fn told(&mut self) -> String {
        let told = soon("the client's word", self.told.recv()).await;
        told.expect("the server runs")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn serve(mut stream: TcpStream, play: Play) -> String {
    let script = match play {
        Play::Tls(config) => {
            let accepted = TlsAcceptor::from(config).accept(stream).await;
            let mut received = Vec::new();
            return match accepted {
                Ok(mut stream) => {
                    // Its end may be one without a word.
                    _ = stream.read_to_end(&mut received).await;
                    String::from_utf8_lossy(&received).into_owned()
                }
                Err(error) => error.to_string(),
            };
        }
        Play::Refuse(config, alert) => {
            refuse(&mut stream, config, alert).await;
            return String::new();
        }
        Play::Reset => {
            let no_lingering = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            no_lingering.expect("a socket");
            &[]
        }
        Play::Say(script) | Play::Hang(script) => script,
    };
    let mut header = [0; 5];
    stream.read_exact(&mut header).await.expect("a greeting");
    let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    stream.read_exact(&mut hello).await.expect("a greeting");
    _ = stream.write_all(script).await;
    let mut received = Vec::new();
    match play {
        Play::Hang(_) => _ = stream.read_to_end(&mut received).await,
        // Whoever closes with something unread resets.
        Play::Say(_) => {
            _ = stream.shutdown().await;
            _ = stream.read_to_end(&mut received).await;
        }
        _ => {}
    }
    match &received[..] {
        // An alert in the clear: what it is about is its last byte.
        [21, 3, _, 0, 2, 2, alert] => format!("alert {alert}"),
        [] => String::new(),
        other => format!("{other:?}"),
    }
}

async fn refuse(stream: &mut TcpStream, config: Arc<ServerConfig>, alert: u8) {
    let mut tls = ServerConnection::new(config).expect("valid settings");
    let mut buffer = [0; 4096];
    while !tls.wants_write() {
        let received = stream.read(&mut buffer).await.expect("a greeting");
        tls.read_tls(&mut &buffer[..received]).expect("room");
        tls.process_new_packets().expect("they agree");
    }
    let mut said = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut said).expect("room");
    }
    stream.write_all(&said).await.expect("the client listens");
    assert_ne!(stream.read(&mut buffer).await.expect("its key"), 0);
    let alert = [21, 3, 3, 0, 2, 2, alert];
    stream.write_all(&alert).await.expect("the client listens");
    // Whoever closes with something unread resets.
    _ = stream.shutdown().await;
    while stream
        .read(&mut buffer)
        .await
        .is_ok_and(|length| length > 0)
    {}
}

fn provider() -> Arc<CryptoProvider> {
    ring::default_provider().into()
}

/// A server that shows this, to anyone.
pub(crate) fn showing((chain, key): Identity) -> Play {
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring speaks them")
        .with_no_client_auth()
        .with_single_cert(chain, key);
    Play::Tls(Arc::new(
        server.expect("the key is that of the certificate"),
    ))
}

/// A server that wants a certificate that `authority` has signed.
fn wanting(authority: &Authority, version: &'static SupportedProtocolVersion) -> Play {
    let roots = Arc::new(authority.roots());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
    let (chain, key) = authority.certificate(HERE);
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("ring speaks it")
        .with_client_cert_verifier(verifier.build().expect("a root"))
        .with_single_cert(chain, key);
    Play::Tls(Arc::new(
        server.expect("the key is that of the certificate"),
    ))
}

/// What must become of a request.
pub(crate) struct Want<'a> {
    pub(crate) class: &'a str,
    /// In the error.
    pub(crate) text: &'a str,
    pub(crate) phase: Phase,
    /// In what the server is told.
    pub(crate) told: &'a str,
}

pub(crate) const CERTIFICATE: &str = "ClientConnectorCertificateError";
const TLS: &str = "ClientConnectorSSLError";

/// Sends a POST to a server at `host`, by settings of the connector, and by those of a request
/// through a tunnel; each must fail so. Gives the errors.
async fn check_at(host: &str, play: Play, tls: TlsConfig, want: Want<'_>) -> [ClientError; 2] {
    let direct = check_once(host, &play, &tls, &want, false).await;
    let tunnelled = check_once(host, &play, &tls, &want, true).await;
    [direct, tunnelled]
}

pub(crate) async fn check(play: Play, tls: TlsConfig, want: Want<'_>) -> [ClientError; 2] {
    check_at("127.0.0.1", play, tls, want).await
}

async fn check_once(
    host: &str,
    play: &Play,
    tls: &TlsConfig,
    want: &Want<'_>,
    through_tunnel: bool,
) -> ClientError {
    let mut server = Server::start(play.clone()).await;
    let tunnel = TunnelProxy::start(server.address).await.expect("a port");
    let connector = TcpConnector::builder().resolver(Arc::new(Fixed(vec![server.address])));
    let connector = if through_tunnel {
        connector
    } else {
        connector.tls(tls.clone())
    };
    let connector = connector.build().expect("valid settings");
    let session = ClientSession::builder().connector(connector).build();
    let session = session.expect("valid settings");
    let port = server.address.port();
    let timeout = ClientTimeout {
        sock_connect: Some(Duration::from_millis(300)),
        ..ClientTimeout::none()
    };
    let mut request = session.post(format!("https://{host}:{port}/?secret"));
    request = request.body("secret").timeout(timeout);
    if through_tunnel {
        request = request.proxy(tunnel.url()).tls(tls.clone());
    }
    let outcome = soon("the error", request.send()).await;
    let error = outcome.map(|_| "a response").expect_err(want.text);

    let shown = error.to_string();
    assert_eq!(error.aiohttp_class(), want.class, "{shown}");
    assert!(shown.contains(want.text), "{shown}, not {}", want.text);
    assert!(!shown.contains("secret"), "{shown}");
    let attempt = error.attempt().expect("it had begun");
    assert_eq!(attempt.phase, want.phase, "{shown}");
    assert_eq!(attempt.sent, want.phase != Phase::Tls, "{shown}");
    let told = server.told().await;
    assert!(told.contains(want.told), "{shown}: {told}");
    assert!(!told.contains("POST"), "{shown}: {told}");
    if let ClientError::Connection(ConnectionError::Connect(connect)) = &error {
        assert_eq!((connect.host(), connect.port()), (host, port), "{shown}");
        let may_help = connect.kind() == &ConnectErrorKind::Lost;
        assert_eq!(error.is_retryable(), may_help, "{shown}");
    }
    let stats = session.connector().stats();
    assert_eq!((stats.open, stats.idle), (0, 0), "{shown}");
    assert!(
        server.told.try_recv().is_err(),
        "{shown}: it was tried again"
    );
    assert_eq!(tunnel.asked().len(), usize::from(through_tunnel), "{shown}");
    error
}

fn connect_error(error: &ClientError) -> &ConnectError {
    match error {
        ClientError::Connection(ConnectionError::Connect(connect)) => connect,
        other => panic!("{other}"),
    }
}

#[track_caller]
pub(crate) fn check_problem(errors: &[ClientError], want: &CertificateProblem) {
    for error in errors {
        let connect = connect_error(error);
        assert_eq!(connect.kind(), &ConnectErrorKind::Certificate(want.clone()));
        // aiohttp's `certificate_error`.
        let cause = connect.cause().expect("what the verifier says");
        assert!(cause.to_string().starts_with("invalid peer certificate"));
    }
}

pub(crate) fn untrusted<'a>(text: &'a str, told: &'a str) -> Want<'a> {
    Want {
        class: CERTIFICATE,
        text,
        phase: Phase::Tls,
        told,
    }
}

fn of_tls<'a>(text: &'a str, told: &'a str) -> Want<'a> {
    Want {
        class: TLS,
        ..untrusted(text, told)
    }
}

#[tokio::test]
async fn a_certificate_has_its_time() {
    let authority = Authority::new();
    let expired = authority.certificate_with(HERE, |certificate| {
        certificate.not_before = date_time_ymd(2023, 3, 1);
        certificate.not_after = date_time_ymd(2024, 3, 1);
    });
    let text = "[certificate expired on 2024-03-01 00:00:00 UTC]: https://127.0.0.1:";
    let want = untrusted(text, "CertificateExpired");
    check(showing(expired), authority.client(), want).await;

    let early = authority.certificate_with(HERE, |certificate| {
        certificate.not_before = date_time_ymd(2999, 12, 31);
    });
    let want = untrusted(
        "[certificate not valid until 2999-12-31 00:00:00 UTC]",
        "CertificateExpired",
    );
    check(showing(early), authority.client(), want).await;
}

#[tokio::test]
async fn a_certificate_is_for_the_names_it_has() {
    let authority = Authority::new();
    let wrong = |host: &str, names: &[&str], more| CertificateProblem::WrongHost {
        host: host.into(),
        names: names.iter().map(|name| Box::from(*name)).collect(),
        more,
    };
    let names = ["b.test", "*.c.test", "10.0.0.1", "::1"];
    let text = "[certificate is not for a.test, but for b.test, *.c.test, 10.0.0.1, ::1]";
    let errors = check_at(
        "a.test",
        showing(authority.certificate(&names)),
        authority.client(),
        untrusted(text, "BadCertificate"),
    );
    check_problem(&errors.await, &wrong("a.test", &names, 0));

    let many: Vec<_> = (0..100).map(|number| format!("{number}.test")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let want = untrusted("8.test, 9.test and 90 more]", "BadCertificate");
    let shown = showing(authority.certificate(&many));
    let errors = check_at("a.test", shown, authority.client(), want).await;
    check_problem(&errors, &wrong("a.test", &many[..10], 90));

    // The text of an address is not the address, nor another one.
    for names in [&["127.0.0.1.test"][..], &["127.0.0.2"], &[]] {
        let want = untrusted("[certificate is not for 127.0.0.1", "BadCertificate");
        let shown = showing(authority.certificate(names));
        let errors = check(shown, authority.client(), want).await;
        check_problem(&errors, &wrong("127.0.0.1", names, 0));
    }
}

/// Settings of rustls's own, whose verifier is not around ours.
fn rustls_client(roots: &Authority) -> TlsConfig {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.expect("ring speaks them");
    let builder = builder.with_root_certificates(roots.roots());
    TlsConfig::from_rustls(builder.with_no_client_auth())
}

#[tokio::test]
async fn settings_of_rustls_tell_what_they_know() {
    let authority = Authority::new();
    let client = || rustls_client(&authority);
    let shown = showing(authority.certificate(&["b.test", "10.0.0.1"]));
    let text = "[certificate is not for a.test, but for b.test, 10.0.0.1]";
    let want = untrusted(text, "BadCertificate");
    check_at("a.test", shown, client(), want).await;

    let shown = showing(Authority::new().certificate(HERE));
    let want = untrusted("[certificate of an unknown issuer]", "UnknownCA");
    check(shown, client(), want).await;
}

/// A client that trusts `roots`, and shows a certificate that `issuer` has signed.
fn client(roots: &Authority, issuer: Option<&Authority>) -> TlsConfig {
    let mut client = TlsConfig::builder().root_certificate_pem(roots.pem());
    if let Some(issuer) = issuer {
        let (chain, key) = issuer.server_pem(&["me"]);
        client = client.client_certificate_pem(chain, key);
    }
    client.build().expect("certificates")
}

const MISSING: &str = "the server asks for a certificate of the client]: https://127.0.0.1:";
const REFUSED: &str = "the server refuses the client's certificate: unknown ca]: https://127.0.";

#[tokio::test]
async fn a_server_may_want_a_certificate_of_the_client() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let play = wanting(&authority, &TLS12);
    for error in check(play.clone(), client(&authority, None), of_tls(MISSING, "")).await {
        let kind = ConnectErrorKind::Tls(TlsProblem::ClientCertificateMissing);
        assert_eq!(connect_error(&error).kind(), &kind);
    }
    let told = "invalid peer certificate: UnknownIssuer";
    check(
        play,
        client(&authority, Some(&stranger)),
        of_tls(REFUSED, told),
    )
    .await;

    // TLS 1.3 leaves it to the first answer: a matter of the connection, as in aiohttp.
    let play = wanting(&authority, &TLS13);
    for (client, text) in [
        (client(&authority, None), MISSING),
        (client(&authority, Some(&stranger)), REFUSED),
    ] {
        let want = Want {
            class: "ClientOSError",
            text: &format!("connection failed [{text}"),
            phase: Phase::Head,
            told: "",
        };
        for error in check(play.clone(), client, want).await {
            assert!(error.is_os() && !error.is_retryable(), "{error}");
        }
    }
}

/// What OpenSSL says, and Go and Java, in TLS 1.2.
#[tokio::test]
async fn a_certificate_that_is_missed_has_no_alert_of_its_own_in_tls_1_2() {
    let authority = Authority::new();
    let Play::Tls(wanting) = wanting(&authority, &TLS12) else {
        panic!("it speaks TLS");
    };
    for (alert, refused) in [(40, "handshake failure]"), (42, "bad certificate]")] {
        let play = || Play::Refuse(Arc::clone(&wanting), alert);
        check(play(), client(&authority, None), of_tls(MISSING, "")).await;
        // Who shows one is told what the server says.
        let want = of_tls(refused, "");
        check(play(), client(&authority, Some(&authority)), want).await;
        let contented = Arc::new(authority.server_with(HERE, &[&TLS12]));
        let play = Play::Refuse(contented, alert);
        check(play, client(&authority, None), of_tls(refused, "")).await;
    }
}

/// RTY-03: as with any connection that breaks so early, a GET is tried once more; that is all.
#[tokio::test]
async fn a_certificate_that_is_missing_is_missed_twice_at_most() {
    let authority = Authority::new();
    let mut server = Server::start(wanting(&authority, &TLS13)).await;
    let session = crate::tls::session(client(&authority, None));
    let url = format!("https://{}/", server.address);
    let error = soon("the error", session.get(url).send()).await;
    let error = error.expect_err("there is no certificate");
    assert!(error.to_string().contains(MISSING), "{error}");
    for _ in 0..2 {
        server.told().await;
    }
    assert!(server.told.try_recv().is_err());
    assert_eq!(session.connector().stats().open, 0);
}

#[tokio::test]
async fn no_version_in_common() {
    let authority = Authority::new();
    for (ours, theirs) in [(TlsVersion::Tls12, &TLS13), (TlsVersion::Tls13, &TLS12)] {
        let server = authority.server_with(HERE, &[theirs]);
        let client = TlsConfig::builder().root_certificate_pem(authority.pem());
        let client = client.min_version(ours).max_version(ours).build();
        let client = client.expect("a version");
        let text = "[TLS: no version of TLS in common with the server]";
        for error in check(Play::Tls(Arc::new(server)), client, of_tls(text, "")).await {
            let kind = ConnectErrorKind::Tls(TlsProblem::NoCommonVersion);
            assert_eq!(connect_error(&error).kind(), &kind);
        }
    }
    // A `ServerHello` of TLS 1.0.
    let old = b"\x16\x03\x01\x00\x2A\x02\x00\x00\x26\x03\x01\
        01234567890123456789012345678901\x00\xC0\x13\x00";
    let text = "[TLS: no version of TLS in common with the server]";
    check(Play::Say(old), authority.client(), of_tls(text, "alert 70")).await;
}

#[tokio::test]
async fn who_speaks_something_else() {
    let http = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let client = || Authority::new().client();
    let text = "[TLS: the server does not speak TLS]";
    for script in [&http[..], b"SSH-2.0-OpenSSH_9.2\r\n", &[255; 1000]] {
        let errors = check(Play::Say(script), client(), of_tls(text, "alert 50")).await;
        for error in errors {
            let kind = ConnectErrorKind::Tls(TlsProblem::NotTls);
            assert_eq!(connect_error(&error).kind(), &kind);
        }
    }
    // It looks like a record of TLS.
    let text = "[TLS: a message of the server is malformed: ";
    let script = b"\x16\x03\x03\x00\x08\xEE\xEE\xEE\xEE\xEE\xEE\xEE\xEE";
    check(Play::Say(script), client(), of_tls(text, "")).await;
}

/// The alert that refuses a handshake, and the words for it.
#[tokio::test]
async fn a_refusal_is_told_in_words() {
    let client = || Authority::new().client();
    for (alert, text) in [
        (b"\x15\x03\x03\x00\x02\x02\x28", "handshake failure]"),
        (b"\x15\x03\x03\x00\x02\x02\x70", "unrecognised name]"),
        (b"\x15\x03\x03\x00\x02\x02\x50", "internal error]"),
    ] {
        let text = format!("[TLS: the server refuses: {text}");
        check(Play::Say(alert), client(), of_tls(&text, "")).await;
    }
}

/// Half of a `ServerHello`.
const HALF: &[u8] = b"\x16\x03\x03\x00\x7A\x02\x00\x00\x76\x03\x03";

/// CON-66.
#[tokio::test]
async fn who_leaves_in_the_handshake() {
    for play in [Play::Say(b""), Play::Say(HALF), Play::Reset] {
        let want = Want {
            class: "ClientConnectorError",
            ..untrusted("[connection lost]", "")
        };
        for error in check(play, Authority::new().client(), want).await {
            assert_eq!(connect_error(&error).kind(), &ConnectErrorKind::Lost);
        }
    }
}

#[tokio::test]
async fn who_says_nothing_more() {
    for script in [&b""[..], HALF] {
        let want = Want {
            class: "ConnectionTimeoutError",
            ..untrusted("timeout: https://127.0.0.1:", "")
        };
        check(Play::Hang(script), Authority::new().client(), want).await;
    }
}

/// What a server of TLS says to plain HTTP is an alert, or nothing.
#[tokio::test]
async fn plain_http_to_a_server_of_tls() {
    let mut server = Server::start(showing(Authority::new().certificate(HERE))).await;
    let session = ClientSession::new();
    let url = format!("http://{}/", server.address);
    let error = soon("the error", session.post(url).body("secret").send()).await;
    let error = error.expect_err("an alert is no response");
    assert_eq!(error.aiohttp_class(), "ClientResponseError", "{error}");
    assert_eq!(error.status(), Some(400), "{error}");
    assert!(server.told().await.contains("InvalidContentType"));
    assert_eq!(session.connector().stats().open, 0);
}
