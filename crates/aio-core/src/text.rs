//! Charsets by Python's names, decoding and encoding with them.

mod encode;

use std::borrow::Cow;
use std::fmt;

use encoding_rs::{DecoderResult, Encoding};

pub use self::encode::EncodeError;

/// A charset that text can be decoded from, and encoded into.
///
/// ```
/// use aio_core::text::{Charset, OnError};
///
/// let latin = Charset::for_label("ISO-8859-1").expect("a known charset");
/// assert_eq!(latin.name(), "iso8859-1");
/// assert_eq!(latin.decode(b"caf\xe9", OnError::Strict)?, "café");
///
/// let error = Charset::UTF_8.decode(b"a\xffb", OnError::Strict).unwrap_err();
/// assert_eq!((error.charset(), error.offset()), ("utf-8", 1));
/// assert_eq!(Charset::UTF_8.decode(b"a\xffb", OnError::Replace)?, "a\u{fffd}b");
/// # Ok::<(), aio_core::text::DecodeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Charset {
    name: &'static str,
    codec: Codec,
}

/// What to do with bytes that mean nothing in a charset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnError {
    /// Fail.
    #[default]
    Strict,
    /// Put U+FFFD in their place.
    Replace,
    /// Leave them out.
    Ignore,
}

/// Bytes that mean nothing in their charset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot decode byte {offset} as {charset}")]
pub struct DecodeError {
    charset: &'static str,
    offset: usize,
}

impl DecodeError {
    /// Returns the charset's name.
    pub fn charset(&self) -> &'static str {
        self.charset
    }

    /// Returns where the first undecodable byte stands.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

