//! Certificates that are known by their hash.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};

use super::provider::TLS13_AES_128_GCM_SHA256;
use crate::error::TlsConfigError;
use crate::error::hex;

/// The SHA-256 of a certificate in DER; aiohttp's `Fingerprint`.
///
/// Made of its 32 bytes, or of text: hexadecimal digits, with colons between the bytes or
/// without. `openssl x509 -noout -fingerprint -sha256 -in server.pem` tells that of a
/// certificate.
///
/// ```
/// use aio_connector::{Fingerprint, TlsConfig};
///
/// # let certificate = b"hello";
/// let fingerprint = Fingerprint::of(certificate);
/// assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
/// assert_eq!(fingerprint.as_bytes().as_slice().try_into(), Ok(fingerprint));
/// let tls = TlsConfig::pinned(fingerprint);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Makes that of a certificate in DER, such as
    /// [`TlsInfo::certificates`](crate::TlsInfo::certificates) has.
    #[expect(
        clippy::missing_panics_doc,
        reason = "both texts say why it cannot panic"
    )]
    pub fn of(certificate: &[u8]) -> Self {
        // The hash that TLS itself is done with: no other one is needed.
        let suite = TLS13_AES_128_GCM_SHA256.tls13();
        let common = &suite.expect("it is one of TLS 1.3").common;
        let hash = common.hash_provider.hash(certificate);
        Self(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// Returns its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks that a certificate is the one.
    pub(super) fn check(&self, certificate: &[u8]) -> Result<(), rustls::Error> {
        let got = Self::of(certificate);
        if got == *self {
            return Ok(());
        }
        let mismatch = Mismatch {
            expected: *self,
            got,
        };
        let reason = CertificateError::Other(OtherError(Arc::new(mismatch)));
        Err(rustls::Error::InvalidCertificate(reason))
    }
}

/// A certificate is not the pinned one.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is not the pinned one")]
pub(super) struct Mismatch {
    pub(super) expected: Fingerprint,
    pub(super) got: Fingerprint,
}

impl From<[u8; 32]> for Fingerprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for Fingerprint {
    type Error = TlsConfigError;

    fn try_from(bytes: &[u8]) -> Result<Self, TlsConfigError> {
        match (bytes.try_into(), bytes.len()) {
            (Ok(bytes), _) => Ok(Self(bytes)),
            // CON-73.
            (Err(_), 16 | 20) => Err(TlsConfigError::WeakFingerprint),
            (Err(_), length) => Err(TlsConfigError::FingerprintLength { length }),
        }
    }
}

impl FromStr for Fingerprint {
    type Err = TlsConfigError;

    fn from_str(text: &str) -> Result<Self, TlsConfigError> {
        let mut bytes = Vec::with_capacity(32);
        let mut rest = text.as_bytes();
        while let [high, low, behind @ ..] = rest {
            let digits = char::from(*high)
                .to_digit(16)
                .zip(char::from(*low).to_digit(16));
            let (high, low) = digits.ok_or(TlsConfigError::FingerprintDigits)?;
            bytes.push((high * 16 + low) as u8);
            rest = match behind {
                // A colon stands between two bytes only.
                [b':', behind @ ..] if !behind.is_empty() => behind,
                behind => behind,
            };
        }
        if !rest.is_empty() {
            return Err(TlsConfigError::FingerprintDigits);
        }
        Self::try_from(bytes.as_slice())
    }
}

/// As `openssl` prints it: `AB:CD:…`.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of nothing, as FIPS 180-4's examples have it.
    const OF_NOTHING: &str = "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:\
                              27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";

    #[test]
    fn it_is_the_sha256_of_the_certificate() {
        assert_eq!(Fingerprint::of(b"").to_string(), OF_NOTHING);
        assert!(Fingerprint::of(b"").check(b"").is_ok());
        assert!(Fingerprint::of(b"a").check(b"").is_err());
    }

    #[track_caller]
    fn check(text: &str, want: Result<&str, TlsConfigError>) {
        let parsed = text.parse::<Fingerprint>();
        let parsed = parsed.map(|fingerprint| fingerprint.to_string());
        assert_eq!(parsed, want.map(str::to_owned), "{text:?}");
    }

    #[test]
    fn text_is_read_with_colons_and_without() {
        check(OF_NOTHING, Ok(OF_NOTHING));
        check(&OF_NOTHING.to_lowercase(), Ok(OF_NOTHING));
        check(&OF_NOTHING.replace(':', ""), Ok(OF_NOTHING));
        let digits = || Err(TlsConfigError::FingerprintDigits);
        check(&format!("{OF_NOTHING}:"), digits());
        check(&format!(":{OF_NOTHING}"), digits());
        check(&OF_NOTHING.replace(':', "::"), digits());
        check(&OF_NOTHING.replace('E', "G"), digits());
        check(&OF_NOTHING.replace(':', " "), digits());
        check(&format!("{OF_NOTHING}0"), digits());
        check(&"+1".repeat(32), digits());
        check(&"é".repeat(32), digits());
    }

    #[track_caller]
    fn check_length(length: usize, want: &str) {
        let bytes = vec![0xAB; length];
        let error = Fingerprint::try_from(bytes.as_slice()).expect_err("no SHA-256");
        assert_eq!(error.to_string(), want, "{length} bytes");
        let text = "ab".repeat(length).parse::<Fingerprint>();
        assert_eq!(text, Err(error), "{length} bytes as text");
    }

    /// The words are aiohttp's (CON-73).
    #[test]
    fn other_hashes_are_refused() {
        let weak = "md5 and sha1 are insecure and not supported. Use sha256.";
        check_length(16, weak);
        check_length(20, weak);
        for length in [0, 1, 31, 33, 48, 64] {
            check_length(length, "fingerprint has invalid length");
        }
    }
}
