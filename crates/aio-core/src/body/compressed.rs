//! Bodies that are compressed on their way out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame};

use super::replay::Opener;
use super::{Body, BoxError, Kind, UploadProgress};
use crate::PayloadError;
use crate::coding::{Coding, Encoder};

/// How much is compressed before what came of it is given away.
const STEP: usize = 64 * 1024;

/// How much is compressed before other tasks get their turn: some milliseconds.
const TURN: usize = 4 * STEP;

/// Most pieces of one turn, however small they are.
const PIECES: usize = 1024;

impl Body {
    /// Makes a body that is this one, compressed while it is sent.
    ///
    /// Its length is not known, so it is sent in chunks; who sends it adds
    /// `Content-Encoding`. It can be sent again if this one can, and keeps its content type
    /// and trailers. The [progress](Self::with_progress) of this one counts its bytes as they
    /// are compressed. No body remains none.
    ///
    /// ```
    /// use aio_core::Body;
    /// use aio_core::coding::Coding;
    ///
    /// let body = Body::from("hello, hello").compressed(Coding::Gzip);
    /// assert_eq!(body.len(), None);
    /// assert_eq!(body.content_type(), Some("text/plain; charset=utf-8"));
    /// assert!(body.is_replayable());
    /// ```
    #[must_use]
    pub fn compressed(mut self, coding: Coding) -> Self {
        if self.is_none() {
            return self;
        }
        let rare = self.rare_mut();
        rare.coding = Some(coding);
        let progress = rare.progress.take();
        self.kind = match self.kind {
            Kind::None => Kind::None,
            Kind::Bytes(bytes) => {
                let again = move || Self::from(bytes.clone());
                compressed_again(again, coding, progress)
            }
            Kind::Stream { stream, length, .. } => {
                let source = Self::of_stream(stream, length);
                Compressed::begin(source, coding, progress)
            }
            Kind::Unopened { opener, length } => {
                let again = move || {
                    let opener = opener.clone();
                    Self::octets(Kind::Unopened { opener, length })
                };
                compressed_again(again, coding, progress)
            }
        };
        self
    }
}

/// Compresses what `source` gives anew for each sending.
fn compressed_again(
    source: impl Fn() -> Body + Send + Sync + 'static,
    coding: Coding,
    progress: Option<UploadProgress>,
) -> Kind {
    let opener = Opener::new(move || {
        let (mut source, progress) = (source(), progress.clone());
        async move {
            source.open().await?;
            let kind = Compressed::begin(source, coding, progress);
            Ok(Body::octets(kind))
        }
    });
    Kind::Unopened {
        opener,
        length: None,
    }
}

/// Compresses the frames of another body.
struct Compressed {
    source: Body,
    encoder: Encoder,
    stage: Stage,
    /// What is not compressed yet of a piece of the source.
    piece: Bytes,
    output: BytesMut,
    /// How many bytes the source has given so far.
    taken: u64,
    progress: Option<UploadProgress>,
    /// How much was compressed since other tasks had their turn.
    turn: usize,
}

enum Stage {
    Source,
    /// Behind the data, of which the end may still be to be given away.
    Ended(Option<HeaderMap>),
}

impl Compressed {
    fn begin(source: Body, coding: Coding, progress: Option<UploadProgress>) -> Kind {
        if let Some(progress) = &progress {
            progress.set_sent(0);
        }
        let stream = Box::pin(Self {
            source,
            encoder: Encoder::new(coding),
            stage: Stage::Source,
            piece: Bytes::new(),
            output: BytesMut::new(),
            taken: 0,
            progress,
            turn: 0,
        });
        Kind::stream(stream, None)
    }

