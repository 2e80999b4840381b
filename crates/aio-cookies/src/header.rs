//! Writes the `Cookie` header of a request.

use std::collections::BTreeMap;
use std::fmt;

use crate::coding;
use crate::error::CookieError;
use crate::parse::aiohttp;

/// Whose rules a jar follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Profile {
    /// Those of RFC 6265bis, as browsers have them: values go back byte for byte as they
    /// came, longer paths first, then older cookies.
    #[default]
    Rfc6265bis,
    /// Those of Python's aiohttp: one cookie of a name, sorted by name, values quoted as
    /// Python quotes them, `Secure` accepted from anywhere.
    Aiohttp,
}

/// How cookies are written into a request.
///
/// ```
/// use aio_cookies::{CookieStyle, Profile};
///
/// let style = CookieStyle { profile: Profile::Aiohttp, ..CookieStyle::default() };
/// let own = vec![style.pair("user", "Ada L.")?];
/// let header = style.merge(Vec::new(), own, &[b"theme=dark"]);
/// assert_eq!(header.as_deref(), Some(b"theme=dark; user=\"Ada L.\"".as_slice()));
/// # Ok::<(), aio_cookies::CookieError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CookieStyle {
    /// Whose rules; those of RFC 6265bis by default.
    pub profile: Profile,
    /// Whether [`Profile::Aiohttp`] quotes values as Python does; true by default.
    pub quote_cookie: bool,
}

/// A name and a value as they are sent.
///
/// The name of a cookie without one is empty; then the value stands alone.
#[derive(Clone, PartialEq, Eq)]
pub struct CookiePair {
    pub(crate) name: Box<[u8]>,
    pub(crate) value: Box<[u8]>,
}

impl CookieStyle {
    /// Makes a pair of a program's own name and value.
    ///
    /// # Errors
    ///
    /// When the name is empty or has a control character, a blank or one of `",;=\`; when
    /// the value has a control character or `;`. [`Profile::Aiohttp`] takes the names that
    /// Python takes, and quotes any value unless told not to.
    pub fn pair(&self, name: &str, value: &str) -> Result<CookiePair, CookieError> {
        let legal = match self.profile {
            Profile::Rfc6265bis => is_name(name.as_bytes()) && !name.contains('='),
            Profile::Aiohttp => coding::is_legal_key(name),
        };
        if !legal {
            return Err(CookieError::Name(name.into()));
        }
        let written = match self.profile {
            Profile::Aiohttp if self.quote_cookie => coding::quote(value),
            _ if value
                .bytes()
                .any(|byte| byte.is_ascii_control() || byte == b';') =>
            {
                return Err(CookieError::Value(name.into()));
            }
            _ => value.into(),
        };
        Ok(CookiePair {
            name: name.as_bytes().into(),
            value: written.as_bytes().into(),
        })
    }

    /// Merges cookies of a jar, those of the request and `Cookie` headers set by hand.
    ///
    /// Where names are the same, the request's win over the jar's, and both over those set
    /// by hand. Returns the value of the one header to send, or `None` if there is nothing
    /// to merge: then what is set by hand goes as it is. Several headers set by hand are
    /// something to merge, but not for [`Profile::Aiohttp`].
    ///
    /// Those set by hand come first, then the jar's in its order, then the request's.
    /// [`Profile::Aiohttp`] sends one of a name, the last, and sorts by name.
    pub fn merge(
        &self,
        jar: Vec<CookiePair>,
        request: Vec<CookiePair>,
        by_hand: &[&[u8]],
    ) -> Option<Vec<u8>> {
        // RFC 6265 5.4: no more than one header.
        let is_one = by_hand.len() < 2 || self.profile == Profile::Aiohttp;
        if jar.is_empty() && request.is_empty() && is_one {
            return None;
        }
        // aiohttp loses all but the first header set by hand; SPEC CKY-61 says 'fix'.
        let by_hand = by_hand.iter().flat_map(|header| self.parse(header));
        let pairs = match self.profile {
            Profile::Rfc6265bis => {
                let mut pairs = by_hand.collect();
                override_with(&mut pairs, jar);
                for own in request {
                    override_with(&mut pairs, vec![own]);
                }
                pairs
            }
            Profile::Aiohttp => sorted(by_hand.chain(jar).chain(request)),
        };
        Some(join(&pairs))
    }

