//! Cookies of other jars.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Makes a jar with one response at the time `seconds`.
fn told(seconds: u64, from: &str, fields: &[&str]) -> CookieJar {
    let (jar, from) = (rfc(), url(from));
    jar.update_cookies(&CookieRequest::new(&from, at(seconds)), fields);
    jar
}

// A value that is sent often is no newer for it.
#[test]
fn of_two_jars_the_value_stored_last_stays() {
    for order in [[0, 1], [1, 0]] {
        let jars = [
            told(1, "http://a.test/", &["a=old"]),
            told(2, "http://a.test/", &["a=new"]),
        ];
        assert_eq!(header(&jars[0], "http://a.test/", 9), "a=old");
        let [into, from] = order.map(|n| &jars[n]);
        into.merge(from.cookies(at(9)), at(9));
        check(into, "http://a.test/", "a=new");
        let cookies = into.cookies(at(9));
        let times = |c: &Cookie| (c.created(), c.stored());
        assert_eq!(times(&cookies[0]), (at(1), at(2)));
        into.merge(from.cookies(at(9)), at(9));
        assert_eq!(into.cookies(at(9)).len(), 1);
    }
}

// RFC 6265bis 5.8.3: by their creation, wherever that was.
#[test]
fn merged_cookies_are_sent_by_their_age() {
    let (one, two) = (
        told(1, "http://a.test/", &["b=1"]),
        told(2, "http://a.test/", &["a=2"]),
    );
    for order in [[&one, &two], [&two, &one]] {
        let jar = rfc();
        for other in order {
            jar.merge(other.cookies(at(3)), at(3));
        }
        check(&jar, "http://a.test/", "b=1; a=2");
        let cookies = jar.cookies(at(3));
        let names: Vec<_> = cookies.iter().map(Cookie::name).collect();
        assert_eq!(names, ["b", "a"]);
    }
}

// What listens to events may ask the jar.
#[test]
fn no_event_is_raised_while_the_jar_is_locked() {
    let limits = CookieLimits {
        of_a_site: 1,
        in_all: 0,
    };
    let jar = Arc::new(CookieJar::with_options(CookieJarOptions {
        limits,
        ..CookieJarOptions::default()
    }));
    let asks = Asks {
        jar: jar.clone(),
        heard: AtomicUsize::new(0).into(),
    };
    let heard = asks.heard.clone();
    let full = told(0, "http://a.test/", &["a=1"]).cookies(at(0));
    tracing::subscriber::with_default(asks, || {
        jar.merge(full.clone(), at(0));
        jar.replace(full, at(0));
        set(&jar, "http://a.test/", &["a=1"]);
        jar.add("a", "1").expect("legal");
    });
    assert_eq!(heard.load(Ordering::Relaxed), 4);
}

struct Asks {
    jar: Arc<CookieJar>,
    heard: Arc<AtomicUsize>,
}

impl tracing::Subscriber for Asks {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        assert!(self.jar.index.try_lock().is_ok(), "an event under the lock");
        self.heard.fetch_add(1, Ordering::Relaxed);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
