//! How far the reading of a multipart body has come.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aio_core::coding::Progress;
use aio_core::{
    HeaderView, MultipartError, MultipartEvent, MultipartLimits, MultipartParser, PartDecoder,
};
use bytes::{Bytes, BytesMut};
use tokio::task::coop;

use super::{Source, Wrap};

/// The state of a reader and of the part it is in, apart from the source: a part borrows
/// both.
pub(super) struct Reading<E> {
    parser: MultipartParser,
    limits: MultipartLimits,
    /// In how many others this body stands.
    depth: usize,
    /// What has come and is not parsed yet.
    input: Bytes,
    source_ended: bool,
    place: Place,
    part: Part,
    /// What the part `_charset_` says.
    default_charset: Option<String>,
    wrap: Wrap<E>,
}

/// The part that was begun last.
#[derive(Default)]
struct Part {
    headers: HeaderView,
    /// Data that somebody has begun to read and not got yet.
    buffer: BytesMut,
    /// There since decoded data was asked for.
    decoding: Option<Decoding>,
}

struct Decoding {
    decoder: PartDecoder,
    coded: Bytes,
    /// The decoder may have more from what it has seen.
    more: bool,
    finished: bool,
    decoded: BytesMut,
    /// How much was decoded, and how much may be.
    size: u64,
    limit: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    /// In the part `_charset_`.
    Charset,
    Part,
    Between,
    /// Behind the last boundary; so many bytes more may come before the end.
    Epilogue(usize),
    Over,
}

/// A body ends soon behind its last boundary, or it is not read to its end.
const MAX_EPILOGUE: usize = 64 * 1024;

/// How much is decoded at a time.
const DECODE: usize = 64 * 1024;

/// No charset has a longer name; aiohttp's.
const MAX_CHARSET: usize = 31;

impl<E> Reading<E> {
    pub(super) fn new(parser: MultipartParser, limits: MultipartLimits, wrap: Wrap<E>) -> Self {
        Self {
            parser,
            limits,
            depth: 0,
            input: Bytes::new(),
            source_ended: false,
            place: Place::Start,
            part: Part::default(),
            default_charset: None,
            wrap,
        }
    }

    pub(super) fn set_depth(&mut self, depth: usize) {
        self.depth = depth;
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn limits(&self) -> MultipartLimits {
        self.limits
    }

    pub(super) fn wrap(&self) -> &Wrap<E> {
        &self.wrap
    }

    pub(super) fn headers(&self) -> &HeaderView {
        &self.part.headers
    }

    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.part.buffer
    }

    pub(super) fn default_charset(&self) -> Option<&str> {
        self.default_charset.as_deref()
    }

    pub(super) fn is_over(&self) -> bool {
        self.place == Place::Over
    }

    pub(super) fn is_part_over(&self) -> bool {
        self.place != Place::Part && self.part.buffer.is_empty()
    }

    /// Passes over what is left of a part and tells whether there is a further one.
    pub(super) fn poll_next(
        &mut self,
        mut source: Pin<&mut Source<'_, E>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, E>> {
        loop {
            match self.place {
                Place::Start | Place::Between => {
                    match ready!(self.poll_event(source.as_mut(), cx))? {
                        Some(MultipartEvent::Part(headers)) => {
                            let is_first = self.place == Place::Start;
                            self.part = Part {
                                headers,
                                ..Part::default()
                            };
                            if !(is_first && self.is_charset()) {
                                self.place = Place::Part;
                                return Poll::Ready(Ok(true));
                            }
                            self.place = Place::Charset;
                        }
                        _ => {
                            self.input.clear();
                            self.place = Place::Epilogue(MAX_EPILOGUE);
                        }
                    }
                }
                Place::Part => while ready!(self.poll_data(source.as_mut(), cx))?.is_some() {},
                Place::Charset => {
                    if self.part.buffer.len() > MAX_CHARSET {
                        return Poll::Ready(Err((self.wrap)(MultipartError::DefaultCharset)));
                    }
                    match ready!(self.poll_event(source.as_mut(), cx))? {
                        Some(MultipartEvent::Data(data)) => {
                            let start = data.get(..=MAX_CHARSET).unwrap_or(&data);
                            self.part.buffer.extend_from_slice(start);
                        }
                        _ => {
                            let label = String::from_utf8_lossy(&self.part.buffer);
                            self.default_charset = Some(label.trim().to_owned());
                            self.place = Place::Between;
                        }
                    }
                }
                Place::Epilogue(left) => {
                    self.place = match ready!(self.poll_source(source.as_mut(), cx))? {
                        Some(piece) if piece.len() < left => Place::Epilogue(left - piece.len()),
                        _ => Place::Over,
                    };
                }
                Place::Over => return Poll::Ready(Ok(false)),
            }
        }
    }

