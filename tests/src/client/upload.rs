//! The `data` of a request as its body.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aio_client::{Body, BoxError};
use bytes::Bytes;
use futures_core::Stream;
use serde_json::Value;
use tokio::time::{Sleep, sleep};

use super::options;
use crate::value::bytes_in;

/// Makes a body of `data`: text, bytes, a reader or a stream.
pub(super) fn body(data: &Value) -> Result<Body, String> {
    if let Value::String(text) = data {
        return Ok(Body::from(text.clone()));
    }
    let Some((kind, value)) = data.as_object().and_then(|data| data.iter().next()) else {
        return Err(format!("data {data}"));
    };
    match kind.as_str() {
        "b64" | "fill" | "times" => Ok(Body::from(bytes_in(data)?)),
        "reader" => Ok(Body::from(bytes_in(value)?)),
        "stream" => Ok(Body::stream(Scripted::parse(value)?)),
        _ => Err(format!("data {kind}")),
    }
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
