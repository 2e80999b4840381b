//! The scripts of a scripted server, as values: what to read, send and wait for on each connection.

use std::time::Duration;

use serde_json::Value;

use crate::ports::Ports;
use crate::value::{base64_in, bytes_in};

/// What a server of a scenario does.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerScript {
    /// The n-th accepted connection runs the n-th list of steps.
    Connections(Vec<Vec<Step>>),
    /// The port is bound, but nobody listens.
    Refuse,
    /// Connection attempts are never answered.
    Blackhole,
}

/// One step of a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Read up to the blank line, record the request.
    ReadHead,
    /// Read the body of the last request, add it to its record.
    ReadBody,
    /// Write a text as Latin-1; `{ws_accept}` in it answers the last request.
    Send(String),
    /// Write bytes.
    SendBytes(Vec<u8>),
    /// Do nothing for a while.
    Sleep(Duration),
    /// Close the socket; ends the script.
    Close,
    /// Shut down writing only.
    HalfClose,
    /// Close with a reset; ends the script.
    Reset,
    /// Discard input until the client closes, at most this long; record whether it did.
    WaitClientClose(Duration),
    /// Run steps several times.
    Repeat {
        /// How often.
        times: u64,
        /// What.
        steps: Vec<Self>,
    },
    /// Set an event.
    Signal(String),
    /// Wait for an event.
    Wait(String),
    /// Send the 101 answer to the last request, with these additional headers.
    WsAccept(Vec<(String, String)>),
    /// Read one frame, record it.
    WsExpect {
        /// Inflate it with a new inflater.
        fresh: bool,
        /// Record the payload as JSON.
        json: bool,
    },
}

impl ServerScript {
    /// Reads a server of a scenario file.
    ///
    /// # Errors
    ///
    /// Names the step that is not known or not well formed.
    pub fn parse(spec: &Value, ports: &Ports) -> Result<Self, String> {
        if spec.get("refuse") == Some(&Value::Bool(true)) {
            return Ok(Self::Refuse);
        }
        if spec.get("blackhole") == Some(&Value::Bool(true)) {
            return Ok(Self::Blackhole);
        }
        let scripts = array(spec.get("connections"), spec)?;
        let parse_script = |script| parse_steps(Some(script), ports);
        Ok(Self::Connections(
            scripts.iter().map(parse_script).collect::<Result<_, _>>()?,
        ))
    }
}

fn parse_steps(steps: Option<&Value>, ports: &Ports) -> Result<Vec<Step>, String> {
    let steps = array(steps, &Value::Null)?;
    let mut parsed = Vec::with_capacity(steps.len());
    for step in steps {
        let malformed = || format!("no such step: {step}");
        let mut entries = step.as_object().ok_or_else(malformed)?.iter();
        let (Some((kind, arg)), None) = (entries.next(), entries.next()) else {
            return Err(malformed());
        };
        if kind == "read_request" {
            parsed.extend([Step::ReadHead, Step::ReadBody]);
        } else {
            parsed.push(parse_step(kind, arg, ports)?);
        }
    }
    Ok(parsed)
}

fn parse_step(kind: &str, arg: &Value, ports: &Ports) -> Result<Step, String> {
    let text = || {
        arg.as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("{kind}: no text: {arg}"))
    };
    Ok(match kind {
        "read_head" => Step::ReadHead,
        "read_body" => Step::ReadBody,
        "send" => Step::Send(latin1(ports.fill(&text()?))?),
        "send_b64" => Step::SendBytes(base64_in(arg)?),
        "send_fill" => Step::SendBytes(bytes_in(arg)?),
        "sleep" => Step::Sleep(seconds(arg)?),
        "close" => Step::Close,
        "half_close" => Step::HalfClose,
        "reset" => Step::Reset,
        "wait_client_close" if arg.is_number() => Step::WaitClientClose(seconds(arg)?),
        "wait_client_close" => Step::WaitClientClose(Duration::from_secs(2)),
        "repeat" => Step::Repeat {
            times: arg
                .get("times")
                .and_then(Value::as_u64)
                .ok_or_else(|| format!("repeat: {arg}"))?,
            steps: parse_steps(arg.get("steps"), ports)?,
        },
        "signal" => Step::Signal(text()?),
        "wait" => Step::Wait(text()?),
        "ws_accept" => Step::WsAccept(parse_accept(arg)?),
        "ws_send" => Step::SendBytes(encode_frame(arg)?),
        "ws_expect" => Step::WsExpect {
            fresh: flag(arg, "fresh"),
            json: flag(arg, "json"),
        },
        _ => return Err(format!("no such step: {kind}")),
    })
}

fn parse_accept(arg: &Value) -> Result<Vec<(String, String)>, String> {
    let malformed = || format!("ws_accept: {arg}");
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(malformed);
    let mut headers = Vec::new();
    for (key, name) in [
        ("protocol", "Sec-WebSocket-Protocol"),
        ("extensions", "Sec-WebSocket-Extensions"),
    ] {
        if let Some(value) = arg.get(key).filter(|value| !value.is_null()) {
            headers.push((name.to_owned(), text(value)?));
        }
    }
    if let Some(given) = arg.get("headers") {
        for pair in array(Some(given), arg)? {
            let Some([name, value]) = pair.as_array().map(Vec::as_slice) else {
                return Err(malformed());
            };
            headers.push((text(name)?, text(value)?));
        }
    }
    Ok(headers)
}

