//! Servers that are known by the fingerprint of their certificate, or not at all; and what a
//! client says of itself when TLS begins.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aio_client::{
    ClientError, ClientSession, ConnectErrorKind, ConnectionError, Fingerprint, Phase,
    TcpConnector, TlsConfig,
};
use aio_tests::http_server::{Request, Response, TestServer};
use aio_tests::tls::Authority;
use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{Acceptor, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SignatureAlgorithm, SignatureScheme, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::peer::{Listener, soon};
use crate::tls::{Fixed, ok, session, text};

/// A certificate, its key, and its fingerprint.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    fingerprint: Fingerprint,
}

impl Identity {
    fn of(authority: &Authority, names: &[&str]) -> Self {
        let (chain, key) = authority.certificate(names);
        let fingerprint = Fingerprint::of(&chain[0]);
        Self {
            chain,
            key,
            fingerprint,
        }
    }

    fn server(&self) -> ServerConfig {
        with(&self.chain, signer(self), rustls::ALL_VERSIONS)
    }
}

fn signer(identity: &Identity) -> Arc<dyn SigningKey> {
    let key = rustls::crypto::ring::sign::any_supported_type(&identity.key);
    key.expect("ring can sign with it")
}

/// Settings of a server that shows `chain` and signs with `key`, whosever that is.
fn with(
    chain: &[CertificateDer<'static>],
    key: Arc<dyn SigningKey>,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    let shown: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(CertifiedKey::new(
        chain.to_vec(),
        key,
    )));
    let provider = rustls::crypto::ring::default_provider();
    ServerConfig::builder_with_provider(provider.into())
        .with_protocol_versions(versions)
        .expect("ring speaks them")
        .with_no_client_auth()
        .with_cert_resolver(shown)
}

async fn echo(request: Request) -> Response {
    Response::ok(request.body).header("Connection", "close")
}

async fn start(tls: ServerConfig) -> TestServer {
    let server = TestServer::start_tls(Arc::new(tls), echo).await;
    server.expect("a server")
}

/// A fingerprint that no certificate has.
fn wrong() -> Fingerprint {
    Fingerprint::from([0x5A; 32])
}

#[track_caller]
fn check_mismatch(
    outcome: Result<impl Sized, ClientError>,
    url: &str,
    expected: Fingerprint,
    got: Fingerprint,
) {
    let error = outcome
        .map(|_| "a response")
        .expect_err("not the pinned one");
    assert_eq!(
        error.aiohttp_class(),
        "ServerFingerprintMismatch",
        "{error}"
    );
    let ClientError::Connection(connection) = &error else {
        panic!("{error}");
    };
    assert!(connection.is_server() && !connection.is_connector());
    assert!(!connection.is_retryable(), "it will be the same again");
    let ConnectionError::Connect(connect) = connection else {
        panic!("{error}");
    };
    let kind = ConnectErrorKind::Fingerprint {
        expected: *expected.as_bytes(),
        got: *got.as_bytes(),
    };
    assert_eq!(connect.kind(), &kind);
    assert_eq!(connect.attempt().phase, Phase::Tls);
    assert!(url.contains(&format!("{}:{}/", connect.host(), connect.port())));
    let shown = error.to_string();
    for part in [
        expected.to_string(),
        got.to_string(),
        connect.host().to_owned(),
    ] {
        assert!(shown.contains(&part), "{shown}");
    }
}

/// EDGE-197, CON-74, CON-76.
#[tokio::test]
async fn who_has_the_pinned_certificate_is_trusted() {
    // Nobody trusts the authority, and the name is another one.
    let identity = Identity::of(&Authority::new(), &["elsewhere.test"]);
    let server = start(identity.server()).await;
    let right = session(TlsConfig::pinned(identity.fingerprint));
    for body in ["one", "two"] {
        let mut response = right.post(server.url("/")).body(body).await.expect("trust");
        assert_eq!(response.text().await.expect("a body"), body);
    }
    assert_eq!(server.resumed(), 1, "a resumed session is as good");

    let pinned = session(TlsConfig::pinned(wrong()));
    let outcome = text(&pinned, server.url("/")).await;
    check_mismatch(outcome, &server.url("/"), wrong(), identity.fingerprint);
    assert_eq!(pinned.connector().stats().open, 0);
    assert_eq!(server.connections(), 3, "a mismatch is not tried again");
}

