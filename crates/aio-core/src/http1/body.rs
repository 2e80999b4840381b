//! The body of a response, cut out of the bytes received behind its head.

use bytes::{Bytes, BytesMut};

use crate::error::PayloadError;
use crate::headers::HeaderView;
use crate::http1::chunked::{Chunk, ChunkedDecoder};
use crate::http1::{Framing, Limits};

/// Cuts one body out of received bytes; what follows the body stays in the buffer.
#[derive(Debug)]
pub struct BodyDecoder {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Length { left: u64, whole: u64 },
    Chunked(ChunkedDecoder),
    UntilEof,
    Ended(Option<Box<HeaderView>>),
}

/// What a body has next.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyEvent {
    /// Bytes of the body, as they lay in the buffer; never empty.
    Data(Bytes),
    /// A chunk of the chunked coding has ended.
    ChunkEnd,
    /// The body has ended.
    End,
    /// More bytes must be received first.
    More,
}

impl BodyDecoder {
    /// Makes the decoder of a body framed so, behind a head with so many header fields.
    pub fn new(framing: Framing, limits: &Limits, fields: usize) -> Self {
        Self {
            kind: match framing {
                Framing::None => Kind::Ended(None),
                Framing::Length(length) => Kind::Length {
                    left: length,
                    whole: length,
                },
                Framing::Chunked => Kind::Chunked(ChunkedDecoder::new(*limits, fields)),
                Framing::UntilEof => Kind::UntilEof,
            },
        }
    }

    /// Takes the next part of the body from the front of `received`.
    ///
    /// # Errors
    /// If chunk sizes, chunk ends or trailers are malformed or break a limit.
    pub fn decode(&mut self, received: &mut BytesMut) -> Result<BodyEvent, PayloadError> {
        let take = match &mut self.kind {
            Kind::Ended(_) => return Ok(BodyEvent::End),
            Kind::Length { left: 0, .. } => {
                self.kind = Kind::Ended(None);
                return Ok(BodyEvent::End);
            }
            Kind::Length { left, .. } => {
                let here = received
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= here as u64;
                here
            }
            Kind::UntilEof => received.len(),
            Kind::Chunked(chunks) => match chunks.next(received)? {
                Chunk::Data(here) => {
                    chunks.took(here);
                    here
                }
                Chunk::End => return Ok(BodyEvent::ChunkEnd),
                Chunk::More => 0,
                Chunk::Last => {
                    self.kind = Kind::Ended(chunks.take_trailers());
                    return Ok(BodyEvent::End);
                }
            },
        };
        Ok(if take == 0 {
            BodyEvent::More
        } else {
            BodyEvent::Data(received.split_to(take).freeze())
        })
    }

    /// Says that the peer has closed: the body ends here.
    ///
    /// # Errors
    /// If a length or a last chunk was promised.
    pub fn end_of_input(&mut self) -> Result<(), PayloadError> {
        match self.kind {
            Kind::Ended(_) | Kind::UntilEof | Kind::Length { left: 0, .. } => {
                self.kind = Kind::Ended(None);
                Ok(())
            }
            Kind::Length { left, whole } => Err(PayloadError::ShortLength {
                received: whole - left,
                expected: whole,
            }),
            Kind::Chunked(_) => Err(PayloadError::ShortChunked),
        }
    }

    /// Tells whether the body has ended.
    pub fn has_ended(&self) -> bool {
        matches!(self.kind, Kind::Ended(_) | Kind::Length { left: 0, .. })
    }

    /// Returns the fields that came behind the last chunk, once the body has ended and if
    /// there were any. Whatever their names, they change nothing (RFC 9110 §6.5.1).
    pub fn trailers(&self) -> Option<&HeaderView> {
        match &self.kind {
            Kind::Ended(trailers) => trailers.as_deref(),
            _ => None,
        }
    }

    /// Takes the trailers out.
    pub fn take_trailers(&mut self) -> Option<Box<HeaderView>> {
        match &mut self.kind {
            Kind::Ended(trailers) => trailers.take(),
            _ => None,
        }
    }

    /// Says that `count` bytes of a body of known length were read past the decoder.
    ///
    /// The caller reads at most what [`remaining`](Self::remaining) tells.
    pub fn advance(&mut self, count: usize) {
        if let Kind::Length { left, .. } = &mut self.kind {
            *left = left.saturating_sub(count as u64);
        }
    }

    /// Returns how many bytes are left when the body's length is known.
    pub fn remaining(&self) -> Option<u64> {
        match &self.kind {
            Kind::Length { left, .. } => Some(*left),
            Kind::Ended(_) => Some(0),
            Kind::Chunked(_) | Kind::UntilEof => None,
        }
    }

