//! `cargo xtask conformance [DIR ...]`: replays scenario files against the client.

use std::path::Path;

use crate::step::{Failure, Step};

/// Replays the files of `directories`, or the project's own when there are none.
pub(crate) fn run(directories: &[&str]) -> Result<(), Failure> {
    let step = directories
        .iter()
        .fold(replay(), |step, directory| step.arg(directory));
    // Where the caller stands, since a DIR is told from there.
    step.run_in(Path::new("."))
}

pub(crate) fn replay() -> Step {
    Step::cargo("run --quiet -p aio-tests --bin conformance --")
}
