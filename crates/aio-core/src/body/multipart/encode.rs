//! The codings of a part: `Content-Encoding`, and `Content-Transfer-Encoding` behind it.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, GzBuilder};
use http_body::Frame;

use crate::body::form::FormError;
use crate::{Body, BoxError, HeaderRef, Headers};

/// How much is encoded at a time, so that a big piece is not doubled.
const STEP: usize = 64 * 1024;

/// What the headers of a part ask for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Codings {
    content: Option<Content>,
    transfer: Option<Transfer>,
}

#[derive(Debug, Clone, Copy)]
enum Content {
    /// Raw, as aiohttp has it in parts; the other `deflate` has a container.
    Deflate,
    Gzip,
}

#[derive(Debug, Clone, Copy)]
enum Transfer {
    Base64,
    QuotedPrintable,
}

impl Codings {
    pub(super) fn of(headers: &Headers) -> Result<Self, FormError> {
        let named = |name: &str| headers.get(name).map_or_else(String::new, lower_case);
        let content = match named("content-encoding").as_str() {
            "" | "identity" => None,
            "deflate" => Some(Content::Deflate),
            "gzip" => Some(Content::Gzip),
            other => return Err(FormError::ContentEncoding(other.into())),
        };
        let transfer = match named("content-transfer-encoding").as_str() {
            "" | "binary" => None,
            "base64" => Some(Transfer::Base64),
            "quoted-printable" => Some(Transfer::QuotedPrintable),
            other => return Err(FormError::TransferEncoding(other.into())),
        };
        Ok(Self { content, transfer })
    }

    /// Tells whether the bytes of the part are sent as they are.
    pub(super) fn are_none(self) -> bool {
        self.content.is_none() && self.transfer.is_none()
    }
}

fn lower_case(value: HeaderRef<'_>) -> String {
    String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase()
}

/// A body on its way through its codings.
pub(super) struct Coded {
    body: Body,
    /// What the body has given and is not encoded yet.
    piece: Bytes,
    /// Gone when all is encoded.
    encoder: Option<Encoder>,
}

impl Coded {
    pub(super) fn new(body: Body, codings: Codings) -> Self {
        Self {
            body,
            piece: Bytes::new(),
            encoder: Some(Encoder::new(codings)),
        }
    }
}

impl http_body::Body for Coded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(encoder) = &mut this.encoder else {
            return Poll::Ready(None);
        };
        let mut encoded = Vec::new();
        if !this.piece.is_empty() {
            let step = this.piece.split_to(this.piece.len().min(STEP));
            encoder.push(&step, &mut encoded)?;
        } else if let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(cx)?) {
            this.piece = frame.into_data().unwrap_or_default();
        } else {
            encoder.finish(&mut encoded)?;
            this.encoder = None;
        }
        // Empty at times: who asks for pieces says when others get their turn.
        Poll::Ready(Some(Ok(Frame::data(encoded.into()))))
    }
}

/// Encodes the pieces of one part.
struct Encoder {
    content: Compressor,
    transfer: Printer,
}

enum Compressor {
    Identity,
    Deflate(DeflateEncoder<Vec<u8>>),
    Gzip(GzEncoder<Vec<u8>>),
}

enum Printer {
    Binary,
    /// What does not fill a group of three bytes waits for more.
    Base64(Vec<u8>),
    QuotedPrintable {
        /// The last line has not ended.
        in_line: bool,
    },
}

