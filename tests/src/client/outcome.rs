//! What a call came to: the head of a response, or an error.

use aio_client::{
    ClientError, ClientResponse, ContentDisposition, Link, ReadError, RequestUrl,
    ResponseErrorKind, ResponseHead,
};
use http::Version;
use serde_json::{Map, Value, json};

use crate::value::{bytes_out, str_out};

/// Shows what is known of a response before its body is read.
pub(super) fn head_out(response: &ClientResponse) -> Map<String, Value> {
    let head = response.head();
    let mut shown = Map::new();
    let mut show = |name: &str, value: Value| {
        shown.insert(name.to_owned(), value);
    };
    let content_type = head.content_type();
    show("status", json!(head.status().as_u16()));
    show("reason", str_out(head.raw_reason()));
    show("version", json!(version_out(head.version())));
    show("method", json!(head.method().as_str()));
    show("url", json!(head.url().as_str()));
    if head.real_url() != head.url().as_str() {
        show("real_url", json!(head.real_url()));
    }
    show("ok", json!(head.ok()));
    show("headers", headers_out(head));
    show("content_type", json!(content_type.essence()));
    show("charset", json!(content_type.charset()));
    if head.headers().contains("link") {
        show("links", links_out(head));
    }
    if let Some(disposition) = head.content_disposition() {
        show("content_disposition", disposition_out(&disposition));
    }
    if head.headers().contains("set-cookie") {
        show("cookies", cookies_out(head));
    }
    if !response.history().is_empty() {
        show("history", history_out(response.history()));
    }
    shown
}

/// Shows an error: aiohttp's class, and what is known of the response.
pub(super) fn error_out(error: &ClientError) -> Value {
    let mut shown = Map::new();
    shown.insert("error".into(), json!(error.aiohttp_class()));
    match error {
        ClientError::Response(error) => {
            shown.insert("status".into(), json!(error.status));
            // The wording of the parser is its own affair.
            if error.kind != ResponseErrorKind::Malformed {
                let reason = error.head.as_ref().map(ResponseHead::raw_reason);
                let message = match reason.filter(|_| error.kind == ResponseErrorKind::Status) {
                    Some(reason) => str_out(reason),
                    None => json!(error.message),
                };
                shown.insert("message".into(), message);
            }
            if !error.history.is_empty() {
                shown.insert("history".into(), history_out(&error.history));
            }
        }
        ClientError::Read(error) => {
            if let ReadError::Incomplete { partial, .. } = &error.source {
                shown.insert("partial".into(), bytes_out(partial));
            }
        }
        _ => {}
    }
    shown.into()
}

/// Of a name the last cookie counts.
fn cookies_out(head: &ResponseHead) -> Value {
    let cookies = head.cookies();
    let shown = cookies.iter().map(|cookie| {
        let name = String::from_utf8_lossy(cookie.name()).into_owned();
        (name, str_out(cookie.value()))
    });
    Value::Object(shown.collect())
}

fn links_out(head: &ResponseHead) -> Value {
    let link = |(rel, link): (&str, &Link)| {
        let url = link
            .url()
            .map_or(link.target().into(), RequestUrl::real_url);
        let mut params: Vec<_> = link
            .params()
            .iter()
            .map(|(name, value)| (name, value.as_str()))
            .collect();
        params.push(("url", &url));
        params.sort_unstable();
        json!([rel, params])
    };
    head.links().iter().map(link).collect()
}

fn disposition_out(disposition: &ContentDisposition) -> Value {
    let parameter = |(name, value): (&str, &String)| (name.to_owned(), json!(value));
    json!({
        "type": disposition.kind(),
        "filename": disposition.filename(),
        "parameters": disposition.parameters().iter().map(parameter).collect::<Map<_, _>>(),
    })
}

fn headers_out(head: &ResponseHead) -> Value {
    let field = |(name, value): (&str, &[u8])| json!([name.to_lowercase(), str_out(value)]);
    head.raw_headers().map(field).collect()
}

fn history_out(history: &[ResponseHead]) -> Value {
    let hop = |head: &ResponseHead| {
        json!({
            "status": head.status().as_u16(),
            "method": head.method().as_str(),
            "url": head.url().as_str(),
        })
    };
    history.iter().map(hop).collect()
}

fn version_out(version: Version) -> String {
    let version = format!("{version:?}");
    version.trim_start_matches("HTTP/").to_owned()
}
