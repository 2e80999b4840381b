//! An open WebSocket, and what its session knows of it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use aio_connector::ConnectionInfo;
use aio_core::BoxError;
use aio_ws::{WebSocket, WsError, WsMessage, WsReader, WsText, WsWriter};
use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::WsConnection;
use crate::json::{JsonValue, compact, read_by};
use crate::response::{ClientResponse, ResponseHead};
use crate::session::ClientSession;

/// An open WebSocket of a session; aiohttp's `ClientWebSocketResponse`.
///
/// It is a [`WebSocket`], with the response that opened it and with JSON. Its connection counts
/// in the limits of the connector until it is closed or dropped, and never goes back.
///
/// ```
/// # async fn run(session: aio_client::ClientSession) -> Result<(), Box<dyn std::error::Error>> {
/// use serde_json::{Value, json};
///
/// let mut ws = session.ws_connect("ws://127.0.0.1:8080/feed").await?;
/// println!("{:?}", ws.head().headers().get("server"));
/// ws.send_json(&json!({"subscribe": "news"})).await?;
/// let first: Value = ws.receive_json().await?;
/// # Ok(())
/// # }
/// ```
pub struct ClientWebSocketResponse {
    socket: WebSocket<WsConnection>,
    head: ResponseHead,
    history: Vec<ResponseHead>,
    session: ClientSession,
}

impl ClientWebSocketResponse {
    pub(super) fn new(
        socket: WebSocket<WsConnection>,
        response: &ClientResponse,
        session: ClientSession,
    ) -> Self {
        Self {
            socket,
            head: response.head().clone(),
            history: response.history().to_vec(),
            session,
        }
    }

    /// Returns the response that opened it.
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }

    /// Returns the redirects on the way to it, oldest first.
    pub fn history(&self) -> &[ResponseHead] {
        &self.history
    }

    /// Returns what is known of its connection, also when that is gone; aiohttp's
    /// `get_extra_info`.
    ///
    /// ```
    /// # fn show(ws: &aio_client::ClientWebSocketResponse) {
    /// println!("{:?}", ws.connection_info().peer_addr());
    /// # }
    /// ```
    pub fn connection_info(&self) -> &ConnectionInfo {
        self.head.connection_info()
    }

    /// Sends a value as a text of JSON, written by the session's
    /// [`json_serialize`](crate::ClientSessionBuilder::json_serialize).
    ///
    /// # Errors
    /// If it has no form in JSON, or as [`send_str`](WebSocket::send_str).
    pub async fn send_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WsError> {
        let text = json_text(&self.session, value)?;
        self.socket.send_str(text).await
    }

    /// Sends a value as bytes of JSON.
    ///
    /// # Errors
    /// As [`send_json`](Self::send_json).
    pub async fn send_json_bytes<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
    ) -> Result<(), WsError> {
        let bytes = json(&self.session, &value)?;
        self.socket.send_bytes(bytes).await
    }

    /// Receives a text and reads it as JSON, by the session's
    /// [`json_deserialize`](crate::ClientSessionBuilder::json_deserialize).
    ///
    /// # Errors
    /// As [`receive_str`](WebSocket::receive_str), and if the text is not the JSON that `T`
    /// needs; the WebSocket stays open then.
    pub async fn receive_json<T: DeserializeOwned>(&mut self) -> Result<T, WsError> {
        let text = self.socket.receive_str().await?;
        let value = match &self.session.defaults().json_deserialize {
            Some(deserialize) => read_by(deserialize, &text),
            None => serde_json::from_str(&text).map_err(Into::into),
        };
        value.map_err(|error: BoxError| WsError::ReadJson(error.into()))
    }

    /// Gives one half to read and one to write, which may live in different tasks.
    pub fn split(self) -> (WsReader<WsConnection>, WsWriter<WsConnection>) {
        self.socket.split()
    }

    /// Gives the WebSocket alone.
    pub fn into_socket(self) -> WebSocket<WsConnection> {
        self.socket
    }
}

/// Writes a value as a text of JSON, in the session's way.
pub(super) fn json_text<T: Serialize + ?Sized>(
    session: &ClientSession,
    value: &T,
) -> Result<WsText, WsError> {
    WsText::try_from(json(session, &value)?).map_err(unwritable)
}

fn json(session: &ClientSession, value: &impl Serialize) -> Result<Bytes, WsError> {
    let json = match &session.defaults().json_serialize {
        Some(serialize) => serialize(JsonValue::new(value)),
        None => compact(value),
    };
    json.map(Bytes::from).map_err(unwritable)
}

fn unwritable(error: impl Into<BoxError>) -> WsError {
    WsError::WriteJson(error.into().into())
}

impl Deref for ClientWebSocketResponse {
    type Target = WebSocket<WsConnection>;

    fn deref(&self) -> &Self::Target {
        &self.socket
    }
}

impl DerefMut for ClientWebSocketResponse {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.socket
    }
}

impl Stream for ClientWebSocketResponse {
    type Item = Result<WsMessage, WsError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.socket).poll_next(cx)
    }
}

impl Sink<WsMessage> for ClientWebSocketResponse {
    type Error = WsError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        Pin::new(&mut self.socket).poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: WsMessage) -> Result<(), WsError> {
        Pin::new(&mut self.socket).start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        Pin::new(&mut self.socket).poll_close(cx)
    }
}

impl fmt::Debug for ClientWebSocketResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientWebSocketResponse")
            .field("head", &self.head)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
