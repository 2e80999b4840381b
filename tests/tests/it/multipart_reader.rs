//! Multipart bodies from any source, read part by part.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use aio_client::{
    Body, BodyPart, BoxError, BoxFuture, FormData, FormPart, Headers, MultipartError,
    MultipartLimits, MultipartReader, MultipartWriter, TextOptions,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_core::Stream;
use serde_json::{Value, json};

use crate::peer::soon;

/// Gives a piece each time, between them nothing for once.
struct Pieces {
    pieces: VecDeque<Bytes>,
    waited: bool,
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.waited = !self.waited;
        if self.waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.pieces.pop_front().map(Ok))
    }
}

/// The bytes of `body`, so many at a time.
fn pieces(body: &[u8], size: usize) -> Pieces {
    Pieces {
        pieces: body.chunks(size).map(Bytes::copy_from_slice).collect(),
        waited: false,
    }
}

fn reader(content_type: &str, body: &str) -> MultipartReader<'static, io::Error> {
    let pieces = pieces(body.as_bytes(), 7);
    MultipartReader::new(content_type.as_bytes(), pieces).expect("a boundary")
}

fn mixed(body: &str) -> MultipartReader<'static, io::Error> {
    reader("multipart/mixed; boundary=B", body)
}

/// A body with one part.
fn one(head: &str, content: &str) -> MultipartReader<'static, io::Error> {
    mixed(&format!("--B\r\n{head}\r\n\r\n{content}\r\n--B--\r\n"))
}

#[track_caller]
fn class(error: &io::Error) -> &'static str {
    let inner = error.get_ref().expect("it has a cause");
    let inner = inner.downcast_ref::<MultipartError>();
    inner.expect("it is about the parts").aiohttp_class()
}

/// Tells all of a body as the vectors do, with what `want` asks for beyond the data.
fn told<'a, E: std::fmt::Debug + Send + 'a>(
    mut reader: MultipartReader<'a, E>,
    want: &'a Value,
) -> BoxFuture<'a, Vec<Value>> {
    Box::pin(async move {
        let mut told_parts = Vec::new();
        while let Some(mut part) = reader.next().await.expect("a part") {
            let want = &want[told_parts.len()];
            if part.is_multipart() {
                let inner = part.multipart().expect("a boundary");
                told_parts.push(json!({"parts": told(inner, &want["parts"]).await}));
                continue;
            }
            let (name, filename) = (part.name(), part.filename());
            let mut told = json!({"name": name, "filename": filename});
            let data = if want.get("text").is_some() {
                let text = part.text().await.expect("text");
                told["text"] = json!(text);
                text.into()
            } else if want.get("json").is_some() {
                told["json"] = part.json().await.expect("JSON");
                // Read once it is gone.
                STANDARD
                    .decode(want["data"].as_str().expect("base64"))
                    .expect("base64")
                    .into()
            } else if want.get("form").is_some() {
                told["form"] = json!(part.form().await.expect("a form"));
                STANDARD
                    .decode(want["data"].as_str().expect("base64"))
                    .expect("base64")
                    .into()
            } else {
                part.read_decoded().await.expect("data")
            };
            told["data"] = json!(STANDARD.encode(&data));
            assert!(part.at_eof());
            told_parts.push(told);
        }
        assert!(reader.at_eof());
        told_parts
    })
}

fn vectors() -> Vec<(String, String, Vec<u8>, Value)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/data/multipart");
    let read = |name: &str| std::fs::read(format!("{directory}/{name}")).expect("a vector");
    let expected: Value = serde_json::from_slice(&read("expected.json")).expect("JSON");
    let expected = expected.as_object().expect("cases by name");
    let case = |(name, case): (&String, &Value)| {
        let content_type = case["content_type"].as_str().expect("text").to_owned();
        let body = read(&format!("{name}.body"));
        (name.clone(), content_type, body, case["parts"].clone())
    };
    expected.iter().map(case).collect()
}

