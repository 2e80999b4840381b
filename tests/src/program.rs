//! Runs the calls of a scenario: one after the other, or some at the same time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::Client;
use crate::events::Events;

/// How long one call may take before it counts as hung.
const OP_LIMIT: Duration = Duration::from_secs(8);

/// The client of a scenario with the events it shares with the servers; a clone is the same.
#[derive(Clone, Debug)]
pub struct Program {
    /// The session.
    pub client: Arc<Client>,
    /// The events that calls and scripts share.
    pub events: Events,
}

impl Program {
    /// Runs one call and returns its result; one that hangs yields `{"harness_timeout": true}`.
    pub async fn run(&self, op: &Value) -> Value {
        let result = timeout(OP_LIMIT, self.run_unlimited(op)).await;
        result.unwrap_or_else(|_| json!({"harness_timeout": true}))
    }

    async fn run_unlimited(&self, op: &Value) -> Value {
        let unsupported = || json!({"unsupported": op});
        match op["op"].as_str() {
            Some("sleep") => {
                let seconds = op["s"]
                    .as_f64()
                    .and_then(|s| Duration::try_from_secs_f64(s).ok());
                let Some(seconds) = seconds else {
                    return unsupported();
                };
                sleep(seconds).await;
                json!({})
            }
            Some("signal") => {
                let Some(name) = op["name"].as_str() else {
                    return unsupported();
                };
                self.events.signal(name);
                json!({})
            }
            Some("wait") => {
                let Some(name) = op["name"].as_str() else {
                    return unsupported();
                };
                self.events.wait(name).await;
                json!({})
            }
            Some("concurrent") => match op["ops"].as_array() {
                Some(branches) => self.run_branches(branches).await,
                None => unsupported(),
            },
            _ => self.client.call(op).await,
        }
    }

    /// Starts the branches in their order; on one thread each runs to its first wait before the next.
    async fn run_branches(&self, branches: &[Value]) -> Value {
        let mut running = JoinSet::new();
        for (index, branch) in branches.iter().enumerate() {
            let branch = self.clone().run_branch(branch.clone());
            running.spawn(async move { (index, branch.await) });
        }
        let mut results = vec![Value::Null; branches.len()];
        while let Some(finished) = running.join_next().await {
            match finished {
                Ok((index, result)) => results[index] = result,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(error) => return json!({"unsupported": error.to_string()}),
            }
        }
        json!({"results": results})
    }

    /// Boxed, because a branch may itself have branches.
    fn run_branch(self, branch: Value) -> Pin<Box<dyn Future<Output = Value> + Send>> {
        Box::pin(async move {
            let Value::Array(ops) = &branch else {
                return self.run(&branch).await;
            };
            let mut results = Vec::with_capacity(ops.len());
            for op in ops {
                results.push(self.run(op).await);
            }
            results.into()
        })
    }
}
