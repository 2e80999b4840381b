//! The client side of a scenario: one session, and what its calls yield as JSON.

use serde_json::{Map, Value, json};

/// What the session of a scenario is made of; placeholders are filled.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The options of the session.
    pub session: Map<String, Value>,
    /// The table of the resolver, without `localhost`.
    pub resolve: Map<String, Value>,
    /// The environment variables that the client sees, `NETRC` among them.
    pub env: Vec<(String, String)>,
}

/// The session of a scenario.
#[derive(Debug)]
pub struct Client {}

impl Client {
    /// Opens the session.
    ///
    /// # Errors
    ///
    /// Names the option that the client does not have, or refuses.
    pub fn open(_setup: &Setup) -> Result<Self, String> {
        Ok(Self {})
    }

    /// Makes one call and returns its result.
    ///
    /// A call or an option that the client does not have yields
    /// `{"unsupported": …}`, which is the result of no scenario.
    pub async fn call(&self, op: &Value) -> Value {
        json!({"unsupported": op["op"]})
    }

    /// Closes the session.
    pub async fn close(&self) {}
}