// BODY-77, 78, 80 to 82.
#[tokio::test]
async fn what_python_wrote_is_read() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 7);
    for (name, content_type, body, want) in vectors {
        for size in [1, 7, 64, 100_000] {
            let reader = MultipartReader::new(content_type.as_bytes(), pieces(&body, size));
            let have = told(reader.expect("a boundary"), &want).await;
            let want = want.as_array().expect("parts");
            assert_eq!(have.len(), want.len(), "{name}");
            for (have, want) in have.iter().zip(want) {
                assert_eq!(have, want, "{name}, {size} bytes at a time");
            }
        }
    }
}

/// Reads a body of ours.
async fn read_back(body: Body) -> Vec<(Option<String>, Option<String>, Bytes)> {
    let content_type = body.content_type().expect("it has one").to_owned();
    let limits = MultipartLimits::default();
    let reader = MultipartReader::<BoxError>::from_body(content_type.as_bytes(), body, limits);
    let (mut reader, mut parts) = (reader.expect("a boundary"), Vec::new());
    while let Some(mut part) = reader.next().await.expect("a part") {
        let (name, filename) = (part.name(), part.filename());
        parts.push((name, filename, part.read_decoded().await.expect("data")));
    }
    parts
}

#[tokio::test]
async fn what_we_wrote_is_read() {
    let big: Vec<u8> = (0..300_000_u32)
        .map(|n| (n.wrapping_mul(n) / 3) as u8)
        .collect();
    let mut writer = MultipartWriter::with_boundary("mixed", "a 'limit'; \"").expect("good");
    let codings = [
        ("x-none", "x"),
        ("content-encoding", "gzip"),
        ("Content-Encoding", "deflate"),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Transfer-Encoding", "quoted-printable"),
        ("Content-Transfer-Encoding", "binary"),
    ];
    for (name, value) in codings {
        let mut headers = Headers::new();
        headers.append(name, value).expect("a header");
        writer.append(big.clone(), &headers).expect("a part");
    }
    let parts = read_back(writer.into()).await;
    assert_eq!(parts.len(), codings.len());
    for (part, coding) in parts.iter().zip(codings) {
        assert!(part.2 == big, "{coding:?}");
    }

    let form = FormData::new()
        .text("a", "1")
        .text("ü \"\\", "2\r\n--")
        .bytes("file", big.clone())
        .part("last", FormPart::from("x").filename("a.txt"));
    let parts = read_back(form.into_body().expect("a form")).await;
    let names: Vec<_> = parts.iter().map(|part| part.0.as_deref()).collect();
    assert_eq!(
        names,
        [Some("a"), Some("ü \"\\"), Some("file"), Some("last")]
    );
    assert_eq!(
        (&parts[0].2[..], &parts[1].2[..]),
        (&b"1"[..], &b"2\r\n--"[..])
    );
    assert!(parts[2].2 == big);
    assert_eq!(parts[3].1.as_deref(), Some("a.txt"));
}

// BODY-72, 83.
#[tokio::test]
async fn what_is_left_of_a_part_is_passed_over() {
    let body = "--B\r\n\r\nline 1\r\nline 2\r\n--B\r\nX-A: 1\r\n\r\nsecond\r\n--B--\r\n";
    let mut reader = mixed(body);
    let mut part = reader.next().await.expect("good").expect("a part");
    assert_eq!(
        part.line().await.expect("good").expect("a line"),
        "line 1\r\n"
    );
    assert!(!part.at_eof());
    let mut part = reader.next().await.expect("good").expect("a part");
    assert!(part.headers().contains("x-a"));
    assert_eq!(part.read().await.expect("good"), "second");
    assert!(part.at_eof());
    assert_eq!(part.read().await.expect("good"), "");
    assert_eq!(part.chunk().await.expect("good"), None);
    assert_eq!(part.line().await.expect("good"), None);
    assert_eq!(part.read_decoded().await.expect("good"), "");
    assert!(!reader.at_eof());
    for _ in 0..2 {
        assert!(reader.next().await.expect("good").is_none());
        assert!(reader.at_eof());
    }

    let mut reader = mixed(body);
    reader.release().await.expect("good");
    assert!(reader.at_eof());
}