/// EDGE-197: nothing of the request reaches a server with another certificate, whether that
/// is seen in the handshake or behind it.
#[tokio::test]
async fn the_request_stays_here_where_the_certificate_is_another() {
    let identity = Identity::of(&Authority::new(), &["127.0.0.1"]);
    let acceptor = TlsAcceptor::from(Arc::new(identity.server()));
    let (listener, session) = (Listener::new().await, session(TlsConfig::pinned(wrong())));
    let url = format!("https://{}/", listener.host());
    let anyone = TlsConfig::danger_accept_any_certificate();
    let requests = [session.get(&url), session.get(&url).tls(anyone)];
    for (request, agrees) in requests.into_iter().zip([false, true]) {
        let (outcome, received) = tokio::join!(soon("the error", request.send()), async {
            let stream = listener.accept().await.0;
            let accepted = soon("the handshake", acceptor.accept(stream)).await;
            assert_eq!(accepted.is_ok(), agrees);
            let mut received = Vec::new();
            if let Ok(mut peer) = accepted {
                // It ends with the connection, and not by a goodbye.
                _ = soon("the end", peer.read_to_end(&mut received)).await;
            }
            received
        });
        check_mismatch(outcome, &url, wrong(), identity.fingerprint);
        assert_eq!(received, b"");
    }
}

/// CON-75.
#[tokio::test]
async fn a_connectors_fingerprint_holds_for_requests_that_name_none() {
    let authority = Authority::new();
    let identity = Identity::of(&authority, &["127.0.0.1"]);
    let server = start(identity.server()).await;
    let url = server.url("/");
    let (trusting, anyone) = (
        authority.client(),
        TlsConfig::danger_accept_any_certificate(),
    );
    // These settings can resume a session, which no verifier sees.
    text(&session(trusting.clone()), url.clone())
        .await
        .expect("trust");

    let strict = session(TlsConfig::pinned(wrong()));
    for tls in [&trusting, &anyone] {
        let outcome = soon("the error", strict.get(&url).tls(tls.clone()).send()).await;
        check_mismatch(outcome, &url, wrong(), identity.fingerprint);
    }
    assert_eq!(server.resumed(), 1, "the session was resumed, and refused");
    // The one that a request names takes its place.
    let own = TlsConfig::pinned(identity.fingerprint);
    let response = strict.get(&url).tls(own.clone()).await;
    assert_eq!(response.expect("trust").status(), 200);

    let exact = session(own);
    for tls in [trusting, anyone] {
        let response = exact.get(&url).tls(tls).await;
        assert_eq!(response.expect("trust").status(), 200);
    }
    // What a request asks for is checked beside it.
    let stranger = exact.get(&url).tls(Authority::new().client()).await;
    let error = stranger.expect_err("its authority is another");
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
}

/// SES-15, CON-70, CON-75, CON-77.
#[tokio::test]
async fn a_sessions_settings_are_those_of_requests_that_have_none() {
    let authority = Authority::new();
    let identity = Identity::of(&authority, &["127.0.0.1"]);
    let tls = Arc::new(identity.server());
    let server = TestServer::start_tls(tls, |_: Request| async { Response::ok("") }).await;
    let server = server.expect("a server");
    let url = server.url("/");
    let (trusting, stranger) = (authority.client(), Authority::new().client());
    let anyone = TlsConfig::danger_accept_any_certificate();
    let over = |of_connector: &TlsConfig, of_session: &TlsConfig| {
        let connector = TcpConnector::builder().tls(of_connector.clone()).build();
        let builder = ClientSession::builder().connector(connector.expect("valid"));
        builder.tls(of_session.clone()).build().expect("valid")
    };
    let session = over(&stranger, &trusting);
    text(&session, url.clone()).await.expect("trust");
    // Said again they are the same; a request's own take their place.
    let again = session.get(&url).tls(trusting.clone()).await;
    drop(again.expect("trust"));
    assert_eq!(server.connections(), 1);
    drop(session.get(&url).tls(anyone.clone()).await.expect("trust"));
    assert_eq!(server.connections(), 2);
    let refused = session.get(&url).tls(stranger.clone()).await;
    let error = refused.expect_err("unknown");
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
    let error = text(&over(&trusting, &stranger), url.clone()).await;
    let error = error.expect_err("unknown");
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
    // A connector's fingerprint is checked beside them, unless they have one.
    for tls in [&trusting, &anyone] {
        let strict = over(&TlsConfig::pinned(wrong()), tls);
        let outcome = text(&strict, url.clone()).await;
        check_mismatch(outcome, &url, wrong(), identity.fingerprint);
    }
    let own = TlsConfig::pinned(identity.fingerprint);
    let pinned = over(&TlsConfig::pinned(wrong()), &own);
    text(&pinned, url).await.expect("trust");
}

