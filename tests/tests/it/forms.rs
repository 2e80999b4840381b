//! Bodies of a session: texts, files, readers and forms, as a server receives them.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use aio_client::{
    Body, ClientError, ClientSession, FileBody, FormData, FormPart, Headers, MultipartWriter,
    PayloadError, ReaderBody, RequestBuilder,
};
use aio_tests::http_server::{Request, Response, TestServer};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::peer::soon;

/// A server that keeps what it receives; `/again` sends the client to `/` with its body.
struct Keeper {
    server: TestServer,
    received: mpsc::UnboundedReceiver<Request>,
    session: ClientSession,
}

impl Keeper {
    async fn new() -> Self {
        let (keep, received) = mpsc::unbounded_channel();
        let answer = move |request: Request| {
            let answer = match request.target.as_str() {
                "/again" => Response::new(307).header("Location", "/"),
                _ => Response::ok("ok"),
            };
            _ = keep.send(request);
            async { answer }
        };
        Self {
            server: TestServer::start(answer).await.expect("a server"),
            received,
            session: ClientSession::new(),
        }
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.session.post(self.server.url(path))
    }

    /// Sends it and returns what the server received first.
    async fn receive(&mut self, request: RequestBuilder) -> Request {
        let response = soon("the response", request.send()).await;
        assert_eq!(response.expect("a response").status(), 200);
        self.received.try_recv().expect("a request")
    }

    async fn refuse(&mut self, request: RequestBuilder) -> ClientError {
        let response = soon("the error", request.send()).await;
        response.expect_err("it cannot be sent")
    }
}

/// A file that is deleted in the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = format!("aio-tests-forms-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(directory);
        fs::create_dir(&directory).expect("a new directory");
        let path = directory.join(name);
        fs::write(&path, bytes).expect("a new file");
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(self.0.parent().expect("it has a directory of its own"));
    }
}

#[track_caller]
fn check(request: &Request, length: Option<&str>, content_type: &str, body: impl AsRef<[u8]>) {
    assert_eq!(request.header("content-length"), length);
    let chunked = length.is_none().then_some("chunked");
    assert_eq!(request.header("transfer-encoding"), chunked);
    assert_eq!(request.header("content-type"), Some(content_type));
    assert_eq!(request.header("content-disposition"), None);
    let (have, want) = (request.body.escape_ascii(), body.as_ref().escape_ascii());
    assert_eq!(have.to_string(), want.to_string());
}

const OCTETS: &str = "application/octet-stream";
const URLENCODED: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn an_empty_body_is_a_body() {
    // EDGE-044.
    let mut keeper = Keeper::new().await;
    let request = keeper.receive(keeper.post("/").body(Bytes::new())).await;
    check(&request, Some("0"), OCTETS, "");
    let request = keeper.receive(keeper.post("/").body("")).await;
    check(&request, Some("0"), "text/plain; charset=utf-8", "");
    let request = keeper.receive(keeper.post("/").form(FormData::new())).await;
    check(&request, Some("0"), URLENCODED, "");
    let get = keeper.session.get(keeper.server.url("/")).body("");
    let request = keeper.receive(get).await;
    check(&request, Some("0"), "text/plain; charset=utf-8", "");
}

#[tokio::test]
async fn an_empty_file_has_length_zero() {
    // EDGE-045.
    let mut keeper = Keeper::new().await;
    let file = Temporary::new("empty", "");
    let request = keeper.post("/").body(FileBody::new(file.path()));
    check(&keeper.receive(request).await, Some("0"), OCTETS, "");
}

#[tokio::test]
async fn an_open_file_is_sent_from_its_position_on() {
    // EDGE-046.
    let mut keeper = Keeper::new().await;
    let file = Temporary::new("x.txt", "0123456789abcdefghij");
    let mut open = File::open(file.path()).expect("it is there");
    open.seek(SeekFrom::Start(5)).expect("a regular file");
    let body = Body::from(FileBody::from(open));
    let again = body.try_clone().expect("it can be read again");
    // Both are read at once, and neither moves the other on (EDGE-068).
    let (one, other) = (keeper.post("/").body(body), keeper.post("/").body(again));
    let both = async { tokio::join!(one.send(), other.send()) };
    let (one, other) = soon("two responses", both).await;
    assert!(one.is_ok() && other.is_ok());
    for _ in 0..2 {
        let request = keeper.received.try_recv().expect("a request");
        check(&request, Some("15"), OCTETS, "56789abcdefghij");
    }
}