/// Encodes a frame of `ws_send`; what it asks for need not be a valid one.
fn encode_frame(arg: &Value) -> Result<Vec<u8>, String> {
    const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

    let malformed = |what: &str| format!("ws_send: {what}: {arg}");
    let number = |key: &str| match arg.get(key) {
        Some(value) => value.as_u64().map(Some).ok_or_else(|| malformed(key)),
        None => Ok(None),
    };
    let mut payload = Vec::new();
    if let Some(code) = number("close_code")? {
        let code = u16::try_from(code).map_err(|_| malformed("close_code"))?;
        payload.extend(code.to_be_bytes());
    }
    if let Some(encoded) = arg.get("payload_b64") {
        payload.extend(base64_in(encoded)?);
    } else if let Some(value) = arg.get("payload") {
        payload.extend(bytes_in(value)?);
    }

    let opcode = number("opcode")?
        .filter(|opcode| *opcode < 16)
        .ok_or_else(|| malformed("opcode"))?;
    let mut first = u8::try_from(opcode).expect("below 16");
    for (bit, key) in [(0x40, "rsv1"), (0x20, "rsv2"), (0x10, "rsv3")] {
        if flag(arg, key) {
            first |= bit;
        }
    }
    if arg.get("fin") != Some(&Value::Bool(false)) {
        first |= 0x80;
    }

    let masked = flag(arg, "mask");
    let mask_bit = if masked { 0x80 } else { 0 };
    let length = number("declared_length")?.unwrap_or(payload.len() as u64);
    let shortest = match length {
        0..126 => 7,
        126..65_536 => 16,
        _ => 64,
    };
    let too_long = |_| malformed("length_form");
    let mut frame = vec![first];
    match number("length_form")?.unwrap_or(shortest) {
        7 => frame.push(u8::try_from(length).map_err(too_long)? | mask_bit),
        16 => {
            frame.push(126 | mask_bit);
            frame.extend(u16::try_from(length).map_err(too_long)?.to_be_bytes());
        }
        64 => {
            frame.push(127 | mask_bit);
            frame.extend(length.to_be_bytes());
        }
        _ => return Err(malformed("length_form")),
    }
    if masked {
        frame.extend(MASK);
        for (byte, mask) in payload.iter_mut().zip(MASK.iter().cycle()) {
            *byte ^= mask;
        }
    }
    frame.extend(payload);
    Ok(frame)
}

fn latin1(text: String) -> Result<String, String> {
    match text.chars().find(|c| *c > 'ÿ') {
        Some(c) => Err(format!("send: {c:?} is not Latin-1: {text:?}")),
        None => Ok(text),
    }
}

fn array<'a>(value: Option<&'a Value>, whole: &Value) -> Result<&'a Vec<Value>, String> {
    value
        .and_then(Value::as_array)
        .ok_or_else(|| format!("no list in {whole}"))
}

fn flag(arg: &Value, key: &str) -> bool {
    arg.get(key) == Some(&Value::Bool(true))
}

fn seconds(value: &Value) -> Result<Duration, String> {
    let seconds = value
        .as_f64()
        .ok_or_else(|| format!("no seconds: {value}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("{value}: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(step: &Value, want: &[Step]) {
        let parsed = parse_steps(Some(&json!([step])), &Ports::default());
        assert_eq!(parsed.as_deref(), Ok(want), "{step}");
    }

    #[track_caller]
    fn check_frame(arg: &Value, want: &[u8]) {
        assert_eq!(encode_frame(arg).as_deref(), Ok(want), "{arg}");
    }

    #[test]
    fn steps_are_parsed() {
        check(
            &json!({"read_request": true}),
            &[Step::ReadHead, Step::ReadBody],
        );
        check(
            &json!({"send_fill": {"fill": "x", "times": 2}}),
            &[Step::SendBytes(b"xx".to_vec())],
        );
        check(
            &json!({"sleep": 0.25}),
            &[Step::Sleep(Duration::from_millis(250))],
        );
        check(
            &json!({"wait_client_close": true}),
            &[Step::WaitClientClose(Duration::from_secs(2))],
        );
        check(
            &json!({"ws_expect": {"fresh": true}}),
            &[Step::WsExpect {
                fresh: true,
                json: false,
            }],
        );
        let steps = vec![Step::Close];
        check(
            &json!({"repeat": {"times": 3, "steps": [{"close": true}]}}),
            &[Step::Repeat { times: 3, steps }],
        );
        let headers = vec![
            ("Sec-WebSocket-Protocol".into(), "p".into()),
            ("x".into(), "y".into()),
        ];
        check(
            &json!({"ws_accept": {"protocol": "p", "headers": [["x", "y"]]}}),
            &[Step::WsAccept(headers)],
        );
    }

    #[test]
    fn unknown_steps_are_refused() {
        for step in [
            json!({"dance": true}),
            json!({}),
            json!({"close": true, "reset": true}),
            json!("close"),
        ] {
            let parsed = parse_steps(Some(&json!([step])), &Ports::default());
            assert!(parsed.is_err(), "{step}");
        }
    }

    #[test]
    fn frames_are_encoded_as_told() {
        check_frame(&json!({"opcode": 1, "payload": "hi"}), b"\x81\x02hi");
        check_frame(
            &json!({"opcode": 1, "payload": "hi", "fin": false, "rsv1": true}),
            b"\x41\x02hi",
        );
        check_frame(
            &json!({"opcode": 8, "close_code": 1000, "payload": "x"}),
            b"\x88\x03\x03\xe8x",
        );
        check_frame(
            &json!({"opcode": 2, "payload_b64": "/w==", "mask": true}),
            b"\x82\x81\x11\x22\x33\x44\xee",
        );
        check_frame(
            &json!({"opcode": 2, "payload": "a", "length_form": 16}),
            b"\x82\x7e\x00\x01a",
        );
        check_frame(
            &json!({"opcode": 2, "declared_length": 70000}),
            b"\x82\x7f\x00\x00\x00\x00\x00\x01\x11\x70",
        );
    }
}
