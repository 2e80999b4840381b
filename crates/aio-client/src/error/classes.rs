//! aiohttp's class for each error, and those above it.

use std::fmt;

use aio_connector::{ProxyError, TlsConfigError};
use aio_core::UrlErrorKind;

use super::{ClientError, ReadError, ResponseErrorKind, UsageError};

impl ClientError {
    /// Returns the name of the class that aiohttp, or Python, has for it.
    pub fn aiohttp_class(&self) -> &'static str {
        match self {
            Self::Response(error) => error.kind.aiohttp_class(),
            Self::Connection(error) => error.aiohttp_class(),
            Self::Timeout(_) => "TimeoutError",
            Self::UploadAborted(_) => "UploadAbortedError",
            Self::Payload(_) => "ClientPayloadError",
            Self::Url(error) => match error.kind() {
                UrlErrorKind::NonHttp => "NonHttpUrlClientError",
                UrlErrorKind::NoTrailingSlash => "ValueError",
                _ => "InvalidUrlClientError",
            },
            Self::Redirect(error) => match error.kind() {
                UrlErrorKind::NonHttp => "NonHttpUrlRedirectClientError",
                _ => "InvalidUrlRedirectClientError",
            },
            Self::Proxy(error) => class_of_proxy(error),
            Self::EnvironmentProxy { source, .. } => match &**source {
                // There it is yarl that fails, and not aiohttp.
                ProxyError::Url(error)
                    if matches!(
                        error.kind(),
                        UrlErrorKind::InvalidHost | UrlErrorKind::InvalidPort
                    ) =>
                {
                    "ValueError"
                }
                source => class_of_proxy(source),
            },
            Self::Usage(UsageError::SessionClosed) => "RuntimeError",
            Self::Usage(UsageError::Cookie(_)) => "CookieError",
            Self::Usage(UsageError::Json(_)) => "TypeError",
            Self::Usage(UsageError::Random(_)) => "OSError",
            Self::Usage(UsageError::Tls(error)) => class_of_settings(error),
            Self::Usage(UsageError::Form(error)) => error.aiohttp_class(),
            Self::Usage(_) => "ValueError",
            Self::Read(error) => match &error.source {
                ReadError::Multipart(error) => error.aiohttp_class(),
                ReadError::Text(_) => "UnicodeDecodeError",
                ReadError::UnknownCharset(_) => "LookupError",
                ReadError::Json(_) => "JSONDecodeError",
                ReadError::Incomplete { .. } => "IncompleteReadError",
                ReadError::EventTooLong(_) | ReadError::LineTooLong { .. } => "LineTooLong",
                ReadError::Write(_) => "OSError",
            },
        }
    }

    /// Tells whether aiohttp's `except` clause for the class `name` would catch it.
    ///
    /// ```
    /// use aio_client::{ClientError, UsageError};
    ///
    /// let error = ClientError::Usage(UsageError::SessionClosed);
    /// assert!(error.is_a("RuntimeError") && !error.is_a("ClientError"));
    /// ```
    pub fn is_a(&self, name: &str) -> bool {
        let class = self.aiohttp_class();
        class == name || ancestors(class).contains(&name)
    }
}

/// Python's class: what it reads is OpenSSL's to judge, what it is told its own.
fn class_of_settings(error: &TlsConfigError) -> &'static str {
    use TlsConfigError as E;
    match error {
        E::File { .. } => "OSError",
        E::NoCertificate { .. }
        | E::NoPrivateKey { .. }
        | E::NoRevocationList { .. }
        | E::Pem { .. }
        | E::Certificate { .. }
        | E::EncryptedKey { .. }
        | E::PrivateKey { .. }
        | E::KeyMismatch { .. }
        | E::RevocationList { .. } => "SSLError",
        _ => "ValueError",
    }
}

