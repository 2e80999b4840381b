//! curl, where it is installed: a client that nobody here wrote, to compare ours with.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use bytes::Bytes;

/// Where curl may be.
pub const PROGRAMS: [&str; 1] = ["curl"];

/// A request; `User-Agent`, `Accept` and the like are sent when they are among the headers.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// The headers, each as `Name: value`.
    pub headers: Vec<String>,
    /// The body.
    pub body: Option<Bytes>,
    /// Whether HTTP/1.0 is spoken, not 1.1.
    pub http10: bool,
    /// Whether the URL is sent as it is, dot segments and all.
    pub encoded: bool,
    /// Whether redirects are followed.
    pub follow: bool,
    /// Whether the body is decoded.
    pub decode: bool,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The redirects on the way, and the response at last.
    pub heads: Vec<Head>,
    /// The URL of the response.
    pub url: String,
    /// The body.
    pub body: Bytes,
}

/// The head of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// As `HTTP/1.1`.
    pub version: String,
    /// The status.
    pub status: u16,
    /// The reason; bytes that are no printable ASCII are escaped.
    pub reason: String,
    /// The headers in order; bytes of values that are no printable ASCII are escaped.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// Returns the first value of that name, in any spelling.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Sends `request` with curl, which keeps its cookies and whatever else in `directory`;
/// gives curl's exit code when it fails.
///
/// # Errors
///
/// If curl cannot be run, or writes what is no answer.
pub fn send(request: &Request, directory: &Path) -> io::Result<Result<Answer, i32>> {
    let [head, body, sent] = ["curl.head", "curl.body", "curl.sent"].map(|f| directory.join(f));
    let mut curl = Command::new(PROGRAMS[0]);
    curl.current_dir(directory).stdin(Stdio::null());
    // The first option: no settings of the user's.
    curl.args([
        "-q",
        "-s",
        "--globoff",
        "--noproxy",
        "*",
        "--max-time",
        "30",
    ]);
    curl.args(["-b", "curl.cookies", "-c", "curl.cookies"]);
    curl.args([
        "-D",
        "curl.head",
        "-o",
        "curl.body",
        "-w",
        "%{url_effective}",
    ]);
    curl.arg(if request.http10 {
        "--http1.0"
    } else {
        "--http1.1"
    });
    if request.encoded {
        curl.arg("--path-as-is");
    }
    if request.follow {
        curl.arg("--location");
    }
    if request.decode {
        curl.arg("--compressed");
    }
    match (request.method.as_str(), &request.body) {
        ("HEAD", None) => _ = curl.arg("--head"),
        // Without a method of its own: it may become another on redirects.
        ("GET", None) | ("POST", Some(_)) => {}
        (method, _) => _ = curl.args(["--request", method]),
    }
    if let Some(body) = &request.body {
        fs::write(sent, body)?;
        curl.args(["--data-binary", "@curl.sent"]);
    }
    // Not by itself.
    for name in [
        "User-Agent",
        "Accept",
        "Accept-Encoding",
        "Content-Type",
        "Expect",
    ] {
        let prefix = format!("{name}:");
        if !request.headers.iter().any(|line| line.starts_with(&prefix)) {
            curl.args(["-H", &prefix]);
        }
    }
    for line in &request.headers {
        curl.args(["-H", line]);
    }
    // A body may be none, and then there is no file.
    fs::write(&body, "")?;
    let output = curl.arg(&request.url).output()?;
    if !output.status.success() {
        return Ok(Err(output.status.code().unwrap_or(-1)));
    }
    let url = String::from_utf8_lossy(&output.stdout).into_owned();
    let head = fs::read(head)?;
    let heads = heads(&head).ok_or_else(|| io::Error::other(head.escape_ascii().to_string()))?;
    let body = match request.method.as_str() {
        // There it writes the heads.
        "HEAD" => Bytes::new(),
        _ => fs::read(body)?.into(),
    };
    Ok(Ok(Answer { heads, url, body }))
}

/// Reads what curl writes of all heads it gets: those of interim responses and trailers,
/// too, which are left out.
fn heads(text: &[u8]) -> Option<Vec<Head>> {
    let mut heads: Vec<Head> = Vec::new();
    let mut inside = false;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let line = line.trim_ascii_end();
        if line.starts_with(b"HTTP/") {
            heads.push(status_line(line)?);
            inside = true;
        } else if line.is_empty() {
            heads.pop_if(|head| (100..200).contains(&head.status));
            inside = false;
        } else if inside {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at(colon);
            let value = value[1..].trim_ascii().escape_ascii();
            let field = (name.escape_ascii().to_string(), value.to_string());
            heads.last_mut()?.headers.push(field);
        }
    }
    Some(heads)
}

fn status_line(line: &[u8]) -> Option<Head> {
    let line = line.escape_ascii().to_string();
    let (version, rest) = line.split_once(' ')?;
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(Head {
        version: version.into(),
        status: status.parse().ok()?,
        reason: reason.into(),
        headers: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_responses_and_trailers_are_left_out() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /a:b\r\n\r\n\
            HTTP/1.0 200\r\nX-A:  caf\xe9 \r\nx-empty:\r\n\r\nX-Trailer: 7\r\n\r\n";
        let head = |version: &str, status, reason: &str, headers: &[(&str, &str)]| Head {
            version: version.into(),
            status,
            reason: reason.into(),
            headers: headers
                .iter()
                .map(|(n, v)| ((*n).into(), (*v).into()))
                .collect(),
        };
        let want = vec![
            head("HTTP/1.1", 302, "Found", &[("Location", "/a:b")]),
            head("HTTP/1.0", 200, "", &[("X-A", "caf\\xe9"), ("x-empty", "")]),
        ];
        assert_eq!(heads(text), Some(want));
        assert_eq!(heads(b"X-A: b\r\n\r\n"), Some(Vec::new()));
        assert_eq!(heads(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), None);
    }
}
