//! Codings above each other.

use super::*;

/// Decodes a body with these fields, in pieces of `size`.
fn decode(fields: &[&str], body: &[u8], size: usize, budget: usize) -> Option<Vec<u8>> {
    let fields = fields.iter().map(|field| field.as_bytes());
    let decoder = Decoder::of_fields(fields, &Coding::ALL)?;
    let pieces: Vec<_> = body.chunks(size).collect();
    Some(decode_with(decoder, &pieces, budget, usize::MAX).expect("good"))
}

#[track_caller]
fn check_untouched(fields: &[&str]) {
    let fields = fields.iter().map(|field| field.as_bytes());
    assert!(Decoder::of_fields(fields, &Coding::ALL).is_none());
}

#[test]
fn the_last_one_is_undone_first() {
    let text = json(20_000);
    let body = zlib(&gzip(&text));
    for fields in [
        &["gzip, deflate"][..],
        &["gzip", "deflate"],
        &["GZip,identity ,, deflate"],
        &["identity", "gzip", "identity", "deflate"],
    ] {
        for size in [1, 7, 1000, usize::MAX] {
            for budget in [1, 1000, PLENTY] {
                assert_eq!(
                    decode(fields, &body, size, budget).as_deref(),
                    Some(&text[..])
                );
            }
        }
    }
}

#[test]
fn four_are_undone() {
    let mut body = HELLO.to_vec();
    for _ in 0..4 {
        body = gzip(&body);
    }
    let got = decode(&["gzip, gzip", "gzip, gzip"], &body, 3, 5);
    assert_eq!(got.as_deref(), Some(HELLO));
    check_untouched(&["gzip, gzip, gzip, gzip, gzip"]);
}

#[test]
fn all_pairs_are_decoded() {
    let text = json(5000);
    for (first, inner) in samples(&text) {
        for (second, outer) in samples(&inner) {
            let fields = [first.name(), second.name()];
            for size in [1, 300] {
                assert!(decode(&fields, &outer, size, 700).as_deref() == Some(&text[..]));
            }
        }
    }
}

#[test]
fn what_is_no_coding_or_not_known_is_not_touched() {
    check_untouched(&[]);
    check_untouched(&[""]);
    check_untouched(&["identity"]);
    check_untouched(&["x-gzip"]);
    check_untouched(&["gzip, exi"]);
    check_untouched(&["exi", "gzip"]);
    check_untouched(&["gzip deflate"]);
    let known = Decoder::of_fields([&b"gzip, deflate"[..]], &[Coding::Gzip]);
    assert!(known.is_none());
}

#[test]
fn a_cut_or_error_in_any_layer_is_told_again() {
    let check = |body: &[u8], truncated: bool| {
        let mut decoder =
            Decoder::of_fields([&b"deflate, gzip"[..]], &Coding::ALL).expect("both known");
        let (mut input, mut output) = (Bytes::copy_from_slice(body), BytesMut::new());
        let decoded = decoder.decode(&mut input, &mut output, PLENTY);
        assert_eq!(decoded.is_ok(), truncated, "{decoded:?}");
        assert_eq!(output, "text");
        let error = decoder.finish().expect_err("not good");
        assert_eq!(matches!(error, PayloadError::Truncated { .. }), truncated);
        let again = decoder.decode(&mut Bytes::new(), &mut output, PLENTY);
        assert_eq!(again.is_ok(), truncated);
    };
    let inner = zlib(b"text");
    check(&gzip(&inner[..inner.len() - 1]), true);
    check(&gzip(&inner)[..20], true);
    check(&gzip(&[&inner[..], b"?"].concat()), false);
    check(&[&gzip(&inner)[..], b"?"].concat(), false);
}

/// `len` bytes of gzip members without a byte in them.
fn empty_members(len: usize) -> Vec<u8> {
    let mut member = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 0xe8, 0x03];
    member.extend([0; 1000]);
    member.extend(gzip(b"").split_off(10));
    member.repeat(len / member.len())
}

/// Decodes a body of which nothing comes, with `between` bytes between its layers.
fn check_between(fields: &str, body: Vec<u8>, between: usize) {
    let mut decoder = Decoder::of_fields([fields.as_bytes()], &Coding::ALL).expect("all known");
    let (mut input, mut output) = (Bytes::from(body), BytesMut::new());
    let mut calls = 0;
    while decoder
        .decode(&mut input, &mut output, PLENTY)
        .expect("good")
        == Progress::NeedsBudget
    {
        calls += 1;
    }
    assert!(calls >= between / (BETWEEN_MAX + 3 * BETWEEN), "{calls}");
    assert_eq!(output, "");
}

#[test]
fn much_between_the_layers_takes_several_calls() {
    let members = empty_members(64 << 20);
    check_between("gzip, gzip", gzip(&members), 64 << 20);
    // Each member of `some` is a letter in the header of another one.
    let some = [gzip(b"x"), empty_members(500_000)].concat().repeat(64);
    let head = gzip(b"\x1f\x8b\x08\x08\0\0\0\0\0\x03");
    let third = gzip(&[head, some].concat());
    check_between("gzip, gzip, gzip", third, 64 * 500_000);
}
