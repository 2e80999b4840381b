//! Which content codings are offered to servers and decoded.

use aio_core::coding::Coding;

use crate::error::UsageError;

/// The codings in the order in which they are offered.
#[derive(Debug)]
pub(crate) struct Codings {
    known: Vec<Coding>,
    accept: Box<str>,
}

impl Codings {
    pub(crate) fn new(codings: impl IntoIterator<Item = Coding>) -> Result<Self, UsageError> {
        let known: Vec<_> = codings.into_iter().collect();
        match known.iter().find(|coding| !coding.has_decoder()) {
            Some(&absent) => Err(UsageError::NoDecoder(absent)),
            None => Ok(Self::of(known)),
        }
    }

    fn of(known: Vec<Coding>) -> Self {
        let names: Vec<_> = known.iter().map(|coding| coding.name()).collect();
        // Without the field a server may choose any coding (RFC 9110 12.5.3).
        let accept = match names.as_slice() {
            [] => "identity".into(),
            names => names.join(", ").into(),
        };
        Self { known, accept }
    }

    /// Returns those that are decoded.
    pub(crate) fn known(&self) -> &[Coding] {
        &self.known
    }

    /// Returns the value of `Accept-Encoding`.
    pub(crate) fn accept(&self) -> &str {
        &self.accept
    }
}

impl Default for Codings {
    fn default() -> Self {
        let built_in = Coding::ALL
            .into_iter()
            .filter(|coding| coding.has_decoder());
        Self::of(built_in.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(codings: impl IntoIterator<Item = Coding>, want: &str) {
        let codings = Codings::new(codings).expect("always built in");
        assert_eq!(codings.accept(), want);
    }

    #[test]
    fn they_are_offered_as_given() {
        check([Coding::Deflate, Coding::Gzip], "deflate, gzip");
        check([], "identity");
    }

    #[test]
    fn what_is_not_built_in_is_refused() {
        for coding in Coding::ALL {
            assert_eq!(Codings::new([coding]).is_ok(), coding.has_decoder());
        }
    }
}
