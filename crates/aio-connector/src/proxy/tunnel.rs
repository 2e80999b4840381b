//! A tunnel through a proxy: `CONNECT` and its answer (RFC 9110 9.3.6).

use std::fmt;
use std::io;

use aio_core::HttpError;
use aio_core::http1::{
    BodyDecoder, BodyEvent, Exchanged, Head, HeadParser, Limits, write_field, write_request_line,
};
use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Proxy;
use crate::connector::ConnectRequest;
use crate::error::{ConnectErrorKind, ConnectionError, PartialHead, Phase};
use crate::key::ConnectionKey;
use crate::transport::Transport;

/// How much is kept of what a proxy says, besides a whole head.
const MOST: usize = 4 * 1024;

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
    /// The beginning of the body, as far as it came with the head: at most 4 KiB.
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
    Refused(TunnelRefusal),
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
    let asking = ask(proxy, &mut stream, key);
    let failure = match request.within(Phase::Tunnel, asking).await? {
        Ok(()) => return Ok(stream),
        Err(failure) => failure,
    };
    let attempt = Box::new(request.attempt());
    Err(match failure {
        Failure::Refused(refusal) => ConnectionError::Tunnel { refusal, attempt },
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

async fn ask(proxy: &Proxy, stream: &mut Transport, key: &ConnectionKey) -> Result<(), Failure> {
    let sent = connect_head(proxy, key)?;
    stream.write_all(&sent).await.map_err(Failure::Io)?;
    stream.flush().await.map_err(Failure::Io)?;
    let limits = Limits::default();
    let mut parser = HeadParser::new(limits);
    let mut received = BytesMut::new();
    let mut interim = 0;
    let malformed = |error| Failure::Refused(TunnelRefusal::Malformed(error));
    let head = loop {
        match parser.parse(&mut received).map_err(malformed)? {
            Some(head) if is_interim(head.status) => {
                interim += 1;
                if interim > limits.max_interim {
                    let limit = limits.max_interim;
                    return Err(malformed(HttpError::TooManyInterim { limit }));
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
        let body = beginning(&head, received, &limits);
        let answer = TunnelAnswer { head, body, sent };
        return Err(Failure::Refused(TunnelRefusal::Status(Box::new(answer))));
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
fn connect_head(proxy: &Proxy, key: &ConnectionKey) -> Result<Bytes, Failure> {
    let (host, port) = (key.host(), key.port());
    let target = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    let mut head = BytesMut::new();
    let write = |head: &mut BytesMut| {
        write_request_line(head, &Method::CONNECT, &target, Version::HTTP_11)?;
        write_field(head, "Host", key.host_header().as_bytes())?;
        for field in proxy
            .headers()
            .iter()
            .filter(|field| !is_ours(field.name()))
        {
            write_field(head, field.name(), field.as_bytes())?;
        }
        if let Some(authorization) = proxy.authorization() {
            write_field(head, "Proxy-Authorization", authorization)?;
        }
        Ok(())
    };
    write(&mut head)
        .map_err(|error: aio_core::HeaderError| Failure::Io(io::Error::other(error)))?;
    head.extend_from_slice(b"\r\n");
    Ok(head.freeze())
}

/// Fields that would make another request of it.
fn is_ours(name: &str) -> bool {
    ["host", "content-length", "transfer-encoding"]
        .iter()
        .any(|ours| name.eq_ignore_ascii_case(ours))
}

/// Returns what has come of the body, without its framing.
fn beginning(head: &Head, mut received: BytesMut, limits: &Limits) -> Bytes {
    let Ok(message) = head.message(Exchanged::of(&Method::GET)) else {
        return Bytes::new();
    };
    let mut decoder = BodyDecoder::new(message.framing, limits, head.headers.len());
    let mut body = BytesMut::new();
    while let Ok(event) = decoder.decode(&mut received) {
        match event {
            BodyEvent::Data(data) => body.extend_from_slice(&data),
            BodyEvent::ChunkEnd => {}
            BodyEvent::End | BodyEvent::More => break,
        }
    }
    body.truncate(MOST);
    body.freeze()
}
