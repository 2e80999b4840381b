//! The two lists beside the scenarios: failures that a later step mends, and deviations by right.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Scenarios that cannot pass yet: `name: step N: why`, a line each.
#[derive(Clone, Debug, Default)]
pub struct ExpectedFailures {
    by_name: BTreeMap<String, String>,
}

/// Scenarios in which the client does otherwise by right: `name: rule: what it does`, a line each.
#[derive(Clone, Debug, Default)]
pub struct Deviations {
    by_name: BTreeMap<String, String>,
}

impl ExpectedFailures {
    /// Reads the list.
    ///
    /// # Errors
    ///
    /// Names the line that is not of the form above, or stands there twice.
    pub fn load(path: &Path) -> io::Result<Self> {
        Ok(Self {
            by_name: load(path)?,
        })
    }

    /// Returns the step and the reason of a listed scenario.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.by_name.get(name).map(String::as_str)
    }

    /// Returns the listed scenarios.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.by_name.keys()
    }
}

impl Deviations {
    /// Reads the list.
    ///
    /// # Errors
    ///
    /// Names the line that is not of the form above, or stands there twice.
    pub fn load(path: &Path) -> io::Result<Self> {
        Ok(Self {
            by_name: load(path)?,
        })
    }

    /// Returns the rule and the behaviour of a listed scenario.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.by_name.get(name).map(String::as_str)
    }
}

fn load(path: &Path) -> io::Result<BTreeMap<String, String>> {
    let of_file = |error: String| io::Error::other(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| of_file(error.to_string()))?;
    parse(&text).map_err(of_file)
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut by_name = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let malformed = || format!("not `name: rule or step: text`: {line:?}");
        let (name, rest) = line.split_once(": ").ok_or_else(malformed)?;
        rest.split_once(": ").ok_or_else(malformed)?;
        if by_name.insert(name.to_owned(), rest.to_owned()).is_some() {
            return Err(format!("listed twice: {name}"));
        }
    }
    Ok(by_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_three_parts() {
        let list = parse("# what\n\na-b: step 3: forms: all\n").expect("well formed");
        assert_eq!(
            list.get("a-b").map(String::as_str),
            Some("step 3: forms: all")
        );
        assert!(parse("a-b: step 3").is_err());
        assert!(parse("a: s: x\na: s: y").is_err());
    }
}
