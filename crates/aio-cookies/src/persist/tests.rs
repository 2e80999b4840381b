//! What is saved is loaded, whatever it is; what is loaded is never trusted.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;
use url::Url;

use super::*;
use crate::header::{CookieStyle, Profile};
use crate::{CookieJar, CookieJarOptions, CookieRequest};

const FORMATS: [CookieFormat; 3] = [
    CookieFormat::Aiohttp,
    CookieFormat::Netscape,
    CookieFormat::Browser,
];

/// Not a whole number of anything.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789)
}

fn profiles() -> impl Strategy<Value = Profile> {
    select(vec![Profile::Rfc6265bis, Profile::Aiohttp])
}

/// `Set-Cookie` fields with all that a jar may keep.
fn field() -> impl Strategy<Value = Vec<u8>> {
    let names: Vec<&'static [u8]> = vec![b"a", b"a", b"", b"path", b"a b", b"\xff", "ы".as_bytes()];
    let attributes: Vec<&'static [u8]> = vec![
        b"; Path=/a",
        b"; Path=/a/",
        b"; Path=/a//",
        b"; Path=/\ta/|b",
        "; Path=/é".as_bytes(),
        b"; Domain=a.test",
        b"; Domain=a.test.",
        b"; Max-Age=1",
        b"; Max-Age=99999999999999",
        b"; Max-Age=31536000",
        b"; Expires=Wed, 09 Jun 2100 10:18:14 GMT",
        b"; Secure",
        b"; HttpOnly",
        b"; Partitioned",
        b"; SameSite=Lax",
        b"; SameSite=STRICT",
        b"; SameSite=none; Secure",
        b"; SameSite=odd\tone",
    ];
    let value = prop_oneof![
        vec(any::<u8>(), 0..12),
        vec(select(b"\"\\012\"; \t,=|x".to_vec()), 0..12),
        Just(b"\"a\\054 \xd1\x8b\"".to_vec()),
    ];
    let attributes = vec(select(attributes), 0..5);
    (select(names), value, attributes).prop_map(|(name, value, attributes)| {
        let mut field = [name, b"=", &value].concat();
        field.extend(attributes.concat());
        field
    })
}

/// Any jar: the cookies of some hosts, and shared ones.
fn jar() -> impl Strategy<Value = CookieJar> {
    let urls = select(vec![
        "https://a.test/",
        "https://www.a.test/a/b?c",
        "https://www.a.test./",
        "http://[::1]:80/",
        "http://127.0.0.1/x/y",
        "http://localhost/",
        "http://xn--e1afmkfd.test/",
    ]);
    let shared = vec((select(vec!["a", "path"]), "[ -~]{0,6}|\"x\"|ы"), 0..3);
    let style = (profiles(), any::<bool>());
    (vec((urls, field()), 0..30), shared, style).prop_map(|(fields, shared, style)| {
        let (profile, quote_cookie) = style;
        let jar = empty(CookieStyle {
            profile,
            quote_cookie,
        });
        for (url, field) in fields {
            let url = Url::parse(url).expect("a URL");
            jar.update_cookies(&CookieRequest::new(&url, now()), [field]);
        }
        for (name, value) in shared {
            // Some cannot be sent, which is not what is tested here.
            drop(jar.add(name, &value));
        }
        jar
    })
}

fn empty(style: CookieStyle) -> CookieJar {
    CookieJar::with_options(CookieJarOptions {
        style,
        allow_ip_hosts: true,
        ..CookieJarOptions::default()
    })
}

