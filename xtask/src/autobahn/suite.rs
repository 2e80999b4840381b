//! Where the suite comes from: it is a program for CPython 2.7, which pip installs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::failure;
use crate::step::{Failure, Step};
use crate::workspace::Workspace;

/// The last one that makes environments of Python 2.7.
const VIRTUALENV: &str = "virtualenv==20.21.1";

const REQUIREMENTS: &str = "tests/data/autobahn/requirements.txt";

/// The suite as installed.
#[derive(Debug)]
pub(super) struct Suite {
    program: PathBuf,
}

impl Suite {
    /// Installs the suite below `home`, unless an earlier run did.
    pub(super) fn install(workspace: &Workspace, home: &Path) -> Result<Self, Failure> {
        let wanted = super::read(&workspace.root.join(REQUIREMENTS))?;
        let done = home.join("installed.txt");
        let environment = home.join("python2");
        let suite = Self {
            program: environment.join("bin/wstest"),
        };
        if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
            return Ok(suite);
        }
        let python = python().ok_or_else(|| {
            Failure::Message("there is no Python 2.7: PYTHON27 may say where one is".to_owned())
        })?;
        if home.exists() {
            fs::remove_dir_all(home).map_err(failure("cannot remove what is half installed"))?;
        }
        let tool = home.join("virtualenv");
        let steps = [
            Step::new("python3", "-m venv").arg(&text(&tool)),
            Step::new(&text(&tool.join("bin/pip")), "install --quiet").arg(VIRTUALENV),
            Step::new(
                &text(&tool.join("bin/virtualenv")),
                "--quiet --no-periodic-update --python",
            )
            .arg(&text(&python))
            .arg(&text(&environment)),
            // It warns of its own age.
            Step::new(
                &text(&environment.join("bin/python")),
                "-W ignore -m pip --quiet --quiet install --requirement",
            )
            .arg(REQUIREMENTS),
        ];
        for step in steps {
            step.run_in(&workspace.root)?;
        }
        fs::write(&done, wanted).map_err(failure("cannot say that the suite is installed"))?;
        Ok(suite)
    }

    /// The command that serves what `settings` name, and no page of the web.
    pub(super) fn server(&self, settings: &Path) -> Step {
        Step::new(
            &text(&self.program),
            "--mode fuzzingserver --webport 0 --spec",
        )
        .arg(&text(settings))
    }
}

/// A CPython 2.7 of this machine.
pub(crate) fn python() -> Option<PathBuf> {
    let named = env::var_os("PYTHON27").map(PathBuf::from);
    let pyenv = env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".pyenv")));
    let versions = pyenv
        .and_then(|root| fs::read_dir(root.join("versions")).ok())
        .into_iter()
        .flatten()
        .flatten()
        .filter(|version| version.file_name().to_string_lossy().starts_with("2.7."))
        .map(|version| version.path().join("bin/python2.7"));
    named
        .into_iter()
        .chain(versions)
        .chain([PathBuf::from("python2.7")])
        .find(|python| is_2_7(python))
}

fn is_2_7(python: &Path) -> bool {
    let answer = Command::new(python)
        .args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
        .output();
    answer.is_ok_and(|answer| answer.status.success() && answer.stdout.trim_ascii() == b"2.7")
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