    fn is_charset(&self) -> bool {
        self.parser.is_form()
            && super::part::name(&self.part.headers).as_deref() == Some("_charset_")
    }

    /// Reads on in the part; `None` at its end.
    pub(super) fn poll_data(
        &mut self,
        source: Pin<&mut Source<'_, E>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, E>> {
        if self.place != Place::Part {
            return Poll::Ready(Ok(None));
        }
        if let Some(MultipartEvent::Data(data)) = ready!(self.poll_event(source, cx))? {
            return Poll::Ready(Ok(Some(data)));
        }
        self.place = Place::Between;
        Poll::Ready(Ok(None))
    }

    /// Decodes on in the part, some 64 KiB at a time; tells whether there may be more.
    pub(super) fn poll_decode(
        &mut self,
        mut source: Pin<&mut Source<'_, E>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, E>> {
        loop {
            // What is at hand may become gigabytes: other tasks have their turn.
            ready!(coop::poll_proceed(cx)).made_progress();
            if self.decode().map_err(|error| self.refused(error))? {
                return Poll::Ready(Ok(true));
            }
            let buffered = self.part.buffer.split().freeze();
            let coded = match buffered.is_empty() {
                true => ready!(self.poll_data(source.as_mut(), cx))?,
                false => Some(buffered),
            };
            let Some(coded) = coded else {
                let finished = self.finish_decoding();
                return Poll::Ready(
                    finished
                        .map_err(|error| self.refused(error))
                        .map(|()| false),
                );
            };
            if let Some(decoding) = &mut self.part.decoding {
                (decoding.coded, decoding.more) = (coded, true);
            }
        }
    }

    /// Decodes what there is, up to the first output; tells whether there is some.
    fn decode(&mut self) -> Result<bool, MultipartError> {
        if self.part.decoding.is_none() {
            let decoder = PartDecoder::new(&self.part.headers, self.parser.is_form())?;
            self.part.decoding = Some(Decoding::new(decoder, &self.limits));
        }
        let decoding = self.part.decoding.as_mut().expect("made above");
        while decoding.more {
            let before = decoding.decoded.len();
            let Decoding { coded, decoded, .. } = decoding;
            let progress = decoding.decoder.decode(coded, decoded, DECODE)?;
            decoding.more = progress == Progress::NeedsBudget;
            if decoding.decoded.len() > before {
                decoding.grow(before)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn finish_decoding(&mut self) -> Result<(), MultipartError> {
        match &mut self.part.decoding {
            Some(decoding) if !decoding.finished => {
                let before = decoding.decoded.len();
                decoding.decoder.finish(&mut decoding.decoded)?;
                decoding.grow(before)?;
                decoding.finished = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Says that decoding has failed, and lets go of what nobody has got of it.
    fn refused(&mut self, error: MultipartError) -> E {
        _ = self.decoded();
        (self.wrap)(error)
    }

    /// Takes what is decoded.
    pub(super) fn decoded(&mut self) -> Bytes {
        let decoding = self.part.decoding.as_mut();
        decoding.map_or_else(Bytes::new, |decoding| decoding.decoded.split().freeze())
    }

    fn poll_event(
        &mut self,
        mut source: Pin<&mut Source<'_, E>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<MultipartEvent>, E>> {
        // As it may have thousands of parts.
        ready!(coop::poll_proceed(cx)).made_progress();
        loop {
            let event = self.parser.parse(&mut self.input);
            if let Some(event) = event.map_err(|error| (self.wrap)(error))? {
                return Poll::Ready(Ok(Some(event)));
            }
            match ready!(self.poll_source(source.as_mut(), cx))? {
                Some(piece) => self.input = piece,
                None => self.parser.finish(),
            }
        }
    }

    fn poll_source(
        &mut self,
        source: Pin<&mut Source<'_, E>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, E>> {
        if self.source_ended {
            return Poll::Ready(Ok(None));
        }
        let piece = ready!(source.poll_next(cx)).transpose()?;
        self.source_ended = piece.is_none();
        Poll::Ready(Ok(piece))
    }
}

impl Decoding {
    fn new(decoder: PartDecoder, limits: &MultipartLimits) -> Self {
        let of_coding = limits.max_decoded_size;
        let of_coding = of_coding.filter(|_| decoder.has_content_coding());
        Self {
            limit: [limits.max_part_size, of_coding]
                .into_iter()
                .flatten()
                .min(),
            decoder,
            coded: Bytes::new(),
            more: false,
            finished: false,
            decoded: BytesMut::new(),
            size: 0,
        }
    }

    /// Notes that there is more than `before`.
    fn grow(&mut self, before: usize) -> Result<(), MultipartError> {
        self.size += (self.decoded.len() - before) as u64;
        match self.limit {
            Some(limit) if self.size > limit => Err(MultipartError::PartTooLarge { limit }),
            _ => Ok(()),
        }
    }
}
