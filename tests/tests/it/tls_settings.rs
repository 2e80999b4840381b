//! What users say of TLS: roots, client certificates, versions, ALPN, SNI, revocation lists,
//! key logs.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aio_client::{
    ClientError, Fingerprint, TlsConfig, TlsConfigBuilder, TlsConfigError, TlsVersion,
};
use aio_tests::http_server::{Response, TestServer};
use aio_tests::tls::Authority;
use rcgen::{Certificate, CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};

use crate::fingerprints::hello;
use crate::tls::{session, text};

pub(crate) const LOCALHOST: &[&str] = &["127.0.0.1"];

/// A file of its own; dropping it removes it.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    fn path() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("aio-tls-{}-{count}", process::id())))
    }

    pub(crate) fn new(text: &str) -> Self {
        let file = Self::path();
        fs::write(&file.0, text).expect("a file");
        file
    }
}

impl AsRef<Path> for Temporary {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("it is there");
    }
}

/// A certificate or key of `tests/data/tls`.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/tls")
        .join(name)
}

pub(crate) async fn start(tls: ServerConfig) -> TestServer {
    let answer = async |_| Response::ok("hello").header("Connection", "close");
    let server = TestServer::start_tls(Arc::new(tls), answer).await;
    server.expect("a server")
}

/// A server with a certificate that says this.
pub(crate) async fn showing(authority: &Authority, params: &CertificateParams) -> TestServer {
    let (certificate, key) = authority.sign(params);
    with(&certificate, &key).await
}

pub(crate) async fn with(certificate: &Certificate, key: &KeyPair) -> TestServer {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("it was just made");
    let provider = rustls::crypto::ring::default_provider();
    let tls = ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("ring speaks them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key);
    start(tls.expect("the key belongs to the certificate")).await
}

pub(crate) fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).expect("a name")
}

pub(crate) async fn trusts(builder: TlsConfigBuilder, server: &TestServer) {
    let session = session(builder.build().expect("valid settings"));
    let body = text(&session, server.url("/")).await;
    assert_eq!(body.expect("trust"), "hello");
}

/// Checks that the server's certificate is refused, for a reason that has this word in it.
pub(crate) async fn refuses(builder: TlsConfigBuilder, server: &TestServer, why: &str) {
    let session = session(builder.build().expect("valid settings"));
    let error = text(&session, server.url("/")).await;
    let error = error.expect_err("it is not trusted");
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
    assert!(told(&error).contains(why), "{}", told(&error));
}

/// What an error and its causes say, in small letters.
pub(crate) fn told(error: &ClientError) -> String {
    let mut told = String::new();
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        told += &format!("{error} {error:?}: ");
        cause = error.source();
    }
    told.to_lowercase()
}

#[track_caller]
pub(crate) fn check(builder: TlsConfigBuilder, want: &str) {
    let error = builder.build().expect_err("something is wrong with it");
    assert_eq!(error.to_string(), want);
}

#[test]
fn a_file_that_is_of_no_use_is_named() {
    let (empty, broken) = (Temporary::new("# empty"), Temporary::new(BROKEN));
    let (empty_name, broken_name) = (empty.0.display(), broken.0.display());
    let builder = TlsConfig::builder;
    check(
        builder().root_certificate_file("/nowhere/ca.pem"),
        "cannot open /nowhere/ca.pem: No such file or directory (os error 2)",
    );
    check(
        builder().root_certificate_file(&empty),
        &format!("no certificate in {empty_name}"),
    );
    check(
        builder().root_certificate_file(&broken),
        &format!("certificate 1 of {broken_name} is malformed: BadEncoding"),
    );
    check(
        builder().certificate_revocation_list_file(&empty),
        &format!("no revocation list in {empty_name}"),
    );
    check(
        builder().client_certificate_files(&empty, data("pkcs8.key")),
        &format!("no certificate in {empty_name}"),
    );
    check(
        builder().client_certificate_files(data("rsa.pem"), &empty),
        &format!("no private key in {empty_name}"),
    );
    check(
        builder().client_certificate_files(data("rsa.pem"), "/nowhere/client.key"),
        "cannot open /nowhere/client.key: No such file or directory (os error 2)",
    );
    check(
        builder().key_log_file("/nowhere/keys.log"),
        "cannot open /nowhere/keys.log: No such file or directory (os error 2)",
    );
    // The first one counts, whatever comes behind it.
    let first = builder().root_certificate_file("/nowhere/ca.pem");
    check(
        first
            .client_certificate_pem("", "")
            .key_log_file("/nowhere/keys.log"),
        "cannot open /nowhere/ca.pem: No such file or directory (os error 2)",
    );
}

