//! A scenario file: servers, a program of client calls, and what should come of it.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

/// One scenario as read from its file; placeholders are not filled yet.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file name without `.json`.
    pub name: String,
    /// The behaviour, in one line.
    pub about: String,
    /// Each server by name, see [`ServerScript`](crate::script::ServerScript).
    pub servers: Map<String, Value>,
    /// The table of the resolver.
    pub resolve: Map<String, Value>,
    /// The environment variables that the client sees.
    pub env: Map<String, Value>,
    /// The text of the netrc file that the client sees.
    pub netrc: Option<String>,
    /// The options of the session.
    pub session: Map<String, Value>,
    /// The client's calls, one after the other.
    pub ops: Vec<Value>,
    /// What the calls should yield and the servers should see: `{"ops", "wire"}`.
    pub expect: Value,
    /// Why a client may sensibly do otherwise.
    pub deviation_ok: Option<String>,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the file: unreadable, no JSON, a part is
    /// missing, of the wrong type or unknown.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = fs::read(path).map_err(|error| error.to_string())?;
        let mut parts: Map<String, Value> =
            serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let scenario = Self {
            name: text_part(&mut parts, "name")?.ok_or("no name")?,
            about: text_part(&mut parts, "about")?.ok_or("no about")?,
            servers: object_part(&mut parts, "servers")?,
            resolve: object_part(&mut parts, "resolve")?,
            env: object_part(&mut parts, "env")?,
            netrc: text_part(&mut parts, "netrc")?,
            session: object_part(&mut parts, "session")?,
            ops: match parts.remove("ops") {
                Some(Value::Array(ops)) => ops,
                _ => return Err("no list of ops".into()),
            },
            expect: parts.remove("expect").ok_or("no expect")?,
            deviation_ok: text_part(&mut parts, "deviation_ok")?,
        };
        let area = text_part(&mut parts, "area")?;
        if area.as_deref() != Some(scenario.area()) {
            return Err(format!(
                "area {area:?} does not go with the name {:?}",
                scenario.name
            ));
        }
        // For the check of Digest responses, which comes with digest itself.
        parts.remove("digest_credentials");
        match parts.keys().next() {
            Some(unknown) => Err(format!("unknown part {unknown:?}")),
            None => Ok(scenario),
        }
    }

    /// Returns the part of the name before the first `-`.
    #[must_use]
    pub fn area(&self) -> &str {
        self.name.split('-').next().unwrap_or_default()
    }

    /// Tells whether any `headers` of the session or of an op set this header.
    #[must_use]
    pub fn sets_header(&self, name: &str) -> bool {
        let session = self
            .session
            .iter()
            .any(|(key, value)| entry_sets_header(key, value, name));
        session || self.ops.iter().any(|op| value_sets_header(op, name))
    }
}

fn value_sets_header(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| entry_sets_header(key, value, name)),
        Value::Array(items) => items.iter().any(|item| value_sets_header(item, name)),
        _ => false,
    }
}

fn entry_sets_header(key: &str, value: &Value, name: &str) -> bool {
    let is_wanted = |header: &str| header.eq_ignore_ascii_case(name);
    let sets = match value {
        Value::Object(headers) => headers.keys().any(|header| is_wanted(header)),
        Value::Array(pairs) => pairs
            .iter()
            .any(|pair| pair[0].as_str().is_some_and(is_wanted)),
        _ => false,
    };
    let is_headers = key == "headers" || key == "proxy_headers";
    (is_headers && sets) || value_sets_header(value, name)
}

fn text_part(parts: &mut Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match parts.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("{key} is no text: {other}")),
    }
}

fn object_part(parts: &mut Map<String, Value>, key: &str) -> Result<Map<String, Value>, String> {
    match parts.remove(key) {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(other) => Err(format!("{key} is no object: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with_ops(ops: Value) -> Scenario {
        Scenario {
            name: "a-b".into(),
            about: String::new(),
            servers: Map::new(),
            resolve: Map::new(),
            env: Map::new(),
            netrc: None,
            session: Map::new(),
            ops: vec![ops],
            expect: Value::Null,
            deviation_ok: None,
        }
    }

    #[test]
    fn set_headers_are_found_at_any_depth() {
        let object = json!({"op": "concurrent", "ops": [[{"headers": {"User-Agent": "x"}}]]});
        let pairs = json!({"proxy_headers": [["user-agent", "x"]]});
        let elsewhere = json!({"json": {"user-agent": "x"}, "headers": {"x": "user-agent"}});
        assert!(with_ops(object).sets_header("user-agent"));
        assert!(with_ops(pairs).sets_header("user-agent"));
        assert!(!with_ops(elsewhere).sets_header("user-agent"));
    }
}
