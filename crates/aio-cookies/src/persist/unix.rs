//! What saving needs of a Unix.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

/// Who saves next makes the lock file anew.
pub(super) const REMOVES_LOCK: bool = true;

/// To read what may be no file at all: a pipe would wait for its writer.
pub(super) fn reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    options
}

/// To write a file that only its owner can read, and no other that a link leads to.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
    options
}

/// Tells whether `file` is what now has the name `path`.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(file), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    (file.dev(), file.ino()) == (there.dev(), there.ino())
}

/// Tells whether the lock file that was opened is one that somebody has put into a directory
/// for everyone, as `/tmp`, and may keep locked for good. None of ours can be written by others.
pub(super) fn is_trap(lock: &File, path: &Path) -> bool {
    const STICKY: u32 = 0o1000;
    let directory = fs::metadata(path.parent().unwrap_or(path));
    let is_for_everyone = directory.is_ok_and(|directory| directory.mode() & STICKY != 0);
    let is_writable = |lock: Metadata| lock.mode() & 0o022 != 0;
    is_for_everyone && lock.metadata().is_ok_and(is_writable)
}

/// Gives `file` the owner, the group and the mode of the one that it replaces. Where it cannot
/// have its owner or its group, it is for its own owner alone: whoever `old` let in is not
/// known there.
pub(super) fn make_like(file: &File, old: &Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    // The group first: who gives a file away cannot change it any more.
    let is_of_group = new.gid() == old.gid() || fchown(file, None, Some(old.gid())).is_ok();
    let is_of_owner = new.uid() == old.uid() || fchown(file, Some(old.uid()), None).is_ok();
    let kept = if is_of_group && is_of_owner {
        0o777
    } else {
        0o700
    };
    file.set_permissions(Permissions::from_mode(old.mode() & kept))
}

/// Writes to the disk that the files in a directory have their names.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    let directory = match File::open(directory) {
        // Files can be made in it, but not listed.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        directory => directory?,
    };
    match directory.sync_all() {
        // Some file systems know no such thing.
        Err(error) if is_unknown(&error) => Ok(()),
        synced => synced,
    }
}

fn is_unknown(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}