    /// Goes one step further: to the next frame of the source, or in the piece at hand.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if !self.piece.is_empty() {
            return Poll::Ready(self.compress().map_err(Into::into));
        }
        let frame = ready!(Pin::new(&mut self.source).poll_frame(cx)).transpose()?;
        match frame.map(|frame| frame.into_data().map_err(Frame::into_trailers)) {
            Some(Ok(piece)) => {
                self.taken += piece.len() as u64;
                self.piece = piece;
            }
            Some(Err(Ok(trailers))) => self.finish(Some(trailers))?,
            // A kind of frame that nobody knows.
            Some(Err(Err(_))) => {}
            None => self.finish(None)?,
        }
        Poll::Ready(Ok(()))
    }

    /// Compresses the front of the piece at hand.
    fn compress(&mut self) -> Result<(), PayloadError> {
        let front = self.piece.split_to(self.piece.len().min(STEP));
        self.encoder.encode(&front, &mut self.output)?;
        self.turn += front.len();
        if let Some(progress) = &self.progress {
            progress.set_sent(self.taken - self.piece.len() as u64);
        }
        Ok(())
    }

    fn finish(&mut self, trailers: Option<HeaderMap>) -> Result<(), PayloadError> {
        self.encoder.finish(&mut self.output)?;
        self.stage = Stage::Ended(trailers);
        Ok(())
    }
}

impl http_body::Body for Compressed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        for _ in 0..PIECES {
            if !self.output.is_empty() {
                let piece = self.output.split().freeze();
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if let Stage::Ended(trailers) = &mut self.stage {
                return Poll::Ready(trailers.take().map(Frame::trailers).map(Ok));
            }
            if self.turn >= TURN {
                break;
            }
            match self.poll_step(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    self.stage = Stage::Ended(None);
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Pending => {
                    self.turn = 0;
                    return Poll::Pending;
                }
            }
        }
        self.turn = 0;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use http_body::Body as _;

    use super::*;
    use crate::coding::Decoder;

    const BOTH: [Coding; 2] = [Coding::Gzip, Coding::Deflate];

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What a compressed body came to.
    #[derive(Default)]
    struct Got {
        text: BytesMut,
        trailers: Option<HeaderMap>,
        largest: usize,
        turns: usize,
    }

    /// Reads a compressed body and decodes it; what it gives of the text is checked and
    /// dropped by `each`.
    fn read_with(
        body: &mut Body,
        coding: Coding,
        mut each: impl FnMut(&mut BytesMut),
    ) -> Result<Got, BoxError> {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let (mut got, mut decoder) = (Got::default(), Decoder::new(coding));
        loop {
            let frame = match Pin::new(&mut *body).poll_frame(&mut cx) {
                Poll::Ready(Some(frame)) => frame?,
                Poll::Ready(None) => break,
                Poll::Pending => {
                    got.turns += 1;
                    assert_eq!(
                        woken.0.load(Ordering::Relaxed),
                        got.turns,
                        "it wakes itself"
                    );
                    continue;
                }
            };
            match frame.into_data() {
                Ok(mut piece) => {
                    assert!(!piece.is_empty() && got.trailers.is_none());
                    got.largest = got.largest.max(piece.len());
                    decoder.decode(&mut piece, &mut got.text, usize::MAX)?;
                    each(&mut got.text);
                }
                Err(frame) => got.trailers = frame.into_trailers().ok(),
            }
        }
        decoder.finish()?;
        Ok(got)
    }

    fn read(mut body: Body, coding: Coding) -> Result<Got, BoxError> {
        read_with(&mut body, coding, |_| {})
    }

    /// Frames that are there at once.
    struct Frames(VecDeque<Frame<Bytes>>);

