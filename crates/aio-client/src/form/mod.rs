//! Forms, sent as text or in parts.

mod part;

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::BuildHasher;
use std::path::PathBuf;

use aio_core::form::{
    FormError, URLENCODED, check, plain_disposition, quoted_disposition, urlencode,
};
use aio_core::text::Charset;
use aio_core::{Body, BoxError, Headers, MultiDict, MultipartWriter, ParamValue};
use bytes::Bytes;
use futures_core::Stream;
use tokio::io::AsyncRead;

pub use self::part::FormPart;
use self::part::charset;
use crate::file::FileBody;
use crate::reader::ReaderBody;

/// A form to be sent; aiohttp's `FormData`.
///
/// Fields of text are sent as `application/x-www-form-urlencoded`. With any other field,
/// or one that has a file name or a content type, all are sent as `multipart/form-data`.
/// The first mistake made while filling it is what sending it fails with.
///
/// ```
/// use aio_client::{Body, FormData};
///
/// let form = FormData::new().text("name", "Ada").field("year", 1815);
/// let body = form.into_body()?;
/// assert_eq!(body.as_bytes().unwrap(), "name=Ada&year=1815");
///
/// let form = FormData::new().text("name", "Ada").file("avatar", "me.png");
/// assert!(form.is_multipart());
/// # Ok::<(), aio_client::FormError>(())
/// ```
pub struct FormData {
    fields: Vec<Field>,
    /// The first mistake.
    mistake: Option<FormError>,
    default_to_multipart: bool,
    disposition: fn(&str, Option<&str>) -> String,
    charset: Option<String>,
    boundary: String,
}

struct Field {
    name: String,
    part: FormPart,
}

impl FormData {
    /// Makes a form without fields.
    pub fn new() -> Self {
        Self {
            fields: Vec::new(),
            mistake: None,
            default_to_multipart: false,
            disposition: quoted_disposition,
            charset: None,
            boundary: random_boundary(),
        }
    }

    /// Adds a field of text.
    #[must_use]
    pub fn text(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.part(name, FormPart::from(value.into()))
    }

