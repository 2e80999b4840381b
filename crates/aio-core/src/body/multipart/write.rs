//! Multipart bodies to be sent.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;

use super::encode::{Coded, Codings};
use crate::body::form::{self, FormError};
use crate::body::{Body, BodyStream, BoxError};
use crate::headers::{Headers, is_token};
use crate::text::Charset;

/// A body of several parts, each with headers of its own; aiohttp's `MultipartWriter`.
///
/// Its length is known if that of each part is, and it can be sent again if each part can.
/// Else a part that is opened late, such as a file, is of unknown length as well. Big parts
/// are not copied.
///
/// ```
/// use aio_core::{Body, Headers, MultipartWriter};
///
/// let mut writer = MultipartWriter::with_boundary("mixed", "limit")?;
/// writer.append("héé", &Headers::new())?;
/// let body = Body::from(writer);
/// assert_eq!(body.content_type(), Some("multipart/mixed; boundary=limit"));
/// let text = "--limit\r\nContent-Type: text/plain; charset=utf-8\r\n\
///     Content-Length: 5\r\n\r\nhéé\r\n--limit--\r\n";
/// assert_eq!(body.as_bytes().unwrap(), text);
/// # Ok::<(), aio_core::form::FormError>(())
/// ```
pub struct MultipartWriter {
    subtype: Box<str>,
    boundary: Box<str>,
    parts: Vec<Part>,
}

struct Part {
    headers: Headers,
    codings: Codings,
    body: Body,
}

impl MultipartWriter {
    /// Makes one of type `multipart/subtype` without parts.
    ///
    /// aiohttp's default subtype is `mixed`; its boundaries are 32 random hexadecimal
    /// digits. A boundary must not occur in a part, and nobody checks that: whoever writes
    /// the parts must not be able to guess it.
    ///
    /// # Errors
    /// If the subtype is no token, or the boundary is empty, not ASCII, or has a control
    /// character other than TAB.
    pub fn with_boundary(subtype: &str, boundary: &str) -> Result<Self, FormError> {
        if subtype.is_empty() || !subtype.bytes().all(is_token) {
            return Err(FormError::Subtype(subtype.into()));
        }
        let is_valid = |byte: u8| (b' '..=b'~').contains(&byte) || byte == b'\t';
        if boundary.is_empty() || !boundary.bytes().all(is_valid) {
            return Err(FormError::Boundary(boundary.into()));
        }
        Ok(Self {
            subtype: subtype.into(),
            boundary: boundary.into(),
            parts: Vec::new(),
        })
    }

    /// Appends a part: text, bytes, another writer or any [`Body`].
    ///
    /// Its `Content-Type` is the body's, unless `headers` has one. A `Content-Encoding` of
    /// `deflate` (raw) or `gzip` and a `Content-Transfer-Encoding` of `base64` or
    /// `quoted-printable` are applied to the part; with neither, `Content-Length` is added
    /// if it is known.
    ///
    /// In `form-data` these three headers are forbidden, and a `Content-Disposition` with a
    /// made-up name is added if there is none.
    ///
    /// # Errors
    /// If the headers ask for an unknown coding, or are not for `form-data`; if the body's
    /// content type has a control character.
    pub fn append(&mut self, body: impl Into<Body>, headers: &Headers) -> Result<(), FormError> {
        let body = body.into();
        let mut all = Headers::new();
        if let Some(content_type) = body.content_type() {
            all.append("Content-Type", content_type)?;
        }
        all.merge(headers);
        if self.is_form() {
            let is_forbidden = |name: &&str| all.contains(name);
            if let Some(name) = FORBIDDEN_IN_FORMS.into_iter().find(is_forbidden) {
                return Err(FormError::FormHeader(name));
            }
            if !all.contains(DISPOSITION) {
                let name = format!("section-{}", self.parts.len());
                all.append(DISPOSITION, form::quoted_disposition(&name, None))?;
            }
        }
        self.parts.push(Part {
            codings: Codings::of(&all)?,
            headers: all,
            body,
        });
        Ok(())
    }

