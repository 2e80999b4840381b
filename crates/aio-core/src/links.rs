//! `Link` headers as aiohttp reads them.

use std::fmt;
use std::ops::Range;

use crate::multidict::MultiDict;
use crate::url::RequestUrl;

/// A link of a `Link` header (RFC 8288).
///
/// ```
/// use aio_core::{Link, RequestUrl};
///
/// let base = RequestUrl::parse("http://example.org/list")?;
/// let links = Link::parse_all([&b"<?page=2>; rel=next; title=\"more; later\""[..]], &base);
/// let next = links.get("next").unwrap();
/// assert_eq!(next.url().unwrap().as_str(), "http://example.org/list?page=2");
/// assert_eq!(next.params().get("title").unwrap(), "more; later");
/// # Ok::<(), aio_core::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    target: String,
    url: Option<RequestUrl>,
    params: MultiDict<String>,
}

impl Link {
    /// Reads the values of all `Link` headers of a response that came from `base`.
    ///
    /// The keys are the links' `rel` parameters as they stand, for a link without one its
    /// target. What is no link is left out. Bytes that are no UTF-8 are replaced.
    pub fn parse_all<'a>(
        values: impl IntoIterator<Item = &'a [u8]>,
        base: &RequestUrl,
    ) -> MultiDict<Self> {
        let values: Vec<_> = values.into_iter().map(String::from_utf8_lossy).collect();
        let text = values.join(", ");
        let mask = masked(&text);
        let base = base.clone().without_userinfo();
        entries(&mask)
            .filter_map(|entry| Self::parse(text.get(entry.clone())?, mask.get(entry)?, &base))
            .map(|link| (link.key().to_owned(), link))
            .collect()
    }

    /// Reads one link; `mask` is its text without what quotes hold.
    fn parse(text: &str, mask: &str, base: &RequestUrl) -> Option<Self> {
        let start = text.len() - text.trim_start().len();
        let end = mask.rfind('>')?;
        let target = text.get(start..end)?.strip_prefix('<')?;
        let mut params = MultiDict::new();
        let mut at = end + 1;
        for (number, piece) in mask.get(at..)?.split(';').enumerate() {
            let param = text.get(at..at + piece.len())?;
            at += piece.len() + 1;
            // What stands in front of the first `;` is none.
            if let Some((name, value)) = param_of(param).filter(|_| number > 0) {
                params.add(name, value.to_owned());
            }
        }
        Some(Self {
            target: target.to_owned(),
            url: base.join(target).ok(),
            params,
        })
    }

    fn key(&self) -> &str {
        self.params.get("rel").unwrap_or(&self.target)
    }

    /// Returns where it leads; `None` if no request can go there, as with `mailto:`.
    pub fn url(&self) -> Option<&RequestUrl> {
        self.url.as_ref()
    }

    /// Returns the reference as written between `<` and `>`.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the parameters in order, `rel` among them: names as written, values without
    /// their quotes, escapes left as they are.
    pub fn params(&self) -> &MultiDict<String> {
        &self.params
    }
}

