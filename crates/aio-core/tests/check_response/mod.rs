//! What holds for every response, whatever its bytes: shared by the mutated responses
//! and the fuzz target.

use aio_core::http1::{BodyDecoder, BodyEvent, Exchanged, Head, HeadParser, Limits};
use bytes::BytesMut;

/// Limits that small responses reach.
pub(crate) const NARROW: Limits = Limits {
    max_line_size: 40,
    max_field_size: 48,
    max_headers: 6,
    max_interim: 2,
    max_chunk_extensions: 12,
};

/// What a client sees of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Status, reason and fields of each head, interim ones first.
    heads: Vec<String>,
    data: Vec<u8>,
    /// Where in the data chunks end.
    chunk_ends: Vec<usize>,
    trailers: String,
    /// How many bytes were taken.
    consumed: usize,
    /// How it ended.
    pub(crate) end: End,
}

/// How the reading of a response ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With its body.
    Whole,
    /// With the input, inside the head.
    InHead,
    /// With an error, in words.
    Refused(String),
}

/// The calls that one response took.
#[derive(Debug, Default)]
struct Calls {
    /// Those that took bytes out of the buffer.
    fruitful: usize,
    /// Those that did not.
    idle: usize,
    /// Pieces fed.
    pieces: usize,
}

/// Reads `input` at once and in pieces, whose sizes come from `size`, and checks what
/// must hold.
///
/// # Panics
/// If it does not.
pub(crate) fn check(
    input: &[u8],
    limits: Limits,
    exchanged: Exchanged,
    size: impl FnMut() -> usize,
) -> Outcome {
    let (whole, calls) = read(input, limits, exchanged, || usize::MAX);
    let total = calls.fruitful + calls.idle;
    assert!(total <= input.len() + 1, "at once: {calls:?}");
    let (cut, calls) = read(input, limits, exchanged, size);
    assert!(calls.fruitful <= input.len(), "in pieces: {calls:?}");
    assert!(calls.idle <= calls.pieces + 1, "in pieces: {calls:?}");
    assert_eq!(cut, whole, "in pieces and at once");
    whole
}

/// Reads a response as the connector does.
fn read(
    input: &[u8],
    limits: Limits,
    exchanged: Exchanged,
    size: impl FnMut() -> usize,
) -> (Outcome, Calls) {
    let mut reading = Reading {
        rest: input,
        received: BytesMut::new(),
        size,
        calls: Calls::default(),
        seen: Outcome {
            heads: Vec::new(),
            data: Vec::new(),
            chunk_ends: Vec::new(),
            trailers: String::new(),
            consumed: 0,
            end: End::Whole,
        },
    };
    reading.seen.end = reading.run(limits, exchanged).unwrap_or_else(End::Refused);
    // After a refusal the connection is closed, wherever it stands.
    if !matches!(reading.seen.end, End::Refused(_)) {
        reading.seen.consumed = input.len() - reading.rest.len() - reading.received.len();
    }
    (reading.seen, reading.calls)
}

struct Reading<'a, S> {
    rest: &'a [u8],
    received: BytesMut,
    size: S,
    calls: Calls,
    seen: Outcome,
}

impl<S: FnMut() -> usize> Reading<'_, S> {
    fn run(&mut self, limits: Limits, exchanged: Exchanged) -> Result<End, String> {
        let most = limits.max_line_size + limits.max_headers * limits.max_field_size;
        let mut parser = HeadParser::new(limits);
        let mut interim = 0;
        self.feed();
        let head = loop {
            let before = self.received.len();
            let parsed = parser.parse(&mut self.received);
            self.count(before);
            let Some(head) = parsed.map_err(|error| format!("{error:?}"))? else {
                let held = self.received.len();
                assert!(held <= most, "{held} bytes are held of at most {most}");
                if !self.feed() {
                    return Ok(End::InHead);
                }
                continue;
            };
            check_head(&head, &limits);
            self.seen.heads.push(format!(
                "{:?} {} {:?} {:?}",
                head.version,
                head.status,
                head.reason,
                fields(&head)
            ));
            if !head.status.is_informational() || head.status.as_u16() == 101 {
                break head;
            }
            interim += 1;
            if interim > limits.max_interim {
                return Err("too many interim responses".to_owned());
            }
        };
        let message = head
            .message(exchanged)
            .map_err(|error| format!("{error:?}"))?;
        self.seen.heads.push(format!("{message:?}"));
        let mut body = BodyDecoder::new(message.framing, &limits, head.headers.len());
        loop {
            let before = self.received.len();
            let event = body.decode(&mut self.received);
            self.count(before);
            match event.map_err(|error| format!("{error:?}"))? {
                BodyEvent::Data(data) => {
                    assert!(!data.is_empty(), "data is never empty");
                    self.seen.data.extend_from_slice(&data);
                }
                BodyEvent::ChunkEnd => self.seen.chunk_ends.push(self.seen.data.len()),
                BodyEvent::End => break,
                BodyEvent::More => {
                    let held = self.received.len();
                    assert!(held <= most, "{held} bytes of trailers are held");
                    if !self.feed() {
                        body.end_of_input().map_err(|error| format!("{error:?}"))?;
                        break;
                    }
                }
            }
        }
        assert!(body.has_ended() && body.remaining() == Some(0));
        if let Some(trailers) = body.trailers() {
            let fields = head.headers.len() + trailers.len();
            assert!(!trailers.is_empty() && fields <= limits.max_headers);
            self.seen.trailers = format!("{trailers:?}");
        }
        Ok(End::Whole)
    }

    /// Receives a piece, as far as there is one.
    fn feed(&mut self) -> bool {
        if self.rest.is_empty() {
            return false;
        }
        let (piece, rest) = self.rest.split_at((self.size)().clamp(1, self.rest.len()));
        self.received.extend_from_slice(piece);
        self.rest = rest;
        self.calls.pieces += 1;
        true
    }

    fn count(&mut self, before: usize) {
        if self.received.len() < before {
            self.calls.fruitful += 1;
        } else {
            self.calls.idle += 1;
        }
    }
}

fn check_head(head: &Head, limits: &Limits) {
    let forbidden = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    assert!(head.headers.len() <= limits.max_headers);
    assert!(head.reason.len() <= limits.max_line_size);
    assert!(!head.reason.iter().any(forbidden), "{:?}", head.reason);
    for field in head.headers.iter() {
        let (name, value) = (field.name(), field.as_bytes());
        assert!(!name.is_empty() && name.bytes().all(is_token), "{name:?}");
        assert!(!value.iter().any(forbidden), "{name}: {value:?}");
        assert!(name.len() + value.len() <= limits.max_field_size, "{name}");
    }
}

/// A character of RFC 9110's `token`, written out once more to compare with the parser's.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn fields(head: &Head) -> Vec<(&str, &[u8])> {
    head.headers
        .iter()
        .map(|f| (f.name(), f.as_bytes()))
        .collect()
}