#[tokio::test]
async fn a_text_is_utf_8_whatever_its_header_says() {
    // EDGE-054; the other half, text with a charset of its own, is a part of a form here.
    let mut keeper = Keeper::new().await;
    let koi = "text/plain; charset=koi8-r";
    let text = keeper.post("/").body("тест").header("Content-Type", koi);
    check(&keeper.receive(text).await, Some("8"), koi, "тест");
    let part = FormPart::from("тест").content_type(koi);
    let form = FormData::new().part("n", part).boundary("B");
    let request = keeper.receive(keeper.post("/").form(form)).await;
    assert!(
        request
            .body
            .windows(4)
            .any(|bytes| bytes == b"\xd4\xc5\xd3\xd4")
    );
}

#[tokio::test]
async fn a_reader_is_sent_chunked() {
    // EDGE-055: whatever is no file has no length.
    let mut keeper = Keeper::new().await;
    let reader = ReaderBody::new(&b"member of an archive"[..]);
    let request = keeper.receive(keeper.post("/").body(reader)).await;
    check(&request, None, OCTETS, "member of an archive");
    let reader = ReaderBody::new(&b"twelve bytes"[..]).with_length(12);
    let request = keeper.receive(keeper.post("/").body(reader)).await;
    check(&request, Some("12"), OCTETS, "twelve bytes");
}

#[tokio::test]
async fn a_pipe_is_sent_chunked() {
    let mut keeper = Keeper::new().await;
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(b"through a pipe").expect("it has room");
    drop(writer);
    let body = Body::from(FileBody::from(File::from(OwnedFd::from(reader))));
    assert!(!body.is_replayable());
    let request = keeper.receive(keeper.post("/").body(body)).await;
    check(&request, None, OCTETS, "through a pipe");
}

#[tokio::test]
async fn a_file_has_the_type_of_its_name_and_no_disposition() {
    // EDGE-056.
    let mut keeper = Keeper::new().await;
    let file = Temporary::new("x.txt", "text");
    let request = keeper.post("/").body(FileBody::new(file.path()));
    check(
        &keeper.receive(request).await,
        Some("4"),
        "text/plain",
        "text",
    );
    let typed = Body::from(FileBody::new(file.path())).with_content_type("a/b");
    check(
        &keeper.receive(keeper.post("/").body(typed)).await,
        Some("4"),
        "a/b",
        "text",
    );
}

#[tokio::test]
async fn bytes_and_readers_of_a_form_are_files_named_as_their_field() {
    // EDGE-057.
    let mut keeper = Keeper::new().await;
    let form = FormData::new()
        .bytes("a", "1")
        .reader("b", &b"2"[..])
        .boundary("B");
    let request = keeper.receive(keeper.post("/").form(form)).await;
    check(
        &request,
        None,
        "multipart/form-data; boundary=B",
        "--B\r\nContent-Type: application/octet-stream\r\n\
         Content-Disposition: form-data; name=\"a\"; filename=\"a\"\r\n\r\n1\r\n\
         --B\r\nContent-Type: application/octet-stream\r\n\
         Content-Disposition: form-data; name=\"b\"; filename=\"b\"\r\n\r\n2\r\n--B--\r\n",
    );
}

#[tokio::test]
async fn a_form_that_would_forge_headers_is_not_sent() {
    // EDGE-058.
    let mut keeper = Keeper::new().await;
    let part = || FormPart::from("v");
    for form in [
        FormData::new().text("a\nb", "v"),
        FormData::new()
            .text("a\r\nX-Evil: 1", "v")
            .default_to_multipart(true),
        FormData::new().part("a", part().filename("x\"\r\nX-Evil: 1")),
        FormData::new().part("a", part().content_type("a/b\r\nX-Evil: 1")),
        FormData::new()
            .default_to_multipart(true)
            .boundary("B\r\nX-Evil: 1"),
        FormData::new()
            .text("a", "v")
            .charset("koi8-r\r\nX-Evil: 1"),
    ] {
        let error = keeper.refuse(keeper.post("/").form(form)).await;
        assert!(error.is_a("ValueError"), "{error:?}");
    }
    assert_eq!(keeper.server.connections(), 0);
}

