//! The client side of a scenario: one session, and what its calls yield as JSON.

mod cookies;
mod options;
mod outcome;
mod reading;
mod request;
mod resolver;
mod session;
mod upload;
mod websocket;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aio_client::{ClientResponse, ClientSession, CookieJar, Limits};
use serde_json::{Map, Value, json};

use self::outcome::{error_out, head_out};
use self::reading::{ReadMode, Reading};
use self::websocket::Sockets;

/// What the session of a scenario is made of; placeholders are filled.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The options of the session.
    pub session: Map<String, Value>,
    /// The table of the resolver, without `localhost`.
    pub resolve: Map<String, Value>,
    /// The environment variables that the client sees, `NETRC` among them.
    pub env: Vec<(String, String)>,
    /// Whether calls are made at the same time, so that WebSockets are split for them.
    pub concurrent: bool,
}

/// The session of a scenario, with the responses that outlive their call.
#[derive(Debug)]
pub struct Client {
    session: ClientSession,
    /// That of the session, if it keeps cookies.
    jar: Option<Arc<CookieJar>>,
    /// Those of the session; a request changes some of them.
    limits: Limits,
    /// Those of the session.
    options: Map<String, Value>,
    /// For a later `read`, by name.
    held: Mutex<HashMap<String, ClientResponse>>,
    /// Left alone until the scenario is over.
    kept: Mutex<Vec<ClientResponse>>,
    sockets: Sockets,
    concurrent: bool,
}

impl Client {
    /// Opens the session.
    ///
    /// # Errors
    ///
    /// Names the option that the client does not have, or refuses.
    pub fn open(setup: &Setup) -> Result<Self, String> {
        let limits = options::limits(&setup.session, Limits::default())?;
        let jar = session::cookie_jar(setup)?;
        Ok(Self {
            session: session::open(setup, limits, jar.clone())?,
            jar,
            limits,
            options: setup.session.clone(),
            held: Mutex::default(),
            kept: Mutex::default(),
            sockets: Sockets::default(),
            concurrent: setup.concurrent,
        })
    }

    /// Makes one call and returns its result.
    ///
    /// A call or an option that the client does not have yields
    /// `{"unsupported": …}`, which is the result of no scenario.
    pub async fn call(&self, op: &Value) -> Value {
        let result = match op["op"].as_str() {
            Some("request") => self.request(op).await,
            Some("read") => self.read_held(op).await,
            Some("cookies" | "jar_update" | "jar_headers" | "jar_clear" | "jar_reload") => {
                cookies::call(self.jar.as_deref(), op)
            }
            Some(kind) if kind.starts_with("ws_") => {
                let sockets = &self.sockets;
                sockets.call(&self.session, self.concurrent, op).await
            }
            Some("close") => {
                self.session.close().await;
                Ok(json!({"closed": self.session.is_closed()}))
            }
            _ => Err(format!("op {}", op["op"])),
        };
        result.unwrap_or_else(|missing| json!({"unsupported": missing}))
    }

    /// Closes the session.
    pub async fn close(&self) {
        self.session.close().await;
    }

    async fn request(&self, op: &Value) -> Result<Value, String> {
        let builder = request::build(&self.session, self.limits, op)?;
        let reading = Reading::parse(op)?.or_bufsize_of(&self.options)?;
        let mut response = match builder.await {
            Ok(response) => response,
            Err(error) => return Ok(error_out(&error)),
        };
        let mut result = head_out(&response);
        if op["check"] == true
            && let Err(error) = response.raise_for_status()
        {
            result.insert("check_error".into(), error_out(&error));
            return Ok(result.into());
        }
        if let Some(name) = op["hold"].as_str() {
            self.hold(name, response);
            return Ok(result.into());
        }
        result.append(&mut reading.read(&mut response).await);
        if reading.mode == ReadMode::None {
            lock(&self.kept).push(response);
        }
        Ok(result.into())
    }

    async fn read_held(&self, op: &Value) -> Result<Value, String> {
        let reading = Reading::parse(op)?.or_bufsize_of(&self.options)?;
        let name = op["from"].as_str().ok_or("read from nothing")?;
        let held = lock(&self.held).remove(name);
        let mut response = held.ok_or_else(|| format!("no response is held as {name:?}"))?;
        let result = reading.read(&mut response).await;
        self.hold(name, response);
        Ok(result.into())
    }

    fn hold(&self, name: &str, response: ClientResponse) {
        lock(&self.held).insert(name.to_owned(), response);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
