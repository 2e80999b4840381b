//! The clients of others, and what those on hyper's types share.

mod curl;
mod hyper;
mod hyper_util;
mod reqwest;
mod websocket;

use std::{
    convert::Infallible,
    io::Read as _,
    pin::Pin,
    task::{Context, Poll},
};

use ::hyper::body::Incoming;
use brotli_decompressor::Decompressor;
use bytes::{Buf as _, Bytes};
use flate2::bufread::GzDecoder;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri,
    header::{
        ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, LAST_MODIFIED, SERVER, VARY,
    },
};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::{Peer, UPLOAD_CHUNK, request_headers};
use crate::{
    Fallible, answers,
    rows::{Coding, Link, Reading, Row},
};

pub(crate) const HYPER: Peer = hyper::PEER;

pub(crate) const HYPER_UTIL: Peer = hyper_util::PEER;

pub(crate) const CURL: Peer = curl::PEER;

pub(crate) use curl::takes_part as curl_takes_part;

pub(crate) use websocket::peers as websockets;

pub(crate) const REQWEST: Peer = reqwest::PEER;

fn headers(link: Link) -> HeaderMap {
    request_headers(link)
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

fn method(row: Row) -> Method {
    if row.upload_len == 0 {
        Method::GET
    } else {
        Method::POST
    }
}

fn request(row: Row, target: Uri, headers: &HeaderMap) -> Request<Upload> {
    let mut request = Request::new(Upload {
        left: row.upload_len,
    });
    *request.method_mut() = method(row);
    *request.uri_mut() = target;
    for (name, value) in headers {
        request.headers_mut().insert(name, value.clone());
    }
    request
}

/// Reads what `row` wants read, and returns the body's length.
async fn read(row: Row, response: Response<Incoming>) -> Fallible<usize> {
    check_headers(row, response.headers())?;
    let body = response.into_body();
    Ok(match row.reading {
        Reading::Whole | Reading::TenHeaders => body.collect().await?.to_bytes().len(),
        Reading::Chunks => length_of(body).await?,
        Reading::Decoded(coding) => decoded(body, coding).await?.len(),
    })
}

fn check_headers(row: Row, headers: &HeaderMap) -> Fallible<()> {
    let wanted = row.reading == Reading::TenHeaders;
    if wanted && ten_values(headers) < answers::TEN_HEADERS.len() / 2 {
        return Err("too few headers".into());
    }
    Ok(())
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

async fn decoded(body: Incoming, coding: Coding) -> Fallible<Vec<u8>> {
    let encoded = body.collect().await?.aggregate().reader();
    // No client knows how long it will be.
    let mut decoded = Vec::new();
    match coding {
        Coding::Gzip => GzDecoder::new(encoded).read_to_end(&mut decoded)?,
        Coding::Brotli => Decompressor::new(encoded, 4096).read_to_end(&mut decoded)?,
    };
    Ok(decoded)
}

/// A body of known length, in chunks; empty for a GET.
struct Upload {
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
