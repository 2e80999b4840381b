//! What a run of the scenarios comes to: passed, failed and skipped, and why.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Outcome;

/// So many differences are shown of a failed scenario.
const SHOWN: usize = 12;

/// What an outcome counts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// As recorded.
    Passed,
    /// To be mended.
    Failed(String),
    /// Otherwise than recorded, by right; the right.
    Deviation(String),
    /// Not there yet; the step it comes in and why.
    ExpectedFailure(String),
}

impl Judgement {
    /// Judges an outcome by the scenario's entries in the two lists.
    #[must_use]
    pub fn of(outcome: &Outcome, expected: Option<&str>, deviation: Option<&str>) -> Self {
        match (outcome, expected, deviation) {
            (Outcome::Broken(error), _, _) => Self::Failed(error.clone()),
            (Outcome::Match, Some(_), _) => Self::Failed(
                "listed as an expected failure, but passes: take it off the list".into(),
            ),
            (Outcome::Match, None, _) => Self::Passed,
            (Outcome::Mismatch(_), None, Some(right)) => Self::Deviation(right.to_owned()),
            (Outcome::Hung(_), None, Some(right)) if right.starts_with("hangs: ") => {
                Self::Deviation(right.to_owned())
            }
            (_, Some(step), _) => Self::ExpectedFailure(step.to_owned()),
            (
                Outcome::Mismatch(differences)
                | Outcome::Hung(differences)
                | Outcome::Unable(differences),
                None,
                _,
            ) => Self::Failed(first_of(differences)),
        }
    }
}

fn first_of(differences: &[String]) -> String {
    let mut shown: Vec<_> = differences.iter().take(SHOWN).cloned().collect();
    if differences.len() > SHOWN {
        shown.push(format!("… and {} more", differences.len() - SHOWN));
    }
    shown.join("\n")
}

/// The judgements of a run, by scenario.
#[derive(Clone, Debug, Default)]
pub struct Report {
    judgements: BTreeMap<String, Judgement>,
}

impl Report {
    /// Adds a scenario.
    pub fn add(&mut self, name: String, judgement: Judgement) {
        self.judgements.insert(name, judgement);
    }

    /// Tells whether nothing failed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.count(|judgement| matches!(judgement, Judgement::Failed(_))) == 0
    }

    /// Writes failures, deviations and the closing line.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut steps = BTreeMap::<&str, usize>::new();
        for (name, judgement) in &self.judgements {
            match judgement {
                Judgement::Passed => {}
                Judgement::Failed(why) => {
                    writeln!(out, "FAILED {name}")?;
                    for line in why.lines() {
                        writeln!(out, "    {line}")?;
                    }
                }
                Judgement::Deviation(right) => writeln!(out, "deviation {name}: {right}")?,
                Judgement::ExpectedFailure(step) => {
                    *steps
                        .entry(step.split(": ").next().unwrap_or_default())
                        .or_default() += 1;
                }
            }
        }
        for (step, count) in steps {
            writeln!(out, "expected failures until {step}: {count}")?;
        }
        let passed = self.count(|judgement| *judgement == Judgement::Passed);
        let failed = self.count(|judgement| matches!(judgement, Judgement::Failed(_)));
        let skipped = self.judgements.len() - passed - failed;
        writeln!(out, "{passed} passed, {failed} failed, {skipped} skipped")
    }

    fn count(&self, is_counted: impl Fn(&Judgement) -> bool) -> usize {
        self.judgements
            .values()
            .filter(|judgement| is_counted(judgement))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(outcome: &Outcome, expected: Option<&str>, deviation: Option<&str>, want: &str) {
        let judgement = Judgement::of(outcome, expected, deviation);
        assert!(
            format!("{judgement:?}").starts_with(want),
            "{outcome:?}: {judgement:?}"
        );
    }

    #[test]
    fn lists_decide_what_a_mismatch_counts_as() {
        let (listed, right) = (Some("step 3: forms"), Some("RFC 9112: closes"));
        let mismatch = Outcome::Mismatch(vec!["x".into()]);
        check(&Outcome::Match, None, None, "Passed");
        check(&Outcome::Match, None, right, "Passed");
        check(&Outcome::Match, listed, None, "Failed");
        check(&mismatch, None, None, "Failed");
        check(&mismatch, listed, right, "ExpectedFailure");
        check(&mismatch, None, right, "Deviation");
    }

    #[test]
    fn inability_is_no_deviation_and_a_panic_is_never_expected() {
        let (listed, right) = (Some("step 3: forms"), Some("RFC 9112: closes"));
        let unable = Outcome::Unable(vec!["x".into()]);
        check(&unable, None, right, "Failed");
        check(&unable, listed, right, "ExpectedFailure");
        let hung = Outcome::Hung(vec!["x".into()]);
        check(&hung, None, right, "Failed");
        check(&hung, None, Some("hangs: not served"), "Deviation");
        check(&unable, None, Some("hangs: not served"), "Failed");
        check(&Outcome::Broken("panicked".into()), listed, right, "Failed");
    }

    #[test]
    fn the_closing_line_counts() {
        let mut report = Report::default();
        report.add("a".into(), Judgement::Passed);
        report.add("b".into(), Judgement::Deviation("r: w".into()));
        report.add("c".into(), Judgement::ExpectedFailure("step 3: w".into()));
        assert!(report.is_good());
        report.add("d".into(), Judgement::Failed("x\ny".into()));
        assert!(!report.is_good());

        let mut written = Vec::new();
        report.write(&mut written).expect("in memory");
        assert_eq!(
            String::from_utf8_lossy(&written),
            "deviation b: r: w\nFAILED d\n    x\n    y\nexpected failures until step 3: 1\n\
             1 passed, 1 failed, 2 skipped\n"
        );
    }
}
