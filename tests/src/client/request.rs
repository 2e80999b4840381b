//! From a `request` call to the request.

use aio_client::{ClientSession, Coding, IntoParams, Limits, ParamValue, Params, RequestBuilder};
use serde_json::Value;

use super::{options, upload};

/// Makes the request; `limits` are those of the session.
pub(super) fn build(
    session: &ClientSession,
    limits: Limits,
    op: &Value,
) -> Result<RequestBuilder, String> {
    let op = op.as_object().ok_or("a call is an object")?;
    let method = op.get("method").map_or(Ok("GET"), options::text)?;
    let url = options::text(op.get("url").ok_or("a request without url")?)?;
    let mut builder = session
        .request(method, url)
        .limits(options::limits(op, limits)?);
    for (option, value) in op {
        builder = match option.as_str() {
            // Read above, or without a counterpart: nothing is read ahead.
            "op" | "method" | "url" | "max_line_size" | "max_field_size" | "max_headers"
            | "read_bufsize" => builder,
            // About the response.
            "check" | "hold" | "read" | "encoding" | "errors" | "content_type" | "chunk_size"
            | "stream" | "finish" | "show" | "again" => builder,
            "params" => builder.query(params(value)?),
            "headers" => builder.headers(options::headers(value)?),
            "skip_auto_headers" => {
                let names = options::texts(value)?.into_iter();
                names.fold(builder, |builder, name| builder.skip_auto_header(name))
            }
            "json" if value.is_null() => builder,
            "json" => builder.json(value),
            "data" => upload::send(builder, value)?,
            "cookies" => builder.cookies(options::headers(value)?),
            "auth" => builder.basic_auth(options::basic_auth(value)?),
            "proxy" if value.is_null() => builder,
            "proxy" => builder.proxy(options::text(value)?),
            "proxy_auth" => builder.proxy_auth(options::basic_auth(value)?),
            "proxy_headers" => builder.proxy_headers(options::headers(value)?),
            "raise_for_status" if value.is_null() => builder,
            "raise_for_status" => builder.raise_for_status(options::flag(value)?),
            "auto_decompress" => builder.auto_decompress(options::flag(value)?),
            "read_until_eof" => builder.read_until_eof(options::flag(value)?),
            "timeout" => builder.timeout(options::timeout(value)?),
            "allow_redirects" => builder.allow_redirects(options::flag(value)?),
            "max_redirects" => builder.max_redirects(options::size(value)?),
            "chunked" if value.is_null() => builder,
            "chunked" => builder.chunked(options::flag(value)?),
            "compress" => builder.compress(coding(value)?),
            "expect100" => builder.expect100(options::flag(value)?),
            _ => return Err(format!("request option {option}")),
        };
    }
    Ok(builder)
}

pub(super) fn params(value: &Value) -> Result<Params, String> {
    let refused = |error| format!("params: {error}");
    if let Value::String(query) = value {
        return query.into_params().map_err(refused);
    }
    let pairs = options::pairs(value)?.into_iter();
    let pairs = pairs.map(|(key, value)| Ok((key, param(&value)?)));
    let pairs: Vec<_> = pairs.collect::<Result<_, String>>()?;
    Params::from_pairs(pairs).map_err(refused)
}

fn param(value: &Value) -> Result<ParamValue, String> {
    match value {
        Value::String(text) => Ok(text.into()),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => Ok(float.into()),
            None => Ok(number.to_string().into()),
        },
        other => Err(format!("param {other}")),
    }
}

fn coding(value: &Value) -> Result<Option<Coding>, String> {
    match value {
        Value::Null | Value::Bool(false) => Ok(None),
        Value::Bool(true) => Ok(Some(Coding::Deflate)),
        _ => match Coding::from_header(options::text(value)?.as_bytes()) {
            Some(coding) => Ok(Some(coding)),
            None => Err(format!("compress {value}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: &Value, want: impl IntoParams) {
        assert_eq!(params(value).ok(), want.into_params().ok(), "{value}");
    }

    #[test]
    fn params_are_pairs_or_text() {
        let want = [("a", "x"), ("a", "2"), ("b", "1.5")];
        check(&json!({"a": ["x", 2], "b": 1.5}), want);
        check(&json!([["a", 1.0]]), [("a", "1.0")]);
        check(&json!("a=b c"), "a=b c");
        assert!(params(&json!({"a": null})).is_err());
    }
}
