//! What codings are called.

use super::*;

#[track_caller]
fn check(value: &str, want: Option<Coding>) {
    assert_eq!(Coding::from_header(value.as_bytes()), want, "{value:?}");
}

#[test]
fn a_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 64, "{}", size_of::<Decoder>());
}

#[test]
fn known_codings_have_their_names() {
    check("gzip", Some(Coding::Gzip));
    check("GZIP", Some(Coding::Gzip));
    check("Deflate", Some(Coding::Deflate));
    check("br", Some(Coding::Brotli));
    check("zstd", Some(Coding::Zstd));
    for other in [
        "", "identity", "x-gzip", "gzip, br", "gzip ", "gzipp", "gzıp", "brotli",
    ] {
        check(other, None);
    }
}
