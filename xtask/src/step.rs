//! One command of a chore: printed as one would type it, then run.

use std::env;
use std::fmt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A command with its arguments and the variables it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

/// Why a chore ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A command failed, and has said why; its exit code is ours.
    Command(u8),
    Message(String),
}

impl Step {
    /// A cargo command, its arguments parted by blanks: `Step::cargo("fmt --all")`.
    pub(crate) fn cargo(line: &str) -> Self {
        Self::new("cargo", line)
    }

    pub(crate) fn new(program: &str, line: &str) -> Self {
        Self {
            program: program.to_owned(),
            arguments: line.split_whitespace().map(str::to_owned).collect(),
            variables: Vec::new(),
        }
    }

    /// Adds one argument that may hold blanks.
    pub(crate) fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub(crate) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Prints the command and runs it in `directory`.
    pub(crate) fn run_in(&self, directory: &Path) -> Result<(), Failure> {
        println!("$ {self}");
        let mut command = self.command();
        command.current_dir(directory);
        // A step that asks a question would hang a run that nobody watches.
        command.stdin(Stdio::null());
        let status = command
            .status()
            .map_err(|error| Failure::Message(format!("cannot run {}: {error}", self.program)))?;
        if status.success() {
            return Ok(());
        }
        // A signal leaves no code.
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Err(Failure::Command(code.unwrap_or(1)))
    }

    /// Prints the command and starts it; what it prints is not shown.
    pub(crate) fn start(&self) -> Result<Child, Failure> {
        println!("$ {self} &");
        self.command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Failure::Message(format!("cannot run {}: {error}", self.program)))
    }

    /// What the command prints, without a word of its own; nothing if it fails.
    pub(crate) fn answer_in(&self, directory: &Path) -> Option<String> {
        let mut command = self.command();
        command.current_dir(directory).stdin(Stdio::null());
        let output = command.output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        // Those of `cargo run` would have cargo build again whatever looks at them, as ring does.
        for (name, _) in env::vars_os() {
            let bytes = name.as_encoded_bytes();
            if bytes.starts_with(b"CARGO_PKG_") || bytes.starts_with(b"CARGO_MANIFEST_") {
                command.env_remove(name);
            }
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(&quoted(&self.program))?;
        for argument in &self.arguments {
            write!(f, " {}", quoted(argument))?;
        }
        Ok(())
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,=+:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(step: &Step, want: &str) {
        assert_eq!(step.to_string(), want);
    }

    #[test]
    fn a_step_prints_as_one_would_type_it() {
        check(&Step::cargo("fmt --all"), "cargo fmt --all");
        check(&Step::cargo("run --").arg("a b"), "cargo run -- 'a b'");
        check(
            &Step::cargo("run --").arg("it's"),
            r"cargo run -- 'it'\''s'",
        );
        check(
            &Step::cargo("doc").variable("RUSTDOCFLAGS", "-D warnings"),
            "RUSTDOCFLAGS='-D warnings' cargo doc",
        );
    }

    #[test]
    fn a_failing_step_passes_its_exit_code_on() {
        let step = Step::new("sh", "-c").arg("exit 7");
        assert!(matches!(
            step.run_in(Path::new(".")),
            Err(Failure::Command(7))
        ));
    }

    #[test]
    fn an_answer_comes_from_a_command_that_works() {
        let here = Path::new(".");
        let answer = Step::new("echo", "v1").answer_in(here);
        assert_eq!(answer.as_deref(), Some("v1"));
        assert_eq!(Step::new("false", "").answer_in(here), None);
        assert_eq!(Step::new("no-such-program", "").answer_in(here), None);
    }
}