#[derive(Clone, Copy)]
enum Codec {
    Utf8,
    Utf8Sig,
    Utf16Bom,
    Utf16Little,
    Utf16Big,
    Ascii,
    Latin1,
    /// A byte is a character.
    Single(&'static Encoding),
    /// The same; the web fills gaps with C1 controls where Python sees none.
    Windows(&'static Encoding),
    /// The same; the web put a Windows charset in its place, which differs in 0x80..=0x9f.
    Iso(&'static Encoding),
    /// Several bytes may be a character.
    Multi(&'static Encoding),
}

impl Charset {
    /// UTF-8; a byte order mark stays in the text, as in Python.
    pub const UTF_8: Self = Self {
        name: "utf-8",
        codec: Codec::Utf8,
    };

    /// Finds a charset by any of the names that Python has for it.
    ///
    /// Case does not count, nor what stands between letters and digits.
    pub fn for_label(label: &str) -> Option<Self> {
        if label.contains('\0') {
            return None;
        }
        let label = normalised(label);
        let undotted = label.replace('.', "_");
        let is_named = |labels: &str| labels.split(' ').any(|one| one == label || one == undotted);
        let (name, _, codec) = CHARSETS.iter().find(|(_, labels, _)| is_named(labels))?;
        Some(Self {
            name,
            codec: *codec,
        })
    }

    /// Returns Python's name of the codec, as `utf-8`, `iso8859-1`, `cp1251`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Decodes `bytes`; nothing is copied where they are that text already.
    ///
    /// # Errors
    /// With [`OnError::Strict`], if there are bytes that mean nothing.
    pub fn decode(self, bytes: &[u8], on_error: OnError) -> Result<Cow<'_, str>, DecodeError> {
        let may_be_text = match self.codec {
            Codec::Utf8 => true,
            Codec::Utf8Sig | Codec::Utf16Bom | Codec::Utf16Little | Codec::Utf16Big => false,
            // Some of them give ASCII another meaning behind an escape.
            Codec::Multi(_) => false,
            _ => bytes.is_ascii(),
        };
        if may_be_text && let Ok(text) = str::from_utf8(bytes) {
            return Ok(Cow::Borrowed(text));
        }
        let text = String::with_capacity(bytes.len());
        let mut sink = Sink {
            charset: self.name,
            on_error,
            text,
        };
        match self.codec {
            Codec::Utf8 => decode_utf8(bytes, 0, &mut sink)?,
            Codec::Utf8Sig => {
                let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
                decode_utf8(text, bytes.len() - text.len(), &mut sink)?;
            }
            Codec::Utf16Bom => match bytes {
                [0xfe, 0xff, text @ ..] => decode_utf16(text, 2, u16::from_be_bytes, &mut sink)?,
                [0xff, 0xfe, text @ ..] => decode_utf16(text, 2, u16::from_le_bytes, &mut sink)?,
                text => decode_utf16(text, 0, u16::from_le_bytes, &mut sink)?,
            },
            Codec::Utf16Little => decode_utf16(bytes, 0, u16::from_le_bytes, &mut sink)?,
            Codec::Utf16Big => decode_utf16(bytes, 0, u16::from_be_bytes, &mut sink)?,
            Codec::Ascii => decode_single(bytes, |_| None, &mut sink)?,
            Codec::Latin1 => decode_single(bytes, |byte| Some(char::from(byte)), &mut sink)?,
            Codec::Single(encoding) => decode_single(bytes, |byte| one(encoding, byte), &mut sink)?,
            Codec::Windows(encoding) => {
                let is_mapped = |c: &char| !c.is_control();
                decode_single(
                    bytes,
                    |byte| one(encoding, byte).filter(is_mapped),
                    &mut sink,
                )?;
            }
            Codec::Iso(encoding) => {
                let high = |byte| match byte {
                    0x80..=0x9f => Some(char::from(byte)),
                    _ => one(encoding, byte),
                };
                decode_single(bytes, high, &mut sink)?;
            }
            Codec::Multi(encoding) => decode_multi(bytes, encoding, &mut sink)?,
        }
        Ok(Cow::Owned(sink.text))
    }
}

/// Where decoded text goes, and what becomes of undecodable bytes.
struct Sink {
    charset: &'static str,
    on_error: OnError,
    text: String,
}

impl Sink {
    fn undecodable(&mut self, offset: usize) -> Result<(), DecodeError> {
        match self.on_error {
            OnError::Strict => {
                return Err(DecodeError {
                    charset: self.charset,
                    offset,
                });
            }
            OnError::Replace => self.text.push(char::REPLACEMENT_CHARACTER),
            OnError::Ignore => {}
        }
        Ok(())
    }
}

fn decode_utf8(bytes: &[u8], start: usize, sink: &mut Sink) -> Result<(), DecodeError> {
    let mut offset = start;
    for chunk in bytes.utf8_chunks() {
        sink.text.push_str(chunk.valid());
        offset += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            sink.undecodable(offset)?;
            offset += chunk.invalid().len();
        }
    }
    Ok(())
}

fn decode_utf16(
    bytes: &[u8],
    start: usize,
    unit: fn([u8; 2]) -> u16,
    sink: &mut Sink,
) -> Result<(), DecodeError> {
    let (pairs, odd) = bytes.as_chunks();
    let mut offset = start;
    let mut is_cut = !odd.is_empty();
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match decoded {
            Ok(c) => {
                sink.text.push(c);
                offset += 2 * c.len_utf16();
            }
            Err(error) => {
                sink.undecodable(offset)?;
                offset += 2;
                // Half a character and half a half of one are one error.
                let is_half = error.unpaired_surrogate() < 0xdc00;
                is_cut &= !is_half || offset < start + 2 * pairs.len();
            }
        }
    }
    if is_cut {
        sink.undecodable(offset)?;
    }
    Ok(())
}

/// Decodes a charset that extends ASCII by one character for each high byte.
fn decode_single(
    bytes: &[u8],
    high: impl Fn(u8) -> Option<char>,
    sink: &mut Sink,
) -> Result<(), DecodeError> {
    // Each high byte is looked up once: the text may be long.
    let mut known: [Option<Option<char>>; 128] = [None; 128];
    for (offset, &byte) in bytes.iter().enumerate() {
        let Some(known) = known.get_mut(usize::from(byte).wrapping_sub(128)) else {
            sink.text.push(char::from(byte));
            continue;
        };
        let decode = || odd(sink.charset).find_map(|(odd, c)| (odd == byte).then_some(c));
        match known.get_or_insert_with(|| decode().unwrap_or_else(|| high(byte))) {
            Some(c) => sink.text.push(*c),
            None => sink.undecodable(offset)?,
        }
    }
    Ok(())
}

/// Bytes that the web decodes otherwise than Python, and as what Python does.
fn odd(charset: &'static str) -> impl Iterator<Item = (u8, Option<char>)> {
    const ODD: [(&str, u8, Option<char>); 4] = [
        ("cp1255", 0xca, None),
        ("tis-620", 0xa0, None),
        ("koi8-u", 0xae, Some('\u{255d}')),
        ("koi8-u", 0xbe, Some('\u{256c}')),
    ];
    let of_charset = ODD.into_iter().filter(move |(name, ..)| *name == charset);
    of_charset.map(|(_, byte, character)| (byte, character))
}

fn one(encoding: &'static Encoding, byte: u8) -> Option<char> {
    let bytes = [byte];
    encoding
        .decode_without_bom_handling_and_without_replacement(&bytes)?
        .chars()
        .next()
}

fn decode_multi(
    bytes: &[u8],
    encoding: &'static Encoding,
    sink: &mut Sink,
) -> Result<(), DecodeError> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut rest = bytes;
    loop {
        let room = decoder.max_utf8_buffer_length_without_replacement(rest.len());
        sink.text.reserve(room.unwrap_or(rest.len()));
        let (result, read) =
            decoder.decode_to_string_without_replacement(rest, &mut sink.text, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            DecoderResult::InputEmpty => return Ok(()),
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(length, behind) => {
                let end = bytes.len() - rest.len();
                sink.undecodable(end.saturating_sub(usize::from(length + behind)))?;
            }
        }
    }
}

