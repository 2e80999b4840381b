//! What is wrong with settings of TLS.

use std::fmt;
use std::path::PathBuf;

use crate::info::TlsVersion;

/// Settings that no [`TlsConfig`](crate::TlsConfig) can be made of; aiohttp's `ValueError`,
/// or Python's `ssl.SSLError` and `OSError` where a file is at fault.
///
/// A `file` is that which the text came from, if it did not come as bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A file cannot be read, or in the case of a key log be written.
    #[error("cannot open {}: {reason}", .file.display())]
    File {
        /// Which one.
        file: PathBuf,
        /// What the system says.
        reason: Box<str>,
    },
    /// The text has no section `BEGIN CERTIFICATE`.
    #[error("no certificate in {}", Origin(.file))]
    NoCertificate {
        /// Where it was looked for.
        file: Option<PathBuf>,
    },
    /// The text has no private key in it.
    #[error("no private key in {}", Origin(.file))]
    NoPrivateKey {
        /// Where it was looked for.
        file: Option<PathBuf>,
    },
    /// The text has no section `BEGIN X509 CRL`.
    #[error("no revocation list in {}", Origin(.file))]
    NoRevocationList {
        /// Where it was looked for.
        file: Option<PathBuf>,
    },
    /// The text is no PEM.
    #[error("{} is malformed: {reason}", Origin(.file))]
    Pem {
        /// Where it stands.
        file: Option<PathBuf>,
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// A certificate in the text cannot be read.
    #[error("certificate {position} of {} is malformed: {reason}", Origin(.file))]
    Certificate {
        /// Where it stands.
        file: Option<PathBuf>,
        /// Which one; the first is 1.
        position: usize,
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// The private key can be read with a password only.
    #[error(
        "the private key in {} is encrypted: take its password off, \
         as with `openssl pkey -in encrypted.pem -out key.pem`",
        Origin(.file)
    )]
    EncryptedKey {
        /// Where it stands.
        file: Option<PathBuf>,
    },
    /// The private key is of no kind that can be used.
    #[error("the private key in {} cannot be used: {reason}", Origin(.file))]
    PrivateKey {
        /// Where it stands.
        file: Option<PathBuf>,
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// The private key is that of another certificate.
    #[error(
        "the private key in {} does not belong to the first certificate in {}",
        Origin(.key_file),
        Origin(.file)
    )]
    KeyMismatch {
        /// Where the certificate stands.
        file: Option<PathBuf>,
        /// Where the key stands.
        key_file: Option<PathBuf>,
    },
    /// A revocation list cannot be read.
    #[error("malformed revocation list: {reason}")]
    RevocationList {
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// The system's certificates were asked for, and there are none.
    #[error("{reason}")]
    NoNativeRoots {
        /// What is known about why.
        reason: Box<str>,
    },
    /// A setting that the system's own judgement of certificates does not know.
    #[error(
        "{setting} needs roots that are named, as with `root_certificate_file` or `native_roots`"
    )]
    NeedsRoots {
        /// Which one.
        setting: &'static str,
    },
    /// Any certificate is to be accepted, and only those of some roots.
    #[error("`danger_accept_any_certificate` leaves nothing for roots to say")]
    RootsForAnyone,
    /// The minimum version is above the maximum.
    #[error("no version of TLS is both {min} or newer and {max} or older")]
    Versions {
        /// The minimum.
        min: TlsVersion,
        /// The maximum.
        max: TlsVersion,
    },
    /// A protocol for ALPN that is not spoken here.
    #[error("the protocol `{protocol}` is not spoken here, so that it cannot be offered")]
    UnknownProtocol {
        /// Which one.
        protocol: Box<str>,
    },
    /// A protocol for ALPN whose name has not 1 to 255 bytes.
    #[error("the name of a protocol has {length} bytes, and not 1 to 255")]
    ProtocolLength {
        /// How many it has.
        length: usize,
    },
    /// A fingerprint has the length of MD5 or SHA-1.
    #[error("md5 and sha1 are insecure and not supported. Use sha256.")]
    WeakFingerprint,
    /// A fingerprint has not the length of SHA-256, 32 bytes.
    #[error("fingerprint has invalid length")]
    FingerprintLength {
        /// How many bytes it has.
        length: usize,
    },
    /// A fingerprint is not written in hexadecimal.
    #[error("fingerprint is not hexadecimal")]
    FingerprintDigits,
}

/// Where a text came from, as it is told.
struct Origin<'a>(&'a Option<PathBuf>);

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(file) => file.display().fmt(f),
            None => f.write_str("the PEM text"),
        }
    }
}
