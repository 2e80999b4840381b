//! What is read of a response, and what comes of it.

use aio_client::{ClientError, ClientResponse, Content, JsonOptions, OnError, TextOptions};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::options;
use super::outcome::error_out;
use crate::value::{body_out, bytes_out, text_out};

/// How to read a response, once or several times.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) mode: ReadMode,
    /// The longest line, if another than by default.
    max_line: Option<usize>,
    /// Whether to show the charset that `text` uses.
    show_encoding: bool,
    again: Option<Box<Self>>,
}

/// What to do with the body.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ReadMode {
    Text {
        encoding: Option<String>,
        errors: OnError,
    },
    Bytes,
    Json {
        encoding: Option<String>,
        /// The expected type, if another than by default; null for any.
        content_type: Option<Value>,
    },
    Lines,
    Chunks {
        size: usize,
    },
    HttpChunks,
    Stream {
        calls: Vec<StreamCall>,
        /// Closes the response afterwards, instead of releasing it.
        close: bool,
    },
    Release,
    Close,
    /// Leaves it alone; it lives on.
    None,
}

/// A call on the content.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum StreamCall {
    Read(usize),
    ReadAll,
    ReadAny,
    ReadChunk,
    ReadLine,
    ReadExactly(usize),
    ReadUntil(String),
    AtEof,
    IsEof,
}

impl Reading {
    /// Reads the options of a call that are about reading.
    pub(super) fn parse(op: &Value) -> Result<Self, String> {
        let mut show_encoding = false;
        if let Some(show) = op.get("show") {
            show_encoding = match options::texts(show)?.as_slice() {
                ["encoding"] => true,
                _ => return Err(format!("show {show}")),
            };
        }
        let again = op.get("again").map(Self::parse).transpose()?;
        // aiohttp's high-water mark, which lines are bounded by.
        let bufsize = op.get("read_bufsize").filter(|size| !size.is_null());
        let bufsize = bufsize.map(options::size).transpose()?;
        Ok(Self {
            mode: ReadMode::parse(op)?,
            max_line: bufsize.map(|size| 2 * size),
            show_encoding,
            again: again.map(Box::new),
        })
    }

    /// Takes the `read_bufsize` of `options` where it has none of its own.
    pub(super) fn or_bufsize_of(mut self, options: &Map<String, Value>) -> Result<Self, String> {
        if self.max_line.is_none()
            && let Some(size) = options.get("read_bufsize").filter(|size| !size.is_null())
        {
            self.max_line = Some(2 * options::size(size)?);
        }
        Ok(self)
    }

    /// Reads the response and returns the members that this adds to the result.
    pub(super) async fn read(&self, response: &mut ClientResponse) -> Map<String, Value> {
        let mut results = Vec::new();
        let mut next = Some(self);
        while let Some(reading) = next {
            results.push(reading.read_once(response).await);
            next = reading.again.as_deref();
        }
        let nested = results.into_iter().rev().reduce(|inner, mut outer| {
            outer.insert("again".into(), inner.into());
            outer
        });
        nested.unwrap_or_default()
    }

    async fn read_once(&self, response: &mut ClientResponse) -> Map<String, Value> {
        let mut shown = Map::new();
        match self.mode.read(response, self.max_line).await {
            Ok(mut members) => shown.append(&mut members),
            Err(error) => {
                shown.insert("read_error".into(), error_out(&error));
            }
        }
        if self.show_encoding {
            match response.encoding().await {
                Ok(encoding) => shown.insert("encoding".into(), json!(encoding)),
                Err(error) => shown.insert("encoding_error".into(), error_out(&error)),
            };
        }
        shown
    }
}

