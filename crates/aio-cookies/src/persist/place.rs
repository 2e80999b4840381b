//! Reads a file of cookies, and gives it another content all at once.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::turn::Turn;
use super::{CookieFileProblem, system};

/// More than 3300 cookies of the largest size take up in any format.
pub(super) const MAX_FILE: u64 = 256 * 1024 * 1024;

/// As many links in a row as Linux follows.
const MAX_LINKS: usize = 40;

/// No file system has names of less than 143 octets: the name of a file beside another has so
/// much of its name, two numbers, and what it is for. Files that share it take turns, too.
const MAX_SHARED_NAME: usize = 96;

/// A file that may be replaced.
pub(super) struct Place {
    file: PathBuf,
    /// What the names of files beside it begin with.
    prefix: String,
    /// None where files cannot be locked.
    turn: Option<Turn>,
}

impl Place {
    /// Waits until it is the turn of this process to save `path`.
    pub(super) fn wait(path: &Path) -> io::Result<Self> {
        // The system is asked first: in directories that are for everyone, it may refuse to
        // follow the links of others.
        regular(path)?;
        let file = behind_links(path);
        let Some(name) = file.file_name() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no name of a file",
            ));
        };
        let mut shared = name.to_string_lossy().into_owned();
        while shared.len() > MAX_SHARED_NAME {
            shared.pop();
        }
        let prefix = format!(".{shared}.");
        let turn = Turn::wait(&file.with_file_name(format!("{prefix}lock")));
        if let Err(error) = &turn {
            // It is whole whoever saves it; and if it cannot be saved at all, that is told then.
            tracing::debug!(%error, "file of cookies saved without a lock");
        }
        Ok(Self {
            file,
            prefix,
            turn: turn.ok(),
        })
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Gives the file another content.
    pub(super) fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        if self.turn.as_ref().is_some_and(|turn| !turn.is_after_none) {
            self.remove_leftovers();
        }
        let (path, temporary) = self.temporary()?;
        let replaced = self
            .fill(temporary, bytes)
            .and_then(|()| fs::rename(&path, &self.file));
        if replaced.is_err() {
            // It has secrets; the error that is told is the first one.
            drop(fs::remove_file(&path));
        }
        replaced?;
        system::sync_directory(directory_of(&self.file))
    }

    /// Makes a file of its own beside the other.
    fn temporary(&self) -> io::Result<(PathBuf, File)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let (id, number) = (process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let name = format!("{}{id}-{number}.tmp", self.prefix);
            let path = self.file.with_file_name(name);
            match system::private().create_new(true).open(&path) {
                // Of a process on another machine, or of one that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return Ok((path, made?)),
            }
        }
    }

    fn fill(&self, mut temporary: File, bytes: &[u8]) -> io::Result<()> {
        temporary.write_all(bytes)?;
        if let Some(old) = regular(&self.file)? {
            system::make_like(&temporary, &old)?;
        }
        // Or the name might be on the disk before the content is.
        temporary.sync_all()
    }

    /// Removes what processes left that were killed; nobody else is saving.
    fn remove_leftovers(&self) {
        let entries = fs::read_dir(directory_of(&self.file));
        // Who may not list the directory has to leave them.
        for entry in entries.into_iter().flatten().flatten() {
            if self.is_temporary(&entry.file_name().to_string_lossy()) {
                drop(fs::remove_file(self.file.with_file_name(entry.file_name())));
            }
        }
    }

    fn is_temporary(&self, name: &str) -> bool {
        let middle = name.strip_prefix(&self.prefix);
        let numbers = middle.and_then(|middle| middle.strip_suffix(".tmp")?.split_once('-'));
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        numbers.is_some_and(|(id, number)| is_number(id) && is_number(number))
    }
}

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, CookieFileProblem> {
    let file = system::reading().open(path)?;
    let metadata = file.metadata()?;
    check_regular(&metadata)?;
    check_length(metadata.len())?;
    let mut bytes = Vec::new();
    // Files may grow.
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    check_length(bytes.len() as u64)?;
    Ok(bytes)
}

/// Refuses what would not be read.
pub(super) fn check_length(length: u64) -> Result<(), CookieFileProblem> {
    if length > MAX_FILE {
        return Err(CookieFileProblem::TooLarge { limit: MAX_FILE });
    }
    Ok(())
}

/// Looks at a file that may not be there.
fn regular(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        metadata => {
            let metadata = metadata?;
            check_regular(&metadata)?;
            Ok(Some(metadata))
        }
    }
}

/// A device would be gone, and from a pipe others could not read twice.
fn check_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let reason = "not a regular file";
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

/// The file that `path` leads to, which need not be there.
fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else {
            break;
        };
        path = path.with_file_name("").join(target);
    }
    path
}

fn directory_of(file: &Path) -> &Path {
    let parent = file.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or(Path::new("."))
}
