//! TLS with a proxy, and within a tunnel.

use std::net::SocketAddr;
use std::sync::Arc;

use aio_client::{ClientError, ConnectErrorKind, ConnectionError, Fingerprint, Proxy, TlsConfig};
use aio_tests::http_server::{Request, Response, TestServer};
use aio_tests::tls::Authority;
use aio_tests::tunnel::TunnelProxy;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;

use crate::peer::soon;
use crate::proxy::{failed, session, target, text, trusting};

#[tokio::test]
async fn tls_within_tls() {
    // EDGE-201: each certificate by its own settings.
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = target(&theirs).await;
    let tls = ours.server(&["127.0.0.1"]);
    let proxy = TunnelProxy::start_tls(server.address(), tls)
        .await
        .expect("a proxy");
    let session = session(trusting(ours.client()).proxy(proxy.url()));
    let trusted = theirs.client();
    let request = session.get("https://a.test/").tls(trusted.clone());
    let response = soon("the response", request.send())
        .await
        .expect("a response");
    assert_eq!(
        response.connection_info().tls().expect("TLS").server_name(),
        "a.test"
    );
    drop(response);
    // It goes on, with bodies larger than a record.
    let body = "x".repeat(1 << 20);
    let request = session.post("https://a.test/big").tls(trusted).body(body);
    assert!(text(request).await.starts_with("POST /big\n"));
    assert_eq!(proxy.asked().len(), 1);

    let check = async |error: ClientError, host: &str| {
        assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
        let ClientError::Connection(ConnectionError::Connect(error)) = error else {
            panic!("{error:?}");
        };
        assert_eq!(error.host(), host);
    };
    check(failed(session.get("https://a.test/")).await, "a.test").await;
    let other = self::session(trusting(theirs.client()).proxy(proxy.url()));
    check(failed(other.get("https://a.test/")).await, "127.0.0.1").await;
}

/// A proxy that asks for a client certificate of its authority, and the settings of who has
/// one and trusts its authority alone.
async fn exclusive(server: SocketAddr) -> (TunnelProxy, TlsConfig) {
    let authority = Authority::new();
    let provider = Arc::new(ring::default_provider());
    let roots = Arc::new(authority.roots());
    let clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let (chain, key) = authority.certificate(&["127.0.0.1"]);
    let tls = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring speaks them")
        .with_client_cert_verifier(clients.build().expect("valid"))
        .with_single_cert(chain, key)
        .expect("the key belongs to the certificate");
    let (chain, key) = authority.certificate(&["client.test"]);
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks them")
        .with_root_certificates(authority.roots())
        .with_client_auth_cert(chain, key)
        .expect("the key belongs to the certificate");
    let proxy = TunnelProxy::start_tls(server, Arc::new(tls)).await;
    (proxy.expect("a proxy"), TlsConfig::from_rustls(client))
}

#[tokio::test]
async fn a_proxy_has_tls_settings_of_its_own() {
    // EDGE-201: an authority and a client certificate for the proxy, another authority or a
    // fingerprint for the server.
    let theirs = Authority::new();
    let (chain, key) = theirs.certificate(&["a.test"]);
    let pin = Fingerprint::of(chain.first().expect("one"));
    let tls = rustls::ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("ring speaks them")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("the key belongs to the certificate");
    let server = TestServer::start_tls(Arc::new(tls), async |_| Response::ok("ok")).await;
    let server = server.expect("a server");
    let (place, tls) = exclusive(server.address()).await;
    let proxy = Proxy::new(place.url()).expect("a proxy").tls(tls.clone());
    let get = |connector: TlsConfig| {
        session(trusting(connector))
            .get("https://a.test/")
            .proxy(&proxy)
    };
    let response = soon("the response", get(theirs.client()).send()).await;
    let response = response.expect("a response");
    let info = response.connection_info().tls().expect("TLS");
    assert_eq!(info.server_name(), "a.test");
    assert_eq!(text(get(TlsConfig::pinned(pin))).await, "ok");
    let request = get(TlsConfig::new()).tls(theirs.client());
    assert_eq!(text(request).await, "ok");
    let asked = place.asked().len();

    // Neither has what is the other's.
    let error = failed(get(tls.clone())).await;
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
    assert_eq!(place.asked().len(), asked + 1, "the proxy agreed");
    for request in [
        get(theirs.client()).proxy(place.url()),
        get(theirs.client()).proxy(place.url()).tls(tls.clone()),
    ] {
        let ClientError::Connection(ConnectionError::Connect(error)) = failed(request).await else {
            panic!("no connection to the proxy");
        };
        assert!(matches!(error.kind(), ConnectErrorKind::Certificate(_)));
        assert_eq!(error.host(), "127.0.0.1");
    }
    assert_eq!(place.asked().len(), asked + 1);
}

