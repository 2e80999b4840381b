//! Whom a client does not trust: names, authorities, purposes.

use std::sync::Arc;

use aio_client::{
    CertificateProblem, ClientSession, Fingerprint, TcpConnector, TlsConfig, TlsConfigBuilder,
};
use aio_tests::http_server::{Response, TestServer};
use aio_tests::tls::Authority;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;

use crate::peer::soon;
use crate::tls::Fixed;
use crate::tls_failures::{
    CERTIFICATE, HERE, Play, Want, check, check_problem, showing, untrusted,
};

/// Whether a certificate with these names is one of `host`.
async fn check_names(names: &[&str], host: &str, is_its: bool) {
    let authority = Authority::new();
    let server = TestServer::start_tls(authority.server(names), async |_| Response::ok(""));
    let server = server.await.expect("a server");
    let connector = TcpConnector::builder()
        .tls(authority.client())
        .resolver(Arc::new(Fixed(vec![server.address()])));
    let connector = connector.build().expect("valid settings");
    let session = ClientSession::builder().connector(connector).build();
    let session = session.expect("valid settings");
    let url = format!("https://{host}:{}/", server.address().port());
    match soon("the outcome", session.get(url).send()).await {
        Ok(_) => assert!(is_its, "{names:?} {host}"),
        Err(error) => {
            assert!(!is_its, "{names:?} {host}: {error}");
            assert_eq!(error.aiohttp_class(), CERTIFICATE, "{names:?} {host}");
        }
    }
}

/// RFC 6125 6.4.3, as OpenSSL does for Python.
#[tokio::test]
async fn a_wildcard_is_one_whole_label_and_the_first() {
    let wild = &["*.a.test"];
    check_names(wild, "x.a.test", true).await;
    check_names(wild, "X.A.TEST", true).await;
    check_names(wild, "x.a.test.", true).await;
    check_names(wild, "a.test", false).await;
    check_names(wild, "x.y.a.test", false).await;
    check_names(wild, "xa.test", false).await;
    check_names(&["x*.a.test"], "xy.a.test", false).await;
    check_names(&["*x.a.test"], "yx.a.test", false).await;
    check_names(&["x.*.test"], "x.a.test", false).await;
    check_names(&["*"], "test", false).await;
    check_names(&["*.0.0.1"], "127.0.0.1", false).await;
}

#[tokio::test]
async fn an_address_is_a_name_as_well() {
    check_names(&["127.0.0.1"], "127.0.0.1", true).await;
    check_names(&["::1", "a.test", "127.0.0.1"], "127.0.0.1", true).await;
    check_names(&["::1"], "127.0.0.1", false).await;
}

#[tokio::test]
async fn the_text_of_an_address_is_not_the_address() {
    let authority = Authority::new();
    let text = authority.certificate_with(&[], |certificate| {
        let name = "127.0.0.1".try_into().expect("ASCII");
        certificate.subject_alt_names = vec![SanType::DnsName(name)];
    });
    let want = untrusted("[certificate is not for 127.0.0.1", "BadCertificate");
    check(showing(text), authority.client(), want).await;
}

/// EDGE-195.
#[tokio::test]
async fn who_has_signed_must_be_known() {
    let (known, unknown) = (Authority::new(), Authority::new());
    let told = "UnknownCA";
    let text = "[certificate of an unknown issuer, throw-away authority ";
    let shown = showing(unknown.certificate(HERE));
    check(shown, known.client(), untrusted(text, told)).await;

    // With all that the server can show.
    let (mut chain, key) = unknown.certificate(HERE);
    chain.push(unknown.der());
    let text = "[certificate of an unknown authority, throw-away authority ";
    check(showing((chain, key)), known.client(), untrusted(text, told)).await;

    // The one between is missing.
    let between = known.intermediate();
    let (mut chain, key) = between.certificate(HERE);
    let text = "[certificate of an unknown issuer, throw-away authority ";
    let shown = showing((chain.clone(), key.clone_key()));
    check(shown, known.client(), untrusted(text, told)).await;
    // And not at fault where it is there, but unknown itself.
    chain.push(between.der());
    check(
        showing((chain, key)),
        unknown.client(),
        untrusted(text, told),
    )
    .await;
}

/// A certificate as `openssl req -x509` makes them: of an authority, and of a server.
fn of_both(change: impl FnOnce(&mut CertificateParams)) -> (Play, String) {
    let names = HERE.iter().map(ToString::to_string);
    let mut params = CertificateParams::new(names.collect::<Vec<_>>()).expect("an address");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let play = showing((vec![certificate.der().clone()], key));
    (play, certificate.pem())
}

#[tokio::test]
async fn who_has_signed_for_itself_is_nobody_known() {
    // Of an authority rustls says something else.
    for (is_ca, told) in [(false, "UnknownCA"), (true, "CertificateUnknown")] {
        let (play, _) = of_both(|certificate| {
            if !is_ca {
                certificate.is_ca = IsCa::NoCa;
            }
        });
        let want = untrusted("[self-signed certificate]", told);
        let errors = check(play, Authority::new().client(), want).await;
        check_problem(&errors, &CertificateProblem::SelfSigned);
    }
}