    /// Appends a part of JSON that is written already.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_json(
        &mut self,
        json: impl Into<Bytes>,
        headers: &Headers,
    ) -> Result<(), FormError> {
        self.append(Body::typed(json, "application/json"), headers)
    }

    /// Appends a part of pairs as `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_form<K: AsRef<str>, V: AsRef<str>>(
        &mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
        headers: &Headers,
    ) -> Result<(), FormError> {
        let text = form::urlencode(pairs, Charset::UTF_8)?;
        self.append(Body::typed(text, form::URLENCODED), headers)
    }

    /// Returns what stands between the parts.
    pub fn boundary(&self) -> &str {
        &self.boundary
    }

    /// Returns the `Content-Type` of the whole; the boundary is quoted if it is no token.
    pub fn content_type(&self) -> String {
        let (subtype, boundary) = (&self.subtype, &self.boundary);
        match boundary.bytes().all(is_token) {
            true => format!("multipart/{subtype}; boundary={boundary}"),
            false => {
                let boundary = form::escaped(boundary, "\\\"");
                format!("multipart/{subtype}; boundary=\"{boundary}\"")
            }
        }
    }

    /// Returns the number of parts.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Tells whether there is no part.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Makes another writer with the same parts, unless one of them can be sent once only.
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self {
            subtype: self.subtype.clone(),
            boundary: self.boundary.clone(),
            parts: self
                .parts
                .iter()
                .map(Part::try_clone)
                .collect::<Option<_>>()?,
        })
    }

    fn is_form(&self) -> bool {
        *self.subtype == *"form-data"
    }

    /// Opens each part, so that the length of each is known before the first is sent.
    async fn open(mut self) -> Result<Body, BoxError> {
        for part in &mut self.parts {
            part.body.open().await?;
        }
        Ok(self.laid_out())
    }

    fn laid_out(self) -> Body {
        let with_length = !self.is_form();
        let mut layout = Layout::new();
        for mut part in self.parts {
            if with_length && let Some(length) = part.len() {
                part.headers
                    .insert("Content-Length", length.to_string())
                    .expect("digits are a value");
            }
            layout.push_text(&["--", &self.boundary, "\r\n"]);
            layout.push_head(&part.headers);
            layout.push_body(part);
            layout.push_text(&["\r\n"]);
        }
        layout.push_text(&["--", &self.boundary, "--\r\n"]);
        layout.into_body()
    }
}

const DISPOSITION: &str = "Content-Disposition";

/// RFC 7578 4.7 and 4.8.
const FORBIDDEN_IN_FORMS: [&str; 3] = [
    "Content-Encoding",
    "Content-Length",
    "Content-Transfer-Encoding",
];

impl From<MultipartWriter> for Body {
    fn from(writer: MultipartWriter) -> Self {
        let content_type = writer.content_type();
        let again = match writer.parts.iter().all(Part::is_small) {
            true => None,
            false => writer.try_clone(),
        };
        let body = match again {
            // All of it is there; or it is sent once, each part opened when it is its turn.
            None => writer.laid_out(),
            Some(again) => {
                let length = again.laid_out().len();
                // A lock for `Sync` alone, which streams are not.
                let writer = Mutex::new(writer);
                Self::replayable(length, move || {
                    let writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                    let writer = writer.try_clone();
                    async { writer.ok_or("a part cannot be sent again")?.open().await }
                })
            }
        };
        body.with_content_type(content_type)
    }
}

impl fmt::Debug for MultipartWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultipartWriter")
            .field("content_type", &self.content_type())
            .field("len", &self.len())
            .finish()
    }
}

impl Part {
    /// The length as sent, if known.
    fn len(&self) -> Option<u64> {
        self.body.len().filter(|_| self.codings.are_none())
    }

    fn is_small(&self) -> bool {
        self.plain_bytes().is_some_and(|bytes| bytes.len() <= SMALL)
    }

    /// The bytes as sent, if they are there.
    fn plain_bytes(&self) -> Option<&Bytes> {
        self.body.as_bytes().filter(|_| self.codings.are_none())
    }

    fn try_clone(&self) -> Option<Self> {
        Some(Self {
            headers: self.headers.clone(),
            codings: self.codings,
            body: self.body.try_clone()?,
        })
    }
}

/// Up to here a part is copied to stand in one piece with the boundaries around it, which
/// saves a write each.
const SMALL: usize = 64 * 1024;

/// The pieces of a whole in their order.
struct Layout {
    pieces: VecDeque<Piece>,
    /// What the next piece begins with.
    text: BytesMut,
    length: Option<u64>,
}

