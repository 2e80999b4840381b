//! What a request sends behind its head.

mod compressed;
pub mod form;
mod multipart;
mod progress;
mod replay;
mod stream;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;

pub use self::multipart::{
    MultipartError, MultipartEvent, MultipartLimits, MultipartParser, MultipartWriter, PartDecoder,
};
pub use self::progress::UploadProgress;
use self::replay::Opener;
use self::stream::{Frames, Pieces};
use crate::coding::Coding;

/// The error that a body's own source may fail with.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The frames of a streamed body: pieces of data, and trailers behind them.
pub type BodyStream = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>;

/// The body of a request; aiohttp's `data=`.
///
/// Text is sent as `text/plain; charset=utf-8`, bytes and streams as
/// `application/octet-stream`, unless the request names another type.
///
/// ```
/// use aio_core::Body;
///
/// let body = Body::from("héé");
/// assert_eq!(body.len(), Some(5));
/// assert_eq!(body.content_type(), Some("text/plain; charset=utf-8"));
/// assert!(body.try_clone().is_some());
/// ```
pub struct Body {
    kind: Kind,
    /// A type known when compiling; `rare` may have another one, which goes first.
    content_type: Option<&'static str>,
    // Boxed: few bodies have it, and all carry its size.
    rare: Option<Box<Rare>>,
}

/// How a body is held; one kind more than what it is sent as.
enum Kind {
    None,
    Bytes(Bytes),
    Stream {
        stream: BodyStream,
        /// What is left of its length.
        length: Option<u64>,
        /// What it has given so far.
        given: u64,
    },
    Unopened {
        opener: Opener,
        length: Option<u64>,
    },
}

/// What few bodies have.
#[derive(Clone, Default)]
struct Rare {
    content_type: Option<Box<str>>,
    progress: Option<UploadProgress>,
    coding: Option<Coding>,
}

/// How a [`Body`] gives its bytes.
pub enum BodyKind {
    /// There is none; not the same as an empty one.
    None,
    /// All of it is there.
    Bytes(Bytes),
    /// It comes in pieces; sent chunked, unless a length is known or given by header.
    Stream {
        /// The pieces.
        stream: BodyStream,
        /// How many bytes they are together, if known.
        length: Option<u64>,
    },
}

impl Body {
    /// Makes no body: nothing is sent, not even an empty one.
    pub fn none() -> Self {
        Self {
            kind: Kind::None,
            content_type: None,
            rare: None,
        }
    }

    /// Makes a body of bytes with a content type of its own.
    pub fn typed(bytes: impl Into<Bytes>, content_type: impl Into<Cow<'static, str>>) -> Self {
        Self::octets(Kind::Bytes(bytes.into())).with_content_type(content_type)
    }

