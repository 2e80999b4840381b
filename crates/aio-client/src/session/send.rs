//! The main loop: a request becomes a response.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};
use std::time::Instant;

use aio_connector::{
    Attempt, ConnectRequest, Connection, ConnectionError, Exchange, ExchangeError, ExchangeOptions,
    Phase, SharedTimer, now,
};
use aio_core::http1::{Exchanged, Head};
use aio_core::{Body, RequestUrl, deadline};
use http::Method;

use super::head::{self, Plan, Refusal};
use super::hops::{Hops, Kept};
use super::{cookies, prepare, tunnel};
use crate::deadline::{Deadlines, Late, Watch};
use crate::error::{ClientError, ClientPayloadError, ClientResponseError, UsageError};
use crate::middleware::Next;
use crate::options::{JudgeResponse, RaiseForStatus};
use crate::request::{ClientRequest, RequestParts};
use crate::response::{ClientResponse, RequestInfo};
use crate::retry::{RetryBudget, has_left, is_idempotent};
use crate::session::ClientSession;
use crate::trace::{Event, TraceStart, Traces};

/// What stays the same however often a request is sent.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) session: ClientSession,
    pub(crate) deadlines: Deadlines,
    pub(crate) traces: Traces,
    /// What was sent, where middlewares may send several requests.
    pub(crate) sent: Option<Arc<Sent>>,
}

/// What middlewares have sent for one request of the user's.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Some request may have left.
    any: AtomicBool,
    /// One that must not be sent twice may have left.
    for_good: AtomicBool,
    /// The last one found its connection dead.
    stale: AtomicBool,
}

/// Sends a request.
///
/// The request is borrowed on the way down: a future holds what it is given and what it
/// passes on, and a request is large.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn holds what it is given twice: as captured, and as a variable"
)]
pub(crate) fn send(
    session: ClientSession,
    mut built: Result<ClientRequest, ClientError>,
) -> impl Future<Output = Result<ClientResponse, ClientError>> + Send + 'static {
    async move {
        let request = match &mut built {
            Ok(request) => request,
            Err(error) => return Err(error.clone()),
        };
        if session.is_closed() {
            return Err(UsageError::SessionClosed.into());
        }
        prepare::merge_defaults(&session, &mut request.parts)?;
        let start = TraceStart {
            method: &request.parts.method,
            url: &request.parts.url,
        };
        let traces = Traces::start(session.trace_configs(), &start);
        let context = Context {
            session,
            deadlines: Deadlines::new(now(), &request.parts.options.timeout),
            traces,
            sent: None,
        };
        // What is asked at once need not be asked twice.
        let mut now = Some(context.deadlines.started);
        context.traces.on(&Event::RequestStart);
        let raise = request.parts.options.raise_for_status.clone();
        let mut budget = RetryBudget::of(&request.parts);
        let mut hops = Hops::new(request, budget.may_retry());
        let mut sent = loop {
            if context.session.trust_env() {
                now = None;
                let looked = prepare::ask_environment(&mut request.parts, &context);
                if let Err(error) = Box::pin(looked).await {
                    break Err(error);
                }
            }
            let response = if context.session.middlewares().is_empty() {
                let (head, exchange) =
                    match with_retry(request, &context, now.take(), &mut hops.body, &mut budget)
                        .await
                    {
                        Ok(answer) => answer,
                        Err(error) => break Err(error),
                    };
                cookies::store(&context.session, &request.parts.url, &head.headers);
                if !hops.follows(head.status) {
                    break built.map(|request| answered(request.parts, &context, head, exchange));
                }
                answered(request.parts.clone(), &context, head, exchange)
            } else {
                let passed_on = ClientRequest {
                    parts: request.parts.clone(),
                    body: std::mem::take(&mut request.body),
                };
                let sending = through_middlewares(passed_on, &context, &mut budget);
                let response = match Box::pin(sending).await {
                    Ok(response) => response,
                    Err(error) => break Err(error),
                };
                cookies::store(&context.session, response.url(), response.headers());
                if !hops.follows(response.status()) {
                    break Ok(response);
                }
                response
            };
            match hops.next(request, response, &context) {
                Ok(None) => {}
                Ok(Some(response)) => break Ok(response),
                Err(error) => break Err(error),
            }
        };
        match raise {
            // Boxed, and not gone on from: few have it, and all would carry the response.
            RaiseForStatus::With(judge) => Box::pin(judged(sent, judge, hops, context)).await,
            raise => {
                if let Ok(response) = &mut sent {
                    hops.end(response);
                    if matches!(raise, RaiseForStatus::Always)
                        && let Err(error) = response.raise_for_status()
                    {
                        sent = Err(error);
                    }
                }
                ended(&sent, &context);
                sent
            }
        }
    }
}