// BODY-78.
#[tokio::test]
async fn a_part_is_read_in_any_way() {
    let body = "--B\r\n\r\nab\nc\r\n\r\nd\r\n--B--\r\n";
    let all: Result<&[&str], &str> = Ok(&["ab\n", "c\r\n", "\r\n", "d"]);
    let mut reader = mixed(body);
    let mut part = reader.next().await.expect("good").expect("a part");
    let mut lines = Vec::new();
    while let Some(line) = part.line().await.expect("good") {
        lines.push(String::from_utf8(line.to_vec()).expect("text"));
    }
    assert_eq!(
        Ok(&lines.iter().map(String::as_str).collect::<Vec<_>>()[..]),
        all
    );

    let mut reader = mixed(body);
    let mut part = reader.next().await.expect("good").expect("a part");
    let mut chunks = Vec::new();
    while let Some(chunk) = part.chunk_of(4).await.expect("good") {
        chunks.push(chunk);
    }
    assert_eq!(chunks, ["ab\nc", "\r\n\r\n", "d"]);

    // One behind the other.
    let mut reader = mixed(body);
    let mut part = reader.next().await.expect("good").expect("a part");
    assert_eq!(part.chunk_of(1).await.expect("good").expect("some"), "a");
    assert_eq!(part.line().await.expect("good").expect("some"), "b\n");
    let mut rest = Vec::new();
    while let Some(chunk) = part.chunk().await.expect("good") {
        assert!(!chunk.is_empty());
        rest.extend_from_slice(&chunk);
    }
    assert_eq!(rest, b"c\r\n\r\nd");
}

#[tokio::test]
async fn decoded_data_may_begin_in_the_middle() {
    let mut reader = one("Content-Transfer-Encoding: base64", "aGVsbG8haGVsbG8h");
    let mut part = reader.next().await.expect("good").expect("a part");
    assert_eq!(part.chunk_of(4).await.expect("good").expect("some"), "aGVs");
    let mut decoded = Vec::new();
    while let Some(chunk) = part.decoded_chunk().await.expect("good") {
        decoded.extend_from_slice(&chunk);
    }
    assert_eq!(decoded, b"lo!hello!");
}

#[tokio::test]
async fn lines_have_a_bound() {
    let long = "x".repeat(512 * 1024);
    let mut reader = one("A: b", &long);
    let mut part = reader.next().await.expect("good").expect("a part");
    assert_eq!(part.line().await.expect("good").expect("a line"), long);
    for more in ["x", "x\n"] {
        let mut reader = one("A: b", &(long.clone() + more));
        let mut part = reader.next().await.expect("good").expect("a part");
        let error = part.line().await.expect_err("too long");
        assert_eq!(class(&error), "LineTooLong");
    }
}

// BODY-82.
#[tokio::test]
async fn text_is_read_by_its_charset() {
    let text = async |head: &str, options: &TextOptions<'_>| {
        let body = [b"--B\r\n", head.as_bytes(), b"\r\n\r\n\xe9\r\n--B--\r\n"].concat();
        let source = pieces(&body, 5);
        let reader = MultipartReader::new(b"multipart/mixed; boundary=B", source);
        let mut reader = reader.expect("a boundary");
        let mut part = reader.next().await.expect("good").expect("a part");
        part.text_with(options).await.map_err(|error| class(&error))
    };
    let default = TextOptions::default();
    let latin = "Content-Type: text/plain; charset=\"latin-1\"";
    assert_eq!(text(latin, &default).await.as_deref(), Ok("\u{e9}"));
    assert_eq!(text("A: b", &default).await, Err("UnicodeDecodeError"));
    let unknown = "Content-Type: text/plain; charset=x-none";
    assert_eq!(text(unknown, &default).await, Err("LookupError"));
    let options = TextOptions {
        encoding: Some("cp1251"),
        ..default
    };
    assert_eq!(text(latin, &options).await.as_deref(), Ok("\u{439}"));
}

// aiohttp has read the part by then, and would give an empty text.
#[tokio::test]
async fn a_part_of_unknown_charset_can_be_read_again() {
    let mut reader = one("Content-Type: text/plain; charset=x-none", "a=hello");
    let mut part = reader.next().await.expect("good").expect("a part");
    let error = part.text().await.expect_err("unknown");
    assert_eq!(class(&error), "LookupError");
    part.form().await.expect_err("unknown");
    let options = TextOptions {
        encoding: Some("utf-8"),
        ..TextOptions::default()
    };
    let text = part.text_with(&options).await;
    assert_eq!(text.expect("text"), "a=hello");
}