    /// Makes a body that comes in pieces; it can be sent once.
    ///
    /// An error of the stream ends the request: an [`std::io::Error`] as aiohttp's
    /// `ClientOSError`, another one as its `ClientConnectionError`.
    pub fn stream<S, B, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        Self::of_stream(Box::pin(Pieces::new(stream, None)), None)
    }

    /// Makes a body that comes in pieces of `length` bytes together.
    ///
    /// More or fewer bytes than that fail the request and close its connection; but when all
    /// of them have come, nobody waits for more.
    pub fn sized_stream<S, B, E>(stream: S, length: u64) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        let length = Some(length);
        Self::of_stream(Box::pin(Pieces::new(stream, length)), length)
    }

    /// Makes a body of an [`http_body::Body`]; it can be sent once.
    ///
    /// Its length is what its size hint says when that is exact; more or fewer bytes fail
    /// the request and close its connection. Trailers are sent when the body goes out in
    /// chunks, save those that RFC 9110 §6.5.1 forbids; with a length there is no place for
    /// them. One that has ended before it began is [none](Self::none).
    ///
    /// ```
    /// use aio_core::Body;
    ///
    /// // Any implementation will do; this one is our own.
    /// let body = Body::from_http(Body::from("abc"));
    /// assert_eq!(body.len(), Some(3));
    /// assert!(!body.is_replayable());
    /// ```
    pub fn from_http<B>(body: B) -> Self
    where
        B: http_body::Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if body.is_end_stream() {
            return Self::none();
        }
        let length = body.size_hint().exact();
        Self::of_stream(Box::pin(Frames::new(body)), length)
    }

    /// Makes a body that is opened anew for each sending: the first one, a retry, a redirect.
    ///
    /// `length` is what is known before; what `open` gives may know it better. The content
    /// type is this body's, not that of what `open` gives.
    ///
    /// ```
    /// use aio_core::Body;
    ///
    /// # async fn run() -> Result<(), aio_core::BoxError> {
    /// let mut body = Body::replayable(None, || async { Ok(Body::from("now")) });
    /// let again = body.try_clone().expect("it is replayable");
    /// body.open().await?;
    /// assert_eq!(body.len(), Some(3));
    /// assert!(again.needs_opening());
    /// # Ok(())
    /// # }
    /// ```
    pub fn replayable<F, Fut>(length: Option<u64>, open: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Self, BoxError>> + Send + 'static,
    {
        let opener = Opener::new(open);
        Self::octets(Kind::Unopened { opener, length })
    }

    fn of_stream(stream: BodyStream, length: Option<u64>) -> Self {
        Self::octets(Kind::stream(stream, length))
    }

    fn octets(kind: Kind) -> Self {
        Self {
            kind,
            content_type: Some(OCTETS),
            rare: None,
        }
    }

    /// Sets the content type that is sent when the request names none.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<Cow<'static, str>>) -> Self {
        let owned = match content_type.into() {
            Cow::Borrowed(known) => {
                self.content_type = Some(known);
                None
            }
            Cow::Owned(owned) => Some(owned.into()),
        };
        if owned.is_some() || self.rare.is_some() {
            self.rare_mut().content_type = owned;
        }
        self
    }

    /// Takes the content type away.
    #[must_use]
    pub fn without_content_type(mut self) -> Self {
        self.content_type = None;
        if let Some(rare) = &mut self.rare {
            rare.content_type = None;
        }
        self
    }

    /// Lets `progress` tell how much of it is sent.
    #[must_use]
    pub fn with_progress(mut self, progress: UploadProgress) -> Self {
        self.rare_mut().progress = Some(progress);
        self
    }

    /// Returns what tells how much of it is sent, if anything does.
    pub fn progress(&self) -> Option<&UploadProgress> {
        self.rare.as_ref()?.progress.as_ref()
    }

    /// Returns what it is [compressed](Self::compressed) with, if it is.
    pub fn coding(&self) -> Option<Coding> {
        self.rare.as_ref()?.coding
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Returns its length in bytes, if known; `Some(0)` without a body.
    pub fn len(&self) -> Option<u64> {
        match &self.kind {
            Kind::None => Some(0),
            Kind::Bytes(bytes) => Some(bytes.len() as u64),
            Kind::Stream { length, .. } | Kind::Unopened { length, .. } => *length,
        }
    }

    /// Tells whether it is known to have no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Tells whether there is no body at all.
    pub fn is_none(&self) -> bool {
        matches!(self.kind, Kind::None)
    }

    /// Returns all of it, if it is there; nothing without a body.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.kind {
            Kind::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the content type that is sent when the request names none.
    pub fn content_type(&self) -> Option<&str> {
        let rare = self.rare.as_ref();
        rare.and_then(|rare| rare.content_type.as_deref())
            .or(self.content_type)
    }

    /// Tells whether it can be sent more than once, so that a copy of it can be made.
    pub fn is_replayable(&self) -> bool {
        !matches!(self.kind, Kind::Stream { .. })
    }

    /// Makes another body with the same bytes, unless they come from a stream.
    pub fn try_clone(&self) -> Option<Self> {
        let kind = match &self.kind {
            Kind::None => Kind::None,
            Kind::Bytes(bytes) => Kind::Bytes(bytes.clone()),
            Kind::Stream { .. } => return None,
            Kind::Unopened { opener, length } => Kind::Unopened {
                opener: opener.clone(),
                length: *length,
            },
        };
        Some(Self {
            kind,
            content_type: self.content_type,
            rare: self.rare.clone(),
        })
    }

    /// Tells whether it is to be [opened](Self::open) before its length is known for sure.
    pub fn needs_opening(&self) -> bool {
        matches!(self.kind, Kind::Unopened { .. })
    }

    /// Opens a [replayable](Self::replayable) body for one sending; others are open.
    ///
    /// It cannot be sent again then: what is sent again is a copy made before.
    ///
    /// # Errors
    /// Whatever opening fails with.
    pub async fn open(&mut self) -> Result<(), BoxError> {
        while let Kind::Unopened { opener, length } = &self.kind {
            let announced = *length;
            self.kind = opener.open().await?.kind;
            self.announce(announced);
        }
        Ok(())
    }

    /// Takes a length that was known before, for a stream that knows none itself.
    fn announce(&mut self, announced: Option<u64>) {
        if let Kind::Stream { length, .. } | Kind::Unopened { length, .. } = &mut self.kind {
            *length = length.or(announced);
        }
    }

    /// Gives up how the bytes come.
    ///
    /// A body that is not open yet becomes a stream that opens itself when it is first
    /// polled.
    /// A stream of known length fails with [`UploadLength`](crate::PayloadError::UploadLength) when it gives more
    /// or less.
    pub fn into_kind(self) -> BodyKind {
        match self.kind {
            Kind::None => BodyKind::None,
            Kind::Bytes(bytes) => BodyKind::Bytes(bytes),
            Kind::Stream {
                stream,
                length: None,
                ..
            } => BodyKind::Stream {
                stream,
                length: None,
            },
            Kind::Stream { length, .. } => BodyKind::Stream {
                stream: Box::pin(self),
                length,
            },
            Kind::Unopened { opener, length } => BodyKind::Stream {
                stream: opener.into_stream(),
                length,
            },
        }
    }
}