#[tokio::test]
async fn a_form_can_be_sent_twice() {
    // EDGE-059.
    let mut keeper = Keeper::new().await;
    let file = Temporary::new("me.png", "\u{89}PNG");
    let form = FormData::new()
        .text("name", "Ada")
        .file("avatar", file.path());
    let again = form.try_clone().expect("a file is opened again");
    let one = keeper.receive(keeper.post("/").form(form)).await;
    let other = keeper.receive(keeper.post("/").form(again)).await;
    assert_eq!(one.body, other.body);
    assert_eq!(one.header("content-type"), other.header("content-type"));
    let length = one.body.len().to_string();
    assert_eq!(one.header("content-length"), Some(length.as_str()));
    let text = String::from_utf8_lossy(&one.body);
    assert!(text.contains("Content-Type: image/png\r\n"), "{text}");
    assert!(
        text.contains("name=\"avatar\"; filename=\"me.png\"\r\n"),
        "{text}"
    );
}

#[tokio::test]
async fn the_charset_of_a_form_is_that_of_its_parts() {
    // EDGE-060.
    let mut keeper = Keeper::new().await;
    let form = FormData::new()
        .text("n", "тест")
        .charset("windows-1251")
        .default_to_multipart(true)
        .boundary("B");
    let request = keeper.receive(keeper.post("/").form(form)).await;
    let want = b"--B\r\nContent-Type: text/plain; charset=windows-1251\r\n\
        Content-Disposition: form-data; name=\"n\"\r\n\r\n\xf2\xe5\xf1\xf2\r\n--B--\r\n";
    let length = want.len().to_string();
    check(
        &request,
        Some(&length),
        "multipart/form-data; boundary=B",
        want,
    );
}

#[tokio::test]
async fn pairs_are_a_form() {
    let mut keeper = Keeper::new().await;
    let form = keeper.post("/").form([("a", "1 2"), ("b", "\u{e9}&")]);
    let request = keeper.receive(form).await;
    check(&request, Some("17"), URLENCODED, "a=1+2&b=%C3%A9%26");
    let twice = keeper.post("/").form([("a", 1)]).body("b");
    let error = keeper.refuse(twice).await;
    assert!(error.is_a("ValueError"), "{error:?}");
}

#[tokio::test]
async fn files_and_forms_follow_redirects() {
    let mut keeper = Keeper::new().await;
    let file = Temporary::new("x.bin", vec![b'x'; 300_000]);
    let file_body = Body::from(FileBody::new(file.path()));
    let form = FormData::new().file("f", file.path()).into_body();
    for body in [file_body, form.expect("a valid form")] {
        let first = keeper.receive(keeper.post("/again").body(body)).await;
        let second = keeper.received.try_recv().expect("the redirected request");
        assert_eq!(
            (first.target.as_str(), second.target.as_str()),
            ("/again", "/")
        );
        assert!(first.body.len() >= 300_000);
        assert!(first.body == second.body, "it is sent again as it was");
    }
}

#[tokio::test]
async fn a_big_file_arrives_as_it_is() {
    let mut keeper = Keeper::new().await;
    // More than one piece, and not a whole number of them.
    let bytes: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
    let file = Temporary::new("big", &bytes);
    let request = keeper
        .receive(keeper.post("/").body(FileBody::new(file.path())))
        .await;
    assert_eq!(request.header("content-length"), Some("1000003"));
    assert!(request.body == bytes);
    let reader = ReaderBody::new(std::io::Cursor::new(bytes.clone()));
    let request = keeper.receive(keeper.post("/").body(reader)).await;
    assert_eq!(request.header("transfer-encoding"), Some("chunked"));
    assert!(request.body == bytes);
}

#[tokio::test]
async fn a_file_that_has_grown_is_sent_as_long_as_it_was() {
    // BODY-17.
    let mut keeper = Keeper::new().await;
    let file = Temporary::new("log", "one");
    let mut body = Body::from(FileBody::new(file.path()));
    body.open().await.expect("it is there");
    fs::write(file.path(), "one, and two").expect("it is ours");
    check(
        &keeper.receive(keeper.post("/").body(body)).await,
        Some("3"),
        OCTETS,
        "one",
    );
}

