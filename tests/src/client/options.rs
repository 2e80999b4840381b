//! Option values that sessions and requests share.

use std::time::Duration;

use aio_client::wire::AuthEncoding;
use aio_client::{AddressFamily, BasicAuth, ClientTimeout, Limits};
use serde_json::{Map, Value};

/// Reads an object, whose list values repeat the key, or a list of pairs.
pub(super) fn pairs(value: &Value) -> Result<Vec<(String, Value)>, String> {
    let mut pairs = Vec::new();
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::Array(values) => {
                        pairs.extend(values.iter().map(|value| (key.clone(), value.clone())));
                    }
                    value => pairs.push((key.clone(), value.clone())),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                match item.as_array().map(Vec::as_slice) {
                    Some([Value::String(key), value]) => pairs.push((key.clone(), value.clone())),
                    _ => return Err(format!("no pair: {item}")),
                }
            }
        }
        other => return Err(format!("no pairs: {other}")),
    }
    Ok(pairs)
}

/// Reads names with text values.
pub(super) fn headers(value: &Value) -> Result<Vec<(String, String)>, String> {
    let pairs = pairs(value)?.into_iter();
    pairs
        .map(|(name, value)| Ok((name, text(&value)?.to_owned())))
        .collect()
}

/// Reads a list of texts.
pub(super) fn texts(value: &Value) -> Result<Vec<&str>, String> {
    let items = value
        .as_array()
        .ok_or_else(|| format!("not a list: {value}"))?;
    items.iter().map(text).collect()
}

/// Reads a text.
pub(super) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("not a text: {value}"))
}

/// Reads true or false.
pub(super) fn flag(value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("neither true nor false: {value}"))
}

/// Reads a count of things or bytes.
pub(super) fn size(value: &Value) -> Result<usize, String> {
    let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
    size.ok_or_else(|| format!("not a size: {value}"))
}

/// Reads seconds.
pub(super) fn seconds(value: &Value) -> Result<Duration, String> {
    let seconds = value
        .as_f64()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("not a time in seconds: {value}"))
}

/// Reads seconds or null, which is no limit.
pub(super) fn limit_in_seconds(value: &Value) -> Result<Option<Duration>, String> {
    if value.is_null() {
        return Ok(None);
    }
    seconds(value).map(Some)
}

/// Reads a family by its number on Linux.
pub(super) fn family(value: &Value) -> Result<AddressFamily, String> {
    match value.as_u64() {
        Some(0) => Ok(AddressFamily::Any),
        Some(2) => Ok(AddressFamily::V4),
        Some(10) => Ok(AddressFamily::V6),
        _ => Err(format!("family {value}")),
    }
}

/// Reads timeouts; absent parts have no limit.
pub(super) fn timeout(value: &Value) -> Result<ClientTimeout, String> {
    let parts = value
        .as_object()
        .ok_or_else(|| format!("no timeouts: {value}"))?;
    let mut timeout = ClientTimeout::none();
    for (part, value) in parts {
        let limit = match part.as_str() {
            "total" => &mut timeout.total,
            "connect" => &mut timeout.connect,
            "sock_connect" => &mut timeout.sock_connect,
            "sock_read" => &mut timeout.sock_read,
            _ => return Err(format!("timeout {part}")),
        };
        *limit = limit_in_seconds(value)?;
    }
    Ok(timeout)
}

/// Reads the bounds on response heads; absent ones are those of `defaults`.
pub(super) fn limits(options: &Map<String, Value>, defaults: Limits) -> Result<Limits, String> {
    let mut limits = defaults;
    for (name, limit) in [
        ("max_line_size", &mut limits.max_line_size),
        ("max_field_size", &mut limits.max_field_size),
        ("max_headers", &mut limits.max_headers),
    ] {
        if let Some(value) = options.get(name) {
            *limit = size(value)?;
        }
    }
    Ok(limits)
}

/// Reads login, password and, if it is not Latin-1, their encoding.
pub(super) fn basic_auth(value: &Value) -> Result<BasicAuth, String> {
    let parts = texts(value)?;
    let (login, password, encoding) = match parts.as_slice() {
        [login, password] | [login, password, "latin1"] => (login, password, AuthEncoding::Latin1),
        [login, password, "utf-8"] => (login, password, AuthEncoding::Utf8),
        _ => return Err(format!("auth {value}")),
    };
    Ok(BasicAuth::new(*login, *password).with_encoding(encoding))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_pairs(value: &Value, want: &[(&str, Value)]) {
        let want: Vec<_> = want
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect();
        assert_eq!(pairs(value), Ok(want), "{value}");
    }

    #[test]
    fn pairs_have_two_forms() {
        let want = [("a", json!(1)), ("a", json!(2)), ("b", json!("x"))];
        check_pairs(&json!({"a": [1, 2], "b": "x"}), &want);
        check_pairs(&json!([["a", 1], ["a", 2], ["b", "x"]]), &want);
        assert!(pairs(&json!([["a"]])).is_err());
        assert!(pairs(&json!("a=1")).is_err());
    }

    #[test]
    fn absent_timeouts_are_none() {
        let timeout = timeout(&json!({"sock_read": 0.5, "total": null})).expect("well formed");
        let want = ClientTimeout {
            sock_read: Some(Duration::from_millis(500)),
            ..ClientTimeout::none()
        };
        assert_eq!(timeout, want);
        assert!(super::timeout(&json!({"ceil_threshold": 5})).is_err());
    }

    #[test]
    fn absent_limits_are_the_defaults() {
        let defaults = Limits {
            max_headers: 3,
            ..Limits::default()
        };
        let options = json!({"max_line_size": 5, "url": "x"});
        let limits =
            limits(options.as_object().expect("an object"), defaults).expect("well formed");
        assert_eq!((limits.max_line_size, limits.max_headers), (5, 3));
    }
}
