//! Whatever a server sends, a jar takes it without a panic and sends no more than it may.

use std::time::SystemTime;

use aio_cookies::{CookieJar, CookieJarOptions, CookieRequest, CookieStyle, Profile, SetCookie};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::sample::select;
use url::Url;

/// Octets at random, and fields made of pieces that mean something.
fn field() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"a",
        b"__Host-",
        b"=",
        b";",
        b"\"",
        b"\\",
        b"\\101",
        b" ",
        b"\t",
        b",",
        b"\xff",
        b"\x01",
        "ы".as_bytes(),
        b"; Path",
        b"/",
        b"; Domain",
        b".a.test",
        b"; Max-Age",
        b"-",
        b"9999999999",
        b"; Expires",
        b"Wed, 09 Jun 2100 10:18:14 GMT",
        b"; Secure",
        b"; SameSite",
        b"None",
    ];
    prop_oneof![
        vec(any::<u8>(), 0..80),
        vec(select(pieces), 0..24).prop_map(|pieces| pieces.concat()),
    ]
}

fn urls() -> impl Strategy<Value = &'static str> {
    select(vec![
        "http://a.test/",
        "https://www.a.test/a/b?c",
        "ws://[::1]:80/",
        "http://127.0.0.1/x",
        "http://localhost/",
        "https://a.test./",
        "file:///x",
        "data:,x",
    ])
}

fn profiles() -> impl Strategy<Value = Profile> {
    select(vec![Profile::Rfc6265bis, Profile::Aiohttp])
}

proptest! {
    #[test]
    fn any_field_is_a_cookie_or_none(field in field(), profile in profiles()) {
        if let Some(cookie) = SetCookie::parse(profile, &field) {
            assert!(cookie.name().len() + cookie.coded_value().len() <= 4096);
            let sent = [cookie.name(), cookie.coded_value()].concat();
            assert!(!sent.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t'));
        }
    }

    #[test]
    fn a_jar_takes_any_fields(
        fields in vec((urls(), field()), 0..20),
        to in urls(),
        profile in profiles(),
        (allow_ip_hosts, quote_cookie) in any::<(bool, bool)>(),
        seconds in any::<i32>(),
    ) {
        let now = SystemTime::UNIX_EPOCH
            + std::time::Duration::from_secs(u64::from(seconds.unsigned_abs()));
        let style = CookieStyle { profile, quote_cookie };
        let jar = CookieJar::with_options(CookieJarOptions {
            style,
            allow_ip_hosts,
            ..CookieJarOptions::default()
        });
        for (from, field) in &fields {
            let from = Url::parse(from).expect("a URL");
            jar.update_cookies(&CookieRequest::new(&from, now), [field]);
        }
        assert!(jar.len() <= fields.len());
        let to = Url::parse(to).expect("a URL");
        let pairs = jar.filter_cookies(&CookieRequest::new(&to, now));
        assert!(pairs.len() <= jar.len());
        let by_hand: Vec<&[u8]> = fields.iter().map(|(_, field)| field.as_slice()).collect();
        let own = style.pair("own", "1").expect("legal");
        let header = style.merge(pairs, vec![own], &by_hand).expect("there is one");
        assert!(style.parse(&header).iter().any(|pair| pair.name() == b"own"));
        jar.clear_where(now, |cookie| cookie.is_expired(now));
        assert_eq!(jar.cookies(now).len(), jar.len());
    }
}
