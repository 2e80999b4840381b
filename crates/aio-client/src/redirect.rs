//! Where a redirect leads and what is sent there (SPEC §3).

use std::fmt;
use std::sync::Arc;

use aio_core::{HeaderView, RequestUrl, UrlError, UrlErrorKind};
use http::{Method, StatusCode};

use crate::request::RequestParts;
use crate::response::ResponseHead;

/// The request that a redirect asks for.
#[derive(Debug)]
pub(crate) struct Redirect {
    pub(crate) url: RequestUrl,
    pub(crate) method: Method,
    /// Whether the body is sent once more; else the request has none.
    pub(crate) keeps_body: bool,
}

/// Tells whether a response may be a redirect: 300, 304, 305 and 306 are none (RED-01).
pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl Redirect {
    /// Reads where a redirect leads; `None` if it does not say (RED-03).
    ///
    /// # Errors
    /// If it leads nowhere that a request can go.
    pub(crate) fn of(
        request: &RequestParts,
        status: StatusCode,
        headers: &HeaderView,
    ) -> Result<Option<Self>, UrlError> {
        let filled = |name| {
            let field = headers.get(name)?;
            Some(field.as_bytes()).filter(|value| !value.is_empty())
        };
        let Some(location) = filled("location").or_else(|| filled("uri")) else {
            return Ok(None);
        };
        let requote = request.options.redirects.requote;
        let url = target(&request.url, &text(location), requote)?;
        let (method, keeps_body) = rewritten(&request.method, status);
        Ok(Some(Self {
            url,
            method,
            keeps_body,
        }))
    }
}

/// RED-05, RED-06.
fn rewritten(method: &Method, status: StatusCode) -> (Method, bool) {
    let to_get = match status.as_u16() {
        303 => method != Method::HEAD,
        301 | 302 => method == Method::POST,
        _ => false,
    };
    if to_get {
        (Method::GET, false)
    } else {
        (method.clone(), true)
    }
}

/// Resolves a location; userinfo comes from itself only.
fn target(from: &RequestUrl, location: &str, requote: bool) -> Result<RequestUrl, UrlError> {
    let base = from.clone().without_userinfo();
    if has_odd_authority(location) {
        return Err(UrlError::new(location, UrlErrorKind::Malformed));
    }
    let url = if requote {
        base.join(location)?
    } else {
        base.join_encoded(location)?
    };
    // RED-20: no redirect leads to a WebSocket, unless it says nothing of the scheme.
    let scheme = url.scheme_str();
    let speaks_http = matches!(scheme, "http" | "https") || !names_scheme(location);
    if speaks_http {
        Ok(url)
    } else {
        Err(UrlError::new(location, UrlErrorKind::NonHttp))
    }
}

/// Tells whether a reference begins with a scheme.
fn names_scheme(reference: &str) -> bool {
    let end = reference.find([':', '/', '?', '#']);
    end.is_some_and(|end| {
        reference
            .get(end..)
            .is_some_and(|rest| rest.starts_with(':'))
    })
}

/// Tells whether a backslash stands for one of the slashes before a host, as browsers have
/// it; what another reader takes for the host is then another one.
fn has_odd_authority(location: &str) -> bool {
    let after_scheme = location.split_once(':').filter(|_| names_scheme(location));
    let slashes = after_scheme.and_then(|(_, rest)| rest.as_bytes().first_chunk());
    slashes.is_some_and(|slashes @ [a, b]| {
        matches!(a, b'/' | b'\\') && matches!(b, b'/' | b'\\') && slashes != b"//"
    })
}

/// Takes a location as text: UTF-8, or what of it is none as escapes (RED-16).
fn text(location: &[u8]) -> String {
    let mut text = String::with_capacity(location.len());
    let blank = |byte: &u8| *byte <= b' ';
    let start = location.iter().take_while(|byte| blank(byte)).count();
    let end = location.iter().rev().take_while(|byte| blank(byte)).count();
    let trimmed = location
        .get(start..location.len() - end)
        .unwrap_or_default();
    for chunk in trimmed.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// A redirect that is about to be followed, as a [`RedirectPolicy`] sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct RedirectHop<'a> {
    /// The response that redirects.
    pub response: &'a ResponseHead,
    /// The redirects before it, oldest first.
    pub history: &'a [ResponseHead],
    /// Where it leads.
    pub url: &'a RequestUrl,
    /// The method that will be sent there.
    pub method: &'a Method,
    /// Where the request was going, whatever middlewares made of it.
    pub(crate) from: &'a RequestUrl,
}