    /// Adds a field of text or a number; several values are as many fields.
    ///
    /// A number is written as Python does; NaN and infinite ones are a mistake.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<ParamValue>) -> Self {
        let name = name.into();
        match value.into().into_texts(&name) {
            Ok(texts) => texts
                .into_iter()
                .fold(self, |form, text| form.text(name.as_str(), text)),
            Err(error) => {
                self.mistake.get_or_insert(error.into());
                self
            }
        }
    }

    /// Adds the file at `path`, under the last part of its path as file name.
    ///
    /// It is opened when the form is sent; see [`FileBody`].
    #[must_use]
    pub fn file(self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.part(name, FileBody::new(path))
    }

    /// Adds bytes as a file, with the field's name as file name.
    #[must_use]
    pub fn bytes(self, name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        self.part(name, bytes.into())
    }

    /// Adds what `reader` gives as a file, with the field's name as file name.
    ///
    /// Such a form can be sent once, and its length is not known.
    #[must_use]
    pub fn reader(self, name: impl Into<String>, reader: impl AsyncRead + Send + 'static) -> Self {
        self.part(name, ReaderBody::new(reader))
    }

    /// Adds what `stream` gives as a file, with the field's name as file name.
    ///
    /// Such a form can be sent once, and its length is not known.
    #[must_use]
    pub fn stream<S, B, E>(self, name: impl Into<String>, stream: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        self.part(name, FormPart::file(Body::stream(stream)))
    }

    /// Adds a field of anything, with a file name or a content type if it has one.
    ///
    /// Bytes, files and readers without a file name have the field's name as such; text and
    /// any other [`Body`] have none.
    #[must_use]
    pub fn part(mut self, name: impl Into<String>, part: impl Into<FormPart>) -> Self {
        let (name, mut part) = (name.into(), part.into());
        if part.is_file {
            part.filename.get_or_insert_with(|| name.clone());
        }
        let field = Field { name, part };
        if let Err(error) = field.check() {
            self.mistake.get_or_insert(error);
        }
        self.fields.push(field);
        self
    }

    /// Sets whether names are written in ASCII, with escapes; default true. Else they are
    /// UTF-8, with nothing but `\` and `"` escaped.
    #[must_use]
    pub fn quote_fields(mut self, quote_fields: bool) -> Self {
        self.disposition = match quote_fields {
            true => quoted_disposition,
            false => plain_disposition,
        };
        self
    }

    /// Sets the charset of fields of text, by any name that Python has for it; default
    /// `utf-8`. Names and file names of parts are UTF-8 always.
    #[must_use]
    pub fn charset(mut self, charset: impl Into<String>) -> Self {
        let charset = charset.into();
        if let Err(error) = check("charset", &charset) {
            self.mistake.get_or_insert(error);
        }
        self.charset = Some(charset);
        self
    }

    /// Sets what stands between parts; default 32 random hexadecimal digits.
    #[must_use]
    pub fn boundary(mut self, boundary: impl Into<String>) -> Self {
        self.boundary = boundary.into();
        self
    }

    /// Sets whether fields of nothing but text are sent as parts as well; default false.
    #[must_use]
    pub fn default_to_multipart(mut self, default_to_multipart: bool) -> Self {
        self.default_to_multipart = default_to_multipart;
        self
    }

    /// Tells whether it is sent in parts.
    pub fn is_multipart(&self) -> bool {
        self.texts().is_none()
    }

    /// Makes another form with the same fields and boundary, unless one of them can be sent
    /// once only.
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self {
            fields: self
                .fields
                .iter()
                .map(Field::try_clone)
                .collect::<Option<_>>()?,
            mistake: self.mistake.clone(),
            default_to_multipart: self.default_to_multipart,
            disposition: self.disposition,
            charset: self.charset.clone(),
            boundary: self.boundary.clone(),
        })
    }

    /// Makes the body that is sent, with its content type.
    ///
    /// # Errors
    /// The first mistake made: a control character in a name, file name or content type, or
    /// a number that is none. Else if a charset is unknown, or lacks a character; if the
    /// boundary is none.
    pub fn into_body(self) -> Result<Body, FormError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        if let Some(texts) = self.texts() {
            return self.urlencoded(texts);
        }
        self.multipart().map(Body::from)
    }

    /// Names and values, if all there is are texts.
    fn texts(&self) -> Option<Vec<(&str, &str)>> {
        if self.default_to_multipart {
            return None;
        }
        self.fields.iter().map(Field::as_text).collect()
    }

    fn urlencoded(&self, texts: Vec<(&str, &str)>) -> Result<Body, FormError> {
        let Some(label) = self.charset.as_deref().filter(|label| *label != "utf-8") else {
            let text = urlencode(texts, Charset::UTF_8)?;
            return Ok(Body::typed(text, URLENCODED));
        };
        let text = urlencode(texts, charset(label)?)?;
        Ok(Body::typed(text, format!("{URLENCODED}; charset={label}")))
    }

    fn multipart(self) -> Result<MultipartWriter, FormError> {
        let mut writer = MultipartWriter::with_boundary("form-data", &self.boundary)?;
        for Field { name, part } in self.fields {
            let mut headers = Headers::new();
            let disposition = (self.disposition)(&name, part.filename.as_deref());
            headers.append("Content-Disposition", disposition)?;
            writer.append(part.into_body(self.charset.as_deref())?, &headers)?;
        }
        Ok(writer)
    }
}

impl Field {
    fn check(&self) -> Result<(), FormError> {
        check("name", &self.name)?;
        check(
            "file name",
            self.part.filename.as_deref().unwrap_or_default(),
        )?;
        check(
            "content type",
            self.part.content_type.as_deref().unwrap_or_default(),
        )
    }

    fn as_text(&self) -> Option<(&str, &str)> {
        Some((&self.name, self.part.as_text()?))
    }

