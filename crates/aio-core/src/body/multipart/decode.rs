//! The codings of a part that is read: `Content-Transfer-Encoding`, and `Content-Encoding`
//! behind it.

use bytes::{Buf, Bytes, BytesMut};

use super::error::MultipartError;
use crate::HeaderView;
use crate::coding::{Coding, Decoder, Progress};

/// Decodes the data of one part.
///
/// Base64 and quoted-printable are read as Python's `binascii` reads them. The memory it
/// holds is constant; how fast the output grows is the caller's to say.
///
/// ```
/// use aio_core::coding::Progress;
/// use aio_core::{MultipartEvent, MultipartLimits, MultipartParser, PartDecoder};
/// use bytes::{Bytes, BytesMut};
///
/// let mut parser = MultipartParser::new(b"multipart/mixed; boundary=B", MultipartLimits::default())?;
/// let mut received =
///     Bytes::from("--B\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--B--\r\n");
/// let Some(MultipartEvent::Part(headers)) = parser.parse(&mut received)? else { panic!() };
/// let Some(MultipartEvent::Data(mut data)) = parser.parse(&mut received)? else { panic!() };
/// let mut decoder = PartDecoder::new(&headers, parser.is_form())?;
/// let mut text = BytesMut::new();
/// while decoder.decode(&mut data, &mut text, 1024)? == Progress::NeedsBudget {}
/// decoder.finish(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok::<(), aio_core::MultipartError>(())
/// ```
#[derive(Debug)]
pub struct PartDecoder {
    transfer: Transfer,
    content: Option<Content>,
}

#[derive(Debug)]
enum Transfer {
    Identity,
    Base64(Base64),
    Quoted(Quoted),
}

#[derive(Debug)]
struct Content {
    decoder: Box<Decoder>,
    input: Bytes,
    /// The decoder may have more from the input before.
    more: bool,
}

/// How much is decoded of a transfer encoding at a time.
const STEP: usize = 64 * 1024;

impl PartDecoder {
    /// Makes a decoder for a part with these headers; in a form, `Content-Encoding` means
    /// nothing (RFC 7578 4.8).
    ///
    /// # Errors
    /// If one of the codings is unknown.
    pub fn new(headers: &HeaderView, is_form: bool) -> Result<Self, MultipartError> {
        let named = |name: &str| {
            let field = headers.get(name)?;
            Some(String::from_utf8_lossy(field.as_bytes()).to_ascii_lowercase())
        };
        let transfer = match named("content-transfer-encoding").as_deref() {
            None | Some("binary" | "8bit" | "7bit") => Transfer::Identity,
            Some("base64") => Transfer::Base64(Base64::default()),
            Some("quoted-printable") => Transfer::Quoted(Quoted::Text),
            Some(other) => return Err(MultipartError::TransferEncoding(other.into())),
        };
        let content = match named("content-encoding").filter(|_| !is_form).as_deref() {
            None | Some("identity") => None,
            Some(name) => match Coding::from_header(name.as_bytes()) {
                Some(coding) if coding.has_decoder() => Some(Content {
                    decoder: Box::new(Decoder::new(coding)),
                    input: Bytes::new(),
                    more: false,
                }),
                _ => return Err(MultipartError::ContentEncoding(name.into())),
            },
        };
        Ok(Self { transfer, content })
    }

    /// Tells whether there is a content coding, which can make much of little.
    pub fn has_content_coding(&self) -> bool {
        self.content.is_some()
    }

    /// Decodes from the front of `input`, which advances, and appends about `budget` bytes
    /// to `output` at most.
    ///
    /// Call it until it answers [`Progress::NeedsInput`].
    ///
    /// # Errors
    /// If the content coding is corrupt.
    pub fn decode(
        &mut self,
        input: &mut Bytes,
        output: &mut BytesMut,
        budget: usize,
    ) -> Result<Progress, MultipartError> {
        let Some(content) = &mut self.content else {
            let piece = input.split_to(input.len().min(budget));
            self.transfer.push(&piece, output);
            return Ok(progress(!input.is_empty()));
        };
        if !content.more && content.input.is_empty() {
            let piece = input.split_to(input.len().min(STEP));
            content.input = self.transfer.decoded(piece);
        }
        content.decode(output, budget)?;
        Ok(progress(
            content.more || !content.input.is_empty() || !input.is_empty(),
        ))
    }

