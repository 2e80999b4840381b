//! Our session: one for all tasks, each request sent and read as a user would.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use aio_client::{Body, ClientSession, Content, HeaderView, TcpConnector};
use bytes::Bytes;
use futures_core::Stream;
use http::Method;
use url::Url;

use super::{Client, UPLOAD_CHUNK, check_answer};
use crate::{Fallible, answers, rows::Row};

pub(crate) struct Ours {
    session: ClientSession,
    method: Method,
    url: Url,
}

impl Client for Ours {
    async fn open(row: Row, address: SocketAddr, tasks: usize) -> Fallible<Vec<Self>> {
        // The default limit is 100, above the tasks of every row.
        let connector = TcpConnector::builder()
            // Between two slices of a peer more time may pass than the default of 15 s.
            .keepalive_timeout(None)
            .build()?;
        let session = ClientSession::builder().connector(connector).build()?;
        let url = Url::parse(&format!("http://{address}{}", row.path()))?;
        let method = match row.upload_len() {
            0 => Method::GET,
            _ => Method::POST,
        };
        let client = || Self {
            session: session.clone(),
            method: method.clone(),
            url: url.clone(),
        };
        Ok((0..tasks).map(|_| client()).collect())
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        let url = self.url.clone();
        let request = if self.method == Method::GET {
            self.session.get(url)
        } else {
            let (stream, length) = (Upload::new(row), row.upload_len() as u64);
            self.session
                .post(url)
                .body(Body::sized_stream(stream, length))
        };
        let mut response = request.send().await?;
        let status = response.status().as_u16();
        if row == Row::Headers && ten_values(response.headers()) < answers::TEN_HEADERS.len() / 2 {
            return Err("too few headers".into());
        }
        let length = match row {
            Row::Get | Row::Headers | Row::Upload | Row::Gzip => response.read().await?.len(),
            Row::Download => length_of(response.content()).await?,
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

impl Upload {
    fn new(row: Row) -> Self {
        Self {
            left: row.upload_len(),
        }
    }
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
