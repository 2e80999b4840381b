//! The cache by made-up times, and beside a plainer one.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const OPTIONS: CacheOptions = CacheOptions {
    ttl: Some(Duration::from_secs(10)),
    honours_ttl: false,
    serve_stale: None,
    max_size: 1000,
};

fn name(host: &str) -> Name {
    Name::new(host, 80)
}

fn address(last: u8) -> SocketAddr {
    ([192, 0, 2, last], 80).into()
}

/// What a resolver says: addresses by their last bytes.
fn found(lasts: &[u8], ttl: Option<u64>) -> Resolved {
    Resolved {
        addresses: lasts.iter().copied().map(address).collect(),
        ttl: ttl.map(Duration::from_secs),
    }
}

/// What a look-up finds in the cache: addresses by their last bytes.
fn lasts(found: Found) -> (&'static str, Vec<u8>) {
    let lasts = |addresses: Vec<SocketAddr>| {
        let last = |address: &SocketAddr| match address.ip() {
            std::net::IpAddr::V4(ip) => ip.octets()[3],
            std::net::IpAddr::V6(_) => unreachable!("all are IPv4"),
        };
        addresses.iter().map(last).collect()
    };
    match found {
        Found::Fresh(addresses) => ("fresh", lasts(addresses)),
        Found::Stale(addresses) => ("stale", lasts(addresses)),
        Found::Nothing => ("nothing", Vec::new()),
    }
}

/// Keeps an answer with this TTL, and looks for it so many seconds later.
#[track_caller]
fn check_ttl(options: CacheOptions, record: Option<u64>, table: &[(f64, &str)]) {
    for (seconds, want) in table {
        let (mut cache, start) = (Cache::default(), Instant::now());
        cache.store(name("a"), &found(&[1], record), 0, &options, start);
        let later = start + Duration::from_secs_f64(*seconds);
        let (got, _) = lasts(cache.look(&name("a"), later));
        assert_eq!(got, *want, "after {seconds} s");
    }
}

// EDGE-183 and CON-46.
#[test]
fn an_answer_holds_to_the_end_of_its_time() {
    let (fresh, nothing) = ("fresh", "nothing");
    let of = |ttl| CacheOptions { ttl, ..OPTIONS };
    let ten = [(0.0, fresh), (10.0, fresh), (10.001, nothing)];
    check_ttl(OPTIONS, None, &ten);
    check_ttl(of(None), None, &[(0.0, fresh), (1e9, fresh)]);
    check_ttl(
        of(Some(Duration::ZERO)),
        None,
        &[(0.0, fresh), (1e-9, nothing)],
    );
    check_ttl(of(Some(Duration::MAX)), None, &[(1e9, fresh)]);
    // The TTL of the record counts only if it is to.
    check_ttl(OPTIONS, Some(3), &ten);
}

#[test]
fn the_ttl_of_the_record_may_count_instead() {
    let (fresh, nothing) = ("fresh", "nothing");
    let honoured = CacheOptions {
        honours_ttl: true,
        ..OPTIONS
    };
    check_ttl(honoured, Some(3), &[(3.0, fresh), (3.001, nothing)]);
    check_ttl(honoured, Some(60), &[(60.0, fresh), (60.001, nothing)]);
    check_ttl(honoured, None, &[(10.0, fresh), (10.001, nothing)]);
    let for_ever = CacheOptions {
        ttl: None,
        ..honoured
    };
    check_ttl(for_ever, Some(3), &[(3.0, fresh), (3.001, nothing)]);
    check_ttl(for_ever, None, &[(1e9, fresh)]);
}

#[test]
fn stale_addresses_are_served_for_a_while() {
    let stale = CacheOptions {
        serve_stale: Some(5 * SECOND),
        ..OPTIONS
    };
    let table = [
        (10.0, "fresh"),
        (10.001, "stale"),
        (15.0, "stale"),
        (15.001, "nothing"),
    ];
    check_ttl(stale, None, &table);
    let for_ever = CacheOptions { ttl: None, ..stale };
    check_ttl(for_ever, None, &[(1e9, "fresh")]);
}

// EDGE-184 and CON-47.
#[test]
fn each_hit_begins_with_another_address() {
    let (mut cache, now) = (Cache::default(), Instant::now());
    cache.store(name("a"), &found(&[1, 2, 3], None), 0, &OPTIONS, now);
    for want in [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 2, 3]] {
        assert_eq!(lasts(cache.look(&name("a"), now)), ("fresh", want.into()));
    }
    // Two were given out already when they were stored.
    cache.store(name("a"), &found(&[4, 5, 6], None), 2, &OPTIONS, now);
    for want in [[6, 4, 5], [4, 5, 6]] {
        assert_eq!(lasts(cache.look(&name("a"), now)), ("fresh", want.into()));
    }
}

// EDGE-185 and CON-48.
#[test]
fn what_was_unused_for_the_longest_time_gives_way() {
    let (mut cache, now) = (Cache::default(), Instant::now());
    let store = |cache: &mut Cache, host: &str| {
        cache.store(name(host), &found(&[1], None), 0, &OPTIONS, now);
    };
    for number in 0..1000 {
        store(&mut cache, &number.to_string());
    }
    // A hit and a new answer are uses.
    cache.look(&name("0"), now);
    store(&mut cache, "1");
    store(&mut cache, "one more");
    let is_known = |cache: &mut Cache, host| cache.look(&name(host), now) != Found::Nothing;
    assert!(!is_known(&mut cache, "2"));
    for host in ["0", "1", "3", "999", "one more"] {
        assert!(is_known(&mut cache, host), "{host}");
    }
    assert_eq!(cache.hosts(now).len(), 1000);
}

