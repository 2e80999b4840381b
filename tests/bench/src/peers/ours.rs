//! Our session: one for all tasks, each request sent and read as a user would.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use aio_client::{
    Body, ClientSession, ClientWebSocketResponse, Content, HeaderView, TcpConnector, TlsConfig,
    WsMessage, WsText,
};
use bytes::Bytes;
use futures_core::Stream;
use url::Url;

use super::{CHUNK, Client, Peer, UPLOAD_CHUNK, check_answer, crew, websocket};
use crate::{
    Fallible, answers,
    rows::{Given, Messages, Reading, Row},
    site::Site,
};

pub(crate) const PEER: Peer = Peer {
    name: "ours",
    open: |row, site| {
        if row.messages.is_some() {
            crew::<Socket>(row, site)
        } else {
            crew::<Ours>(row, site)
        }
    },
};

struct Ours {
    session: ClientSession,
    text: String,
    url: Url,
}

impl Client for Ours {
    async fn open(row: Row, site: &Site) -> Fallible<Vec<Self>> {
        let connector = TcpConnector::builder().limit(100);
        let connector = if row.link.is_kept() {
            // Between two slices of a peer more time may pass than the default of 15 s.
            connector.keepalive_timeout(None)
        } else {
            connector.force_close(true)
        };
        let tls = TlsConfig::builder().root_certificate_pem(site.certificate.as_bytes());
        let connector = connector.tls(tls.build()?);
        let session = ClientSession::builder()
            .connector(connector.build()?)
            .build()?;
        let text = site.url(row.link, row.path);
        let url = Url::parse(&text)?;
        let client = || Self {
            session: session.clone(),
            text: text.clone(),
            url: url.clone(),
        };
        Ok((0..row.tasks).map(|_| client()).collect())
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        let request = match (row.upload_len, row.url) {
            (0, Given::Parsed) => self.session.get(self.url.clone()),
            (0, Given::Text) => self.session.get(&self.text),
            (..=CHUNK, _) => self
                .session
                .post(self.url.clone())
                .body(Bytes::from_static(&UPLOAD_CHUNK[..row.upload_len])),
            (length, _) => {
                let body = Body::sized_stream(Upload { left: length }, length as u64);
                self.session.post(self.url.clone()).body(body)
            }
        };
        let mut response = request.send().await?;
        let status = response.status().as_u16();
        let length = match row.reading {
            Reading::TenHeaders => {
                if ten_values(response.headers()) < answers::TEN_HEADERS.len() / 2 {
                    return Err("too few headers".into());
                }
                response.read().await?.len()
            }
            Reading::Whole | Reading::Decoded(_) => response.read().await?.len(),
            Reading::Chunks => length_of(response.content()).await?,
        };
        check_answer(row, status, length)
    }
}

/// Returns the length of the ten values together.
fn ten_values(headers: &HeaderView) -> usize {
    [
        "date",
        "server",
        "content-type",
        "etag",
        "last-modified",
        "cache-control",
        "vary",
        "accept-ranges",
        "age",
        "x-request-id",
    ]
    .iter()
    .filter_map(|name| headers.get(name))
    .map(|field| field.as_bytes().len())
    .sum()
}

async fn length_of(content: &mut Content) -> Fallible<usize> {
    let mut length = 0;
    while let Some(chunk) = content.chunk().await? {
        length += chunk.len();
    }
    Ok(length)
}

/// The pieces of an uploaded body.
struct Upload {
    left: usize,
}

impl Stream for Upload {
    type Item = Fallible<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let chunk = &UPLOAD_CHUNK[..UPLOAD_CHUNK.len().min(self.left)];
        self.left -= chunk.len();
        Poll::Ready(Some(Ok(Bytes::from_static(chunk))))
    }
}

/// A WebSocket of a session that all tasks share.
struct Socket {
    socket: ClientWebSocketResponse,
    message: WsMessage,
    waiting: u32,
}

impl Socket {
    async fn receive(&mut self, row: Row) -> Fallible<()> {
        let length = match self.socket.receive().await?.ok_or("the server is gone")? {
            WsMessage::Text(text) => text.len(),
            WsMessage::Binary(bytes) => bytes.len(),
            _ => return Err("not a message".into()),
        };
        websocket::check(row, length)
    }
}

impl Client for Socket {
    async fn open(row: Row, site: &Site) -> Fallible<Vec<Self>> {
        let session = ClientSession::new();
        let is_deflated = row.messages == Some(Messages::Deflated);
        let message = websocket::message(row);
        let message = if is_deflated {
            WsMessage::Text(WsText::from(String::from_utf8(message)?))
        } else {
            WsMessage::Binary(message.into())
        };
        let mut sockets = Vec::with_capacity(row.tasks);
        for _ in 0..row.tasks {
            let request = session.ws_connect(site.url(row.link, row.path));
            let bits = if is_deflated { 15 } else { 0 };
            sockets.push(Self {
                socket: request.compress(bits).send().await?,
                message: message.clone(),
                waiting: 0,
            });
        }
        Ok(sockets)
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        match row.messages {
            Some(Messages::Received) => self.receive(row).await,
            Some(Messages::Sent { together }) => {
                self.socket.feed(self.message.clone()).await?;
                self.waiting += 1;
                if self.waiting == together {
                    self.waiting = 0;
                    self.socket.flush().await?;
                }
                Ok(())
            }
            _ => {
                self.socket.send(self.message.clone()).await?;
                self.receive(row).await
            }
        }
    }
}