// BODY-75. What aiohttp 3.14.5 makes of such a form is an error.
#[tokio::test]
async fn charset_part_of_a_form_is_for_the_others() {
    let form = |charset: &str, first: &str| {
        let body = format!(
            "--B\r\nContent-Disposition: form-data; name=\"{first}\"\r\n\r\n{charset}\r\n\
             --B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"
        );
        let body = [body.as_bytes(), b"\xe9\r\n--B--\r\n"].concat();
        let source = pieces(&body, 11);
        MultipartReader::new(b"multipart/form-data; boundary=B", source).expect("a boundary")
    };
    let mut reader = form(" latin-1 ", "_charset_");
    let mut part = reader.next().await.expect("good").expect("a part");
    assert_eq!(part.name().as_deref(), Some("a"));
    assert_eq!(part.text().await.expect("text"), "\u{e9}");
    assert!(reader.next().await.expect("good").is_none());

    let mut reader = form("latin-1", "other");
    let part = reader.next().await.expect("good").expect("a part");
    assert_eq!(part.name().as_deref(), Some("other"));

    let mut reader = form(&"x".repeat(31), "_charset_");
    let mut part = reader.next().await.expect("good").expect("a part");
    let error = part.text().await.expect_err("unknown");
    assert_eq!(class(&error), "LookupError");
    let mut reader = form(&"x".repeat(32), "_charset_");
    for _ in 0..2 {
        let error = reader.next().await.expect_err("too long");
        assert_eq!(class(&error), "RuntimeError");
    }
}

#[tokio::test]
async fn json_and_forms_may_be_blank() {
    let mut reader = one("A: b", "");
    let mut part = reader.next().await.expect("good").expect("a part");
    assert_eq!(part.json::<Option<u8>>().await.expect("null"), None);
    let mut reader = one("A: b", "");
    let mut part = reader.next().await.expect("good").expect("a part");
    assert!(part.form().await.expect("no pairs").is_empty());
    let mut reader = one("A: b", "a=%F6&a&=+&&b=ö%C3%B6 \r\n");
    let mut part = reader.next().await.expect("good").expect("a part");
    let pairs = part.form().await.expect("pairs");
    let want = [("a", "\u{fffd}"), ("a", ""), ("", " "), ("b", "öö")];
    assert_eq!(
        pairs,
        want.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let mut reader = one("A: b", "{");
    let mut part = reader.next().await.expect("good").expect("a part");
    let error = part.json::<Value>().await.expect_err("no JSON");
    assert_eq!(class(&error), "JSONDecodeError");
}

// BODY-83.
#[tokio::test]
async fn errors_stay() {
    let mut reader = mixed("--B\r\n\r\nhi");
    let mut part = reader.next().await.expect("good").expect("a part");
    for _ in 0..2 {
        let error = part.read().await.expect_err("truncated");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(class(&error), "ValueError");
    }
    for _ in 0..2 {
        reader.next().await.expect_err("truncated");
    }

    let mut reader = one("Content-Transfer-Encoding: x", "hi");
    let mut part = reader.next().await.expect("good").expect("a part");
    let error = part.text().await.expect_err("unknown");
    assert_eq!(class(&error), "RuntimeError");
    // The data can be had as it is.
    assert_eq!(part.read().await.expect("good"), "hi");
}

#[tokio::test]
async fn data_that_was_decoded_before_an_error_does_not_come_behind_it() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(b"hello").expect("a Vec takes all");
    let mut data = gzip.finish().expect("a Vec takes all");
    // The checksum: all of the data was decoded by then.
    let sum = data.len() - 8;
    data[sum] ^= 1;
    let head = b"--B\r\nContent-Encoding: gzip\r\n\r\n";
    let body = [&head[..], &data, b"\r\n--B--\r\n"].concat();
    let source = pieces(&body, body.len());
    let reader = MultipartReader::new(b"multipart/mixed; boundary=B", source);
    let mut reader = reader.expect("a boundary");
    let mut part = reader.next().await.expect("good").expect("a part");
    for _ in 0..3 {
        let error = part.decoded_chunk().await.expect_err("a bad checksum");
        assert_eq!(class(&error), "zlib.error");
    }

    let mut reader = one("Content-Transfer-Encoding: base64", "aGVsbG8haG");
    let mut part = reader.next().await.expect("good").expect("a part");
    let error = part.read_decoded().await.expect_err("it is cut off");
    assert_eq!(class(&error), "binascii.Error");
    part.decoded_chunk().await.expect_err("it is cut off");
}

