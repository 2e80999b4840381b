//! The main loop: a request becomes a response.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use aio_connector::{
    Attempt, ConnectRequest, Connection, ConnectionError, Exchange, ExchangeError, ExchangeOptions,
    Phase, Timer, now,
};
use aio_core::http1::{Exchanged, Head};
use aio_core::{Body, ClientTimeout, RequestUrl, deadline};
use http::Method;

use super::head::{self, Plan, Refusal};
use crate::deadline::{Deadlines, Late, Watch};
use crate::error::{
    ClientError, ClientPayloadError, ClientResponseError, ResponseErrorKind, UsageError,
};
use crate::middleware::Next;
use crate::request::{Authorization, ClientRequest, RequestParts};
use crate::response::{ClientResponse, RequestInfo};
use crate::session::ClientSession;
use crate::trace::{Event, TraceStart, Traces};

/// What stays the same however often a request is sent.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) session: ClientSession,
    pub(crate) deadlines: Deadlines,
    pub(crate) traces: Traces,
}

/// Sends a request.
///
/// The request is borrowed on the way down: a future holds what it is given and what it
/// passes on, and a request is large.
pub(crate) async fn send(
    session: ClientSession,
    mut request: Result<ClientRequest, ClientError>,
    timeout: ClientTimeout,
) -> Result<ClientResponse, ClientError> {
    let unsent = match &mut request {
        Ok(request) => request,
        Err(error) => return Err(error.clone()),
    };
    if session.is_closed() {
        return Err(UsageError::SessionClosed.into());
    }
    merge_defaults(&session, &mut unsent.parts)?;
    let start = TraceStart {
        method: &unsent.parts.method,
        url: &unsent.parts.url,
    };
    let traces = Traces::start(session.trace_configs(), &start);
    let context = Context {
        session,
        deadlines: Deadlines::new(now(), timeout),
        traces,
    };
    context.traces.on(&Event::RequestStart);
    let sent = if context.session.middlewares().is_empty() {
        let sent = with_retry(unsent, &context).await;
        sent.and_then(|(head, exchange)| answered(request?, &context, head, exchange))
    } else {
        Box::pin(through_middlewares(request?, &context)).await
    };
    let sent = sent.and_then(|mut response| {
        if context.session.defaults().raise_for_status {
            response.raise_for_status()?;
        }
        Ok(response)
    });
    context.traces.on(&match &sent {
        Ok(response) => Event::RequestEnd {
            status: response.status(),
        },
        Err(error) => Event::RequestException { error },
    });
    sent
}

/// Puts the session's headers under the request's, and the URL's credentials into it.
fn merge_defaults(session: &ClientSession, request: &mut RequestParts) -> Result<(), ClientError> {
    let defaults = session.headers();
    if !defaults.is_empty() {
        let own = std::mem::replace(&mut request.headers, defaults.clone());
        request.headers.merge(&own);
    }
    let in_url = request.url.userinfo().map(|auth| auth.encode()).transpose();
    let in_url = in_url
        .map_err(UsageError::from)?
        .map(|value| Authorization(value.into()));
    if let Some(in_url) = in_url {
        // REQ-16.
        if request.authorization.replace(in_url).is_some() {
            return Err(UsageError::TwoAuths.into());
        }
    }
    if request.authorization.is_some() && request.headers.contains("authorization") {
        return Err(UsageError::TwoAuths.into());
    }
    Ok(())
}

async fn through_middlewares(
    request: ClientRequest,
    context: &Context,
) -> Result<ClientResponse, ClientError> {
    let chain = Arc::clone(context.session.middlewares());
    let (total, url) = (context.deadlines.total, request.parts.url.clone());
    let sending = Next::new(chain, context.clone()).run(request);
    match within(&mut Timer::default(), total, sending).await {
        Some(response) => response,
        None => {
            let attempt = attempt(&url, context.deadlines.started, Phase::Head, false);
            Err(ClientError::Timeout(Box::new(attempt)))
        }
    }
}

/// What comes behind the last middleware.
pub(crate) async fn behind_middlewares(
    mut request: ClientRequest,
    context: &Context,
) -> Result<ClientResponse, ClientError> {
    let (head, exchange) = with_retry(&mut request, context).await?;
    answered(request, context, head, exchange)
}

fn answered(
    request: ClientRequest,
    context: &Context,
    head: Head,
    exchange: Exchange,
) -> Result<ClientResponse, ClientError> {
    let RequestParts {
        method,
        url,
        options,
        ..
    } = request.parts;
    let info = RequestInfo::new(method, url, exchange.sent_head().clone());
    Ok(ClientResponse::new(
        context,
        options.auto_decompress,
        info,
        head,
        exchange,
    ))
}

/// Sends a request, and once more if its connection turns out dead (SPEC §5).
async fn with_retry(
    request: &mut ClientRequest,
    context: &Context,
) -> Result<(Head, Exchange), ClientError> {
    let ClientRequest { parts, body } = request;
    let mut again = if is_idempotent(&parts.method) {
        body.try_clone()
    } else {
        None
    };
    loop {
        match once(parts, std::mem::take(body), context).await {
            Err(error) if is_stale(&error) => *body = again.take().ok_or(error)?,
            sent => return sent,
        }
    }
}

/// RTY-02.
fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

/// RTY-03, RTY-04: the connection broke before a response, which a server may do to one
/// that it has kept open long enough.
fn is_stale(error: &ClientError) -> bool {
    use ConnectionError::{Disconnected, Os, Reset};
    matches!(
        error,
        ClientError::Connection(Disconnected { .. } | Reset { .. } | Os { .. })
    )
}

