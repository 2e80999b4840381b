//! The jar of Python's aiohttp, timed by a script of its own.

use std::{collections::HashMap, io, process::Command};

use super::{FOUND, OF_A_DOMAIN};
use crate::Fallible;

const SCRIPT: &str = include_str!("aiohttp_jar.py");

/// Returns the microseconds of a call by task, none where there is no aiohttp with a jar
/// that can be told to hold so many.
pub(super) fn measure() -> Fallible<HashMap<String, f64>> {
    let output = Command::new("python3")
        .args(["-c", SCRIPT, FOUND, &OF_A_DOMAIN.to_string()])
        .output();
    let output = match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        output => output?,
    };
    if !output.status.success() {
        return Err(format!("python3: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let line = |line: &str| {
        let (task, micros) = line.split_once(' ').ok_or("no task and time")?;
        Ok((task.to_owned(), micros.parse()?))
    };
    text.lines().map(line).collect()
}
