//! A tunnel through a proxy: `CONNECT` and its answer (RFC 9110 9.3.6).

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use aio_core::http1::{
    BodyDecoder, BodyEvent, Exchanged, Head, HeadParser, Limits, write_field, write_request_line,
};
use aio_core::{HeaderError, HttpError};
use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, split};
use tokio::time::{Instant, timeout_at};

use super::Proxy;
use crate::connector::ConnectRequest;
use crate::error::{ConnectErrorKind, ConnectionError, PartialHead, Phase};
use crate::key::ConnectionKey;
use crate::transport::Transport;

/// How much is kept of what a proxy says, besides a whole head.
const MOST: usize = 4 * 1024;

/// How long is waited for that much of the body: most send it right behind the head, some
/// never.
const PATIENCE: Duration = Duration::from_millis(250);

/// What a proxy says in place of giving a tunnel.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TunnelRefusal {
    /// Another status than 200.
    Status(Box<TunnelAnswer>),
    /// No HTTP, or more of it than the limits allow.
    Malformed(HttpError),
}

impl fmt::Display for TunnelRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(answer) => write!(f, "status {}", answer.head.status.as_u16()),
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

/// How a proxy refuses a tunnel.
#[derive(Clone)]
#[non_exhaustive]
pub struct TunnelAnswer {
    /// The head of its answer.
    pub head: Head,
    /// The beginning of the body, as far as it came with the head or within 250 ms: at most
    /// 4 KiB.
    pub body: Bytes,
    /// The head of the request for the tunnel.
    pub sent: Bytes,
}

impl fmt::Debug for TunnelAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelAnswer")
            .field("status", &self.head.status)
            .field("headers", &self.head.headers)
            .finish_non_exhaustive()
    }
}

/// Why there is no tunnel.
enum Failure {
    /// Another status than 200, and what came behind it.
    Refused(Box<Head>, BytesMut),
    Malformed(HttpError),
    Disconnected(PartialHead),
    /// It says more than its answer: nobody else could have said it yet.
    Talkative,
    Io(io::Error),
}

/// Asks the proxy at the other end of `stream` for a tunnel to the peer, within
/// `sock_connect`.
pub(crate) async fn open(
    proxy: &Proxy,
    mut stream: Transport,
    key: &ConnectionKey,
    request: &mut ConnectRequest<'_>,
) -> Result<Transport, ConnectionError> {
    let unfit = |error| request.failed(proxy.key(), ConnectErrorKind::Proxy, error);
    let sent = connect_head(proxy, key).map_err(unfit)?;
    let asking = ask(&sent, &mut stream);
    let failure = match request.within(Phase::Tunnel, asking).await? {
        Ok(()) => return Ok(stream),
        Err(failure) => failure,
    };
    let attempt = Box::new(request.attempt());
    Err(match failure {
        Failure::Refused(head, received) => {
            let body = beginning(&head, &mut stream, received).await;
            let head = *head;
            let answer = Box::new(TunnelAnswer { head, body, sent });
            let refusal = TunnelRefusal::Status(answer);
            ConnectionError::Tunnel { refusal, attempt }
        }
        Failure::Malformed(error) => {
            let refusal = TunnelRefusal::Malformed(error);
            ConnectionError::Tunnel { refusal, attempt }
        }
        Failure::Disconnected(partial) => ConnectionError::Disconnected { partial, attempt },
        Failure::Io(source) => ConnectionError::Os {
            attempt,
            source: source.into(),
        },
        Failure::Talkative => {
            let error = io::Error::new(
                io::ErrorKind::InvalidData,
                "the proxy said more than its answer",
            );
            request.failed(proxy.key(), ConnectErrorKind::Proxy, error)
        }
    })
}