/// Sends a request on a connection and reads the head of its response.
async fn once(
    request: &RequestParts,
    body: Body,
    context: &Context,
) -> Result<(Head, Exchange), ClientError> {
    let Context {
        session, deadlines, ..
    } = context;
    let url = &request.url;
    let plan =
        Plan::of(&request.method, &request.headers, &body).map_err(|refusal| match refusal {
            Refusal::Usage(error) => ClientError::Usage(error),
            Refusal::Payload(source) => {
                let attempt = attempt(url, deadlines.started, Phase::Send, false);
                ClientError::Payload(Box::new(ClientPayloadError { source, attempt }))
            }
        })?;
    let mut timer = Timer::default();
    let mut connection = connect(url, context, &mut timer).await?;
    connection.take_timer(&mut timer);
    let force_close = session.connector().force_close();
    let (buffer, key) = connection.head_buffer();
    head::write(buffer, request, &body, plan, key, force_close).map_err(UsageError::from)?;
    let options = ExchangeOptions {
        framing: plan.framing,
        limits: request.options.limits,
        exchanged: Exchanged {
            head: request.method == Method::HEAD,
            read_until_eof: request.options.read_until_eof,
        },
        force_close: force_close || plan.close,
    };
    let mut exchange = Exchange::start(connection, body, options);
    if !context.traces.is_empty() {
        let sent = exchange.sent_head().clone();
        let info = RequestInfo::new(request.method.clone(), url.clone(), sent);
        context
            .traces
            .on(&Event::RequestHeadersSent { request: &info });
    }
    let head = receive_head(&mut exchange, url, *deadlines).await?;
    Ok((head, exchange))
}

/// Gets a connection within `connect` and `total`.
async fn connect(
    url: &RequestUrl,
    context: &Context,
    timer: &mut Timer,
) -> Result<Connection, ClientError> {
    let Deadlines {
        started, timeout, ..
    } = context.deadlines;
    let mut traces = context.traces.clone();
    let mut request = ConnectRequest {
        url,
        pool: timeout.pool,
        sock_connect: timeout.sock_connect,
        observer: if traces.is_empty() {
            None
        } else {
            Some(&mut traces)
        },
        phase: Phase::Pool,
        started,
    };
    let phase = timeout
        .connect
        .and_then(|limit| deadline(now(), Some(limit)));
    let (deadline, late) = context.deadlines.earlier(phase);
    let connecting = context.session.connector().connect(&mut request);
    match within(timer, deadline, connecting).await {
        Some(connection) => Ok(connection?),
        None => Err(too_late(late, attempt(url, started, request.phase, false))),
    }
}

async fn receive_head(
    exchange: &mut Exchange,
    url: &RequestUrl,
    deadlines: Deadlines,
) -> Result<Head, ClientError> {
    let mut watch = Watch::new(deadlines);
    poll_fn(|cx| {
        if let Poll::Ready(head) = exchange.poll_head(cx) {
            return Poll::Ready(head.map_err(Err));
        }
        watch.poll(cx, exchange).map(|late| Err(Ok(late)))
    })
    .await
    .map_err(|failure| {
        let phase = if exchange.is_sent() {
            Phase::Head
        } else {
            Phase::Send
        };
        let attempt = attempt(url, deadlines.started, phase, exchange.sent() > 0);
        match failure {
            Ok(late) => too_late(late, attempt),
            Err(error) => failed(error, attempt),
        }
    })
}

/// Runs `future` until `deadline`; gives nothing when that is over first.
async fn within<F: Future>(
    timer: &mut Timer,
    deadline: Option<Instant>,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => timer.poll(cx, deadline).map(|()| None),
    })
    .await
}

/// Tells where a request was going and how far it had come.
pub(crate) fn attempt(url: &RequestUrl, started: Instant, phase: Phase, sent: bool) -> Attempt {
    Attempt {
        url: url.without_query().into(),
        phase,
        elapsed: now().saturating_duration_since(started),
        sent,
    }
}

pub(crate) fn too_late(late: Late, attempt: Attempt) -> ClientError {
    let attempt = Box::new(attempt);
    match late {
        Late::Total => ClientError::Timeout(attempt),
        Late::Phase => ClientError::Connection(ConnectionError::Timeout { attempt }),
    }
}

/// Names the error that a failed exchange is to the user.
pub(crate) fn failed(error: ExchangeError, attempt: Attempt) -> ClientError {
    let boxed = Box::new(attempt.clone());
    ClientError::Connection(match error {
        ExchangeError::Http(source) => {
            return ClientResponseError {
                kind: ResponseErrorKind::Malformed,
                status: 400,
                message: source.to_string().into(),
                head: None,
                history: Vec::new(),
                attempt,
                source: Some(source),
            }
            .into();
        }
        ExchangeError::Payload(source) => {
            return ClientError::Payload(Box::new(ClientPayloadError { source, attempt }));
        }
        ExchangeError::Disconnected { partial } => ConnectionError::Disconnected {
            partial,
            attempt: boxed,
        },
        ExchangeError::Read(source) => ConnectionError::Os {
            attempt: boxed,
            source: Arc::new(source),
        },
        ExchangeError::Write(source) => ConnectionError::Reset {
            attempt: boxed,
            source: Arc::new(source),
        },
        ExchangeError::Source(source) => ConnectionError::Source {
            attempt: boxed,
            source: source.into(),
        },
        _ => ConnectionError::Closed { attempt: boxed },
    })
}
