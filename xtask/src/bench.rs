//! `cargo xtask bench [NAME ...]`: runs the benchmarks, beside rivals.
//! `cargo xtask guard [--keep]`: counts instructions and allocations, without rivals.

use crate::step::{Failure, Step};
use crate::workspace::Workspace;

/// The benchmarks' manifest: a workspace of its own, so that the features
/// rivals ask of shared dependencies do not reach ours.
pub(crate) const MANIFEST: &str = "tests/bench/Cargo.toml";

/// Runs the benchmarks of these `names`, or all.
pub(crate) fn run(workspace: &Workspace, names: &[&str]) -> Result<(), Failure> {
    let line = format!("run --release --manifest-path {MANIFEST} --features rivals --");
    let step = names
        .iter()
        .fold(Step::cargo(&line), |step, name| step.arg(name));
    sharing_target(workspace, step).run_in(&workspace.root)
}

/// Compares what requests cost with what is kept in guard.txt, or, told to `keep`, writes it.
pub(crate) fn run_guard(workspace: &Workspace, keep: bool) -> Result<(), Failure> {
    let step = guard(workspace);
    let step = if keep { step.arg("--keep") } else { step };
    step.run_in(&workspace.root)
}

pub(crate) fn guard(workspace: &Workspace) -> Step {
    let line = format!("run --quiet --release --manifest-path {MANIFEST} -- guard");
    sharing_target(workspace, Step::cargo(&line))
}

/// One target directory for both workspaces: one place to look, one to delete.
pub(crate) fn sharing_target(workspace: &Workspace, step: Step) -> Step {
    step.variable("CARGO_TARGET_DIR", &workspace.target.to_string_lossy())
}
