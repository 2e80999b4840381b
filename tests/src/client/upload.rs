//! The `data` of a request as its body.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aio_client::{Body, BoxError, FormData, FormPart, RequestBuilder};
use bytes::Bytes;
use futures_core::Stream;
use serde_json::Value;
use tokio::time::{Sleep, sleep};

use super::options;
use crate::value::bytes_in;

/// Sets the body to `data`: text, bytes, a reader, a stream or a form.
pub(super) fn send(builder: RequestBuilder, data: &Value) -> Result<RequestBuilder, String> {
    if let Value::String(text) = data {
        return Ok(builder.body(text.as_str()));
    }
    let Some((kind, value)) = data.as_object().and_then(|data| data.iter().next()) else {
        return Err(format!("data {data}"));
    };
    Ok(match kind.as_str() {
        "b64" | "fill" | "times" => builder.body(bytes_in(data)?),
        "reader" => builder.body(bytes_in(value)?),
        "stream" => builder.body(Body::stream(Scripted::parse(value)?)),
        "form" => builder.form(options::headers(value)?),
        "multipart" => builder.form(multipart(value)?),
        _ => return Err(format!("data {kind}")),
    })
}

fn multipart(parts: &Value) -> Result<FormData, String> {
    let mut form = FormData::new().default_to_multipart(true);
    for part in parts.as_array().ok_or("multipart is no list")? {
        let name = options::text(&part["name"])?;
        let mut content = match part.get("value") {
            Some(text) => FormPart::from(options::text(text)?),
            None => FormPart::from(Bytes::from(bytes_in(part)?)),
        };
        if let Some(filename) = part.get("filename") {
            content = content.filename(options::text(filename)?);
        }
        if let Some(content_type) = part.get("content_type") {
            content = content.content_type(options::text(content_type)?);
        }
        form = form.part(name, content);
    }
    Ok(form)
}

/// A stream of unknown length that follows a script.
struct Scripted {
    steps: VecDeque<Step>,
    asleep: Option<Pin<Box<Sleep>>>,
}

enum Step {
    Give(Bytes),
    Sleep(Duration),
    Fail,
}

impl Scripted {
    fn parse(steps: &Value) -> Result<Self, String> {
        let steps = steps.as_array().ok_or("stream is no list")?.iter();
        Ok(Self {
            steps: steps.map(Step::parse).collect::<Result<_, _>>()?,
            asleep: None,
        })
    }
}

impl Step {
    fn parse(step: &Value) -> Result<Self, String> {
        if let Some(time) = step.get("sleep") {
            return options::seconds(time).map(Self::Sleep);
        }
        if step.get("raise").is_some() {
            return Ok(Self::Fail);
        }
        Ok(Self::Give(bytes_in(step)?.into()))
    }
}

impl Stream for Scripted {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(asleep) = &mut self.asleep {
                ready!(asleep.as_mut().poll(cx));
                self.asleep = None;
            }
            return Poll::Ready(match self.steps.pop_front() {
                None => None,
                Some(Step::Give(piece)) => Some(Ok(piece)),
                // Not an io::Error: the fault is not the connection's.
                Some(Step::Fail) => Some(Err("stream failed".into())),
                Some(Step::Sleep(time)) => {
                    self.asleep = Some(Box::pin(sleep(time)));
                    continue;
                }
            });
        }
    }
}