/// Lets a function of the user's judge the final response.
async fn judged(
    mut sent: Result<ClientResponse, ClientError>,
    judge: Arc<JudgeResponse>,
    hops: Hops,
    context: Context,
) -> Result<ClientResponse, ClientError> {
    if let Ok(mut response) = sent {
        hops.end(&mut response);
        sent = judge(response).await;
    }
    ended(&sent, &context);
    sent
}

/// Tells those who watch what a request has come to.
fn ended(sent: &Result<ClientResponse, ClientError>, context: &Context) {
    if !context.traces.is_empty() {
        context.traces.on(&match sent {
            Ok(response) => Event::RequestEnd {
                status: response.status(),
            },
            Err(error) => Event::RequestException { error },
        });
    }
}

async fn through_middlewares(
    mut request: ClientRequest,
    context: &Context,
    budget: &mut RetryBudget,
) -> Result<ClientResponse, ClientError> {
    let sent = Arc::new(Sent::default());
    let context = Context {
        sent: Some(Arc::clone(&sent)),
        ..context.clone()
    };
    let Deadlines { total, started, .. } = context.deadlines;
    let url = request.parts.url.clone();
    let mut again = if budget.may_retry() {
        request.try_clone()
    } else {
        None
    };
    loop {
        let chain = Arc::clone(context.session.middlewares());
        let sending = Next::new(chain, context.clone()).run(request);
        match SharedTimer::default().within(total, sending).await {
            // RTY-06: the middlewares run again.
            Some(Err(error))
                if again.is_some() && sent.may_be_repeated() && budget.retries(&error) =>
            {
                request = again.take().ok_or(error)?;
            }
            Some(response) => {
                let any = sent.any.load(Ordering::Relaxed);
                return response.map_err(|mut error| {
                    error.mark_sent(any);
                    error
                });
            }
            None => {
                let sent = sent.any.load(Ordering::Relaxed);
                let attempt = attempt(&url, started, Phase::Head, sent);
                return Err(ClientError::Timeout(Box::new(attempt)));
            }
        }
    }
}

impl Sent {
    /// Tells whether the request failed on a dead connection, and nothing that left before
    /// must not be sent twice.
    fn may_be_repeated(&self) -> bool {
        self.stale.load(Ordering::Relaxed) && !self.for_good.load(Ordering::Relaxed)
    }
}

/// What comes behind the last middleware.
pub(crate) async fn behind_middlewares(
    mut request: ClientRequest,
    context: &Context,
) -> Result<ClientResponse, ClientError> {
    let answer = once(&mut request, context, None).await;
    let parts = request.parts;
    if let Some(sent) = &context.sent {
        let (retry, error) = (parts.options.retry_connection, answer.as_ref().err());
        let stale = error.is_some_and(|error| retry.retries(is_idempotent(&parts.method), error));
        sent.stale.store(stale, Ordering::Relaxed);
        // Idempotent or not, what was answered is done.
        let for_good = error.is_none_or(|error| !is_idempotent(&parts.method) && has_left(error));
        sent.for_good
            .fetch_or(for_good && parts.method != Method::GET, Ordering::Relaxed);
    }
    let (head, exchange) = answer?;
    Ok(answered(parts, context, head, exchange))
}

fn answered(
    parts: RequestParts,
    context: &Context,
    head: Head,
    mut exchange: Exchange,
) -> ClientResponse {
    let sent = exchange.take_sent_head();
    let info = RequestInfo::new(parts.method, parts.url, sent);
    ClientResponse::new(context, parts.options, info, head, exchange)
}

