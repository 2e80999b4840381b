//! A response as a body, and as a response of the `http` crate.

use aio_core::Body;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{Method, StatusCode};

use super::ClientResponse;
use crate::content::Content;

impl From<Content> for Body {
    /// Sends what is left of a response on, as it comes; with its length, if that is known,
    /// or with its trailers, if there are any.
    ///
    /// ```
    /// # use aio_client::{ClientError, ClientSession};
    /// # async fn run(session: ClientSession) -> Result<(), ClientError> {
    /// let response = session.get("http://127.0.0.1:8080/big.iso").await?;
    /// session.put("http://127.0.0.1:8081/copy.iso").body(response.into_stream()).await?;
    /// # Ok(())
    /// # }
    /// ```
    fn from(content: Content) -> Self {
        Self::from_http(content)
    }
}

impl From<ClientResponse> for http::Response<Body> {
    /// Keeps status, version, headers and body; [`ResponseHead`](crate::ResponseHead) is
    /// among the extensions.
    ///
    /// The body comes as it is read, trailers with it. One that was read whole before is there
    /// again, without trailers. Where it is decoded, `Content-Encoding` and `Content-Length` would not be true any more
    /// and are left out; so are headers that the `http` crate refuses. Those of the
    /// connection, as `Transfer-Encoding`, stay as they were received.
    ///
    /// ```
    /// # async fn run(response: aio_client::ClientResponse) {
    /// let response: http::Response<aio_client::Body> = response.into();
    /// let (parts, body) = response.into_parts();
    /// println!("{} {:?}", parts.status, body.len());
    /// # }
    /// ```
    fn from(response: ClientResponse) -> Self {
        let ClientResponse {
            head,
            content,
            body,
            ..
        } = response;
        let (mut headers, _) = head.headers().to_map();
        let has_body = head.method() != Method::HEAD && head.status() != StatusCode::NOT_MODIFIED;
        if content.is_decoding() && has_body {
            headers.remove(CONTENT_ENCODING);
            headers.remove(CONTENT_LENGTH);
        }
        let mut converted = Self::new(match body {
            Some(body) => Body::from(body),
            None => content.into(),
        });
        *converted.status_mut() = head.status();
        *converted.version_mut() = head.version();
        *converted.headers_mut() = headers;
        converted.extensions_mut().insert(head);
        converted
    }
}
