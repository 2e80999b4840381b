//! What is read off a certificate that is not trusted, for those who are told of it.
//!
//! Nothing is decided by it, but for the key: what cannot be read is left out. The bytes
//! come from the network.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The fields of a certificate, as RFC 5280 4.1 has them; version 1 has no extensions.
pub(super) struct Certificate<'a> {
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    not_before: Element<'a>,
    not_after: Element<'a>,
    /// The `SubjectPublicKeyInfo` whole.
    pub(super) key: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut certificate = Reader(Reader(der).field(SEQUENCE)?);
        let mut fields = Reader(certificate.field(SEQUENCE)?);
        _ = fields.field_if(VERSION);
        _ = fields.field(INTEGER)?;
        _ = fields.field(SEQUENCE)?;
        let issuer = fields.field(SEQUENCE)?;
        let mut validity = Reader(fields.field(SEQUENCE)?);
        let (not_before, not_after) = (validity.next()?, validity.next()?);
        let subject = fields.field(SEQUENCE)?;
        let key = fields.next().filter(|key| key.tag == SEQUENCE)?.whole;
        let extensions = fields.find(|field| field.tag == EXTENSIONS);
        let extensions = extensions.and_then(|field| Reader(field.content).field(SEQUENCE));
        Some(Self {
            issuer,
            subject,
            not_before,
            not_after,
            key,
            extensions: extensions.unwrap_or_default(),
        })
    }

    pub(super) fn is_self_signed(&self) -> bool {
        self.issuer == self.subject
    }

    pub(super) fn not_before(&self) -> Option<SystemTime> {
        time(&self.not_before)
    }

    pub(super) fn not_after(&self) -> Option<SystemTime> {
        time(&self.not_after)
    }

    /// Gives the names and addresses that it is for.
    pub(super) fn names(&self) -> impl Iterator<Item = Box<str>> {
        // RFC 5280 4.2.1.6: subjectAltName.
        Reader(self.extension(17).unwrap_or_default()).filter_map(|name| match name.tag {
            0x82 => Some(shown(&String::from_utf8_lossy(name.content))),
            0x87 => address(name.content),
            _ => None,
        })
    }

    /// Tells whether it is for some purposes only.
    pub(super) fn has_purpose(&self) -> bool {
        // RFC 5280 4.2.1.12: extKeyUsage.
        self.extension(37).is_some()
    }

    /// Returns the list in an extension, by the last part of its number.
    fn extension(&self, number: u8) -> Option<&'a [u8]> {
        let fields = Reader(self.extensions).find_map(|extension| {
            let mut fields = Reader(extension.content);
            (fields.field(OBJECT)? == [0x55, 0x1D, number]).then_some(fields)
        });
        let value = fields?.find(|field| field.tag == OCTETS)?;
        Reader(value.content).field(SEQUENCE)
    }

    /// Returns how many bits its key has, if that is one of RSA.
    pub(super) fn rsa_bits(&self) -> Option<usize> {
        let (algorithm, key) = key(self.key)?;
        // RFC 8017 A.1: rsaEncryption, and the modulus before the exponent.
        let rsa = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];
        (Reader(algorithm).field(OBJECT)? == rsa).then_some(())?;
        let modulus = Reader(Reader(key).field(SEQUENCE)?).field(INTEGER)?;
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let first = modulus.get(zeros)?;
        Some((modulus.len() - zeros) * 8 - first.leading_zeros() as usize)
    }
}

/// Parts a `SubjectPublicKeyInfo` into its algorithm and the bits of the key.
pub(super) fn key(info: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = Reader(Reader(info).field(SEQUENCE)?);
    let algorithm = fields.field(SEQUENCE)?;
    // How many bits of the last byte are none: always 0.
    let bits = fields.field(BITS)?.strip_prefix(&[0])?;
    Some((algorithm, bits))
}