fn class_of_proxy(error: &ProxyError) -> &'static str {
    match error {
        ProxyError::Url(error) if error.kind() == UrlErrorKind::NotCanonicalIpv4 => {
            "InvalidUrlClientError"
        }
        ProxyError::Url(_) => "InvalidURL",
        _ => "ValueError",
    }
}

impl ResponseErrorKind {
    fn aiohttp_class(self) -> &'static str {
        match self {
            Self::Status | Self::Malformed => "ClientResponseError",
            Self::ContentType => "ContentTypeError",
            Self::WsHandshake => "WSServerHandshakeError",
            Self::Proxy => "ClientHttpProxyError",
            Self::TooManyRedirects => "TooManyRedirects",
        }
    }
}

/// The classes above one of aiohttp's (SPEC §14.1), with those of Python that it mixes in.
fn ancestors(class: &str) -> &'static [&'static str] {
    const CONNECTOR: &[&str] = &[
        "ClientConnectorError",
        "ClientOSError",
        "OSError",
        "ClientConnectionError",
        "ClientError",
    ];
    const TIMEOUT: &[&str] = &[
        "ServerTimeoutError",
        "ServerConnectionError",
        "ClientConnectionError",
        "TimeoutError",
        "OSError",
        "ClientError",
    ];
    const INVALID_URL: &[&str] = &["InvalidURL", "ValueError", "ClientError"];
    match class {
        "ClientConnectionError"
        | "ClientPayloadError"
        | "ClientResponseError"
        | "NonHttpUrlClientError"
        | "UploadAbortedError" => &["ClientError"],
        "ClientConnectionResetError" => &[
            "ConnectionResetError",
            "OSError",
            "ClientConnectionError",
            "ClientError",
        ],
        "ClientOSError" => &["OSError", "ClientConnectionError", "ClientError"],
        "ClientConnectorError" => CONNECTOR.split_at(1).1,
        "ClientProxyConnectionError" | "ClientConnectorDNSError" | "UnixClientConnectorError" => {
            CONNECTOR
        }
        "ClientConnectorSSLError" => &[
            "ClientSSLError",
            "SSLError",
            "ClientConnectorError",
            "ClientOSError",
            "OSError",
            "ClientConnectionError",
            "ClientError",
        ],
        "ClientConnectorCertificateError" => &[
            "ClientSSLError",
            "CertificateError",
            "SSLError",
            "ValueError",
            "ClientConnectorError",
            "ClientOSError",
            "OSError",
            "ClientConnectionError",
            "ClientError",
        ],
        "ServerDisconnectedError" | "ServerFingerprintMismatch" => &[
            "ServerConnectionError",
            "ClientConnectionError",
            "ClientError",
        ],
        "ConnectionTimeoutError" | "SocketTimeoutError" => TIMEOUT,
        "ClientHttpProxyError"
        | "ContentTypeError"
        | "TooManyRedirects"
        | "WSServerHandshakeError" => &["ClientResponseError", "ClientError"],
        "InvalidUrlClientError" => INVALID_URL,
        "InvalidURL" => INVALID_URL.split_at(1).1,
        "InvalidUrlRedirectClientError" => &[
            "InvalidUrlClientError",
            "RedirectClientError",
            "InvalidURL",
            "ValueError",
            "ClientError",
        ],
        "NonHttpUrlRedirectClientError" => &[
            "NonHttpUrlClientError",
            "RedirectClientError",
            "ClientError",
        ],
        "SSLError" | "TimeoutError" => &["OSError"],
        "UnicodeDecodeError" | "UnicodeEncodeError" | "JSONDecodeError" | "binascii.Error" => {
            &["ValueError"]
        }
        "IncompleteReadError" => &["EOFError"],
        "BadHttpMessage" => &["HttpProcessingError"],
        "InvalidHeader" | "LineTooLong" => &["BadHttpMessage", "HttpProcessingError"],
        _ => &[],
    }
}

impl fmt::Display for ResponseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.aiohttp_class())
    }
}
