use std::io::Cursor;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use tokio::io::join;

use super::*;

fn socks(scheme: &str, login: Option<(&str, &str)>) -> Socks {
    let mut socks = Socks::of(scheme).expect("SOCKS");
    if let Some((user, password)) = login {
        let told = socks.auth(&BasicAuth::new(user, password));
        told.expect("there is room");
    }
    socks
}

const ADA: Option<(&str, &str)> = Some(("ada", "pw"));

fn address(text: &str) -> Target<'static> {
    Target::Address(text.parse().expect("an address"))
}

fn name(name: &str) -> Target<'_> {
    Target::Name(name, 443)
}

/// Asks a proxy that answers so and then closes: what it is told, how that ends, and what is
/// left of its answer.
fn ask(
    socks: &Socks,
    target: &Target<'_>,
    answer: &[u8],
) -> (Vec<u8>, Result<(), SocksError>, usize) {
    let mut stream = join(Cursor::new(answer), Vec::new());
    let asked = {
        let asking = pin!(socks.ask(&mut stream, target));
        match asking.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(asked) => asked,
            Poll::Pending => panic!("nothing is waited for"),
        }
    };
    let (answer, told) = stream.into_inner();
    let left = answer.get_ref().len() - usize::try_from(answer.position()).expect("small");
    let asked = asked.map_err(|failure| match failure {
        Failure::Socks(error) => error,
        Failure::Io(error) => panic!("{error}"),
    });
    (told, asked, left)
}

/// Checks what is told to a proxy that grants the tunnel, and that what it says behind its
/// answer stays where it is.
#[track_caller]
fn check_told(socks: &Socks, target: Target<'_>, answer: &[u8], want: &[u8]) {
    let (told, asked, left) = ask(socks, &target, &[answer, b"behind"].concat());
    assert_eq!(asked, Ok(()));
    assert_eq!((&*told, left), (want, 6));
    // Any less is no answer.
    for length in 0..answer.len() {
        let (_, asked, _) = ask(socks, &target, &answer[..length]);
        assert_eq!(asked, Err(SocksError::Closed), "{length}");
    }
}

const GRANTED: [u8; 10] = [5, 0, 0, 1, 192, 0, 2, 1, 4, 0];

#[test]
fn socks5_as_rfc_1928_has_it() {
    let plain = socks("socks5h", None);
    let granted = [&[5, 0], &GRANTED[..]].concat();
    let told = b"\x05\x01\x00\x05\x01\x00\x03\x06a.test\x01\xbb";
    check_told(&plain, name("a.test"), &granted, told);
    let told = b"\x05\x01\x00\x05\x01\x00\x01\xc0\x00\x02\x07\x1f\x90";
    check_told(&plain, address("192.0.2.7:8080"), &granted, told);
    let told = b"\x05\x01\x00\x05\x01\x00\x04\
        \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50";
    check_told(&plain, address("[2001:db8::1]:80"), &granted, told);

    // It may say by any kind of address from where it connects.
    let told = b"\x05\x01\x00\x05\x01\x00\x03\x06a.test\x01\xbb";
    let v6 = [&[5, 0, 5, 0, 0, 4][..], &[0; 18]].concat();
    let empty = [5, 0, 5, 0, 0, 3, 0, 0, 0];
    let long = [&[5, 0, 5, 0, 0, 3, 255][..], &[b'x'; 257]].concat();
    for granted in [&*v6, &empty, &long] {
        check_told(&plain, name("a.test"), granted, told);
    }
}

#[test]
fn socks5_is_told_a_login_if_it_asks_for_it() {
    let ada = socks("socks5h", ADA);
    let told = b"\x05\x02\x00\x02\x01\x03ada\x02pw\x05\x01\x00\x03\x06a.test\x01\xbb";
    let granted = [&[5, 2, 1, 0], &GRANTED[..]].concat();
    check_told(&ada, name("a.test"), &granted, told);
    // Some give the version of SOCKS here.
    let granted = [&[5, 2, 5, 0], &GRANTED[..]].concat();
    check_told(&ada, name("a.test"), &granted, told);
    let told = b"\x05\x02\x00\x02\x05\x01\x00\x03\x06a.test\x01\xbb";
    let granted = [&[5, 0], &GRANTED[..]].concat();
    check_told(&ada, name("a.test"), &granted, told);
    // Both versions: in UTF-8.
    let euro = socks("socks5", Some(("\u{e9}", "")));
    let told = b"\x05\x02\x00\x02\x01\x02\xc3\xa9\x00\x05\x01\x00\x03\x06a.test\x01\xbb";
    let granted = [&[5, 2, 1, 0], &GRANTED[..]].concat();
    check_told(&euro, name("a.test"), &granted, told);
}

