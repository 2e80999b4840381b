//! Requests to servers that others wrote: curl and we are answered the same.
//!
//! The requests are data, a list for each server (data/real-servers).

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use aio_client::{
    ClientError, ClientSession, CookieJar, CookieJarOptions, RequestUrl, ResponseHead,
};
use aio_tests::curl::{self, Answer, Head, Request};
use aio_tests::daemon::{Daemon, installed};
use aio_tests::real_server::{ALL, RealServer};
use bytes::Bytes;
use http::Version;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::peer::soon;
use crate::servers::check_pool;

/// A list of requests: its first line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Title {
    server: String,
    /// That it was written with; others will do.
    #[serde(rename = "version")]
    _version: String,
}

/// One more line: a request, and what its answer must be for it to be of use.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default = "get")]
    method: String,
    target: String,
    /// `@ETAG@` stands for the entity tag of the answer before.
    #[serde(default)]
    headers: Vec<String>,
    body: Option<String>,
    /// How often the body is repeated.
    #[serde(default = "once")]
    times: usize,
    #[serde(default)]
    http10: bool,
    #[serde(default)]
    decode: bool,
    /// Whether the target is sent as it is, not normalised as aiohttp does.
    #[serde(default)]
    encoded: bool,
    /// Whether the server closes the connection without saying so before.
    #[serde(default)]
    closes: bool,
    /// How many redirects are followed.
    #[serde(default)]
    redirects: usize,
    /// No status: the request fails, with this class of error.
    fails: Option<String>,
    status: Option<u16>,
    /// How the body comes, by the headers of its response.
    body_is: Option<Vec<String>>,
}

fn get() -> String {
    "GET".into()
}

fn once() -> usize {
    1
}

/// Sent with each request unless it has its own.
const HEADERS: [(&str, &str); 2] = [("User-Agent", "real-servers"), ("Accept", "*/*")];

/// What each response has its own value of.
const VOLATILE: [&str; 2] = ["Date", "Keep-Alive"];

/// Reads the list of a server.
fn list(server: &RealServer) -> Vec<Entry> {
    let name = server.name;
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/data/real-servers");
    let text = fs::read_to_string(format!("{data}/{name}.jsonl")).expect("a list");
    let mut lines = text.lines();
    let title = lines.next().expect("a title");
    let title: Title = serde_json::from_str(title).expect("a title");
    assert_eq!(title.server, name);
    let entry = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{name}: {e}: {line}"));
    lines.map(entry).collect()
}

impl Entry {
    fn request(&self, server: &Daemon, etag: &str) -> Request {
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .map(|line| long(&line.replace("@ETAG@", etag)))
            .collect();
        let mut defaults = HEADERS.to_vec();
        if self.body.is_some() {
            defaults.push(("Content-Type", "application/octet-stream"));
        }
        for (name, value) in defaults {
            let own = |line: &String| line.split_once(':').is_some_and(|(own, _)| own == name);
            if !headers.iter().any(own) {
                headers.push(format!("{name}: {value}"));
            }
        }
        Request {
            method: self.method.clone(),
            url: format!("http://127.0.0.1:{}{}", server.port(), long(&self.target)),
            headers,
            body: self
                .body
                .as_ref()
                .map(|body| body.repeat(self.times).into()),
            http10: self.http10,
            encoded: self.encoded,
            follow: self.redirects > 0,
            decode: self.decode,
        }
    }

    /// Tells whether the answer is what this request is there for.
    fn wants(&self, answer: &Answer) -> bool {
        let last = answer.heads.last().expect("an answer");
        let redirects = answer.heads.len() - 1;
        Some(last.status) == self.status
            && redirects == self.redirects
            && self
                .body_is
                .as_ref()
                .is_none_or(|want| *want == body_is(last))
    }

    /// What it counts as.
    fn kinds(&self) -> Vec<&str> {
        let mut kinds = match self.method.as_str() {
            // Only says how a body would come.
            "HEAD" => vec!["HEAD"],
            _ => self.body_is.iter().flatten().map(String::as_str).collect(),
        };
        match self.status {
            Some(206) => kinds.push("206"),
            Some(304) => kinds.push("304"),
            Some(300..400) => kinds.push("redirect"),
            Some(400..) => kinds.push("error"),
            _ => {}
        }
        if self.redirects > 0 {
            kinds.push("redirect");
        }
        kinds
    }
}

/// Puts so many letters in the place of `@a*5000@`.
fn long(text: &str) -> String {
    let mut parts = text.splitn(3, '@');
    let (before, times) = (parts.next(), parts.next());
    let times = times.and_then(|times| times.strip_prefix("a*")?.parse().ok());
    match (before, times, parts.next()) {
        (Some(before), Some(times), Some(behind)) => {
            before.to_owned() + &"a".repeat(times) + behind
        }
        _ => text.to_owned(),
    }
}