/// Bodies in bodies, so many around the innermost part.
fn russian_doll(depth: usize) -> String {
    let Some(depth) = depth.checked_sub(1) else {
        return "--B\r\n\r\ninnermost\r\n--B--\r\n".replace('B', "B0");
    };
    let (outer, inner) = (format!("B{}", depth + 1), format!("B{depth}"));
    format!(
        "--{outer}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n{}\r\n--{outer}--\r\n",
        russian_doll(depth)
    )
}

/// Goes in as deep as it can, and tells how deep and why no deeper.
fn descend(
    mut reader: MultipartReader<'_, io::Error>,
) -> BoxFuture<'_, (usize, Result<Bytes, &'static str>)> {
    Box::pin(async move {
        let mut part = reader.next().await.expect("good").expect("a part");
        if !part.is_multipart() {
            return (0, Ok(part.read().await.expect("good")));
        }
        match part.multipart() {
            Ok(inner) => {
                let (depth, end) = descend(inner).await;
                (depth + 1, end)
            }
            Err(error) => (0, Err(class(&error))),
        }
    })
}

#[tokio::test]
async fn nesting_has_a_bound() {
    let reader = reader("multipart/mixed; boundary=B16", &russian_doll(16));
    assert_eq!(descend(reader).await, (16, Ok("innermost".into())));
    let doll = russian_doll(17);
    let mut reader = self::reader("multipart/mixed; boundary=B17", &doll);
    let mut part = reader.next().await.expect("good").expect("a part");
    // Nobody has to go in.
    assert_eq!(
        part.read().await.expect("good").trim_ascii_end(),
        russian_doll(16).trim_end().as_bytes()
    );
    let reader = self::reader("multipart/mixed; boundary=B17", &doll);
    assert_eq!(descend(reader).await, (16, Err("ValueError")));
}

#[tokio::test]
async fn a_reader_goes_on_behind_a_nested_one() {
    let nested = |inner: &str| {
        format!(
            "--B\r\nContent-Type: multipart/mixed; boundary=C\r\nContent-Length: 1\r\n\r\n\
             {inner}\r\n--B\r\n\r\nbehind\r\n--B--\r\n"
        )
    };
    // Whole, with an epilogue, cut off, read or not.
    for (inner, whole) in [
        ("--C\r\n\r\n1\r\n--C\r\n\r\n2\r\n--C--", true),
        ("pre\r\n--C\r\n\r\n1\r\n--C--\r\nepi\r\nlogue", true),
        ("--C\r\n\r\n1", false),
    ] {
        for read in [0, 1, 5] {
            let mut reader = mixed(&nested(inner));
            let part = reader.next().await.expect("good").expect("a part");
            let mut inner = part.multipart().expect("a boundary");
            for _ in 0..read {
                let mut next = match inner.next().await {
                    Ok(next) => next,
                    Err(error) => {
                        assert!(!whole, "{error}");
                        break;
                    }
                };
                let Some(part) = &mut next else { break };
                assert_eq!(part.read().await.is_ok(), whole);
            }
            drop(inner);
            let mut part = reader.next().await.expect("good").expect("a part");
            assert_eq!(part.read().await.expect("good"), "behind");
        }
    }
    let mut reader = one("Content-Type: multipart/mixed", "x");
    let part = reader.next().await.expect("good").expect("a part");
    assert!(part.is_multipart());
    assert_eq!(
        class(&part.multipart().expect_err("no boundary")),
        "ValueError"
    );
    let mut reader = one("A: b", "x");
    let part = reader.next().await.expect("good").expect("a part");
    assert_eq!(
        class(&part.multipart().expect_err("not nested")),
        "AssertionError"
    );
}