/// RED-10.
#[tokio::test]
async fn settings_go_along_redirects() {
    let authority = Authority::new();
    let there = start(Identity::of(&authority, &["127.0.0.1"]).server()).await;
    let location = there.url("/");
    let redirect = move |_: Request| {
        let response = Response::new(302).header("Location", location.clone());
        async { response }
    };
    let here = TestServer::start(redirect).await.expect("a server");
    let request = ClientSession::new()
        .get(here.url("/"))
        .tls(authority.client());
    let response = soon("the response", request.send()).await.expect("trust");
    assert_eq!(response.url().as_str(), there.url("/"));
}

#[tokio::test]
async fn any_certificate_will_do_where_that_is_asked_for() {
    let identity = Identity::of(&Authority::new(), &["elsewhere.test"]);
    let server = start(identity.server()).await;
    let anyone = session(TlsConfig::danger_accept_any_certificate());
    assert_eq!(text(&anyone, server.url("/")).await.expect("trust"), "");
    // And nowhere else.
    let careful = session(Authority::new().client());
    let response = careful
        .get(server.url("/"))
        .tls(TlsConfig::danger_accept_any_certificate())
        .await;
    assert_eq!(response.expect("trust").status(), 200);
    let error = text(&careful, server.url("/")).await.expect_err("unknown");
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
}

/// Anyone can show a certificate, which is public; its key tells whose it is.
#[tokio::test]
async fn a_certificate_without_its_key_convinces_nobody() {
    let authority = Authority::new();
    let victim = Identity::of(&authority, &["127.0.0.1"]);
    let thief = Identity::of(&authority, &["127.0.0.1"]);
    let shown = with(&victim.chain, signer(&thief), rustls::ALL_VERSIONS);
    let server = start(shown).await;
    for tls in [
        TlsConfig::pinned(victim.fingerprint),
        TlsConfig::danger_accept_any_certificate(),
    ] {
        let error = text(&session(tls), server.url("/")).await;
        let error = error.expect_err("the signature is wrong");
        let ClientError::Connection(error) = error else {
            panic!("{error}");
        };
        assert!(error.is_tls(), "{error}");
    }
}

/// A key that signs in one way, and maybe something else than it should.
#[derive(Debug)]
struct Signs {
    key: Arc<dyn SigningKey>,
    scheme: SignatureScheme,
    lies: bool,
}

impl SigningKey for Signs {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&self.scheme).then_some(())?;
        let signer = self.key.choose_scheme(&[self.scheme])?;
        Some(match self.lies {
            true => Box::new(Lies(signer)),
            false => signer,
        })
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

#[derive(Debug)]
struct Lies(Box<dyn Signer>);

impl Signer for Lies {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.0.sign(b"something else")
    }

    fn scheme(&self) -> SignatureScheme {
        self.0.scheme()
    }
}

/// The same certificate, but of version 1: its own signature is wrong then.
fn of_version_1(certificate: &[u8]) -> CertificateDer<'static> {
    let mut certificate = certificate.to_vec();
    let version = [0xA0, 3, 2, 1, 2];
    let found = certificate.windows(5).position(|bytes| bytes == version);
    certificate[found.expect("it has version 3") + 4] = 0;
    certificate.into()
}