    impl http_body::Body for Frames {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    fn stream(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Body {
        Body::from_http(Frames(frames.into_iter().collect()))
    }

    fn data(text: &'static str) -> Frame<Bytes> {
        Frame::data(Bytes::from(text))
    }

    #[track_caller]
    fn check(body: impl Fn() -> Body, replayable: bool, want: &str) {
        for coding in BOTH {
            let plain = body();
            let content_type = plain.content_type().map(str::to_owned);
            let body = plain.compressed(coding);
            assert_eq!(body.len(), None, "{want:?}");
            assert_eq!(body.content_type(), content_type.as_deref());
            assert_eq!(body.is_replayable(), replayable, "{want:?}");
            let again = body.try_clone();
            for body in again.into_iter().chain([body]) {
                assert_eq!(read(body, coding).expect("good").text, want);
            }
        }
    }

    #[test]
    fn each_kind_is_compressed() {
        check(|| Body::from("hello, hello"), true, "hello, hello");
        check(|| Body::typed("x", String::from("a/b")), true, "x");
        check(|| Body::from(""), true, "");
        check(|| stream([data("a"), data(""), data("bc")]), false, "abc");
        check(|| stream([]), false, "");
        let opened = || Body::replayable(Some(3), || async { Ok(Body::from("abc")) });
        check(opened, true, "abc");
        check(|| opened().without_content_type(), true, "abc");
        assert!(Body::none().compressed(Coding::Gzip).is_none());
    }

    #[test]
    fn an_opened_body_is_compressed() {
        let mut body = Body::from("abc").compressed(Coding::Gzip);
        assert!(body.needs_opening());
        let waker = Waker::noop();
        let opened = pin(body.open())
            .as_mut()
            .poll(&mut Context::from_waker(waker));
        assert!(matches!(opened, Poll::Ready(Ok(()))));
        assert!(!body.needs_opening());
        assert_eq!(read(body, Coding::Gzip).expect("good").text, "abc");
    }

    fn pin<F: Future>(future: F) -> Pin<Box<F>> {
        Box::pin(future)
    }

    #[test]
    fn trailers_pass_through() {
        let trailers =
            HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("7"))]);
        let body = stream([data("abc"), Frame::trailers(trailers.clone())]);
        let got = read(body.compressed(Coding::Deflate), Coding::Deflate).expect("good");
        assert_eq!(got.text, "abc");
        assert_eq!(got.trailers, Some(trailers));
    }

    #[test]
    fn progress_counts_what_was_compressed() {
        let progress = UploadProgress::default();
        progress.set_sent(9);
        let body = Body::from(vec![0; 300_000]).with_progress(progress.clone());
        let body = body.compressed(Coding::Gzip);
        assert!(body.progress().is_none(), "its own bytes are others");
        for body in [body.try_clone().expect("replayable"), body] {
            read(body, Coding::Gzip).expect("good");
            assert_eq!(progress.sent(), 300_000);
        }
    }

    #[track_caller]
    fn check_length(announced: u64, actual: u64) {
        let source = stream([data("abc"), data("de")]);
        let Kind::Stream { stream, .. } = source.kind else {
            panic!("it is one");
        };
        let body = Body::of_stream(stream, Some(announced)).compressed(Coding::Gzip);
        let error = read(body, Coding::Gzip).err().expect("a wrong length");
        let error = error.downcast::<PayloadError>().expect("of that kind");
        assert!(
            matches!(*error, PayloadError::UploadLength { actual: a, expected }
                if (a, expected) == (actual, announced)),
            "{error:?}"
        );
    }

    #[test]
    fn a_source_must_have_its_announced_length() {
        check_length(4, 5);
        check_length(2, 3);
        check_length(6, 5);
    }

    #[test]
    fn what_a_source_fails_with_comes_through() {
        let body = Body::replayable(None, || async { Err("no such file".into()) });
        let error = read(body.compressed(Coding::Gzip), Coding::Gzip);
        assert_eq!(error.err().expect("it fails").to_string(), "no such file");
    }

    /// So many blocks of JSON, one after the other, none held anywhere.
    struct Blocks {
        left: usize,
        block: Bytes,
    }

    impl http_body::Body for Blocks {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            let Some(left) = self.left.checked_sub(1) else {
                return Poll::Ready(None);
            };
            self.left = left;
            Poll::Ready(Some(Ok(Frame::data(self.block.clone()))))
        }
    }

    #[test]
    fn a_big_stream_comes_in_small_pieces_and_in_turns() {
        let lines = (0..30_000).map(|id| format!("{{\"id\": {id}, \"n\": {}}}", id * 7919));
        let block = Bytes::from(lines.collect::<String>());
        let left = 16;
        let body = Blocks {
            left,
            block: block.clone(),
        };
        let mut body = Body::from_http(body).compressed(Coding::Gzip);
        let (mut at, mut whole) = (0, 0);
        let got = read_with(&mut body, Coding::Gzip, |text| {
            for &byte in &text[..] {
                assert_eq!(byte, block[at]);
                at = (at + 1) % block.len();
            }
            whole += text.len();
            text.clear();
        })
        .expect("good");
        assert_eq!(whole, left * block.len());
        assert!(got.largest <= 2 * STEP, "{}", got.largest);
        assert!(got.turns >= whole / (2 * TURN), "{}", got.turns);
    }
}