#[test]
fn errors_of_settings_have_pythons_classes() {
    let builder = TlsConfig::builder;
    for (builder, class) in [
        (
            builder().root_certificate_file("/nowhere/ca.pem"),
            "OSError",
        ),
        (builder().root_certificate_pem("# empty"), "SSLError"),
        (builder().root_certificate_pem(BROKEN), "SSLError"),
        (
            builder()
                .min_version(TlsVersion::Tls13)
                .max_version(TlsVersion::Tls12),
            "ValueError",
        ),
    ] {
        // As the `?` of a function that sends requests makes it.
        let error = ClientError::from(builder.build().expect_err(class));
        assert_eq!(error.aiohttp_class(), class, "{error}");
        assert_eq!(error.is_a("OSError"), class != "ValueError");
    }
}

pub(crate) const BROKEN: &str =
    "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";

#[test]
fn keys_are_read_in_the_forms_of_openssl() {
    let both = |certificate: &str, key: &str| {
        let read = |name| fs::read_to_string(data(name)).expect("a file");
        [
            read(certificate) + &read(key),
            read(key) + &read(certificate),
        ]
    };
    for (certificate, key) in [
        ("rsa.pem", "pkcs8.key"),
        ("rsa.pem", "pkcs1.key"),
        ("v1.pem", "pkcs8.key"),
        ("ec.pem", "sec1.key"),
    ] {
        let builder = TlsConfig::builder;
        let files = builder().client_certificate_files(data(certificate), data(key));
        files.build().expect(key);
        // One text has both, the one or the other first.
        for text in both(certificate, key) {
            let builder = builder().client_certificate_pem(&text, &text);
            builder.build().expect(key);
            let file = Temporary::new(&text);
            let builder = TlsConfig::builder().client_certificate_files(&file, &file);
            builder.build().expect(key);
        }
    }
}

#[test]
fn an_encrypted_key_is_refused_with_advice() {
    for name in ["encrypted-pkcs8.key", "encrypted-pkcs1.key"] {
        let builder = TlsConfig::builder().client_certificate_files(data("rsa.pem"), data(name));
        let error = builder.build().expect_err("there is no password");
        assert_eq!(
            error,
            TlsConfigError::EncryptedKey {
                file: Some(data(name))
            }
        );
        let shown = error.to_string();
        for part in [
            name,
            "encrypted",
            "`openssl pkey -in encrypted.pem -out key.pem`",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
    }
}

#[test]
fn a_key_belongs_to_its_certificate() {
    let other = Temporary::new(&Authority::new().server_pem(LOCALHOST).1);
    for (certificate, key) in [
        ("ec.pem", data("pkcs8.key")),
        ("ec.pem", other.0.clone()),
        ("v1.pem", other.0.clone()),
    ] {
        let certificate = data(certificate);
        check(
            TlsConfig::builder().client_certificate_files(&certificate, &key),
            &format!(
                "the private key in {} does not belong to the first certificate in {}",
                key.display(),
                certificate.display()
            ),
        );
    }
}

/// Settings of a server that wants a certificate of the clients of `authority`.
fn wanting(
    server: &Authority,
    clients: &Authority,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(clients.roots());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let (chain, key) = server.certificate(LOCALHOST);
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("ring speaks them")
        .with_client_cert_verifier(verifier.build().expect("an authority"))
        .with_single_cert(chain, key)
        .expect("the key belongs to the certificate")
}

/// CON-78.
#[tokio::test]
async fn a_client_shows_its_certificate() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let (chain, key) = clients.server_pem(&["client.test"]);
    let (other_chain, other_key) = authority.server_pem(&["client.test"]);
    let trusting = || TlsConfig::builder().root_certificate_pem(authority.pem());
    for version in [&TLS12, &TLS13] {
        let server = start(wanting(&authority, &clients, &[version])).await;
        trusts(trusting().client_certificate_pem(&chain, &key), &server).await;
        // It goes with any other way to know the server.
        let pinned = TlsConfig::builder().danger_accept_any_certificate();
        trusts(pinned.client_certificate_pem(&chain, &key), &server).await;
        for builder in [
            trusting(),
            trusting().client_certificate_pem(&other_chain, &other_key),
        ] {
            let session = session(builder.build().expect("valid settings"));
            let refused = text(&session, server.url("/")).await;
            refused.expect_err("the server wants another certificate");
        }
    }
}