enum Piece {
    Bytes(Bytes),
    Frames(BodyStream),
}

impl Layout {
    fn new() -> Self {
        Self {
            pieces: VecDeque::new(),
            text: BytesMut::new(),
            length: Some(0),
        }
    }

    fn push_text(&mut self, texts: &[&str]) {
        texts
            .iter()
            .for_each(|text| self.push_small(text.as_bytes()));
    }

    fn push_head(&mut self, headers: &Headers) {
        for field in headers.iter() {
            self.push_text(&[field.name(), ": "]);
            self.push_small(field.as_bytes());
            self.push_text(&["\r\n"]);
        }
        self.push_text(&["\r\n"]);
    }

    fn push_body(&mut self, part: Part) {
        match part.plain_bytes() {
            Some(bytes) if bytes.len() <= SMALL => self.push_small(bytes),
            Some(bytes) => {
                let (bytes, length) = (bytes.clone(), bytes.len() as u64);
                self.push(Piece::Bytes(bytes), Some(length));
            }
            None => {
                let length = part.len();
                let frames: BodyStream = match part.codings.are_none() {
                    true => Box::pin(part.body),
                    false => Box::pin(Coded::new(part.body, part.codings)),
                };
                self.push(Piece::Frames(frames), length);
            }
        }
    }

    fn push_small(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        self.lengthen(Some(bytes.len() as u64));
    }

    fn push(&mut self, piece: Piece, length: Option<u64>) {
        self.end_text();
        self.pieces.push_back(piece);
        self.lengthen(length);
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text).freeze();
            self.pieces.push_back(Piece::Bytes(text));
        }
    }

    fn lengthen(&mut self, by: Option<u64>) {
        self.length = self
            .length
            .zip(by)
            .and_then(|(length, by)| length.checked_add(by));
    }

    fn into_body(mut self) -> Body {
        if self.pieces.is_empty() {
            return Body::from(self.text.freeze());
        }
        self.end_text();
        Body::of_stream(Box::pin(Pieces(self.pieces)), self.length)
    }
}

