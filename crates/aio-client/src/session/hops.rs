//! From one hop of a request to the next: what a redirect changes (SPEC §3).

use std::sync::Arc;

use aio_core::{Body, PayloadError, RequestUrl};

use super::Context;
use crate::error::{ClientError, ClientPayloadError, ClientResponseError, ResponseErrorKind};
use crate::options::RequestOptions;
use crate::redirect::{Redirect, RedirectAction, RedirectHop, is_redirect};
use crate::request::ClientRequest;
use crate::response::{ClientResponse, ResponseHead};
use crate::trace::Event;

/// The way of a request through its redirects.
#[derive(Debug)]
pub(super) struct Hops {
    /// Whether redirects are followed at all.
    follows: bool,
    /// The body for the hops to come; absent if the first one has used it up.
    body: Option<Body>,
    history: Vec<ResponseHead>,
    /// How the request began, once it has been redirected.
    first: Option<Box<First>>,
}

#[derive(Debug)]
struct First {
    url: RequestUrl,
    options: Arc<RequestOptions>,
}

impl Hops {
    pub(super) fn new(request: &ClientRequest) -> Self {
        let follows = request.parts.options.redirects.allow.unwrap_or(true);
        Self {
            follows,
            body: if follows {
                request.body.try_clone()
            } else {
                None
            },
            history: Vec::new(),
            first: None,
        }
    }

    /// Tells whether a response with this status has a hop behind it.
    pub(super) fn follows(&self, status: http::StatusCode) -> bool {
        self.follows && is_redirect(status)
    }

    /// Gives the redirects on the way to the final response.
    pub(super) fn into_history(self) -> Vec<ResponseHead> {
        self.history
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
        self.history.push(head.clone());
        let max = request.parts.options.redirects.max;
        if max != 0 && self.history.len() >= max {
            response.close();
            return Err(self.too_many(&response));
        }
        let redirect = Redirect::of(&request.parts, head.status(), head.headers());
        let Some(mut redirect) = redirect.transpose() else {
            return Ok(Some(response));
        };
        if let (Ok(redirect), Some(policy)) =
            (&mut redirect, &request.parts.options.redirects.policy)
        {
            let (_, before) = self.history.split_last().unwrap_or((&head, &[]));
            let hop = RedirectHop {
                response: &head,
                history: before,
                url: &redirect.url,
                method: &redirect.method,
            };
            match policy.judge(&hop) {
                RedirectAction::Follow => {}
                RedirectAction::KeepMethod => {
                    redirect.method = request.parts.method.clone();
                    redirect.keeps_body = true;
                }
                RedirectAction::Stop => {
                    self.history.pop();
                    return Ok(Some(response));
                }
            }
        }
        let attempt = response.attempt();
        response.release();
        let redirect = redirect.map_err(ClientError::Redirect)?;
        self.redirect(request, redirect).map_err(|source| {
            ClientError::Payload(Box::new(ClientPayloadError { source, attempt }))
        })?;
        self.authorize(request, context)?;
        Ok(None)
    }

    /// Turns the request into that of the next hop.
    fn redirect(
        &mut self,
        request: &mut ClientRequest,
        redirect: Redirect,
    ) -> Result<(), PayloadError> {
        let parts = &mut request.parts;
        let first = self.first.get_or_insert_with(|| {
            Box::new(First {
                url: parts.url.clone(),
                options: Arc::clone(&parts.options),
            })
        });
        // RED-24, RED-25, RED-34: once removed they do not come back.
        if !parts.url.same_origin(&redirect.url) {
            for name in ["authorization", "cookie", "proxy-authorization", "host"] {
                parts.headers.remove(name);
            }
            parts.cookies.clear();
        }
        (parts.url, parts.method) = (redirect.url, redirect.method);
        parts.options = Arc::clone(&first.options);
        // RED-11.
        if parts.options.server_hostname.is_some() && !first.url.same_origin(&parts.url) {
            Arc::make_mut(&mut parts.options).server_hostname = None;
        }
        if !redirect.keeps_body {
            self.body = Some(Body::none());
        }
        let unsent = std::mem::take(&mut request.body);
        let body = match self.body.as_ref().and_then(Body::try_clone) {
            Some(body) => body,
            None if !unsent.is_none() => unsent,
            None => return Err(PayloadError::NotReplayable),
        };
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
        Ok(())
    }

    /// Sets the credentials that the next hop's URL has, or that the session has for where
    /// the request began (RED-28, RED-30).
    fn authorize(&self, request: &mut ClientRequest, context: &Context) -> Result<(), ClientError> {
        let parts = &mut request.parts;
        if let Some(credentials) = parts.url.userinfo().cloned() {
            return parts.authorize(&credentials);
        }
        if parts.headers.contains("authorization") {
            return Ok(());
        }
        let defaults = context.session.defaults();
        let scope = defaults
            .base_url
            .as_ref()
            .or(self.first.as_ref().map(|first| &first.url));
        match &defaults.basic_auth {
            Some(credentials) if scope.is_some_and(|scope| scope.same_origin(&parts.url)) => {
                parts.authorize(credentials)
            }
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
            source: None,
        }
        .into()
    }
}
