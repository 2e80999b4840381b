//! `cargo xtask bomb`, `download`, `fairness`, `idle`, `sockets` and `upload`: measure
//! what stands and falls with a whole process.

use crate::step::{Failure, Step};
use crate::workspace::Workspace;

/// Runs a measuring program of the tests, as users would build it.
pub(crate) fn run(workspace: &Workspace, program: &str) -> Result<(), Failure> {
    let line = format!("run --release --quiet -p aio-tests --bin {program}");
    Step::cargo(&line).run_in(&workspace.root)
}