#[test]
fn no_secret_is_shown() {
    let (chain, key) = Authority::new().server_pem(LOCALHOST);
    let builder = TlsConfig::builder().client_certificate_pem(&chain, &key);
    let shown = format!("{builder:?} {:?}", builder.clone().build());
    assert_eq!(shown, "TlsConfigBuilder { .. } Ok(TlsConfig { .. })");
    let broken = format!("{key}{}", key.replace("-----END", "secret! -----END"));
    let broken = broken.split_once("-----END").expect("a key").0;
    let error = TlsConfig::builder()
        .client_certificate_pem(&chain, broken)
        .build();
    let shown = format!("{:?}", error.expect_err("it has no end"));
    for line in key.lines().filter(|line| !line.starts_with("--")) {
        assert!(!shown.contains(line), "{shown}");
    }
}

#[tokio::test]
async fn versions_are_between_two() {
    let authority = Authority::new();
    let trusting = || TlsConfig::builder().root_certificate_pem(authority.pem());
    let (old, new) = (TlsVersion::Tls12, TlsVersion::Tls13);
    let any = start(authority.server_with(LOCALHOST, rustls::ALL_VERSIONS)).await;
    for (builder, version) in [
        (trusting(), new),
        (trusting().max_version(old), old),
        (trusting().min_version(new), new),
        (trusting().min_version(old).max_version(new), new),
        (trusting().max_version(old).min_version(old), old),
    ] {
        let session = session(builder.build().expect("valid settings"));
        let response = session.get(any.url("/")).await.expect("trust");
        let tls = response.connection_info().tls().expect("it is TLS");
        assert_eq!(tls.version(), version);
    }
    for (builder, spoken) in [
        (trusting().min_version(new), &TLS12),
        (trusting().max_version(old), &TLS13),
    ] {
        let server = start(authority.server_with(LOCALHOST, &[spoken])).await;
        let session = session(builder.build().expect("valid settings"));
        let error = text(&session, server.url("/")).await;
        let error = error.expect_err("they have none in common");
        assert_eq!(error.aiohttp_class(), "ClientConnectorSSLError");
    }
    let want = "no version of TLS is both TLSv1.3 or newer and TLSv1.2 or older";
    check(trusting().min_version(new).max_version(old), want);
    check(trusting().max_version(old).min_version(new), want);
}

#[tokio::test]
async fn a_hello_has_what_is_to_be_told() {
    let anyone = || TlsConfig::builder().danger_accept_any_certificate();
    for (builder, name, protocols) in [
        (anyone(), Some("a.test"), &["http/1.1"][..]),
        (anyone().server_name_indication(false), None, &["http/1.1"]),
        (anyone().alpn(&[]), Some("a.test"), &[]),
        (
            anyone().alpn(&["x-amzn-http-ca", "http/1.1"]),
            Some("a.test"),
            &["x-amzn-http-ca", "http/1.1"],
        ),
    ] {
        let (asked, offered) = hello(builder.build().expect("valid settings"), "a.test").await;
        assert_eq!(asked.as_deref(), name);
        assert_eq!(offered, protocols);
    }
}

/// Some servers have a name of their own for HTTP/1.1 where others are spoken at the port.
#[tokio::test]
async fn a_protocol_of_any_name_is_http11() {
    let authority = Authority::new();
    let mut tls = authority.server_with(LOCALHOST, rustls::ALL_VERSIONS);
    tls.alpn_protocols = vec![b"x-amzn-http-ca".to_vec()];
    let server = start(tls).await;
    let trusting = || TlsConfig::builder().root_certificate_pem(authority.pem());
    let named = trusting().alpn(&["http/1.1", "x-amzn-http-ca"]).build();
    let response = session(named.expect("valid settings")).get(server.url("/"));
    let mut response = response.await.expect("trust");
    let info = response.connection_info();
    assert_eq!(
        info.tls().and_then(|tls| tls.alpn()),
        Some(&b"x-amzn-http-ca"[..])
    );
    assert_eq!(response.text().await.expect("a body"), "hello");
    trusts(trusting().alpn(&[]), &server).await;
    let session = session(trusting().build().expect("valid settings"));
    let error = text(&session, server.url("/")).await;
    let error = error.expect_err("the server speaks something else");
    assert_eq!(error.aiohttp_class(), "ClientConnectorSSLError");
}

