//! Says in words what rustls refuses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible,
};

use super::certificate::{self, Certificate};
use super::witness::Chain;
use crate::error::{CertificateProblem, TlsProblem};

/// How many names of a certificate are told.
const NAMES: usize = 10;

/// Says why TLS could not be agreed on, the certificate apart.
pub(super) fn of_tls(error: &Error) -> TlsProblem {
    let reason = match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => return TlsProblem::NotTls,
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => return TlsProblem::NoCommonVersion,
        Error::AlertReceived(alert) => return of_alert(*alert),
        Error::PeerIncompatible(what) => format!("the server is another kind of TLS: {what:?}"),
        Error::PeerMisbehaved(what) => format!("the server breaks a rule of TLS: {what:?}"),
        Error::InvalidMessage(what) => format!("a message of the server is malformed: {what:?}"),
        Error::General(text) => text.clone(),
        other => other.to_string(),
    };
    TlsProblem::Other {
        reason: reason.into(),
    }
}

/// Says what the server complains of.
fn of_alert(alert: AlertDescription) -> TlsProblem {
    use AlertDescription as Alert;
    let reason = spoken(&format!("{alert:?}")).into();
    match alert {
        Alert::ProtocolVersion => TlsProblem::NoCommonVersion,
        Alert::CertificateRequired | Alert::NoCertificate => TlsProblem::ClientCertificateMissing,
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA => TlsProblem::ClientCertificateRefused { reason },
        _ => TlsProblem::Other {
            reason: format!("the server refuses: {reason}").into(),
        },
    }
}

/// Tells whether a server may say this that has asked for a certificate and got none, before
/// TLS 1.3 brought an alert for it: OpenSSL says the first, Go and Java the second.
pub(super) fn may_miss_a_certificate(alert: AlertDescription) -> bool {
    use AlertDescription::{BadCertificate, HandshakeFailure};
    matches!(alert, HandshakeFailure | BadCertificate)
}

/// Makes words of a name: `HandshakeFailure` is `handshake failure`.
fn spoken(name: &str) -> String {
    let mut words = String::new();
    let mut last = 'A';
    for c in name.chars() {
        if c.is_ascii_uppercase() && last.is_ascii_lowercase() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
        last = c;
    }
    words
}

/// Says what is wrong with the certificates that a server has shown for `host`; they are
/// none where the verifier is not ours.
pub(super) fn of_certificate(
    error: &CertificateError,
    shown: &Chain,
    host: &str,
) -> CertificateProblem {
    use CertificateError as Error;
    let shown: Vec<_> = shown
        .iter()
        .map_while(|one| Certificate::read(one))
        .collect();
    let own = shown.first();
    let reason = match error {
        Error::ExpiredContext { not_after, .. } => {
            return CertificateProblem::Expired {
                since: system_time(Some(*not_after)),
            };
        }
        // One that is over is the one that was over first.
        Error::Expired => {
            return CertificateProblem::Expired {
                since: system_time(shown.iter().map(Certificate::not_after).min()),
            };
        }
        Error::NotValidYetContext { not_before, .. } => {
            return CertificateProblem::NotValidYet {
                until: system_time(Some(*not_before)),
            };
        }
        Error::NotValidYet => {
            return CertificateProblem::NotValidYet {
                until: system_time(shown.iter().map(Certificate::not_before).max()),
            };
        }
        Error::NotValidForName | Error::NotValidForNameContext { .. } => {
            return wrong_host(error, own, host);
        }
        Error::UnknownIssuer => return unknown_issuer(&shown),
        Error::Revoked => return CertificateProblem::Revoked,
        Error::BadEncoding => "it is malformed".into(),
        Error::BadSignature => match own.and_then(Certificate::rsa_bits) {
            Some(bits @ ..2048) => format!("its RSA key has {bits} bits, fewer than 2048"),
            _ => "a signature is wrong".into(),
        },
        Error::InvalidPurpose | Error::InvalidPurposeContext { .. } => {
            "it is not for servers".into()
        }
        Error::UnknownRevocationStatus => "no list tells whether it is revoked".into(),
        Error::ExpiredRevocationList | Error::ExpiredRevocationListContext { .. } => {
            "the list of those that are revoked has expired".into()
        }
        Error::UnsupportedSignatureAlgorithmContext { .. }
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed in a way that is not trusted".into()
        }
        // As `openssl req -x509` makes them.
        error if is_authority(error) && own.is_some_and(Certificate::is_self_signed) => {
            return CertificateProblem::SelfSigned;
        }
        Error::Other(OtherError(other)) => match other.downcast_ref() {
            Some(webpki::Error::CaUsedAsEndEntity) => "it is that of an authority".into(),
            Some(webpki::Error::UnsupportedCertVersion) => "its version is not 3".into(),
            Some(other) => spoken(&other.to_string()),
            None => other.to_string(),
        },
        other => spoken(&format!("{other:?}")),
    };
    CertificateProblem::Other {
        reason: reason.into(),
    }
}

/// Tells whether it is refused for being that of an authority.
pub(super) fn is_authority(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(OtherError(other))
        if matches!(other.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)))
}