/// Writes and reads at the same time: who refuses need not hear to the end what it refuses.
async fn ask(sent: &[u8], stream: &mut Transport) -> Result<(), Failure> {
    let (mut reader, mut writer) = split(stream);
    let mut asking = pin!(async {
        writer.write_all(sent).await?;
        writer.flush().await
    });
    let mut answering = pin!(answer(&mut reader));
    let mut asked = None;
    let answered = poll_fn(|cx| {
        if asked.is_none()
            && let Poll::Ready(written) = asking.as_mut().poll(cx)
        {
            asked = Some(written);
        }
        answering.as_mut().poll(cx)
    })
    .await;
    match (answered, asked) {
        // An alert of TLS: what the proxy says comes before what its closing did.
        (Err(Failure::Io(error)), _) if error.kind() == io::ErrorKind::InvalidData => {
            Err(Failure::Io(error))
        }
        // Why it has left shows best in what could not be written.
        (Err(Failure::Disconnected(_) | Failure::Io(_)), Some(Err(error))) => {
            Err(Failure::Io(error))
        }
        // Nobody has asked for that tunnel.
        (Ok(()), None | Some(Err(_))) => Err(Failure::Talkative),
        (answered, _) => answered,
    }
}

/// Reads an answer, of which nothing may be left over.
async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), Failure> {
    let limits = Limits::default();
    let mut parser = HeadParser::new(limits);
    let mut received = BytesMut::with_capacity(MOST);
    let mut interim = 0;
    let head = loop {
        match parser.parse(&mut received).map_err(Failure::Malformed)? {
            Some(head) if is_interim(head.status) => {
                interim += 1;
                if interim > limits.max_interim {
                    let limit = limits.max_interim;
                    return Err(Failure::Malformed(HttpError::TooManyInterim { limit }));
                }
            }
            Some(head) => break head,
            None => {
                if stream.read_buf(&mut received).await.map_err(Failure::Io)? == 0 {
                    received.truncate(MOST);
                    return Err(Failure::Disconnected((&*received).into()));
                }
            }
        }
    };
    if head.status != StatusCode::OK {
        return Err(Failure::Refused(Box::new(head), received));
    }
    if received.is_empty() {
        Ok(())
    } else {
        Err(Failure::Talkative)
    }
}

/// A tunnel is no upgrade: 101 does not announce another answer, but is one.
fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

/// Writes the request for a tunnel: of the user's request nothing but the peer (CON-85,
/// CON-86, REQ-39).
fn connect_head(proxy: &Proxy, key: &ConnectionKey) -> Result<Bytes, HeaderError> {
    let (host, port) = (key.host(), key.port());
    let target = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    let mut head = BytesMut::new();
    write_request_line(&mut head, &Method::CONNECT, &target, Version::HTTP_11)?;
    write_field(&mut head, "Host", key.host_header().as_bytes())?;
    let fields = proxy.headers().iter();
    for field in fields.filter(|field| !is_ours(field.name())) {
        write_field(&mut head, field.name(), field.as_bytes())?;
    }
    if let Some(authorization) = proxy.authorization() {
        write_field(&mut head, "Proxy-Authorization", authorization)?;
    }
    head.extend_from_slice(b"\r\n");
    Ok(head.freeze())
}

/// Fields that would make another request of it.
fn is_ours(name: &str) -> bool {
    ["host", "content-length", "transfer-encoding"]
        .iter()
        .any(|ours| name.eq_ignore_ascii_case(ours))
}

/// Returns the beginning of the body, without its framing.
async fn beginning(head: &Head, stream: &mut Transport, mut received: BytesMut) -> Bytes {
    let Ok(message) = head.message(Exchanged::of(&Method::GET)) else {
        return Bytes::new();
    };
    let limits = Limits::default();
    let mut decoder = BodyDecoder::new(message.framing, &limits, head.headers.len());
    let mut body = BytesMut::new();
    let until = Instant::now() + PATIENCE;
    while body.len() < MOST {
        match decoder.decode(&mut received) {
            Ok(BodyEvent::Data(data)) => body.extend_from_slice(&data),
            Ok(BodyEvent::ChunkEnd) => {}
            Ok(BodyEvent::More) => {
                let Ok(Ok(1..)) = timeout_at(until, stream.read_buf(&mut received)).await else {
                    break;
                };
            }
            Ok(BodyEvent::End) | Err(_) => break,
        }
    }
    body.truncate(MOST);
    body.freeze()
}

#[cfg(test)]
mod tests;