impl Encoder {
    fn new(codings: Codings) -> Self {
        let level = Compression::default();
        Self {
            content: match codings.content {
                None => Compressor::Identity,
                Some(Content::Deflate) => {
                    Compressor::Deflate(DeflateEncoder::new(Vec::new(), level))
                }
                Some(Content::Gzip) => {
                    // No time, and Unix, as Python's zlib has it.
                    let gzip = GzBuilder::new().operating_system(3);
                    Compressor::Gzip(gzip.write(Vec::new(), level))
                }
            },
            transfer: match codings.transfer {
                None => Printer::Binary,
                Some(Transfer::Base64) => Printer::Base64(Vec::new()),
                Some(Transfer::QuotedPrintable) => Printer::QuotedPrintable { in_line: false },
            },
        }
    }

    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match &mut self.content {
            Compressor::Identity => self.transfer.push(piece, out),
            Compressor::Deflate(deflate) => {
                deflate.write_all(piece)?;
                self.transfer.push(&std::mem::take(deflate.get_mut()), out);
            }
            Compressor::Gzip(gzip) => {
                gzip.write_all(piece)?;
                self.transfer.push(&std::mem::take(gzip.get_mut()), out);
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        match &mut self.content {
            Compressor::Identity => {}
            Compressor::Deflate(deflate) => {
                deflate.try_finish()?;
                self.transfer.push(deflate.get_ref(), out);
            }
            Compressor::Gzip(gzip) => {
                gzip.try_finish()?;
                self.transfer.push(gzip.get_ref(), out);
            }
        }
        self.transfer.finish(out);
        Ok(())
    }
}

impl Printer {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Binary => out.extend_from_slice(piece),
            Self::Base64(waiting) => {
                waiting.extend_from_slice(piece);
                let left = waiting.split_off(waiting.len() / 3 * 3);
                out.extend_from_slice(STANDARD.encode(&waiting).as_bytes());
                *waiting = left;
            }
            Self::QuotedPrintable { in_line } if !piece.is_empty() => {
                if *in_line {
                    out.extend_from_slice(b"=\r\n");
                }
                quote_printably(piece, out);
                *in_line = !piece.ends_with(b"\n");
            }
            Self::QuotedPrintable { .. } => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if let Self::Base64(waiting) = self {
            out.extend_from_slice(STANDARD.encode(waiting).as_bytes());
        }
    }
}

/// The longest line that Python's `binascii.b2a_qp` breaks at (RFC 2045 6.7).
const LINE: usize = 76;

/// Writes text as quoted-printable, as Python does; line ends stay what they are.
///
/// Other than there, a CR that ends no line is quoted, and a text whose lines end in either
/// way is not changed.
fn quote_printably(text: &[u8], out: &mut Vec<u8>) {
    let soft_break = match memchr::memchr(b'\n', text).and_then(|at| text.get(..at)) {
        Some([.., b'\r']) => b"=\r\n".as_slice(),
        _ => b"=\n",
    };
    let start = out.len();
    let (mut rest, mut line) = (text, 0);
    while let [byte, after @ ..] = rest {
        let next = after.first();
        rest = after;
        if *byte == b'\n' || (*byte == b'\r' && next == Some(&b'\n')) {
            // A blank before it would be taken for one that a relay has added.
            if let Some(&blank @ (b' ' | b'\t')) = out.get(start..).and_then(<[u8]>::last) {
                out.pop();
                push_hex(blank, out);
            }
            out.push(*byte);
            line = 0;
        } else if is_quoted(*byte, next, line) {
            if line + 3 >= LINE {
                out.extend_from_slice(soft_break);
                line = 0;
            }
            push_hex(*byte, out);
            line += 3;
        } else {
            if line + 1 >= LINE && next.is_some_and(|&next| next != b'\n') {
                out.extend_from_slice(soft_break);
                line = 0;
            }
            out.push(*byte);
            line += 1;
        }
    }
}

fn is_quoted(byte: u8, next: Option<&u8>, line: usize) -> bool {
    match byte {
        b' ' | b'\t' => next.is_none(),
        // A line of nothing but a dot ends a mail.
        b'.' => line == 0 && matches!(next, None | Some(b'\r' | b'\n' | 0)),
        b'=' => true,
        _ => !byte.is_ascii_graphic(),
    }
}