impl ReadMode {
    fn parse(op: &Value) -> Result<Self, String> {
        let encoding = || {
            let encoding = op.get("encoding").map(options::text).transpose()?;
            Ok::<_, String>(encoding.map(str::to_owned))
        };
        let mode = op.get("read").map_or(Ok("text"), options::text)?;
        Ok(match mode {
            "text" => Self::Text {
                encoding: encoding()?,
                errors: match op.get("errors").map_or(Ok("strict"), options::text)? {
                    "strict" => OnError::Strict,
                    "replace" => OnError::Replace,
                    "ignore" => OnError::Ignore,
                    other => return Err(format!("errors {other}")),
                },
            },
            "bytes" => Self::Bytes,
            "json" => Self::Json {
                encoding: encoding()?,
                content_type: op.get("content_type").cloned(),
            },
            "lines" => Self::Lines,
            "chunks" => Self::Chunks {
                size: op.get("chunk_size").map_or(Ok(1024), options::size)?,
            },
            "http_chunks" => Self::HttpChunks,
            "stream" => {
                let calls = op["stream"].as_array().ok_or("stream without calls")?;
                Self::Stream {
                    calls: calls
                        .iter()
                        .map(StreamCall::parse)
                        .collect::<Result<_, _>>()?,
                    close: op.get("finish").is_some_and(|finish| finish != "release"),
                }
            }
            // Leaving the context of a response is releasing it.
            "release" | "context" => Self::Release,
            "close" => Self::Close,
            "none" => Self::None,
            other => return Err(format!("read {other}")),
        })
    }

    async fn read(
        &self,
        response: &mut ClientResponse,
        max_line: Option<usize>,
    ) -> Result<Map<String, Value>, ClientError> {
        match self {
            Self::Text { encoding, errors } => {
                let options = TextOptions {
                    encoding: encoding.as_deref(),
                    errors: *errors,
                };
                Ok(member(
                    "body",
                    text_out(&response.text_with(&options).await?),
                ))
            }
            Self::Bytes => Ok(member("body", body_out(&response.read().await?))),
            Self::Json {
                encoding,
                content_type,
            } => {
                let mut options = JsonOptions {
                    encoding: encoding.as_deref(),
                    ..JsonOptions::default()
                };
                if let Some(content_type) = content_type {
                    options.content_type = content_type.as_str();
                }
                let value: Value = response.json_with(&options).await?;
                Ok(member("body", json!({"json": value})))
            }
            Self::Lines => {
                let mut lines = Vec::new();
                while let Some(line) = until(response.content(), b"\n", max_line).await? {
                    lines.push(bytes_out(&line));
                }
                Ok(member("lines", lines.into()))
            }
            Self::Chunks { size } => read_chunks(response.content(), *size).await,
            Self::HttpChunks => read_http_chunks(response.content()).await,
            Self::Stream { calls, close } => {
                let mut results = Vec::with_capacity(calls.len());
                let mut max_line = max_line;
                for call in calls {
                    // A longer read widens the buffer for good.
                    if let StreamCall::Read(size) | StreamCall::ReadExactly(size) = call {
                        max_line = max_line.map(|line| line.max(2 * size));
                    }
                    results.push(call.run(response.content(), max_line).await);
                }
                if *close {
                    response.close();
                } else {
                    response.release();
                }
                Ok(member("stream", results.into()))
            }
            Self::Release => {
                response.release();
                Ok(Map::new())
            }
            Self::Close => {
                response.close();
                Ok(Map::new())
            }
            Self::None => Ok(Map::new()),
        }
    }
}