    fn try_clone(&self) -> Option<Self> {
        Some(Self {
            name: self.name.clone(),
            part: self.part.try_clone()?,
        })
    }
}

/// Makes a boundary for a multipart body: 32 random hexadecimal digits.
///
/// ```
/// use aio_client::{Headers, MultipartWriter, random_boundary};
///
/// let mut writer = MultipartWriter::with_boundary("mixed", &random_boundary())?;
/// writer.append("text", &Headers::new())?;
/// # Ok::<(), aio_client::FormError>(())
/// ```
pub fn random_boundary() -> String {
    // The keys of the hash are random, and 128 bits as well.
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
}

impl Default for FormData {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Into<String>, V: Into<ParamValue>> FromIterator<(K, V)> for FormData {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        pairs
            .into_iter()
            .fold(Self::new(), |form, (name, value)| form.field(name, value))
    }
}

impl<K: Into<String>, V: Into<ParamValue>, const N: usize> From<[(K, V); N]> for FormData {
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<ParamValue>> From<Vec<(K, V)>> for FormData {
    fn from(pairs: Vec<(K, V)>) -> Self {
        pairs.into_iter().collect()
    }
}

impl<K: AsRef<str>, V: Into<ParamValue> + Clone> From<&[(K, V)]> for FormData {
    fn from(pairs: &[(K, V)]) -> Self {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.as_ref(), value.clone()))
            .collect()
    }
}