/// Tells whose name this is: the common one, or else that of the organization.
pub(super) fn name(name: &[u8]) -> Option<Box<str>> {
    // RFC 5280 4.1.2.4: sets of attributes, of which those of X.520 have numbers here.
    let attribute = |number| {
        let value = Reader(name).find_map(|set| {
            let mut fields = Reader(Reader(set.content).field(SEQUENCE)?);
            let is_it = fields.field(OBJECT)? == [0x55, 4, number];
            is_it.then(|| fields.next()).flatten()
        });
        Some(text(&value?)).filter(|text| !text.is_empty())
    };
    [3, 10, 11].into_iter().find_map(attribute)
}

fn text(value: &Element<'_>) -> Box<str> {
    /// Two bytes for each character.
    const BMP: u8 = 0x1E;
    if value.tag != BMP {
        return shown(&String::from_utf8_lossy(value.content));
    }
    let pairs = value.content.chunks_exact(2);
    let units = pairs.map(|pair| {
        pair.iter()
            .fold(0, |unit, byte| unit << 8 | u16::from(*byte))
    });
    let text: String = char::decode_utf16(units)
        .map(|c| c.unwrap_or('\u{FFFD}'))
        .collect();
    shown(&text)
}

/// Escapes what is no printable character, so that a terminal takes it for text, and cuts
/// what is long.
pub(super) fn shown(text: &str) -> Box<str> {
    const LONGEST: usize = 100;
    let mut shown = String::new();
    for (place, c) in text.chars().enumerate() {
        match c {
            _ if place == LONGEST => {
                shown.push('…');
                break;
            }
            '\'' | '"' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown.into()
}

fn address(bytes: &[u8]) -> Option<Box<str>> {
    let text = match bytes.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).to_string(),
        _ => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string(),
    };
    Some(text.into())
}

/// RFC 5280 4.1.2.5: `YYMMDDhhmmssZ`, or with four digits of the year.
fn time(element: &Element<'_>) -> Option<SystemTime> {
    const UTC_TIME: u8 = 0x17;
    let digits = element.content.strip_suffix(b"Z")?;
    let digits: &[u8] = match (element.tag, digits) {
        (UTC_TIME, [b'5'..=b'9', ..]) => &[b"19", digits].concat(),
        (UTC_TIME, _) => &[b"20", digits].concat(),
        _ => digits,
    };
    let is_long = digits.len() == 14 && digits.iter().all(u8::is_ascii_digit);
    let number = |from: usize, to| {
        let digits = digits.get(from..to).filter(|_| is_long)?;
        Some(
            digits
                .iter()
                .fold(0, |number, digit| number * 10 + u64::from(digit - b'0')),
        )
    };
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    // Counted from March, so that a leap day is the last one of a year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    const UNTIL_1970: u64 = 719_469 * 24 * 60 * 60;
    if seconds < UNTIL_1970 {
        UNIX_EPOCH.checked_sub(Duration::from_secs(UNTIL_1970 - seconds))
    } else {
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds - UNTIL_1970))
    }
}

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const EXTENSIONS: u8 = 0xA3;

/// One value of DER.
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

/// Reads values that stand one behind the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Iterator for Reader<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&length, rest) = rest.split_first()?;
        let (length, rest) = match length {
            0..=0x7F => (usize::from(length), rest),
            // No certificate has 16 MiB.
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
                let length = bytes
                    .iter()
                    .fold(0, |length, byte| length << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let (whole, _) = self.0.split_at(self.0.len() - rest.len());
        self.0 = rest;
        Some(Element {
            tag,
            content,
            whole,
        })
    }
}

impl<'a> Reader<'a> {
    /// Reads the next value, which must have this tag.
    fn field(&mut self, tag: u8) -> Option<&'a [u8]> {
        let element = self.next().filter(|element| element.tag == tag)?;
        Some(element.content)
    }

    /// Reads the next value if it has this tag.
    fn field_if(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.0
            .starts_with(&[tag])
            .then(|| self.field(tag))
            .flatten()
    }
}

#[cfg(test)]
pub(super) mod tests;