/// One piece after the other.
struct Pieces(VecDeque<Piece>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        while let Some(piece) = self.0.front_mut() {
            let data = match piece {
                Piece::Bytes(bytes) => Some(std::mem::take(bytes)).filter(|left| !left.is_empty()),
                // A part has no place for trailers.
                Piece::Frames(frames) => ready!(frames.as_mut().poll_frame(cx)?)
                    .map(|frame| frame.into_data().unwrap_or_default()),
            };
            // An empty one, too: who asks for pieces says when others get their turn.
            if let Some(data) = data {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            self.0.pop_front();
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::Waker;

    use http_body::Body as _;

    use super::*;
    use crate::PayloadError;

    fn writer() -> MultipartWriter {
        MultipartWriter::with_boundary("mixed", "B").expect("a boundary")
    }

    fn form() -> MultipartWriter {
        MultipartWriter::with_boundary("form-data", "B").expect("a boundary")
    }

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.append(name, value).expect("a header");
        }
        headers
    }

    fn ready<F: Future>(future: F) -> F::Output {
        let mut future = Box::pin(future);
        match future.as_mut().poll(&mut context()) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it waits"),
        }
    }

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    /// The pieces of a body that never waits.
    fn pieces(body: impl Into<Body>) -> Result<Vec<Bytes>, BoxError> {
        let (mut body, mut pieces) = (body.into(), Vec::new());
        ready(body.open())?;
        loop {
            let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(&mut context()) else {
                panic!("it waits");
            };
            let Some(frame) = frame else {
                return Ok(pieces);
            };
            pieces.push(frame?.into_data().expect("parts have no trailers"));
        }
    }

    fn bytes(body: impl Into<Body>) -> Vec<u8> {
        pieces(body).expect("no part fails").concat()
    }

    /// A stream as a user may have it; sent once.
    struct Stream(VecDeque<Result<Bytes, BoxError>>);

    impl futures_core::Stream for Stream {
        type Item = Result<Bytes, BoxError>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn stream(texts: &[&'static str]) -> Stream {
        Stream(texts.iter().map(|&text| Ok(text.into())).collect())
    }

    #[track_caller]
    fn check(writer: MultipartWriter, want: impl AsRef<[u8]>) {
        let body = Body::from(writer);
        assert!(
            body.len()
                .is_none_or(|length| length == want.as_ref().len() as u64)
        );
        let (have, want) = (bytes(body), want.as_ref());
        assert_eq!(
            have.escape_ascii().to_string(),
            want.escape_ascii().to_string()
        );
    }

    // The bytes here and below are those of aiohttp 3.14.5.
    #[test]
    fn parts_stand_between_boundaries() {
        let mut writer = writer();
        let append = |writer: &mut MultipartWriter| {
            writer.append("text", &Headers::new())?;
            let own = headers(&[("X-A", "b"), ("content-type", "x/y")]);
            writer.append(b"\x01\x02", &own)?;
            writer.append_json("{\"a\": 1}", &Headers::new())?;
            writer.append_form([("a", "1 2"), ("\u{e9}", "&")], &Headers::new())
        };
        append(&mut writer).expect("valid parts");
        assert_eq!((writer.len(), writer.is_empty()), (4, false));
        check(
            writer,
            "--B\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n\r\ntext\r\n\
             --B\r\ncontent-type: x/y\r\nX-A: b\r\nContent-Length: 2\r\n\r\n\x01\x02\r\n\
             --B\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"a\": 1}\r\n\
             --B\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 16\r\n\r\n\
             a=1+2&%C3%A9=%26\r\n--B--\r\n",
        );
    }

    #[test]
    fn a_writer_without_parts_is_its_end() {
        check(writer(), "--B--\r\n");
        check(form(), "--B--\r\n");
    }

    #[test]
    fn a_writer_is_a_part_of_another() {
        let mut inner = MultipartWriter::with_boundary("alternative", "N").expect("valid");
        inner.append("in", &Headers::new()).expect("valid");
        let mut outer = writer();
        let own = headers(&[("X-O", "1")]);
        outer.append(inner, &own).expect("valid");
        outer.append("after", &Headers::new()).expect("valid");
        check(
            outer,
            "--B\r\nContent-Type: multipart/alternative; boundary=N\r\nX-O: 1\r\n\
             Content-Length: 78\r\n\r\n--N\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: 2\r\n\r\nin\r\n--N--\r\n\r\n--B\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nafter\r\n--B--\r\n",
        );
    }

    #[track_caller]
    fn check_coded(text: &str, coding: &[(&str, &str)], want: &[u8]) {
        let mut writer = writer();
        writer
            .append(text.to_owned(), &headers(coding))
            .expect("valid");
        let mut whole = b"--B\r\nContent-Type: text/plain; charset=utf-8\r\n".to_vec();
        for (name, value) in coding {
            whole.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        whole.extend_from_slice(want);
        whole.extend_from_slice(b"\r\n--B--\r\n");
        assert_eq!(
            Body::from(writer.try_clone().expect("text"))
                .len()
                .is_none(),
            !want.starts_with(b"Content-Length")
        );
        check(writer, whole);
    }

    #[test]
    fn parts_are_encoded_as_their_headers_say() {
        let hello = "hello hello hello";
        let content = |coding| ("Content-Encoding", coding);
        let transfer = |coding| ("Content-Transfer-Encoding", coding);
        check_coded(
            hello,
            &[content("gzip")],
            b"\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9W\xc8@\x90\0\
              \x80\x88\xf9\xe5\x11\0\0\0",
        );
        check_coded(
            hello,
            &[content("deflate")],
            b"\r\n\xcbH\xcd\xc9\xc9W\xc8@\x90\0",
        );
        check_coded(
            hello,
            &[content("identity")],
            b"Content-Length: 17\r\n\r\nhello hello hello",
        );
        check_coded("h\u{e9}llo!", &[transfer("BASE64")], b"\r\naMOpbGxvIQ==");
        check_coded(
            "h\u{e9}llo = \tw \n.\n",
            &[transfer("quoted-printable")],
            b"\r\nh=C3=A9llo =3D \tw=20\n=2E\n",
        );
        check_coded(
            "h\u{e9}",
            &[transfer("binary")],
            b"Content-Length: 3\r\n\r\nh\xc3\xa9",
        );
    }

    #[test]
    fn unknown_codings_are_refused() {
        let own = headers(&[("Content-Encoding", "br")]);
        let error = writer().append("x", &own).expect_err("not for parts");
        assert_eq!(error, FormError::ContentEncoding("br".into()));
        assert_eq!(error.aiohttp_class(), "RuntimeError");
    }

    #[test]
    fn a_form_names_its_parts() {
        let mut form = form();
        form.append("a", &Headers::new()).expect("valid");
        let named = headers(&[("Content-Disposition", "form-data; name=\"x\"")]);
        form.append("b", &named).expect("valid");
        check(
            form,
            "--B\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Disposition: form-data; name=\"section-0\"\r\n\r\na\r\n\
             --B\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Disposition: form-data; name=\"x\"\r\n\r\nb\r\n--B--\r\n",
        );
    }

    #[test]
    fn a_form_has_no_coded_parts() {
        for name in FORBIDDEN_IN_FORMS {
            let own = headers(&[(&name.to_lowercase(), "1")]);
            let error = form().append("x", &own).expect_err("forbidden");
            assert_eq!(error, FormError::FormHeader(name));
        }
    }

    #[test]
    fn a_content_type_does_not_end_its_header() {
        let body = Body::typed("x", "a/b\r\nX-Evil: 1");
        let error = writer().append(body, &Headers::new()).expect_err("refused");
        assert!(matches!(error, FormError::Header(_)), "{error}");
    }

    #[track_caller]
    fn check_boundary(boundary: &str, want: &str) {
        let writer = MultipartWriter::with_boundary("mixed", boundary).expect("valid");
        let content_type = writer.content_type();
        assert_eq!(content_type, format!("multipart/mixed; boundary={want}"));
        check(writer, format!("--{boundary}--\r\n"));
    }

    #[test]
    fn a_boundary_is_quoted_if_it_is_no_token() {
        check_boundary("a.b_c", "a.b_c");
        check_boundary("a b", "\"a b\"");
        check_boundary("a\tb", "\"a\tb\"");
        check_boundary("q\"\\", r#""q\"\\""#);
        check_boundary("x'()+_,-./:=?", "\"x'()+_,-./:=?\"");
    }

    #[test]
    fn what_is_no_boundary_is_refused() {
        for boundary in ["", "\u{e9}", "a\nb", "a\x7f", "\0"] {
            let error = MultipartWriter::with_boundary("mixed", boundary).expect_err(boundary);
            assert_eq!(error, FormError::Boundary(boundary.into()));
        }
        for subtype in ["", "a b", "mixed; a=b", "a\r\nb"] {
            let error = MultipartWriter::with_boundary(subtype, "B").expect_err(subtype);
            assert_eq!(error, FormError::Subtype(subtype.into()));
        }
    }

    #[test]
    fn parts_that_are_streams_keep_their_length() {
        let mut writer = writer();
        let sized = Body::sized_stream(stream(&["ab", "cde"]), 5);
        writer.append(sized, &Headers::new()).expect("valid");
        assert!(writer.try_clone().is_none());
        let body = Body::from(writer);
        assert!(!body.is_replayable() && body.len().is_some());
        let want = "--B\r\nContent-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\n\
            abcde\r\n--B--\r\n";
        assert_eq!(body.len(), Some(want.len() as u64));
        assert_eq!(bytes(body), want.as_bytes());

        let mut writer = self::writer();
        let endless = Body::stream(stream(&["ab", "", "cde"])).without_content_type();
        writer.append(endless, &Headers::new()).expect("valid");
        let body = Body::from(writer);
        assert_eq!(body.len(), None);
        assert_eq!(bytes(body), b"--B\r\n\r\nabcde\r\n--B--\r\n");
    }

    #[test]
    fn parts_are_opened_anew_for_each_sending() {
        let opening = Body::replayable(None, || async {
            Ok(Body::sized_stream(stream(&["ab", "cde"]), 5))
        });
        let mut writer = writer();
        writer.append(opening, &Headers::new()).expect("valid");
        let body = Body::from(writer);
        assert_eq!(body.len(), None, "it is not open");
        let mut again = body.try_clone().expect("replayable");
        ready(again.open()).expect("it opens");
        let want = "--B\r\nContent-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\n\
            abcde\r\n--B--\r\n";
        assert_eq!(again.len(), Some(want.len() as u64));
        assert_eq!(again.content_type(), Some("multipart/mixed; boundary=B"));
        assert_eq!(bytes(again), want.as_bytes());
        assert_eq!(bytes(body), want.as_bytes());
    }

    #[test]
    fn a_part_that_is_sent_once_does_not_keep_others_from_opening() {
        let mut writer = writer();
        let opening = Body::replayable(None, || async { Ok(Body::from("late")) });
        writer
            .append(opening.without_content_type(), &Headers::new())
            .expect("valid");
        let once = Body::stream(stream(&["once"])).without_content_type();
        writer.append(once, &Headers::new()).expect("valid");
        let body = Body::from(writer);
        assert!(!body.is_replayable());
        assert_eq!(
            bytes(body),
            b"--B\r\n\r\nlate\r\n--B\r\n\r\nonce\r\n--B--\r\n"
        );
    }

    #[test]
    fn big_parts_are_not_copied() {
        let big = Bytes::from(vec![b'x'; SMALL + 1]);
        let mut writer = writer();
        writer.append("small", &Headers::new()).expect("valid");
        writer.append(big.clone(), &Headers::new()).expect("valid");
        let body = Body::from(writer);
        assert!(body.is_replayable());
        let pieces = pieces(body.try_clone().expect("bytes")).expect("bytes");
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces[1].as_ptr(), big.as_ptr());
        assert_eq!(body.len(), Some(pieces.concat().len() as u64));
    }

    #[test]
    fn big_parts_are_encoded_in_steps() {
        let big = Bytes::from(vec![b'x'; 3 * SMALL]);
        let mut writer = writer();
        let own = headers(&[("Content-Transfer-Encoding", "base64")]);
        writer.append(big, &own).expect("valid");
        let pieces = pieces(writer).expect("bytes");
        assert!(pieces.iter().all(|piece| piece.len() < 2 * SMALL));
        let head = "--B\r\nContent-Type: application/octet-stream\r\n\
            Content-Transfer-Encoding: base64\r\n\r\n";
        let ends = head.len() + "\r\n--B--\r\n".len();
        assert_eq!(pieces.concat().len(), ends + 4 * SMALL);
    }

    #[track_caller]
    fn check_turns(headers: &Headers, body: Body, want: usize) {
        let mut writer = writer();
        writer.append(body, headers).expect("valid");
        let pieces = pieces(writer).expect("no part fails");
        assert!(pieces.len() >= want, "{} pieces", pieces.len());
    }

    #[test]
    fn a_part_that_has_little_to_say_lets_others_have_their_turn() {
        check_turns(&Headers::new(), Body::stream(stream(&[""; 9])), 9);
        let gzip = headers(&[("Content-Encoding", "gzip")]);
        check_turns(&gzip, Body::from(vec![0; 9 * SMALL]), 9);
    }

    #[test]
    fn a_part_must_have_its_announced_length() {
        // The next one makes up for it; and the whole is sent in chunks.
        for (first, second) in [(5, 1), (3, 3)] {
            let mut writer = writer();
            for (text, length) in [("abcd", first), ("ef", second)] {
                let part = Body::sized_stream(stream(&[text]), length);
                writer.append(part, &Headers::new()).expect("valid");
            }
            let endless = Body::stream(stream(&["g"]));
            writer.append(endless, &Headers::new()).expect("valid");
            let error = pieces(writer).expect_err("a wrong length");
            let error = error.downcast::<PayloadError>().expect("of that kind");
            assert!(
                matches!(*error, PayloadError::UploadLength { actual: 4, expected }
                    if expected == first),
                "{error:?}"
            );
        }
    }

    #[test]
    fn the_error_of_a_part_is_that_of_the_whole() {
        let failing = Stream([Ok("ab".into()), Err("gone".into())].into());
        let mut writer = writer();
        writer
            .append(Body::stream(failing), &Headers::new())
            .expect("valid");
        let error = pieces(writer).expect_err("a part fails");
        assert_eq!(error.to_string(), "gone");
        let mut writer = self::writer();
        let opening = Body::replayable(None, || async { Err("no such file".into()) });
        writer.append(opening, &Headers::new()).expect("valid");
        let error = pieces(writer).expect_err("a part fails");
        assert_eq!(error.to_string(), "no such file");
    }
}
