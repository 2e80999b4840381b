use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

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
