//! URLs made by chance.

use super::*;

#[test]
fn nothing_that_splits_a_request_gets_through() {
    let hostile = [
        "\r\n",
        "\n",
        "\r",
        "\0",
        " ",
        "\t",
        "\u{b}",
        "\x7f",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "%0d%0a",
        "%0D%0AHost:%20evil",
        "\u{560d}\u{560a}",
        "\u{ff0d}",
        "%",
        "\\",
        "@",
        "#",
        "?",
        "\u{feff}",
        "\u{fe56}",
        "\u{2100}",
        "[",
        "]",
        "\"",
        "<",
        "^",
        "`",
        "{",
        "|",
        "\u{1f4a9}",
    ];
    let base = parsed("http://h/a/b");
    for bad in hostile {
        for shape in [
            "http://h/",
            "http://h/?",
            "http://h",
            "http://",
            "http://h:1",
            "ws://u:",
            "",
            "/",
            "?",
            "//",
            "http:",
        ] {
            for text in [
                format!("{shape}{bad}"),
                format!("{shape}{bad}x"),
                format!("{bad}{shape}x"),
            ] {
                let parsed = [RequestUrl::parse(&text), RequestUrl::encoded(&text)];
                let joined = [base.join(&text), base.join_encoded(&text)];
                let given = Url::parse(&text).ok().map(RequestUrl::from_url);
                for url in parsed.into_iter().chain(joined).chain(given).flatten() {
                    assert_consistent(&url);
                    let params = [(bad, bad)].into_params().expect("no floats");
                    assert_consistent(&url.clone().with_params(&params));
                    let raw = bad.into_params().expect("no floats");
                    assert_consistent(&url.with_params(&raw));
                }
            }
        }
    }
}

/// Texts by chance, from pieces that mean something in a URL: a linear congruence picks.
#[test]
fn whatever_is_accepted_is_consistent() {
    const PIECES: [&str; 48] = [
        "http", "https", "ws", "x", "file", "ftp", ":", "://", "//", "/", ".", "..", "?", "#", "@",
        "[", "]", "::1", "1.2.3.4", "0x7f", "127.1", "1", "80", "443", "65536", "a", "B", "-",
        "--", "xn--", "_", "%", "%25", "%2e", "%41", "%0a", "\u{e9}", "\u{ff0e}", " ", "\r\n",
        "\\", "&", "=", "+", ";", "'", "\"", "~",
    ];
    let mut state: u64 = 1;
    let mut accepted = 0;
    let mut text = String::new();
    for _ in 0..200_000 {
        text.clear();
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        if state >> 62 != 0 {
            text.push_str("http://a");
        }
        for _ in 0..(state >> 58 & 7) + 1 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(state >> 33).unwrap_or_default() % PIECES.len();
            text.push_str(PIECES.get(at).copied().unwrap_or_default());
        }
        let plain = parse::plain(&text);
        let whole = parse::whole(&text, parse::Quoting::Requote);
        if let Some(plain) = &plain {
            let whole = whole.as_ref().expect("what is plain is valid");
            assert_eq!(plain, whole, "{text:?}");
            assert_eq!(plain.as_str(), text, "plain text stays as it is");
            assert_eq!(
                (plain.host, plain.port),
                (whole.host, whole.port),
                "{text:?}"
            );
            assert_eq!(
                (plain.path, plain.query),
                (whole.path, whole.query),
                "{text:?}"
            );
        }
        for url in whole.into_iter().chain(RequestUrl::encoded(&text)) {
            accepted += 1;
            assert_consistent(&url);
        }
    }
    assert!(accepted > 10_000, "only {accepted} texts were accepted");
}
