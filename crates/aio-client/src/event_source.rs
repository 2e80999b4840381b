//! Server-sent events over as many connections as it takes.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use aio_connector::BoxFuture;
use aio_core::{EventParser, ServerSentEvent};
use futures_core::Stream;
use http::StatusCode;
use tokio::time::{Sleep, sleep};

use crate::backoff::{Backoff, between};
use crate::error::{ClientError, ResponseErrorKind, UsageError};
use crate::request::RequestBuilder;
use crate::response::{ClientResponse, EventOptions, EventStream};

/// How long to wait before asking again, if neither the server nor the user says: about
/// what browsers wait.
const RETRY: Duration = Duration::from_secs(3);

/// How long to wait at most for having failed often.
const LONGEST: Duration = Duration::from_secs(60);

/// How many failures in a row are too many, if the user does not say.
const MAX_FAILURES: u32 = 5;

/// Server-sent events that go on behind a broken connection; `EventSource` of browsers.
/// Made by [`RequestBuilder::event_source`].
///
/// When a response ends, or its connection breaks, the same request is sent again after a
/// while, with the id of the last event in `Last-Event-ID`. A response of status 204 ends
/// the events. Any other that is no event stream of status 200 is an error and ends them,
/// as does an error that asking again does not mend, and one connection after the other
/// that fails.
///
/// Also a [`Stream`]. Dropping a future loses nothing.
///
/// ```
/// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
/// let mut events = session.get("http://127.0.0.1:8080/feed").event_source();
/// while let Some(event) = events.next().await? {
///     println!("{}: {}", event.event, event.data);
/// }
/// # Ok(())
/// # }
/// ```
pub struct EventSource {
    /// What is sent again; none if its body can be sent once only.
    request: Option<RequestBuilder>,
    state: State,
    /// Between connections: the last id and how long to wait.
    parser: EventParser,
    retry: Duration,
    failures: u32,
    max_failures: Option<u32>,
}

enum State {
    Asking(BoxFuture<'static, Result<ClientResponse, ClientError>>),
    Open(Box<EventStream>),
    Waiting(Pin<Box<Sleep>>),
    Ended,
}

impl RequestBuilder {
    /// Sends the request for server-sent events, and again whenever they break off.
    ///
    /// The headers `Accept` and `Cache-Control` are those of a browser if it has none. The
    /// timeout `total` does not apply; `sock_read` says after how long a silence the
    /// connection counts as broken. A request whose body can be sent once only is not sent
    /// again.
    pub fn event_source(self) -> EventSource {
        let request = self.with(|request| {
            let headers = &mut request.parts.headers;
            for (name, value) in [
                ("Accept", "text/event-stream"),
                ("Cache-Control", "no-store"),
            ] {
                if !headers.contains(name) {
                    headers.append(name, value).map_err(UsageError::Header)?;
                }
            }
            Ok(())
        });
        let request = request.with_options(|options| options.timeout.total = None);
        EventSource {
            request: request.try_clone(),
            state: State::Asking(Box::pin(request.send())),
            parser: EventParser::default(),
            retry: RETRY,
            failures: 0,
            max_failures: Some(MAX_FAILURES),
        }
    }
}

impl EventSource {
    /// Sets how long to wait before asking again, until the server says otherwise; default
    /// 3 seconds. After a failure it is up to double, and with each more double that, up to a
    /// minute: at random down to the half, so that not all clients ask at the same time.
    pub fn retry(mut self, retry: Duration) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how many connections in a row may fail before a byte of the events has come, be it
    /// of a comment; default 5, `None` for any number. A response that ends as it should is no
    /// failure.
    pub fn max_failures(mut self, max: impl Into<Option<u32>>) -> Self {
        self.max_failures = max.into();
        self
    }

    /// Sets what an event may take in bytes; default 1 MiB.
    pub fn max_event_size(mut self, limit: usize) -> Self {
        self.parser = EventParser::with_limit(limit);
        self
    }