    /// Appends what is left and checks that the codings are complete, once the part is.
    ///
    /// # Errors
    /// If they are not.
    pub fn finish(&mut self, output: &mut BytesMut) -> Result<(), MultipartError> {
        let mut last = BytesMut::new();
        self.transfer.finish(&mut last)?;
        let Some(content) = &mut self.content else {
            output.extend_from_slice(&last);
            return Ok(());
        };
        content.input = last.freeze();
        while !content.input.is_empty() {
            content.decode(output, STEP)?;
        }
        content.decoder.finish().map_err(MultipartError::Coding)
    }
}

impl Content {
    fn decode(&mut self, output: &mut BytesMut, budget: usize) -> Result<(), MultipartError> {
        let progress = self.decoder.decode(&mut self.input, output, budget);
        self.more = progress.map_err(MultipartError::Coding)? == Progress::NeedsBudget;
        Ok(())
    }
}

fn progress(more: bool) -> Progress {
    match more {
        true => Progress::NeedsBudget,
        false => Progress::NeedsInput,
    }
}

impl Transfer {
    fn push(&mut self, piece: &[u8], output: &mut BytesMut) {
        match self {
            Self::Identity => output.extend_from_slice(piece),
            Self::Base64(base64) => base64.push(piece, output),
            Self::Quoted(quoted) => quoted.push(piece, output),
        }
    }

    fn decoded(&mut self, piece: Bytes) -> Bytes {
        if let Self::Identity = self {
            return piece;
        }
        let mut output = BytesMut::with_capacity(piece.len());
        self.push(&piece, &mut output);
        output.freeze()
    }

    fn finish(&mut self, output: &mut BytesMut) -> Result<(), MultipartError> {
        match self {
            Self::Identity => Ok(()),
            Self::Base64(base64) => base64.finish(),
            Self::Quoted(quoted) => {
                quoted.finish(output);
                Ok(())
            }
        }
    }
}

/// Base64 as Python's `a2b_base64` reads it: other characters mean nothing, nor does what
/// follows complete padding.
#[derive(Debug, Default)]
struct Base64 {
    /// The bits of the group so far.
    bits: u8,
    /// How many characters of the group have come.
    position: u8,
    pads: u8,
    ended: bool,
}

impl Base64 {
    fn push(&mut self, piece: &[u8], output: &mut BytesMut) {
        for &byte in piece {
            if self.ended {
                return;
            }
            if byte == b'=' {
                self.pads += u8::from(self.position >= 2);
                self.ended = self.position + self.pads >= 4 && self.position >= 2;
                continue;
            }
            let Some(value) = sextet(byte) else {
                continue;
            };
            self.pads = 0;
            match self.position {
                0 => {}
                1 => output.extend_from_slice(&[self.bits << 2 | value >> 4]),
                2 => output.extend_from_slice(&[self.bits << 4 | value >> 2]),
                _ => output.extend_from_slice(&[self.bits << 6 | value]),
            }
            self.bits = value;
            self.position = (self.position + 1) % 4;
        }
    }

