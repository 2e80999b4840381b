//! Byte values: how a scenario file writes bytes, and how a result shows them.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Longer bodies are shown as length and hash.
const SHOWN_WHOLE: usize = 2000;

/// Reads a byte value: a plain string, `{"text"}`, `{"b64"}` or `{"fill", "times"}`.
///
/// # Errors
///
/// Says what it found when the value is none of these.
pub fn bytes_in(value: &Value) -> Result<Vec<u8>, String> {
    let no_byte_value = || format!("not a byte value: {value}");
    if let Some(text) = value.as_str().or_else(|| value.get("text")?.as_str()) {
        return Ok(text.as_bytes().to_vec());
    }
    if let Some(encoded) = value.get("b64") {
        return base64_in(encoded);
    }
    let fill = value
        .get("fill")
        .and_then(Value::as_str)
        .ok_or_else(no_byte_value)?;
    let times = value
        .get("times")
        .and_then(Value::as_u64)
        .ok_or_else(no_byte_value)?;
    let times = usize::try_from(times).map_err(|_| no_byte_value())?;
    Ok(fill.as_bytes().repeat(times))
}

/// Reads a string of base64.
///
/// # Errors
///
/// Says what it found when the value is something else.
pub fn base64_in(value: &Value) -> Result<Vec<u8>, String> {
    let encoded = value
        .as_str()
        .ok_or_else(|| format!("not base64: {value}"))?;
    BASE64
        .decode(encoded)
        .map_err(|error| format!("not base64: {encoded:?}: {error}"))
}

/// Encodes bytes as base64.
#[must_use]
pub fn base64_out(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Shows bytes as `{"text"}` when they are printable UTF-8, else as `{"b64"}`.
#[must_use]
pub fn bytes_out(bytes: &[u8]) -> Value {
    let control = |byte: &u8| byte.is_ascii_control() && !b"\t\r\n".contains(byte);
    match str::from_utf8(bytes) {
        Ok(text) if !bytes.iter().any(control) => json!({"text": text}),
        _ => json!({"b64": base64_out(bytes)}),
    }
}

/// Shows a body: as [`bytes_out`], over 2000 bytes as `{"len", "sha256"}`.
#[must_use]
pub fn body_out(body: &[u8]) -> Value {
    if body.len() <= SHOWN_WHOLE {
        return bytes_out(body);
    }
    json!({"len": body.len(), "sha256": sha256_hex(body)})
}

/// Shows a decoded body: `{"text"}`, over 2000 characters as `{"len", "sha256"}`.
#[must_use]
pub fn text_out(text: &str) -> Value {
    let len = text.chars().count();
    if len <= SHOWN_WHOLE {
        return json!({"text": text});
    }
    json!({"len": len, "sha256": sha256_hex(text.as_bytes())})
}

/// Shows a header value, reason or target: a string, or `{"b64"}` when it is no UTF-8.
#[must_use]
pub fn str_out(bytes: &[u8]) -> Value {
    match str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({"b64": base64_out(bytes)}),
    }
}

/// Returns the SHA-256 of bytes in lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        write!(hex, "{byte:02x}").expect("writing to a String never fails");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_in(value: &Value, want: &[u8]) {
        assert_eq!(bytes_in(value).as_deref(), Ok(want), "{value}");
    }

    #[track_caller]
    fn check_out(bytes: &[u8], want: &Value) {
        assert_eq!(&bytes_out(bytes), want, "{bytes:?}");
    }

    #[test]
    fn byte_values_have_four_forms() {
        check_in(&json!("ü"), "ü".as_bytes());
        check_in(&json!({"text": "t"}), b"t");
        check_in(&json!({"b64": "AAE="}), &[0, 1]);
        check_in(&json!({"fill": "ab", "times": 3}), b"ababab");
    }

    #[test]
    fn other_values_are_refused() {
        for value in [
            json!(1),
            json!({"b64": "?"}),
            json!({"fill": "a"}),
            json!({"reader": "a"}),
        ] {
            assert!(bytes_in(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn printable_bytes_are_text() {
        check_out(b"a\tb\r\nc", &json!({"text": "a\tb\r\nc"}));
        check_out("ü\u{85}".as_bytes(), &json!({"text": "ü\u{85}"}));
        check_out(b"\x0b", &json!({"b64": "Cw=="}));
        check_out(b"\x7f", &json!({"b64": "fw=="}));
        check_out(b"\xff", &json!({"b64": "/w=="}));
    }

    #[test]
    fn long_bodies_are_hashed() {
        assert!(body_out(&[b'a'; 2000]).get("text").is_some());
        let sha256 = "a0b153f094495e7397ecded317f606264cb1b8dd33e650ddd4be00c2674aa5e7";
        assert_eq!(body_out(&[b'a'; 2001])["len"], 2001);
        assert_eq!(body_out(&[b'a'; 2001])["sha256"], sha256);
        assert_eq!(text_out(&"ü".repeat(2001))["len"], 2001);
        assert!(text_out(&"ü".repeat(2000)).get("text").is_some());
    }
}