fn push_hex(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or_default();
    out.extend_from_slice(&[b'=', digit(byte >> 4), digit(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_printable(text: &str, want: &str) {
        let mut out = Vec::new();
        quote_printably(text.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), want, "{text:?}");
    }

    // Expected values are those of `binascii.b2a_qp` in CPython 3.11.
    #[test]
    fn text_is_quoted_as_python_does() {
        let x = |count| "x".repeat(count);
        check_printable("", "");
        check_printable("abc", "abc");
        check_printable("a b ", "a b=20");
        check_printable("a b \n", "a b=20\n");
        check_printable("a\t\r\nb", "a=09\r\nb");
        check_printable(".\n.a\n.", "=2E\n.a\n=2E");
        check_printable("a=b", "a=3Db");
        check_printable("\0\u{1}~\u{7f}", "=00=01~=7F");
        check_printable("h\u{e9}", "h=C3=A9");
        check_printable(&x(76), &x(76));
        check_printable(&x(77), &format!("{}=\nxx", x(75)));
        check_printable(&format!("{}=", x(74)), &format!("{}=\n=3D", x(74)));
        check_printable(&format!("{}\n", x(75)), &format!("{}\n", x(75)));
        check_printable(
            &format!("{} \r\ny", x(75)),
            &format!("{}=\r\n=20\r\ny", x(75)),
        );
        check_printable(
            &format!("\r\n{}", x(80)),
            &format!("\r\n{}=\r\nxxxxx", x(75)),
        );
        check_printable(&format!("{}\r\n", x(76)), &format!("{}=\r\nx\r\n", x(75)));
        check_printable(&"\u{7f}".repeat(30), &{
            let quoted = |count| "=7F".repeat(count);
            format!("{}=\n{}", quoted(25), quoted(5))
        });
    }

    #[test]
    fn line_ends_stay_what_they_are() {
        check_printable("a\r\nb\nc\rd", "a\r\nb\nc=0Dd");
    }

    fn codings(content: &str, transfer: &str) -> Result<Codings, FormError> {
        let mut headers = Headers::new();
        headers.append("content-encoding", content)?;
        headers.append("Content-Transfer-Encoding", transfer)?;
        Codings::of(&headers)
    }

    fn encoded(pieces: &[&str], content: &str, transfer: &str) -> Vec<u8> {
        let codings = codings(content, transfer).expect("known codings");
        let (mut encoder, mut out) = (Encoder::new(codings), Vec::new());
        for piece in pieces {
            encoder.push(piece.as_bytes(), &mut out).expect("memory");
        }
        encoder.finish(&mut out).expect("memory");
        out
    }

    // The bytes are those of aiohttp 3.14.5.
    #[test]
    fn parts_are_compressed() {
        let hello = ["hello ", "hello ", "", "hello"];
        let deflated = b"\xcbH\xcd\xc9\xc9W\xc8@\x90\x00";
        assert_eq!(encoded(&hello, "deflate", ""), deflated);
        let gzipped = encoded(&hello, "GZip", "BASE64");
        assert_eq!(gzipped, b"H4sIAAAAAAAAA8tIzcnJV8hAkACAiPnlEQAAAA==");
    }

    #[test]
    fn base64_does_not_depend_on_the_pieces() {
        for pieces in [&["abcdefgh"][..], &["a", "bcde", "", "fg", "h"]] {
            assert_eq!(encoded(pieces, "", "base64"), b"YWJjZGVmZ2g=");
        }
        assert_eq!(encoded(&[], "", "base64"), b"");
    }

    #[test]
    fn a_printed_line_does_not_grow_with_the_pieces() {
        let x = "x".repeat(50);
        let printed = encoded(&[&x, "", &x, "\ny ", "z"], "", "quoted-printable");
        let want = format!("{x}=\r\n{x}=\r\n\ny=20=\r\nz");
        assert_eq!(String::from_utf8_lossy(&printed), want);
    }

    #[test]
    fn unknown_codings_are_refused() {
        assert!(codings("identity", "binary").is_ok_and(Codings::are_none));
        let error = codings("br", "").expect_err("not for parts");
        assert_eq!(error.to_string(), "unknown content encoding: br");
        let error = codings("", "7bit").expect_err("not for parts");
        assert_eq!(error.to_string(), "unknown content transfer encoding: 7bit");
    }
}