impl RedirectHop<'_> {
    /// Tells whether scheme, host or port are others than those of the request before;
    /// then its credentials and cookies are not sent on. What middlewares made of its URL
    /// does not count.
    pub fn is_cross_origin(&self) -> bool {
        !self.from.same_origin(self.url)
    }
}

/// What a [`RedirectPolicy`] says about a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RedirectAction {
    /// Follow it as aiohttp and browsers do: a redirected POST becomes a GET, unless the
    /// status is 307 or 308.
    Follow,
    /// Follow it with method and body as they are.
    KeepMethod,
    /// Do not follow it: it is the response.
    Stop,
}

/// Says for each redirect whether and how it is followed.
///
/// Without one, a redirect to another origin takes along the body, if its status is 307 or
/// 308 or its method no POST, and all headers but `Authorization`, `Cookie`,
/// `Proxy-Authorization` and `Host`: one such as `X-Api-Key`, too.
/// [`same_origin`](Self::same_origin) keeps them where they belong.
///
/// ```
/// use aio_client::{ClientSession, RedirectAction, RedirectPolicy};
///
/// let session = ClientSession::builder()
///     .redirect_policy(RedirectPolicy::new(|hop| match hop.url.is_tls() {
///         true => RedirectAction::Follow,
///         false => RedirectAction::Stop,
///     }))
///     .build()?;
/// # Ok::<(), aio_client::ClientError>(())
/// ```
#[derive(Clone)]
pub struct RedirectPolicy(Arc<dyn Fn(&RedirectHop<'_>) -> RedirectAction + Send + Sync>);

impl RedirectPolicy {
    /// Makes one of a function.
    pub fn new(
        policy: impl Fn(&RedirectHop<'_>) -> RedirectAction + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(policy))
    }

    /// Makes one that follows redirects within an origin (scheme, host and port) only.
    pub fn same_origin() -> Self {
        Self::new(|hop| {
            if hop.is_cross_origin() {
                RedirectAction::Stop
            } else {
                RedirectAction::Follow
            }
        })
    }

    pub(crate) fn judge(&self, hop: &RedirectHop<'_>) -> RedirectAction {
        (self.0)(hop)
    }
}

impl fmt::Debug for RedirectPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedirectPolicy")
    }
}

#[cfg(test)]
mod tests {
    use aio_tests::random::Random;

    use super::*;

    #[track_caller]
    fn check_method(status: u16, kept: &[&str], to_get: &[&str]) {
        let status = StatusCode::from_u16(status).expect("a status");
        for name in kept {
            let method = Method::from_bytes(name.as_bytes()).expect("a method");
            assert_eq!(
                rewritten(&method, status),
                (method, true),
                "{status} {name}"
            );
        }
        for name in to_get {
            let method = Method::from_bytes(name.as_bytes()).expect("a method");
            assert_eq!(
                rewritten(&method, status),
                (Method::GET, false),
                "{status} {name}"
            );
        }
    }

    #[test]
    fn methods_change_as_in_the_matrix() {
        // SPEC §18.2, with one that nobody knows.
        let all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "BREW"];
        let but_post = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "BREW"];
        check_method(301, &but_post, &["POST"]);
        check_method(302, &but_post, &["POST"]);
        check_method(
            303,
            &["HEAD"],
            &["GET", "POST", "PUT", "PATCH", "DELETE", "BREW"],
        );
        check_method(307, &all, &[]);
        check_method(308, &all, &[]);
    }

    #[track_caller]
    fn check(location: &[u8], want: Result<&str, UrlErrorKind>) {
        let from = RequestUrl::parse("http://ada:pw@a.test:81/x/y?q#f").expect("a URL");
        let shown = location.escape_ascii().to_string();
        match (target(&from, &text(location), true), want) {
            (Ok(url), Ok(want)) => {
                assert_eq!(url.real_url(), want, "{shown}");
                assert_eq!(url.userinfo(), None, "{shown}");
            }
            (Err(error), Err(want)) => assert_eq!(error.kind(), want, "{shown}"),
            (url, _) => panic!("{shown}: {url:?}"),
        }
    }

    #[test]
    fn locations_are_resolved() {
        check(b"/z?1", Ok("http://a.test:81/z?1"));
        check(b"z", Ok("http://a.test:81/x/z"));
        check(b"?p", Ok("http://a.test:81/x/y?p"));
        check(b"#g", Ok("http://a.test:81/x/y?q#g"));
        check(b"//", Ok("http://a.test:81/x/y?q"));
        check(b"//b.test/z", Ok("http://b.test/z"));
        check(b"http:/z", Ok("http://a.test:81/z"));
        check(b"http:z", Ok("http://a.test:81/x/z"));
        check(b"HTTPS://B.test:443#g", Ok("https://b.test/#g"));
        check(b"/a\tb?c\td", Ok("http://a.test:81/ab?cd"));
        check(b" \t/z ", Ok("http://a.test:81/z"));
        check(b"\\\\evil", Ok("http://a.test:81/x/%5C%5Cevil"));
        check(b"/a b/%7e?c d=%2F", Ok("http://a.test:81/a%20b/~?c+d=/"));
        check("/\u{fc}".as_bytes(), Ok("http://a.test:81/%C3%BC"));
        check(b"/\xfc", Ok("http://a.test:81/%FC"));
    }

    #[test]
    fn locations_that_lead_nowhere_are_refused() {
        check(b"http://", Err(UrlErrorKind::NoHost));
        check(b"http:///z", Err(UrlErrorKind::NoHost));
        check(b"http://:/", Err(UrlErrorKind::NoHost));
        check(b"http://h:x/", Err(UrlErrorKind::InvalidPort));
        check(b"http://h\\@evil/", Err(UrlErrorKind::InvalidHost));
        check(b"http:\\\\evil/", Err(UrlErrorKind::Malformed));
        check(b"http:/\\evil/", Err(UrlErrorKind::Malformed));
        check(b"https:z", Err(UrlErrorKind::Malformed));
        check(b"ftp://b.test/", Err(UrlErrorKind::NonHttp));
        check(b"ws://b.test/", Err(UrlErrorKind::NonHttp));
        check(b"mailto:ada@b.test", Err(UrlErrorKind::NonHttp));
        check(b"javascript:alert(1)", Err(UrlErrorKind::NonHttp));
    }

    #[test]
    fn unwanted_requoting_leaves_a_location_as_it_is() {
        let from = RequestUrl::parse("http://a.test/").expect("a URL");
        let url = target(&from, "/a%2Fb%20c+d?%7e", false).expect("a target");
        assert_eq!(url.target(), "/a%2Fb%20c+d?%7e");
    }

    #[test]
    fn whatever_a_server_says_the_next_request_is_one() {
        let from = RequestUrl::parse("http://a.test:81/x/y?q").expect("a URL");
        let pieces: [&[u8]; 24] = [
            b"http",
            b"https",
            b"ftp",
            b":",
            b"/",
            b"//",
            b"\\",
            b"@",
            b"?",
            b"#",
            b"%",
            b"%2",
            b"%0d",
            b"..",
            b".",
            b" ",
            b"\t",
            b"[",
            b"]",
            b"::1",
            b"a.test",
            b"\xc3\xbc",
            b"\xff",
            b"1",
        ];
        let mut random = Random::seeded(7);
        for _ in 0..50_000 {
            let count = random.below(9);
            let mut piece = |_| pieces[random.below(pieces.len() as u64) as usize];
            let location = (0..count).map(&mut piece).collect::<Vec<_>>().concat();
            for requote in [true, false] {
                let Ok(url) = target(&from, &text(&location), requote) else {
                    continue;
                };
                let shown = location.escape_ascii();
                let sent = format!("{}{}", url.target(), url.host_header());
                assert!(sent.bytes().all(|byte| byte.is_ascii_graphic()), "{shown}");
                assert!(
                    url.check_http().is_ok() && !url.host().is_empty(),
                    "{shown}"
                );
            }
        }
    }
}