#[test]
fn socks4_and_4a_as_their_memos_have_it() {
    let granted = [0, 90, 0, 0, 0, 0, 0, 0];
    let told = b"\x04\x01\x00\x50\xc0\x00\x02\x07\0";
    check_told(
        &socks("socks4", None),
        address("192.0.2.7:80"),
        &granted,
        told,
    );
    let told = b"\x04\x01\x00\x50\xc0\x00\x02\x07ada\0";
    check_told(
        &socks("socks4", ADA),
        address("192.0.2.7:80"),
        &granted,
        told,
    );
    let told = b"\x04\x01\x01\xbb\0\0\0\x01ada\0a.test\0";
    check_told(&socks("socks4a", ADA), name("a.test"), &granted, told);
}

/// Checks how an answer fails, which the proxy may close behind.
#[track_caller]
fn check_failed(
    scheme: &str,
    login: Option<(&str, &str)>,
    answer: &[u8],
    want: &SocksError,
    text: &str,
) {
    let (_, asked, _) = ask(&socks(scheme, login), &address("192.0.2.7:80"), answer);
    assert_eq!(asked.as_ref(), Err(want), "{answer:?}");
    assert_eq!(want.to_string(), text);
}

#[test]
fn refusals_say_why() {
    use SocksReply::*;
    let replies = [
        (1, GeneralFailure, "general failure"),
        (2, NotAllowed, "not allowed by its rules"),
        (3, NetworkUnreachable, "network unreachable"),
        (4, HostUnreachable, "host unreachable"),
        (5, ConnectionRefused, "connection refused"),
        (6, TtlExpired, "TTL expired"),
        (7, CommandNotSupported, "command not supported"),
        (8, AddressTypeNotSupported, "address type not supported"),
        (9, Other(9), "reply 9"),
        (0xff, Other(0xff), "reply 255"),
    ];
    let refused = |reply| SocksError::Refused {
        target: "192.0.2.7:80".into(),
        reply,
    };
    let text = |said| format!("the SOCKS proxy does not connect to 192.0.2.7:80: {said}");
    for (code, reply, said) in replies {
        check_failed(
            "socks5",
            None,
            &[5, 0, 5, code],
            &refused(reply),
            &text(said),
        );
    }
    let replies = [
        (91, Rejected, "rejected or failed"),
        (92, NoIdentd, "no identd to ask for the user"),
        (93, OtherUser, "identd names another user"),
        (0, Other(0), "reply 0"),
    ];
    for (code, reply, said) in replies {
        check_failed("socks4", None, &[0, code], &refused(reply), &text(said));
    }
    let closed = "the SOCKS proxy closed before its answer";
    check_failed("socks5", None, &[5], &SocksError::Closed, closed);
}

#[test]
fn credentials_that_are_wanted_or_refused_are_told_apart() {
    let text = "the SOCKS proxy takes nobody without credentials";
    check_failed("socks5", None, &[5, 0xff], &SocksError::LoginWanted, text);
    let text = "the SOCKS proxy wants other credentials than a login and a password";
    check_failed("socks5", ADA, &[5, 0xff], &SocksError::NoMethod, text);
    let text = "the SOCKS proxy refuses the login and the password";
    check_failed(
        "socks5",
        ADA,
        &[5, 2, 1, 1],
        &SocksError::LoginRefused,
        text,
    );
    check_failed(
        "socks5",
        ADA,
        &[5, 2, 1, 0xff],
        &SocksError::LoginRefused,
        text,
    );
}

#[test]
fn answers_that_are_no_socks() {
    let malformed = |version, answer| SocksError::Malformed { version, answer };
    let says =
        |version, bytes: &str| format!("the proxy does not speak SOCKS{version}: it says {bytes}");
    let check = |scheme: &str, login, answer: &[u8], bytes, said: &str| {
        let version = if scheme == "socks4" { 4 } else { 5 };
        check_failed(
            scheme,
            login,
            answer,
            &malformed(version, bytes),
            &says(version, said),
        );
    };
    // SOCKS4's refusal, an alert of TLS.
    check("socks5", None, &[0, 91], [0, 91], "0x00 0x5b");
    check("socks5", None, &[0x15, 3, 3, 0, 2], [0x15, 3], "0x15 0x03");
    // A login that nobody offered, GSSAPI.
    check("socks5", None, &[5, 2], [5, 2], "0x05 0x02");
    check("socks5", ADA, &[5, 1], [5, 1], "0x05 0x01");
    check("socks5", None, &[5, 0, 4, 0, 0, 1], [4, 0], "0x04 0x00");
    check("socks5", None, &[5, 0, 5, 0, 0, 2], [0, 2], "0x00 0x02");
    check("socks4", None, &[5, 0xff], [5, 0xff], "0x05 0xff");
    check(
        "socks4",
        None,
        &[4, 90, 0, 0, 0, 0, 0, 0],
        [4, 90],
        "0x04 0x5a",
    );
    for (scheme, version) in [("socks4", 4), ("socks5", 5)] {
        let text = format!("the proxy does not speak SOCKS{version}: it answers HTTP");
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        check_failed(scheme, None, answer, &SocksError::Http { version }, &text);
    }
}

