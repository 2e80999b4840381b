//! Has processes that save the same file take turns.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::system;

/// How often a lock file may be another one than the one that was waited for: each time,
/// somebody else has saved. Where file systems number files anew all the time, it always is.
const MAX_TRIES: usize = 1000;

/// The turn of this process, or of this thread, until it is dropped.
///
/// What is locked is a file beside the one that is saved: that one is replaced, and on Windows
/// nobody could read it meanwhile. It is removed when the turn is over.
#[derive(Debug)]
pub(super) struct Turn {
    lock: File,
    path: PathBuf,
    /// Whether there was no lock file: whoever is killed leaves it.
    pub(super) is_after_none: bool,
}

impl Turn {
    /// Waits until nobody else holds the lock file `path`.
    pub(super) fn wait(path: &Path) -> io::Result<Self> {
        for _ in 0..MAX_TRIES {
            let Some((lock, is_new)) = open(path)? else {
                continue;
            };
            if let Err(error) = wait_for(&lock) {
                if is_new {
                    drop(fs::remove_file(path));
                }
                return Err(error);
            }
            // Who had it has removed it; by now there may be another one.
            if system::is_at(&lock, path) {
                return Ok(Self {
                    lock,
                    path: path.into(),
                    is_after_none: is_new,
                });
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if system::REMOVES_LOCK && system::is_at(&self.lock, &self.path) {
            drop(fs::remove_file(&self.path));
        }
        // A process that was forked meanwhile would keep it locked.
        drop(self.lock.unlock());
    }
}

/// Opens the lock file, unless it goes away meanwhile; tells whether it was made for this.
fn open(path: &Path) -> io::Result<Option<(File, bool)>> {
    match system::private().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return Ok(Some((made?, true))),
    }
    match system::private().open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => {
            let lock = opened?;
            if system::is_trap(&lock, path) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Ok(Some((lock, false)))
        }
    }
}

fn wait_for(lock: &File) -> io::Result<()> {
    loop {
        match lock.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            locked => return locked,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn who_is_done_leaves_the_lock_of_another() {
        let directory = std::env::temp_dir();
        let path = directory.join(format!("aio-cookies-{}.lock", std::process::id()));
        let turn = Turn::wait(&path).expect("nobody else has it");
        assert!(turn.is_after_none && path.exists());
        // As by who cleans up.
        fs::remove_file(&path).expect("it is there");
        File::create_new(&path).expect("it is not there");
        drop(turn);
        assert!(path.exists());
        let turn = Turn::wait(&path).expect("nobody else has it");
        assert!(!turn.is_after_none);
        drop(turn);
        assert!(!path.exists());
    }
}
