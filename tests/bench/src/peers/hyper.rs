//! hyper's connection in a task of its own, without a pool.

use std::{
    convert::Infallible,
    io::Read as _,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes};
use flate2::bufread::GzDecoder;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{
        ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, HOST, LAST_MODIFIED, SERVER,
        VARY,
    },
};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Client, REQUEST_HEADERS, UPLOAD_CHUNK, check_answer};
use crate::{Fallible, answers, rows::Row};

pub(crate) struct Hyper {
    sender: SendRequest<Upload>,
    method: Method,
    target: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Client for Hyper {
    async fn open(row: Row, address: SocketAddr, tasks: usize) -> Fallible<Vec<Self>> {
        let mut clients = Vec::with_capacity(tasks);
        for _ in 0..tasks {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            // It ends when `sender` is dropped.
            tokio::spawn(connection);
            clients.push(Self {
                sender,
                method: if row.upload_len() == 0 {
                    Method::GET
                } else {
                    Method::POST
                },
                target: Uri::from_static(row.path()),
                headers: request_headers(address)?,
            });
        }
        Ok(clients)
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        let mut request = Request::new(Upload {
            left: row.upload_len(),
        });
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status().as_u16();
        if row == Row::Headers && ten_values(response.headers()) < answers::TEN_HEADERS.len() / 2 {
            return Err("too few headers".into());
        }
        let body = response.into_body();
        let length = match row {
            Row::Get | Row::Headers | Row::Upload => body.collect().await?.to_bytes().len(),
            Row::Download => length_of(body).await?,
            Row::Gzip => inflated(body).await?.len(),
        };
        check_answer(row, status, length)
    }
}

fn request_headers(address: SocketAddr) -> Fallible<Vec<(HeaderName, HeaderValue)>> {
    let mut headers = vec![(HOST, HeaderValue::from_str(&address.to_string())?)];
    for (name, value) in REQUEST_HEADERS {
        headers.push((
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        ));
    }
    Ok(headers)
}

/// Returns the length of the ten values together.
fn ten_values(headers: &HeaderMap) -> usize {
    const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    [
        DATE,
        SERVER,
        CONTENT_TYPE,
        ETAG,
        LAST_MODIFIED,
        CACHE_CONTROL,
        VARY,
        ACCEPT_RANGES,
        AGE,
        X_REQUEST_ID,
    ]
    .iter()
    .filter_map(|name| headers.get(name))
    .map(HeaderValue::len)
    .sum()
}

async fn length_of(mut body: Incoming) -> Fallible<usize> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(length)
}

async fn inflated(body: Incoming) -> Fallible<Vec<u8>> {
    let encoded = body.collect().await?.aggregate();
    let mut decoded = Vec::with_capacity(answers::JSON);
    GzDecoder::new(encoded.reader()).read_to_end(&mut decoded)?;
    Ok(decoded)
}

/// A body of known length, in chunks; empty for a GET.
pub(crate) struct Upload {
    left: usize,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let chunk = &UPLOAD_CHUNK[..UPLOAD_CHUNK.len().min(self.left)];
        self.left -= chunk.len();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(chunk)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}
