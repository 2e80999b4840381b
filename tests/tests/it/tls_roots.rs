//! Whom TLS trusts: roots of one's own, the system's, and those of `SSL_CERT_FILE`.

use std::path::Path;
use std::process;

use aio_client::{ClientSession, Fingerprint, TlsConfig, TlsConfigBuilder, TlsConfigError};
use aio_tests::tls::Authority;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, SerialNumber, date_time_ymd};
use rustls::ServerConfig;

use crate::tls::{session, text};
use crate::tls_settings::{
    BROKEN, LOCALHOST, Temporary, check, params, refuses, showing, start, told, trusts, with,
};

#[tokio::test]
async fn roots_add_up() {
    let (one, two) = (Authority::new(), Authority::new());
    let file = Temporary::new(&two.pem());
    let first = start(one.server_with(LOCALHOST, rustls::ALL_VERSIONS)).await;
    let second = start(two.server_with(LOCALHOST, rustls::ALL_VERSIONS)).await;

    let alone = || TlsConfig::builder().root_certificate_pem(one.pem());
    trusts(alone(), &first).await;
    refuses(alone(), &second, "unknown").await;
    let both = || alone().root_certificate_file(&file);
    trusts(both(), &first).await;
    trusts(both(), &second).await;
    // Nobody whom Mozilla trusts has signed for a server here.
    trusts(alone().bundled_roots(), &first).await;
    refuses(alone().bundled_roots(), &second, "unknown").await;
    refuses(TlsConfig::builder().bundled_roots(), &first, "unknown").await;
}

/// OpenSSL's `invalid CA certificate`.
#[tokio::test]
async fn a_root_that_is_no_authority_makes_itself_trusted_alone() {
    let key = KeyPair::generate().expect("a key");
    let named = LOCALHOST.iter().map(|name| (*name).to_owned());
    let params = CertificateParams::new(named.collect::<Vec<_>>()).expect("a name");
    let leaf = CertifiedIssuer::self_signed(params.clone(), key).expect("a certificate");
    let itself = with(leaf.as_ref(), leaf.key()).await;
    let key = KeyPair::generate().expect("a key");
    let other = params.signed_by(&key, &leaf).expect("a certificate");
    let other = with(&other, &key).await;

    let alone = || TlsConfig::builder().root_certificate_pem(leaf.pem());
    let besides = || alone().root_certificate_pem(Authority::new().pem());
    for builder in [alone(), besides(), alone().bundled_roots()] {
        trusts(builder.clone(), &itself).await;
        refuses(builder, &other, "unknown").await;
    }
    // One that an authority has signed for, which is not named.
    let authority = Authority::new();
    let (certificate, key) = authority.sign(&params);
    let signed = with(&certificate, &key).await;
    let builder = TlsConfig::builder().root_certificate_pem(certificate.pem());
    trusts(builder, &signed).await;
}

/// What a process is to do whose `SSL_CERT_FILE` is set.
const PART: &str = "AIO_TESTS_PART";

/// Runs this test again in a process of its own, with other files of the system's.
#[track_caller]
fn again(test: &str, file: &Path, arguments: &str) {
    let test = format!("tls_roots::{test}");
    let program = std::env::current_exe().expect("it runs");
    let output = process::Command::new(program)
        .args([&*test, "--exact", "--nocapture", "--test-threads=1"])
        .env(PART, arguments)
        .env("SSL_CERT_FILE", file)
        .env_remove("SSL_CERT_DIR")
        .output();
    let output = output.expect("a process");
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1 passed"), "the test was not found: {told}");
}