#[test]
fn a_name_may_have_addresses_of_its_own_for_a_port() {
    let (mut cache, now) = (Cache::default(), Instant::now());
    cache.store(Name::new("a", 80), &found(&[1], None), 0, &OPTIONS, now);
    assert_eq!(cache.look(&Name::new("a", 81), now), Found::Nothing);
    cache.store(Name::new("a", 81), &found(&[2], None), 0, &OPTIONS, now);
    cache.forget(&Name::new("a", 80));
    assert_eq!(cache.look(&Name::new("a", 80), now), Found::Nothing);
    assert_eq!(lasts(cache.look(&Name::new("a", 81), now)).1, [2]);
    cache.clear();
    assert_eq!(cache.look(&Name::new("a", 81), now), Found::Nothing);
}

#[test]
fn the_names_are_listed_with_what_is_given_next() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    let stale = CacheOptions {
        serve_stale: Some(5 * SECOND),
        ..OPTIONS
    };
    let for_ever = CacheOptions {
        ttl: None,
        ..OPTIONS
    };
    cache.store(name("a"), &found(&[1, 2], None), 0, &stale, start);
    cache.store(name("b"), &found(&[3], None), 0, &OPTIONS, start);
    cache.store(name("c"), &found(&[4], None), 0, &for_ever, start);
    cache.look(&name("a"), start);
    let listed = |after: Duration| {
        let hosts = cache.hosts(start + after).into_iter();
        let shown = hosts.map(|host| {
            let first = host.addresses[0].to_string();
            (host.host.to_string(), first, host.holds_for)
        });
        shown.collect::<Vec<_>>()
    };
    let host =
        |host: &str, last: u8, holds_for| (host.to_owned(), address(last).to_string(), holds_for);
    let (b, c, a) = (
        host("b", 3, Some(SECOND)),
        host("c", 4, None),
        host("a", 2, Some(SECOND)),
    );
    assert_eq!(listed(9 * SECOND), [b, c.clone(), a]);
    let a = host("a", 2, Some(Duration::ZERO));
    assert_eq!(listed(12 * SECOND), [c.clone(), a]);
    assert_eq!(listed(16 * SECOND), [c]);
}

/// The same as plainly as can be: a list in the order of use.
#[derive(Debug, Default)]
struct Plain(Vec<(usize, Vec<u8>, Instant, Option<u64>)>);

#[derive(Debug, Clone)]
enum Event {
    Look(usize),
    Store(usize, Vec<u8>, Option<u64>),
    Forget(usize),
    Clear,
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let name = || 0..5_usize;
    let addresses = prop::collection::vec(any::<u8>(), 1..4);
    prop_oneof![
        8 => name().prop_map(Event::Look),
        6 => (name(), addresses, prop::option::of(0..9_u64))
            .prop_map(|(name, addresses, ttl)| Event::Store(name, addresses, ttl)),
        1 => name().prop_map(Event::Forget),
        1 => Just(Event::Clear),
        4 => (0..6_u64).prop_map(Event::Wait),
    ]
}

impl Plain {
    fn take(&mut self, wanted: usize) -> Option<(usize, Vec<u8>, Instant, Option<u64>)> {
        let place = self.0.iter().position(|entry| entry.0 == wanted)?;
        Some(self.0.remove(place))
    }

    fn look(
        &mut self,
        wanted: usize,
        now: Instant,
        options: &CacheOptions,
    ) -> (&'static str, Vec<u8>) {
        let Some(mut entry) = self.take(wanted) else {
            return ("nothing", Vec::new());
        };
        let ttl = entry
            .3
            .filter(|_| options.honours_ttl)
            .map(Duration::from_secs);
        let age = now - entry.2;
        let past = ttl.or(options.ttl).and_then(|ttl| age.checked_sub(ttl));
        let past = past.unwrap_or_default();
        if past > options.serve_stale.unwrap_or_default() {
            return ("nothing", Vec::new());
        }
        let given = entry.1.clone();
        entry.1.rotate_left(1);
        self.0.push(entry);
        (if past.is_zero() { "fresh" } else { "stale" }, given)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_plain_cache_does(
        ttl in prop::option::of(0..9_u64),
        honours_ttl in any::<bool>(),
        serve_stale in prop::option::of(0..5_u64),
        max_size in 0..5_usize,
        events in prop::collection::vec(event(), 0..80),
    ) {
        let options = CacheOptions {
            ttl: ttl.map(Duration::from_secs),
            honours_ttl,
            serve_stale: serve_stale.map(Duration::from_secs),
            max_size,
        };
        let (mut cache, mut plain, mut now) = (Cache::default(), Plain::default(), Instant::now());
        let named = |number: usize| name(&number.to_string());
        for event in events {
            match event {
                Event::Look(wanted) => {
                    let got = lasts(cache.look(&named(wanted), now));
                    prop_assert_eq!(got, plain.look(wanted, now, &options));
                }
                Event::Store(of, addresses, ttl) => {
                    cache.store(named(of), &found(&addresses, ttl), 0, &options, now);
                    plain.take(of);
                    plain.0.push((of, addresses, now, ttl));
                    if plain.0.len() > max_size {
                        plain.0.remove(0);
                    }
                }
                Event::Forget(which) => {
                    cache.forget(&named(which));
                    plain.take(which);
                }
                Event::Clear => {
                    cache.clear();
                    plain.0.clear();
                }
                Event::Wait(seconds) => now += Duration::from_secs(seconds),
            }
            prop_assert_eq!(cache.entries.len(), plain.0.len());
            prop_assert_eq!(cache.by_use.len(), plain.0.len());
        }
    }
}