#[test]
fn names_are_told_only_to_those_who_look_them_up() {
    let key = |url: &str| ConnectionKey::from(&aio_core::RequestUrl::parse(url).expect("a URL"));
    let check = |scheme, url, want: Option<Target<'_>>| {
        let by_name = socks(scheme, None).by_name(&key(url)).map(|target| {
            assert_eq!(target, want, "{scheme} {url}");
        });
        assert_eq!(by_name, Ok(()));
    };
    for scheme in ["socks4a", "socks5h"] {
        check(scheme, "https://a.test/", Some(Target::Name("a.test", 443)));
        let idn = Some(Target::Name("xn--bcher-kva.test.", 80));
        check(scheme, "http://B\u{fc}cher.test./", idn);
        check(scheme, "http://192.0.2.7/", None);
        check(scheme, "http://[::1]/", None);
    }
    check("socks4", "http://a.test/", None);
    check("socks5", "http://a.test/", None);
    let long = format!("http://{}/", ["x"; 128].join("."));
    check("socks5h", &long, Some(Target::Name(&long[7..262], 80)));
    let long = key(&format!("http://y{}/", ["x"; 128].join(".")));
    let error = socks("socks5h", None).by_name(&long).expect_err("too long");
    assert_eq!(error, SocksError::NameTooLong { length: 256 });
    let text = "a name of 256 bytes is too long for a SOCKS proxy";
    assert_eq!(error.to_string(), text);
}

#[test]
fn socks4_knows_addresses_of_ipv4_alone() {
    let all = [
        "[::1]:1",
        "192.0.2.7:1",
        "[::ffff:192.0.2.8]:1",
        "0.0.0.9:1",
        "0.0.0.0:1",
    ];
    let parsed = || all.map(|text| text.parse().expect("an address")).to_vec();
    let told = |scheme| {
        let targets = socks(scheme, None).by_address(parsed());
        targets.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(told("socks4"), ["192.0.2.7:1", "192.0.2.8:1", "0.0.0.0:1"]);
    assert_eq!(
        told("socks5"),
        [
            "[::1]:1",
            "192.0.2.7:1",
            "192.0.2.8:1",
            "0.0.0.9:1",
            "0.0.0.0:1"
        ]
    );
}

proptest! {
    /// Whatever a proxy says, it is granted or refused, and no more is read than the longest
    /// answer has.
    #[test]
    fn any_answer_comes_to_an_end(
        answer in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..600),
            prop::collection::vec(0u8..6, 0..600),
        ],
        five in any::<bool>(),
        login in any::<bool>(),
    ) {
        let socks = socks(if five { "socks5h" } else { "socks4a" }, ADA.filter(|_| login));
        let (told, asked, left) = ask(&socks, &name("a.test"), &answer);
        let read = answer.len() - left;
        prop_assert!(read <= 2 + 2 + 4 + 1 + 255 + 2);
        if asked == Err(SocksError::Closed) {
            prop_assert_eq!(left, 0);
        }
        if asked.is_ok() {
            // Without a byte of it there is no tunnel, and what is behind it does not matter.
            let (_, cut, _) = ask(&socks, &name("a.test"), &answer[..read - 1]);
            prop_assert_eq!(cut, Err(SocksError::Closed));
            let (again, granted, left) = ask(&socks, &name("a.test"), &answer[..read]);
            prop_assert_eq!((again, granted, left), (told, Ok(()), 0));
        }
    }

    /// No byte may differ but the version of the login's answer, what is reserved, and the
    /// address that the proxy connects from.
    #[test]
    fn a_byte_that_differs_is_noticed(at in 0usize..14, byte in any::<u8>()) {
        let mut answer = [&[5, 2, 1, 0], &GRANTED[..]].concat();
        prop_assume!(answer[at] != byte);
        answer[at] = byte;
        let (_, asked, _) = ask(&socks("socks5h", ADA), &name("a.test"), &answer);
        prop_assert_eq!(asked.is_ok(), matches!(at, 2 | 6 | 8..), "{:?}", answer);
    }
}
