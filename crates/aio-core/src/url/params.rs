//! Parameters for a query.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use url::form_urlencoded;

use crate::multidict::MultiDict;
use crate::text::float_text;
use crate::url::quote::{Part, quote};

/// Parameters to append to a query: pairs, or a query as text.
///
/// ```
/// use aio_core::{IntoParams, RequestUrl};
///
/// let url = RequestUrl::parse("http://example.org/")?;
/// let pairs = [("page", 2), ("page", 3)].into_params()?;
/// assert_eq!(url.clone().with_params(&pairs).target(), "/?page=2&page=3");
/// // Text keeps its delimiters; a `%` in it is data.
/// let text = "a=b c&d=%20".into_params()?;
/// assert_eq!(url.with_params(&text).target(), "/?a=b+c&d=%2520");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Params(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Pairs(Vec<(String, String)>),
    Raw(String),
}

/// A parameter that has no text form: NaN or an infinite number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("value of parameter {key:?} is not a finite number")]
pub struct ParamError {
    key: Box<str>,
}

impl ParamError {
    /// Returns the key of the parameter.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ParamValue {
    /// Text, or an integer as text.
    Text(String),
    /// A number, sent as Python writes it.
    Float(f64),
    /// Several values, each with the key before it.
    Many(Vec<Self>),
}

/// What can be given as parameters: pairs in a slice, array, `Vec` or map, or text.
pub trait IntoParams: sealed::Sealed {
    /// Turns it into [`Params`].
    ///
    /// # Errors
    /// If a value is NaN or infinite.
    fn into_params(self) -> Result<Params, ParamError>;
}

impl Params {
    /// Makes parameters from pairs; their order and repeated keys are kept.
    ///
    /// # Errors
    /// If a value is NaN or infinite.
    pub fn from_pairs<K: AsRef<str>, V: Into<ParamValue>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ParamError> {
        let mut texts = Vec::new();
        for (key, value) in pairs {
            push(&mut texts, key.as_ref(), value.into())?;
        }
        Ok(Self(Kind::Pairs(texts)))
    }

    /// Says whether there is nothing to append.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Kind::Pairs(pairs) => pairs.is_empty(),
            Kind::Raw(text) => text.is_empty(),
        }
    }

    /// Leaves out the pairs whose key `query` has; text is taken as a whole.
    pub(super) fn without_keys_of(&self, query: &str) -> Self {
        let Kind::Pairs(pairs) = &self.0 else {
            return self.clone();
        };
        let keys: Vec<_> = form_urlencoded::parse(query.as_bytes())
            .map(|(key, _)| key)
            .collect();
        let is_missing = |(key, _): &&(String, String)| !keys.iter().any(|have| have == key);
        Self(Kind::Pairs(
            pairs.iter().filter(is_missing).cloned().collect(),
        ))
    }

    pub(super) fn write(&self, out: &mut String) {
        let pairs = match &self.0 {
            Kind::Pairs(pairs) => pairs,
            Kind::Raw(text) => return quote(out, text, Part::Query),
        };
        for (at, (key, value)) in pairs.iter().enumerate() {
            if at > 0 {
                out.push('&');
            }
            quote(out, key, Part::QueryItem);
            out.push('=');
            quote(out, value, Part::QueryItem);
        }
    }
}

impl fmt::Debug for Params {
    /// Values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Pairs(pairs) => f
                .debug_list()
                .entries(pairs.iter().map(|(key, _)| key))
                .finish(),
            Kind::Raw(_) => f.write_str("…"),
        }
    }
}

impl Default for Params {
    fn default() -> Self {
        Self(Kind::Pairs(Vec::new()))
    }
}

fn push(texts: &mut Vec<(String, String)>, key: &str, value: ParamValue) -> Result<(), ParamError> {
    let text = match value {
        ParamValue::Text(text) => text,
        ParamValue::Float(number) if number.is_finite() => float_text(number),
        ParamValue::Float(_) => return Err(ParamError { key: key.into() }),
        ParamValue::Many(values) => {
            return values
                .into_iter()
                .try_for_each(|value| push(texts, key, value));
        }
    };
    texts.push((key.to_owned(), text));
    Ok(())
}

