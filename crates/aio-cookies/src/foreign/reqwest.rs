//! A jar as the cookie provider of a `reqwest::Client`.

use std::time::SystemTime;

use reqwest::header::HeaderValue;
use url::Url;

use crate::jar::CookieJar;
use crate::store::CookieRequest;

/// Give it to a client by `ClientBuilder::cookie_provider`:
///
/// ```
/// # use std::sync::Arc;
/// use aio_cookies::CookieJar;
///
/// let jar = Arc::new(CookieJar::new());
/// let builder = reqwest::Client::builder().cookie_provider(Arc::clone(&jar));
/// ```
///
/// The program in `tests/with-reqwest` of the repository does so, saves its jar and loads it.
impl reqwest::cookie::CookieStore for CookieJar {
    fn set_cookies(&self, fields: &mut dyn Iterator<Item = &HeaderValue>, url: &Url) {
        let request = CookieRequest::new(url, SystemTime::now());
        self.update_cookies(&request, fields);
    }

    fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        let pairs = self.filter_cookies(&CookieRequest::new(url, SystemTime::now()));
        let header = self.options().style.merge(pairs, Vec::new(), &[])?;
        let mut header = HeaderValue::from_maybe_shared(header).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::cookie::CookieStore;

    use super::*;

    #[test]
    fn reqwest_gets_the_cookies_that_a_server_set() {
        let jar = CookieJar::new();
        let url = |text: &str| Url::parse(text).expect("a URL");
        let fields = ["id=7; Secure", "wide=1; Domain=example.com", "odd=\u{e9}"];
        let fields =
            fields.map(|field| HeaderValue::from_bytes(field.as_bytes()).expect("a value"));
        jar.set_cookies(&mut fields.iter(), &url("https://www.example.com/"));

        let header = CookieStore::cookies(&jar, &url("https://www.example.com/"));
        let header = header.expect("there are cookies");
        assert_eq!(header.as_bytes(), "id=7; wide=1; odd=\u{e9}".as_bytes());
        assert!(header.is_sensitive());
        let header = CookieStore::cookies(&jar, &url("https://example.com/"));
        assert_eq!(
            header.as_ref().map(HeaderValue::as_bytes),
            Some(b"wide=1".as_slice())
        );
        assert_eq!(
            CookieStore::cookies(&jar, &url("https://example.org/")),
            None
        );
    }

    #[cfg(feature = "public-suffix")]
    #[test]
    fn the_leak_of_public_suffixes_is_shut() {
        let jar = CookieJar::new();
        let url = |text: &str| Url::parse(text).expect("a URL");
        let field = HeaderValue::from_static("leak=1; Domain=co.uk");
        jar.set_cookies(&mut [&field].into_iter(), &url("https://evil.co.uk/"));
        assert_eq!(
            CookieStore::cookies(&jar, &url("https://bank.co.uk/")),
            None
        );
    }
}
