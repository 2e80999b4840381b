//! Watching requests: what a session tells of its work.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use aio_connector::{ConnectEvent, ObserveConnect};
use aio_core::HeaderView;
use http::StatusCode;

use crate::error::ClientError;
use crate::response::{RequestInfo, ResponseHead};

/// Something that happened to a request, in the order in which it happens.
///
/// aiohttp: the signals of its `TraceConfig`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The request begins; nothing was sent yet.
    RequestStart,
    /// The connector did something for it.
    Connect(ConnectEvent<'a>),
    /// The head of the request was handed to the connection; once more with each retry.
    RequestHeadersSent {
        /// What was sent.
        request: &'a RequestInfo,
    },
    /// An interim (1xx) response was received, such as 103 Early Hints. What one may bring
    /// is bounded: see [`Exchange::informational`](aio_connector::Exchange::informational).
    Informational {
        /// Its status.
        status: StatusCode,
        /// Its headers.
        headers: &'a HeaderView,
    },
    /// A response redirects the request; it may yet be too many, or lead nowhere.
    RequestRedirect {
        /// The response that redirects.
        response: &'a ResponseHead,
    },
    /// The head of the response was received, the final one.
    RequestEnd {
        /// Its status.
        status: StatusCode,
    },
    /// The request failed.
    RequestException {
        /// What with.
        error: &'a ClientError,
    },
}

/// Someone who watches the requests of a session; aiohttp's `TraceConfig`.
///
/// Watching is synchronous: it can neither stall nor cancel a request.
///
/// ```
/// use aio_client::{ClientSession, Event, RequestTrace, TraceConfig, TraceStart};
///
/// #[derive(Debug)]
/// struct Log;
///
/// impl TraceConfig for Log {
///     fn start(&self, request: &TraceStart<'_>) -> Box<dyn RequestTrace> {
///         println!("{} {}", request.method, request.url);
///         Box::new(|event: &Event<'_>| println!("{event:?}"))
///     }
/// }
///
/// let session = ClientSession::builder().trace_config(Log).build()?;
/// # Ok::<(), aio_client::ClientError>(())
/// ```
pub trait TraceConfig: Send + Sync + fmt::Debug {
    /// Begins to watch a request; what it returns is told each event.
    fn start(&self, request: &TraceStart<'_>) -> Box<dyn RequestTrace>;
}

/// What is known of a request when it begins.
#[derive(Debug)]
#[non_exhaustive]
pub struct TraceStart<'a> {
    /// The method.
    pub method: &'a http::Method,
    /// The URL.
    pub url: &'a aio_core::RequestUrl,
}

/// Watches one request.
pub trait RequestTrace: Send {
    /// Takes note of an event.
    fn on(&mut self, event: &Event<'_>);
}

impl<F: FnMut(&Event<'_>) + Send> RequestTrace for F {
    fn on(&mut self, event: &Event<'_>) {
        self(event);
    }
}

/// The traces of one request; shared, since a middleware may send it again.
#[derive(Clone)]
pub(crate) struct Traces(Option<Arc<Mutex<Watchers>>>);

type Watchers = Vec<Box<dyn RequestTrace>>;

impl Traces {
    pub(crate) fn start(configs: &[Arc<dyn TraceConfig>], request: &TraceStart<'_>) -> Self {
        if configs.is_empty() {
            return Self(None);
        }
        let start = |config: &Arc<dyn TraceConfig>| unharmed(|| config.start(request));
        let traces = configs.iter().filter_map(start).collect();
        Self(Some(Arc::new(Mutex::new(traces))))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn on(&self, event: &Event<'_>) {
        if let Some(traces) = &self.0 {
            let mut traces = traces.lock().unwrap_or_else(PoisonError::into_inner);
            for trace in traces.iter_mut() {
                unharmed(|| trace.on(event));
            }
        }
    }
}

/// Calls code of the user's that watches a request, which a panic in it does not end.
fn unharmed<R>(call: impl FnOnce() -> R) -> Option<R> {
    let told = catch_unwind(AssertUnwindSafe(call));
    if told.is_err() {
        tracing::error!("a request trace panicked");
    }
    told.ok()
}

impl ObserveConnect for Traces {
    fn on_connect(&mut self, event: ConnectEvent<'_>) {
        self.on(&Event::Connect(event));
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Traces").field(&!self.is_empty()).finish()
    }
}