/// Normalises a label as Python's `encodings.normalize_encoding` does.
fn normalised(label: &str) -> String {
    let mut name = String::with_capacity(label.len());
    let mut gap = false;
    for c in label.chars() {
        if !c.is_alphanumeric() && c != '.' {
            gap = true;
            continue;
        }
        if gap && !name.is_empty() {
            name.push('_');
        }
        gap = false;
        if c.is_ascii() {
            name.push(c.to_ascii_lowercase());
        }
    }
    name
}

impl PartialEq for Charset {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Charset {}

impl fmt::Debug for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Charset").field(&self.name).finish()
    }
}

/// Python's name, its labels (`encodings.aliases` of CPython 3.11), and the codec.
///
/// Left out are the codecs that encoding_rs lacks: EBCDIC, DOS code pages, UTF-7, UTF-32.
/// GB 2312, Big5, EUC-KR and Shift_JIS are decoded as the web's supersets of them.
#[rustfmt::skip]
static CHARSETS: &[(&str, &str, Codec)] = &[
    ("utf-8", "utf_8 cp65001 u8 utf utf8 utf8_ucs2 utf8_ucs4", Codec::Utf8),
    ("ascii", "ascii 646 ansi_x3.4_1968 ansi_x3.4_1986 ansi_x3_4_1968 cp367 csascii ibm367 iso646_us iso_646.irv_1991 iso_ir_6 us us_ascii", Codec::Ascii),
    ("iso8859-1", "latin_1 8859 cp819 csisolatin1 ibm819 iso8859 iso8859_1 iso_8859_1 iso_8859_1_1987 iso_ir_100 l1 latin latin1", Codec::Latin1),
    ("utf-8-sig", "utf_8_sig", Codec::Utf8Sig),
    ("utf-16", "utf_16 u16 utf16", Codec::Utf16Bom),
    ("utf-16-le", "utf_16_le unicodelittleunmarked utf_16le", Codec::Utf16Little),
    ("utf-16-be", "utf_16_be unicodebigunmarked utf_16be", Codec::Utf16Big),
    ("iso8859-2", "iso8859_2 csisolatin2 iso_8859_2 iso_8859_2_1987 iso_ir_101 l2 latin2", Codec::Single(encoding_rs::ISO_8859_2)),
    ("iso8859-3", "iso8859_3 csisolatin3 iso_8859_3 iso_8859_3_1988 iso_ir_109 l3 latin3", Codec::Single(encoding_rs::ISO_8859_3)),
    ("iso8859-4", "iso8859_4 csisolatin4 iso_8859_4 iso_8859_4_1988 iso_ir_110 l4 latin4", Codec::Single(encoding_rs::ISO_8859_4)),
    ("iso8859-5", "iso8859_5 csisolatincyrillic cyrillic iso_8859_5 iso_8859_5_1988 iso_ir_144", Codec::Single(encoding_rs::ISO_8859_5)),
    ("iso8859-6", "iso8859_6 arabic asmo_708 csisolatinarabic ecma_114 iso_8859_6 iso_8859_6_1987 iso_ir_127", Codec::Single(encoding_rs::ISO_8859_6)),
    ("iso8859-7", "iso8859_7 csisolatingreek ecma_118 elot_928 greek greek8 iso_8859_7 iso_8859_7_1987 iso_ir_126", Codec::Single(encoding_rs::ISO_8859_7)),
    ("iso8859-8", "iso8859_8 csisolatinhebrew hebrew iso_8859_8 iso_8859_8_1988 iso_ir_138", Codec::Single(encoding_rs::ISO_8859_8)),
    ("iso8859-9", "iso8859_9 csisolatin5 iso_8859_9 iso_8859_9_1989 iso_ir_148 l5 latin5", Codec::Iso(encoding_rs::WINDOWS_1254)),
    ("iso8859-10", "iso8859_10 csisolatin6 iso_8859_10 iso_8859_10_1992 iso_ir_157 l6 latin6", Codec::Single(encoding_rs::ISO_8859_10)),
    ("iso8859-11", "iso8859_11 iso_8859_11 iso_8859_11_2001 thai", Codec::Iso(encoding_rs::WINDOWS_874)),
    ("iso8859-13", "iso8859_13 iso_8859_13 l7 latin7", Codec::Single(encoding_rs::ISO_8859_13)),
    ("iso8859-14", "iso8859_14 iso_8859_14 iso_8859_14_1998 iso_celtic iso_ir_199 l8 latin8", Codec::Single(encoding_rs::ISO_8859_14)),
    ("iso8859-15", "iso8859_15 iso_8859_15 l9 latin9", Codec::Single(encoding_rs::ISO_8859_15)),
    ("iso8859-16", "iso8859_16 iso_8859_16 iso_8859_16_2001 iso_ir_226 l10 latin10", Codec::Single(encoding_rs::ISO_8859_16)),
    ("cp1250", "cp1250 1250 windows_1250", Codec::Windows(encoding_rs::WINDOWS_1250)),
    ("cp1251", "cp1251 1251 windows_1251", Codec::Windows(encoding_rs::WINDOWS_1251)),
    ("cp1252", "cp1252 1252 windows_1252", Codec::Windows(encoding_rs::WINDOWS_1252)),
    ("cp1253", "cp1253 1253 windows_1253", Codec::Windows(encoding_rs::WINDOWS_1253)),
    ("cp1254", "cp1254 1254 windows_1254", Codec::Windows(encoding_rs::WINDOWS_1254)),
    ("cp1255", "cp1255 1255 windows_1255", Codec::Windows(encoding_rs::WINDOWS_1255)),
    ("cp1256", "cp1256 1256 windows_1256", Codec::Windows(encoding_rs::WINDOWS_1256)),
    ("cp1257", "cp1257 1257 windows_1257", Codec::Windows(encoding_rs::WINDOWS_1257)),
    ("cp1258", "cp1258 1258 windows_1258", Codec::Windows(encoding_rs::WINDOWS_1258)),
    ("cp866", "cp866 866 csibm866 ibm866", Codec::Single(encoding_rs::IBM866)),
    ("cp874", "cp874", Codec::Windows(encoding_rs::WINDOWS_874)),
    ("tis-620", "tis_620 iso_ir_166 tis620 tis_620_0 tis_620_2529_0 tis_620_2529_1", Codec::Iso(encoding_rs::WINDOWS_874)),
    ("koi8-r", "koi8_r cskoi8r", Codec::Single(encoding_rs::KOI8_R)),
    ("koi8-u", "koi8_u", Codec::Single(encoding_rs::KOI8_U)),
    ("mac-roman", "mac_roman macintosh macroman", Codec::Single(encoding_rs::MACINTOSH)),
    ("mac-cyrillic", "mac_cyrillic maccyrillic", Codec::Single(encoding_rs::X_MAC_CYRILLIC)),
    ("shift_jis", "shift_jis csshiftjis s_jis shiftjis sjis x_mac_japanese", Codec::Multi(encoding_rs::SHIFT_JIS)),
    ("cp932", "cp932 932 ms932 ms_kanji mskanji", Codec::Multi(encoding_rs::SHIFT_JIS)),
    ("euc_jp", "euc_jp eucjp u_jis ujis", Codec::Multi(encoding_rs::EUC_JP)),
    ("iso2022_jp", "iso2022_jp csiso2022jp iso2022jp iso_2022_jp", Codec::Multi(encoding_rs::ISO_2022_JP)),
    ("gbk", "gbk 936 cp936 ms936", Codec::Multi(encoding_rs::GBK)),
    ("gb2312", "gb2312 chinese csiso58gb231280 euc_cn euccn eucgb2312_cn gb2312_1980 gb2312_80 iso_ir_58 x_mac_simp_chinese", Codec::Multi(encoding_rs::GBK)),
    ("gb18030", "gb18030 gb18030_2000", Codec::Multi(encoding_rs::GB18030)),
    ("big5", "big5 big5_tw csbig5 x_mac_trad_chinese", Codec::Multi(encoding_rs::BIG5)),
    ("big5hkscs", "big5hkscs big5_hkscs hkscs", Codec::Multi(encoding_rs::BIG5)),
    ("cp950", "cp950 950 ms950", Codec::Multi(encoding_rs::BIG5)),
    ("euc_kr", "euc_kr euckr korean ks_c_5601 ks_c_5601_1987 ks_x_1001 ksc5601 ksx1001 x_mac_korean", Codec::Multi(encoding_rs::EUC_KR)),
    ("cp949", "cp949 949 ms949 uhc", Codec::Multi(encoding_rs::EUC_KR)),
];