impl Kind {
    fn stream(stream: BodyStream, length: Option<u64>) -> Self {
        Self::Stream {
            stream,
            length,
            given: 0,
        }
    }
}

const OCTETS: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

impl Default for Body {
    fn default() -> Self {
        Self::none()
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::none()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::typed(bytes, OCTETS)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::typed(bytes, OCTETS)
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Self::typed(bytes, OCTETS)
    }
}

impl<const N: usize> From<&'static [u8; N]> for Body {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::typed(text, TEXT)
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::typed(text.to_owned(), TEXT)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("len", &self.len())
            .field("content_type", &self.content_type)
            .finish()
    }
}

impl fmt::Debug for BodyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bytes(_) => "Bytes",
            Self::Stream { .. } => "Stream",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Waker};

    use http::{HeaderMap, HeaderValue};
    use http_body::{Body as _, Frame, SizeHint};

    use super::*;
    use crate::PayloadError;

    /// The text of a body, its trailers, and what it failed with.
    type Read = (String, Option<HeaderMap>, Option<BoxError>);

    /// Reads a body that never waits.
    fn read(body: impl http_body::Body<Data = Bytes, Error = BoxError>) -> Read {
        let mut body = Box::pin(body);
        let (mut text, mut trailers) = (String::new(), None);
        loop {
            let Poll::Ready(frame) = body.as_mut().poll_frame(&mut context()) else {
                panic!("it waits");
            };
            match frame {
                None => return (text, trailers, None),
                Some(Err(error)) => return (text, trailers, Some(error)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => text.push_str(str::from_utf8(&data).expect("ASCII")),
                    Err(frame) => trailers = frame.into_trailers().ok(),
                },
            }
        }
    }

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    #[track_caller]
    fn open(body: &mut Body) -> Result<(), BoxError> {
        let mut opening = Box::pin(body.open());
        match opening.as_mut().poll(&mut context()) {
            Poll::Ready(opened) => opened,
            Poll::Pending => panic!("it waits"),
        }
    }

    /// Two pieces, trailers, and what it says of its length.
    struct Trailed {
        left: usize,
        hint: SizeHint,
    }

    impl http_body::Body for Trailed {
        type Data = std::io::Cursor<&'static str>;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<std::io::Result<Frame<Self::Data>>>> {
            let Some(left) = self.left.checked_sub(1) else {
                return Poll::Ready(None);
            };
            self.left = left;
            Poll::Ready(Some(Ok(match left {
                2 => Frame::data(std::io::Cursor::new("ab")),
                1 => Frame::data(std::io::Cursor::new("cde")),
                _ => Frame::trailers(HeaderMap::from_iter([(
                    http::header::ETAG,
                    HeaderValue::from_static("7"),
                )])),
            })))
        }

        fn is_end_stream(&self) -> bool {
            self.left == 0
        }

        fn size_hint(&self) -> SizeHint {
            self.hint
        }
    }

    fn trailed(length: Option<u64>) -> Body {
        let hint = length.map_or(SizeHint::default(), SizeHint::with_exact);
        Body::from_http(Trailed { left: 3, hint })
    }

    /// A body that tells how often it was opened, and that count.
    fn counted(length: Option<u64>) -> (Body, Arc<AtomicUsize>) {
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        let body = Body::replayable(length, move || {
            let text = format!("opened {}", count.fetch_add(1, Ordering::Relaxed));
            async { Ok(Body::from(text)) }
        });
        (body, opened)
    }

    fn refused() -> Body {
        Body::replayable(None, || async { Err("no such file".into()) })
    }

    #[test]
    fn a_body_does_not_grow() {
        assert!(size_of::<Body>() <= 64, "{}", size_of::<Body>());
    }

    #[track_caller]
    fn check(body: Body, length: Option<u64>, replayable: bool, text: &str) {
        assert_eq!(body.len(), length, "{text:?}");
        assert_eq!(body.is_replayable(), replayable, "{text:?}");
        assert_eq!(body.try_clone().is_some(), replayable, "{text:?}");
        assert_eq!(body.size_hint().exact(), length, "{text:?}");
        let (read, _, error) = read(body);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(read, text);
    }

    #[test]
    fn each_kind_is_a_body_to_others_too() {
        check(Body::none(), Some(0), true, "");
        check(Body::from(""), Some(0), true, "");
        check(Body::from("abc"), Some(3), true, "abc");
        check(trailed(None), None, false, "abcde");
        check(trailed(Some(5)), Some(5), false, "abcde");
        check(counted(None).0, None, true, "opened 0");
        check(counted(Some(8)).0, Some(8), true, "opened 0");
        check(Body::from_http(Body::from("abc")), Some(3), false, "abc");
        check(Body::from_http(Body::none()), Some(0), true, "");
    }

    #[test]
    fn a_body_knows_what_is_left_of_it() {
        let mut body = trailed(Some(5));
        let frame = Pin::new(&mut body).poll_frame(&mut context());
        assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));
        assert_eq!(body.size_hint().exact(), Some(3));
        assert!(!body.is_end_stream());
    }

    #[track_caller]
    fn check_length(announced: u64, text: &str) {
        let BodyKind::Stream { stream, length } = trailed(Some(announced)).into_kind() else {
            panic!("it is one");
        };
        assert_eq!(length, Some(announced));
        for body in [Body::of_stream(stream, None), trailed(Some(announced))] {
            let (read, trailers, error) = read(body);
            let error = error.expect("a wrong length").downcast::<PayloadError>();
            let error = error.expect("of that kind");
            assert!(
                matches!(*error, PayloadError::UploadLength { actual: 5, expected }
                    if expected == announced),
                "{error:?}"
            );
            assert_eq!((read.as_str(), trailers), (text, None));
        }
    }

    #[test]
    fn a_stream_must_have_its_announced_length() {
        check_length(4, "ab");
        check_length(6, "abcde");
        check_length(9, "abcde");
    }

    #[test]
    fn trailers_come_through() {
        let (text, trailers, _) = read(trailed(None));
        let trailers = trailers.expect("they stand behind the data");
        assert_eq!(
            (text.as_str(), &trailers["etag"]),
            ("abcde", &HeaderValue::from_static("7"))
        );
    }

    #[test]
    fn a_replayable_body_is_opened_for_each_sending() {
        let (mut first, opened) = counted(None);
        let mut second = first.try_clone().expect("replayable");
        assert!(first.needs_opening());
        assert_eq!(opened.load(Ordering::Relaxed), 0, "not before it is sent");
        open(&mut first).expect("it opens");
        assert!(!first.needs_opening());
        assert_eq!(
            first.as_bytes().map(|bytes| &bytes[..]),
            Some(&b"opened 0"[..])
        );
        open(&mut second).expect("it opens");
        assert_eq!(read(second).0, "opened 1");
        assert_eq!(first.content_type(), Some("application/octet-stream"));
    }

    #[test]
    fn a_body_inside_a_replayable_one_is_opened_with_it() {
        let mut body = Body::replayable(Some(8), || async { Ok(counted(None).0) });
        open(&mut body).expect("it opens");
        assert!(!body.needs_opening());
        assert_eq!(read(body).0, "opened 0");
    }

    #[test]
    fn a_stream_has_the_length_that_was_known_before() {
        let announced = |length, inner| {
            let mut body = Body::replayable(length, move || async move { Ok(trailed(inner)) });
            open(&mut body).expect("it opens");
            body.len()
        };
        assert_eq!(announced(Some(5), None), Some(5));
        assert_eq!(announced(None, Some(5)), Some(5));
        assert_eq!(announced(Some(9), Some(5)), Some(5));
        assert_eq!(announced(None, None), None);
    }

    #[test]
    fn a_body_that_does_not_open_says_why() {
        let error = open(&mut refused()).expect_err("refused");
        assert_eq!(error.to_string(), "no such file");
        let BodyKind::Stream { stream, .. } = refused().into_kind() else {
            panic!("it opens itself");
        };
        let (_, _, error) = read(stream);
        assert_eq!(error.expect("refused").to_string(), "no such file");
    }

    #[track_caller]
    fn check_type(body: &Body, want: Option<&str>) {
        assert_eq!(body.content_type(), want);
        let copy = body.try_clone().expect("replayable");
        assert_eq!(copy.content_type(), want);
    }

    #[test]
    fn the_last_content_type_counts() {
        let body = Body::from("x");
        check_type(&body, Some("text/plain; charset=utf-8"));
        let body = body.with_content_type(String::from("a/b"));
        check_type(&body, Some("a/b"));
        let body = body.with_content_type("c/d");
        check_type(&body, Some("c/d"));
        let body = body.with_content_type(String::from("e/f"));
        check_type(&body.without_content_type(), None);
        check_type(&Body::typed("x", String::from("g/h")), Some("g/h"));
    }
}