async fn check_trust(server: &TestServer, client: TlsConfigBuilder) {
    let session = crate::tls::session(client.build().expect("a root"));
    let response = soon("a response", session.get(server.url("/")).send()).await;
    assert_eq!(response.expect("trust").status(), 200);
}

/// As in Python.
#[tokio::test]
async fn a_server_may_show_a_root_that_was_named() {
    let trusting = |pem: &str| TlsConfig::builder().root_certificate_pem(pem);
    let (play, pem) = of_both(|_| {});
    let Play::Tls(tls) = &play else {
        panic!("it speaks TLS");
    };
    let server = TestServer::start_tls(Arc::clone(tls), async |_| Response::ok("")).await;
    let server = server.expect("a server");
    check_trust(&server, trusting(&pem)).await;
    let other = Authority::new().pem();
    check_trust(&server, trusting(&pem).root_certificate_pem(other)).await;
    // As Go's `generate_cert --ca` makes them.
    let (play, root) = of_both(|certificate| {
        certificate.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        certificate.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
        ];
    });
    let Play::Tls(tls) = &play else {
        panic!("it speaks TLS");
    };
    let server = TestServer::start_tls(Arc::clone(tls), async |_| Response::ok("")).await;
    check_trust(&server.expect("a server"), trusting(&root)).await;

    let check = async |play, builder: TlsConfigBuilder, text, told| {
        let tls = builder.build().expect("a root");
        check(play, tls, untrusted(text, told)).await;
    };
    // All else is looked at as ever.
    let (expired, root) = of_both(|certificate| {
        certificate.not_before = date_time_ymd(2023, 3, 1);
        certificate.not_after = date_time_ymd(2024, 3, 1);
    });
    let text = "[certificate expired on 2024-03-01 00:00:00 UTC]";
    check(expired, trusting(&root), text, "CertificateExpired").await;
    let (early, root) = of_both(|certificate| {
        certificate.not_before = date_time_ymd(2999, 3, 1);
    });
    let text = "[certificate not valid until 2999-03-01 00:00:00 UTC]";
    check(early, trusting(&root), text, "CertificateExpired").await;
    let (elsewhere, root) = of_both(|certificate| {
        let name = "a.test".try_into().expect("ASCII");
        certificate.subject_alt_names = vec![SanType::DnsName(name)];
    });
    let text = "[certificate is not for 127.0.0.1, but for a.test]";
    check(elsewhere, trusting(&root), text, "BadCertificate").await;
    let (other_purpose, root) = of_both(|certificate| {
        certificate.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let (text, told) = (
        "[certificate not trusted: it is not for servers]",
        "UnsupportedCertificate",
    );
    check(other_purpose, trusting(&root), text, told).await;
    let (of_authority, root) = of_both(|certificate| {
        certificate.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    });
    check(of_authority, trusting(&root), text, told).await;
    let text = "[self-signed certificate]";
    // Another one, though it has the same names.
    let (_, other) = of_both(|_| {});
    check(play.clone(), trusting(&other), text, "CertificateUnknown").await;
    // Nobody tells whether it is revoked.
    let list = Authority::new().revocation_list(&[7], 4000);
    let strict = trusting(&pem).certificate_revocation_list_pem(list);
    check(play, strict, text, "CertificateUnknown").await;
}

#[tokio::test]
async fn who_is_revoked_is_not_trusted() {
    let authority = Authority::new();
    let list = authority.revocation_list(&[7], 4000);
    let numbered = |number: u64| {
        let certificate = authority.certificate_with(HERE, |certificate| {
            certificate.serial_number = Some(number.into());
        });
        showing(certificate)
    };
    let client = TlsConfig::builder()
        .root_certificate_pem(authority.pem())
        .certificate_revocation_list_pem(list);
    let client = client.build().expect("a list");
    let want = untrusted("[certificate revoked]", "CertificateRevoked");
    let errors = check(numbered(7), client, want).await;
    check_problem(&errors, &CertificateProblem::Revoked);
}

#[tokio::test]
async fn who_signs_for_others_is_no_server() {
    let authority = Authority::new();
    let of_authority = authority.certificate_with(HERE, |certificate| {
        certificate.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let text = "[certificate not trusted: it is that of an authority]";
    let want = untrusted(text, "CertificateUnknown");
    check(showing(of_authority), authority.client(), want).await;
}

#[tokio::test]
async fn a_certificate_is_for_a_purpose() {
    let authority = Authority::new();
    let of_client = authority.certificate_with(HERE, |certificate| {
        certificate.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let want = untrusted(
        "[certificate not trusted: it is not for servers]",
        "UnsupportedCertificate",
    );
    check(showing(of_client), authority.client(), want).await;
}

/// EDGE-197.
#[tokio::test]
async fn another_certificate_than_the_pinned_one() {
    let identity = Authority::new().certificate(HERE);
    let (expected, got) = (
        Fingerprint::from([0x5A; 32]),
        Fingerprint::of(&identity.0[0]),
    );
    let text = format!("[certificate has fingerprint {got}, not {expected}]");
    let want = Want {
        class: "ServerFingerprintMismatch",
        ..untrusted(&text, "CertificateUnknown")
    };
    check(showing(identity), TlsConfig::pinned(expected), want).await;
}