#[test]
fn tls_settings_tell_proxies_apart() {
    let proxy = |url| Proxy::new(url).expect("a proxy");
    let tls = TlsConfig::new();
    let with = |url, tls: &TlsConfig| proxy(url).tls(tls.clone());
    let (plain, secure) = ("http://p.test:1", "https://p.test:1");
    assert_eq!(with(secure, &tls), with(secure, &tls));
    assert_ne!(with(secure, &tls), with(secure, &TlsConfig::new()));
    assert_ne!(with(secure, &tls), proxy(secure));
    assert_eq!(with(plain, &tls), proxy(plain), "there is no TLS");
}

#[tokio::test]
async fn within_a_tunnel_tls_goes_by_its_usual_rules() {
    // CON-89.
    let authority = Authority::new();
    let server = target(&authority).await;
    let proxy = TunnelProxy::start(server.address()).await.expect("a proxy");
    let stranger = Authority::new().client();
    let session = session(trusting(stranger).proxy(proxy.url()));
    let anyone = TlsConfig::danger_accept_any_certificate();
    let pinned = TlsConfig::pinned(Fingerprint::from([0x5A; 32]));
    let get = || session.get("https://a.test:8443/");
    for (request, class) in [
        (get(), "ClientConnectorCertificateError"),
        (
            get().tls(authority.client()).server_hostname("b.test"),
            "ClientConnectorCertificateError",
        ),
        (get().tls(pinned), "ServerFingerprintMismatch"),
    ] {
        let error = failed(request).await;
        assert_eq!(error.aiohttp_class(), class, "{error}");
        let ClientError::Connection(ConnectionError::Connect(error)) = error else {
            panic!("{error:?}");
        };
        assert_eq!((error.host(), error.port()), ("a.test", 8443));
        assert_eq!(session.connector().stats().open, 0);
    }
    for tls in [authority.client(), anyone] {
        text(get().tls(tls)).await;
    }
}

#[tokio::test]
async fn settings_of_a_session_are_for_the_server_and_not_for_the_proxy() {
    // CON-77, EDGE-201.
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = target(&theirs).await;
    let tls = ours.server(&["127.0.0.1"]);
    let proxy = TunnelProxy::start_tls(server.address(), tls).await;
    let proxy = proxy.expect("a proxy");
    let both = |of_connector: &Authority, of_session: &Authority| {
        let builder = trusting(of_connector.client()).tls(of_session.client());
        session(builder.proxy(proxy.url())).get("https://a.test/")
    };
    text(both(&ours, &theirs)).await;
    let error = failed(both(&theirs, &theirs)).await;
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
    assert_eq!(
        proxy.asked().len(),
        1,
        "the other one is not told who is wanted"
    );
}

#[tokio::test]
async fn a_plain_request_goes_through_a_tls_proxy() {
    // CON-80.
    let authority = Authority::new();
    let answer = async |request: Request| Response::ok(request.target);
    let proxy = TestServer::start_tls(authority.server(&["127.0.0.1"]), answer).await;
    let proxy = proxy.expect("a proxy");
    let session = session(trusting(authority.client()).proxy(proxy.url("")));
    for _ in 0..2 {
        let mut response = session.get("http://a.test/x").await.expect("a response");
        // With the server nobody spoke TLS.
        assert!(response.connection_info().tls().is_none());
        assert_eq!(response.text().await.expect("a body"), "http://a.test/x");
    }
    assert_eq!(proxy.connections(), 1);
}