fn wrong_host(
    error: &CertificateError,
    own: Option<&Certificate>,
    host: &str,
) -> CertificateProblem {
    let mut names: Vec<Box<str>> = match (own, error) {
        (Some(own), _) => own.names(),
        // There they are `DnsName("a.test")` and `IpAddress(127.0.0.1)`.
        (None, CertificateError::NotValidForNameContext { presented, .. }) => {
            let bare = presented.iter().filter_map(|name| {
                let name = name.split_once('(')?.1.strip_suffix(')')?;
                Some(certificate::shown(name.trim_matches('"')))
            });
            bare.collect()
        }
        _ => Vec::new(),
    };
    let more = names.len().saturating_sub(NAMES);
    names.truncate(NAMES);
    CertificateProblem::WrongHost {
        host: host.into(),
        names: names.into(),
        more,
    }
}

/// Follows the issuers among those that are shown up to who is unknown.
fn unknown_issuer(shown: &[Certificate]) -> CertificateProblem {
    let mut last = match shown.first() {
        Some(own) if own.is_self_signed() => return CertificateProblem::SelfSigned,
        Some(own) => own,
        None => return CertificateProblem::UnknownIssuer { issuer: None },
    };
    // As many steps as there are certificates: two may name each other.
    for _ in shown {
        let mut rest = shown.iter();
        match rest.find(|one| one.subject() == last.issuer()) {
            Some(issuer) if issuer.is_self_signed() => {
                let authority = certificate::name(issuer.subject()).unwrap_or_default();
                return CertificateProblem::UnknownAuthority { authority };
            }
            Some(issuer) => last = issuer,
            None => break,
        }
    }
    CertificateProblem::UnknownIssuer {
        issuer: certificate::name(last.issuer()),
    }
}

fn system_time(time: Option<UnixTime>) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(time?.as_secs()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tls::certificate::tests::{NAMED, OLD, der};

    #[track_caller]
    fn check(error: &CertificateError, shown: &[&[u8]], want: &str) {
        let shown = shown.iter().map(|pem| der(pem)).collect();
        assert_eq!(of_certificate(error, &shown, "c.test").to_string(), want);
    }

    /// As the verifiers of macOS and Windows say less than rustls's own.
    #[test]
    fn what_the_verifier_leaves_out_is_read_off_the_certificates() {
        let all = [NAMED, OLD];
        let expired = "certificate expired";
        check(
            &CertificateError::Expired,
            &all,
            &format!("{expired} on 2026-12-03 22:04:59 UTC"),
        );
        check(&CertificateError::Expired, &[], expired);
        let early = "certificate not valid";
        let until = format!("{early} until 2026-11-23 22:04:59 UTC");
        check(&CertificateError::NotValidYet, &all, &until);
        check(&CertificateError::NotValidYet, &[], &format!("{early} yet"));
        let wrong = "certificate is not for c.test";
        let names = format!("{wrong}, but for a.test, *.b.test, 127.0.0.1, ::1");
        check(&CertificateError::NotValidForName, &all, &names);
        check(&CertificateError::NotValidForName, &[OLD], wrong);
        check(&CertificateError::NotValidForName, &[], wrong);
        let unknown = "certificate of an unknown issuer";
        check(
            &CertificateError::UnknownIssuer,
            &all,
            "self-signed certificate",
        );
        check(&CertificateError::UnknownIssuer, &[], unknown);
    }

    #[test]
    fn a_short_key_is_told_from_a_wrong_signature() {
        let refused = "certificate not trusted";
        let short = format!("{refused}: its RSA key has 1024 bits, fewer than 2048");
        check(&CertificateError::BadSignature, &[OLD], &short);
        let wrong = format!("{refused}: a signature is wrong");
        check(&CertificateError::BadSignature, &[NAMED], &wrong);
        check(&CertificateError::BadSignature, &[], &wrong);
    }

    /// For which rustls has names in its code only.
    #[test]
    fn what_is_refused_is_told_in_words() {
        let refused = "certificate not trusted";
        let of_webpki = |error| CertificateError::Other(OtherError(Arc::new(error)));
        for (error, want) in [
            (
                webpki::Error::CaUsedAsEndEntity,
                "it is that of an authority",
            ),
            (
                webpki::Error::UnsupportedCertVersion,
                "its version is not 3",
            ),
            (
                webpki::Error::PathLenConstraintViolated,
                "path len constraint violated",
            ),
        ] {
            check(&of_webpki(error), &[], &format!("{refused}: {want}"));
        }
        let other = CertificateError::UnhandledCriticalExtension;
        check(
            &other,
            &[],
            &format!("{refused}: unhandled critical extension"),
        );
    }

    #[track_caller]
    fn check_alert(alert: AlertDescription, want: &str) {
        assert_eq!(of_tls(&Error::AlertReceived(alert)).to_string(), want);
    }

    #[test]
    fn alerts_are_told_in_words() {
        use AlertDescription as Alert;
        check_alert(
            Alert::HandshakeFailure,
            "the server refuses: handshake failure",
        );
        check_alert(
            Alert::UnrecognisedName,
            "the server refuses: unrecognised name",
        );
        check_alert(
            Alert::ProtocolVersion,
            "no version of TLS in common with the server",
        );
        let missing = "the server asks for a certificate of the client";
        check_alert(Alert::CertificateRequired, missing);
        let refused = "the server refuses the client's certificate: unknown ca";
        check_alert(Alert::UnknownCA, refused);
    }
}