/// Writes a finite `number` as Python's `repr` does: `1.0`, `1e+16`, `1e-05`.
///
/// ```
/// assert_eq!(aio_core::text::float_text(1e16), "1e+16");
/// ```
pub fn float_text(number: f64) -> String {
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or_default() {
        -4..16 => format!("{number:?}"),
        exponent => format!("{digits}e{exponent:+03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_label(label: &str, want: Option<&str>) {
        assert_eq!(
            Charset::for_label(label).map(Charset::name),
            want,
            "{label:?}"
        );
    }

    // Expected values are those of `codecs.lookup` in CPython 3.11.
    #[test]
    fn labels_are_those_of_python() {
        for label in [
            "utf-8",
            "UTF8",
            "utf 8",
            "utf--8",
            " utf-8 ",
            "\"utf-8\"",
            "U8",
        ] {
            check_label(label, Some("utf-8"));
        }
        for label in [
            "latin-1",
            "Latin1",
            "ISO_8859-1:1987",
            "iso.8859.1",
            "l1",
            "8859",
            "cp819",
        ] {
            check_label(label, Some("iso8859-1"));
        }
        check_label("windows-1251", Some("cp1251"));
        check_label("KOI8-R", Some("koi8-r"));
        check_label("Shift_JIS", Some("shift_jis"));
        check_label("sjis", Some("shift_jis"));
        check_label("euc-kr", Some("euc_kr"));
        check_label("ks_c_5601-1987", Some("euc_kr"));
        check_label("ansi_x3.4-1968", Some("ascii"));
        check_label("utf-16le", Some("utf-16-le"));
        check_label("iso-8859-15", Some("iso8859-15"));
        check_label("tis-620", Some("tis-620"));
        for label in [
            "",
            "_",
            "no-such",
            "x-sjis",
            "iso-8859-8-i",
            "utf8mb4",
            "utf-8\0",
        ] {
            check_label(label, None);
        }
    }

    #[test]
    fn every_name_is_a_label_of_its_charset() {
        for (name, labels, _) in CHARSETS {
            check_label(name, Some(name));
            labels
                .split(' ')
                .for_each(|label| check_label(label, Some(name)));
        }
    }

    #[track_caller]
    fn check(label: &str, bytes: &[u8], want: Result<&str, usize>) {
        let charset = Charset::for_label(label).expect("label is known");
        let decoded = charset
            .decode(bytes, OnError::Strict)
            .map_err(|error| error.offset());
        assert_eq!(
            decoded.as_deref(),
            want.as_ref().map(|text| *text),
            "{label} {bytes:x?}"
        );
    }

    #[test]
    fn bytes_are_decoded_as_python_does() {
        check("utf-8", b"\xef\xbb\xbfhi", Ok("\u{feff}hi"));
        check("utf-8-sig", b"\xef\xbb\xbfhi", Ok("hi"));
        check("utf-8", b"a\xffb", Err(1));
        check("utf-8-sig", b"\xef\xbb\xbfa\xff", Err(4));
        check("utf-8", b"ab\xe2\x82", Err(2));
        check("ascii", b"ab\x80", Err(2));
        check("latin-1", b"\x80\x93\xe9", Ok("\u{80}\u{93}\u{e9}"));
        check("latin5", b"\x80\xfd", Ok("\u{80}\u{131}"));
        check("iso8859-11", b"\x80\xa1", Ok("\u{80}\u{e01}"));
        check("cp1252", b"\x80\xe9", Ok("\u{20ac}\u{e9}"));
        check("cp1252", b"a\x81", Err(1));
        check("cp1251", b"\xe6", Ok("\u{436}"));
        check("koi8-r", b"\xd6\xd5\xcb", Ok("\u{436}\u{443}\u{43a}"));
        check("shift_jis", b"\x93\xfa\x96\x7b", Ok("\u{65e5}\u{672c}"));
        check("shift_jis", b"ab\x93", Err(2));
        check("gbk", b"\xc4\xe3", Ok("\u{4f60}"));
        check("euc-jp", b"\xc6\xfc\xcb", Err(2));
        check("iso2022_jp", b"\x1b$BF|\x1b(Ba", Ok("\u{65e5}a"));
    }

    #[track_caller]
    fn check_copied(label: &str, bytes: &[u8], want: bool) {
        let charset = Charset::for_label(label).expect("label is known");
        let decoded = charset.decode(bytes, OnError::Replace).expect("lenient");
        let copied = matches!(decoded, Cow::Owned(_));
        assert_eq!(copied, want, "{label} {bytes:x?}");
    }

    #[test]
    fn what_is_text_already_is_not_copied() {
        check_copied("utf-8", "caf\u{e9}".as_bytes(), false);
        check_copied("latin-1", b"cafe", false);
        check_copied("utf-8", b"caf\xe9", true);
        check_copied("latin-1", b"caf\xe9", true);
        check_copied("utf-16-le", b"h\0i\0", true);
        check_copied("iso2022_jp", b"\x1b$BF|\x1b(Ba", true);
    }

    #[test]
    fn utf_16_is_decoded_in_either_order() {
        check("utf-16", b"\xff\xfeh\0i\0", Ok("hi"));
        check("utf-16", b"\xfe\xff\0h\0i", Ok("hi"));
        check("utf-16", b"h\0i\0", Ok("hi"));
        check("utf-16-le", b"\xff\xfeh\0", Ok("\u{feff}h"));
        check("utf-16-be", b"\xd8\x3d\xdc\xa9\0a", Ok("\u{1f4a9}a"));
        check("utf-16-be", b"\0a\xd8\x3d\0b", Err(2));
        check("utf-16", b"\xfe\xff\0h\0", Err(4));
        check("utf-16", b"", Ok(""));
    }

    #[track_caller]
    fn check_lenient(label: &str, bytes: &[u8], replaced: &str, ignored: &str) {
        let charset = Charset::for_label(label).expect("label is known");
        let decode = |on_error| charset.decode(bytes, on_error);
        assert_eq!(
            decode(OnError::Replace).as_deref(),
            Ok(replaced),
            "{label} {bytes:x?}"
        );
        assert_eq!(
            decode(OnError::Ignore).as_deref(),
            Ok(ignored),
            "{label} {bytes:x?}"
        );
    }

    #[test]
    fn undecodable_bytes_are_replaced_or_ignored() {
        check_lenient("utf-8", b"a\xffb", "a\u{fffd}b", "ab");
        check_lenient("utf-8", b"a\xe2\x82", "a\u{fffd}", "a");
        check_lenient("ascii", b"a\x80\x81b", "a\u{fffd}\u{fffd}b", "ab");
        check_lenient("cp1252", b"a\x81b", "a\u{fffd}b", "ab");
        check_lenient("utf-16-le", b"a\0b", "a\u{fffd}", "a");
        check_lenient("utf-16-be", b"\xd8\0a", "\u{fffd}", "");
        check_lenient("utf-16-be", b"\xd8\0\xd8\0a", "\u{fffd}\u{fffd}", "");
        check_lenient("utf-16-be", b"\xdc\0a", "\u{fffd}\u{fffd}", "");
        check_lenient("utf-16-be", b"\xd8\0\0aa", "\u{fffd}a\u{fffd}", "a");
        check_lenient("shift_jis", b"a\x93", "a\u{fffd}", "a");
    }
}
