//! The WebSockets of a scenario: what their calls yield as JSON.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use aio_client::{
    ClientSession, ClientWebSocketResponse, ClientWsTimeout, CloseCode, CloseFrame, WindowBits,
    WsConnection, WsError, WsMessage, WsMsgType, WsReader, WsRequestBuilder, WsText, WsWriter,
};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::outcome::error_out;
use super::{lock, options, request};
use crate::value::{body_out, bytes_in, bytes_out, text_out};

/// The WebSockets of a scenario, by name.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    by_name: StdMutex<HashMap<String, Arc<Socket>>>,
}

/// A WebSocket: whole, or in halves where several tasks use it at the same time.
#[derive(Debug)]
enum Socket {
    Whole(Mutex<ClientWebSocketResponse>),
    Halves {
        reader: Mutex<WsReader<WsConnection>>,
        writer: Mutex<WsWriter<WsConnection>>,
    },
}

/// What a call has for a WebSocket to send.
enum Sending {
    Message(WsMessage),
    Compressed(WsMessage, WindowBits),
    Json(Value),
}

impl Sockets {
    /// Makes a call of those whose name begins with `ws_`; a WebSocket is opened in halves
    /// where that is asked for.
    pub(super) async fn call(
        &self,
        session: &ClientSession,
        in_halves: bool,
        op: &Value,
    ) -> Result<Value, String> {
        let name = op["ws"].as_str().unwrap_or("ws");
        let kind = op["op"].as_str().unwrap_or_default();
        if kind == "ws_connect" {
            return match build(session, op)?.await {
                Ok(ws) => {
                    let shown = json!({"protocol": ws.protocol(), "compress": ws.compress()});
                    let socket = Arc::new(Socket::new(ws, in_halves));
                    lock(&self.by_name).insert(name.to_owned(), socket);
                    Ok(shown)
                }
                Err(error) => Ok(error_out(&error)),
            };
        }
        let socket = lock(&self.by_name).get(name).cloned();
        let socket = socket.ok_or_else(|| format!("no WebSocket {name:?}"))?;
        match kind {
            "ws_receive" => socket.receive_as(op).await,
            "ws_iter" => Ok(socket.iterate().await),
            "ws_close" => socket.close(op).await,
            "ws_state" => Ok(socket.state().await),
            _ => {
                let sent = socket.send(sending(kind, op)?).await;
                Ok(sent.map_or_else(|error| ws_error_out(&error), |()| json!({})))
            }
        }
    }
}

fn build(session: &ClientSession, op: &Value) -> Result<WsRequestBuilder, String> {
    let op = op.as_object().ok_or("a call is an object")?;
    let url = options::text(op.get("url").ok_or("a WebSocket without url")?)?;
    let mut builder = session.ws_connect(url);
    for (option, value) in op {
        builder = match option.as_str() {
            "op" | "ws" | "url" => builder,
            "method" => builder.method(options::text(value)?),
            "protocols" => builder.protocols(options::texts(value)?),
            "heartbeat" => builder.heartbeat(options::limit_in_seconds(value)?),
            "autoclose" => builder.autoclose(options::flag(value)?),
            "autoping" => builder.autoping(options::flag(value)?),
            "max_msg_size" => builder.max_msg_size(options::size(value)?),
            "compress" => builder.compress(bits(value)),
            "origin" => builder.origin(options::text(value)?),
            "headers" => builder.headers(options::headers(value)?),
            "params" => builder.query(request::params(value)?),
            "auth" => builder.basic_auth(options::basic_auth(value)?),
            "proxy" if value.is_null() => builder,
            "proxy" => builder.proxy(options::text(value)?),
            "timeout" => builder.timeout(timeout(value)?),
            "receive_timeout" => builder.timeout(ClientWsTimeout {
                ws_receive: options::limit_in_seconds(value)?,
                ..ClientWsTimeout::default()
            }),
            _ => return Err(format!("ws_connect option {option}")),
        };
    }
    Ok(builder)
}

/// Reads window bits, be they any that there are or not.
fn bits(value: &Value) -> u8 {
    let bits = value.as_u64().and_then(|bits| u8::try_from(bits).ok());
    bits.unwrap_or(u8::MAX)
}

/// Absent parts have no limit.
fn timeout(value: &Value) -> Result<ClientWsTimeout, String> {
    let parts = value.as_object();
    let parts = parts.ok_or_else(|| format!("no timeouts: {value}"))?;
    let mut timeout = ClientWsTimeout::none();
    for (part, value) in parts {
        let limit = match part.as_str() {
            "ws_receive" => &mut timeout.ws_receive,
            "ws_close" => &mut timeout.ws_close,
            _ => return Err(format!("timeout {part}")),
        };
        *limit = options::limit_in_seconds(value)?;
    }
    Ok(timeout)
}

