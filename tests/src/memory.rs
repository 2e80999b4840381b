//! What this process has in RAM, as the system counts it.

use std::fs;
use std::io;

/// Returns what this process has in RAM, in KiB.
///
/// # Errors
///
/// If the system does not say; only Linux does.
pub fn in_ram() -> io::Result<u64> {
    status("VmRSS:")
}

/// Returns the most that this process has had in RAM, in KiB.
///
/// # Errors
///
/// As [`in_ram`].
pub fn peak_in_ram() -> io::Result<u64> {
    status("VmHWM:")
}

fn status(name: &str) -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let size = line.and_then(|line| line.split_whitespace().next());
    let size = size.and_then(|size| size.parse().ok());
    size.ok_or_else(|| io::Error::other("the system does not say what is in RAM"))
}