    /// Reads a `Cookie` header; values keep their quotes and escapes.
    ///
    /// Every name is an ordinary one, `path` too. A quoted value may contain `;`.
    /// [`Profile::Aiohttp`] skips names that it would not accept from a server, and a blank
    /// ends a value for it.
    ///
    /// ```
    /// use aio_cookies::CookieStyle;
    ///
    /// let pairs = CookieStyle::default().parse(b"a=1; path=\"x;y\"; odd");
    /// let values: Vec<_> = pairs.iter().map(|pair| pair.value()).collect();
    /// assert_eq!(values, [b"1".as_slice(), b"\"x;y\"", b"odd"]);
    /// ```
    pub fn parse(&self, header: &[u8]) -> Vec<CookiePair> {
        if self.profile == Profile::Aiohttp {
            return aiohttp::parse_pairs(header);
        }
        let mut pairs = Vec::new();
        let mut rest = header;
        while !rest.is_empty() {
            let (name, value, behind) = next_pair(rest);
            rest = behind;
            let (name, value) = match value {
                Some(value) => (name, value),
                None => (b"".as_slice(), name),
            };
            if !name.is_empty() || !value.is_empty() {
                pairs.push(CookiePair {
                    name: name.into(),
                    value: value.into(),
                });
            }
        }
        pairs
    }
}

impl Default for CookieStyle {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            quote_cookie: true,
        }
    }
}

impl CookiePair {
    /// Returns the name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Returns the value as it is sent.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Counts the octets of `name=value`.
    pub(crate) fn written_len(&self) -> usize {
        match self.name.len() {
            0 => self.value.len(),
            length => length + 1 + self.value.len(),
        }
    }
}

// Values are secrets.
impl fmt::Debug for CookiePair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=…", String::from_utf8_lossy(&self.name))
    }
}

/// Writes pairs with `; ` between them.
pub(crate) fn join(pairs: &[CookiePair]) -> Vec<u8> {
    let length = pairs.iter().map(|pair| pair.written_len() + 2).sum();
    let mut text = Vec::with_capacity(length);
    for pair in pairs {
        if !text.is_empty() {
            text.extend_from_slice(b"; ");
        }
        if !pair.name.is_empty() {
            text.extend_from_slice(&pair.name);
            text.push(b'=');
        }
        text.extend_from_slice(&pair.value);
    }
    text
}

/// Keeps the last pair of each name and sorts by name.
pub(crate) fn sorted(pairs: impl Iterator<Item = CookiePair>) -> Vec<CookiePair> {
    let by_name: BTreeMap<_, _> = pairs.map(|pair| (pair.name, pair.value)).collect();
    let pairs = by_name.into_iter();
    pairs
        .map(|(name, value)| CookiePair { name, value })
        .collect()
}

/// Tells whether aiohttp accepts `name` from a server; SPEC CKY-70.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let may_stand = |byte: &u8| byte.is_ascii_graphic() && !b"\",;\\".contains(byte);
    !name.is_empty() && name.iter().all(may_stand)
}

/// Finds the end of the quoted string that `text` starts with, if there is one.
pub(crate) fn end_of_quoted(text: &[u8]) -> Option<usize> {
    let mut bytes = text.strip_prefix(b"\"")?.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return Some(text.len() - bytes.len()),
            b'\\' => bytes.next(),
            _ => None,
        };
    }
    None
}

/// Splits the first pair from `text`: its name, its value, and what is behind it.
pub(crate) fn next_pair(text: &[u8]) -> (&[u8], Option<&[u8]>, &[u8]) {
    let (pair, behind) = split_once(text, b';').unwrap_or((text, b""));
    let Some((name, value)) = split_once(pair, b'=') else {
        return (pair.trim_ascii(), None, behind);
    };
    let name = name.trim_ascii();
    let from_value = text.get(pair.len() - value.len()..).unwrap_or_default();
    let from_value = from_value.trim_ascii_start();
    if let Some(end) = end_of_quoted(from_value)
        && let Some((quoted, after)) = from_value.split_at_checked(end)
    {
        let after = after.trim_ascii_start();
        if after.is_empty() || after.starts_with(b";") {
            return (name, Some(quoted), after.get(1..).unwrap_or_default());
        }
    }
    (name, Some(value.trim_ascii()), behind)
}