    fn finish(&self) -> Result<(), MultipartError> {
        match self.ended || self.position == 0 {
            true => Ok(()),
            false => Err(MultipartError::Base64),
        }
    }
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// Quoted-printable as Python's `a2b_qp` reads it: what is no code stays as it is.
#[derive(Debug)]
enum Quoted {
    Text,
    Equals,
    /// An equals sign and this digit.
    Digit(u8),
    /// In a soft line break.
    Break,
}

impl Quoted {
    fn push(&mut self, piece: &[u8], output: &mut BytesMut) {
        let mut rest = piece;
        while let Some(&byte) = rest.first() {
            rest = rest.get(1..).unwrap_or_default();
            *self = match (&*self, byte) {
                (Self::Equals, b'\n') | (Self::Break, b'\n') => Self::Text,
                (Self::Equals, b'\r') | (Self::Break, _) => Self::Break,
                (Self::Equals, b'=') => {
                    output.extend_from_slice(b"=");
                    Self::Text
                }
                (Self::Equals, byte) if byte.is_ascii_hexdigit() => Self::Digit(byte),
                (Self::Equals, _) => {
                    output.extend_from_slice(b"=");
                    self.text(byte, output)
                }
                (&Self::Digit(first), byte) => match (hex(first), hex(byte)) {
                    (Some(high), Some(low)) => {
                        output.extend_from_slice(&[high << 4 | low]);
                        Self::Text
                    }
                    _ => {
                        output.extend_from_slice(&[b'=', first]);
                        self.text(byte, output)
                    }
                },
                (Self::Text, b'=') => Self::Equals,
                (Self::Text, _) => {
                    // The rest of the text at once.
                    let len = memchr::memchr(b'=', rest).unwrap_or(rest.len());
                    output.extend_from_slice(&[byte]);
                    output.extend_from_slice(rest.get(..len).unwrap_or_default());
                    rest.advance(len);
                    Self::Text
                }
            };
        }
    }

    fn text(&self, byte: u8, output: &mut BytesMut) -> Self {
        if byte == b'=' {
            return Self::Equals;
        }
        output.extend_from_slice(&[byte]);
        Self::Text
    }

