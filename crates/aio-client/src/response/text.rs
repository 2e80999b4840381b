//! The body of a response as text and as JSON.

use std::borrow::Cow;

use aio_core::text::{Charset, OnError};
use aio_core::{BoxError, ContentType};
use serde::de::DeserializeOwned;

use super::ClientResponse;
use crate::error::{ClientError, ReadError, ResponseErrorKind};
use crate::json::read_by;

/// How to read a body as text.
#[derive(Debug, Clone, Copy, Default)]
pub struct TextOptions<'a> {
    /// The charset; default that of the response, else the session's fallback, UTF-8.
    pub encoding: Option<&'a str>,
    /// What to do about bytes that mean nothing; default an error.
    pub errors: OnError,
}

/// How to read a body as JSON.
#[derive(Debug, Clone, Copy)]
pub struct JsonOptions<'a> {
    /// The charset; default as for text.
    pub encoding: Option<&'a str>,
    /// The content type that is asked for, `None` for any; default
    /// `application/json`, which stands for all JSON types.
    pub content_type: Option<&'a str>,
}

impl Default for JsonOptions<'_> {
    fn default() -> Self {
        Self {
            encoding: None,
            content_type: Some("application/json"),
        }
    }
}

impl ClientResponse {
    /// Reads the whole body as text.
    ///
    /// # Errors
    /// As [`read`](Self::read), if there are bytes that mean nothing in the charset, and if
    /// the session's [`fallback_charset`](crate::ClientSessionBuilder::fallback_charset)
    /// names an unknown one.
    pub async fn text(&mut self) -> Result<String, ClientError> {
        self.text_with(&TextOptions::default()).await
    }

    /// Reads the whole body as text in another way than by default.
    ///
    /// # Errors
    /// As [`text`](Self::text), and if the charset asked for is unknown.
    pub async fn text_with(&mut self, options: &TextOptions<'_>) -> Result<String, ClientError> {
        let body = self.kept().await?;
        let charset = self.charset_for(options.encoding, &body)?;
        let text = charset.decode(&body, options.errors);
        text.map(Cow::into_owned)
            .map_err(|error| self.content.read_error(ReadError::Text(error)))
    }

    fn charset_for(&self, asked: Option<&str>, body: &[u8]) -> Result<Charset, ClientError> {
        asked.map_or_else(|| self.charset_of(body), |name| self.charset_named(name))
    }

    fn charset_named(&self, name: &str) -> Result<Charset, ClientError> {
        Charset::for_label(name).ok_or_else(|| {
            self.content
                .read_error(ReadError::UnknownCharset(name.into()))
        })
    }

    /// Returns the charset that [`text`](Self::text) uses; aiohttp's `get_encoding`.
    ///
    /// # Errors
    /// As [`read`](Self::read): without a known charset in the head, the body decides.
    pub async fn encoding(&mut self) -> Result<&'static str, ClientError> {
        let body = self.kept().await?;
        Ok(self.charset_of(&body)?.name())
    }

    /// RSP-22.
    fn charset_of(&self, body: &[u8]) -> Result<Charset, ClientError> {
        let content_type = self.content_type();
        let field = self.headers().get("content-type");
        let label = field.and_then(|field| charset_label(field.as_bytes()));
        if let Some(known) = label.as_deref().and_then(Charset::for_label) {
            return Ok(known);
        }
        // aiohttp: whatever stands behind a plus.
        let json = ["application/json", "application/rdap"];
        if json.contains(&content_type.essence().split('+').next().unwrap_or_default()) {
            return Ok(Charset::UTF_8);
        }
        match &self.content.session().defaults().fallback_charset {
            Some(resolver) => self.charset_named(&resolver(&self.head, body)),
            None => Ok(Charset::UTF_8),
        }
    }

    /// Reads the whole body as JSON; a blank body is `null`.
    ///
    /// # Errors
    /// As [`text`](Self::text), if the content type is not a JSON one, or if the body is
    /// not the JSON that `T` needs.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, ClientError> {
        self.json_with(&JsonOptions::default()).await
    }

    /// Reads the whole body as JSON in another way than by default.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub async fn json_with<T: DeserializeOwned>(
        &mut self,
        options: &JsonOptions<'_>,
    ) -> Result<T, ClientError> {
        let body = self.kept().await?;
        let given = self
            .headers()
            .get("content-type")
            .map(|field| field.as_bytes());
        let given = String::from_utf8_lossy(given.unwrap_or_default()).to_lowercase();
        let is_expected = |expected: &str| match expected {
            // The header may be a list of types, of which the first counts.
            "application/json" => {
                let first = given.split(',').next().unwrap_or_default();
                given.starts_with(expected) || ContentType::parse(first.as_bytes()).is_json()
            }
            other => given.contains(other),
        };
        let expected = options.content_type.filter(|expected| !expected.is_empty());
        if expected.is_some_and(|expected| !is_expected(expected)) {
            let message = format!("Attempt to decode JSON with unexpected mimetype: {given}");
            return Err(self.error(ResponseErrorKind::ContentType, message).into());
        }
        // Python strips more blanks than JSON knows.
        const BLANKS: [char; 6] = [' ', '\t', '\n', '\r', '\x0b', '\x0c'];
        let value = if body.iter().all(|&byte| BLANKS.contains(&byte.into())) {
            serde_json::from_str("null").map_err(Into::into)
        } else {
            let charset = self.charset_for(options.encoding, &body)?;
            let text = charset.decode(&body, OnError::Strict);
            let text = text.map_err(|error| self.content.read_error(ReadError::Text(error)))?;
            let text = text.trim_matches(BLANKS);
            match &self.content.session().defaults().json_deserialize {
                Some(deserialize) => read_by(deserialize, text),
                None => serde_json::from_str(text).map_err(Into::into),
            }
        };
        value.map_err(|error: BoxError| self.content.read_error(ReadError::Json(error.into())))
    }
}

/// Finds the charset parameter for `text`: aiohttp reads it more simply there than for
/// its `charset`, quotes count for nothing.
fn charset_label(content_type: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(content_type);
    text.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim_matches([' ', '"']).to_owned())
    })
}