/// Sends a request, and once more if its connection turns out dead (SPEC §5).
async fn with_retry(
    request: &mut ClientRequest,
    context: &Context,
    mut now: Option<Instant>,
    // To be `Send`; a body is not `Sync`.
    kept: &mut Kept,
    budget: &mut RetryBudget,
) -> Result<(Head, Exchange), ClientError> {
    let mut left = false;
    loop {
        let mut error = match once(request, context, now.take()).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        match kept.again() {
            Some(body) if budget.retries(&error) => {
                left |= error.attempt().is_some_and(|attempt| attempt.sent);
                request.body = body;
            }
            // What the first attempt sent is not taken back by the second.
            _ => {
                error.mark_sent(left);
                return Err(error);
            }
        }
    }
}

/// Sends a request on a connection and reads the head of its response; the body is gone
/// then, unless the server did not want it.
async fn once(
    request: &mut ClientRequest,
    context: &Context,
    now: Option<Instant>,
) -> Result<(Head, Exchange), ClientError> {
    let ClientRequest {
        parts: request,
        body,
    } = request;
    let Context {
        session, deadlines, ..
    } = context;
    let mut plan = plan(request, body, *deadlines)?;
    let cookie = cookies::header(session, request)?;
    let mut connection = connect(request, context, now).await?;
    // Not before: a request that waits for a connection is to hold no file.
    if body.needs_opening() {
        match Box::pin(open(request, body, *deadlines)).await {
            Ok(opened) => plan = opened,
            Err(error) => {
                connection.release();
                return Err(error);
            }
        }
        // Opening may take longer than the server keeps a connection that nobody uses.
        if !connection.is_quiet() {
            connection.close();
            connection = Box::pin(connect(request, context, None)).await?;
        }
    }
    // One that came back unsent is compressed already, and tells its progress.
    let is_packed = plan.compress.is_some() && plan.compress == body.coding();
    if !is_packed {
        if let Some(progress) = &request.upload_progress {
            *body = std::mem::take(body).with_progress(progress.clone());
        }
        if let Some(coding) = plan.compress {
            *body = std::mem::take(body).compressed(coding);
        }
    }
    let force_close = session.connector().force_close();
    let (buffer, key) = connection.head_buffer();
    let cookie = cookie.as_deref();
    if let Err(error) = head::write(buffer, request, body, plan, cookie, key, force_close) {
        connection.release();
        return Err(UsageError::from(error).into());
    }
    let mut exchanged = Exchanged::of(&request.method);
    exchanged.read_until_eof = request.options.read_until_eof;
    exchanged.upgrade = plan.upgrade;
    let options = ExchangeOptions {
        framing: plan.framing,
        limits: request.options.limits,
        exchanged,
        expect_continue: plan.expect,
        force_close: force_close || plan.close,
    };
    if let Some(sent) = &context.sent {
        sent.any.store(true, Ordering::Relaxed);
    }
    let mut exchange = Exchange::start(connection, std::mem::take(body), options);
    if !context.traces.is_empty() {
        let sent = exchange.sent_head().clone();
        let info = RequestInfo::new(request.method.clone(), request.url.clone(), sent);
        context
            .traces
            .on(&Event::RequestHeadersSent { request: &info });
    }
    let head = receive_head(&mut exchange, request, context).await?;
    if plan.expect {
        *body = exchange.take_unsent_body().unwrap_or_default();
    }
    Ok((head, exchange))
}

/// Decides how the body goes out.
fn plan(request: &RequestParts, body: &Body, deadlines: Deadlines) -> Result<Plan, ClientError> {
    Plan::of(request, body).map_err(|refusal| match refusal {
        Refusal::Usage(error) => ClientError::Usage(error),
        Refusal::Payload(source) => {
            let attempt = attempt(&request.url, deadlines.started, Phase::Send, false);
            ClientError::Payload(Box::new(ClientPayloadError { source, attempt }))
        }
    })
}

/// Opens a body for one sending within `total`, and decides anew: its length may only now
/// be known.
async fn open(
    request: &RequestParts,
    body: &mut Body,
    deadlines: Deadlines,
) -> Result<Plan, ClientError> {
    let opened = SharedTimer::default()
        .within(deadlines.total, body.open())
        .await;
    let attempt = || attempt(&request.url, deadlines.started, Phase::Send, false);
    match opened {
        Some(Ok(())) => plan(request, body, deadlines),
        Some(Err(source)) => Err(ClientError::Connection(ConnectionError::Source {
            attempt: Box::new(attempt()),
            source: source.into(),
        })),
        None => Err(ClientError::Timeout(Box::new(attempt()))),
    }
}