#[test]
fn protocols_that_are_not_spoken_are_not_offered() {
    let builder = TlsConfig::builder;
    check(
        builder().alpn(&["h2", "http/1.1"]),
        "the protocol `h2` is not spoken here, so that it cannot be offered",
    );
    let long = "x".repeat(256);
    check(
        builder().alpn(&[&long]),
        "the name of a protocol has 256 bytes, and not 1 to 255",
    );
    check(
        builder().alpn(&[""]),
        "the name of a protocol has 0 bytes, and not 1 to 255",
    );
    builder().alpn(&[&long[1..]]).build().expect("it is short");
}

/// The name in a certificate counts, though the server was not told it.
#[tokio::test]
async fn without_sni_the_name_is_verified() {
    let authority = Authority::new();
    let server = start(authority.server_with(&["a.test"], rustls::ALL_VERSIONS)).await;
    let builder = TlsConfig::builder().root_certificate_pem(authority.pem());
    let tls = builder.server_name_indication(false).build();
    let session = session(tls.expect("valid settings"));
    for (name, is_trusted) in [("a.test", true), ("b.test", false)] {
        let request = session.get(server.url("/")).server_hostname(name);
        assert_eq!(request.await.is_ok(), is_trusted, "{name}");
    }
}

/// WISH-34.
#[tokio::test]
async fn sessions_are_resumed_unless_that_is_not_wanted() {
    let authority = Authority::new();
    for (is_allowed, resumed) in [(true, 1), (false, 0)] {
        let server = start(authority.server_with(LOCALHOST, rustls::ALL_VERSIONS)).await;
        let builder = TlsConfig::builder().root_certificate_pem(authority.pem());
        let tls = builder.resumption(is_allowed).build();
        let session = session(tls.expect("valid settings"));
        for _ in 0..2 {
            let body = text(&session, server.url("/")).await;
            assert_eq!(body.expect("trust"), "hello");
        }
        assert_eq!((server.connections(), server.resumed()), (2, resumed));
    }
}

/// WISH-34.
#[tokio::test]
async fn a_key_log_has_a_line_for_each_secret() {
    let authority = Authority::new();
    for (version, labels) in [
        (&TLS12, &["CLIENT_RANDOM"][..]),
        (
            &TLS13,
            &[
                "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                "CLIENT_TRAFFIC_SECRET_0",
                "SERVER_TRAFFIC_SECRET_0",
                "EXPORTER_SECRET",
            ],
        ),
    ] {
        let server = start(authority.server_with(LOCALHOST, &[version])).await;
        let log = Temporary::new("# of another program\n");
        let builder = TlsConfig::builder().root_certificate_pem(authority.pem());
        trusts(builder.key_log_file(&log), &server).await;
        let written = fs::read_to_string(&log).expect("a log");
        let (before, lines) = written.split_once('\n').expect("lines");
        assert_eq!(before, "# of another program");
        let mut found = Vec::new();
        for line in lines.lines() {
            let [label, random, secret] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line:?}");
            };
            found.push(label);
            let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(random.len() == 64 && secret.len() >= 64, "{line:?}");
            assert!(is_hex(random) && is_hex(secret), "{line:?}");
        }
        found.sort_unstable();
        let mut want = labels.to_vec();
        want.sort_unstable();
        assert_eq!(found, want);
    }
}

#[cfg(unix)]
#[test]
fn a_new_key_log_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let log = Temporary::path();
    let builder = TlsConfig::builder().key_log_file(&log);
    builder.build().expect("a new file");
    let mode = fs::metadata(&log).expect("a file").permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[test]
fn settings_made_apart_are_different() {
    let fingerprint = Fingerprint::of(b"");
    let made = || {
        let builder = TlsConfig::builder().fingerprint(fingerprint);
        builder.build().expect("valid settings")
    };
    let tls = made();
    assert_eq!(tls, tls.clone());
    assert_ne!(tls, made());
    assert_ne!(tls, TlsConfig::pinned(fingerprint));
    assert_eq!(
        format!("{tls:?}"),
        format!("{:?}", TlsConfig::pinned(fingerprint))
    );
}
