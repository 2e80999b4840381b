//! The port of every server of a scenario, put into texts (`{a}`, `{a.port}`) and taken out again.

use serde_json::{Map, Value};

/// Server names and the ports they listen on, in the order of the scenario file.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    ports: Vec<(String, u16)>,
}

impl Ports {
    /// Notes the port of a server.
    pub fn add(&mut self, server: &str, port: u16) {
        self.ports.push((server.to_owned(), port));
    }

    /// Returns the port of a server.
    #[must_use]
    pub fn port(&self, server: &str) -> Option<u16> {
        let known = self.ports.iter().find(|(name, _)| name == server);
        known.map(|(_, port)| *port)
    }

    /// Puts addresses and ports in the place of `{a}` and `{a.port}`.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (name, port) in &self.ports {
            filled = filled.replace(&format!("{{{name}}}"), &format!("127.0.0.1:{port}"));
            filled = filled.replace(&format!("{{{name}.port}}"), &port.to_string());
        }
        filled
    }

    /// Does [`fill`](Self::fill) to every string of a value, object keys included.
    #[must_use]
    pub fn fill_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_value(item)).collect(),
            Value::Object(map) => {
                let filled =
                    |(key, item): (&String, &Value)| (self.fill(key), self.fill_value(item));
                Value::Object(map.iter().map(filled).collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    /// Puts the placeholders back in the place of addresses and ports.
    #[must_use]
    pub fn unfill(&self, text: &str) -> String {
        let mut unfilled = text.to_owned();
        for (name, port) in &self.ports {
            let placeholder = format!("{{{name}.port}}");
            unfilled = replace_number(&unfilled, &port.to_string(), &placeholder);
            unfilled =
                unfilled.replace(&format!("127.0.0.1:{placeholder}"), &format!("{{{name}}}"));
        }
        unfilled
    }

    /// Does [`unfill`](Self::unfill) to every string of a value but its object keys.
    #[must_use]
    pub fn unfill_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.unfill(text)),
            Value::Array(items) => items.iter().map(|item| self.unfill_value(item)).collect(),
            Value::Object(map) => {
                let unfilled =
                    |(key, item): (&String, &Value)| (key.clone(), self.unfill_value(item));
                Value::Object(map.iter().map(unfilled).collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }
}

/// Replaces `number` where no digit stands before or after it.
fn replace_number(text: &str, number: &str, with: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_digit = false;
    while let Some(at) = rest.find(number) {
        let (before, found) = rest.split_at(at);
        let behind = found
            .strip_prefix(number)
            .expect("found by this very search");
        if let Some(last) = before.chars().last() {
            after_digit = last.is_ascii_digit();
        }
        let alone = !after_digit && !behind.starts_with(|next: char| next.is_ascii_digit());
        replaced.push_str(before);
        replaced.push_str(if alone { with } else { number });
        after_digit = !alone;
        rest = behind;
    }
    replaced.push_str(rest);
    replaced
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ports() -> Ports {
        Ports {
            ports: vec![("a".into(), 4444), ("b".into(), 8080)],
        }
    }

    #[track_caller]
    fn check(filled: &str, placeholders: &str) {
        assert_eq!(ports().unfill(filled), placeholders, "{filled:?}");
        assert_eq!(ports().fill(placeholders), filled, "{placeholders:?}");
    }

    #[test]
    fn placeholders_go_both_ways() {
        check("http://127.0.0.1:4444/x", "http://{a}/x");
        check("http://h.test:8080/", "http://h.test:{b.port}/");
        check("127.0.0.1:8080, 127.0.0.1:4444", "{b}, {a}");
        check("{c} {", "{c} {");
    }

    #[test]
    fn a_port_inside_a_longer_number_stays() {
        check("44440", "44440");
        check("14444", "14444");
        check("44444444", "44444444");
        check("x4444x", "x{a.port}x");
        check("4444 4444", "{a.port} {a.port}");
    }

    #[test]
    fn keys_are_filled_but_not_unfilled() {
        let filled = json!({"4444": ["127.0.0.1:4444", 4444, null]});
        assert_eq!(
            ports().fill_value(&json!({"{a.port}": ["{a}", 4444, null]})),
            filled
        );
        assert_eq!(
            ports().unfill_value(&filled),
            json!({"4444": ["{a}", 4444, null]})
        );
    }
}