fn sending(kind: &str, op: &Value) -> Result<Sending, String> {
    let payload = || match op.get("data") {
        Some(value) => bytes_in(value),
        None => Ok(Vec::new()),
    };
    let message = match kind {
        "ws_send_str" => {
            let text = String::from_utf8(payload()?).map_err(|error| error.to_string())?;
            WsMessage::from(text)
        }
        "ws_send_bytes" => WsMessage::from(payload()?),
        "ws_ping" => WsMessage::Ping(payload()?.into()),
        "ws_pong" => WsMessage::Pong(payload()?.into()),
        "ws_send_json" => return Ok(Sending::Json(op["json"].clone())),
        _ => return Err(format!("op {kind:?}")),
    };
    // 0 says nothing there: it is as agreed on.
    let says_nothing = |value: &Value| value.is_null() || value == 0;
    match op.get("compress").filter(|value| !says_nothing(value)) {
        None => Ok(Sending::Message(message)),
        Some(value) => match WindowBits::new(bits(value)) {
            Ok(bits) => Ok(Sending::Compressed(message, bits)),
            Err(error) => Err(format!("compress {value}: {error}")),
        },
    }
}

impl Socket {
    fn new(ws: ClientWebSocketResponse, in_halves: bool) -> Self {
        if !in_halves {
            return Self::Whole(Mutex::new(ws));
        }
        let (reader, writer) = ws.split();
        Self::Halves {
            reader: Mutex::new(reader),
            writer: Mutex::new(writer),
        }
    }

    async fn receive_as(&self, op: &Value) -> Result<Value, String> {
        let limit = op.get("timeout").map(options::seconds).transpose()?;
        let received = match op["as"].as_str() {
            None => match self.receive(limit).await {
                // It is a call that failed, and no message.
                Err(error @ WsError::Timeout) => Err(error),
                received => Ok(received_out(received)),
            },
            Some("str") => self.text(limit).await.map(|text| json!({"data": *text})),
            Some("bytes") => {
                let bytes = self.bytes(limit).await;
                bytes.map(|bytes| json!({"data": bytes_out(&bytes)}))
            }
            Some("json") => self.json(limit).await.map(|json| json!({"json": json})),
            Some(other) => return Err(format!("as {other}")),
        };
        let is_typed = op.get("as").is_some();
        let mut shown = received.unwrap_or_else(|error| match error {
            // There they are messages, of another type than was asked for.
            WsError::Protocol(_) | WsError::Heartbeat { .. } if is_typed => {
                json!({"error": "WSMessageTypeError"})
            }
            error => ws_error_out(&error),
        });
        shown["state"] = self.state().await;
        Ok(shown)
    }

    async fn receive(&self, limit: Option<Duration>) -> Result<Option<WsMessage>, WsError> {
        match (self, limit) {
            (Self::Whole(ws), None) => ws.lock().await.receive().await,
            (Self::Whole(ws), Some(limit)) => ws.lock().await.receive_timeout(limit).await,
            (Self::Halves { reader, .. }, None) => reader.lock().await.receive().await,
            (Self::Halves { reader, .. }, Some(limit)) => {
                reader.lock().await.receive_timeout(limit).await
            }
        }
    }

    async fn text(&self, limit: Option<Duration>) -> Result<WsText, WsError> {
        match (self, limit) {
            (Self::Whole(ws), None) => ws.lock().await.receive_str().await,
            (Self::Halves { reader, .. }, None) => reader.lock().await.receive_str().await,
            (_, Some(_)) => match self.receive(limit).await? {
                Some(WsMessage::Text(text)) => Ok(text),
                other => Err(wrong_type(WsMsgType::Text, other)),
            },
        }
    }

    async fn bytes(&self, limit: Option<Duration>) -> Result<Vec<u8>, WsError> {
        let bytes = match (self, limit) {
            (Self::Whole(ws), None) => ws.lock().await.receive_bytes().await,
            (Self::Halves { reader, .. }, None) => reader.lock().await.receive_bytes().await,
            (_, Some(_)) => match self.receive(limit).await? {
                Some(WsMessage::Binary(bytes)) => Ok(bytes),
                other => Err(wrong_type(WsMsgType::Binary, other)),
            },
        };
        bytes.map(Into::into)
    }

    async fn json(&self, limit: Option<Duration>) -> Result<Value, WsError> {
        match (self, limit) {
            (Self::Whole(ws), None) => ws.lock().await.receive_json().await,
            _ => {
                let text = self.text(limit).await?;
                serde_json::from_str(&text).map_err(|error| WsError::ReadJson(Arc::new(error)))
            }
        }
    }

    async fn iterate(&self) -> Value {
        let mut messages = Vec::new();
        let error = loop {
            match self.receive(None).await {
                Ok(None | Some(WsMessage::Close(_) | WsMessage::Closing)) => break None,
                // It is a call that failed, and no message.
                Err(error @ WsError::Timeout) => break Some(error),
                received => messages.push(received_out(received)),
            }
        };
        let mut shown = json!({"messages": messages, "state": self.state().await});
        if let Some(error) = error {
            shown["error"] = json!(error.aiohttp_class());
        }
        shown
    }