// EDGE-133, for a part.
#[tokio::test]
async fn a_bomb_in_a_part_costs_its_bound() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&vec![0; 40 << 20]).expect("a Vec takes all");
    let bomb = gzip.finish().expect("a Vec takes all");
    let head = b"--B\r\nContent-Encoding: gzip\r\n\r\n";
    let body = [&head[..], &bomb, b"\r\n--B--\r\n"].concat();
    let limits = MultipartLimits {
        max_part_size: Some(1 << 20),
        ..MultipartLimits::default()
    };
    let make = |limits| {
        let source = pieces(&body, body.len());
        let reader = MultipartReader::with_limits(b"multipart/mixed; boundary=B", source, limits);
        reader.expect("a boundary")
    };
    let mut reader = make(limits);
    let mut part = reader.next().await.expect("good").expect("a part");
    for _ in 0..2 {
        let error = part.read_decoded().await.expect_err("too large");
        assert_eq!(class(&error), "ValueError");
    }
    let mut reader = make(MultipartLimits::default());
    let mut part = reader.next().await.expect("good").expect("a part");
    let mut total = 0;
    while let Some(chunk) = part.decoded_chunk().await.expect("good") {
        assert!(chunk.len() <= 64 * 1024, "{} bytes", chunk.len());
        total += chunk.len();
    }
    assert_eq!(total, 40 << 20);
}

/// Polls a future to its end; tells how often others had their turn before that.
async fn turns<T>(future: impl Future<Output = T>) -> (T, usize) {
    let (mut future, mut turns) = (Box::pin(future), 0);
    let polled = poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        turns += usize::from(polled.is_pending());
        polled
    });
    (soon("the parts", polled).await, turns)
}

/// All of a body, at hand.
struct AtHand(Option<Bytes>);

impl Stream for AtHand {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

#[tokio::test]
async fn what_is_at_hand_leaves_others_their_turn() {
    const LEN: usize = 40 << 20;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&vec![0; LEN]).expect("a Vec takes all");
    let bomb = gzip.finish().expect("a Vec takes all");
    let head = b"--B\r\nContent-Encoding: gzip\r\n\r\n";
    let bomb = Bytes::from([&head[..], &bomb, b"\r\n--B--\r\n"].concat());
    let many = Bytes::from("--B\r\n\r\n\r\n".repeat(10_000) + "--B--\r\n");
    let at_hand = |body: &Bytes| {
        let source = AtHand(Some(body.clone()));
        let reader = MultipartReader::new(b"multipart/mixed; boundary=B", source);
        reader.expect("a boundary")
    };

    let mut reader = at_hand(&bomb);
    let mut part = reader.next().await.expect("good").expect("a part");
    let (data, waits) = turns(part.read_decoded()).await;
    assert_eq!(data.expect("good").len(), LEN);
    assert!(waits >= 4, "{waits}");

    let mut reader = at_hand(&bomb);
    let mut part = reader.next().await.expect("good").expect("a part");
    let (total, waits) = turns(async {
        let mut total = 0;
        while let Some(chunk) = part.decoded_chunk().await.expect("good") {
            total += chunk.len();
        }
        total
    })
    .await;
    assert_eq!(total, LEN);
    assert!(waits >= 4, "{waits}");

    let mut reader = at_hand(&many);
    let (released, waits) = turns(reader.release()).await;
    released.expect("good");
    assert!(waits >= 4, "{waits}");
}

/// A part is a stream of its data.
fn is_stream<S: Stream<Item = io::Result<Bytes>> + Send + Unpin>(_: &S) {}

#[tokio::test]
async fn parts_and_readers_can_go_to_another_thread() {
    let task = tokio::spawn(async {
        let mut reader = one("A: b", "hi");
        let mut part: BodyPart<'_, io::Error> = reader.next().await?.expect("a part");
        is_stream(&part);
        part.text().await
    });
    assert_eq!(task.await.expect("no panic").expect("good"), "hi");
}
