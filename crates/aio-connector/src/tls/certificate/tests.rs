use std::time::Duration;

use proptest::prelude::*;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::*;

/// Of version 1, with an RSA key of 1024 bits, signed by itself: `openssl x509 -req`.
pub(in crate::tls) const OLD: &[u8] = b"\
-----BEGIN CERTIFICATE-----
MIIB1DCCAT0CFH5QCWsbonXzCCIL5Jqeo4Pi3xDVMA0GCSqGSIb3DQEBCwUAMCkx
GDAWBgNVBAoMD0FuIE9yZ2FuaXphdGlvbjENMAsGA1UECwwEVW5pdDAeFw0yNjEx
MjMyMjA0NTlaFw0yNjEyMDMyMjA0NTlaMCkxGDAWBgNVBAoMD0FuIE9yZ2FuaXph
dGlvbjENMAsGA1UECwwEVW5pdDCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEA
tflOgwt19KqVy3atj7cUpr+IKk+Y7p3HYKGEyhLlsPVpCdpmSMbiVBFMus17dU1k
bRZFSn3ZuMBJrlxt9WpTGOxBPj3KRkcVEsv2oc61W45/VD0k4RjUKLchmjc63TaT
K6MVDCIZR4ZaxoBYliAIJhILsqbait0i9gFGhjdWIQ0CAwEAATANBgkqhkiG9w0B
AQsFAAOBgQBtv23g8uuct/Z41mzxeDlQGHwb5sgbtIe8WtI7P7iJphzDQtkazQda
4HroWHrPOKksDQ/X/C4IrK58Be8PUnRkM5wr/XpvLWRWn02O7ZWk25QSTxaZOz3Q
F3j1lZoZn8o9Hp3E+lDinXrAsF/FAqKG0yMhnlZ8wrL5IJcPHRKGWQ==
-----END CERTIFICATE-----
";

/// Of version 3, with names of each kind, and its own in two bytes for each character.
pub(in crate::tls) const NAMED: &[u8] = b"\
-----BEGIN CERTIFICATE-----
MIIBszCCAVmgAwIBAgIUe8zHTUT+7VfCpLhkWEitT83VIUwwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAx4UAFAAcgD8AGYAcwB0AGUAbABsAGUwIBcNMjYxMTIzMjIwNDU5
WhgPMjEyNjEwMzAyMjA0NTlaMB8xHTAbBgNVBAMeFABQAHIA/ABmAHMAdABlAGwA
bABlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENQDr1L+bQ8OfWkro3WJeVVQ8
pLscoKEOqTK8CGfGQs7DrkjNop+TaR7y/NnOQ6loGohMgMO2XadBwbRl50f0IKNx
MG8wTgYDVR0RBEcwRYIGYS50ZXN0gggqLmIudGVzdIcEfwAAAYcQAAAAAAAAAAAA
AAAAAAAAAYYPaHR0cHM6Ly9jLnRlc3QvgQhkQGUudGVzdDAdBgNVHQ4EFgQUFcES
b2RZ0xynA+4DRCg9UdjYFLQwCgYIKoZIzj0EAwIDSAAwRQIhAOymei+7UlbIzbQa
r9znLkm34cAxIp3W8ItArZD4UsvGAiBCCUVQQNfj1WBv4Q/LdzNvbadLIUIqQJLe
bN3hDCfLMQ==
-----END CERTIFICATE-----
";

pub(in crate::tls) fn der(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).expect("a certificate")
}

/// The fields as people are told them: who signed it, for how long it is good, and for whom.
#[track_caller]
fn check(pem: &[u8], issuer: &str, seconds: [u64; 2], names: &[&str], rsa: Option<usize>) {
    let der = der(pem);
    let certificate = Certificate::read(&der).expect("it is whole");
    assert!(certificate.is_self_signed());
    assert_eq!(name(certificate.issuer()).as_deref(), Some(issuer));
    let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let dates = [certificate.not_before(), certificate.not_after()];
    assert_eq!(dates, seconds.map(time));
    let found = certificate.names();
    assert!(
        found.iter().map(|name| &**name).eq(names.iter().copied()),
        "{found:?}"
    );
    assert_eq!(certificate.rsa_bits(), rsa);
}

#[test]
fn certificates_are_read() {
    let named = ["a.test", "*.b.test", "127.0.0.1", "::1"];
    check(
        OLD,
        "An Organization",
        [1_795_471_499, 1_796_335_499],
        &[],
        Some(1024),
    );
    check(
        NAMED,
        "Prüfstelle",
        [1_795_471_499, 4_949_071_499],
        &named,
        None,
    );
}

#[track_caller]
fn check_shown(text: &str, want: &str) {
    assert_eq!(&*shown(text), want, "{text:?}");
}

#[test]
fn what_a_terminal_would_obey_is_escaped() {
    check_shown("O'Neill \"& Söhne\"", "O'Neill \"& Söhne\"");
    check_shown("\x1b[2Ja\r\n\u{202E}b", "\\u{1b}[2Ja\\r\\n\\u{202e}b");
    check_shown(&"a".repeat(101), &format!("{}…", "a".repeat(100)));
    check_shown(&"a".repeat(100), &"a".repeat(100));
}

/// Reads all that there is, if it can be read.
fn read(der: &[u8]) {
    if let Some(certificate) = Certificate::read(der) {
        _ = (certificate.not_before(), certificate.not_after());
        _ = (certificate.names(), certificate.rsa_bits());
        _ = (name(certificate.issuer()), name(certificate.subject()));
        _ = (certificate.is_for_servers(), certificate.key());
    }
}

proptest! {
    /// Whatever is broken in a certificate, it is read or it is not.
    #[test]
    fn bytes_of_the_network_are_data(
        old: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        end: prop::sample::Index,
    ) {
        let mut der = der(if old { OLD } else { NAMED }).to_vec();
        for (place, byte) in changes {
            let place = place.index(der.len());
            der[place] = byte;
        }
        read(&der);
        read(&der[..end.index(der.len())]);
    }
}
