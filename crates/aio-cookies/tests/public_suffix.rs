//! The public suffix list project's own tests, all 78 lines of them.
#![cfg(feature = "public-suffix")]

use aio_cookies::Domain;

#[test]
fn registrable_domains_are_those_of_the_public_suffix_list() {
    let lines = include_str!("data/public_suffix_tests.txt").lines();
    let cases: Vec<_> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .map(|line| line.split_once(' ').expect("a host and a domain"))
        .collect();
    assert_eq!(cases.len(), 78);

    for (host, want) in cases {
        // The file has `null` where no host is given, and where there is no domain.
        let host = host.strip_prefix("null").unwrap_or(host);
        let domain = Domain::from_host(host);
        let got = domain.as_ref().and_then(Domain::registrable);
        let want = Some(want).filter(|want| *want != "null");
        let want = want.map(|want| Domain::from_host(want).expect("a host"));
        assert_eq!(got, want.as_ref().map(Domain::as_str), "{host:?}");
    }
}