/// Checks that whoever signs so, with a certificate of this key, is trusted, and nobody else.
async fn check_signature(
    key: &KeyPair,
    versions: &[&'static SupportedProtocolVersion],
    schemes: &[SignatureScheme],
) {
    let certificate = CertificateParams::new(["a.test".to_owned()]).expect("a name");
    let certificate = certificate.self_signed(key).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let key = rustls::crypto::ring::sign::any_supported_type(&key).expect("ring can sign with it");
    for certificate in [certificate.der().clone(), of_version_1(certificate.der())] {
        for (version, scheme) in versions.iter().zip(schemes) {
            for lies in [false, true] {
                let (key, scheme) = (Arc::clone(&key), *scheme);
                let shown = Arc::new(Signs { key, scheme, lies });
                let chain = [certificate.clone()];
                let server = start(with(&chain, shown, &[*version])).await;
                for tls in [
                    TlsConfig::pinned(Fingerprint::of(&certificate)),
                    TlsConfig::danger_accept_any_certificate(),
                ] {
                    match text(&session(tls), server.url("/")).await {
                        Ok(_) => assert!(!lies, "{version:?} {scheme:?}"),
                        Err(error) => {
                            let wrong = error.to_string().contains("a signature is wrong");
                            assert!(lies && wrong, "{version:?} {scheme:?}: {error}");
                        }
                    }
                }
            }
        }
    }
}

/// Old tools still make certificates of version 1, which rustls does not read.
#[tokio::test]
async fn any_certificate_is_as_good_as_the_signature_of_its_key() {
    use SignatureScheme as Scheme;
    let rsa = include_str!("../../data/tls/pkcs8.key");
    let rsa = KeyPair::from_pem(rsa).expect("a key");
    let pss = [
        Scheme::RSA_PSS_SHA256,
        Scheme::RSA_PSS_SHA384,
        Scheme::RSA_PSS_SHA512,
    ];
    check_signature(&rsa, &[&TLS13; 3], &pss).await;
    check_signature(&rsa, &[&TLS12; 3], &pss).await;
    let pkcs1 = [
        Scheme::RSA_PKCS1_SHA256,
        Scheme::RSA_PKCS1_SHA384,
        Scheme::RSA_PKCS1_SHA512,
    ];
    check_signature(&rsa, &[&TLS12; 3], &pkcs1).await;
    for (algorithm, scheme) in [
        (&PKCS_ECDSA_P256_SHA256, Scheme::ECDSA_NISTP256_SHA256),
        (&PKCS_ECDSA_P384_SHA384, Scheme::ECDSA_NISTP384_SHA384),
        (&PKCS_ED25519, Scheme::ED25519),
    ] {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        check_signature(&key, &[&TLS12, &TLS13], &[scheme; 2]).await;
    }
}

/// As `openssl x509 -req` makes them, whose name and signature are those of version 1 too.
#[tokio::test]
async fn a_certificate_of_version_1_may_be_pinned() {
    let chain = include_bytes!("../../data/tls/v1.pem");
    let chain = [CertificateDer::from_pem_slice(chain).expect("a certificate")];
    let key = include_bytes!("../../data/tls/pkcs8.key");
    let key = PrivateKeyDer::from_pem_slice(key).expect("a key");
    let key = rustls::crypto::ring::sign::any_supported_type(&key).expect("ring can sign with it");
    for version in [&TLS12, &TLS13] {
        let server = start(with(&chain, Arc::clone(&key), &[version])).await;
        let session = session(TlsConfig::pinned(Fingerprint::of(&chain[0])));
        assert_eq!(text(&session, server.url("/")).await.expect("trust"), "");
    }
}

/// CON-11: the same settings share a connection, others do not.
#[tokio::test]
async fn the_same_fingerprint_is_the_same_settings() {
    let identity = Identity::of(&Authority::new(), &["127.0.0.1"]);
    let tls = Arc::new(identity.server());
    let server = TestServer::start_tls(tls, async |_| Response::ok("")).await;
    let server = server.expect("a server");
    let session = ClientSession::new();
    let pinned = || TlsConfig::pinned(identity.fingerprint);
    let anyone = TlsConfig::danger_accept_any_certificate;
    let settings = [pinned(), anyone(), pinned(), anyone()];
    for (tls, connections) in settings.into_iter().zip([1, 2, 2, 2]) {
        let mut response = session.get(server.url("/")).tls(tls).await.expect("trust");
        response.read().await.expect("a body");
        assert_eq!(server.connections(), connections);
    }
}

/// What a client says when it begins: the name it asks for and the protocols it offers.
pub(crate) async fn hello(tls: TlsConfig, host: &str) -> (Option<String>, Vec<String>) {
    let listener = Listener::new().await;
    let address = listener.host().parse().expect("an address");
    let connector = TcpConnector::builder()
        .tls(tls)
        .resolver(Arc::new(Fixed(vec![address])));
    let connector = connector.build().expect("valid settings");
    let session = ClientSession::builder().connector(connector).build();
    let session = session.expect("valid settings");
    let hello = async {
        let stream = listener.accept().await.0;
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await;
        let begun = begun.expect("a hello");
        let hello = begun.client_hello();
        let name = hello.server_name().map(str::to_owned);
        let alpn = hello.alpn().into_iter().flatten();
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        (name, alpn.map(text).collect())
    };
    let request = text(&session, format!("https://{host}/"));
    tokio::select! {
        hello = soon("a hello", hello) => hello,
        outcome = request => panic!("{outcome:?}"),
    }
}

/// EDGE-196, CON-71, CON-72.
#[tokio::test]
async fn only_http11_is_offered() {
    let authority = Authority::new();
    let provider = rustls::crypto::ring::default_provider();
    let mut other = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("ring speaks them")
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    other.alpn_protocols = [&b"h2"[..], b"http/1.1", b"http/1.0"].map(Vec::from).into();
    let settings = [
        authority.client(),
        TlsConfig::pinned(wrong()),
        TlsConfig::danger_accept_any_certificate(),
        TlsConfig::from_rustls(other),
    ];
    for tls in settings {
        let (name, alpn) = hello(tls, "a.test..").await;
        assert_eq!(alpn, ["http/1.1"]);
        assert_eq!(name.as_deref(), Some("a.test"));
    }
}

/// Servers at 127.0.0.1 to 127.0.0.5, all on one port; counts who comes to each.
struct Street {
    addresses: Vec<SocketAddr>,
    came: Arc<[AtomicUsize; 5]>,
    /// Keeps the port of the first, where nobody listens.
    _closed: socket2::Socket,
}

impl Street {
    async fn new(tls: [Option<ServerConfig>; 4]) -> Self {
        // Another process may have the port at one of the addresses.
        let mut tries = 1;
        let (closed, listeners) = loop {
            match Self::bind().await {
                Ok(bound) => break bound,
                Err(error) => assert!(tries < 20, "{error}"),
            }
            tries += 1;
        };
        let came = Arc::new(std::array::from_fn(|_| AtomicUsize::new(0)));
        let first = closed.local_addr().expect("it is bound");
        let mut addresses = vec![first.as_socket().expect("an address")];
        for (place, (listener, tls)) in listeners.into_iter().zip(tls).enumerate() {
            addresses.push(listener.local_addr().expect("it is bound"));
            tokio::spawn(Self::serve(listener, tls, Arc::clone(&came), place + 1));
        }
        Self {
            addresses,
            came,
            _closed: closed,
        }
    }

    async fn bind() -> io::Result<(socket2::Socket, Vec<TcpListener>)> {
        let address = |last, port| SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port));
        let closed = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        closed.bind(&address(1, 0).into())?;
        let port = closed.local_addr()?.as_socket().map_or(0, |it| it.port());
        let mut listeners = Vec::new();
        for last in 2..=5 {
            listeners.push(TcpListener::bind(address(last, port)).await?);
        }
        Ok((closed, listeners))
    }

    async fn serve(
        listener: TcpListener,
        tls: Option<ServerConfig>,
        came: Arc<[AtomicUsize; 5]>,
        place: usize,
    ) {
        let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        while let Ok((mut stream, _)) = listener.accept().await {
            came[place].fetch_add(1, Ordering::Relaxed);
            match &acceptor {
                Some(acceptor) => {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        let asked = stream.read(&mut [0; 4096]).await;
                        if asked.is_ok_and(|length| length > 0) {
                            _ = stream.write_all(ok("the fifth").as_bytes()).await;
                        }
                    }
                }
                None => _ = stream.write_all(b"220 no TLS here\r\n").await,
            }
        }
    }

    fn came(&self) -> [usize; 5] {
        std::array::from_fn(|place| self.came[place].load(Ordering::Relaxed))
    }
}