    /// Returns how many bytes of body are sure to come next: the rest of a known length
    /// or of the current chunk.
    pub fn expected(&self) -> u64 {
        match &self.kind {
            Kind::Length { left, .. } => *left,
            Kind::Chunked(chunks) => chunks.left(),
            Kind::Ended(_) => 0,
            Kind::UntilEof => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `text`, received in two parts; gives the data and the number of chunks.
    fn decode_cut(
        framing: Framing,
        text: &str,
        cut: usize,
    ) -> Result<(String, usize), PayloadError> {
        let mut decoder = BodyDecoder::new(framing, &Limits::default(), 0);
        let (first, second) = text.split_at(cut);
        let mut received = BytesMut::from(first);
        let mut rest = Some(second);
        let (mut data, mut ends) = (String::new(), 0);
        loop {
            match decoder.decode(&mut received)? {
                BodyEvent::Data(bytes) => data.push_str(str::from_utf8(&bytes).expect("ASCII")),
                BodyEvent::ChunkEnd => ends += 1,
                BodyEvent::End => return Ok((data, ends)),
                BodyEvent::More => match rest.take() {
                    Some(rest) => received.extend_from_slice(rest.as_bytes()),
                    None => return decoder.end_of_input().map(|()| (data, ends)),
                },
            }
        }
    }

    /// Decodes `text` cut at each place, with the same outcome always.
    fn decode(framing: Framing, text: &str) -> Result<(String, usize), PayloadError> {
        let whole = decode_cut(framing, text, 0);
        for cut in (1..=text.len()).step_by(1 + text.len() / 200) {
            let again = decode_cut(framing, text, cut);
            assert_eq!(
                format!("{again:?}"),
                format!("{whole:?}"),
                "{text:?} cut at {cut}"
            );
        }
        whole
    }

    #[track_caller]
    fn check(framing: Framing, text: &str, data: &str, chunks: usize) {
        assert_eq!(
            decode(framing, text).expect("a whole body"),
            (data.to_owned(), chunks),
            "{text:?}"
        );
    }

    #[test]
    fn bodies_end_where_their_framing_says() {
        check(Framing::None, "rest", "", 0);
        check(Framing::Length(3), "abcdef", "abc", 0);
        check(Framing::UntilEof, "abc", "abc", 0);
        check(Framing::Chunked, "3\r\nabc\r\n0\r\n\r\nrest", "abc", 1);
        check(
            Framing::Chunked,
            "00A;x=\"y\"\r\n0123456789\r\n1 \r\nx\r\n0;z\r\nT: 1\r\nU: 2\r\n\r\n",
            "0123456789x",
            2,
        );
    }

    #[track_caller]
    fn check_bad(text: &str, want: &str) {
        assert_eq!(
            decode(Framing::Chunked, text)
                .expect_err("malformed")
                .to_string(),
            want,
            "{text:?}"
        );
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for size in [
            "zz",
            "-2",
            "",
            "0x2",
            " 2",
            "1\n",
            "1\rx",
            "10000000000000000",
            ";x",
            "1 0",
            "1\tx",
        ] {
            check_bad(&format!("{size}\r\nab\r\n0\r\n\r\n"), "invalid chunk size");
        }
        check_bad("2\r\nabc\r\n", "no line end behind the data of a chunk");
        check_bad(
            "2\r\nab\n0\r\n\r\n",
            "no line end behind the data of a chunk",
        );
        check_bad("0\r\nno colon\r\n\r\n", "invalid trailers");
        check_bad(
            "2\r\nab\r\n",
            "the chunked body ended before its last chunk",
        );
        check_bad(
            &format!("1;{}\r\n", "x".repeat(16 * 1024)),
            "more than 16384 bytes of chunk extensions",
        );
        check_bad(
            &"0".repeat(20_000),
            "more than 16384 bytes of chunk extensions",
        );
        check_bad(
            &format!("0\r\n{}", "a: b\r\n".repeat(129)),
            "invalid trailers",
        );
        check_bad(&format!("0\r\na: {}", "b".repeat(9000)), "invalid trailers");
    }

    #[track_caller]
    fn check_trailers(text: &str, want: &[(&str, &[u8])]) {
        for cut in 0..=text.len() {
            let mut decoder = BodyDecoder::new(Framing::Chunked, &Limits::default(), 0);
            let (first, second) = text.as_bytes().split_at(cut);
            let mut received = BytesMut::from(first);
            while !matches!(decoder.decode(&mut received), Ok(BodyEvent::More)) {
                assert_eq!(
                    decoder.trailers().is_some(),
                    decoder.has_ended() && !want.is_empty()
                );
                if decoder.has_ended() {
                    break;
                }
            }
            received.extend_from_slice(second);
            while !decoder.has_ended() {
                decoder.decode(&mut received).expect("a whole body");
            }
            let trailers = decoder.take_trailers();
            let fields = trailers.iter().flat_map(|trailers| trailers.iter());
            let have: Vec<_> = fields
                .map(|field| (field.name(), field.as_bytes()))
                .collect();
            assert_eq!(have, want, "{text:?} cut at {cut}");
        }
    }

    #[test]
    fn trailers_are_kept_as_received() {
        check_trailers("0\r\n\r\n", &[]);
        check_trailers("0\r\nT: 1\r\n\r\n", &[("T", b"1")]);
        check_trailers("0\r\nT: 1\r\n  2\r\n\r\nrest", &[("T", b"1  2")]);
        check_trailers(
            "1\r\nx\r\n0\r\nb:\t2 \r\nB: 3\nContent-Length: 7\r\n\r\n",
            &[("b", b"2"), ("B", b"3"), ("Content-Length", b"7")],
        );
    }

    #[test]
    fn trailers_have_the_bounds_of_a_head() {
        check_bad("0\r\n  2\r\n\r\n", "invalid trailers");
        check_bad("0\r\nT: 1\0\r\n\r\n", "invalid trailers");
        let endless = "  2\r\n".repeat(8190);
        check_bad(&format!("0\r\nT: 1\r\n{endless}"), "invalid trailers");
        let limits = Limits {
            max_headers: 3,
            ..Limits::default()
        };
        let mut decoder = BodyDecoder::new(Framing::Chunked, &limits, 2);
        let mut received = BytesMut::from("0\r\nA: 1\r\nB: 2\r\n\r\n");
        let error = decoder.decode(&mut received).expect_err("one too many");
        let PayloadError::Trailers(error) = error else {
            panic!("{error:?}");
        };
        assert_eq!(error, crate::HttpError::TooManyHeaders { limit: 3 });
    }

    #[test]
    fn a_short_body_tells_how_much_came() {
        let error = decode(Framing::Length(10), "abc").expect_err("short");
        assert_eq!(error.to_string(), "received 3 of 10 bytes of the body");
    }
}