impl From<&str> for ParamValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for ParamValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for ParamValue {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<f64> for ParamValue {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

// A macro: twelve times the same three lines.
macro_rules! from_integers {
    ($($integer:ty)*) => { $(
        impl From<$integer> for ParamValue {
            fn from(number: $integer) -> Self {
                Self::Text(number.to_string())
            }
        }
    )* };
}

from_integers!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

impl<T: Into<Self>> From<Vec<T>> for ParamValue {
    fn from(values: Vec<T>) -> Self {
        Self::Many(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>, const N: usize> From<[T; N]> for ParamValue {
    fn from(values: [T; N]) -> Self {
        Self::Many(values.into_iter().map(Into::into).collect())
    }
}

impl From<&Self> for ParamValue {
    fn from(value: &Self) -> Self {
        value.clone()
    }
}

impl ParamValue {
    /// Writes it as text, or as several texts; `key` names it in the error.
    ///
    /// # Errors
    /// If it is NaN or infinite.
    pub fn into_texts(self, key: &str) -> Result<Vec<String>, ParamError> {
        let mut texts = Vec::new();
        push(&mut texts, key, self)?;
        Ok(texts.into_iter().map(|(_, text)| text).collect())
    }
}

impl IntoParams for Params {
    fn into_params(self) -> Result<Params, ParamError> {
        Ok(self)
    }
}

impl IntoParams for &Params {
    fn into_params(self) -> Result<Params, ParamError> {
        Ok(self.clone())
    }
}

impl IntoParams for String {
    fn into_params(self) -> Result<Params, ParamError> {
        Ok(Params(Kind::Raw(self)))
    }
}

impl IntoParams for &String {
    fn into_params(self) -> Result<Params, ParamError> {
        self.clone().into_params()
    }
}

impl IntoParams for &str {
    fn into_params(self) -> Result<Params, ParamError> {
        self.to_owned().into_params()
    }
}

impl<K: AsRef<str>, V: Into<ParamValue>, const N: usize> IntoParams for [(K, V); N] {
    fn into_params(self) -> Result<Params, ParamError> {
        Params::from_pairs(self)
    }
}

impl<K: AsRef<str>, V: Into<ParamValue>> IntoParams for Vec<(K, V)> {
    fn into_params(self) -> Result<Params, ParamError> {
        Params::from_pairs(self)
    }
}

impl<K: AsRef<str>, V: Into<ParamValue> + Clone> IntoParams for &[(K, V)] {
    fn into_params(self) -> Result<Params, ParamError> {
        Params::from_pairs(self.iter().map(|(key, value)| (key, value.clone())))
    }
}

impl<K: AsRef<str>, V: Into<ParamValue> + Clone, const N: usize> IntoParams for &[(K, V); N] {
    fn into_params(self) -> Result<Params, ParamError> {
        self.as_slice().into_params()
    }
}

impl<K: AsRef<str>, V: Into<ParamValue> + Clone> IntoParams for &Vec<(K, V)> {
    fn into_params(self) -> Result<Params, ParamError> {
        self.as_slice().into_params()
    }
}

impl<V: Into<ParamValue>> IntoParams for MultiDict<V> {
    fn into_params(self) -> Result<Params, ParamError> {
        Params::from_pairs(self)
    }
}

impl<V: Into<ParamValue> + Clone> IntoParams for &MultiDict<V> {
    fn into_params(self) -> Result<Params, ParamError> {
        Params::from_pairs(self.iter().map(|(key, value)| (key, value.clone())))
    }
}

impl<K: AsRef<str>, V: Into<ParamValue>> IntoParams for BTreeMap<K, V> {
    fn into_params(self) -> Result<Params, ParamError> {
        Params::from_pairs(self)
    }
}

impl<K: AsRef<str>, V: Into<ParamValue> + Clone> IntoParams for &BTreeMap<K, V> {
    fn into_params(self) -> Result<Params, ParamError> {
        Params::from_pairs(self.iter().map(|(key, value)| (key, value.clone())))
    }
}

impl<K: AsRef<str>, V: Into<ParamValue>, S> IntoParams for HashMap<K, V, S> {
    fn into_params(self) -> Result<Params, ParamError> {
        Params::from_pairs(self)
    }
}

impl<K: AsRef<str>, V: Into<ParamValue> + Clone, S> IntoParams for &HashMap<K, V, S> {
    fn into_params(self) -> Result<Params, ParamError> {
        Params::from_pairs(self.iter().map(|(key, value)| (key, value.clone())))
    }
}

mod sealed {
    use super::{BTreeMap, HashMap, MultiDict, Params};

    #[expect(unnameable_types, reason = "nobody else is to implement the trait")]
    pub trait Sealed {}
    impl Sealed for Params {}
    impl Sealed for &Params {}
    impl Sealed for String {}
    impl Sealed for &String {}
    impl Sealed for &str {}
    impl<K, V, const N: usize> Sealed for [(K, V); N] {}
    impl<K, V> Sealed for Vec<(K, V)> {}
    impl<K, V> Sealed for &[(K, V)] {}
    impl<K, V, const N: usize> Sealed for &[(K, V); N] {}
    impl<K, V> Sealed for &Vec<(K, V)> {}
    impl<V> Sealed for MultiDict<V> {}
    impl<V> Sealed for &MultiDict<V> {}
    impl<K, V> Sealed for BTreeMap<K, V> {}
    impl<K, V> Sealed for &BTreeMap<K, V> {}
    impl<K, V, S> Sealed for HashMap<K, V, S> {}
    impl<K, V, S> Sealed for &HashMap<K, V, S> {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::RequestUrl;

    #[track_caller]
    fn check(url: &str, params: impl IntoParams, want: &str) {
        let params = params.into_params().expect("params are finite");
        let url = RequestUrl::parse(url).expect("url is valid");
        assert_eq!(url.with_params(&params).real_url(), want);
    }

    // Expected values are yarl 1.25.1's and of the scenarios url-params-*.
    #[test]
    fn params_extend_the_query() {
        check("http://h/p?x=1", [("k", "v")], "http://h/p?x=1&k=v");
        check("http://h/p?a=1", [("a", "2")], "http://h/p?a=1&a=2");
        check("http://h/p?x=1&", [("k", "v")], "http://h/p?x=1&k=v");
        check("http://h/p?", [("k", "v")], "http://h/p?k=v");
        check("http://h/p?x=1#f", [("k", "v")], "http://h/p?x=1&k=v#f");
        check("http://h", [("a b", "")], "http://h/?a+b=");
        check("http://h/?b=2", "", "http://h/?b=2");
        check("http://h/?b=2", Params::default(), "http://h/?b=2");
        check(
            "http://h/",
            vec![("k", vec!["a", "b"]), ("j", vec![])],
            "http://h/?k=a&k=b",
        );
        let dict = MultiDict::from([("k", 1), ("k", 2)]);
        check("http://h/", &dict, "http://h/?k=1&k=2");
        check("http://h/", dict, "http://h/?k=1&k=2");
        check("http://h/", BTreeMap::from([("k", "v")]), "http://h/?k=v");
        check("http://h/", HashMap::from([("k", "v")]), "http://h/?k=v");
    }

    #[test]
    fn params_are_quoted() {
        check(
            "http://h/p",
            [("q", "a b&c=d+e/f?g#h"), ("k \u{e9}", "\u{fc}%")],
            "http://h/p?q=a+b%26c%3Dd%2Be/f?g%23h&k+%C3%A9=%C3%BC%25",
        );
        check(
            "http://h/p",
            [("a", "[x]:@!$'()*,;~"), ("e", "")],
            "http://h/p?a=%5Bx%5D:@!$'()*,%3B~&e=",
        );
        check(
            "http://h/",
            [("x", "\0\x7f\r\n")],
            "http://h/?x=%00%7F%0D%0A",
        );
    }

    #[test]
    fn text_is_quoted_with_its_delimiters() {
        check("http://h/p", "a=b c&d=%20e", "http://h/p?a=b+c&d=%2520e");
        check("http://h/p?x=1", "y=\u{fc}#", "http://h/p?x=1&y=%C3%BC%23");
        check(
            "http://h/",
            "%&=;+ []'\"<>",
            "http://h/?%25&=;++%5B%5D'%22%3C%3E",
        );
    }

    #[track_caller]
    fn check_float(number: f64, want: &str) {
        assert_eq!(float_text(number), want);
    }

    #[test]
    fn floats_look_as_in_python() {
        check_float(1.0, "1.0");
        check_float(1.5, "1.5");
        check_float(-0.0, "-0.0");
        check_float(0.0001, "0.0001");
        check_float(1e-5, "1e-05");
        check_float(1e15, "1000000000000000.0");
        check_float(1e16, "1e+16");
        check_float(123_456_789_012_345_678.0, "1.2345678901234568e+17");
        check_float(1.5e300, "1.5e+300");
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        let error = [("a", 1.0), ("n", f64::NAN)]
            .into_params()
            .expect_err("NaN has no text");
        assert_eq!(error.key(), "n");
        assert!([("i", f64::INFINITY)].into_params().is_err());
    }
}