// Elsewhere the system asks no file.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_systems_roots_are_those_of_ssl_cert_file() {
    const NAME: &str = "the_systems_roots_are_those_of_ssl_cert_file";
    let Ok(named) = std::env::var(PART) else {
        let (system, named) = (Authority::new(), Authority::new());
        // One that cannot be read is left out.
        let file = Temporary::new(&format!("{BROKEN}{}", system.pem()));
        let first = start(system.server_with(LOCALHOST, rustls::ALL_VERSIONS)).await;
        let second = start(named.server_with(LOCALHOST, rustls::ALL_VERSIONS)).await;
        let other = start(named.server_with(&["elsewhere.test"], rustls::ALL_VERSIONS)).await;
        let part = [first.url("/"), second.url("/"), other.url("/"), named.pem()].join(" ");
        let child = tokio::task::spawn_blocking(move || again(NAME, file.as_ref(), &part));
        return child.await.expect("the child passes");
    };
    let mut parts = named.splitn(4, ' ').map(str::to_owned);
    let mut part = || parts.next().expect("four parts");
    let (first, second, other, pem) = (part(), part(), part(), part());
    let builder = TlsConfig::builder;
    let named = || builder().root_certificate_pem(&pem);
    for (builder, trusts_first, trusts_second) in [
        (builder(), true, false),
        (builder().system_roots(), true, false),
        (builder().native_roots(), true, false),
        (builder().bundled_roots(), false, false),
        (builder().bundled_roots().system_roots(), true, false),
        (builder().bundled_roots().native_roots(), true, false),
        (named(), false, true),
        (named().system_roots(), true, true),
        (named().native_roots(), true, true),
    ] {
        let session = session(builder.build().expect("valid settings"));
        for (url, trusts) in [(&first, trusts_first), (&second, trusts_second)] {
            let outcome = text(&session, url.clone()).await;
            assert_eq!(outcome.is_ok(), trusts, "{outcome:?}");
        }
    }
    let default = text(&ClientSession::new(), first).await;
    assert_eq!(default.expect("trust"), "hello");
    // Of two judgements the one is told that knows more.
    let tls = named().system_roots().build().expect("valid settings");
    let error = text(&session(tls), other).await.expect_err("another name");
    assert!(told(&error).contains("name"), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_ssl_cert_file_of_no_use_is_named() {
    const NAME: &str = "an_ssl_cert_file_of_no_use_is_named";
    let Ok(want) = std::env::var(PART) else {
        let (empty, broken) = (Temporary::new("# empty"), Temporary::new(BROKEN));
        let missing = "/nowhere/ca.pem: No such file or directory (os error 2)";
        let shown = |file: &Temporary, why| format!("{}, {why}", file.as_ref().display());
        for (file, why) in [
            (Path::new("/nowhere/ca.pem"), missing.to_owned()),
            (empty.as_ref(), shown(&empty, "which has none")),
            (broken.as_ref(), shown(&broken, "of which none can be read")),
        ] {
            let want = format!(
                "there are no certificates of authorities to trust: SSL_CERT_FILE names {why}"
            );
            again(NAME, file, &want);
        }
        return;
    };
    check(TlsConfig::builder().native_roots(), &want);
    let named = TlsConfig::builder().bundled_roots().system_roots();
    for builder in [TlsConfig::builder(), named] {
        let session = session(builder.build().expect("valid settings"));
        let error = text(&session, "https://127.0.0.1:1/".to_owned()).await;
        let error = error.expect_err("nobody is trusted");
        assert_eq!(error.aiohttp_class(), "ClientConnectorSSLError", "{error}");
        assert!(told(&error).contains(&want.to_lowercase()), "{error:?}");
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_refused() {
    let authority = Authority::new();
    let with_serial = |serial: u64| {
        let mut params = params("127.0.0.1");
        params.serial_number = Some(SerialNumber::from(serial));
        params
    };
    let revoked = showing(&authority, &with_serial(7)).await;
    let good = showing(&authority, &with_serial(8)).await;
    let trusting = || TlsConfig::builder().root_certificate_pem(authority.pem());
    trusts(trusting(), &revoked).await;

    let list = authority.revocation_list(&[6, 7], 2999);
    let file = Temporary::new(&list);
    for builder in [
        trusting().certificate_revocation_list_pem(&list),
        trusting().certificate_revocation_list_file(&file),
    ] {
        refuses(builder.clone(), &revoked, "revoked").await;
        trusts(builder, &good).await;
    }
    // As with Python's VERIFY_CRL_CHECK_LEAF.
    let old = authority.revocation_list(&[], 2002);
    let old = trusting().certificate_revocation_list_pem(old);
    refuses(old, &good, "expired").await;
    let others = Authority::new().revocation_list(&[], 2999);
    let others = trusting().certificate_revocation_list_pem(others);
    refuses(others, &good, "unknown").await;
}

#[test]
fn what_needs_roots_says_so() {
    let authority = Authority::new();
    let list = authority.revocation_list(&[], 2999);
    let fingerprint = Fingerprint::of(b"");
    let builder = TlsConfig::builder;
    let want = "a revocation list needs roots that are named, as with `root_certificate_file` \
                or `native_roots`";
    let listed = || builder().certificate_revocation_list_pem(&list);
    check(listed(), want);
    check(listed().fingerprint(fingerprint), want);
    check(listed().danger_accept_any_certificate(), want);
    check(
        listed()
            .root_certificate_pem(authority.pem())
            .system_roots(),
        want,
    );
    let want = "`danger_accept_any_hostname` needs roots that are named, as with \
                `root_certificate_file` or `native_roots`";
    let anyhow = || builder().danger_accept_any_hostname();
    check(anyhow(), want);
    check(anyhow().system_roots(), want);
    // Python wants the one before the other.
    let both = anyhow().danger_accept_any_certificate().build();
    both.expect("nothing is left to be named");
    let want = "`danger_accept_any_certificate` leaves nothing for roots to say";
    let anyone = || builder().danger_accept_any_certificate();
    check(anyone().root_certificate_pem(authority.pem()), want);
    check(anyone().system_roots(), want);
    let broken = "-----BEGIN X509 CRL-----\naGVsbG8=\n-----END X509 CRL-----\n";
    let error = builder()
        .root_certificate_pem(authority.pem())
        .certificate_revocation_list_pem(broken)
        .build();
    let error = error.expect_err("it is no list");
    assert!(
        matches!(error, TlsConfigError::RevocationList { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn any_name_will_do_where_that_is_asked_for_and_nothing_else() {
    let authority = Authority::new();
    let anyhow = || {
        let builder = TlsConfig::builder().root_certificate_pem(authority.pem());
        builder.danger_accept_any_hostname()
    };
    let other_name = showing(&authority, &params("elsewhere.test")).await;
    trusts(anyhow(), &other_name).await;
    let careful = TlsConfig::builder().root_certificate_pem(authority.pem());
    refuses(careful, &other_name, "name").await;

    let stranger = showing(&Authority::new(), &params("elsewhere.test")).await;
    refuses(anyhow(), &stranger, "unknown").await;
    let mut old = params("elsewhere.test");
    old.not_after = date_time_ymd(2001, 1, 1);
    old.not_before = date_time_ymd(2000, 1, 1);
    refuses(anyhow(), &showing(&authority, &old).await, "expired").await;
    let mut revoked = params("elsewhere.test");
    revoked.serial_number = Some(SerialNumber::from(7));
    let list = authority.revocation_list(&[7], 2999);
    let builder = anyhow().certificate_revocation_list_pem(list);
    refuses(builder, &showing(&authority, &revoked).await, "revoked").await;
}

#[tokio::test]
async fn a_fingerprint_beside_roots_holds_with_them() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.certificate(LOCALHOST);
    let right = Fingerprint::of(&certificate[0]);
    let provider = rustls::crypto::ring::default_provider();
    let tls = ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("ring speaks them")
        .with_no_client_auth()
        .with_single_cert(certificate, key);
    let server = start(tls.expect("the key belongs to the certificate")).await;
    let pinned = |fingerprint| TlsConfig::builder().fingerprint(fingerprint);
    let named =
        |builder: TlsConfigBuilder, root: &Authority| builder.root_certificate_pem(root.pem());
    trusts(pinned(right), &server).await;
    trusts(named(pinned(right), &authority), &server).await;
    trusts(pinned(right).danger_accept_any_certificate(), &server).await;
    refuses(named(pinned(right), &stranger), &server, "unknown").await;
    refuses(pinned(right).bundled_roots(), &server, "unknown").await;

    let wrong = Fingerprint::from([0x5A; 32]);
    for builder in [pinned(wrong), named(pinned(wrong), &authority)] {
        let session = session(builder.build().expect("valid settings"));
        let error = text(&session, server.url("/")).await;
        let error = error.expect_err("it is another certificate");
        assert_eq!(error.aiohttp_class(), "ServerFingerprintMismatch");
    }
}
