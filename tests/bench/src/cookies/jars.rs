//! The jars that are compared.

use std::time::SystemTime;

use aio_client::{CookieJar, CookieJarOptions, CookieLimits, CookieRequest};
use url::Url;

use crate::Fallible;

/// A jar, as one who sends requests sees it.
pub(super) trait Jar {
    /// Stores what a response from `url` sets.
    fn store(&mut self, url: &Url, fields: &[String]);

    /// Returns the `Cookie` field of a request.
    fn header(&mut self, url: &Url) -> Option<String>;
}

#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(super) new: fn() -> Box<dyn Jar>,
}

pub(super) const KINDS: &[Kind] = &[
    #[cfg(feature = "rivals")]
    Kind {
        name: "cookie_store",
        new: || Box::new(cookie_store::CookieStore::default()),
    },
    Kind {
        name: "ours",
        new: || ours(CookieJarOptions::default()),
    },
    Kind {
        name: "ours (aiohttp)",
        new: || ours(CookieJarOptions::aiohttp()),
    },
];

/// Our own, by either set of rules.
pub(super) fn of_ours() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(|kind| kind.name.starts_with("ours"))
}

impl Kind {
    pub(super) fn named(name: &str) -> Fallible<&'static Self> {
        let found = KINDS.iter().find(|kind| kind.name == name);
        Ok(found.ok_or_else(|| format!("no jar {name}"))?)
    }
}

/// Large enough for all that is stored, as others are without being told.
fn ours(options: CookieJarOptions) -> Box<dyn Jar> {
    let limits = CookieLimits {
        in_all: 1_000_000,
        ..CookieLimits::default()
    };
    Box::new(CookieJar::with_options(CookieJarOptions {
        limits,
        ..options
    }))
}

impl Jar for CookieJar {
    fn store(&mut self, url: &Url, fields: &[String]) {
        self.update_cookies(&CookieRequest::new(url, SystemTime::now()), fields);
    }

    fn header(&mut self, url: &Url) -> Option<String> {
        self.cookie_header(&CookieRequest::new(url, SystemTime::now()))
    }
}

#[cfg(feature = "rivals")]
impl Jar for cookie_store::CookieStore {
    fn store(&mut self, url: &Url, fields: &[String]) {
        for field in fields {
            self.parse(field, url).expect("a valid cookie");
        }
    }

    /// As reqwest writes it.
    fn header(&mut self, url: &Url) -> Option<String> {
        let pairs = self.get_request_values(url);
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}
