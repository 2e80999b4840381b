//! How a request is sent and its response read: what a session sets by default, and each
//! request may set anew.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aio_connector::{BoxFuture, TlsConfig};
use aio_core::ClientTimeout;
use aio_core::coding::Coding;
use aio_core::http1::Limits;
use http::Version;

use crate::codings::Codings;
use crate::error::{ClientError, UsageError};
use crate::proxy::{ProxyChoice, ProxyOptions};
use crate::redirect::RedirectPolicy;
use crate::response::ClientResponse;
use crate::retry::ConnectionRetry;

/// How long a body waits for `100 Continue` unless something else is said: as curl does.
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

/// How a request is sent and its response read.
#[derive(Debug, Clone)]
pub(crate) struct RequestOptions {
    pub(crate) timeout: ClientTimeout,
    pub(crate) version: Version,
    pub(crate) limits: Limits,
    pub(crate) auto_decompress: bool,
    pub(crate) read_until_eof: bool,
    pub(crate) skip_auto_headers: Vec<Box<str>>,
    pub(crate) raise_for_status: RaiseForStatus,
    pub(crate) retry_connection: ConnectionRetry,
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) server_hostname: Option<Box<str>>,
    // Boxed: few have them.
    pub(crate) proxy: Option<Box<ProxyOptions>>,
    pub(crate) redirects: RedirectOptions,
    pub(crate) sending: SendingOptions,
    pub(crate) reading: ReadingOptions,
}

impl RequestOptions {
    /// Returns what is said of proxies, to change it.
    pub(crate) fn proxy_mut(&mut self) -> &mut ProxyOptions {
        self.proxy.get_or_insert_default()
    }

    /// Tells whether the environment may name a proxy.
    pub(crate) fn asks_for_proxy(&self) -> bool {
        let of_environment =
            |options: &ProxyOptions| matches!(options.choice, ProxyChoice::Environment);
        self.proxy.as_deref().is_none_or(of_environment)
    }
}

/// Which redirects are followed.
#[derive(Debug, Clone)]
pub(crate) struct RedirectOptions {
    /// Default all, but those of [`ClientSession::head`](crate::ClientSession::head).
    pub(crate) allow: Option<bool>,
    /// At most; 0 for any number.
    pub(crate) max: usize,
    pub(crate) requote: bool,
    pub(crate) policy: Option<RedirectPolicy>,
}

/// How the body goes out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SendingOptions {
    pub(crate) compress: Option<Coding>,
    pub(crate) chunked: bool,
    pub(crate) expect100: bool,
    pub(crate) continue_timeout: Option<Duration>,
}

/// How the body of the response is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadingOptions {
    pub(crate) codings: Arc<Codings>,
    /// Whether a coding may end early.
    pub(crate) tolerate_truncated: bool,
    pub(crate) max_decoded_size: Option<u64>,
    pub(crate) max_body_size: Option<u64>,
}

/// Fails for a coding that bodies cannot be sent with (REQ-13).
pub(crate) fn encodable(coding: Option<Coding>) -> Result<Option<Coding>, UsageError> {
    match coding.filter(|coding| !coding.has_encoder()) {
        Some(other) => Err(UsageError::NoEncoder(other)),
        None => Ok(coding),
    }
}

impl SendingOptions {
    /// Tells whether anything is asked of the body that a request without one must not say.
    pub(crate) fn is_special(&self) -> bool {
        self.chunked || self.expect100
    }
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            timeout: ClientTimeout::default(),
            version: Version::HTTP_11,
            limits: Limits::default(),
            auto_decompress: true,
            read_until_eof: true,
            skip_auto_headers: Vec::new(),
            raise_for_status: RaiseForStatus::Never,
            retry_connection: ConnectionRetry::default(),
            tls: None,
            server_hostname: None,
            proxy: None,
            redirects: RedirectOptions {
                allow: None,
                max: 10,
                requote: true,
                policy: None,
            },
            sending: SendingOptions {
                compress: None,
                chunked: false,
                expect100: false,
                continue_timeout: Some(CONTINUE_TIMEOUT),
            },
            reading: ReadingOptions::default(),
        }
    }
}

/// Which responses are errors; aiohttp's `raise_for_status`.
///
/// ```
/// use aio_client::{ClientSession, RaiseForStatus};
///
/// let session = ClientSession::builder()
///     .raise_for_status(RaiseForStatus::with(|mut response| async move {
///         if response.status() != 404 {
///             response.raise_for_status()?;
///         }
///         Ok(response)
///     }))
///     .build()?;
/// # Ok::<(), aio_client::ClientError>(())
/// ```
#[derive(Clone, Default)]
pub enum RaiseForStatus {
    /// None; the default.
    #[default]
    Never,
    /// Those with a status of 400 or more.
    Always,
    /// Those that a function fails for.
    With(Arc<JudgeResponse>),
}

/// Gives a response on, or the error that it is.
pub type JudgeResponse =
    dyn Fn(ClientResponse) -> BoxFuture<'static, Result<ClientResponse, ClientError>> + Send + Sync;

impl RaiseForStatus {
    /// Lets a function judge the final response, of which it may read the body.
    pub fn with<F, Fut>(judge: F) -> Self
    where
        F: Fn(ClientResponse) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ClientResponse, ClientError>> + Send + 'static,
    {
        Self::With(Arc::new(move |response| Box::pin(judge(response))))
    }
}

impl From<bool> for RaiseForStatus {
    fn from(always: bool) -> Self {
        if always { Self::Always } else { Self::Never }
    }
}

impl fmt::Debug for RaiseForStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Always => "Always",
            Self::With(_) => "With",
        })
    }
}
