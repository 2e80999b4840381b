//! What saving needs of other systems: files have the rights of their directory.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Whether an open file still has its name is not to be known.
pub(super) const REMOVES_LOCK: bool = false;

pub(super) fn reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    options
}

pub(super) fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

pub(super) fn is_trap(_lock: &File, _path: &Path) -> bool {
    false
}

#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(super) fn make_like(_file: &File, _old: &Metadata) -> io::Result<()> {
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(super) fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}