impl fmt::Debug for Link {
    /// Without the reference as written, which may have userinfo.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("url", &self.url)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

/// The parts of a header that hold a link each: a comma ends one, if `<` comes behind it.
fn entries(mask: &str) -> impl Iterator<Item = Range<usize>> {
    let ends = mask.match_indices(',').map(|(at, _)| at);
    let ends = ends.filter(|at| {
        mask.get(at + 1..)
            .unwrap_or_default()
            .trim_start()
            .starts_with('<')
    });
    let mut start = 0;
    ends.chain([mask.len()])
        .map(move |end| std::mem::replace(&mut start, end + 1)..end)
}

/// Blots out what stands in quotes, byte for byte.
///
/// aiohttp does not, and takes `;`, `>` and `, <` in a title for the header's own; RFC
/// 8288 3 lets a quoted string hold them. A quote opens behind `=` only, and one that is
/// not closed is a character like others.
fn masked(text: &str) -> String {
    let mut mask = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('"') {
        mask.push_str(before);
        mask.push('"');
        rest = after;
        if before.trim_end().ends_with('=')
            && let Some(len) = quoted_len(after)
        {
            mask.extend(std::iter::repeat_n('_', len));
            mask.push('"');
            rest = after.get(len + 1..).unwrap_or_default();
        }
    }
    mask.push_str(rest);
    mask
}

/// Says how far it is to the quote that closes.
fn quoted_len(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(at),
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
    None
}

fn param_of(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.trim().split_once('=')?;
    let (name, value) = (name.trim_end(), value.trim_start());
    let quoted = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    let value = match quoted('"').or_else(|| quoted('\'')) {
        Some(inner) => inner,
        None if value.contains(char::is_whitespace) => return None,
        None => value,
    };
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
    is_name.then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link as its key, its URL or `-`, and its parameters.
    type Want<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    // Expected values are those of aiohttp 3.14.5; what it cannot join, it fails with, or
    // gives as a URL that no request can go to.
    #[track_caller]
    fn check(values: &[&str], want: &[Want<'_>]) {
        let base = RequestUrl::parse("http://ada:pw@h/dir/x?q=1#f").expect("a URL");
        let links = Link::parse_all(values.iter().map(|value| value.as_bytes()), &base);
        let shown: Vec<_> = links
            .iter()
            .map(|(key, link)| {
                let params: Vec<_> = link
                    .params()
                    .iter()
                    .map(|(name, value)| (name, value.as_str()))
                    .collect();
                let url = link.url().map_or("-".into(), RequestUrl::real_url);
                assert!(link.url().is_none_or(|url| url.userinfo().is_none()));
                (key, url, params)
            })
            .collect();
        let shown: Vec<Want<'_>> = shown
            .iter()
            .map(|(key, url, params)| (*key, &**url, &**params))
            .collect();
        assert_eq!(shown, want, "{values:?}");
    }

    // EDGE-142: several fields, several links in one, relative ones, ones without `rel`,
    // commas in titles.
    #[test]
    fn links_of_rfc_8288() {
        check(
            &[
                "</next?p=2>; rel=\"next\"; title=\"Next one\", <http://other.test/last>; rel=last",
                "<rel/first>; rel=first",
            ],
            &[
                (
                    "next",
                    "http://h/next?p=2",
                    &[("rel", "next"), ("title", "Next one")],
                ),
                ("last", "http://other.test/last", &[("rel", "last")]),
                ("first", "http://h/dir/rel/first", &[("rel", "first")]),
            ],
        );
        check(
            &["<a>; rel=next; title=\"x, y\", <http://o/b>; rel=prev"],
            &[
                (
                    "next",
                    "http://h/dir/a",
                    &[("rel", "next"), ("title", "x, y")],
                ),
                ("prev", "http://o/b", &[("rel", "prev")]),
            ],
        );
        check(&["<a>"], &[("a", "http://h/dir/a", &[])]);
        check(
            &["<a>, <b>"],
            &[("a", "http://h/dir/a", &[]), ("b", "http://h/dir/b", &[])],
        );
        check(
            &["<?p=2>;rel=next,<?p=1>;rel=prev"],
            &[
                ("next", "http://h/dir/x?p=2", &[("rel", "next")]),
                ("prev", "http://h/dir/x?p=1", &[("rel", "prev")]),
            ],
        );
        check(
            &["<>; rel=self"],
            &[("self", "http://h/dir/x?q=1", &[("rel", "self")])],
        );
        check(
            &["<#top>; rel=x"],
            &[("x", "http://h/dir/x?q=1#top", &[("rel", "x")])],
        );
        check(&["<//o/p>; rel=x"], &[("x", "http://o/p", &[("rel", "x")])]);
        check(
            &["<../a b/é>; rel=x"],
            &[("x", "http://h/a%20b/%C3%A9", &[("rel", "x")])],
        );
        check(
            &["<a>; rel=\"next last\""],
            &[("next last", "http://h/dir/a", &[("rel", "next last")])],
        );
        check(
            &["<a>; rel=next; rel=prev"],
            &[(
                "next",
                "http://h/dir/a",
                &[("rel", "next"), ("rel", "prev")],
            )],
        );
        check(
            &["<a>; rel=x", "<b>; rel=x"],
            &[
                ("x", "http://h/dir/a", &[("rel", "x")]),
                ("x", "http://h/dir/b", &[("rel", "x")]),
            ],
        );
        check(
            &["<a>; rel='next'"],
            &[("next", "http://h/dir/a", &[("rel", "next")])],
        );
        check(
            &["<s.css>; rel=preload; as=style; nopush; crossorigin"],
            &[(
                "preload",
                "http://h/dir/s.css",
                &[("rel", "preload"), ("as", "style")],
            )],
        );
        check(
            &["<a>; rel=x; title*=UTF-8'de'n%c3%a4chstes"],
            &[(
                "x",
                "http://h/dir/a",
                &[("rel", "x"), ("title*", "UTF-8'de'n%c3%a4chstes")],
            )],
        );
        check(
            &["<a>; Rel=next"],
            &[("a", "http://h/dir/a", &[("Rel", "next")])],
        );
        check(
            &["<a>;rel = \"next\" "],
            &[("next", "http://h/dir/a", &[("rel", "next")])],
        );
        check(
            &["<mailto:a@b>; rel=author"],
            &[("author", "-", &[("rel", "author")])],
        );
        check(&["<urn:isbn:1>; rel=x"], &[("x", "-", &[("rel", "x")])]);
        check(
            &["<ftp://h/x>; rel=x"],
            &[("x", "ftp://h/x", &[("rel", "x")])],
        );
    }

    // EDGE-143: an empty header among them.
    #[test]
    fn malformed_links_are_left_out() {
        check(&[], &[]);
        check(&[""], &[]);
        check(&[",,"], &[]);
        check(&["a"], &[]);
        check(&["a; rel=x"], &[]);
        check(&["<a; rel=x"], &[]);
        check(&["a>; rel=x"], &[]);
        check(&["<a>; rel"], &[("a", "http://h/dir/a", &[])]);
        check(&["<a>; rel="], &[("", "http://h/dir/a", &[("rel", "")])]);
        check(
            &["<a>; rel=\"\""],
            &[("", "http://h/dir/a", &[("rel", "")])],
        );
        check(&["<a>; =x"], &[("a", "http://h/dir/a", &[])]);
        check(&["<a>; rel=a b"], &[("a", "http://h/dir/a", &[])]);
        check(&["<a>; rel=\"a b"], &[("a", "http://h/dir/a", &[])]);
        check(
            &["<a>; rel=\"ab; x=y"],
            &[("\"ab", "http://h/dir/a", &[("rel", "\"ab"), ("x", "y")])],
        );
        check(&["<a>; r el=x"], &[("a", "http://h/dir/a", &[])]);
        check(
            &["<a>;; ;rel=x;"],
            &[("x", "http://h/dir/a", &[("rel", "x")])],
        );
        check(
            &["<a> rel=x; b=c"],
            &[("a", "http://h/dir/a", &[("b", "c")])],
        );
        check(
            &["<a>x; rel=y"],
            &[("y", "http://h/dir/a", &[("rel", "y")])],
        );
        check(
            &["junk", "<a>; rel=x"],
            &[("x", "http://h/dir/a", &[("rel", "x")])],
        );
        check(
            &["<a>; rel=x", "junk", "<b>"],
            &[("a", "http://h/dir/a", &[]), ("b", "http://h/dir/b", &[])],
        );
        check(
            &["<a>; rel=x junk, <b>; rel=y"],
            &[
                ("a", "http://h/dir/a", &[]),
                ("y", "http://h/dir/b", &[("rel", "y")]),
            ],
        );
        check(
            &["<<a>>; rel=x"],
            &[("x", "http://h/dir/%3Ca%3E", &[("rel", "x")])],
        );
        check(
            &["<a>b>; rel=x"],
            &[("x", "http://h/dir/a%3Eb", &[("rel", "x")])],
        );
        check(&["<http://[>; rel=x"], &[("x", "-", &[("rel", "x")])]);
        check(
            &["<http://a:99999/>; rel=x"],
            &[("x", "-", &[("rel", "x")])],
        );
        check(
            &["<a>; rel=x,y"],
            &[("x,y", "http://h/dir/a", &[("rel", "x,y")])],
        );
        check(
            &["<a>; rel=x, "],
            &[("x,", "http://h/dir/a", &[("rel", "x,")])],
        );
        check(
            &["<a\"b>; rel=\"x\""],
            &[("x", "http://h/dir/a%22b", &[("rel", "x")])],
        );
        check(
            &["<a>; rel=\"x\"\"y\""],
            &[("x\"\"y", "http://h/dir/a", &[("rel", "x\"\"y")])],
        );
        check(
            &["<a>; rel=\"x\" y; t=\"z\""],
            &[("a", "http://h/dir/a", &[("t", "z")])],
        );
        check(
            &["<a>; title=\"a \\\"b\\\"\"; rel=x"],
            &[(
                "x",
                "http://h/dir/a",
                &[("title", "a \\\"b\\\""), ("rel", "x")],
            )],
        );
        check(&["<>"], &[("", "http://h/dir/x?q=1", &[])]);
        check(
            &["<a,b>; rel=x"],
            &[("x", "http://h/dir/a,b", &[("rel", "x")])],
        );
    }

    // RFC 8288 3; aiohttp ends the parameter, the target or the link here.
    #[test]
    fn quotes_may_hold_what_ends_things_outside() {
        check(
            &["<a>; title=\"x; y\"; rel=z"],
            &[("z", "http://h/dir/a", &[("title", "x; y"), ("rel", "z")])],
        );
        check(
            &["<a>; title=\"x > y\"; rel=z"],
            &[("z", "http://h/dir/a", &[("title", "x > y"), ("rel", "z")])],
        );
        check(
            &["<a>; title= \"x, <y>; \\\"rel=w\"; rel=z, <b>"],
            &[
                (
                    "z",
                    "http://h/dir/a",
                    &[("title", "x, <y>; \\\"rel=w"), ("rel", "z")],
                ),
                ("b", "http://h/dir/b", &[]),
            ],
        );
    }

    #[test]
    fn what_is_no_utf8_is_replaced() {
        let base = RequestUrl::parse("http://h/").expect("a URL");
        let links = Link::parse_all([&b"<a>; title=\"\xff\""[..]], &base);
        let title = links.get("a").and_then(|link| link.params().get("title"));
        assert_eq!(title.map(String::as_str), Some("\u{fffd}"));
    }
}
