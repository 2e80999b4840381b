//! The body of a response as server-sent events.

use std::borrow::BorrowMut;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use aio_core::{EventParser, ServerSentEvent};
use futures_core::Stream;

use super::ClientResponse;
use crate::content::Content;
use crate::error::{ClientError, ReadError, ResponseErrorKind};

/// How to read a body as server-sent events.
#[derive(Debug, Clone, Copy)]
pub struct EventOptions<'a> {
    /// The content type that is asked for, `None` for any; default `text/event-stream`.
    pub content_type: Option<&'a str>,
    /// What an event may take in bytes; default 1 MiB.
    pub max_event_size: usize,
}

impl Default for EventOptions<'_> {
    fn default() -> Self {
        Self {
            content_type: Some("text/event-stream"),
            max_event_size: EventParser::LIMIT,
        }
    }
}

impl ClientResponse {
    /// Reads the body as server-sent events, one after the other.
    ///
    /// The timeout `total` ends such a stream, too: a request whose events come for longer
    /// than its 5 minutes needs another [`timeout`](crate::RequestBuilder::timeout). For
    /// events that go on behind a broken connection there is
    /// [`event_source`](crate::RequestBuilder::event_source).
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// use aio_client::ClientTimeout;
    ///
    /// let request = session.get("http://127.0.0.1:8080/feed").timeout(ClientTimeout::none());
    /// let mut response = request.header("accept", "text/event-stream").await?;
    /// let mut events = response.raise_for_status()?.events()?;
    /// while let Some(event) = events.next().await? {
    ///     println!("{}: {}", event.event, event.data);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the content type is not `text/event-stream`.
    pub fn events(&mut self) -> Result<EventStream<&mut Content>, ClientError> {
        self.events_with(&EventOptions::default())
    }

    /// Reads the body as server-sent events in another way than by default.
    ///
    /// # Errors
    /// If the content type is not the one asked for.
    pub fn events_with(
        &mut self,
        options: &EventOptions<'_>,
    ) -> Result<EventStream<&mut Content>, ClientError> {
        self.check_events(options)?;
        Ok(EventStream::new(&mut self.content, options))
    }

    /// Gives up the head and keeps the body, as a stream of server-sent events that owns
    /// what it needs.
    ///
    /// # Errors
    /// As [`events`](Self::events).
    pub fn into_events(self) -> Result<EventStream, ClientError> {
        self.into_events_with(&EventOptions::default())
    }

    /// Keeps the body as server-sent events in another way than by default.
    ///
    /// # Errors
    /// As [`events_with`](Self::events_with).
    pub fn into_events_with(self, options: &EventOptions<'_>) -> Result<EventStream, ClientError> {
        self.check_events(options)?;
        Ok(EventStream::new(self.content, options))
    }

    pub(crate) fn check_events(&self, options: &EventOptions<'_>) -> Result<(), ClientError> {
        let given = self.content_type();
        match options.content_type {
            Some(expected) if !given.essence().eq_ignore_ascii_case(expected) => {
                let given = given.essence();
                let message = format!("Attempt to read events with unexpected mimetype: {given}");
                Err(self.error(ResponseErrorKind::ContentType, message).into())
            }
            _ => Ok(()),
        }
    }
}

/// The body of a response as server-sent events, made by [`ClientResponse::events`] and
/// [`into_events`](ClientResponse::into_events).
///
/// Also a [`Stream`], which ends after an error. An event that the end of the body cuts off
/// is none. Dropping a future loses nothing; dropping the stream loses what of an event it
/// has read.
///
/// ```
/// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
/// let mut events = session.get("http://127.0.0.1:8080/feed").await?.into_events()?;
/// tokio::spawn(async move {
///     while let Ok(Some(event)) = events.next().await {
///         println!("{}", event.data);
///     }
/// });
/// # Ok(())
/// # }
/// ```
pub struct EventStream<C = Content> {
    content: C,
    parser: EventParser,
    /// The stream has given its error.
    told: bool,
}

impl<C: BorrowMut<Content>> EventStream<C> {
    fn new(content: C, options: &EventOptions<'_>) -> Self {
        Self::resume(content, EventParser::with_limit(options.max_event_size))
    }

    /// Goes on where `parser` stands.
    pub(crate) fn resume(content: C, parser: EventParser) -> Self {
        Self {
            content,
            parser,
            told: false,
        }
    }

    /// Returns the next event; `None` at the end of the body.
    ///
    /// # Errors
    /// If the body ends early, cannot be decoded, or comes too late; and if an event is too
    /// long, which closes the connection. Each later call fails with the same error.
    pub async fn next(&mut self) -> Result<Option<ServerSentEvent>, ClientError> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    pub(crate) fn poll_event(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Option<ServerSentEvent>, ClientError>> {
        let content = self.content.borrow_mut();
        loop {
            // What was read and holds more events stays with the body: this may be dropped.
            match content.take_held(|held| self.parser.next(held)) {
                Ok(Some(event)) => return Poll::Ready(Ok(Some(event))),
                Ok(None) => {}
                Err(error) => {
                    content.close();
                    let error = ReadError::EventTooLong(error);
                    return Poll::Ready(Err(content.read_error(error)));
                }
            }
            if !ready!(content.poll_held(cx))? {
                return Poll::Ready(Ok(None));
            }
        }
    }

    /// Returns the id of the last event that had one, empty if there was none: what goes
    /// into the header `Last-Event-ID` to have what comes behind it.
    pub fn last_event_id(&self) -> &str {
        self.parser.last_event_id()
    }

    /// Returns how long the server wants one to wait before asking again, if it says so.
    pub fn retry(&self) -> Option<Duration> {
        self.parser.retry()
    }
}

impl EventStream {
    /// Tells whether any of the body has come.
    pub(crate) fn has_begun(&self) -> bool {
        self.content.total_bytes() > 0
    }

    pub(crate) fn into_parser(self) -> EventParser {
        self.parser
    }
}

impl<C: BorrowMut<Content> + Unpin> Stream for EventStream<C> {
    type Item = Result<ServerSentEvent, ClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let events = self.get_mut();
        if events.told {
            return Poll::Ready(None);
        }
        let event = ready!(events.poll_event(cx));
        events.told = event.is_err();
        Poll::Ready(event.transpose())
    }
}

impl<C> fmt::Debug for EventStream<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("last_event_id", &self.parser.last_event_id())
            .field("retry", &self.parser.retry())
            .finish_non_exhaustive()
    }
}
