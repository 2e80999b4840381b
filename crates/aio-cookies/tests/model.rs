//! A jar beside a list of cookies that does what RFC 6265bis 5.7 and 5.8.3 say, word by word:
//! whatever is set, sent, removed and merged, both answer the same, in the same order.
#![cfg(feature = "public-suffix")]

use std::time::{Duration, SystemTime};

use aio_cookies::{Cookie, CookieJar, CookieRequest};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;
use url::Url;

/// A cookie in the list, in the order in which it was first stored.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    name: String,
    value: String,
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    expires: Option<u64>,
    created: u64,
    stored: u64,
    last_access: u64,
}

/// What a server sends.
#[derive(Debug, Clone)]
struct Sent {
    name: &'static str,
    value: u8,
    domain: Option<&'static str>,
    path: Option<&'static str>,
    age: Option<i64>,
    secure: bool,
}

/// Where a request goes: scheme, host and path.
type Place = (&'static str, &'static str, &'static str);

#[derive(Debug, Clone)]
enum Step {
    Set(Place, Sent),
    Send(Place),
    Wait(u64),
    RemoveName(&'static str),
    RemoveDomain(&'static str),
    /// Sets a cookie in another jar.
    SetThere(Place, Sent),
    /// Merges the cookies of the other jar.
    Merge,
}

const NAMES: [&str; 5] = ["a", "b", "__Secure-a", "__Host-a", "__host-b"];
const HOSTS: [&str; 7] = [
    "a.test",
    "w.a.test",
    "x.w.a.test",
    "aa.test",
    "b.co.uk",
    "co.uk",
    "localhost",
];
const PATHS: [&str; 6] = ["/", "/p", "/p/", "/p/q", "/pp", "/p/q/r"];
const SUFFIXES: [&str; 4] = ["test", "uk", "co.uk", "localhost"];
const YEAR: u64 = 365 * 86_400;

#[derive(Default)]
struct List(Vec<Kept>);

impl List {
    fn set(&mut self, (scheme, host, from): Place, sent: &Sent, now: u64) {
        self.remove(now, |_| false);
        let (mut domain, mut host_only) = (host, true);
        if let Some(attribute) = sent.domain.filter(|text| !text.is_empty()) {
            let attribute = attribute.trim_start_matches('.');
            if SUFFIXES.contains(&attribute) {
                if attribute != host {
                    return;
                }
            } else {
                if !domain_match(host, attribute) {
                    return;
                }
                (domain, host_only) = (attribute, false);
            }
        }
        let path = match sent.path.filter(|path| path.starts_with('/')) {
            Some(path) => path,
            None => match from.rfind('/') {
                Some(0) | None => "/",
                Some(at) => &from[..at],
            },
        };
        let is_safe = scheme == "https";
        if sent.secure && !is_safe {
            return;
        }
        let is_hidden_by = |old: &Kept| {
            // Step 16 does not ask for the site; cookies of others go to other hosts.
            old.secure
                && old.name == sent.name
                && site(&old.domain) == site(domain)
                && (domain_match(domain, &old.domain) || domain_match(&old.domain, domain))
                && path_match(path, &old.path)
        };
        if !is_safe && !sent.secure && self.0.iter().any(is_hidden_by) {
            return;
        }
        let name = sent.name.to_lowercase();
        let is_host = sent.secure && host_only && sent.path == Some("/");
        if name.starts_with("__secure-") && !sent.secure || name.starts_with("__host-") && !is_host
        {
            return;
        }
        let expires = sent.age.map(|age| match u64::try_from(age) {
            Ok(age) => now + age.min(400 * 86_400),
            Err(_) => 0,
        });
        self.put(
            Kept {
                name: sent.name.into(),
                value: sent.value.to_string(),
                domain: domain.into(),
                host_only,
                path: path.into(),
                secure: sent.secure,
                expires,
                created: now,
                stored: now,
                last_access: now,
            },
            now,
        );
    }

    fn put(&mut self, new: Kept, now: u64) {
        let is_same = |old: &Kept| key(old) == key(&new);
        match self.0.iter().position(is_same) {
            Some(at) => {
                let created = self.0[at].created;
                self.0[at] = Kept { created, ..new };
            }
            None => self.0.push(new),
        }
        self.remove(now, |_| false);
    }

    fn send(&mut self, (scheme, host, path): Place, now: u64) -> String {
        self.remove(now, |_| false);
        let is_for = |cookie: &Kept| {
            let is_host = cookie.domain == host;
            (is_host || !cookie.host_only && domain_match(host, &cookie.domain))
                && path_match(path, &cookie.path)
                && (scheme == "https" || !cookie.secure)
        };
        let mut found: Vec<&mut Kept> = self.0.iter_mut().filter(|cookie| is_for(cookie)).collect();
        // Stable: those of one time stay as they came.
        found.sort_by_key(|cookie| cookie.created);
        found.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let mut pairs = Vec::new();
        for cookie in found {
            cookie.last_access = now;
            pairs.push(format!("{}={}", cookie.name, cookie.value));
        }
        pairs.join("; ")
    }

    fn remove(&mut self, now: u64, is_gone: impl Fn(&Kept) -> bool) {
        self.0
            .retain(|cookie| cookie.expires.is_none_or(|end| end > now) && !is_gone(cookie));
    }

    fn merge(&mut self, other: &Self, now: u64) {
        self.remove(now, |_| false);
        for theirs in other.by_age() {
            let Some(own) = self.0.iter_mut().find(|own| key(own) == key(&theirs)) else {
                self.0.push(theirs);
                continue;
            };
            let created = own.created.min(theirs.created);
            let last_access = own.last_access.max(theirs.last_access);
            if own.stored <= theirs.stored {
                *own = theirs;
            }
            (own.created, own.last_access) = (created, last_access);
        }
    }

    fn by_age(&self) -> Vec<Kept> {
        let mut all = self.0.clone();
        all.sort_by_key(|cookie| cookie.created);
        all
    }
}

fn key(cookie: &Kept) -> (&str, &str, bool, &str) {
    (&cookie.name, &cookie.domain, cookie.host_only, &cookie.path)
}

/// The domain below the longest public suffix, or a suffix itself.
fn site(domain: &str) -> &str {
    let mut site = domain;
    while let Some((_, rest)) = site.split_once('.')
        && !SUFFIXES.contains(&site)
        && !SUFFIXES.contains(&rest)
    {
        site = rest;
    }
    site
}

fn domain_match(host: &str, domain: &str) -> bool {
    host == domain || host.ends_with(&format!(".{domain}"))
}

fn path_match(request: &str, cookie: &str) -> bool {
    request == cookie
        || request.starts_with(cookie)
            && (cookie.ends_with('/') || request[cookie.len()..].starts_with('/'))
}

fn field(sent: &Sent) -> String {
    let mut field = format!("{}={}", sent.name, sent.value);
    let attributes = [("Domain", sent.domain), ("Path", sent.path)];
    for (name, value) in attributes {
        if let Some(value) = value {
            field += &format!("; {name}={value}");
        }
    }
    if let Some(age) = sent.age {
        field += &format!("; Max-Age={age}");
    }
    if sent.secure {
        field += "; Secure";
    }
    field
}

fn shown(cookie: &Cookie) -> Kept {
    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = |time| seconds(time).expect("after 1970").as_secs();
    Kept {
        name: cookie.name().into(),
        value: cookie.value().into(),
        domain: cookie.domain().expect("none is shared").to_string(),
        host_only: cookie.is_host_only(),
        path: cookie.path().into(),
        secure: cookie.is_secure(),
        expires: cookie.expires().map(seconds),
        created: seconds(cookie.created()),
        stored: seconds(cookie.stored()),
        last_access: seconds(cookie.last_access()),
    }
}

fn places() -> impl Strategy<Value = Place> {
    (
        select(vec!["http", "https"]),
        select(&HOSTS[..]),
        select(&PATHS[..]),
    )
}

fn cookies() -> impl Strategy<Value = Sent> {
    let domains = vec![
        None,
        None,
        Some(""),
        Some("a.test"),
        Some(".a.test"),
        Some("w.a.test"),
        Some("test"),
        Some("co.uk"),
        Some("b.co.uk"),
        Some("localhost"),
    ];
    let paths = vec![
        None,
        Some("/"),
        Some("/"),
        Some("/p"),
        Some("/p/"),
        Some("/p/q"),
        Some("p"),
    ];
    let ages = vec![
        None,
        None,
        None,
        Some(0),
        Some(-1),
        Some(2),
        Some(5),
        Some(2 * YEAR as i64),
    ];
    (
        select(&NAMES[..]),
        any::<u8>(),
        select(domains),
        select(paths),
        select(ages),
        any::<bool>(),
    )
        .prop_map(|(name, value, domain, path, age, secure)| Sent {
            name,
            value,
            domain,
            path,
            age,
            secure,
        })
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (places(), cookies()).prop_map(|(from, sent)| Step::Set(from, sent)),
        6 => places().prop_map(Step::Send),
        2 => select(vec![1, 1, 2, YEAR]).prop_map(Step::Wait),
        1 => select(&NAMES[..]).prop_map(Step::RemoveName),
        1 => select(&HOSTS[..]).prop_map(Step::RemoveDomain),
        4 => (places(), cookies()).prop_map(|(from, sent)| Step::SetThere(from, sent)),
        2 => select(vec![Step::Merge]),
    ]
}

fn url((scheme, host, path): Place) -> Url {
    Url::parse(&format!("{scheme}://{host}{path}")).expect("a URL")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn a_jar_does_what_a_list_does(steps in vec(steps(), 0..40)) {
        let (jar, there) = (CookieJar::new(), CookieJar::new());
        let (mut list, mut list_there) = (List::default(), List::default());
        let mut now = 1_800_000_000;
        for step in steps {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
            match &step {
                Step::Set(from, sent) => {
                    jar.update_cookies(&CookieRequest::new(&url(*from), time), [field(sent)]);
                    list.set(*from, sent, now);
                }
                Step::SetThere(from, sent) => {
                    there.update_cookies(&CookieRequest::new(&url(*from), time), [field(sent)]);
                    list_there.set(*from, sent, now);
                }
                Step::Send(to) => {
                    let header = jar.cookie_header(&CookieRequest::new(&url(*to), time));
                    assert_eq!(header.unwrap_or_default(), list.send(*to, now), "{to:?}");
                }
                Step::Wait(seconds) => now += seconds,
                Step::RemoveName(name) => {
                    jar.clear_where(time, |cookie| cookie.name() == *name);
                    list.remove(now, |cookie| cookie.name == *name);
                }
                Step::RemoveDomain(domain) => {
                    jar.clear_domain(time, domain);
                    list.remove(now, |cookie| domain_match(&cookie.domain, domain));
                }
                Step::Merge => {
                    jar.merge(there.cookies(time), time);
                    list_there.remove(now, |_| false);
                    list.merge(&list_there, now);
                }
            }
        }
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        list.remove(now, |_| false);
        let cookies: Vec<_> = jar.cookies(time).iter().map(shown).collect();
        assert_eq!(cookies, list.by_age());
    }
}