#[tokio::test]
async fn a_file_that_has_shrunk_fails_the_request() {
    // BODY-17, SPEC 18.3: not left waiting.
    let mut keeper = Keeper::new().await;
    let file = Temporary::new("log", "one, and two");
    let mut body = Body::from(FileBody::new(file.path()));
    body.open().await.expect("it is there");
    fs::write(file.path(), "one").expect("it is ours");
    let error = keeper.refuse(keeper.post("/").body(body)).await;
    let ClientError::Payload(error) = error else {
        panic!("{error:?}");
    };
    let want = PayloadError::UploadLength {
        actual: 3,
        expected: 12,
    };
    assert_eq!(error.source.to_string(), want.to_string());
    assert_eq!(keeper.session.connector().stats().open, 0);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named() {
    let mut keeper = Keeper::new().await;
    let file = Temporary::new("there", "");
    let missing = file.path().with_file_name("missing.txt");
    let directory = file.path().parent().expect("a directory").to_owned();
    for (path, kind) in [
        (missing, std::io::ErrorKind::NotFound),
        (directory, std::io::ErrorKind::IsADirectory),
    ] {
        for request in [
            keeper.post("/").body(FileBody::new(&path)),
            keeper.post("/").form(FormData::new().file("f", &path)),
        ] {
            let error = keeper.refuse(request).await;
            assert!(error.is_os(), "{error:?}");
            let mut causes: Vec<&dyn std::error::Error> = vec![&error];
            while let Some(cause) = causes.last().and_then(|error| error.source()) {
                causes.push(cause);
            }
            let texts: Vec<_> = causes.iter().map(ToString::to_string).collect();
            let named = format!("cannot open {}", path.display());
            assert!(texts.iter().any(|text| text.contains(&named)), "{texts:?}");
            let io = causes.last().and_then(|error| error.downcast_ref());
            assert_eq!(io.map(std::io::Error::kind), Some(kind), "{texts:?}");
        }
    }
    assert!(keeper.received.try_recv().is_err(), "no request was sent");
}

#[tokio::test]
async fn a_multipart_body_has_parts_of_all_kinds() {
    // BODY-19: a file has a disposition here. The bytes are those of aiohttp 3.14.5.
    let mut keeper = Keeper::new().await;
    let file = Temporary::new("x y.txt", "from a file");
    let mut inner = MultipartWriter::with_boundary("alternative", "N").expect("valid");
    let mut writer = MultipartWriter::with_boundary("mixed", "B").expect("valid");
    let fill = || {
        inner.append("in", &Headers::new())?;
        writer.append(inner, &Headers::new())?;
        let file = FileBody::new(file.path());
        let attachment = file.attachment();
        writer.append(file, &attachment)?;
        writer.append_json("{}", &Headers::new())?;
        Ok::<_, aio_client::FormError>(writer)
    };
    let request = keeper.post("/").multipart(fill().expect("valid parts"));
    let want = "--B\r\nContent-Type: multipart/alternative; boundary=N\r\n\
        Content-Length: 78\r\n\r\n--N\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Length: 2\r\n\r\nin\r\n--N--\r\n\r\n\
        --B\r\nContent-Type: text/plain\r\n\
        Content-Disposition: attachment; filename=\"x%20y.txt\"\r\nContent-Length: 11\r\n\r\n\
        from a file\r\n\
        --B\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}\r\n--B--\r\n";
    let length = want.len().to_string();
    let request = keeper.receive(request).await;
    check(&request, Some(&length), "multipart/mixed; boundary=B", want);
}

#[tokio::test]
async fn a_coded_part_is_sent_chunked() {
    // BODY-57.
    let mut keeper = Keeper::new().await;
    let mut writer = MultipartWriter::with_boundary("mixed", "B").expect("valid");
    let mut headers = Headers::new();
    headers
        .append("Content-Transfer-Encoding", "base64")
        .expect("valid");
    writer.append("h\u{e9}llo!", &headers).expect("valid");
    let request = keeper.receive(keeper.post("/").multipart(writer)).await;
    check(
        &request,
        None,
        "multipart/mixed; boundary=B",
        "--B\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: base64\r\n\r\naMOpbGxvIQ==\r\n--B--\r\n",
    );
}