    async fn send(&self, sending: Sending) -> Result<(), WsError> {
        match (self, sending) {
            (Self::Whole(ws), Sending::Message(message)) => ws.lock().await.send(message).await,
            (Self::Whole(ws), Sending::Compressed(message, bits)) => {
                ws.lock().await.send_compressed(message, bits).await
            }
            (Self::Whole(ws), Sending::Json(json)) => ws.lock().await.send_json(&json).await,
            (Self::Halves { writer, .. }, Sending::Message(message)) => {
                writer.lock().await.send(message).await
            }
            (Self::Halves { writer, .. }, Sending::Compressed(message, bits)) => {
                writer.lock().await.send_compressed(message, bits).await
            }
            (Self::Halves { writer, .. }, Sending::Json(json)) => {
                writer.lock().await.send_str(json.to_string()).await
            }
        }
    }

    async fn close(&self, op: &Value) -> Result<Value, String> {
        let code = match op.get("code") {
            None => CloseCode::OK,
            Some(value) => {
                let code = value.as_u64().and_then(|code| u16::try_from(code).ok());
                let code = code.and_then(CloseCode::from_wire);
                code.ok_or_else(|| format!("close code {value}"))?
            }
        };
        let reason = op.get("message").map(bytes_in).transpose()?;
        let reason = String::from_utf8(reason.unwrap_or_default());
        let reason = reason.map_err(|error| format!("close message: {error}"))?;
        let closes = match self {
            Self::Whole(ws) => ws.lock().await.close(code, reason).await,
            Self::Halves { writer, reader } => match writer.try_lock() {
                Ok(mut writer) => writer.close(code, reason).await,
                // Another task closes by the one half: there is the other one.
                Err(_) => reader.lock().await.close(code, reason).await,
            },
        };
        Ok(json!({"result": closes, "state": self.state().await}))
    }

    async fn state(&self) -> Value {
        let (closed, code, exception) = match self {
            Self::Whole(ws) => {
                let ws = ws.lock().await;
                (ws.is_closed(), ws.close_code(), ws.exception())
            }
            Self::Halves { reader, writer } => match writer.try_lock() {
                Ok(ws) => (ws.is_closed(), ws.close_code(), ws.exception()),
                Err(_) => {
                    let ws = reader.lock().await;
                    (ws.is_closed(), ws.close_code(), ws.exception())
                }
            },
        };
        let exception = exception.as_ref().map(exception_name);
        json!({"closed": closed, "close_code": code, "exception": exception})
    }
}

fn wrong_type(expected: WsMsgType, got: Option<WsMessage>) -> WsError {
    let got = got.map_or(WsMsgType::Closed, |message| message.msg_type());
    WsError::MessageType { expected, got }
}

/// Shows a message, also the one that an error is in aiohttp.
fn received_out(received: Result<Option<WsMessage>, WsError>) -> Value {
    let mut shown = Map::new();
    let mut show = |name: &str, value: Value| _ = shown.insert(name.to_owned(), value);
    let kind = match &received {
        Ok(message) => message
            .as_ref()
            .map_or(WsMsgType::Closed, WsMessage::msg_type),
        Err(_) => WsMsgType::Error,
    };
    show("type", json!(format!("{kind:?}").to_uppercase()));
    match received {
        Ok(None | Some(WsMessage::Closing)) => {}
        Ok(Some(WsMessage::Text(text))) => show("data", ws_text_out(&text)),
        Ok(Some(WsMessage::Close(frame))) => {
            // aiohttp's number for no code.
            let code = frame.as_ref().map_or(0, |frame| frame.code.get());
            let reason = frame.map(|CloseFrame { reason, .. }| reason);
            show("code", json!(code));
            show("reason", json!(*reason.unwrap_or_default()));
        }
        Ok(Some(message)) => {
            let payload = message.into_bytes().unwrap_or_default();
            show("data", body_out(&payload));
        }
        Err(error) => {
            show("error", json!(exception_name(&error)));
            if let WsError::Protocol(error) = error {
                show("code", json!(error.close_code().get()));
            }
        }
    }
    shown.into()
}

/// Shows a text by itself if it is short.
fn ws_text_out(text: &str) -> Value {
    let mut shown = text_out(text);
    match shown.get_mut("text") {
        Some(text) => text.take(),
        None => shown,
    }
}

fn ws_error_out(error: &WsError) -> Value {
    json!({"error": error.aiohttp_class()})
}

fn exception_name(error: &WsError) -> &'static str {
    match error.aiohttp_class() {
        name @ ("WebSocketError" | "ServerTimeoutError" | "TimeoutError") => name,
        _ => "other",
    }
}