/// Tells how the body of a response comes.
fn body_is(head: &Head) -> Vec<&str> {
    let mut is = Vec::new();
    is.extend(head.get("content-encoding"));
    is.extend(head.get("transfer-encoding").map(|_| "chunked"));
    is.extend(boundary(head).map(|_| "multipart"));
    is
}

fn boundary(head: &Head) -> Option<&str> {
    let (_, boundary) = head.get("content-type")?.split_once("boundary=")?;
    Some(boundary)
}

/// Sends a request as aio-client does.
async fn send(session: &ClientSession, request: &Request) -> Result<Answer, ClientError> {
    let url = match request.encoded {
        true => RequestUrl::encoded(&request.url)?,
        false => RequestUrl::parse(&request.url)?,
    };
    let mut builder = session.request(&request.method, url);
    for line in &request.headers {
        let (name, value) = line.split_once(": ").expect("a name and a value");
        match (name, value) {
            ("Expect", "100-continue") => builder = builder.expect100(true),
            ("Transfer-Encoding", "chunked") => builder = builder.chunked(true),
            _ => builder = builder.header(name, value),
        }
    }
    if let Some(body) = &request.body {
        builder = builder.body(body.clone());
    }
    if request.http10 {
        builder = builder.version(Version::HTTP_10);
    }
    builder = builder.allow_redirects(request.follow);
    let mut response = builder.auto_decompress(request.decode).await?;
    let body = response.read().await?;
    let mut heads: Vec<Head> = response.history().iter().map(head).collect();
    heads.push(head(response.head()));
    let url = response.url().to_string();
    Ok(Answer { heads, url, body })
}

fn head(head: &ResponseHead) -> Head {
    let escaped = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let headers = head.raw_headers();
    Head {
        version: format!("{:?}", head.version()),
        status: head.status().as_u16(),
        reason: escaped(head.raw_reason()),
        headers: headers
            .map(|(name, value)| (escaped(name.as_bytes()), escaped(value)))
            .collect(),
    }
}

/// Leaves out what two answers to the same request need not share, and makes the body short
/// enough to be shown.
fn comparable(mut answer: Answer) -> Answer {
    let last = answer.heads.last().expect("an answer");
    if let Some(boundary) = boundary(last).map(str::to_owned) {
        let text = answer.body.escape_ascii().to_string();
        answer.body = text.replace(&boundary, "boundary").into();
        let fields = answer.heads.iter_mut().flat_map(|head| &mut head.headers);
        for (_, value) in fields {
            *value = value.replace(&boundary, "boundary");
        }
    }
    let fields = answer.heads.iter_mut().flat_map(|head| &mut head.headers);
    for (name, value) in fields {
        if VOLATILE
            .iter()
            .any(|volatile| name.eq_ignore_ascii_case(volatile))
        {
            value.clear();
        }
    }
    if answer.body.len() > 1000 {
        let hash = Sha256::digest(&answer.body);
        answer.body = Bytes::from(format!("{} bytes: {hash:x?}", answer.body.len()));
    }
    let fragment = answer.url.find('#');
    answer.url.truncate(fragment.unwrap_or(answer.url.len()));
    answer
}

/// What the pool should hold.
#[derive(Default)]
struct Expected {
    open: bool,
    created: u64,
}

impl Expected {
    /// Counts a request of which these are the responses.
    fn count(&mut self, request: &Request, answer: &Answer) {
        for head in &answer.heads {
            self.created += u64::from(!self.open);
            self.open = keeps(request, head);
        }
    }
}

/// Tells whether a connection can be used again, by RFC 9112 9.3.
fn keeps(request: &Request, head: &Head) -> bool {
    let says = |field: Option<&str>, token: &str| {
        let mut tokens = field.unwrap_or_default().split(',');
        tokens.any(|other| other.trim().eq_ignore_ascii_case(token))
    };
    let asked = request
        .headers
        .iter()
        .find_map(|line| line.strip_prefix("Connection: "));
    let said = head.get("connection");
    let bodyless = request.method == "HEAD" || matches!(head.status, 204 | 304);
    let framed = ["content-length", "transfer-encoding"];
    let framed = bodyless || framed.iter().any(|name| head.get(name).is_some());
    let kept = match head.version.as_str() {
        "HTTP/1.0" => says(said, "keep-alive"),
        _ => !says(said, "close"),
    };
    framed && kept && !says(asked, "close")
}

/// A server, with all that is known from the requests so far.
struct Talk {
    daemon: Daemon,
    session: ClientSession,
    expected: Expected,
    etag: String,
    wrong: Vec<String>,
}

