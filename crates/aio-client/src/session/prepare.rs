//! What a session adds to a request before it is sent: headers, parameters, credentials.

use aio_connector::{Phase, Proxy, SharedTimer};
use aio_core::BasicAuth;

use super::send::attempt;
use super::{ClientSession, Context};
use crate::deadline::Deadlines;
use crate::error::{ClientError, UsageError};
use crate::netrc;
use crate::request::RequestParts;

/// Puts the session's headers and parameters under the request's own, and the credentials
/// that the request names, or else the session's, into its headers.
pub(super) fn merge_defaults(
    session: &ClientSession,
    request: &mut RequestParts,
) -> Result<(), ClientError> {
    let defaults = session.defaults();
    if let Some(options) = &request.options.proxy {
        request.proxy = options.proxy()?;
    }
    if !defaults.headers.is_empty() {
        let own = std::mem::replace(&mut request.headers, defaults.headers.clone());
        request.headers.merge(&own);
    }
    if !defaults.params.is_empty() {
        request.url = request.url.clone().with_missing_params(&defaults.params);
    }
    let of_session = || {
        defaults
            .basic_auth
            .as_ref()
            .filter(|_| session.may_authorize(request))
    };
    let credentials = match (request.url.userinfo(), request.authorization.as_deref()) {
        // REQ-16.
        (Some(_), Some(_)) => return Err(UsageError::TwoAuths.into()),
        (in_url, given) => in_url.or(given).or_else(of_session),
    };
    let Some(credentials) = credentials.cloned() else {
        return Ok(());
    };
    if request.headers.contains("authorization") {
        return Err(UsageError::TwoAuths.into());
    }
    request.authorization = None;
    request.authorize(&credentials)
}

impl ClientSession {
    /// Tells whether the session's credentials may go where the request goes (SES-14).
    fn may_authorize(&self, request: &RequestParts) -> bool {
        let base = self.defaults().base_url.as_ref();
        base.is_none_or(|base| base.same_origin(&request.url))
    }
}

impl RequestParts {
    /// Sets the `Authorization` header: one as any other from here on, which middlewares
    /// may change.
    pub(super) fn authorize(&mut self, credentials: &BasicAuth) -> Result<(), ClientError> {
        let credentials = credentials.encode().map_err(UsageError::from)?;
        let set = self.headers.insert("Authorization", credentials);
        Ok(set.map_err(UsageError::from)?)
    }
}

/// Looks into the environment within `total`: for credentials, if a request has none, and
/// for the proxy of this hop, if the request names none itself.
pub(super) async fn ask_environment(
    request: &mut RequestParts,
    context: &Context,
) -> Result<(), ClientError> {
    if request.options.asks_for_proxy() {
        request.proxy = proxy_of_environment(request, context).await?;
    }
    if request.headers.contains("authorization") {
        return Ok(());
    }
    match look_for_credentials(request.url.host(), request, context).await? {
        Some(credentials) => request.authorize(&credentials),
        None => Ok(()),
    }
}

/// RED-33, CON-97: looked for with each hop, so that none is told what is another's.
async fn proxy_of_environment(
    request: &RequestParts,
    context: &Context,
) -> Result<Option<Proxy>, ClientError> {
    let Some(proxy) = context.session.environment().find_proxy(&request.url)? else {
        return Ok(None);
    };
    if proxy.authorization().is_some() {
        return Ok(Some(proxy.clone()));
    }
    // CON-95.
    match look_for_credentials(proxy.url().host(), request, context).await? {
        Some(credentials) => Ok(Some(proxy.clone().auth(&credentials)?)),
        None => Ok(Some(proxy.clone())),
    }
}

async fn look_for_credentials(
    host: &str,
    request: &RequestParts,
    context: &Context,
) -> Result<Option<BasicAuth>, ClientError> {
    let Deadlines { total, started } = context.deadlines;
    let looking = netrc::credentials(context.session.environment(), host);
    match SharedTimer::default().within(total, looking).await {
        Some(found) => Ok(found),
        None => {
            let attempt = attempt(&request.url, started, Phase::Pool, false);
            Err(ClientError::Timeout(Box::new(attempt)))
        }
    }
}