impl<V: Into<ParamValue>> From<MultiDict<V>> for FormData {
    fn from(pairs: MultiDict<V>) -> Self {
        pairs.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<ParamValue>> From<BTreeMap<K, V>> for FormData {
    fn from(pairs: BTreeMap<K, V>) -> Self {
        pairs.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<ParamValue>, S> From<HashMap<K, V, S>> for FormData {
    fn from(pairs: HashMap<K, V, S>) -> Self {
        pairs.into_iter().collect()
    }
}

impl fmt::Debug for FormData {
    /// Values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.fields.iter().map(|field| &field.name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: FormData, content_type: &str, want: impl AsRef<[u8]>) {
        let is_multipart = content_type.starts_with("multipart/");
        assert_eq!(form.is_multipart(), is_multipart);
        let body = form.boundary("B").into_body().expect("a valid form");
        let bytes = body.as_bytes().expect("all of it is there");
        let want = want.as_ref().escape_ascii().to_string();
        assert_eq!(bytes.escape_ascii().to_string(), want);
        assert_eq!(body.content_type(), Some(content_type));
    }

    #[track_caller]
    fn check_parts(form: FormData, want: impl AsRef<[u8]>) {
        check(form, "multipart/form-data; boundary=B", want);
    }

    // The bytes here and below are those of aiohttp 3.14.5.
    #[test]
    fn fields_of_text_are_urlencoded() {
        let form = FormData::new().text("a", "1 2").text("b", "\u{e9}&");
        check(form, URLENCODED, "a=1+2&b=%C3%A9%26");
        check(FormData::new(), URLENCODED, "");
        let form = FormData::new()
            .field("a", 1)
            .field("b", 1.5)
            .field("c", vec![ParamValue::from(1), "x".into()])
            .field("d", 1.0);
        check(form, URLENCODED, "a=1&b=1.5&c=1&c=x&d=1.0");
    }

    #[test]
    fn a_charset_is_named_and_used() {
        let form = || FormData::new().text("n", "\u{442}\u{435}\u{441}\u{442} \u{438}");
        let named = |charset: &str| format!("{URLENCODED}; charset={charset}");
        let koi = form().charset("koi8-r");
        check(koi, &named("koi8-r"), "n=%D4%C5%D3%D4+%C9");
        check(
            FormData::new().text("n", "\u{e9}").charset("UTF-8"),
            &named("UTF-8"),
            "n=%C3%A9",
        );
        check(
            FormData::new().text("n", "\u{e9}").charset("utf-8"),
            URLENCODED,
            "n=%C3%A9",
        );
        // EDGE-060.
        let windows = form().charset("windows-1251").default_to_multipart(true);
        check_parts(
            windows,
            b"--B\r\nContent-Type: text/plain; charset=windows-1251\r\n\
              Content-Disposition: form-data; name=\"n\"\r\n\r\n\xf2\xe5\xf1\xf2 \xe8\r\n--B--\r\n",
        );
    }

    #[test]
    fn the_charset_of_a_part_is_that_of_its_type_unless_the_form_has_one() {
        let text = |content_type: &str| {
            let part = FormPart::from("\u{442}\u{435}\u{441}\u{442}").content_type(content_type);
            FormData::new().part("n", part)
        };
        check_parts(
            text("text/plain; charset=koi8-r"),
            b"--B\r\nContent-Type: text/plain; charset=koi8-r\r\n\
              Content-Disposition: form-data; name=\"n\"\r\n\r\n\xd4\xc5\xd3\xd4\r\n--B--\r\n",
        );
        check_parts(
            text("text/html; charset=koi8-r").charset("cp1251"),
            b"--B\r\nContent-Type: text/html; charset=koi8-r\r\n\
              Content-Disposition: form-data; name=\"n\"\r\n\r\n\xf2\xe5\xf1\xf2\r\n--B--\r\n",
        );
    }

    #[test]
    fn bytes_are_a_file_named_as_their_field() {
        check_parts(
            FormData::new().bytes("n", b"\0\x01".as_slice()),
            b"--B\r\nContent-Type: application/octet-stream\r\n\
              Content-Disposition: form-data; name=\"n\"; filename=\"n\"\r\n\r\n\0\x01\r\n--B--\r\n",
        );
    }

    fn special() -> FormData {
        let file = FormPart::from(Bytes::from("DATA"))
            .filename("fi\"l\u{e9}.txt")
            .content_type("text/plain");
        FormData::new()
            .text("a b", "1")
            .text("q\"q\\", "2")
            .part("f\u{fc}", file)
    }

    #[test]
    fn special_names_are_quoted() {
        check_parts(
            special(),
            "--B\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Disposition: form-data; name=\"a\\ b\"\r\n\r\n1\r\n\
             --B\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Disposition: form-data; name=\"q\\\"q\\\\\"\r\n\r\n2\r\n\
             --B\r\nContent-Type: text/plain\r\n\
             Content-Disposition: form-data; name*=utf-8''f%C3%BC; \
             filename=\"fi%22l%C3%A9.txt\"\r\n\r\nDATA\r\n--B--\r\n",
        );
        check_parts(
            special().quote_fields(false),
            "--B\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Disposition: form-data; name=\"a b\"\r\n\r\n1\r\n\
             --B\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Disposition: form-data; name=\"q\\\"q\\\\\"\r\n\r\n2\r\n\
             --B\r\nContent-Type: text/plain\r\n\
             Content-Disposition: form-data; name=\"f\u{fc}\"; \
             filename=\"fi\\\"l\u{e9}.txt\"\r\n\r\nDATA\r\n--B--\r\n",
        );
    }

    #[test]
    fn a_form_without_fields_may_be_multipart() {
        check_parts(FormData::new().default_to_multipart(true), "--B--\r\n");
    }

    #[test]
    fn a_body_in_a_form_has_no_file_name_of_its_own() {
        let json = Body::typed("{}", "application/json");
        check_parts(
            FormData::new().part("meta", json),
            "--B\r\nContent-Type: application/json\r\n\
             Content-Disposition: form-data; name=\"meta\"\r\n\r\n{}\r\n--B--\r\n",
        );
    }

    #[test]
    fn a_file_has_its_own_name_and_type() {
        let part = FormPart::from(FileBody::new("some/me.png"));
        assert_eq!(part.filename.as_deref(), Some("me.png"));
        let body = part.into_body(None).expect("nothing is opened");
        assert_eq!(body.content_type(), Some("image/png"));
        assert!(body.needs_opening());
    }

    #[test]
    fn pairs_and_maps_are_forms() {
        check([("a", "1"), ("a", "2")].into(), URLENCODED, "a=1&a=2");
        check(vec![("a", 1)].into(), URLENCODED, "a=1");
        check([("a", "1")].as_slice().into(), URLENCODED, "a=1");
        check(BTreeMap::from([("a", "1")]).into(), URLENCODED, "a=1");
        check(HashMap::from([("a", "1")]).into(), URLENCODED, "a=1");
        check(MultiDict::from([("a", "1")]).into(), URLENCODED, "a=1");
        check(
            [(String::from("a"), 1.5)].into_iter().collect(),
            URLENCODED,
            "a=1.5",
        );
    }

    #[track_caller]
    fn check_refused(form: FormData, want: &FormError, class: &str) {
        let error = form.into_body().expect_err("refused");
        assert_eq!((&error, error.aiohttp_class()), (want, class));
    }

    #[test]
    fn control_characters_are_refused() {
        // EDGE-058, BODY-36; in a form that is sent as text as well.
        let control = FormError::ControlCharacter;
        let part = || FormPart::from("v");
        let named = FormData::new().text("a\nb", "v");
        check_refused(named, &control("name"), "ValueError");
        let file = FormData::new().part("a", part().filename("x\r"));
        check_refused(file, &control("file name"), "ValueError");
        let typed = FormData::new().part("a", part().content_type("a/b\r\nX: y"));
        check_refused(typed, &control("content type"), "ValueError");
        let path = FormData::new().file("a", "evil\".png\r\nX: y");
        check_refused(path, &control("file name"), "ValueError");
        let charset = FormData::new().charset("utf-8\r\n");
        check_refused(charset, &control("charset"), "ValueError");
        check(FormData::new().text("a\tb", "v"), URLENCODED, "a%09b=v");
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let unknown = FormError::UnknownCharset("nope".into());
        check_refused(FormData::new().charset("nope"), &unknown, "LookupError");
        let part = FormPart::from("v").content_type("a/b; charset=nope");
        check_refused(FormData::new().part("a", part), &unknown, "LookupError");
        let latin = Charset::for_label("latin-1").expect("known");
        let lacking = latin.encode("\u{20ac}").expect_err("no euro").into();
        let form = FormData::new().text("n", "\u{20ac}").charset("latin-1");
        check_refused(form, &lacking, "UnicodeEncodeError");
        let boundary = FormError::Boundary("a\r\nb".into());
        let form = FormData::new()
            .default_to_multipart(true)
            .boundary("a\r\nb");
        check_refused(form, &boundary, "ValueError");
        assert!(FormData::new().field("n", f64::NAN).into_body().is_err());
    }

    #[test]
    fn the_first_mistake_is_told() {
        let form = FormData::new().text("a\n", "").field("n", f64::NAN);
        check_refused(form, &FormError::ControlCharacter("name"), "ValueError");
    }

    #[test]
    fn a_form_used_twice_gives_equal_bodies() {
        // EDGE-059.
        let form = special().try_clone().expect("nothing is read");
        let again = form.try_clone().expect("nothing is read");
        let (body, again) = (form.into_body(), again.into_body());
        let (body, again) = (body.expect("valid"), again.expect("valid"));
        assert_eq!(body.content_type(), again.content_type());
        assert_eq!(body.as_bytes(), again.as_bytes());
        let read = FormData::new().reader("r", tokio::io::empty());
        assert!(read.try_clone().is_none());
    }

    #[test]
    fn boundaries_are_random() {
        let (one, other) = (random_boundary(), random_boundary());
        assert_ne!(one, other);
        for boundary in [one, other] {
            assert_eq!(boundary.len(), 32);
            assert!(boundary.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }

    #[test]
    fn values_are_not_printed() {
        let form = FormData::new().text("password", "s3cret");
        assert_eq!(format!("{form:?}"), "[\"password\"]");
        let part = FormPart::from("s3cret").filename("f");
        assert!(!format!("{part:?}").contains("s3cret"));
    }
}