impl Talk {
    /// Sends a request with curl and with the session, and notes what is wrong.
    async fn ask(&mut self, entry: &Entry, what: &str) {
        let request = entry.request(&self.daemon, &self.etag);
        let curls = curl::send(&request, self.daemon.directory()).expect("curl runs");
        let ours = soon(what, send(&self.session, &request)).await;
        match (curls, ours) {
            (Ok(curls), Ok(ours)) => {
                self.expected.count(&request, &ours);
                self.expected.open &= !entry.closes;
                let (curls, ours) = (comparable(curls), comparable(ours));
                if !entry.wants(&curls) || curls != ours {
                    self.wrong
                        .push(format!("{what}\ncurl: {curls:?}\nours: {ours:?}"));
                }
                let tag = curls.heads.last().and_then(|head| head.get("etag"));
                self.etag = tag.unwrap_or_default().replace("\\\"", "\"");
            }
            (Err(_), Err(error)) if entry.fails.as_deref() == Some(error.aiohttp_class()) => {
                // Perhaps it was tried twice, or its connection is as good as before.
                let stats = self.session.connector().stats();
                self.expected.created = stats.created;
                self.expected.open = stats.open > 0;
            }
            (curls, ours) => self
                .wrong
                .push(format!("{what}\ncurl: {curls:?}\nours: {ours:?}")),
        }
        // Else what is wrong already is what to look at.
        if self.wrong.is_empty() {
            self.check_pool(entry, what);
        }
    }

    #[track_caller]
    fn check_pool(&mut self, entry: &Entry, what: &str) {
        let stats = self.session.connector().stats();
        let open = match entry.closes {
            // It may be known or not.
            true => stats.open,
            false => usize::from(self.expected.open),
        };
        check_pool(&self.session, open, what);
        // A redirect whose body has not come yet leaves its connection, not to wait for it.
        let least = self.expected.created;
        let most = least + entry.redirects as u64;
        assert!(
            (least..=most).contains(&stats.created),
            "{what}: {least} {stats:?}"
        );
        self.expected.created = stats.created;
    }
}

/// Sends all requests of a server's list, with curl each and with one session.
async fn check(name: &str) {
    let server = ALL.iter().find(|server| server.name == name);
    let server = server.expect("one of them");
    if installed("curl", &curl::PROGRAMS, &["--version"]).is_none() {
        return;
    }
    let Some(daemon) = server.start().expect("it starts") else {
        return;
    };
    let jar = CookieJar::with_options(CookieJarOptions {
        allow_ip_hosts: true,
        ..CookieJarOptions::default()
    });
    let session = ClientSession::builder().cookie_jar(Arc::new(jar));
    let session = session.skip_auto_header("Accept-Encoding").build();
    let mut talk = Talk {
        daemon,
        session: session.expect("settings"),
        expected: Expected::default(),
        etag: String::new(),
        wrong: Vec::new(),
    };
    for (number, entry) in list(server).iter().enumerate() {
        let (line, method) = (number + 2, &entry.method);
        talk.ask(
            entry,
            &format!("{name}, line {line}: {method} {}", entry.target),
        )
        .await;
    }
    assert!(talk.wrong.is_empty(), "{}", talk.wrong.join("\n"));
    talk.session.close().await;
    check_pool(&talk.session, 0, name);
}

#[tokio::test]
async fn nginx() {
    check("nginx").await;
}

#[tokio::test]
async fn apache2() {
    check("apache2").await;
}

#[tokio::test]
async fn lighttpd() {
    check("lighttpd").await;
}

#[tokio::test]
async fn caddy() {
    check("caddy").await;
}

#[tokio::test]
async fn http_server() {
    check("http.server").await;
}

#[tokio::test]
async fn http_server_that_keeps_connections() {
    check("http.server-1.1").await;
}

#[tokio::test]
async fn aiohttp_web() {
    check("aiohttp.web").await;
}

#[test]
fn there_are_enough_requests_of_each_kind() {
    let lists: Vec<_> = ALL.iter().map(list).collect();
    let all: Vec<_> = lists.iter().flatten().collect();
    assert!(all.len() >= 200, "{}", all.len());
    let mut counts = BTreeMap::new();
    for kind in all.iter().flat_map(|entry| entry.kinds()) {
        *counts.entry(kind).or_insert(0) += 1;
    }
    for (kind, least) in [
        ("gzip", 20),
        ("chunked", 20),
        ("304", 10),
        ("206", 10),
        ("HEAD", 10),
        ("redirect", 10),
        ("error", 10),
    ] {
        assert!(
            counts.get(kind).is_some_and(|count| *count >= least),
            "{kind}: {counts:?}"
        );
    }
}
