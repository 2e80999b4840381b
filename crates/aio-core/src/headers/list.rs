//! Field values that are lists (RFC 9110 5.6.1).

use std::borrow::Cow;

use crate::HeaderView;

impl HeaderView {
    /// Returns the elements of all values of that name, each a list with commas; newer
    /// aiohttp's `headers.getall`.
    ///
    /// A comma in a quoted string ends no element, empty elements are left out, and one
    /// that is a quoted string comes without its quotes and escapes.
    ///
    /// ```
    /// use aio_core::http1::sent_fields;
    ///
    /// let head = b"GET / HTTP/1.1\r\nIf-Match: \"a,1\", ,W/\"b\"\r\nif-match: c\r\n\r\n";
    /// let headers = sent_fields(&head.as_slice().into());
    /// let etags: Vec<_> = headers.get_list("If-Match").collect();
    /// assert_eq!(etags, [&b"a,1"[..], b"W/\"b\"", b"c"]);
    /// ```
    pub fn get_list<'a>(
        &'a self,
        name: impl AsRef<str> + 'a,
    ) -> impl Iterator<Item = Cow<'a, [u8]>> + 'a {
        self.get_all(name)
            .flat_map(|field| elements(field.as_bytes()))
    }
}

fn elements(mut rest: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = element_len(rest);
            let element = rest.get(..end).unwrap_or_default().trim_ascii();
            rest = rest.get(end + 1..).unwrap_or_default();
            if !element.is_empty() {
                return Some(unquoted(element));
            }
        }
        None
    })
}

/// How far it is to the comma that ends the first element.
fn element_len(text: &[u8]) -> usize {
    let mut is_quoted = false;
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' if is_quoted => _ = bytes.next(),
            b',' if !is_quoted => return at,
            _ => {}
        }
    }
    text.len()
}

/// Takes the quotes and escapes off, if all of it is one quoted string.
fn unquoted(element: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = element.strip_prefix(b"\"") else {
        return Cow::Borrowed(element);
    };
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' if bytes.as_slice().is_empty() => return Cow::Owned(text),
            b'"' => break,
            b'\\' => text.extend(bytes.next()),
            _ => text.push(byte),
        }
    }
    Cow::Borrowed(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, want: &[&str]) {
        let got: Vec<_> = elements(value.as_bytes()).collect();
        let want: Vec<_> = want.iter().map(|element| element.as_bytes()).collect();
        assert_eq!(got, want, "{value}");
    }

    #[test]
    fn a_list_is_cut_at_commas_outside_quotes() {
        check("", &[]);
        check(" , ,", &[]);
        check("a", &["a"]);
        check("gzip,br ,\tidentity;q=0", &["gzip", "br", "identity;q=0"]);
        check(r#""a,b", c"#, &["a,b", "c"]);
        check(r#""a\",b", c"#, &["a\",b", "c"]);
        check(r#"n="a,b";m=1, c"#, &[r#"n="a,b";m=1"#, "c"]);
        check(r#"W/"x", "y""#, &[r#"W/"x""#, "y"]);
        check(r#""a""b", """#, &[r#""a""b""#, ""]);
        check(r#""""#, &[""]);
    }

    #[test]
    fn a_quote_that_is_not_closed_goes_to_the_end() {
        check(r#""a, b"#, &[r#""a, b"#]);
        check(r#""a\"#, &[r#""a\"#]);
        check("a\\,b", &["a\\", "b"]);
    }
}
