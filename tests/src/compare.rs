//! Comparison of JSON values, with a line for each difference.

use serde_json::Value;

/// Longer values are cut off in the report.
const SHOWN: usize = 300;

/// Returns the differences between two values, none when they are equal.
///
/// Object keys are unordered, lists are ordered, `1` and `1.0` differ.
#[must_use]
pub fn differences(want: &Value, got: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", want, got, &mut found);
    found
}

fn compare(path: &str, want: &Value, got: &Value, found: &mut Vec<String>) {
    match (want, got) {
        (Value::Object(wanted), Value::Object(gotten)) => {
            for (key, want) in wanted {
                match gotten.get(key) {
                    Some(got) => compare(&format!("{path}.{key}"), want, got, found),
                    None => found.push(format!("{path}.{key}: missing, want {}", shown(want))),
                }
            }
            for (key, got) in gotten.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
                found.push(format!("{path}.{key}: unexpected {}", shown(got)));
            }
        }
        (Value::Array(wanted), Value::Array(gotten)) => {
            for (index, (want, got)) in wanted.iter().zip(gotten).enumerate() {
                compare(&format!("{path}[{index}]"), want, got, found);
            }
            for (index, want) in wanted.iter().enumerate().skip(gotten.len()) {
                found.push(format!("{path}[{index}]: missing, want {}", shown(want)));
            }
            for (index, got) in gotten.iter().enumerate().skip(wanted.len()) {
                found.push(format!("{path}[{index}]: unexpected {}", shown(got)));
            }
        }
        (want, got) if want == got => {}
        (want, got) => found.push(format!("{path}: want {}, got {}", shown(want), shown(got))),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(want: &Value, got: &Value, lines: &[&str]) {
        assert_eq!(differences(want, got), lines, "{want} / {got}");
    }

    #[test]
    fn equal_values_have_no_differences() {
        check(
            &json!({"a": 1, "b": [null]}),
            &json!({"b": [null], "a": 1}),
            &[],
        );
    }

    #[test]
    fn differences_say_where_they_are() {
        check(
            &json!({"a": [1, 2]}),
            &json!({"a": [1, 3]}),
            &[".a[1]: want 2, got 3"],
        );
        check(&json!([1]), &json!([1, "x"]), &["[1]: unexpected \"x\""]);
        check(
            &json!([1, 2]),
            &json!([]),
            &["[0]: missing, want 1", "[1]: missing, want 2"],
        );
        check(
            &json!({"a": 1}),
            &json!({"b": 2}),
            &[".a: missing, want 1", ".b: unexpected 2"],
        );
        check(&json!(1), &json!(1.0), &[": want 1, got 1.0"]);
        check(&json!({}), &json!([]), &[": want {}, got []"]);
    }
}