    /// Returns the next event, sooner or later; `None` once the server has ended them.
    ///
    /// # Errors
    /// If the response is no event stream, an event is too long, a connection cannot be made
    /// or breaks too often, or the request is wrong. That ends the events.
    pub async fn next(&mut self) -> Result<Option<ServerSentEvent>, ClientError> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Returns the id of the last event that had one, empty if there was none.
    pub fn last_event_id(&self) -> &str {
        match &self.state {
            State::Open(events) => events.last_event_id(),
            _ => self.parser.last_event_id(),
        }
    }

    fn poll_event(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Option<ServerSentEvent>, ClientError>> {
        loop {
            match &mut self.state {
                State::Asking(response) => match ready!(response.as_mut().poll(cx)) {
                    Ok(response) => self.answered(response)?,
                    Err(error) => self.failed(error)?,
                },
                State::Open(events) => match ready!(events.poll_event(cx)) {
                    Ok(Some(event)) => return Poll::Ready(Ok(Some(event))),
                    Ok(None) => {
                        self.failures = 0;
                        self.wait();
                    }
                    Err(error) => {
                        // Those that are kept alive by comments may go long without an event.
                        if events.has_begun() {
                            self.failures = 0;
                        }
                        self.failed(error)?;
                    }
                },
                State::Waiting(sleep) => {
                    ready!(sleep.as_mut().poll(cx));
                    self.ask_again();
                }
                State::Ended => return Poll::Ready(Ok(None)),
            }
        }
    }

    fn answered(&mut self, response: ClientResponse) -> Result<(), ClientError> {
        self.state = State::Ended;
        match response.status() {
            StatusCode::OK => {
                response.check_events(&EventOptions::default())?;
                let parser = std::mem::take(&mut self.parser);
                let events = EventStream::resume(response.into_stream(), parser);
                self.state = State::Open(Box::new(events));
            }
            StatusCode::NO_CONTENT => {}
            _ => {
                let reason = response.reason().into_owned();
                return Err(response.error(ResponseErrorKind::Status, reason).into());
            }
        }
        Ok(())
    }

    /// Waits for another try, if that can help.
    fn failed(&mut self, error: ClientError) -> Result<(), ClientError> {
        self.failures += 1;
        let may_pass = match &error {
            ClientError::Connection(error) => !error.is_hopeless(),
            ClientError::Payload(_) => true,
            _ => false,
        };
        let too_often = self.max_failures.is_some_and(|max| self.failures > max);
        if !may_pass || too_often || self.request.is_none() {
            self.end();
            return Err(error);
        }
        tracing::debug!(%error, "server-sent events broke off");
        self.wait();
        Ok(())
    }

    fn wait(&mut self) {
        self.end();
        if self.request.is_none() {
            return;
        }
        let retry = self.parser.retry().unwrap_or(self.retry);
        let wait = match self.failures {
            0 => retry,
            failures => {
                let (first, longest) = (retry.saturating_mul(2), LONGEST);
                let most = Backoff { first, longest }.at_most(failures);
                between(retry.max(most / 2), most)
            }
        };
        self.state = State::Waiting(Box::pin(sleep(wait)));
    }

    /// Lets go of the connection, and keeps what the next one needs to know.
    fn end(&mut self) {
        if let State::Open(events) = std::mem::replace(&mut self.state, State::Ended) {
            self.parser = events.into_parser();
            self.parser.restart();
        }
    }

    fn ask_again(&mut self) {
        self.state = State::Ended;
        let Some(request) = self.request.as_ref().and_then(RequestBuilder::try_clone) else {
            return;
        };
        let id = self.parser.last_event_id();
        let request = request.with(|request| {
            // An id that no header can have stays untold.
            if !id.is_empty() {
                _ = request.parts.headers.insert("Last-Event-ID", id);
            }
            Ok(())
        });
        self.state = State::Asking(Box::pin(request.send()));
    }
}

impl Stream for EventSource {
    type Item = Result<ServerSentEvent, ClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_event(cx).map(Result::transpose)
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource")
            .field("request", &self.request)
            .field("last_event_id", &self.last_event_id())
            .finish_non_exhaustive()
    }
}
