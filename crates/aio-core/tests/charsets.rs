//! Charsets are decoded as Python decodes them: every byte of those that have one a character.

use aio_core::text::{Charset, OnError};

/// Says of each charset what Python makes of its bytes; the format stands in it.
const PYTHON: &str = include_str!("charsets.txt");

fn charset(name: &str) -> Charset {
    Charset::for_label(name).unwrap_or_else(|| panic!("{name} is unknown"))
}

fn hex(text: &str) -> u32 {
    u32::from_str_radix(text, 16).unwrap_or_else(|_| panic!("{text} is no number"))
}

/// Checks each byte; `odd` are those from 80 on that are not the character of their number.
fn check_bytes(name: &str, odd: &str) {
    let mut want: Vec<Option<char>> = (0..=255).map(|byte: u8| Some(byte.into())).collect();
    for odd in odd.split_whitespace() {
        let (byte, character) = odd.split_once('=').expect("a pair");
        want[hex(byte) as usize] = match character {
            "-" => None,
            character => char::from_u32(hex(character)),
        };
    }
    for byte in 0..=255 {
        let bytes = [b'a', byte];
        let decoded = charset(name).decode(&bytes, OnError::Strict);
        let want = want[usize::from(byte)].map(|character| format!("a{character}"));
        let found = decoded.as_deref().ok();
        assert_eq!(found, want.as_deref(), "{name}: {byte:02x}");
        if let Some(text) = &want {
            let encoded = charset(name).encode(text);
            assert_eq!(encoded.as_deref(), Ok(&bytes[..]), "{name}: {byte:02x}");
        }
        let replaced = charset(name).decode(&bytes, OnError::Replace);
        let want = want.unwrap_or_else(|| "a\u{fffd}".into());
        assert_eq!(replaced.as_deref(), Ok(&*want), "{name}: {byte:02x}");
    }
}

fn check_text(name: &str, bytes: &str, text: &str) {
    let pairs = (0..bytes.len()).step_by(2);
    let bytes: Vec<u8> = pairs.map(|at| hex(&bytes[at..at + 2]) as u8).collect();
    let decoded = charset(name).decode(&bytes, OnError::Strict);
    assert_eq!(decoded.as_deref(), Ok(text), "{name}");
}

#[test]
fn bytes_mean_what_they_mean_in_python() {
    let mut checked = 0;
    for line in PYTHON.lines().filter(|line| !line.starts_with('#')) {
        checked += 1;
        if let Some((name, rest)) = line.split_once(" = ") {
            let (bytes, text) = rest.split_once(' ').expect("bytes and text");
            check_text(name, bytes, text);
        } else {
            let (name, odd) = line.split_once(':').expect("a charset");
            check_bytes(name, odd);
        }
    }
    // All that there are.
    assert_eq!(checked, 49);
}