/// Splits at the first `separator`, which is in neither part.
pub(crate) fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == separator)?;
    let (before, from) = text.split_at_checked(at)?;
    Some((before, from.get(1..)?))
}

/// Appends `winners`; pairs that have the name of one of them go, if they have a name.
fn override_with(pairs: &mut Vec<CookiePair>, winners: Vec<CookiePair>) {
    let is_kept = |pair: &CookiePair| winners.iter().all(|winner| winner.name != pair.name);
    pairs.retain(|pair| pair.name.is_empty() || is_kept(pair));
    pairs.extend(winners);
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC: CookieStyle = CookieStyle {
        profile: Profile::Rfc6265bis,
        quote_cookie: true,
    };
    const AIOHTTP: CookieStyle = CookieStyle {
        profile: Profile::Aiohttp,
        quote_cookie: true,
    };

    fn pairs(text: &str) -> Vec<CookiePair> {
        RFC.parse(text.as_bytes())
    }

    #[track_caller]
    fn check_merge(style: CookieStyle, sources: (&str, &str, &[&str]), want: Option<&str>) {
        let (jar, request, by_hand) = sources;
        let by_hand: Vec<&[u8]> = by_hand.iter().map(|header| header.as_bytes()).collect();
        let header = style.merge(pairs(jar), pairs(request), &by_hand);
        let header = header.map(|header| String::from_utf8(header).expect("UTF-8"));
        assert_eq!(header.as_deref(), want, "{sources:?}");
    }

    #[track_caller]
    fn check_parse(style: CookieStyle, header: &str, want: &[(&str, &str)]) {
        let pairs = style.parse(header.as_bytes());
        let text = |bytes| std::str::from_utf8(bytes).expect("UTF-8");
        let pairs: Vec<_> = pairs
            .iter()
            .map(|pair| (text(pair.name()), text(pair.value())))
            .collect();
        assert_eq!(pairs, want, "{header:?}");
    }

    #[track_caller]
    fn check_pair(style: CookieStyle, name: &str, value: &str, want: Result<&str, CookieError>) {
        let pair = style.pair(name, value);
        let text = pair.map(|pair| String::from_utf8_lossy(&join(&[pair])).into_owned());
        assert_eq!(text, want.map(str::to_owned), "{name:?} {value:?}");
    }

    fn bad_name(name: &str) -> Result<&'static str, CookieError> {
        Err(CookieError::Name(name.into()))
    }

    fn bad_value(name: &str) -> Result<&'static str, CookieError> {
        Err(CookieError::Value(name.into()))
    }

    // CKY-60, CKY-61, CKY-62.
    #[test]
    fn aiohttp_sends_one_of_each_name_sorted() {
        let by_hand: &[&str] = &["h=1; a=header; bad"];
        check_merge(
            AIOHTTP,
            ("a=jar", "r=2", by_hand),
            Some("a=jar; bad=; h=1; r=2"),
        );
        check_merge(
            AIOHTTP,
            ("a=s; b=s", "b=r; c=r", &[]),
            Some("a=s; b=r; c=r"),
        );
        check_merge(
            AIOHTTP,
            ("zeta=1; alpha=2; Mid=3", "", &[]),
            Some("Mid=3; alpha=2; zeta=1"),
        );
        check_merge(
            AIOHTTP,
            ("a=1; a=2", "b=1; b=2", &["q=\"x;y\""]),
            Some("a=2; b=2; q=\"x;y\""),
        );
    }

    #[test]
    fn rfc_6265bis_keeps_the_order_of_each_source() {
        let by_hand: &[&str] = &["h=1; a=header; bad"];
        check_merge(RFC, ("a=jar", "r=2", by_hand), Some("h=1; bad; a=jar; r=2"));
        check_merge(RFC, ("z=1; a=2; z=3", "", &[]), Some("z=1; a=2; z=3"));
        check_merge(
            RFC,
            ("z=1; a=2; z=3; n", "z=4; z=5", &["n2;n3"]),
            Some("n2; n3; a=2; n; z=5"),
        );
    }

    // SPEC 18.3: aiohttp loses all but the first.
    #[test]
    fn every_header_set_by_hand_is_merged() {
        let by_hand: &[&str] = &["a=1", "b=2; c=3"];
        check_merge(AIOHTTP, ("j=4", "", by_hand), Some("a=1; b=2; c=3; j=4"));
        check_merge(RFC, ("j=4", "", by_hand), Some("a=1; b=2; c=3; j=4"));
    }

    // CKY-61, and EDGE-227: no limit holds for a header set by hand.
    #[test]
    fn headers_set_by_hand_alone_are_left_as_they_are() {
        check_merge(AIOHTTP, ("", "", &["z=1; a=2;odd ; q=\"x y\""]), None);
        check_merge(AIOHTTP, ("", "", &["z=1", "a=2"]), None);
        check_merge(RFC, ("", "", &["z=1", "a=2"]), Some("z=1; a=2"));
        check_merge(RFC, ("", "", &[]), None);
        let long = format!("long={}", "x".repeat(20_000));
        let merged = format!("{long}; own=1");
        check_merge(AIOHTTP, ("", "own=1", &[&long]), Some(&merged));
        check_merge(RFC, ("", "own=1", &[&long]), Some(&merged));
    }

    // CKY-73, and EDGE-211: reserved names are ordinary ones.
    #[test]
    fn a_cookie_header_has_no_attributes() {
        let header = "path=/x; secure; Expires=\"a;b\" ;c = d";
        let aiohttp = [
            ("path", "/x"),
            ("secure", ""),
            ("Expires", "\"a;b\""),
            ("c", "d"),
        ];
        check_parse(AIOHTTP, header, &aiohttp);
        let rfc = [
            ("path", "/x"),
            ("", "secure"),
            ("Expires", "\"a;b\""),
            ("c", "d"),
        ];
        check_parse(RFC, header, &rfc);
    }

    #[test]
    fn a_bad_pair_takes_no_other_with_it() {
        check_parse(
            AIOHTTP,
            "{\"x\":1}=2; bad[key=1;; =e; a b=c; last=",
            &[("bad[key", "1"), ("a", ""), ("b", "c"), ("last", "")],
        );
        check_parse(
            AIOHTTP,
            "a=\"open; b=\"x\"y; c=\"\\\"",
            &[("a", "\"open"), ("b", "\"x\"y"), ("c", "\"\\\"")],
        );
        check_parse(
            AIOHTTP,
            "a=x y; b=Wed, 09 Jun 2100 10:18:14 GMT; é=1; c=é; d=x\\y, e",
            &[
                ("a", "x"),
                ("y", ""),
                ("b", "Wed, 09 Jun 2100 10:18:14 GMT"),
                ("c", "é"),
                ("d", "x\\y, e"),
            ],
        );
        check_parse(RFC, "{\"x\":1}=2; =e;", &[("{\"x\":1}", "2"), ("", "e")]);
        check_parse(RFC, ";; = ;", &[]);
    }

    #[test]
    fn own_pairs_are_safe_to_send() {
        check_pair(RFC, "a", "two words", Ok("a=two words"));
        check_pair(RFC, "a[0]", "\"q\"", Ok("a[0]=\"q\""));
        check_pair(RFC, "a", "x;y", bad_value("a"));
        check_pair(RFC, "a", "x\r\ny: z", bad_value("a"));
        for name in ["", "a b", "a;b", "a=b", "a\n", "é"] {
            check_pair(RFC, name, "1", bad_name(name));
            check_pair(AIOHTTP, name, "1", bad_name(name));
        }
        check_pair(AIOHTTP, "a[0]", "1", bad_name("a[0]"));
        check_pair(AIOHTTP, "Path", "1", bad_name("Path"));
        check_pair(RFC, "Path", "1", Ok("Path=1"));
        check_pair(AIOHTTP, "a", "x;\n", Ok("a=\"x\\073\\012\""));
    }

    // EDGE-223, CKY-52.
    #[test]
    fn quoting_can_be_turned_off() {
        let raw = CookieStyle {
            quote_cookie: false,
            ..AIOHTTP
        };
        check_pair(raw, "ip-cookie", "\"second\"", Ok("ip-cookie=\"second\""));
        check_pair(raw, "a", "two words", Ok("a=two words"));
        check_pair(raw, "a", "x;y", bad_value("a"));
    }

    #[test]
    fn no_value_shows_in_debug_output() {
        assert_eq!(format!("{:?}", pairs("id=secret")), "[id=…]");
    }
}
