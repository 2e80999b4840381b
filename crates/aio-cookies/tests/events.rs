//! Who listens to events may ask the jar that they are of.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, SystemTime};

use aio_cookies::{CookieJar, CookieJarOptions, CookieLimits, CookieRequest};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use url::Url;

static JAR: LazyLock<CookieJar> = LazyLock::new(|| {
    CookieJar::with_options(CookieJarOptions {
        limits: CookieLimits {
            of_a_site: 1,
            ..CookieLimits::default()
        },
        ..CookieJarOptions::default()
    })
});
static EVENTS: AtomicUsize = AtomicUsize::new(0);

/// Looks into the jar at each event.
struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("aio_cookies")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        assert!(JAR.len() <= 1);
        EVENTS.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn events_are_told_when_the_jar_is_free() {
    tracing::subscriber::set_global_default(Listener).expect("the only one");
    let (done, is_done) = channel();
    thread::spawn(move || {
        let (url, now) = (
            Url::parse("https://a.test/").expect("a URL"),
            SystemTime::now(),
        );
        let request = CookieRequest::new(&url, now);
        // A site that is full of secure cookies has no room for another one.
        JAR.update_cookies(&request, ["a=1; Secure"]);
        let other = CookieJar::new();
        other.update_cookies(&request, ["b=1"]);
        JAR.update_cookies(&request, ["b=1"]);
        JAR.merge(other.cookies(now), now);
        let both = [JAR.cookies(now), other.cookies(now)].concat();
        JAR.replace(both, now);
        done.send(EVENTS.load(Ordering::Relaxed)).expect("it waits");
    });
    let events = is_done.recv_timeout(Duration::from_secs(20));
    assert_eq!(events, Ok(3), "the jar is locked as an event is told");
}
