//! The charset of a text that names none, guessed from its bytes.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};

use crate::response::ResponseHead;

/// Guesses the charset of a text from its bytes and from the country in its host's name,
/// for [`fallback_charset`](crate::ClientSessionBuilder::fallback_charset).
///
/// UTF-8 is guessed where the bytes are UTF-8. Firefox's detector guesses the rest: its
/// guess is one for prose, and says little of a few words.
///
/// ```
/// use aio_client::{ClientSession, detect_charset};
///
/// let session = ClientSession::builder().fallback_charset(detect_charset).build()?;
/// # Ok::<(), aio_client::ClientError>(())
/// ```
pub fn detect_charset(head: &ResponseHead, body: &[u8]) -> String {
    guess(head.url().host(), body).into()
}

fn guess(host: &str, body: &[u8]) -> &'static str {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(body, true);
    let country = host.rsplit('.').next().unwrap_or_default();
    // The detector panics on anything else; a name may be Punycode.
    let of_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let country = Some(country.as_bytes()).filter(|_| country.bytes().all(of_name));
    match detector.guess(country, Utf8Detection::Allow).name() {
        // What Python has no name for, and its name for the same bytes.
        "ISO-8859-8-I" => "iso8859-8",
        "windows-874" => "cp874",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use aio_core::text::{Charset, OnError};

    use super::*;

    #[track_caller]
    fn check(host: &str, charset: &str, text: &str) {
        let known = Charset::for_label(charset).expect("a charset");
        let bytes = known.encode(text).expect("it has them");
        let guess = Charset::for_label(guess(host, &bytes)).expect("a known name");
        assert_eq!(guess, known, "{text}");
        let decoded = guess.decode(&bytes, OnError::Strict);
        assert_eq!(decoded.as_deref(), Ok(text));
    }

    #[test]
    fn prose_is_recognised() {
        let russian = "Все счастливые семьи похожи друг на друга.";
        check("example.org", "utf-8", russian);
        check("example.org", "windows-1251", russian);
        check("example.org", "koi8-u", russian);
        check("127.0.0.1", "cp866", russian);
        check(
            "example.jp",
            "shift_jis",
            "吾輩は猫である。名前はまだ無い。",
        );
        check("[::1]", "euc-jp", "吾輩は猫である。名前はまだ無い。");
        check("example.org", "iso2022_jp", "吾輩は猫である。");
        check("example.com", "gbk", "道可道，非常道。名可名，非常名。");
        check("example.tw", "big5", "道可道，非常道。名可名，非常名。");
        check(
            "example.kr",
            "euc_kr",
            "모든 인간은 태어날 때부터 자유로우며",
        );
        check("example.th", "cp874", "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน");
        check(
            "example.il",
            "windows-1255",
            "כל בני אדם נולדו בני חורין ושווים",
        );
        // A short word is Russian in Russia, whose name has two forms; else it is Greek.
        let word = b"\xed\xe5\xf2";
        assert_eq!(guess("a.ru", word), "windows-1251");
        assert_eq!(guess("a.xn--p1ai", word), "windows-1251");
        for elsewhere in ["a.com", "a.", "10.0.0.1", "[::1]", "a.ТЕСТ"] {
            assert_eq!(guess(elsewhere, word), "windows-1253", "{elsewhere}");
        }
        check(
            "XN--P1AI",
            "windows-1252",
            "déjà vu à la crème brûlée, garçon",
        );
    }

    #[test]
    fn each_guess_has_a_name_in_python() {
        // All that the detector may guess, by its documentation.
        for name in [
            "UTF-8",
            "ISO-2022-JP",
            "ISO-8859-8",
            "GBK",
            "EUC-JP",
            "EUC-KR",
            "Shift_JIS",
            "Big5",
            "windows-1250",
            "windows-1251",
            "windows-1252",
            "windows-1253",
            "windows-1254",
            "windows-1255",
            "windows-1256",
            "windows-1257",
            "windows-1258",
            "ISO-8859-2",
            "ISO-8859-4",
            "ISO-8859-5",
            "ISO-8859-6",
            "ISO-8859-7",
            "ISO-8859-13",
            "KOI8-U",
            "IBM866",
        ] {
            assert!(Charset::for_label(name).is_some(), "{name}");
        }
    }
}