/// EDGE-179, CON-64, CON-65: refused, no TLS, an unknown issuer, another certificate.
#[tokio::test]
async fn the_fifth_address_serves_where_four_fail_in_four_ways() {
    let (authority, names) = (Authority::new(), ["street.test"]);
    let identity = |authority: &Authority| Identity::of(authority, &names);
    let (stranger, other, good) = (
        identity(&Authority::new()),
        identity(&authority),
        identity(&authority),
    );
    let servers = [
        None,
        Some(stranger.server()),
        Some(other.server()),
        Some(good.server()),
    ];
    let street = Street::new(servers).await;
    let connector = |addresses: &[SocketAddr]| {
        let builder = TcpConnector::builder()
            .tls(TlsConfig::pinned(good.fingerprint))
            .resolver(Arc::new(Fixed(addresses.to_vec())));
        let connector = builder.build().expect("valid settings");
        let session = ClientSession::builder().connector(connector).build();
        session.expect("valid settings")
    };
    let url = format!("https://street.test:{}/", street.addresses[0].port());
    let get = |addresses: &[SocketAddr]| {
        // The authority is asked beside the fingerprint: so there are two ways to fail.
        let request = connector(addresses).get(&url).tls(authority.client());
        async { soon("the outcome", request.send()).await }
    };
    let mut response = get(&street.addresses).await.expect("the fifth is good");
    assert_eq!(response.text().await.expect("a body"), "the fifth");
    assert_eq!(street.came(), [0, 1, 1, 1, 1]);

    // Each of the four fails in its own way, EDGE-180.
    let classes = [
        "ClientConnectorError",
        "ClientConnectorSSLError",
        "ClientConnectorCertificateError",
        "ServerFingerprintMismatch",
    ];
    for (last, class) in classes.into_iter().enumerate() {
        let error = get(&street.addresses[..=last]).await.expect_err("all fail");
        assert_eq!(error.aiohttp_class(), class, "{error}");
    }
}
