//! From one hop of a request to the next: what a redirect changes (SPEC §3).

use std::sync::Arc;

use aio_core::{Body, PayloadError, RequestUrl};
use bytes::Bytes;

use super::Context;
use crate::error::{ClientError, ClientPayloadError, ClientResponseError, ResponseErrorKind};
use crate::options::RequestOptions;
use crate::redirect::{Redirect, RedirectAction, RedirectHop, is_redirect};
use crate::request::{ClientRequest, RequestParts};
use crate::response::{ClientResponse, ResponseHead};
use crate::trace::Event;

/// The way of a request through its redirects.
#[derive(Debug)]
pub(super) struct Hops {
    /// Whether redirects are followed at all.
    follows: bool,
    pub(super) body: Kept,
    // Boxed: few requests are redirected.
    trail: Option<Box<Trail>>,
}

/// The body for sending a request once more.
#[derive(Debug)]
pub(super) enum Kept {
    /// There is none.
    Nothing,
    Again(Body),
    /// It can be sent once only.
    Gone,
}

impl Kept {
    fn of(body: &Body) -> Self {
        if body.is_none() {
            return Self::Nothing;
        }
        body.try_clone().map_or(Self::Gone, Self::Again)
    }

    pub(super) fn again(&self) -> Option<Body> {
        match self {
            Self::Nothing => Some(Body::none()),
            Self::Again(body) => body.try_clone(),
            Self::Gone => None,
        }
    }
}

/// Where a request has been.
#[derive(Debug)]
struct Trail {
    /// The URL and the options that it began with.
    url: RequestUrl,
    options: Arc<RequestOptions>,
    history: Vec<ResponseHead>,
}

impl Hops {
    /// Begins; the body is kept for redirects, and for a retry if there may be one.
    pub(super) fn new(request: &ClientRequest, may_retry: bool) -> Self {
        let follows = request.parts.options.redirects.allow.unwrap_or(true);
        let body = if follows || may_retry {
            Kept::of(&request.body)
        } else {
            Kept::Gone
        };
        Self {
            follows,
            body,
            trail: None,
        }
    }

    /// Tells whether a response with this status has a hop behind it.
    pub(super) fn follows(&self, status: http::StatusCode) -> bool {
        self.follows && is_redirect(status)
    }

    /// Tells the final response of the redirects on the way to it.
    pub(super) fn end(self, response: &mut ClientResponse) {
        if let Some(trail) = self.trail {
            response.set_history(trail.history);
        }
    }

    /// Turns the request into that of the next hop, in the order of RED-02; gives the
    /// response back if that is the final one.
    pub(super) fn next(
        &mut self,
        request: &mut ClientRequest,
        mut response: ClientResponse,
        context: &Context,
    ) -> Result<Option<ClientResponse>, ClientError> {
        let head = response.head().clone();
        context
            .traces
            .on(&Event::RequestRedirect { response: &head });
        let trail = self.trail.get_or_insert_with(|| {
            Box::new(Trail {
                url: request.parts.url.clone(),
                options: Arc::clone(&request.parts.options),
                history: Vec::new(),
            })
        });
        let options = &request.parts.options.redirects;
        let mut redirect = Redirect::of(&request.parts, head.status(), head.headers());
        if let (Ok(Some(redirect)), Some(policy)) = (&mut redirect, &options.policy) {
            let hop = RedirectHop {
                response: &head,
                history: &trail.history,
                url: &redirect.url,
                method: &redirect.method,
                from: &request.parts.url,
            };
            match policy.judge(&hop) {
                RedirectAction::Follow => {}
                RedirectAction::KeepMethod => {
                    redirect.method = request.parts.method.clone();
                    redirect.keeps_body = true;
                }
                RedirectAction::Stop => return Ok(Some(response)),
            }
        }
        trail.history.push(head);
        if options.max != 0 && trail.history.len() >= options.max {
            response.close();
            return Err(trail.too_many(&response));
        }
        let Some(redirect) = redirect.transpose() else {
            return Ok(Some(response));
        };
        let attempt = response.attempt();
        response.release();
        let redirect = redirect.map_err(ClientError::Redirect)?;
        if !redirect.keeps_body {
            self.body = Kept::Nothing;
        }
        let unsent = std::mem::take(&mut request.body);
        let unsent = Some(unsent).filter(|body| !body.is_none());
        let Some(body) = self.body.again().or(unsent) else {
            let source = PayloadError::NotReplayable;
            return Err(ClientError::Payload(Box::new(ClientPayloadError {
                source,
                attempt,
            })));
        };
        trail.redirect(request, redirect, body);
        trail.authorize(&mut request.parts, context)?;
        Ok(None)
    }
}

impl Trail {
    /// Turns the request into that of the next hop, with this body.
    fn redirect(&self, request: &mut ClientRequest, redirect: Redirect, body: Body) {
        let parts = &mut request.parts;
        // RED-24, RED-25, RED-34: once removed they do not come back.
        if !parts.url.same_origin(&redirect.url) {
            for name in ["authorization", "cookie", "proxy-authorization", "host"] {
                parts.headers.remove(name);
            }
            parts.cookies.clear();
        }
        (parts.url, parts.method) = (redirect.url, redirect.method);
        parts.options = Arc::clone(&self.options);
        // RED-11.
        if parts.options.server_hostname.is_some() && !self.url.same_origin(&parts.url) {
            Arc::make_mut(&mut parts.options).server_hostname = None;
        }
        // RED-05, RED-10: what belongs to a body goes with it.
        if body.is_none() {
            for name in ["content-length", "transfer-encoding", "expect"] {
                parts.headers.remove(name);
            }
            if parts.options.sending.is_special() {
                let sending = &mut Arc::make_mut(&mut parts.options).sending;
                (sending.chunked, sending.expect100) = (false, false);
            }
        }
        request.body = body;
    }

    /// Sets the credentials that the next hop's URL has, or that the session has for where
    /// the request began (RED-28, RED-30).
    fn authorize(&self, parts: &mut RequestParts, context: &Context) -> Result<(), ClientError> {
        if let Some(credentials) = parts.url.userinfo().cloned() {
            return parts.authorize(&credentials);
        }
        if parts.headers.contains("authorization") {
            return Ok(());
        }
        let defaults = context.session.defaults();
        let scope = defaults.base_url.as_ref().unwrap_or(&self.url);
        match &defaults.basic_auth {
            Some(credentials) if scope.same_origin(&parts.url) => parts.authorize(credentials),
            _ => Ok(()),
        }
    }

    fn too_many(&mut self, response: &ClientResponse) -> ClientError {
        ClientResponseError {
            kind: ResponseErrorKind::TooManyRedirects,
            status: 0,
            message: "".into(),
            head: None,
            history: std::mem::take(&mut self.history),
            attempt: response.attempt(),
            body: Bytes::new(),
            handshake: None,
            source: None,
        }
        .into()
    }
}