    fn finish(&mut self, output: &mut BytesMut) {
        if let Self::Digit(first) = self {
            output.extend_from_slice(&[b'=', *first]);
        }
        *self = Self::Text;
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;
    use crate::{MultipartEvent, MultipartLimits, MultipartParser};

    /// Reads the headers of a part.
    fn headers(head: &str) -> HeaderView {
        let mut body = Bytes::from(format!("--B\r\n{head}\r\n\r\n"));
        let limits = MultipartLimits::default();
        let mut parser =
            MultipartParser::new(b"multipart/form-data; boundary=B", limits).expect("a boundary");
        match parser.parse(&mut body) {
            Ok(Some(MultipartEvent::Part(headers))) => headers,
            other => panic!("{other:?}"),
        }
    }

    /// Decodes `data` in pieces of `size` bytes, `budget` bytes at a time.
    fn decode(head: &str, data: &[u8], size: usize, budget: usize) -> Result<Vec<u8>, String> {
        let error = |error: MultipartError| format!("{}: {error}", error.aiohttp_class());
        let mut decoder = PartDecoder::new(&headers(head), false).map_err(error)?;
        let mut output = BytesMut::new();
        for piece in data.chunks(size) {
            let mut piece = Bytes::copy_from_slice(piece);
            loop {
                let before = output.len();
                let progress = decoder
                    .decode(&mut piece, &mut output, budget)
                    .map_err(error)?;
                assert!(output.len() - before <= budget + 2);
                if progress == Progress::NeedsInput {
                    assert!(piece.is_empty());
                    break;
                }
            }
        }
        decoder.finish(&mut output).map_err(error)?;
        Ok(output.into())
    }

    #[track_caller]
    fn check(head: &str, data: impl AsRef<[u8]>, want: Result<&[u8], &str>) {
        let data = data.as_ref();
        let want = want.map(<[u8]>::to_vec).map_err(str::to_owned);
        for (size, budget) in [
            (data.len().max(1), 1 << 20),
            (1, 1 << 20),
            (1, 1),
            (3, 2),
            (2, 5),
        ] {
            let have = decode(head, data, size, budget);
            assert!(
                have == want,
                "{head} {}: {have:?}, not {want:?}, {size} at a time",
                data.escape_ascii()
            );
        }
    }

    // Expected values are those of Python's `base64.b64decode`.
    #[test]
    fn base64_is_read_as_python_reads_it() {
        let check = |data: &str, want: Result<&str, &str>| {
            check(
                "Content-Transfer-Encoding: Base64",
                data,
                want.map(str::as_bytes),
            );
        };
        check("", Ok(""));
        check("aGk=", Ok("hi"));
        check("aGVsbG8h", Ok("hello!"));
        check("aGV\r\n sb\tG8-_!*h", Ok("hello!"));
        check("aA==", Ok("h"));
        check("aGk=aGk=", Ok("hi"));
        check("aA=\r\n=", Ok("h"));
        check("a=A=x=!=bG8h", Ok("h\x0c"));
        check("=aGk=", Ok("hi"));
        check("====", Ok(""));
        let padding = "binascii.Error: incorrect base64 padding in a part";
        for broken in ["a", "aG", "aGk", "aG=", "aGkaa", "a==="] {
            check(broken, Err(padding));
        }
    }

    // Expected values are those of Python's `binascii.a2b_qp`.
    #[test]
    fn quoted_printable_is_read_as_python_reads_it() {
        let check = |data: &str, want: &str| {
            check(
                "content-transfer-encoding: QUOTED-printable",
                data,
                Ok(want.as_bytes()),
            );
        };
        check("", "");
        check("a=C3=a9=\r\n b = =4 =\r x\ny==a=", "a\u{e9} b = =4 y=a");
        check("a  \r\n=\nb", "a  \r\nb");
        check("=4", "=4");
        check("=4=41=", "=4A");
        check("=g=4g==41", "=g=4g=41");
        check("=\rx", "");
        check("_=5F", "__");
    }

    #[test]
    fn plain_encodings_change_nothing() {
        for name in ["7bit", "8BIT", "Binary"] {
            check(
                &format!("Content-Transfer-Encoding: {name}"),
                "a=41\0",
                Ok(b"a=41\0"),
            );
        }
        check("A: b", "a=41\0", Ok(b"a=41\0"));
        check("Content-Encoding: identity", "a", Ok(b"a"));
    }

    // BODY-80.
    #[test]
    fn unknown_encodings_are_refused() {
        let error = "RuntimeError: unknown content transfer encoding: x";
        check("Content-Transfer-Encoding: X", "a", Err(error));
        let error = "RuntimeError: unknown content encoding: x-y";
        check("Content-Encoding: X-Y", "a", Err(error));
        let in_form = PartDecoder::new(&headers("Content-Encoding: x-y"), true);
        assert!(in_form.is_ok());
        let in_form = PartDecoder::new(&headers("Content-Transfer-Encoding: x"), true);
        assert!(in_form.is_err());
    }

    fn text() -> Vec<u8> {
        (0..2000).map(|n: u32| (n * n / 7) as u8).collect()
    }

    #[test]
    fn content_codings_stand_behind_transfer_encodings() {
        let text = text();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&text).expect("a Vec takes all");
        let gzip = gzip.finish().expect("a Vec takes all");
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(&text).expect("a Vec takes all");
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).expect("a Vec takes all");
        check("Content-Encoding: gzip", &gzip, Ok(&text));
        check(
            "Content-Encoding: Deflate",
            raw.finish().expect("a Vec takes all"),
            Ok(&text),
        );
        check(
            "Content-Encoding: deflate",
            zlib.finish().expect("a Vec takes all"),
            Ok(&text),
        );
        let both = "Content-Encoding: gzip\r\nContent-Transfer-Encoding: quoted-printable";
        let quoted: String = gzip.iter().map(|byte| format!("={byte:02X}")).collect();
        check(both, &quoted, Ok(&text));
        let cut = "zlib.error: content-encoding gzip ended early";
        check("Content-Encoding: gzip", &gzip[..gzip.len() - 1], Err(cut));
        let bad = "zlib.error: cannot decode content-encoding gzip";
        check("Content-Encoding: gzip", "not gzip at all", Err(bad));
    }
}