/// What `format` holds of the cookies of a jar, each as it comes back, by name and place.
fn held(jar: &CookieJar, format: CookieFormat) -> Vec<Cookie> {
    let is_text = |octets: &[u8]| !octets.contains(&b'\t');
    let cookies = jar
        .cookies(now())
        .into_iter()
        .filter(|cookie| match format {
            CookieFormat::Aiohttp => true,
            CookieFormat::Browser => cookie.domain.is_some(),
            CookieFormat::Netscape => {
                let octets = [&cookie.name, &cookie.coded, cookie.path.as_bytes()];
                cookie.domain.is_some() && octets.iter().all(|octets| is_text(octets))
            }
        });
    let cookies = cookies.map(|mut cookie| {
        cookie.created = SystemTime::UNIX_EPOCH;
        cookie.stored = SystemTime::UNIX_EPOCH;
        cookie.last_access = SystemTime::UNIX_EPOCH;
        if format != CookieFormat::Aiohttp {
            cookie.partitioned = false;
            // It is the only one that has a value and what is sent for it.
            cookie.value = match jar.options().style.profile {
                Profile::Rfc6265bis => cookie.coded.clone(),
                Profile::Aiohttp => coding::plain(&cookie.coded),
            };
            cookie.host_only |= cookie.domain.as_ref().is_some_and(Domain::is_ip);
        }
        cookie.expires = cookie.expires.map(|end| end_held(end, format));
        cookie.same_site = match format {
            CookieFormat::Aiohttp => cookie.same_site,
            CookieFormat::Browser => cookie.same_site().map(|known| format!("{known:?}").into()),
            CookieFormat::Netscape => None,
        };
        cookie
    });
    in_order(cookies.collect(), format)
}

/// Whole seconds, or the time that Python's numbers come nearest with.
fn end_held(end: SystemTime, format: CookieFormat) -> SystemTime {
    let since = end
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    if format == CookieFormat::Netscape {
        return SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs());
    }
    let held = Duration::from_secs_f64(since.as_secs_f64());
    assert!(held.abs_diff(since) < Duration::from_micros(1));
    // A whole second is exact.
    assert!(since.subsec_nanos() != 0 || held == since);
    SystemTime::UNIX_EPOCH + held
}

/// aiohttp's JSON has them by domain and path, the others by age.
fn in_order(mut cookies: Vec<Cookie>, format: CookieFormat) -> Vec<Cookie> {
    if format != CookieFormat::Aiohttp {
        return cookies;
    }
    let key = |cookie: &Cookie| {
        let place = (cookie.domain_key().to_owned(), cookie.path.clone());
        (place, cookie.name.clone(), cookie.host_only)
    };
    cookies.sort_by_key(key);
    cookies
}

proptest! {
    // EDGE-230; what a format cannot hold is documented with it, and listed in `held`.
    #[test]
    fn a_jar_comes_back_from_each_format(jar in jar(), format in select(FORMATS.to_vec())) {
        let text = format.write(&jar.cookies(now()));
        let again = empty(jar.options().style);
        again.replace(read_cookies(&text, now()).expect("it was written so"), now());
        let got = in_order(again.cookies(now()), format);
        let want = held(&jar, format);
        let values = |cookies: &[Cookie]| -> Vec<_> {
            let texts = cookies.iter().map(|cookie| (cookie.value.clone(), cookie.coded.clone()));
            texts.collect()
        };
        assert_eq!(values(&got), values(&want), "{got:?}");
        assert_eq!(got, want);
        // What came from a file goes back into it, to the byte.
        assert_eq!(format.write(&again.cookies(now())), text);
    }

    #[test]
    fn any_bytes_are_cookies_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        drop(read_cookies(&bytes, now()));
    }

    #[test]
    fn a_damaged_file_is_cookies_or_an_error(
        jar in jar(),
        format in select(FORMATS.to_vec()),
        damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        end in any::<proptest::sample::Index>(),
    ) {
        let mut text = format.write(&jar.cookies(now()));
        for (at, byte) in damage {
            let at = at.index(text.len());
            text[at] = byte;
        }
        for text in [&text[..], &text[..end.index(text.len())]] {
            for cookie in read_cookies(text, now()).unwrap_or_default() {
                assert!(can_be_sent(&cookie) && cookie.path.starts_with('/'));
            }
        }
    }
}
