//! What the suite found.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;

use super::failure;
use crate::step::Failure;

/// The results of one client.
#[derive(Debug)]
pub(super) struct Report {
    cases: BTreeMap<String, Case>,
    /// How many there should be.
    count: usize,
}

#[derive(Debug, Deserialize)]
struct Case {
    behavior: String,
    #[serde(rename = "behaviorClose")]
    close: String,
}

/// The suite's words for what is not to blame on the client.
const GOOD: [&str; 2] = ["OK", "INFORMATIONAL"];

impl Case {
    fn is_good(&self) -> bool {
        GOOD.contains(&self.behavior.as_str()) && GOOD.contains(&self.close.as_str())
    }
}

impl Report {
    /// Reads what the suite wrote of `agent`, which should have been put through `count`
    /// cases, or however many there are.
    pub(super) fn read(path: &Path, agent: &str, count: Option<usize>) -> Result<Self, Failure> {
        Self::parse(&super::read(path)?, agent, count)
    }

    fn parse(text: &str, agent: &str, count: Option<usize>) -> Result<Self, Failure> {
        let mut agents: BTreeMap<String, BTreeMap<String, Case>> =
            serde_json::from_str(text).map_err(failure("no report of the suite"))?;
        let cases = agents.remove(agent).unwrap_or_default();
        let count = count.unwrap_or(cases.len());
        Ok(Self { cases, count })
    }

    pub(super) fn is_clean(&self) -> bool {
        self.count > 0 && self.cases.len() == self.count && self.cases.values().all(Case::is_good)
    }

    fn with(&self, behavior: &str) -> usize {
        let cases = self.cases.values();
        cases.filter(|case| case.behavior == behavior).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.cases.values().filter(|case| case.is_good()).count();
        writeln!(
            f,
            "{passed} of {} cases passed ({} informational); {} non-strict, {} unimplemented, {} missing",
            self.count,
            self.with("INFORMATIONAL"),
            self.with("NON-STRICT"),
            self.with("UNIMPLEMENTED"),
            self.count.saturating_sub(self.cases.len()),
        )?;
        let mut bad: Vec<_> = self
            .cases
            .iter()
            .filter(|(_, case)| !case.is_good())
            .collect();
        bad.sort_by_key(|(id, _)| numbers(id));
        for (id, case) in bad {
            writeln!(f, "  {id}: {}, closed {}", case.behavior, case.close)?;
        }
        Ok(())
    }
}

/// `7.10.1` comes after `7.9.2`.
fn numbers(id: &str) -> Vec<u32> {
    id.split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{"us": {
        "7.10.1": {"behavior": "FAILED", "behaviorClose": "OK", "duration": 1},
        "7.9.2": {"behavior": "NON-STRICT", "behaviorClose": "OK"},
        "1.1.1": {"behavior": "OK", "behaviorClose": "OK"},
        "7.1.6": {"behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL"},
        "1.1.2": {"behavior": "OK", "behaviorClose": "UNCLEAN"}
    }}"#;

    #[track_caller]
    fn check(text: &str, count: Option<usize>, clean: bool, want: &str) {
        let report = Report::parse(text, "us", count).expect("a report");
        assert_eq!(
            (report.is_clean(), report.to_string().as_str()),
            (clean, want)
        );
    }

    #[test]
    fn what_is_not_good_is_told_in_the_order_of_the_cases() {
        check(
            REPORT,
            Some(7),
            false,
            "2 of 7 cases passed (1 informational); 1 non-strict, 0 unimplemented, 2 missing\n  \
             1.1.2: OK, closed UNCLEAN\n  7.9.2: NON-STRICT, closed OK\n  7.10.1: FAILED, closed OK\n",
        );
    }

    #[test]
    fn all_must_be_there_and_good() {
        let good = r#"{"us": {"1.1.1": {"behavior": "OK", "behaviorClose": "OK"}}}"#;
        let line = |count| {
            format!(
                "1 of {count} cases passed (0 informational); 0 non-strict, 0 unimplemented, {} missing\n",
                count - 1
            )
        };
        check(good, None, true, &line(1));
        check(good, Some(1), true, &line(1));
        check(good, Some(2), false, &line(2));
    }

    #[test]
    fn a_report_of_nothing_is_not_clean() {
        let none =
            "0 of 0 cases passed (0 informational); 0 non-strict, 0 unimplemented, 0 missing\n";
        check("{}", None, false, none);
    }
}