fn member(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

async fn read_chunks(
    content: &mut Content,
    size: usize,
) -> Result<Map<String, Value>, ClientError> {
    let mut body = Vec::new();
    while let Some(chunk) = content.chunk_of(size).await? {
        if chunk.is_empty() || chunk.len() > size {
            return Ok(member("read_error", json!({"error": "AssertionError"})));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(member("body", body_out(&body)))
}

/// Joins pieces to HTTP chunks; what no chunk end follows is the `tail`.
async fn read_http_chunks(content: &mut Content) -> Result<Map<String, Value>, ClientError> {
    let (mut chunks, mut chunk) = (Vec::new(), Vec::new());
    while let Some((piece, ends)) = content.http_chunk().await? {
        chunk.extend_from_slice(&piece);
        if ends {
            chunks.push(bytes_out(&std::mem::take(&mut chunk)));
        }
    }
    let mut shown = member("http_chunks", chunks.into());
    if !chunk.is_empty() {
        shown.insert("tail".into(), bytes_out(&chunk));
    }
    Ok(shown)
}

impl StreamCall {
    fn parse(call: &Value) -> Result<Self, String> {
        let parts = call.as_array().map(Vec::as_slice).unwrap_or_default();
        let (name, args) = parts.split_first().ok_or("a stream call is a list")?;
        Ok(match (options::text(name)?, args) {
            ("read", []) => Self::ReadAll,
            ("read", [size]) if *size == -1 => Self::ReadAll,
            ("read", [size]) => Self::Read(options::size(size)?),
            ("readline", []) => Self::ReadLine,
            ("readexactly", [size]) => Self::ReadExactly(options::size(size)?),
            ("readuntil", []) => Self::ReadUntil("\n".into()),
            ("readuntil", [separator]) => Self::ReadUntil(options::text(separator)?.into()),
            ("readany", []) => Self::ReadAny,
            ("readchunk", []) => Self::ReadChunk,
            ("at_eof", []) => Self::AtEof,
            ("is_eof", []) => Self::IsEof,
            _ => return Err(format!("stream call {call}")),
        })
    }

    async fn run(&self, content: &mut Content, max_line: Option<usize>) -> Value {
        let read = match self {
            Self::Read(size) => content.read(*size).await,
            Self::ReadAll => content.read_all().await,
            Self::ReadLine => at_end_empty(until(content, b"\n", max_line).await),
            Self::ReadExactly(size) => content.exactly(*size).await,
            Self::ReadUntil(separator) => {
                at_end_empty(until(content, separator.as_bytes(), max_line).await)
            }
            // All that is here, as aiohttp gives it.
            Self::ReadAny => content.read(usize::MAX).await,
            Self::ReadChunk => {
                return match content.http_chunk().await {
                    Ok(chunk) => {
                        let (data, ends) = chunk.unwrap_or_default();
                        json!([bytes_out(&data), ends])
                    }
                    Err(error) => error_out(&error),
                };
            }
            Self::AtEof => return content.at_eof().into(),
            Self::IsEof => return content.is_eof().into(),
        };
        match read {
            Ok(bytes) => bytes_out(&bytes),
            Err(error) => error_out(&error),
        }
    }
}

async fn until(
    content: &mut Content,
    separator: &[u8],
    max_line: Option<usize>,
) -> Result<Option<Bytes>, ClientError> {
    match max_line {
        Some(limit) => content.until_within(separator, limit).await,
        None => content.until(separator).await,
    }
}

/// aiohttp gives nothing where there is nothing left.
fn at_end_empty(read: Result<Option<Bytes>, ClientError>) -> Result<Bytes, ClientError> {
    read.map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(op: &Value, want: &ReadMode) {
        let reading = Reading::parse(op).expect("well formed");
        assert_eq!(&reading.mode, want, "{op}");
    }

    #[test]
    fn text_is_the_default() {
        let text = |encoding: Option<&str>, errors| ReadMode::Text {
            encoding: encoding.map(str::to_owned),
            errors,
        };
        check(&json!({}), &text(None, OnError::Strict));
        check(
            &json!({"read": "text", "encoding": "latin-1", "errors": "ignore"}),
            &text(Some("latin-1"), OnError::Ignore),
        );
    }

    #[test]
    fn json_of_any_type_is_not_json_of_the_default_type() {
        let json_mode = |content_type| ReadMode::Json {
            encoding: None,
            content_type,
        };
        check(&json!({"read": "json"}), &json_mode(None));
        check(
            &json!({"read": "json", "content_type": null}),
            &json_mode(Some(Value::Null)),
        );
    }

    #[test]
    fn stream_calls_have_arguments() {
        let calls = json!([
            ["read"],
            ["read", -1],
            ["read", 3],
            ["readuntil", ";"],
            ["at_eof"]
        ]);
        let want = ReadMode::Stream {
            calls: vec![
                StreamCall::ReadAll,
                StreamCall::ReadAll,
                StreamCall::Read(3),
                StreamCall::ReadUntil(";".into()),
                StreamCall::AtEof,
            ],
            close: false,
        };
        check(&json!({"read": "stream", "stream": calls}), &want);
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for op in [
            json!({"read": "iter"}),
            json!({"errors": "surrogateescape"}),
            json!({"show": ["cookies"]}),
            json!({"read": "stream", "stream": [["read_nowait"]]}),
            json!({"again": {"read": "iter"}}),
        ] {
            assert!(Reading::parse(&op).is_err(), "{op}");
        }
    }
}