/// Gets a connection within `connect` and `total`.
async fn connect(
    request: &RequestParts,
    context: &Context,
    now: Option<Instant>,
) -> Result<Connection, ClientError> {
    let Context {
        session, deadlines, ..
    } = context;
    let connector = session.connector();
    let mut traces = context.traces.clone();
    let (url, options, proxy) = (&request.url, &request.options, request.proxy.as_ref());
    let mut request = ConnectRequest::begun(url, &options.timeout, deadlines.started);
    request.proxy = proxy;
    request.now = now;
    request.tls = options.tls.as_ref();
    request.server_name = options.server_hostname.as_deref();
    if !traces.is_empty() {
        request.observer = Some(&mut traces);
    }
    if let Some(connection) = connector.connect_now(&mut request) {
        return Ok(connection);
    }
    let timer = SharedTimer::default();
    request.timer = Some(&timer);
    let connect = options.timeout.connect;
    let connect = connect.and_then(|limit| deadline(aio_connector::now(), Some(limit)));
    let (too_late_at, late) = deadlines.first([(connect, Late::Phase)]);
    let connecting = connector.connect(&mut request);
    let Some(connected) = timer.within(too_late_at, connecting).await else {
        return Err(too_late(late, request.attempt()));
    };
    let mut connection = connected.map_err(|error| tunnel::unconnected(error, url, session))?;
    connection.take_timer(&mut timer.into_inner());
    Ok(connection)
}

async fn receive_head(
    exchange: &mut Exchange,
    request: &RequestParts,
    context: &Context,
) -> Result<Head, ClientError> {
    let Context {
        deadlines, traces, ..
    } = context;
    let mut watch = Watch::new(*deadlines);
    let mut waits_until = None;
    let mut told = 0;
    poll_fn(|cx| {
        let failure = loop {
            let polled = exchange.poll_head(cx);
            if !traces.is_empty() {
                let informational = exchange.informational();
                for (status, headers) in informational.get(told..).unwrap_or_default() {
                    let status = *status;
                    traces.on(&Event::Informational { status, headers });
                }
                told = informational.len();
            }
            match polled {
                Poll::Ready(Ok(head)) => return Poll::Ready(Ok(head)),
                Poll::Ready(Err(error)) => break Err(error),
                Poll::Pending => {}
            }
            let until = exchange.is_waiting_for_continue().then(|| {
                let patience = request.options.sending.continue_timeout;
                *waits_until.get_or_insert_with(|| deadline(now(), patience))
            });
            let timeout = &request.options.timeout;
            match ready!(watch.poll(cx, exchange, timeout, until.flatten())) {
                // RFC 9110 10.1.1: nobody is to wait for ever.
                Late::Continue => exchange.send_body(),
                late => break Ok(late),
            }
        };
        let phase = if exchange.is_sent() {
            Phase::Head
        } else {
            Phase::Send
        };
        let sent = exchange.sent() > 0;
        let attempt = attempt(&request.url, deadlines.started, phase, sent);
        Poll::Ready(Err(match failure {
            Ok(late) => too_late(late, attempt),
            Err(error) => failed(error, attempt),
        }))
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
        dials: Vec::new(),
    }
}

pub(crate) fn too_late(late: Late, attempt: Attempt) -> ClientError {
    let mut attempt = Box::new(attempt);
    match late {
        Late::Total => return ClientError::Timeout(attempt),
        Late::Phase | Late::Continue => {}
        Late::Write => attempt.phase = Phase::Send,
    }
    ClientError::Connection(ConnectionError::Timeout { attempt })
}

/// Names the error that a failed exchange is to the user.
pub(crate) fn failed(error: ExchangeError, attempt: Attempt) -> ClientError {
    let boxed = Box::new(attempt.clone());
    ClientError::Connection(match error {
        ExchangeError::Http(source) => {
            return ClientResponseError::malformed(source, attempt).into();
        }
        ExchangeError::Payload(source) => {
            return ClientError::Payload(Box::new(ClientPayloadError { source, attempt }));
        }
        ExchangeError::Disconnected { partial } => ConnectionError::Disconnected {
            partial,
            attempt: boxed,
        },
        ExchangeError::Read(source) | ExchangeError::WriteBody(source) => ConnectionError::Os {
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
