//! Replays conformance scenarios: `conformance [--only PART]… [DIR]…`.
#![expect(clippy::print_stderr, reason = "a command says what is wrong")]

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use aio_tests::replay::{replay_dirs, replay_own};

fn main() -> ExitCode {
    match replay() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn replay() -> io::Result<bool> {
    let (mut dirs, mut only) = (Vec::new(), Vec::new());
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--only" {
            only.push(
                args.next()
                    .ok_or_else(|| io::Error::other("--only needs a part of a name"))?,
            );
        } else {
            dirs.push(PathBuf::from(arg));
        }
    }
    let mut out = io::stdout();
    let report = if dirs.is_empty() {
        replay_own(&only, &mut out)?
    } else {
        replay_dirs(&dirs, &only, &mut out)?
    };
    report.write(&mut out)?;
    Ok(report.is_good())
}
